import { WeftError } from '../codec/error.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import type { Sign, Verify } from './checkpoint.ts';
import { formatNote, type NoteSignature } from './note.ts';
import { algCosigner, type Vkey } from './vkey.ts';

const timestampBytes = 8;
const signatureBytes = 64;

/** What a cosigner signs: C2SP tlog-cosignature, Ed25519. `timeS`: seconds UTC. `text`: the checkpoint's three lines. */
export function cosignatureMessage(timeS: number, text: string): Uint8Array {
  return encodeUtf8(`cosignature/v1\ntime ${timeS}\n${text}`);
}

/** Throws COSIGNATURE_INVALID for a time that is not a whole number of seconds from 1 to 2^53−1. */
export function cosign(text: string, timeS: number, key: Vkey, sign: Sign): NoteSignature {
  if (!Number.isSafeInteger(timeS) || timeS < 1) {
    throw new WeftError('COSIGNATURE_INVALID', 'A cosignature carries whole seconds UTC.', { timeS });
  }
  const time = new Uint8Array(timestampBytes);
  new DataView(time.buffer).setBigUint64(0, BigInt(timeS));
  return { name: key.name, keyId: key.keyId, blob: concat(time, sign(cosignatureMessage(timeS, text))) };
}

/** Reads the blob `u64 BE seconds ‖ 64-byte signature`; undefined for another length or a time beyond 2^53−1. */
export function parseCosignature(
  blob: Uint8Array,
): { readonly timeS: number; readonly signature: Uint8Array } | undefined {
  if (blob.length !== timestampBytes + signatureBytes) return undefined;
  const timeS = Number(new DataView(blob.buffer, blob.byteOffset, blob.byteLength).getBigUint64(0));
  return Number.isSafeInteger(timeS) ? { timeS, signature: blob.subarray(timestampBytes) } : undefined;
}

/** The cosignature's time in seconds when it is by `key` over `text` and holds; else undefined. */
export function verifyCosignature(
  text: string,
  signature: NoteSignature,
  key: Vkey,
  verify: Verify,
): number | undefined {
  if (key.alg !== algCosigner || signature.name !== key.name || signature.keyId !== key.keyId) return undefined;
  const parsed = parseCosignature(signature.blob);
  if (parsed === undefined) return undefined;
  const { timeS, signature: bytes } = parsed;
  return verify(cosignatureMessage(timeS, text), bytes, key.publicKey) ? timeS : undefined;
}

/** How many of `cosigners` may lie: f = ⌊(n−1)/3⌋. */
export function faultsOf(cosigners: number): number {
  return Math.floor((cosigners - 1) / 3);
}

/** How many cosignatures make a checkpoint final: q = n − f. */
export function quorumOf(cosigners: number): number {
  return cosigners - faultsOf(cosigners);
}

/**
 * Milliseconds at which at least one honest cosigner had signed: 1000 × the (f+1)-th largest time of valid
 * cosignatures by distinct keys. `timesS`: at least f+1 of them (seconds); `cosigners`: n of the policy.
 */
export function checkpointTime(timesS: readonly number[], cosigners: number): number {
  const time = [...timesS].sort((a, b) => b - a)[faultsOf(cosigners)];
  if (time === undefined) {
    throw new WeftError('COSIGNATURE_INVALID', `${timesS.length} cosignatures of ${cosigners} cosigners date nothing.`);
  }
  return 1000 * time;
}

/**
 * The checkpoint as published: the node's own log line, then exactly `quorum` cosigner lines in policy order, the
 * newest of each key. Where more than `quorum` keys signed, the newest times win. `cosignatures` must have been
 * verified over `text`; those by keys that are not in `policy` are passed over. Undefined when too few are there.
 */
export function publishCheckpoint(options: {
  readonly text: string;
  readonly log: NoteSignature;
  readonly cosignatures: readonly NoteSignature[];
  /** Cosigner keys in policy order. */
  readonly policy: readonly Vkey[];
  readonly quorum: number;
}): string | undefined {
  const candidates: { readonly order: number; readonly timeS: number; readonly signature: NoteSignature }[] = [];
  for (const [order, key] of options.policy.entries()) {
    let newest: { timeS: number; signature: NoteSignature } | undefined;
    for (const signature of options.cosignatures) {
      if (signature.name !== key.name || signature.keyId !== key.keyId) continue;
      const timeS = parseCosignature(signature.blob)?.timeS;
      if (timeS !== undefined && (newest === undefined || timeS > newest.timeS)) newest = { timeS, signature };
    }
    if (newest !== undefined) candidates.push({ order, ...newest });
  }
  if (candidates.length < options.quorum) return undefined;
  const chosen = candidates
    .sort((a, b) => b.timeS - a.timeS || a.order - b.order)
    .slice(0, options.quorum)
    .sort((a, b) => a.order - b.order);
  return formatNote({ text: options.text, signatures: [options.log, ...chosen.map(({ signature }) => signature)] });
}
