// The verifier in Rust (src/crypto/batch), built here once for each state of its sources; skipped without cargo. Whatever it
// answers, the present verifier answers too: libsodium about one signature, the reference about many at once.
// CASES=100000 node test/crypto/native.test.ts compares more.
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { buildNative } from '../../scripts/nativeBuild.ts';
import { fromHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import {
  ed25519Signer,
  publicKeyOf,
  sign,
  startNative,
  stopNative,
  verifyConsensus,
  verifyFast,
} from '../../src/crypto/ed25519.ts';
import { ALG_ED25519, ALG_P256 } from '../../src/crypto/keyId.ts';
import { loadNative, type NativeEd25519, placeJobs } from '../../src/crypto/native.ts';
import { selfTest } from '../../src/crypto/nativeSelfTest.ts';
import { verifyReference } from '../../src/crypto/reference.ts';
import { sodium } from '../../src/crypto/sodium.ts';
import type { VerifyJob } from '../../src/crypto/verify.ts';
import { packJob } from '../../src/crypto/verifyBatch.ts';
import { allHold, eachHolds, fewHold, verifyPacked } from '../../src/crypto/verifyJobs.ts';
import { type Ed25519Rule, vectors, type WycheproofGroup } from './vectors.ts';

const built = buildNative();
const skip = 'skipped' in built ? built.skipped : false;
const file = 'skipped' in built ? '' : built.file;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

function library(): NativeEd25519 {
  const loaded = loadNative(file);
  if (typeof loaded === 'string') throw new Error(loaded);
  return loaded;
}

function job(message: Uint8Array, publicKey: Uint8Array, signature: Uint8Array): VerifyJob {
  return { alg: ALG_ED25519, message, publicKey, signature };
}

/** As libsodium, which decides nothing else here: not `verifyFast`, which may be native. */
function bySodium({ message, signature, publicKey }: VerifyJob): boolean {
  return sodium.crypto_sign_verify_detached(signature, message, publicKey);
}

function oneByOne(native: NativeEd25519, jobs: readonly VerifyJob[]): boolean[] {
  return jobs.map(({ message, signature, publicKey }) => native.verify(message, signature, publicKey));
}

function many(native: NativeEd25519, jobs: readonly VerifyJob[]): boolean[] {
  const { bytes, places } = placeJobs(jobs);
  const verdicts = new Uint8Array(jobs.length).fill(2);
  if (!native.verifyMany(bytes, places, jobs.length, verdicts)) throw new Error('not answered');
  return [...verdicts].map((verdict) => verdict === 1);
}

function together(native: NativeEd25519, jobs: readonly VerifyJob[]): boolean {
  const { bytes, places } = placeJobs(jobs);
  return native.allHold(bytes, places, jobs.length);
}

function honest(count: number, keys = 3): VerifyJob[] {
  return Array.from({ length: count }, (_, i) => {
    const seed = new Uint8Array(32).fill(1 + (i % keys));
    const message = encodeUtf8(`honest ${i}`.repeat(1 + (i % 60)));
    return job(message, publicKeyOf(seed), sign(message, seed));
  });
}

const toJob = (c: { message: string; publicKey: string; signature: string }): VerifyJob =>
  job(fromHex(c.message), fromHex(c.publicKey), fromHex(c.signature));

t.test('the vectors of the rule: alone, in a row, and in company', { skip }, async (t) => {
  const native = library();
  const rule = vectors<Ed25519Rule>('ed25519-rule.json');
  const cases = [...rule.speccheck, ...rule.honestKey, ...rule.smallOrder];
  const jobs = cases.map(toJob);
  const wanted = cases.map(({ libsodium }) => libsodium);
  t.same(oneByOne(native, jobs), wanted, 'libsodium, alone');
  t.same(many(native, jobs), wanted, 'libsodium, in a row');
  const company = honest(7);
  for (const [i, { name, zip215 }] of cases.entries()) {
    if (together(native, [jobs[i]!]) !== zip215) t.fail(`${name}: alone in a batch`);
    if (together(native, [...company, jobs[i]!]) !== zip215) t.fail(`${name}: in a batch`);
  }
  const accepted = jobs.filter((_, i) => cases[i]!.zip215);
  t.ok(accepted.length > 200 && together(native, accepted), 'all that the rule accepts, at once');
});

t.test('Wycheproof: as libsodium and the reference', { skip }, async (t) => {
  const native = library();
  const jobs = vectors<WycheproofGroup[]>('wycheproof-ed25519.json')
    .flatMap(({ publicKey, tests }) => tests.map(({ message, signature }) => toJob({ message, publicKey, signature })))
    .filter(({ signature }) => signature.length === 64);
  t.ok(jobs.length > 100);
  t.same(many(native, jobs), jobs.map(bySodium));
  t.same(
    jobs.map((job) => together(native, [job])),
    jobs.map(({ message, signature, publicKey }) => verifyReference(message, signature, publicKey)),
  );
});

t.test(
  'random and changed signatures: the same answers as libsodium, and in batches as the reference',
  { skip },
  async (t) => {
    const native = library();
    const total = Number(process.env['CASES'] ?? 20_000);
    const signers = Array.from({ length: 40 }, () => ed25519Signer(new Uint8Array(randomBytes(32))));
    let held = 0;
    for (let done = 0; done < total; ) {
      const jobs: VerifyJob[] = [];
      while (jobs.length < 200) {
        const signer = signers[randomInt(signers.length)]!;
        const message = new Uint8Array(randomBytes(randomInt(600)));
        const signed = job(message, signer.publicKey, signer.sign(message));
        jobs.push(signed, ...Array.from({ length: 9 }, () => changed(signed)));
      }
      const wanted = jobs.map(bySodium);
      const found = many(native, jobs);
      const differs = wanted.findIndex((verdict, i) => verdict !== found[i]);
      if (differs !== -1) t.same(jobs[differs], wanted[differs], 'libsodium and the library differ');
      held += wanted.filter((verdict) => verdict).length;
      const good = jobs.filter((_, i) => wanted[i]);
      if (!together(native, good)) t.fail('signatures that libsodium accepts, at once');
      // The reference is slow: about a few of them.
      const some = jobs[randomInt(jobs.length)]!;
      const reference = verifyReference(some.message, some.signature, some.publicKey);
      if (together(native, [...good, some]) !== reference)
        t.same(some, reference, 'the batch and the reference differ');
      done += jobs.length;
    }
    t.ok(held >= total / 10 && held < total / 2, `${held} of ${total} hold`);
  },
);

/** One bit, byte or part otherwise; seldom nothing. */
function changed(from: VerifyJob): VerifyJob {
  const [message, publicKey, signature] = [from.message.slice(), from.publicKey.slice(), from.signature.slice()];
  const part = [message, publicKey, signature, signature][randomInt(4)]!;
  const kind = randomInt(4);
  if (kind === 0 && part.length > 0) part[randomInt(part.length)]! ^= 1 << randomInt(8);
  else if (kind === 1) signature.set(randomBytes(32), 32 * randomInt(2));
  else if (kind === 2) signature.set(plus(signature.subarray(32), BigInt(randomInt(16)) * L), 32);
  else publicKey.set(randomBytes(32));
  return job(message, publicKey, signature);
}

function plus(little: Uint8Array, more: bigint): Uint8Array {
  const sum = BigInt(`0x${Buffer.from(little).reverse().toString('hex')}`) + more;
  return new Uint8Array(Buffer.from((sum % 2n ** 256n).toString(16).padStart(64, '0'), 'hex').reverse());
}

t.test('two bad signatures that cancel each other are refused', { skip }, async (t) => {
  const native = library();
  const jobs = honest(8);
  const off = (i: number, by: bigint): VerifyJob => {
    const { message, publicKey, signature } = jobs[i]!;
    const moved = signature.slice();
    moved.set(plus(signature.subarray(32), by), 32);
    return job(message, publicKey, moved);
  };
  // S + 1 and S - 1: with coefficients that are known or equal, their errors would add up to nothing.
  for (let round = 0; round < 20; round += 1) t.notOk(together(native, [...jobs, off(0, 1n), off(1, -1n)]), 'both');
  t.ok(together(native, jobs));
});

t.test('a question about memory outside, and one with too few places, is refused', { skip }, async (t) => {
  const native = library();
  const { bytes, places } = placeJobs(honest(2));
  const verdicts = new Uint8Array(2);
  for (const [at, value] of [
    [0, bytes.length - 31],
    [1, bytes.length - 63],
    [2, bytes.length],
    [3, 2 ** 32 - 1],
  ] as const) {
    const wrong = places.slice();
    wrong[at] = value;
    t.notOk(native.verifyMany(bytes, wrong, 2, verdicts));
    t.notOk(native.allHold(bytes, wrong, 2));
  }
  t.same(verdicts, new Uint8Array(2), 'nothing was written');
  t.notOk(native.verifyMany(bytes, places, 3, new Uint8Array(3)));
  t.notOk(native.verifyMany(bytes, places, 2, new Uint8Array(1)));
  t.notOk(native.allHold(bytes, places, 3));
  t.ok(native.verifyMany(bytes, places, 2, verdicts));
});

t.test(
  'a node with it and one without give the same answers, batches with bad ones and P-256 included',
  { skip },
  async (t) => {
    const rule = vectors<Ed25519Rule>('ed25519-rule.json');
    const odd = [...rule.speccheck, ...rule.honestKey].map(toJob);
    const short = job(new Uint8Array(1), new Uint8Array(31), new Uint8Array(64));
    const otherCurve: VerifyJob = {
      alg: ALG_P256,
      message: new Uint8Array(3),
      publicKey: new Uint8Array(33).fill(2),
      signature: new Uint8Array(64).fill(1),
    };
    const lists = [
      honest(300),
      [...honest(20), ...odd, short, otherCurve],
      [...honest(300), odd[6]!],
      odd.slice(0, 5),
      honest(3),
      [otherCurve],
      [],
    ];
    const answers = (): unknown =>
      lists.map((jobs) => {
        const slab = new Uint8Array(1 << 20);
        const packed = (['fast', 'consensus'] as const).map((rule) => {
          const verdicts = new Uint8Array(256);
          let at = 0;
          for (const job of jobs.slice(0, 256)) at = packJob(slab, at, job);
          verifyPacked(slab, Math.min(256, jobs.length), rule, false, verdicts);
          return [...verdicts];
        });
        const plain = jobs.filter(({ alg }) => alg === ALG_ED25519);
        const few = [1, 2, 3, 8, 16, 17].map((count) => fewHold(plain.slice(-count)));
        const large = fewHold([...honest(2), { ...honest(1)[0]!, message: new Uint8Array(20_000) }]);
        return {
          fast: eachHolds(jobs, 'fast'),
          consensus: eachHolds(jobs, 'consensus'),
          all: allHold(jobs),
          packed,
          few,
          large,
        };
      });
    stopNative();
    const without = answers();
    t.type(startNative(file), 'object');
    t.teardown(stopNative);
    const [good, bad] = [honest(1)[0]!, odd[6]!];
    t.ok(verifyFast(good.message, good.signature, good.publicKey));
    t.notOk(verifyConsensus(bad.message, bad.signature, bad.publicKey));
    t.same(answers(), without);
  },
);

t.test('what is not there, is no library, or answers wrongly is not used', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-native-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  t.equal(loadNative(join(folder, 'none.so')), 'not built');
  const text = join(folder, 'text.so');
  writeFileSync(text, 'no library');
  t.type(loadNative(text), 'string');
  stopNative();
  t.type(startNative(text), 'string', 'and libsodium stays');
  const [good] = honest(1);
  t.ok(verifyFast(good!.message, good!.signature, good!.publicKey));
  const yes = {
    file: '',
    verify: () => true,
    verifyMany: (_b: unknown, _p: unknown, _c: number, v: Uint8Array) => v.fill(1) !== null,
    allHold: () => true,
  };
  t.match(selfTest(yes), /fails its self-test/);
  t.match(selfTest({ ...yes, verify: () => false }), /fails its self-test/);
  t.match(selfTest({ ...yes, verifyMany: () => false }), /not answered/);
});
