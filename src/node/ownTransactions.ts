import { activeKey } from '../../contracts/signatures.ts';
import { buildEnvelope, type TransactionSigner } from '../../contracts/transaction.ts';
import type { JsonObject, StateReader } from '../../contracts/types.ts';
import { toBase64Url } from '../codec/base64.ts';
import { codeOf } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { ed25519Signer } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/hash.ts';
import { ALG_ED25519, keyId } from '../crypto/keyId.ts';
import type { TxStatus } from './api.ts';

/** Transactions that a node sends by itself, signed with its account key: evidence and readiness. */

export type OwnTransactionsModules = {
  readonly chain: string;
  /** Of the account keys that this node holds. */
  readonly seeds: readonly Uint8Array[];
  /** Finalized state. */
  readonly state: () => StateReader;
  readonly submit: (envelope: Uint8Array) => Promise<TxStatus>;
  readonly wait: (id: string, timeoutMs: number) => Promise<TxStatus>;
  readonly wallMs: () => number;
};

/** `code`: why not, from admission, from the ledger, or `TX_PENDING`, `TX_EXPIRED`, `TX_UNKNOWN`; empty when it took effect. */
export type Outcome = { readonly applied: boolean; readonly code: string };

const lifetimeMs = 60_000;

export class OwnTransactions {
  readonly #modules: OwnTransactionsModules;

  constructor(modules: OwnTransactionsModules) {
    this.#modules = modules;
  }

  /** Signs, submits and waits for the fate. Never throws: a code says what is in the way. */
  async send(account: string, type: string, body: JsonObject): Promise<Outcome> {
    const { chain, seeds, state, submit, wait, wallMs } = this.#modules;
    const signer = seeds.map(signerOf).find(({ keyid }) => activeKey(state(), account, keyid) !== undefined);
    if (signer === undefined) return { applied: false, code: 'KEY_INACTIVE' };
    const expires = wallMs() + lifetimeMs;
    // No chance in it: said twice in one moment it is one transaction, and a simulated node does the same again.
    const nonce = toBase64Url(sha256(encodeUtf8(JSON.stringify([account, type, expires, body]))).subarray(0, 8));
    try {
      const fields = { chain, account, type, expires, nonce, body };
      const { id } = await submit(buildEnvelope(fields, [signer]));
      const fate = await wait(id, lifetimeMs);
      if (fate.status !== 'finalized') return { applied: false, code: `TX_${fate.status.toUpperCase()}` };
      return { applied: fate.refused === undefined, code: fate.refused ?? '' };
    } catch (error) {
      return { applied: false, code: codeOf(error) };
    }
  }
}

function signerOf(seed: Uint8Array): TransactionSigner {
  const { publicKey, sign } = ed25519Signer(seed);
  return { keyid: keyId(ALG_ED25519, publicKey), sign };
}
