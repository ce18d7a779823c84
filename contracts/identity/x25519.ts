import { WeftError } from '../../src/codec/error.ts';
import { toHex } from '../../src/codec/hex.ts';

const KEY_BYTES = 32;
/** 2^255 − 19, little endian. */
const PRIME = `ed${'ff'.repeat(30)}7f`;

/** Canonical u-coordinates of points of small order (RFC 7748 §6.1; cr.yp.to/ecdh.html): the shared secret would be zero. */
const smallOrder: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
]);

/** Refuses (`KEY_INVALID`) what is not the canonical encoding of a u-coordinate, or gives everybody the same secret. */
export function checkX25519PublicKey(publicKey: Uint8Array): void {
  const text = toHex(publicKey);
  if (publicKey.length !== KEY_BYTES || smallOrder.has(text) || !isBelow(text, PRIME)) {
    throw new WeftError('KEY_INVALID', 'The X25519 public key is not a canonical one of large order. Make a new key.');
  }
}

/** Compares little-endian numbers in hex. */
function isBelow(a: string, b: string): boolean {
  for (let at = a.length - 2; at >= 0; at -= 2) {
    const x = a.slice(at, at + 2);
    const y = b.slice(at, at + 2);
    if (x !== y) return x < y;
  }
  return false;
}
