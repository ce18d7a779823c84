// What a native verifier must answer before it is used: one case of each kind of `ed25519-rule.json` (test/vectors/crypto), for
// a library that was built from other sources, by a compiler with a defect, or for another machine.
import { fromHex } from '../codec/hex.ts';
import { ALG_ED25519 } from './keyId.ts';
import type { NativeEd25519 } from './native.ts';
import { placeJobs } from './native.ts';
import type { VerifyJob } from './verify.ts';

/** Name, ZIP 215's verdict, libsodium's, message, key, signature (hex). */
const cases: readonly (readonly [string, boolean, boolean, string, string, string])[] = [
  [
    'honest',
    true,
    true,
    '616e20686f6e657374206b6579',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    'b873d4aa8829374c42aab5e66b38b0e941d4b9a1bba393ce94023f7bf754a448e510879071eaf5d9b8115351f6b64b369975e9f643ceae4f6e4ffd31bfc19b06',
  ],
  [
    '3: mixed A, mixed R, torsion cancels',
    true,
    true,
    '33203335',
    '91de62d38973c765dd966ba3992e1e010c02cea9e39cd0486d0b138f2e65c384',
    'd2983ece35aee8dd680d292e08a0c5bc29db9b49935633e754cdbbef53dd8853c6b4ee65b41aa64e066d4fa521366b7a467b5abf618988e75e27cd076414e50f',
  ],
  [
    'R + [1]T',
    true,
    false,
    '616e20686f6e657374206b6579',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    'd2983ece35aee8dd680d292e08a0c5bc29db9b49935633e754cdbbef53dd8853de5ae51ff6b9c746f26e166a5bad9c3871043033f03b0fef9e3c3160be76070f',
  ],
  [
    'R + [4]T',
    true,
    false,
    '616e20686f6e657374206b6579',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    '358c2b5577d6c8b3bd554a1994c74f16be2b465e445c6c316bfdc08408ab5bb75ebf2604d11d9512147dfceacd9c543b6ca6b107984f5a08078846848b407d0a',
  ],
  [
    'R = identity, y = p + 1, sign bit set',
    true,
    false,
    '616e20686f6e657374206b6579',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff5b1cc3bff02ed9091f444ac678ae8be4aec20f0c11524ded018a2cb2b2d0860f',
  ],
  [
    '1: small A, mixed R',
    true,
    false,
    '312032',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'd2983ece35aee8dd680d292e08a0c5bc29db9b49935633e754cdbbef53dd8853ad17623af49fecb4815cb0f1ba1ce8abc3aeebf580ecdc415fd1e78e3c828008',
  ],
  [
    '4: mixed A, mixed R, torsion stays: cofactored only',
    true,
    false,
    '342034',
    '91de62d38973c765dd966ba3992e1e010c02cea9e39cd0486d0b138f2e65c384',
    'd2983ece35aee8dd680d292e08a0c5bc29db9b49935633e754cdbbef53dd885375e25b0624ae5387db20ba61ca31332712f1ae34b55d5539fa29f562f8a1a70c',
  ],
  [
    '11: non-canonical small A, hashed as it stands',
    true,
    false,
    '3131203132',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '5c6f03d950fa196187c53c0393eb6c445f4080fc75d1f56fec52715095f6b4cdad17623af49fecb4815cb0f1ba1ce8abc3aeebf580ecdc415fd1e78e3c828008',
  ],
  [
    '6: S + L',
    false,
    false,
    '36',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    'b873d4aa8829374c42aab5e66b38b0e941d4b9a1bba393ce94023f7bf754a448c123693c84e445503547e4e20f9df04f47773915f0df383ab457d45313e4001a',
  ],
  [
    '7: S + 15 L, top bits set',
    false,
    false,
    '36',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    'b873d4aa8829374c42aab5e66b38b0e941d4b9a1bba393ce94023f7bf754a448b7bada51f54f4721eeda6ecc3c47227448773915f0df383ab457d45313e400fa',
  ],
  [
    '8: non-canonical R, hashed in canonical form',
    false,
    false,
    '382032',
    '91de62d38973c765dd966ba3992e1e010c02cea9e39cd0486d0b138f2e65c384',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f88dd43ed382d51f98061e5d5c9d7c4094fe7ddeac2df388ae240206c9639a70c',
  ],
  [
    'S off by one',
    false,
    false,
    '616e20686f6e657374206b6579',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    'b873d4aa8829374c42aab5e66b38b0e941d4b9a1bba393ce94023f7bf754a448e610879071eaf5d9b8115351f6b64b369975e9f643ceae4f6e4ffd31bfc19b06',
  ],
  [
    'S = L',
    false,
    false,
    '616e20686f6e657374206b6579',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    'b873d4aa8829374c42aab5e66b38b0e941d4b9a1bba393ce94023f7bf754a448edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010',
  ],
  [
    'another message',
    false,
    false,
    '616e6f74686572',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    'b873d4aa8829374c42aab5e66b38b0e941d4b9a1bba393ce94023f7bf754a448e510879071eaf5d9b8115351f6b64b369975e9f643ceae4f6e4ffd31bfc19b06',
  ],
  [
    'R is no point',
    false,
    false,
    '616e20686f6e657374206b6579',
    'dc95e1910d057f637f5e07deb04bb1f25f20369b26dba765e0f1dfd62368a883',
    '0200000000000000000000000000000000000000000000000000000000000000e510879071eaf5d9b8115351f6b64b369975e9f643ceae4f6e4ffd31bfc19b06',
  ],
  [
    'A is no point',
    false,
    false,
    '616e20686f6e657374206b6579',
    '0200000000000000000000000000000000000000000000000000000000000000',
    'b873d4aa8829374c42aab5e66b38b0e941d4b9a1bba393ce94023f7bf754a448e510879071eaf5d9b8115351f6b64b369975e9f643ceae4f6e4ffd31bfc19b06',
  ],
];

/** The first question that it answers wrongly; undefined: none. */
export function selfTest(native: NativeEd25519): string | undefined {
  const jobs: VerifyJob[] = cases.map(([, , , message, publicKey, signature]) => ({
    alg: ALG_ED25519,
    message: fromHex(message),
    publicKey: fromHex(publicKey),
    signature: fromHex(signature),
  }));
  const { bytes, places } = placeJobs(jobs);
  const verdicts = new Uint8Array(jobs.length).fill(2);
  if (!native.verifyMany(bytes, places, jobs.length, verdicts)) return 'its self-test was not answered';
  for (const [i, [name, zip215, libsodium]] of cases.entries()) {
    const [job, good] = [jobs[i], jobs[0]];
    if (job === undefined || good === undefined) continue;
    // In company of seven that hold, so that it is answered as part of a batch.
    const alone = placeJobs([good, good, good, good, good, good, good, job]);
    const right =
      native.verify(job.message, job.signature, job.publicKey) === libsodium &&
      verdicts[i] === (libsodium ? 1 : 0) &&
      native.allHold(alone.bytes, alone.places, 8) === zip215;
    if (!right) return `it fails its self-test: ${name}`;
  }
  return undefined;
}
