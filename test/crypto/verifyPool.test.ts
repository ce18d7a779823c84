import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { fromHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { ed25519Signer, slowPathCount } from '../../src/crypto/ed25519.ts';
import { p256PublicKeyOf, signP256 } from '../../src/crypto/p256.ts';
import type { VerifyJob } from '../../src/crypto/verify.ts';
import { packedBytes, packJob, unpackJobs } from '../../src/crypto/verifyBatch.ts';
import { VerifyPool } from '../../src/crypto/verifyPool.ts';
import { type Ed25519Rule, vectors } from './vectors.ts';

const signer = ed25519Signer(new Uint8Array(32).fill(5));
const secret = new Uint8Array(32).fill(6);
const job = (i: number, valid = true): VerifyJob => {
  const message = encodeUtf8(`message ${i}`);
  const signature = signer.sign(valid ? message : encodeUtf8('other'));
  return { alg: 1, message, signature, publicKey: signer.publicKey };
};
const p256Job = (i: number, valid = true): VerifyJob => {
  const message = encodeUtf8(`message ${i}`);
  return {
    alg: 2,
    message,
    signature: signP256(valid ? message : encodeUtf8('other'), secret),
    publicKey: p256PublicKeyOf(secret),
  };
};
/** A signature that the rule accepts and libsodium refuses. */
const rare = (): VerifyJob => {
  const { honestKey } = vectors<Ed25519Rule>('ed25519-rule.json');
  const { message, publicKey, signature } = honestKey.find(({ name }) => name === 'R + [1]T')!;
  return { alg: 1, message: fromHex(message), publicKey: fromHex(publicKey), signature: fromHex(signature) };
};
const poolFor = (t: Test, options = {}): VerifyPool => {
  const pool = new VerifyPool({ inlineMax: 0, ...options });
  t.teardown(() => pool.close());
  return pool;
};

t.test('verdicts stand in the order of the jobs', async (t) => {
  const pool = poolFor(t);
  const jobs = Array.from({ length: 700 }, (_, i) => (i % 50 === 3 ? p256Job(i, i % 100 === 3) : job(i, i % 7 !== 0)));
  t.same(
    await pool.verifyMany(jobs),
    jobs.map((_, i) => (i % 50 === 3 ? i % 100 === 3 : i % 7 !== 0)),
  );
  t.equal(pool.pending, 0);
  t.same(await pool.verifyMany([]), []);
});

t.test('many small calls side by side, over two threads', async (t) => {
  const pool = poolFor(t, { workers: 2 });
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, i) =>
      pool.verifyMany([job(i), job(i, i % 3 === 0)], i % 5 === 0 ? 'consensus' : 'fast'),
    ),
  );
  t.ok(answers.every(([first, second], i) => first === true && second === (i % 3 === 0)));
  t.equal(pool.pending, 0);
});

t.test('the two rules are kept apart, and the slow path is counted over threads', async (t) => {
  const pool = poolFor(t);
  const inline = poolFor(t, { inlineMax: 1 });
  for (const one of [pool, inline]) {
    t.same(await one.verifyMany([rare()]), [false], 'admission refuses');
    const before = slowPathCount();
    t.same(await one.verifyMany([rare()], 'consensus'), [true], 'what decides about blocks accepts');
    t.equal(slowPathCount(), before + 1);
    t.equal(await one.verifyAll([job(1), rare(), job(2)]), true);
    t.equal(slowPathCount(), before + 2);
  }
});

t.test('verifyAll ends at the first that does not hold', async (t) => {
  const pool = poolFor(t);
  const jobs = Array.from({ length: 1_000 }, (_, i) => job(i, i < 10));
  const before = slowPathCount();
  t.equal(await pool.verifyAll(jobs), false);
  t.equal(slowPathCount(), before + 1, 'one of 990 was looked at');
  t.equal(pool.pending, 0);
  t.equal(await pool.verifyAll(jobs.slice(0, 10)), true);
  t.equal(await pool.verifyAll([]), true);
  t.same(
    await Promise.all([pool.verifyAll(jobs), pool.verifyMany(jobs.slice(0, 20)), pool.verifyAll(jobs.slice(0, 9))]),
    [false, jobs.slice(0, 20).map((_, i) => i < 10), true],
  );
});

