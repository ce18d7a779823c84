// A validator that was away for so long that nobody holds its next block comes back by itself, though it is killed again and again
// on the way: while it downloads, while it loads, while one store takes the place of the other.
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { buildLongChain, snapshotPath } from '../bench/longChain.ts';
import { TestNetwork } from './network.ts';
import { seededRandom } from './random.ts';

const blocks = 500;
const spacingMs = 1000;
const time = Date.now() - (blocks + 60) * spacingMs;

t.test('from nothing to voting, killed on the way', { timeout: 180_000 }, async (t) => {
  const { seed, next } = seededRandom();
  t.comment(`seed ${seed}`);
  const network = await TestNetwork.make({ name: 'weft-absence', time, consensus: { maxTxLifetimeMs: 60_000 } });
  t.teardown(() => network.remove());
  const [absent = 'v4', ...others] = [...network.names].reverse();
  const dir = join(network.dir, 'chain');
  const snapshot = join(network.dir, 'chain.snapshot');
  const chain = await buildLongChain({ net: network.net, dir, blocks, time, spacingMs, snapshot, keepBlocks: 20 });
  for (const name of others) {
    cpSync(join(dir, 'store'), join(network.dataOf(name), 'store'), { recursive: true });
    cpSync(snapshot, snapshotPath(network.dataOf(name), chain.height));
    network.start(name);
  }
  await network.ready(others);
  for (let round = 0; round < 5; round += 1) {
    network.start(absent);
    await sleep(700 + 1800 * next());
    await network.signal(absent, 'SIGKILL');
  }
  network.start(absent);
  const [status] = await network.until(
    ([back]) => back?.notVoting === '' && !back.catchingUp && back.finalized.height >= blocks,
    { names: [absent] },
  );
  t.equal(status?.epoch, 3);
  t.ok((status?.retention?.fromHeight ?? 0) > 400, 'it began from a snapshot');
  t.notOk(existsSync(join(network.dataOf(absent), 'store-incoming.ready')));
  const answer = await network.client(absent).submitAndWait(await network.packet(), { allowRefused: true });
  t.equal(answer.status, 'finalized');
});
