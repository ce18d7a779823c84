// Many signatures on the thread that asks. Where there is a native verifier (native.ts) it is asked about the Ed25519 ones together:
// about each by libsodium's rule, or about all at once by the consensus rule. Only its "holds" is taken. What it does not show to
// hold is asked about one by one, exactly as without it.
import { nativeEd25519, verifyFast } from './ed25519.ts';
import { ALG_ED25519 } from './keyId.ts';
import { PLACE_WORDS, placedBytes, placeJobs, placeJobsInto } from './native.ts';
import { type VerifyJob, type VerifyRule, verifySignature } from './verify.ts';
import { isPackable, placePacked, unpackJobs } from './verifyBatch.ts';

/** Below that one by one is cheaper. */
const togetherMin = 6;
/** A bad signature costs its batch, and that every signature of it is asked about alone: half as much again as without batches. */
const togetherMax = 256;

/** Whether all hold by the consensus rule; ends soon after the first that does not. Never throws. */
export function allHold(jobs: readonly VerifyJob[]): boolean {
  for (let at = 0; at < jobs.length; at += togetherMax) {
    const part = jobs.slice(at, at + togetherMax);
    const shown = showTogether(part, 'consensus');
    if (!part.every((job, i) => shown[i] === 1 || verifySignature(job, 'consensus'))) return false;
  }
  return true;
}

/** Whether the native verifier shows at once that all hold by the consensus rule. "No" says nothing, also where they are few. Never throws. */
export function shownTogether(jobs: readonly VerifyJob[]): boolean {
  if (jobs.length < togetherMin || jobs.length > togetherMax) return false;
  return showTogether(jobs, 'consensus').every((shown) => shown === 1);
}

/** Whether each holds, in the order of `jobs`. Never throws. */
export function eachHolds(jobs: readonly VerifyJob[], rule: VerifyRule): boolean[] {
  const verdicts: boolean[] = [];
  for (let at = 0; at < jobs.length; at += togetherMax) {
    const part = jobs.slice(at, at + togetherMax);
    const shown = showTogether(part, rule);
    for (const [i, job] of part.entries()) verdicts.push(shown[i] === 1 || verifySignature(job, rule));
  }
  return verdicts;
}

/** Of one call about few, together with its bytes: room that is used again, as the call is over when it answers. */
const fewMax = 16;
const few = {
  bytes: new Uint8Array(16 * 1024),
  places: new Uint32Array(fewMax * PLACE_WORDS),
  verdicts: new Uint8Array(fewMax),
};

/**
 * Whether each of few Ed25519 jobs holds by libsodium's rule, in order. Asked about together they are a tenth cheaper, and one call.
 * Never throws.
 */
export function fewHold(jobs: readonly VerifyJob[]): boolean[] {
  const native = jobs.length > 1 ? nativeEd25519() : undefined;
  const together =
    native !== undefined && placeFew(jobs) && native.verifyMany(few.bytes, few.places, jobs.length, few.verdicts);
  const verdicts: boolean[] = [];
  for (let i = 0; i < jobs.length; i += 1) {
    const job = jobs[i];
    if (job === undefined) continue;
    verdicts.push(together ? few.verdicts[i] === 1 : verifyFast(job.message, job.signature, job.publicKey));
  }
  return verdicts;
}

/** False: they do not fit, or one is none that the library may be shown. */
function placeFew(jobs: readonly VerifyJob[]): boolean {
  if (jobs.length > fewMax || !jobs.every(isBatchable) || placedBytes(jobs) > few.bytes.length) return false;
  placeJobsInto(jobs, few.bytes, few.places);
  return true;
}

/**
 * The verdicts on the `count` jobs of a slab (packJob), at most `togetherMax`, which nobody writes meanwhile: 1 = holds.
 * `all`: the rest after the first that does not hold by the consensus rule is not looked at.
 */
export function verifyPacked(
  slab: Uint8Array,
  count: number,
  rule: VerifyRule,
  all: boolean,
  verdicts: Uint8Array,
): void {
  if (nativeEd25519() !== undefined && count >= togetherMin) {
    const { places, which } = placePacked(slab, count);
    show(slab, places, which, rule, verdicts);
    if (verdicts.subarray(0, count).every((verdict) => verdict === 1)) return;
  }
  for (const [i, job] of unpackJobs(slab, count).entries()) {
    if (verdicts[i] === 1) continue;
    if (verifySignature(job, rule)) verdicts[i] = 1;
    else if (all) return;
  }
}

/** 1 for what is shown to hold. */
function showTogether(jobs: readonly VerifyJob[], rule: VerifyRule): Uint8Array {
  const verdicts = new Uint8Array(jobs.length);
  if (nativeEd25519() === undefined || jobs.length < togetherMin) return verdicts;
  const which = [...jobs.keys()].filter((i) => isBatchable(jobs[i]));
  const { bytes, places } = placeJobs(which.flatMap((i) => jobs[i] ?? []));
  show(bytes, places, which, rule, verdicts);
  return verdicts;
}

function show(
  bytes: Uint8Array,
  places: Uint32Array,
  which: readonly number[],
  rule: VerifyRule,
  verdicts: Uint8Array,
): void {
  const native = nativeEd25519();
  const count = which.length;
  if (native === undefined || count < togetherMin || places.length < count * PLACE_WORDS) return;
  if (rule === 'fast') {
    const shown = new Uint8Array(count);
    if (!native.verifyMany(bytes, places, count, shown)) return;
    for (const [k, i] of which.entries()) verdicts[i] = shown[k] ?? 0;
  } else if (native.allHold(bytes, places, count)) {
    for (const i of which) verdicts[i] = 1;
  }
}

function isBatchable(job: VerifyJob | undefined): boolean {
  return job?.alg === ALG_ED25519 && isPackable(job);
}
