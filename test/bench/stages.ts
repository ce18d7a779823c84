// Where the CPU of one validator goes, per transaction and stage, in one process and on one core: `node test/bench/stages.ts
// [--packets K] [--blocks B] [--size N]`. Counts CPU time and not the clock, so that what runs beside disturbs little; the
// network and RPC are not in it. Prints JSON: microseconds per transaction.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { PreparedTx } from '../../src/ledger/types.ts';
import { buildBlock as buildFromPool } from '../../src/node/builder.ts';
import { Mempool } from '../../src/node/mempool.ts';
import { decodeEnvelopes, encodeEnvelopes } from '../../src/node/wire.ts';
import { contextAfter, finalizationOf, genesisTime, makeGenesis, packetsTx, trusting } from '../ledger/fixtures.ts';

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '1' },
    blocks: { type: 'string', default: '40' },
    size: { type: 'string', default: '100' },
  },
});
const blocks = Number(values.blocks);
const size = Number(values.size);

const dir = mkdtempSync(join(tmpdir(), 'weft-stages-'));
const { genesis } = makeGenesis(4);
// Signatures cost the same everywhere and a thread of their own does them: counted apart, here they all hold.
const leader = await Ledger.open({ dir: join(dir, 'a'), genesis, verifier: trusting });
const follower = await Ledger.open({ dir: join(dir, 'b'), genesis, verifier: trusting });

const spent = new Map<string, number>();
async function stage<T>(name: string, counts: boolean, work: () => T | Promise<T>): Promise<T> {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  if (counts) spent.set(name, (spent.get(name) ?? 0) + user + system);
  return result;
}

const warm = Math.ceil(blocks / 3);
for (let n = 0; n < warm + blocks; n += 1) {
  const counts = n >= warm;
  const envelopes = Array.from({ length: size }, () =>
    packetsTx(genesis.chain, 'alice', { ids: Number(values.packets) }),
  );
  const batch = await stage('spread encode', counts, () => encodeEnvelopes(envelopes));
  const arrived = await stage('spread decode', counts, () =>
    decodeEnvelopes(batch, { bytesMax: 64 * 1024 * 1024, countMax: 65_535 }),
  );
  const time = genesisTime + 1000 + n;
  const enter = (ledger: Ledger, mempool: Mempool, prepared: readonly PreparedTx[]): void => {
    for (const each of prepared) {
      if (ledger.admissible(each, time) === undefined) mempool.add(each, 0, true);
    }
  };
  const mempool = new Mempool();
  const atFollower = new Mempool();
  const ready = (await stage('admission: decode and check', counts, () =>
    leader.prepare(envelopes, 'admission'),
  )) as PreparedTx[];
  await stage('admission: window, duplicates, mempool', counts, () => enter(leader, mempool, ready));
  enter(follower, atFollower, (await follower.prepare(arrived, 'admission')) as PreparedTx[]);
  const { epoch, finalized } = leader;
  const context = contextAfter({ header: finalized.header, nextEpoch: epoch }, time);
  const built = await stage('leader: build and execute', counts, () =>
    buildFromPool(leader, mempool, finalized.blockId, context, false, { buildBudgetMs: 60_000 }, () => 0),
  );
  if (built === undefined || built.transactions.length !== size) throw new Error('the block is not full');
  const checked = await stage('follower: check and execute', counts, () =>
    follower.check(built.headerBytes, built.body),
  );
  if (checked.verdict !== 'valid') throw new Error(checked.verdict);
  await stage('journal', counts, async () => {
    if (n === 0) return;
    follower.journal.appendBlock(built.blockId);
    await follower.journal.sync();
  });
  const certificate = finalizationOf(genesis, epoch, built);
  await stage('commit', counts, () => follower.commit(built.blockId, certificate));
  await leader.commit(built.blockId, certificate);
  if (n === 0) {
    const floor = { view: context.view, block: built.facts, certificate };
    await follower.journal.restart(epoch.epoch, [{ kind: 'floor', floor }]);
  }
}
const perTransaction = [...spent].map(([name, us]) => [name, Math.round(us / (blocks * size))] as const);
process.stdout.write(
  `${JSON.stringify({ transactionsPerBlock: size, packets: Number(values.packets), microsecondsPerTransaction: Object.fromEntries(perTransaction), sum: perTransaction.reduce((total, [, us]) => total + us, 0) }, null, 2)}\n`,
);
await leader.close();
await follower.close();
rmSync(dir, { recursive: true, force: true });
