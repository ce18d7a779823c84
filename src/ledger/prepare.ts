import type { Ruleset } from '../../contracts/rulesets.ts';
import type { StateReader, Transaction } from '../../contracts/types.ts';
import { WeftError } from '../codec/error.ts';
import { envelopeIdOf } from '../crypto/digests.ts';
import { signatureJob, type VerifyJob } from '../crypto/verify.ts';
import { allHold, eachHolds } from '../crypto/verifyJobs.ts';
import { keyOf } from './execute.ts';
import type { PreparedTx, SignatureVerifier } from './types.ts';

export type { PreparedTx, PrepareMode } from './types.ts';

/** On the event loop, for tests, tools and audit. */
export const inlineVerifier: SignatureVerifier = {
  async verifyMany(jobs, rule) {
    return eachHolds(jobs, rule);
  },
  async verifyAll(jobs) {
    return allHold(jobs);
  },
};

export type PreparerOptions = {
  readonly chain: string;
  readonly verifier: SignatureVerifier;
  /** Envelopes that are remembered; 0: none. Default 32,768: several full blocks and what the mempool turns over. */
  readonly entriesMax?: number;
  /** Bytes of remembered envelopes; decoded they take about four times that. Default 16 MiB. */
  readonly bytesMax?: number;
  /** Of those, bytes of envelopes whose blocks are final: the last copies of them come a moment later. Default 512 KiB. */
  readonly finalBytesMax?: number;
};

/**
 * What is known of an envelope: how it reads, and the keys (signingKeyName) under which its entries verified. Only "valid" is
 * remembered, under all that decided it (full key, and where a security key may be used) and never under a key id.
 */
type Known = {
  readonly tx: Transaction;
  readonly ruleset: number;
  valid: readonly string[];
  /** When it last went to the end of the order of use. */
  movedAt: number;
  /** What is final stands in a list of its own, from what became so first to what became so last. */
  final: boolean;
  before: Known | undefined;
  after: Known | undefined;
};

type Answers = (PreparedTx | WeftError)[];

const none: readonly string[] = [];

/** Transactions decoded between two turns of the event loop: about 2 ms. */
const decodedPerTurn = 64;
const verifiedAtOnce = 2048;

/**
 * Decodes envelopes and verifies their signatures: a function of their bytes and of the keys that a state names, remembered
 * so that a transaction that came through the mempool costs a block nothing but a hash.
 */
export class Preparer {
  readonly #chain: string;
  readonly #verifier: SignatureVerifier;
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  readonly #finalBytesMax: number;
  /**
   * By envelopeId, least recently used first, to within an eighth of their number: each look at a map of thousands misses the processor's
   * caches. What one ruleset accepts, another may refuse: the newest question's is here.
   */
  readonly #known = new Map<string, Known>();
  #bytes = 0;
  #moved = 0;
  #firstFinal: Known | undefined;
  #lastFinal: Known | undefined;
  #finalBytes = 0;

  constructor(options: PreparerOptions) {
    const { chain, verifier, entriesMax = 32_768, bytesMax = 16 * 1024 * 1024, finalBytesMax = 512 * 1024 } = options;
    this.#chain = chain;
    this.#verifier = verifier;
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax;
    this.#finalBytesMax = finalBytesMax;
  }

  /**
   * Each envelope's answer under the ruleset of the next block, in order: prepared, or the error that refuses it (the codes of Ruleset.decode,
   * ACCOUNT_INACTIVE, KEY_INACTIVE, SIGNATURE_INVALID). Libsodium's answer alone: local policy, says nothing about a block. `ids`: their
   * envelope ids, when the caller has them. Nothing of `envelopes` is kept. Few envelopes are answered at once where the verifier does so.
   * @throws what the verifier throws when it could not check (VERIFY_*), or rejects
   */
  admit(
    envelopes: readonly Uint8Array[],
    state: StateReader,
    rules: Ruleset,
    ids: readonly string[] = envelopes.map(envelopeIdOf),
  ): Answers | Promise<Answers> {
    const admitting: Admitting = { envelopes, ids, state, rules, plan: { jobs: [], owners: [] }, answers: [] };
    if (envelopes.length >= decodedPerTurn) return this.#admitInTurns(admitting);
    this.#read(admitting, 0, envelopes.length);
    return this.#verify(admitting);
  }

