import { fromBase64, toBase64 } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import type { Hash } from './hasher.ts';

/** Signature types of C2SP signed-note that Weft knows: plain Ed25519, and Ed25519 timestamped cosignatures. */
export const algLog = 0x01;
export const algCosigner = 0x04;

const publicKeyBytes = 32;
/** Far above any name of ours (85 characters); other people's names are bounded before they are read. */
const nameLengthMax = 256;

/** A note key that signatures are checked with. */
export type Vkey = {
  readonly name: string;
  /** First four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key), as 8 lower-case hex digits. */
  readonly keyId: string;
  readonly alg: typeof algLog | typeof algCosigner;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
};

/** Non-empty, well-formed, no Unicode space, no control character, no `+` (C2SP signed-note). */
export function isKeyName(name: string): boolean {
  return (
    name.length > 0 && name.length <= nameLengthMax && name.isWellFormed() && !/[\s\p{White_Space}\p{Cc}+]/u.test(name)
  );
}

export function keyIdOf(hash: Hash, name: string, alg: number, publicKey: Uint8Array): string {
  return toHex(hash(concat(encodeUtf8(name), Uint8Array.of(0x0a, alg), publicKey)).subarray(0, 4));
}

/** Throws VKEY_INVALID when the name or the key's length is not one a note can have. */
export function createVkey(hash: Hash, name: string, alg: Vkey['alg'], publicKey: Uint8Array): Vkey {
  if (!isKeyName(name))
    throw new WeftError('VKEY_INVALID', 'A note key name is 1-256 characters without space or "+".');
  if (publicKey.length !== publicKeyBytes) {
    throw new WeftError('VKEY_INVALID', `An Ed25519 public key has 32 bytes, not ${publicKey.length}.`);
  }
  return { name, alg, publicKey, keyId: keyIdOf(hash, name, alg, publicKey) };
}

/** `<name>+<key id>+<base64(type ‖ public key)>`. */
export function formatVkey(vkey: Vkey): string {
  return `${vkey.name}+${vkey.keyId}+${toBase64(concat(Uint8Array.of(vkey.alg), vkey.publicKey))}`;
}

/** One spelling only; the key id is computed again and compared. Throws VKEY_INVALID. */
export function parseVkey(hash: Hash, text: string): Vkey {
  // The key itself is base64 and may hold `+`; neither name nor id can.
  const [name = '', keyId = ''] = text.split('+', 2);
  const key = text.slice(name.length + keyId.length + 2);
  let bytes: Uint8Array;
  try {
    fromHex(keyId, 4);
    bytes = fromBase64(key, 1 + publicKeyBytes);
  } catch {
    throw new WeftError('VKEY_INVALID', 'A verifier key reads <name>+<8 hex digits>+<base64 of type and 32-byte key>.');
  }
  const alg = bytes[0];
  if (alg !== algLog && alg !== algCosigner) {
    throw new WeftError('VKEY_INVALID', `Signature type ${alg} is not known here: 1 is a log key, 4 a cosigner key.`);
  }
  const vkey = createVkey(hash, name, alg, bytes.slice(1));
  if (vkey.keyId !== keyId) {
    throw new WeftError(
      'VKEY_INVALID',
      `Key id ${keyId} does not belong to this name and key; it should be ${vkey.keyId}.`,
    );
  }
  return vkey;
}