t.test('one call never decides another', async (t) => {
  const pool = poolFor(t);
  const busy = pool.verifyMany(Array.from({ length: 200 }, (_, i) => job(i)));
  const answers = [
    pool.verifyAll([job(1, false)]),
    pool.verifyAll([job(2)]),
    pool.verifyAll([job(3, false), job(4)]),
    pool.verifyAll([job(5)]),
  ];
  t.same(await Promise.all(answers), [false, true, false, true]);
  t.ok((await busy).every((holds) => holds));
});

t.test('what waits behind a decided block check still gets its answer', async (t) => {
  const pool = poolFor(t);
  const bad = Array.from({ length: 1_000 }, (_, i) => job(i, i > 0));
  t.same(await Promise.all([pool.verifyAll(bad), pool.verifyMany([job(1), job(2, false)])]), [false, [true, false]]);
});

t.test('a thread that dies costs its calls, not the pool', async (t) => {
  let started = 0;
  const modules = {
    startWorker: (workerData: SharedArrayBuffer) => {
      started += 1;
      const dying = "Atomics.wait(new Int32Array(require('node:worker_threads').workerData, 0, 1), 0, 0);";
      if (started === 1) return new Worker(`${dying} throw new Error('struck');`, { eval: true, workerData });
      if (started === 2) return new Worker(`${dying} process.exit(3);`, { eval: true, workerData });
      return new Worker(new URL('../../src/crypto/verifyWorker.ts', import.meta.url), { workerData });
    },
  };
  const pool = new VerifyPool({ inlineMax: 0 }, modules);
  t.teardown(() => pool.close());
  const full = Array.from({ length: 256 }, (_, i) => job(i));
  const [first, second, third] = [pool.verifyMany(full), pool.verifyMany(full), pool.verifyMany(full)];
  await t.rejects(first, { code: 'VERIFY_FAILED', message: 'struck' });
  await t.rejects(second, { code: 'VERIFY_FAILED', message: 'exit code 3' });
  t.ok((await third).every((holds) => holds));
  t.equal(started, 3);
  t.equal(pool.pending, 0);
});

t.test('wrong lengths and algorithms are plain refusals', async (t) => {
  const pool = poolFor(t);
  const good = job(1);
  const bad: VerifyJob[] = [
    { ...good, signature: good.signature.slice(1) },
    { ...good, publicKey: new Uint8Array(33) },
    { ...good, publicKey: new Uint8Array(0) },
    { ...good, alg: 2 },
    { ...good, alg: 3 as 1 },
    { ...good, alg: 9 as 1 },
  ];
  t.same(await pool.verifyMany([...bad, good]), [...bad.map(() => false), true]);
  t.same(
    await pool.verifyMany(bad),
    bad.map(() => false),
  );
  t.equal(await pool.verifyAll([good, bad[0]!]), false);
  t.same(await poolFor(t, { inlineMax: 9 }).verifyMany([...bad, good]), [...bad.map(() => false), true]);
});

t.test('few are answered at once, unless they need a slower answer or something waits', async (t) => {
  const pool = poolFor(t, { inlineMax: 3 });
  t.same(pool.verifyNow([job(1), job(2, false), job(3)]), [true, false, true]);
  t.equal(pool.verifyNow([job(1), job(2), job(3), job(4)]), undefined, 'too many');
  t.equal(pool.verifyNow([job(1), p256Job(2)]), undefined, 'another curve');
  t.equal(pool.verifyNow([job(1), rare()], 'consensus'), undefined, 'the reference has to be asked');
  t.same(pool.verifyNow([job(1), rare()]), [true, false]);
  const running = pool.verifyMany(Array.from({ length: 20 }, (_, i) => job(i)));
  t.equal(pool.verifyNow([job(1)]), undefined, 'others came first');
  await running;
  t.same(pool.verifyNow([job(1)]), [true]);
  await pool.close();
  t.equal(pool.verifyNow([job(1)]), undefined, 'verifyMany says that it is closed');
});

