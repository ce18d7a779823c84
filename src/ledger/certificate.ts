import type { Certificate } from '../../consensus/types.ts';
import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { verifyConsensus } from '../crypto/ed25519.ts';
import { quorumOf, type Validator, validatorsMax } from './validatorSet.ts';
import { kindNumber, kindOf, readSubject, subjectCbor, voteBytes } from './votes.ts';

/** 128 validators: 86 signatures of 66 bytes and what is around them. */
export const certificateBytesMax = 8 * 1024;
const signatureBytes = 64;

/**
 * Wire form: CBOR `[kind, subject, bitmap, [signatures]]`. The bitmap has ⌈n/8⌉ bytes, validator i is bit i mod 8
 * (least significant first) of byte ⌊i/8⌋; signatures stand in validator order.
 */
export function encodeCertificate(certificate: Certificate, validatorCount: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(validatorCount / 8));
  for (const signer of certificate.signers) {
    const at = Math.floor(signer / 8);
    bitmap[at] = (bitmap[at] ?? 0) | (1 << (signer % 8));
  }
  return encodeCbor([
    kindNumber(certificate.kind),
    subjectCbor(certificate.kind, certificate.subject),
    bitmap,
    [...certificate.signatures],
  ]);
}

/**
 * The shape for an epoch of `validatorCount` validators: bitmap of the exact length, no bit beyond the list, exactly q
 * signatures. Verifies no signature. Refusals: `CERTIFICATE_INVALID`, `CBOR_*`.
 */
export function decodeCertificate(bytes: Uint8Array, validatorCount: number): Certificate {
  const value = decodeCbor(bytes, { bytesMax: certificateBytesMax, depthMax: 3, itemsMax: validatorsMax + 16 });
  if (!Array.isArray(value) || value.length !== 4) throw invalid('it is not an array of 4');
  const kind = kindOf(value[0], invalid);
  const subject = readSubject(kind, value[1], invalid);
  const bitmap: unknown = value[2];
  if (!(bitmap instanceof Uint8Array) || bitmap.length !== Math.ceil(validatorCount / 8)) {
    throw invalid(`the bitmap does not fit ${validatorCount} validators`);
  }
  const signers: number[] = [];
  for (let i = 0; i < 8 * bitmap.length; i += 1) {
    if ((((bitmap[Math.floor(i / 8)] ?? 0) >> (i % 8)) & 1) === 1) signers.push(i);
  }
  if ((signers.at(-1) ?? 0) >= validatorCount) throw invalid('a bit stands for no validator');
  const signatures: unknown = value[3];
  if (!Array.isArray(signatures) || signatures.length !== signers.length) {
    throw invalid('bitmap and signatures differ in number');
  }
  if (signers.length !== quorumOf(validatorCount)) {
    throw invalid(`${signers.length} signatures where exactly ${quorumOf(validatorCount)} are demanded`);
  }
  for (const signature of signatures) {
    if (!(signature instanceof Uint8Array) || signature.length !== signatureBytes) {
      throw invalid('a signature is not 64 bytes');
    }
  }
  return { kind, subject, signers, signatures } as Certificate;
}

/**
 * The epoch that a certificate speaks of, before it is known how many validators that has. Refusals: as `decodeCertificate`.
 */
export function certificateEpoch(bytes: Uint8Array): number {
  const value = decodeCbor(bytes, { bytesMax: certificateBytesMax, depthMax: 3, itemsMax: validatorsMax + 16 });
  if (!Array.isArray(value)) throw invalid('it is not an array of 4');
  return readSubject(kindOf(value[0], invalid), value[1], invalid).epoch;
}

/** Exactly q ascending distinct signers of the list, and every signature verifies (ZIP 215). Never throws. */
export function verifyCertificate(
  certificate: Certificate,
  genesisHash: string,
  validators: readonly Validator[],
): boolean {
  const { signers, signatures } = certificate;
  if (signers.length !== quorumOf(validators.length) || signatures.length !== signers.length) return false;
  const message = voteBytes(certificate.kind, genesisHash, certificate.subject);
  let previous = -1;
  for (const [position, signer] of signers.entries()) {
    const validator = validators[signer];
    const signature = signatures[position];
    if (validator === undefined || signature === undefined || signer <= previous) return false;
    if (!verifyConsensus(message, signature, validator.vote)) return false;
    previous = signer;
  }
  return true;
}

function invalid(why: string): WeftError {
  return new WeftError('CERTIFICATE_INVALID', `Not a certificate: ${why}.`);
}
