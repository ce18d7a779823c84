// What threads find while the replay goes on is told as if it had been found in its place.
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { auditArchive } from '../../src/audit/audit.ts';
import type { BatchRing } from '../../src/audit/batchRing.ts';
import { LaterVerifier } from '../../src/audit/laterVerifier.ts';
import { UsedExactly } from '../../src/audit/usedExactly.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { ALG_ED25519 } from '../../src/crypto/keyId.ts';
import type { VerifyJob } from '../../src/crypto/verifyPool.ts';
import { makeBigArchive } from '../bench/bigArchive.ts';
import { itemsOf, sealItems, turnsThread } from './fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-audit-threads-'));
t.teardown(() => rmSync(folder, { recursive: true }));

t.test('the first block with a forged signature is named, whatever was executed meanwhile', async (t) => {
  const file = join(folder, 'forged.weft');
  await makeBigArchive({ file, transactions: 2400, perBlock: 60, forged: [777, 778, 1900] });
  const alone = await auditArchive(file, { threads: 0 });
  t.match(alone, { ok: false, height: 12, transactions: 720, error: { code: 'SIGNATURE_INVALID', where: 'block 13' } });
  t.same(await auditArchive(file, { threads: 2 }), alone);

  // What is wrong further on is found first, and says nothing.
  const items = itemsOf(new Uint8Array(readFileSync(file)));
  items.at(-1)![2] += 1;
  const index = sealItems(items, { keepIndex: true });
  t.same(await auditArchive(index, { threads: 2 }), alone);
  const [, headers] = items.find(([kind, list]) => kind === 2 && list.length > 20)!;
  headers[20] = headers[19];
  const run = sealItems(items);
  t.match(await auditArchive(run, { threads: 0 }), { ok: false, error: { code: 'RUN_INVALID' } });
  t.same(await auditArchive(run, { threads: 2 }), await auditArchive(run, { threads: 0 }));
});

t.test('an honest file, and a damaged one', async (t) => {
  const file = join(folder, 'honest.weft');
  await makeBigArchive({ file, transactions: 1500, perBlock: 100 });
  const alone = await auditArchive(file, { threads: 0 });
  t.match(alone, { ok: true, transactions: 1500, height: 15 });
  t.same(await auditArchive(file, { threads: 2 }), alone);
  const bytes = readFileSync(file);
  for (const at of [3, 20, 200, Math.floor(bytes.length / 2), bytes.length - 40, bytes.length - 1]) {
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 4;
    writeFileSync(file, flipped);
    const report = await auditArchive(file, { threads: 2 });
    t.match(report, { ok: false, height: 0, chain: undefined, error: { code: 'ARCHIVE_CORRUPT', where: 'file' } });
  }
  await t.rejects(auditArchive(join(folder, 'none.weft')), { code: 'ENOENT' });
});

function jobs(count: number): VerifyJob[] {
  const seed = new Uint8Array(32).fill(9);
  const message = new Uint8Array(40);
  return Array.from({ length: count }, () => ({
    alg: ALG_ED25519,
    message,
    publicKey: publicKeyOf(seed),
    signature: sign(message, seed),
  }));
}

const bad = (): VerifyJob => ({ ...jobs(1)[0]!, message: new Uint8Array(41) });

t.test('blocks of any size, and threads that die', async (t) => {
  const lists = [jobs(3), [], jobs(600), [...jobs(2), bad()], jobs(5000), [bad()], jobs(500)];
  for (const [batches, silent] of [
    [1000, false],
    [3, false],
    [3, true],
    [0, true],
  ] as const) {
    let block = 0;
    const startThread = (ring: BatchRing) => turnsThread(ring, batches, silent);
    const later = new LaterVerifier({ threads: 1, startThread, failure: () => block });
    for (const list of lists) {
      block += 1;
      await later.verifyAll(list);
    }
    t.equal(await later.settled(), 4);
    t.equal(await later.verifyAll(jobs(1)), false, 'and nothing more is believed');
    await later.close();
    const all = new LaterVerifier({ threads: 1, startThread, failure: () => 1 });
    t.equal(await all.verifyAll(jobs(3000)), true);
    t.equal(await all.settled(), undefined);
    await all.close();
  }
});

t.test('a batch that was taken and never answered is checked by the one that asks', async (t) => {
  for (const forged of [false, true]) {
    const thread = new EventEmitter();
    const startThread = (ring: BatchRing) => {
      ring.checkNext = () => false;
      return thread;
    };
    const later = new LaterVerifier({ threads: 1, startThread, failure: () => 'block' });
    await later.verifyAll(forged ? [...jobs(200), bad(), ...jobs(99)] : jobs(300));
    setTimeout(() => {
      thread.emit('error', new Error('died'));
      thread.emit('exit');
    }, 20);
    t.equal(await later.settled(), forged ? 'block' : undefined);
    await later.close();
  }
});

t.test(
  'jobs of any length: a batch ends where its slab does, and what fits no slab is checked in its place',
  async (t) => {
    const seed = new Uint8Array(32).fill(9);
    const long = (bytes: number, valid = true): VerifyJob => {
      const message = new Uint8Array(bytes);
      const signature = sign(message, seed);
      if (!valid) message[0] = 1;
      return { alg: ALG_ED25519, message, publicKey: publicKeyOf(seed), signature };
    };
    for (const [list, expected] of [
      [[long(300_000), long(40_000), long(300_000)], undefined],
      [Array.from({ length: 40 }, () => long(48_000)), undefined],
      [[long(10), long(300_000, false), ...jobs(300)], 1],
      [[long(10, false), long(300_000)], 1],
      [[...Array.from({ length: 30 }, () => long(48_000)), long(48_000, false)], 1],
    ] as const) {
      let block = 0;
      const later = new LaterVerifier({ threads: 1, failure: () => block });
      for (const each of [jobs(3), list, [bad()]]) {
        await later.verifyAll(each);
        block += 1;
      }
      t.equal(await later.settled(), expected ?? 2);
      await later.close();
    }
  },
);

t.test('used ids: exact, and forgotten when they are over', async (t) => {
  const used = new UsedExactly();
  const ids = Array.from({ length: 5000 }, (_, i) => sha256Hex(new TextEncoder().encode(String(i))));
  for (const [i, id] of ids.entries()) used.add(id, 1_000_000 + i * 20);
  t.ok(ids.every((id, i) => used.mayHold(id, 1_000_000 + i * 20)));
  // All but the last digit alike.
  t.notOk(ids.some((id, i) => used.mayHold(`${id.slice(0, 63)}${id[63] === '0' ? '1' : '0'}`, 1_000_000 + i * 20)));
  used.passed(1_060_000);
  t.notOk(used.mayHold(ids[0]!, 1_000_000));
  t.ok(used.mayHold(ids[4999]!, 1_000_000 + 4999 * 20));
  used.add(ids[0]!, 1_000_000);
  t.notOk(used.mayHold(ids[0]!, 1_000_000), 'nor taken again');
});
