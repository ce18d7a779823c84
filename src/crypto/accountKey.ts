// An account's key as JSON has it, and what it signs to prove that it belongs to an account.
import { fromBase64Url } from '../codec/base64.ts';
import { type Cbor, encodeCbor } from '../codec/cbor.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import { type AlgorithmName, algorithmNumber } from './keyId.ts';
import type { RelyingParty } from './webauthn.ts';

/** A key that signs, or receives, by itself. */
export type PlainKey = { readonly alg: AlgorithmName; readonly publicKey: string };
/** A key of a person, which signs through WebAuthn and at one place only. */
export type PersonKey = { readonly alg: 'webauthn-p256'; readonly publicKey: string } & RelyingParty;
/** `publicKey` in base64url. */
export type AccountKey = PlainKey | PersonKey;

const POSSESSION_TAG = encodeUtf8('weft/account-key/v1');

/**
 * What a proof of possession signs: `"weft/account-key/v1" ‖ CBOR([chain, account, algorithm number, publicKey])`, for a person's
 * key with rpId and origin after these. Without it whoever sees a rotation on its way could register the new key elsewhere first,
 * and so keep a stolen one alive.
 */
export function keyProofMessage(chain: string, account: string, key: AccountKey): Uint8Array {
  const claim: Cbor[] = [chain, account, algorithmNumber(key.alg), fromBase64Url(key.publicKey)];
  if (key.alg === 'webauthn-p256') claim.push(key.rpId, key.origin);
  return concat(POSSESSION_TAG, encodeCbor(claim));
}
