import type { Ruleset } from '../../contracts/rulesets.ts';
import { TRANSACTION_PAYLOAD_TYPE } from '../../contracts/transaction.ts';
import type { StateReader, Transaction } from '../../contracts/types.ts';
import { WeftError } from '../codec/error.ts';
import { envelopeIdOf } from '../crypto/digests.ts';
import { pae } from '../crypto/dsse.ts';
import { signatureJob, type VerifyJob } from '../crypto/verify.ts';
import { allHold, eachHolds } from '../crypto/verifyJobs.ts';
import { type KeyAnswer, keyOf } from './execute.ts';
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
type Known = { readonly tx: Transaction; readonly ruleset: number; readonly valid: Set<string> };

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
  /** By ruleset and envelopeId, least recently used first: what one ruleset accepts, another may refuse. */
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
   * ACCOUNT_INACTIVE, KEY_INACTIVE, SIGNATURE_INVALID). Libsodium's answer alone: local policy, says nothing about a block.
   */
  async admit(
    envelopes: readonly Uint8Array[],
    state: StateReader,
    rules: Ruleset,
  ): Promise<(PreparedTx | WeftError)[]> {
    const jobs: Job[] = [];
    const keys: KeyMemory = new Map();
    const answers: (PreparedTx | WeftError)[] = [];
    for (const [position, envelope] of envelopes.entries()) {
      if (position % decodedPerTurn === decodedPerTurn - 1) await nextTurn();
      try {
        answers.push(this.#plan(this.#decode(envelope, envelopeIdOf(envelope), rules), position, state, keys, jobs));
      } catch (error) {
        answers.push(asRefusal(error));
      }
    }
    const verdicts = await this.#verifier.verifyMany(
      jobs.map(({ job }) => job),
      'fast',
    );
    for (const [i, { position, known, key }] of jobs.entries()) {
      if (verdicts[i] === true) known.valid.add(key);
      else
        answers[position] = new WeftError(
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
    const jobs: Job[] = [];
    const keys: KeyMemory = new Map();
    const prepared: PreparedTx[] = [];
    for (const [position, envelope] of envelopes.entries()) {
      if (position % decodedPerTurn === decodedPerTurn - 1) await nextTurn();
      prepared.push(
        this.#plan(this.#decode(envelope, ids[position] ?? envelopeIdOf(envelope), rules), position, state, keys, jobs),
      );
    }
    // In slices: a verifier bounds what waits in it, and a block of many signatures must not be above that bound for ever.
    for (let at = 0; at < jobs.length; at += verifiedAtOnce) {
      const slice = jobs.slice(at, at + verifiedAtOnce).map(({ job }) => job);
      if (!(await this.#verifier.verifyAll(slice))) {
        throw new WeftError('SIGNATURE_INVALID', 'A signature of a transaction in the block does not verify.');
      }
    }
    for (const { known, key } of jobs) known.valid.add(key);
    return prepared;
  }

  /** Envelopes that are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** These stand in a final block, read under `ruleset`: no further block takes them, so they make room. */
  finalized(transactions: readonly PreparedTx[], ruleset: number): void {
    for (const { tx } of transactions) {
      const id = `${ruleset}/${tx.envelopeId}`;
      if (!this.#known.has(id) || this.#final.has(id)) continue;
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

  #plan(known: Known, position: number, state: StateReader, memory: KeyMemory, jobs: Job[]): PreparedTx {
    const { tx, ruleset } = known;
    let message: Uint8Array | undefined;
    const keys = tx.signatures.map((entry) => {
      const name = `${tx.account}/${entry.alg}/${entry.keyid}`;
      let key = memory.get(name);
      if (key === undefined) {
        key = keyOf(state, tx.account, entry);
        memory.set(name, key);
      }
      if (!key.ok) {
        const which =
          key.code === 'ACCOUNT_INACTIVE'
            ? `account '${tx.account}' is not registered, or suspended`
            : `key ${entry.keyid} is no signing key of account '${tx.account}'`;
        throw new WeftError(key.code, `The transaction cannot be accepted: ${which}.`, { account: tx.account });
      }
      if (!known.valid.has(key.name)) {
        message ??= pae(TRANSACTION_PAYLOAD_TYPE, tx.payload);
        const job = signatureJob(entry, key.key, message);
        if (job === undefined) {
          throw new WeftError(
            'SIGNATURE_INVALID',
            'An assertion of the transaction is none by the rule (challenge, rpId, origin, flags): sign its exact bytes on the page of its origin.',
          );
        }
        jobs.push({ position, known, key: key.name, job });
      }
      return key.name;
    });
    return { tx, ruleset, keys };
  }

  #decode(envelope: Uint8Array, envelopeId: string, rules: Ruleset): Known {
    const id = `${rules.version}/${envelopeId}`;
    const known = this.#known.get(id);
    if (known !== undefined) {
      this.#known.delete(id);
      this.#known.set(id, known);
      return known;
    }
    const fresh: Known = {
      tx: rules.decode(envelope, { chain: this.#chain }),
      ruleset: rules.version,
      valid: new Set(),
    };
    this.#known.set(id, fresh);
    this.#bytes += envelope.length;
    for (const oldId of this.#known.keys()) {
      if (this.#known.size <= this.#entriesMax && this.#bytes <= this.#bytesMax) break;
      this.#forget(oldId);
    }
    return fresh;
  }
}

/** Keys that were looked up in one state, by account, algorithm and key id. */
type KeyMemory = Map<string, KeyAnswer>;

type Job = { readonly position: number; readonly known: Known; readonly key: string; readonly job: VerifyJob };

function asRefusal(error: unknown): WeftError {
  if (error instanceof WeftError) return error;
  throw error;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
