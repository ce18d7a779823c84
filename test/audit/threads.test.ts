// What threads find while the replay goes on is told as if it had been found in its place.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { auditArchive } from '../../src/audit/audit.ts';
import { LaterVerifier } from '../../src/audit/laterVerifier.ts';
import { UsedExactly } from '../../src/audit/usedExactly.ts';
import { WeftError } from '../../src/codec/error.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { ALG_ED25519 } from '../../src/crypto/keyId.ts';
import { eachHolds } from '../../src/crypto/verifyJobs.ts';
import { type VerifyJob, VerifyPool } from '../../src/crypto/verifyPool.ts';
import { makeBigArchive } from '../bench/bigArchive.ts';
import { itemsOf, sealItems } from './fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-audit-threads-'));
const pool = new VerifyPool({ workers: 2, inlineMax: 0 });
t.teardown(async () => {
  rmSync(folder, { recursive: true });
  await pool.close();
});

t.test('the first block with a forged signature is named, whatever was executed meanwhile', async (t) => {
  const file = join(folder, 'forged.weft');
  await makeBigArchive({ file, transactions: 2400, perBlock: 60, forged: [777, 778, 1900] });
  const alone = await auditArchive(file, { threads: 0 });
  t.match(alone, { ok: false, height: 12, transactions: 720, error: { code: 'SIGNATURE_INVALID', where: 'block 13' } });
  t.same(await auditArchive(file, { threads: 2, pool }), alone);

  // What is wrong further on is found first, and says nothing.
  const items = itemsOf(new Uint8Array(readFileSync(file)));
  items.at(-1)![2] += 1;
  const index = sealItems(items, { keepIndex: true });
  t.same(await auditArchive(index, { threads: 2, pool }), alone);
  const [, headers] = items.find(([kind, list]) => kind === 2 && list.length > 20)!;
  headers[20] = headers[19];
  const run = sealItems(items);
  t.match(await auditArchive(run, { threads: 0 }), { ok: false, error: { code: 'RUN_INVALID' } });
  t.same(await auditArchive(run, { threads: 2, pool }), await auditArchive(run, { threads: 0 }));
});

t.test('an honest file, and a damaged one', async (t) => {
  const file = join(folder, 'honest.weft');
  await makeBigArchive({ file, transactions: 1500, perBlock: 100 });
  const alone = await auditArchive(file, { threads: 0 });
  t.match(alone, { ok: true, transactions: 1500, height: 15 });
  t.same(await auditArchive(file, { threads: 2, pool }), alone);
  const bytes = readFileSync(file);
  for (const at of [3, 20, 200, Math.floor(bytes.length / 2), bytes.length - 40, bytes.length - 1]) {
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 4;
    writeFileSync(file, flipped);
    const report = await auditArchive(file, { threads: 2, pool });
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
  for (const trouble of [false, true]) {
    let block = 0;
    let asked = 0;
    const slow = {
      verifyMany: async (list: readonly VerifyJob[]) => {
        asked += 1;
        // The later ones answer first.
        await new Promise((resolve) => setTimeout(resolve, 30 / asked));
        if (trouble) throw new WeftError('VERIFY_FAILED', 'died');
        return eachHolds(list, 'consensus');
      },
    };
    const later = new LaterVerifier({ pool: slow, threads: 1, failure: () => block });
    for (const list of [jobs(3), [], jobs(600), [...jobs(2), bad()], jobs(300), [bad()], jobs(500)]) {
      block += 1;
      await later.verifyAll(list);
    }
    t.equal(await later.settled(), 4);
    t.equal(await later.verifyAll(jobs(1)), false, 'and nothing more is believed');
    const all = new LaterVerifier({ pool: slow, threads: 1, failure: () => 1 });
    t.equal(await all.verifyAll(jobs(20)), true);
    t.equal(await all.settled(), undefined);
  }
});

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
