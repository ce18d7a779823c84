import { randomBytes } from 'node:crypto';
import {
  buildTransactionBody,
  decodeTransaction,
  sealTransaction,
  signingBytes,
  type TransactionFields,
  type TransactionSigner,
} from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { ed25519Signer } from '../crypto/ed25519.ts';
import { ALG_ED25519, keyId } from '../crypto/keyId.ts';

export type Signer = TransactionSigner;

export type TransactionRequest = {
  readonly chain: string;
  readonly account: string;
  /** For example `packets.commit`; `schemas/tx/` lists them. */
  readonly type: string;
  readonly body: JsonObject;
  /** From now; default 60,000. The network caps it (five minutes). */
  readonly expiresInMs?: number;
  /** Milliseconds UTC; instead of `expiresInMs`. */
  readonly expires?: number;
  /** base64url of 8 bytes; random when absent. Two equal transactions with equal nonces are one. */
  readonly nonce?: string;
};

/** A transaction that may be signed: its body's exact bytes. */
export type UnsignedTransaction = { readonly fields: TransactionFields; readonly payload: Uint8Array };

/** A transaction that may be submitted, any number of times, by anybody. */
export type SignedTransaction = {
  /** SHA-256 (hex) of what was signed: what nodes know it by. */
  readonly id: string;
  /** The exact bytes. */
  readonly envelope: Uint8Array;
  /** The same as text, for files and JSON. */
  readonly text: string;
  /** Milliseconds UTC. */
  readonly expires: number;
};

/** @throws WeftError TX_FORM, TX_TYPE_UNKNOWN, TX_BODY (naming the wrong member), JSON_* */
export function buildTransaction(request: TransactionRequest): UnsignedTransaction {
  const fields: TransactionFields = {
    chain: request.chain,
    account: request.account,
    type: request.type,
    expires: request.expires ?? Date.now() + (request.expiresInMs ?? 60_000),
    nonce: request.nonce ?? toBase64Url(randomBytes(8)),
    body: request.body,
  };
  return { fields, payload: buildTransactionBody(fields) };
}

/** Signs with each key (1-16, all of the same account). @throws WeftError ENVELOPE_* */
export function sign({ payload }: UnsignedTransaction, signers: readonly Signer[]): SignedTransaction {
  const message = signingBytes(payload);
  const signatures = signers.map((each) => ({
    keyid: each.keyid,
    alg: each.alg ?? ('ed25519' as const),
    sig: each.sign(message),
  }));
  return readSigned(sealTransaction(payload, signatures));
}

/**
 * An envelope that was made elsewhere (a file, another program), read as a node would read it.
 * @throws WeftError ENVELOPE_*, JSON_*, TX_*: it would be refused
 */
export function readSigned(envelope: Uint8Array | string): SignedTransaction {
  const bytes = typeof envelope === 'string' ? encodeUtf8(envelope) : envelope;
  const { txId, expires } = decodeTransaction(bytes);
  return { id: txId, envelope: bytes, text: decodeUtf8(bytes), expires };
}

/** A signer for an Ed25519 seed of 32 bytes. @throws WeftError KEY_INVALID */
export function ed25519TransactionSigner(seed: Uint8Array): Signer & { readonly publicKey: Uint8Array } {
  const { publicKey, sign: signWith } = ed25519Signer(seed);
  return { keyid: keyId(ALG_ED25519, publicKey), publicKey, sign: signWith };
}

/** `60s`, `5m`, `1500ms` → milliseconds. @throws WeftError DURATION_INVALID */
export function durationMs(text: string): number {
  const match = /^([0-9]{1,9})(ms|s|m|h)$/.exec(text);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw new WeftError('DURATION_INVALID', `'${text}' is no duration; write for example 60s, 5m or 1500ms`);
  }
  return Number(match[1]) * unit;
}