t.test('the queue is bounded and says so', async (t) => {
  const pool = poolFor(t, { jobsMax: 100, bytesMax: 1_000 });
  const jobs = Array.from({ length: 60 }, (_, i) => job(i));
  const running = pool.verifyMany(jobs);
  t.equal(await pool.verifyMany(jobs).catch(codeOf), 'VERIFY_QUEUE_FULL');
  t.equal(await pool.verifyMany([{ ...job(1), message: new Uint8Array(1_000) }]).catch(codeOf), 'VERIFY_QUEUE_FULL');
  t.ok((await running).every((holds) => holds));
  t.ok(
    (await pool.verifyMany(jobs)).every((holds) => holds),
    'the place was given back',
  );
  t.throws(() => new VerifyPool({ workers: 0 }), { code: 'VERIFY_OPTIONS' });
});

t.test('close lets what runs end and refuses the rest', async (t) => {
  const pool = new VerifyPool({ inlineMax: 0 });
  const jobs = Array.from({ length: 256 }, (_, i) => job(i));
  const running = pool.verifyMany(jobs);
  const waiting = pool.verifyMany(jobs).catch(codeOf);
  await pool.close();
  t.equal((await running).length, 256);
  t.equal(await waiting, 'VERIFY_POOL_CLOSED');
  t.equal(await pool.verifyMany(jobs).catch(codeOf), 'VERIFY_POOL_CLOSED');
  t.equal(pool.pending, 0);
  await pool.close();
});

t.test('an idle pool does not keep the process alive', async (t) => {
  const script = `
    import { VerifyPool } from ${JSON.stringify(join(import.meta.dirname, '../../src/crypto/verifyPool.ts'))};
    const pool = new VerifyPool({ inlineMax: 0 });
    const job = { alg: 1, message: new Uint8Array(1), signature: new Uint8Array(64), publicKey: new Uint8Array(32) };
    console.log(JSON.stringify(await pool.verifyMany([job, job])));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  t.equal(output.trim(), '[false,false]');
});

t.test('what a thread reads is what was packed', async (t) => {
  const jobs = [
    job(1),
    p256Job(2),
    { ...job(3), message: new Uint8Array(0) },
    { ...job(4), message: new Uint8Array(70_000).fill(7) },
  ];
  const slab = new Uint8Array(jobs.reduce((sum, each) => sum + packedBytes(each), 0)).fill(255);
  const end = jobs.reduce((at, each) => packJob(slab, at, each), 0);
  t.equal(end, slab.length);
  t.same(unpackJobs(slab, jobs.length), jobs);
  t.same(unpackJobs(slab, 0), []);
  packJob(slab, 0, { ...job(1), publicKey: new Uint8Array(33) });
  t.match(unpackJobs(slab, 1), [{ alg: 0 }], 'what holds under no rule stays so');
});

t.test('batches are cut where the slab ends, and larger messages are refused', async (t) => {
  const pool = poolFor(t);
  const message = (i: number): Uint8Array => new Uint8Array(33_000).fill(i);
  const jobs = Array.from({ length: 40 }, (_, i) => ({
    ...job(i),
    message: message(i),
    signature: signer.sign(message(i % 9 === 4 ? i + 1 : i)),
  }));
  const expected = jobs.map((_, i) => i % 9 !== 4);
  t.same(await Promise.all([pool.verifyMany(jobs), pool.verifyMany(jobs, 'consensus'), pool.verifyAll(jobs)]), [
    expected,
    expected,
    false,
  ]);
  t.equal(await pool.verifyMany([{ ...job(1), message: new Uint8Array(300_000) }]).catch(codeOf), 'VERIFY_TOO_LARGE');
  t.equal(pool.pending, 0);
});

t.test('calls that come one after the other are all answered, however they are gathered', async (t) => {
  const pool = poolFor(t);
  for (let i = 0; i < 30; i += 1) {
    t.same(await pool.verifyMany([job(i), job(i, i % 2 === 0)]), [true, i % 2 === 0]);
    if (i % 5 === 0) t.equal(await pool.verifyAll([job(i), job(i, i % 10 === 0)]), i % 10 === 0);
  }
});
