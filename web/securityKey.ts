// The person's security key, through the browser: made once, touched for each signature. What comes back is brought into the
// ledger's one spelling and held to the ledger's own rule before anything is sent.

import { sha256 } from '@noble/hashes/sha2.js';
import { toBase64Url } from '../src/codec/base64.ts';
import { keyProofMessage } from '../src/crypto/accountKey.ts';
import { compressP256, p256SignatureOf } from '../src/crypto/p256.ts';
import { type Assertion, type RelyingParty, verifyWebAuthn } from '../src/crypto/webauthn.ts';
import { Failure } from './rpc.ts';

/** COSE algorithm −7: ECDSA on P-256 with SHA-256, the one that every FIDO2 key has. */
const ES256 = -7;
const UNCOMPRESSED_BYTES = 65;

/** Where this page's keys are for: as the operator configured, else this very page. */
export function relyingPartyHere(): RelyingParty {
  const { rpId, origin } = document.documentElement.dataset;
  return { rpId: rpId || location.hostname, origin: origin || location.origin };
}

/** Why keys cannot be used on this page as it was opened; undefined when they can. */
export function obstacleHere(): string | undefined {
  const { origin } = relyingPartyHere();
  if (location.origin !== origin) return `Open this page at ${origin}: security keys answer there and nowhere else.`;
  if (!isSecureContext || navigator.credentials === undefined || typeof PublicKeyCredential === 'undefined') {
    return 'This browser, or this way of opening the page, has no security keys: they need https, or http://localhost.';
  }
  return undefined;
}

/** A new key as `identity.redeem` and `identity.rotate` take it. */
export type ProvenKey = {
  readonly alg: 'webauthn-p256';
  readonly publicKey: string;
  readonly rpId: string;
  readonly origin: string;
  readonly proof: ReturnType<typeof assertionText>;
};

/**
 * Makes a key for this page and has it sign that it belongs to the account: two touches.
 * @param onMade after the first
 */
export async function makeProvenKey(
  chain: string,
  account: string,
  onMade = (): void => undefined,
): Promise<ProvenKey> {
  const party = relyingPartyHere();
  const { publicKey, credentialId } = await makeKey(party, chain, account);
  onMade();
  const key = {
    alg: 'webauthn-p256' as const,
    publicKey: toBase64Url(publicKey),
    rpId: party.rpId,
    origin: party.origin,
  };
  const claim = keyProofMessage(chain, account, key);
  const assertion = await touch(party, claim, credentialId);
  if (!verifyWebAuthn(claim, assertion, publicKey, party)) {
    throw new Failure(
      'PROOF_INVALID',
      'Another key answered than the one just made, or the browser answers in a way of its own. Try again.',
    );
  }
  return { ...key, proof: assertionText(assertion) };
}

/** A key that the person can find again without this page's help, and that knows its person (PIN, fingerprint). */
async function makeKey(
  { rpId }: RelyingParty,
  chain: string,
  account: string,
): Promise<{ publicKey: Uint8Array; credentialId: ArrayBuffer }> {
  const credential = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { id: rpId, name: 'Weft' },
        // Random: with the same handle a device would put this key in the place of one that it holds for the account.
        user: { id: crypto.getRandomValues(new Uint8Array(32)), name: account, displayName: `${account} on ${chain}` },
        pubKeyCredParams: [{ type: 'public-key', alg: ES256 }],
        // Nothing is read from it: possession is proven by a signature, and who made the key is not asked.
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        attestation: 'none',
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      },
    }),
  );
  const spki = (credential.response as AuthenticatorAttestationResponse).getPublicKey();
  if (spki === null)
    throw new Failure('KEY_INVALID', 'The browser does not show the new public key. Use another browser.');
  return { publicKey: compressP256(new Uint8Array(spki).slice(-UNCOMPRESSED_BYTES)), credentialId: credential.rawId };
}

/** Has the person sign: the challenge is SHA-256 of the message. `credentialId`: by this key and no other. */
export async function touch(
  { rpId }: Pick<RelyingParty, 'rpId'>,
  message: Uint8Array,
  credentialId?: ArrayBuffer,
): Promise<Assertion> {
  const credential = await asked(() =>
    navigator.credentials.get({
      publicKey: {
        rpId,
        challenge: buffer(sha256(message)),
        userVerification: 'required',
        allowCredentials: credentialId === undefined ? [] : [{ type: 'public-key', id: credentialId }],
      },
    }),
  );
  const { authenticatorData, clientDataJSON, signature } = credential.response as AuthenticatorAssertionResponse;
  return {
    authenticatorData: new Uint8Array(authenticatorData),
    clientDataJSON: new Uint8Array(clientDataJSON),
    sig: p256SignatureOf(new Uint8Array(signature)),
  };
}

/** An assertion as transactions hold it inside their body. */
function assertionText({ authenticatorData, clientDataJSON, sig }: Assertion) {
  return {
    authenticatorData: toBase64Url(authenticatorData),
    clientDataJSON: toBase64Url(clientDataJSON),
    sig: toBase64Url(sig),
  };
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const credential = await ask();
    if (credential instanceof PublicKeyCredential) return credential;
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    if (name === 'NotAllowedError')
      throw new Failure(
        'KEY_NOT_USED',
        'The key was not touched, its PIN was not given, or it has no key for this page.',
      );
    if (name === 'SecurityError')
      throw new Failure('KEY_ORIGIN', 'The browser uses no keys of this domain on this page. Is it the right address?');
    throw new Failure('KEY_FAILED', error instanceof Error ? error.message : String(error));
  }
  throw new Failure('KEY_FAILED', 'The browser gave no key.');
}

/** What DOM types want: bytes that nobody shares. */
function buffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
