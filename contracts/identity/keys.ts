// Keys as they are registered: every one checked once, here, so that no signature check has to ask again.
import { fromBase64Url } from '../../src/codec/base64.ts';
import { type Cbor, encodeCbor } from '../../src/codec/cbor.ts';
import { codeOf } from '../../src/codec/error.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { type AlgorithmName, algorithmNumber, keyId } from '../../src/crypto/keyId.ts';
import { checkP256PublicKey } from '../../src/crypto/p256.ts';
import { checkPublicKey } from '../../src/crypto/reference.ts';
import { verifyWith } from '../signatures.ts';
import { checkX25519PublicKey } from './x25519.ts';

export type PlainKey = { readonly alg: AlgorithmName; readonly publicKey: string };
export type NamedKey = PlainKey & { readonly keyid: string };
export type ProvenKey = PlainKey & { readonly proof: string | null };

/** `{account, alg, publicKey, status, height}`: a key id that was ever registered is never registered again. */
export function keyPath(keyid: string): string {
  return `identity/key/${keyid}`;
}

export function signs({ alg }: { readonly alg: AlgorithmName }): boolean {
  return alg !== 'x25519';
}

/** Members in the order of records and state. The key must have been checked. */
export function nameKey({ alg, publicKey }: PlainKey): NamedKey {
  return { keyid: keyId(algorithmNumber(alg), fromBase64Url(publicKey)), alg, publicKey };
}

/**
 * The keys with their ids, or the code of what is wrong: `KEY_INVALID` (length, not canonical, small order, torsion),
 * `KEY_REGISTERED` (one twice in the list).
 */
export function checkKeys(keys: readonly PlainKey[]): NamedKey[] | string {
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

function isSound({ alg, publicKey }: PlainKey): boolean {
  try {
    const bytes = fromBase64Url(publicKey);
    if (alg === 'ed25519') checkPublicKey(bytes);
    else if (alg === 'p256') checkP256PublicKey(bytes);
    else checkX25519PublicKey(bytes);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'KEY_INVALID' || code === 'BASE64_INVALID') return false;
    throw error;
  }
}

const POSSESSION_TAG = encodeUtf8('weft/account-key/v1');

/**
 * What a proof of possession signs: `"weft/account-key/v1" ‖ CBOR([chain, account, algorithm number, publicKey])`. Without
 * it whoever sees a rotation on its way could register the new key elsewhere first, and so keep a stolen key alive.
 */
export function keyProofMessage(chain: string, account: string, key: PlainKey): Uint8Array {
  const claim: Cbor = [chain, account, algorithmNumber(key.alg), fromBase64Url(key.publicKey)];
  return concat(POSSESSION_TAG, encodeCbor(claim));
}

/** True when the key itself signed that it belongs to this account; X25519 keys cannot, and bring null. */
export function isProven(chain: string, account: string, key: ProvenKey): boolean {
  if (key.alg === 'x25519') return key.proof === null;
  if (key.proof === null) return false;
  const signer = { alg: key.alg, publicKey: fromBase64Url(key.publicKey) };
  return verifyWith(signer, keyProofMessage(chain, account, key), fromBase64Url(key.proof));
}
