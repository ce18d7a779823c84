// Keys of accounts, as state holds them. A key counts while it stands in its account; suspended accounts keep their keys.
import type { AccountRecord } from '../schemas/types/account-record.ts';
import { fromBase64Url } from '../src/codec/base64.ts';
import { verifyConsensus } from '../src/crypto/ed25519.ts';
import { verifyP256Consensus } from '../src/crypto/p256Fast.ts';
import type { PlainKey, SigningKey } from '../src/crypto/verify.ts';
import type { StateReader, Transaction } from './types.ts';

export function accountPath(account: string): string {
  return `identity/account/${account}`;
}

export function readAccount(state: StateReader, account: string): AccountRecord | undefined {
  // State holds at this path what `identity` and genesis wrote there, and nothing else.
  return state.get(accountPath(account)) as AccountRecord | undefined;
}

/**
 * The signing key `keyid` of a registered account, or undefined when the account has none such now. X25519 keys never
 * sign. Whether the account may send at all is `isActive`.
 */
export function activeKey(state: StateReader, account: string, keyid: string): SigningKey | undefined {
  const key = readAccount(state, account)?.keys.find((each) => each.keyid === keyid);
  if (key === undefined || key.alg === 'x25519') return undefined;
  const publicKey = fromBase64Url(key.publicKey);
  if (key.alg !== 'webauthn-p256') return { alg: key.alg, publicKey };
  return { alg: key.alg, publicKey, rpId: key.rpId, origin: key.origin };
}

/** Of the key that `activeKey` would give, without its bytes. */
export function activeAlg(state: StateReader, account: string, keyid: string): SigningKey['alg'] | undefined {
  const key = readAccount(state, account)?.keys.find((each) => each.keyid === keyid);
  return key === undefined || key.alg === 'x25519' ? undefined : key.alg;
}

/** Registered and not suspended. */
export function isActive(state: StateReader, account: string): boolean {
  return readAccount(state, account)?.status === 'active';
}

/** By the rule that decides about blocks (ZIP 215 for Ed25519, low-S for P-256). Never throws. */
export function verifyWith(key: PlainKey, message: Uint8Array, signature: Uint8Array): boolean {
  return key.alg === 'ed25519'
    ? verifyConsensus(message, signature, key.publicKey)
    : verifyP256Consensus(message, signature, key.publicKey);
}

/** Whether a person signed: one entry at least is by a security key that knew who touched it (PIN, fingerprint). */
export function isSignedByPerson({ signatures }: Pick<Transaction, 'signatures'>): boolean {
  return signatures.some((entry) => entry.alg === 'webauthn-p256' && entry.userVerified);
}
