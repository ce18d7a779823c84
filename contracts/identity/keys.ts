// Keys as they are registered: every one checked once, here, so that no signature check has to ask again.
import { fromBase64Url } from '../../src/codec/base64.ts';
import { codeOf } from '../../src/codec/error.ts';
import { type AccountKey, keyProofMessage, type PersonKey, type PlainKey } from '../../src/crypto/accountKey.ts';
import { type AccountAlgorithm, algorithmNumber, keyId } from '../../src/crypto/keyId.ts';
import { checkP256PublicKey } from '../../src/crypto/p256.ts';
import { checkPublicKey } from '../../src/crypto/reference.ts';
import { assertedBytes, isRelyingParty } from '../../src/crypto/webauthn.ts';
import { verifyWith } from '../signatures.ts';
import { checkX25519PublicKey } from './x25519.ts';

export type NamedKey = AccountKey & { readonly keyid: string };

/** Bytes in base64url. */
type AssertionText = { readonly authenticatorData: string; readonly clientDataJSON: string; readonly sig: string };
export type ProvenKey =
  | (PlainKey & { readonly proof: string | null })
  | (PersonKey & { readonly proof: AssertionText });

/** `{account, alg, publicKey, status, height}`: a key id that was ever registered is never registered again. */
export function keyPath(keyid: string): string {
  return `identity/key/${keyid}`;
}

export function signs({ alg }: { readonly alg: AccountAlgorithm }): boolean {
  return alg !== 'x25519';
}

/** Members in the order of records and state. The key must have been checked. */
export function nameKey(key: AccountKey): NamedKey {
  const { alg, publicKey } = key;
  const keyid = keyId(algorithmNumber(alg), fromBase64Url(publicKey));
  return alg === 'webauthn-p256'
    ? { keyid, alg, publicKey, rpId: key.rpId, origin: key.origin }
    : { keyid, alg, publicKey };
}

/**
 * The keys with their ids, or the code of what is wrong: `KEY_INVALID` (length, not canonical, small order, torsion; an rpId or
 * origin that no browser would have), `KEY_REGISTERED` (one twice in the list).
 */
export function checkKeys(keys: readonly AccountKey[]): NamedKey[] | string {
  const named: NamedKey[] = [];
  const ids = new Set<string>();
  for (const key of keys) {
    if (!isSound(key)) return 'KEY_INVALID';
    const withId = nameKey(key);
    if (ids.has(withId.keyid)) return 'KEY_REGISTERED';
    ids.add(withId.keyid);
    named.push(withId);
  }
  return named;
}

function isSound(key: AccountKey): boolean {
  try {
    const bytes = fromBase64Url(key.publicKey);
    if (key.alg === 'ed25519') checkPublicKey(bytes);
    else if (key.alg === 'x25519') checkX25519PublicKey(bytes);
    else checkP256PublicKey(bytes);
    return key.alg !== 'webauthn-p256' || isRelyingParty(key);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'KEY_INVALID' || code === 'BASE64_INVALID') return false;
    throw error;
  }
}

/** True when the key itself signed that it belongs to this account; X25519 keys cannot, and bring null. */
export function isProven(chain: string, account: string, key: ProvenKey): boolean {
  if (key.alg === 'x25519') return key.proof === null;
  if (key.proof === null) return false;
  const message = keyProofMessage(chain, account, key);
  const publicKey = fromBase64Url(key.publicKey);
  if (key.alg !== 'webauthn-p256') return verifyWith({ alg: key.alg, publicKey }, message, fromBase64Url(key.proof));
  const clientDataJSON = bytesOf(key.proof.clientDataJSON);
  if (clientDataJSON === undefined) return false;
  const authenticatorData = fromBase64Url(key.proof.authenticatorData);
  const sig = fromBase64Url(key.proof.sig);
  const asserted = assertedBytes({ authenticatorData, clientDataJSON }, message, key);
  return asserted !== undefined && verifyWith({ alg: 'p256', publicKey }, asserted, sig);
}

/** Of a text whose length the schema leaves open: only there can the last character hold bits too many. */
function bytesOf(text: string): Uint8Array | undefined {
  try {
    return fromBase64Url(text);
  } catch (error) {
    if (codeOf(error) === 'BASE64_INVALID') return undefined;
    throw error;
  }
}
