// A security key in software, and the browser around it: answers as WebAuthn has them, and on request wrong in one thing.
import { toBase64Url } from '../../src/codec/base64.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { p256PublicKeyOf, signP256 } from '../../src/crypto/p256.ts';
import type { Assertion, RelyingParty } from '../../src/crypto/webauthn.ts';

export const PRESENT = 0x01;
export const VERIFIED = 0x04;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export type AnswerOptions = {
  /** Default: present and verified. */
  readonly flags?: number;
  readonly counter?: number;
  /** After the 37 bytes. */
  readonly more?: Uint8Array;
  /** The page's, where it is not the registered one. */
  readonly rpId?: string;
  readonly origin?: string;
  readonly challenge?: string;
  /** The whole text, in the place of what a browser writes. */
  readonly clientData?: (challenge: string, origin: string) => string;
  readonly highS?: boolean;
};

export const party: RelyingParty = { rpId: 'approve.example.net', origin: 'https://approve.example.net' };

export class SoftwareKey {
  readonly publicKey: Uint8Array;
  readonly #secret: Uint8Array;
  readonly #party: RelyingParty;

  constructor(secret: Uint8Array, relyingParty: RelyingParty = party) {
    this.#secret = secret;
    this.#party = relyingParty;
    this.publicKey = p256PublicKeyOf(secret);
  }

  /** As an account holds it, without its id. */
  get accountKey() {
    const { rpId, origin } = this.#party;
    return { alg: 'webauthn-p256' as const, publicKey: toBase64Url(this.publicKey), rpId, origin };
  }

  answer(message: Uint8Array, options: AnswerOptions = {}): Assertion {
    const { flags = PRESENT | VERIFIED, counter = 1, more = new Uint8Array() } = options;
    const { rpId = this.#party.rpId, origin = this.#party.origin } = options;
    const challenge = options.challenge ?? toBase64Url(sha256(message));
    const clientDataJSON = encodeUtf8((options.clientData ?? clientDataText)(challenge, origin));
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, counter);
    const authenticatorData = concat(sha256(encodeUtf8(rpId)), Uint8Array.of(flags), count, more);
    const low = signP256(concat(authenticatorData, sha256(clientDataJSON)), this.#secret);
    return { authenticatorData, clientDataJSON, sig: options.highS === true ? highS(low) : low };
  }
}

export function clientDataText(challenge: string, origin: string): string {
  return `{"type":"webauthn.get","challenge":"${challenge}","origin":"${origin}","crossOrigin":false}`;
}

/** The other signature of the same bytes: r, n − s. */
function highS(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${toHex(signature.subarray(32))}`);
  return concat(signature.subarray(0, 32), fromHex((ORDER - s).toString(16).padStart(64, '0')));
}