  async #admitInTurns(admitting: Admitting): Promise<Answers> {
    const count = admitting.envelopes.length;
    for (let from = 0; from < count; from += decodedPerTurn) {
      if (from > 0) await nextTurn();
      this.#read(admitting, from, Math.min(count, from + decodedPerTurn));
    }
    return this.#verify(admitting);
  }

  #read({ envelopes, ids, state, rules, plan, answers }: Admitting, from: number, to: number): void {
    for (let position = from; position < to; position += 1) {
      const envelope = envelopes[position];
      if (envelope === undefined) continue;
      try {
        answers.push(this.#plan(this.#decode(envelope, ids[position], rules), position, state, plan));
      } catch (error) {
        answers.push(asRefusal(error));
      }
    }
  }

  #verify({ plan, answers }: Admitting): Answers | Promise<Answers> {
    if (plan.jobs.length === 0) return answers;
    const verdicts = this.#verifier.verifyNow?.(plan.jobs, 'fast');
    if (verdicts !== undefined) return judged(plan, verdicts, answers);
    return this.#verifier.verifyMany(plan.jobs, 'fast').then((each) => judged(plan, each, answers));
  }

  /**
   * All transactions of a block by the consensus rule, or a throw for the first reason why the block is invalid. `ids`: their
   * envelope ids, when the caller has them.
   * @throws WeftError as `admit` answers; whatever the verifier throws when it could not check (VERIFY_*)
   */
  async require(
    envelopes: readonly Uint8Array[],
    state: StateReader,
    rules: Ruleset,
    ids: readonly string[] = envelopes.map(envelopeIdOf),
  ): Promise<PreparedTx[]> {
    const plan: Plan = { jobs: [], owners: [] };
    const prepared: PreparedTx[] = [];
    let decoded = 0;
    for (let position = 0; position < envelopes.length; position += 1) {
      const envelope = envelopes[position];
      if (envelope === undefined) continue;
      // What is remembered costs next to nothing, and a block of that is one stretch of work.
      const known = this.#remembered(ids[position], rules);
      if (known === undefined) {
        decoded += 1;
        if (decoded % decodedPerTurn === 0) await nextTurn();
      }
      prepared.push(this.#plan(known ?? this.#decode(envelope, ids[position], rules), position, state, plan));
    }
    // In slices: a verifier bounds what waits in it, and a block of many signatures must not be above that bound for ever.
    for (let at = 0; at < plan.jobs.length; at += verifiedAtOnce) {
      if (!(await this.#verifier.verifyAll(plan.jobs.slice(at, at + verifiedAtOnce)))) {
        throw signatureInvalid();
      }
    }
    for (const owner of plan.owners) verified(owner);
    return prepared;
  }

  /** Envelopes that are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** These stand in a final block, read under `ruleset`: no further block takes them, so they make room. */
  finalized(transactions: readonly PreparedTx[], ruleset: number): void {
    if (this.#known.size === 0) return;
    for (const { tx } of transactions) {
      const known = this.#known.get(tx.envelopeId);
      if (known === undefined || known.ruleset !== ruleset || known.final) continue;
      known.final = true;
      known.before = this.#lastFinal;
      if (this.#lastFinal === undefined) this.#firstFinal = known;
      else this.#lastFinal.after = known;
      this.#lastFinal = known;
      this.#finalBytes += known.tx.envelope.length;
    }
    while (this.#firstFinal !== undefined && this.#finalBytes > this.#finalBytesMax) this.#forget(this.#firstFinal);
  }

  #forget(known: Known): void {
    const { tx, before, after } = known;
    this.#known.delete(tx.envelopeId);
    this.#bytes -= tx.envelope.length;
    if (!known.final) return;
    this.#finalBytes -= tx.envelope.length;
    if (before === undefined) this.#firstFinal = after;
    else before.after = after;
    if (after === undefined) this.#lastFinal = before;
    else after.before = before;
    known.before = undefined;
    known.after = undefined;
  }

  #plan(known: Known, position: number, state: StateReader, plan: Plan): PreparedTx {
    const { tx, ruleset } = known;
    // The list lives as long as the transaction: one that grows has room for sixteen more.
    let keys: string[] | undefined;
    for (let i = 0; i < tx.signatures.length; i += 1) {
      const entry = tx.signatures[i];
      if (entry === undefined) continue;
      const key = keyOf(state, tx.account, entry);
      if (!key.ok) {
        const which =
          key.code === 'ACCOUNT_INACTIVE'
            ? `account '${tx.account}' is not registered, or suspended`
            : `key ${entry.keyid} is no signing key of account '${tx.account}'`;
        throw new WeftError(key.code, `The transaction cannot be accepted: ${which}.`, { account: tx.account });
      }
      if (!known.valid.includes(key.name)) {
        const job = signatureJob(entry, key.key, tx.signed);
        if (job === undefined) {
          throw new WeftError(
            'SIGNATURE_INVALID',
            'An assertion of the transaction is none by the rule (challenge, rpId, origin, flags): sign its exact bytes on the page of its origin.',
          );
        }
        plan.jobs.push(job);
        plan.owners.push({ position, known, key: key.name });
      }
      if (keys === undefined) keys = [key.name];
      else keys.push(key.name);
    }
    return { tx, ruleset, keys: keys ?? none };
  }

  #remembered(id: string | undefined, rules: Ruleset): Known | undefined {
    // Where nothing is remembered an id is not even hashed.
    if (this.#known.size === 0) return undefined;
    const known = id === undefined ? undefined : this.#known.get(id);
    if (id === undefined || known?.ruleset !== rules.version) return undefined;
    this.#used(id, known);
    return known;
  }

  /** To the end of the order of use, unless it is near it. */
  #used(id: string, known: Known): void {
    if (this.#moved - known.movedAt <= this.#entriesMax / 8) return;
    this.#moved += 1;
    known.movedAt = this.#moved;
    this.#known.delete(id);
    this.#known.set(id, known);
  }

  #decode(envelope: Uint8Array, envelopeId: string | undefined, rules: Ruleset): Known {
    const id = envelopeId ?? envelopeIdOf(envelope);
    const known = this.#known.get(id);
    if (known?.ruleset === rules.version) {
      this.#used(id, known);
      return known;
    }
    const tx = rules.decode(envelope, { chain: this.#chain, envelopeId: id });
    if (known !== undefined) this.#forget(known);
    this.#moved += 1;
    const fresh: Known = {
      tx,
      ruleset: rules.version,
      valid: none,
      movedAt: this.#moved,
      final: false,
      before: undefined,
      after: undefined,
    };
    if (this.#entriesMax === 0) return fresh;
    this.#known.set(id, fresh);
    this.#bytes += envelope.length;
    if (this.#known.size > this.#entriesMax || this.#bytes > this.#bytesMax) this.#makeRoom();
    return fresh;
  }

  #makeRoom(): void {
    for (const oldest of this.#known.values()) {
      if (this.#known.size <= this.#entriesMax && this.#bytes <= this.#bytesMax) return;
      this.#forget(oldest);
    }
  }
}

/** Of a block. */
export function signatureInvalid(): WeftError {
  return new WeftError('SIGNATURE_INVALID', 'A signature of a transaction in the block does not verify.');
}

/** Signatures to verify, and for each whose it is. */
type Plan = { readonly jobs: VerifyJob[]; readonly owners: Owner[] };

type Owner = { readonly position: number; readonly known: Known; readonly key: string };

type Admitting = {
  readonly envelopes: readonly Uint8Array[];
  readonly ids: readonly string[];
  readonly state: StateReader;
  readonly rules: Ruleset;
  readonly plan: Plan;
  readonly answers: Answers;
};

function judged({ owners }: Plan, verdicts: readonly boolean[], answers: Answers): Answers {
  for (let i = 0; i < owners.length; i += 1) {
    const owner = owners[i];
    if (owner === undefined) continue;
    if (verdicts[i] === true) verified(owner);
    else {
      answers[owner.position] = new WeftError(
        'SIGNATURE_INVALID',
        'A signature of the transaction does not verify: sign its exact bytes again.',
      );
    }
  }
  return answers;
}

function verified({ known, key }: Owner): void {
  if (known.valid.length === 0) known.valid = [key];
  else if (!known.valid.includes(key)) known.valid = [...known.valid, key];
}

function asRefusal(error: unknown): WeftError {
  if (error instanceof WeftError) return error;
  throw error;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
