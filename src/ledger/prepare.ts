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
  /** Envelopes that are remembered. Default 32,768: several full blocks and what the mempool turns over. */
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
type Known = { readonly tx: Transaction; readonly ruleset: number; readonly valid: string[] };

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
  /** By envelopeId, least recently used first. What one ruleset accepts, another may refuse: the newest question's is here. */
  readonly #known = new Map<string, Known>();
  #bytes = 0;
  /** Keys in `#known` of what is final, and their bytes, oldest first. */
  readonly #final = new Map<string, number>();
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
   * envelope ids, when the caller has them. Nothing of `envelopes` is kept.
   */
  async admit(
    envelopes: readonly Uint8Array[],
    state: StateReader,
    rules: Ruleset,
    ids: readonly string[] = envelopes.map(envelopeIdOf),
  ): Promise<(PreparedTx | WeftError)[]> {
    const plan: Plan = { jobs: [], owners: [] };
    const answers: (PreparedTx | WeftError)[] = [];
    for (let position = 0; position < envelopes.length; position += 1) {
      if (position % decodedPerTurn === decodedPerTurn - 1) await nextTurn();
      const envelope = envelopes[position];
      if (envelope === undefined) continue;
      try {
        answers.push(this.#plan(this.#decode(envelope, ids[position], rules), position, state, plan));
      } catch (error) {
        answers.push(asRefusal(error));
      }
    }
    if (plan.jobs.length === 0) return answers;
    const verdicts = await this.#verifier.verifyMany(plan.jobs, 'fast');
    for (let i = 0; i < plan.owners.length; i += 1) {
      const owner = plan.owners[i];
      if (owner === undefined) continue;
      if (verdicts[i] === true) verified(owner);
      else
        answers[owner.position] = new WeftError(
          'SIGNATURE_INVALID',
          'A signature of the transaction does not verify: sign its exact bytes again.',
        );
    }
    return answers;
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
    for (const { tx } of transactions) {
      const id = tx.envelopeId;
      if (this.#known.get(id)?.ruleset !== ruleset || this.#final.has(id)) continue;
      this.#final.set(id, tx.envelope.length);
      this.#finalBytes += tx.envelope.length;
    }
    for (const id of this.#final.keys()) {
      if (this.#finalBytes <= this.#finalBytesMax) break;
      this.#forget(id);
    }
  }

  #forget(id: string): void {
    const known = this.#known.get(id);
    this.#known.delete(id);
    this.#bytes -= known?.tx.envelope.length ?? 0;
    this.#finalBytes -= this.#final.get(id) ?? 0;
    this.#final.delete(id);
  }

  #plan(known: Known, position: number, state: StateReader, plan: Plan): PreparedTx {
    const { tx, ruleset } = known;
    const keys: string[] = [];
    for (const entry of tx.signatures) {
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
      keys.push(key.name);
    }
    return { tx, ruleset, keys };
  }

  #remembered(id: string | undefined, rules: Ruleset): Known | undefined {
    const known = id === undefined ? undefined : this.#known.get(id);
    if (id === undefined || known?.ruleset !== rules.version) return undefined;
    this.#known.delete(id);
    this.#known.set(id, known);
    return known;
  }

  #decode(envelope: Uint8Array, envelopeId: string | undefined, rules: Ruleset): Known {
    const id = envelopeId ?? envelopeIdOf(envelope);
    const known = this.#remembered(id, rules);
    if (known !== undefined) return known;
    const fresh: Known = {
      tx: rules.decode(envelope, { chain: this.#chain, envelopeId: id }),
      ruleset: rules.version,
      valid: [],
    };
    this.#forget(id);
    this.#known.set(id, fresh);
    this.#bytes += envelope.length;
    for (const oldId of this.#known.keys()) {
      if (this.#known.size <= this.#entriesMax && this.#bytes <= this.#bytesMax) break;
      this.#forget(oldId);
    }
    return fresh;
  }
}

/** Of a block. */
export function signatureInvalid(): WeftError {
  return new WeftError('SIGNATURE_INVALID', 'A signature of a transaction in the block does not verify.');
}

/** Signatures to verify, and for each whose it is. */
type Plan = { readonly jobs: VerifyJob[]; readonly owners: Owner[] };

type Owner = { readonly position: number; readonly known: Known; readonly key: string };

function verified({ known, key }: Owner): void {
  if (!known.valid.includes(key)) known.valid.push(key);
}

function asRefusal(error: unknown): WeftError {
  if (error instanceof WeftError) return error;
  throw error;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
