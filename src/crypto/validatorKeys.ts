// The five keys of a validator. They are distinct so that each can be rotated alone, and so that a signature made for
// one purpose can never serve another; each proves that its owner holds it, so that nobody registers another's key.
import { type Cbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { concat, encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { ed25519Signer, generateSeed, publicKeyOf, verifyConsensus } from './ed25519.ts';
import type { NamedSecret } from './keySeal.ts';

export const validatorRoles = ['peer', 'vote', 'log', 'cosigner', 'account'] as const;
export type ValidatorRole = (typeof validatorRoles)[number];

/** Ed25519: a 32-byte seed and its 32-byte public key. */
export type KeyPair = { readonly seed: Uint8Array; readonly publicKey: Uint8Array };

/**
 * peer: libp2p identity; vote: consensus; log: checkpoints (C2SP alg 0x01); cosigner: cosignature/v1 (alg 0x04);
 * account: transactions of the validator's operator.
 */
export type ValidatorKeys = Readonly<Record<ValidatorRole, KeyPair>>;

const POSSESSION_TAG = encodeUtf8('weft/possession/v1');

export function keyPairOf(seed: Uint8Array): KeyPair {
  return { seed, publicKey: publicKeyOf(seed) };
}

/** Five new keys from the operating system's randomness. */
export function generateValidatorKeys(): ValidatorKeys {
  return {
    peer: keyPairOf(generateSeed()),
    vote: keyPairOf(generateSeed()),
    log: keyPairOf(generateSeed()),
    cosigner: keyPairOf(generateSeed()),
    account: keyPairOf(generateSeed()),
  };
}

/** For a key file: one named secret per role, in the order of validatorRoles. */
export function validatorSecrets(keys: ValidatorKeys): NamedSecret[] {
  return validatorRoles.map((name) => ({
    name,
    algorithm: 'ed25519',
    publicKey: keys[name].publicKey,
    secret: keys[name].seed,
  }));
}

/**
 * The five keys that a key file holds. Refusal: `KEY_FILE_INVALID` (a role is missing, one is not Ed25519, a public key
 * is not its secret's, one key has two roles).
 */
export function validatorKeysFrom(secrets: readonly NamedSecret[]): ValidatorKeys {
  const pair = (role: ValidatorRole): KeyPair => {
    const found = secrets.find(({ name }) => name === role);
    if (found === undefined) throw invalid(`the ${role} key is missing`);
    const keys = keyPairOf(found.secret);
    if (found.algorithm !== 'ed25519' || !equalBytes(keys.publicKey, found.publicKey)) {
      throw invalid(`the public key under "${role}" is not that of its secret`);
    }
    return keys;
  };
  const keys = {
    peer: pair('peer'),
    vote: pair('vote'),
    log: pair('log'),
    cosigner: pair('cosigner'),
    account: pair('account'),
  };
  const distinct = new Set(validatorRoles.map((role) => toHex(keys[role].publicKey)));
  if (distinct.size !== validatorRoles.length) throw invalid('one key has two roles');
  return keys;
}

/** What a proof of possession signs. `network` is the genesis name: the chain id depends on the proofs, so it cannot be in them. */
export type PossessionClaim = {
  readonly network: string;
  readonly validator: string;
  readonly role: ValidatorRole;
  readonly publicKey: Uint8Array;
};

/** `"weft/possession/v1" ‖ CBOR([network, validator, role, publicKey])`. */
export function possessionMessage(claim: PossessionClaim): Uint8Array {
  const subject: Cbor = [claim.network, claim.validator, claim.role, claim.publicKey];
  return concat(POSSESSION_TAG, encodeCbor(subject));
}

/** The proof, 64 bytes, by the key that is claimed. */
export function provePossession(network: string, validator: string, role: ValidatorRole, seed: Uint8Array): Uint8Array {
  const signer = ed25519Signer(seed);
  return signer.sign(possessionMessage({ network, validator, role, publicKey: signer.publicKey }));
}

/** By the consensus rule: all nodes must agree about a genesis or a change of validators. Never throws on signatures. */
export function verifyPossession(claim: PossessionClaim, proof: Uint8Array): boolean {
  return verifyConsensus(possessionMessage(claim), proof, claim.publicKey);
}

function invalid(why: string): WeftError {
  return new WeftError('KEY_FILE_INVALID', `Not the keys of a validator: ${why}.`);
}
