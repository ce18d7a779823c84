// A validator that was away for a whole chain comes back by itself: by blocks, and when its peers have let go of them, from a
// snapshot. Four nodes in one process, on a chain that was made offline.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeTestnet, type Testnet } from '../../src/cli/testnet.ts';
import { loadConfig } from '../../src/node/config.ts';
import { type RunningNode, startNode } from '../../src/node/start.ts';
import { buildLongChain, type LongChain, snapshotPath } from '../bench/longChain.ts';
import { freeBase } from '../freePorts.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-absence-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

type Made = { readonly net: Testnet; readonly chain: LongChain };

/** A network of four whose first three hold a chain of `blocks`. */
async function made(name: string, blocks: number, keepBlocks?: number): Promise<Made> {
  const spacingMs = 1000;
  const time = Date.now() - (blocks + 60) * spacingMs;
  const net = await makeTestnet({
    dir: join(folder, name),
    name: 'weft-absence',
    passphrase: null,
    basePort: await freeBase(4),
    time,
    consensus: { maxTxLifetimeMs: 60_000 },
    config: { log: { level: 'info', file: 'node.log' }, rpc: { enabled: false } },
  });
  const dir = join(folder, name, 'chain');
  const snapshot = join(folder, `${name}.snapshot`);
  const chain = await buildLongChain({
    net,
    dir,
    blocks,
    time,
    spacingMs,
    snapshot,
    ...(keepBlocks === undefined ? {} : { keepBlocks }),
  });
  for (const { data } of net.validators.slice(0, 3)) {
    cpSync(join(dir, 'store'), join(data, 'store'), { recursive: true });
    if (keepBlocks !== undefined) cpSync(snapshot, snapshotPath(data, chain.height));
  }
  return { net, chain };
}

const running: RunningNode[] = [];
t.afterEach(async () => {
  await Promise.all(running.splice(0).map((node) => node.close()));
});

async function start({ net }: Made, index: number, more: { snapshot?: string | true } = {}): Promise<RunningNode> {
  const node = await startNode(loadConfig(net.validators[index]!.config), { passphrase: null, ...more });
  running.push(node);
  return node;
}

async function votes(node: RunningNode, height: number, net: Testnet): Promise<void> {
  for (let i = 0; i < 400; i += 1) {
    const { finalized, notVoting, catchingUp } = node.api.status();
    if (notVoting === '' && !catchingUp && finalized.height >= height) return;
    await sleep(50);
  }
  const log = readFileSync(join(net.validators[3]!.dir, 'node.log'), 'utf8').slice(-3000);
  throw new Error(`${JSON.stringify(node.api.status())}\n${log}`);
}

t.test('by blocks, across two epochs', { timeout: 60_000 }, async (t) => {
  const network = await made('blocks', 300);
  t.equal(network.chain.epoch, 3);
  for (const index of [0, 1, 2]) await start(network, index);
  const back = await start(network, 3);
  await votes(back, 300, network.net);
  const status = back.api.status();
  t.ok(status.finalized.height >= 300);
  t.equal(status.epoch, 3);
  t.strictSame(status.retention, { fromHeight: 1, fromEntry: 0, fromHash: 0 });
  t.equal(status.behind, 0);
});

t.test(
  'its peers hold no such blocks any more: from a snapshot, with nobody doing anything',
  { timeout: 60_000 },
  async (t) => {
    const network = await made('pruned', 400, 20);
    const peers = [await start(network, 0), await start(network, 1), await start(network, 2)];
    const fromHeight = peers[0]!.api.status().retention?.fromHeight ?? 0;
    t.ok(fromHeight > 300, `blocks from ${fromHeight} on`);
    t.throws(() => peers[0]!.api.block(7), { code: 'BLOCK_PRUNED' });
    const back = await start(network, 3);
    await votes(back, 400, network.net);
    const status = back.api.status();
    t.ok((status.retention?.fromHeight ?? 0) > 300);
    t.equal(status.epoch, 3);
    const { data } = network.net.validators[3]!;
    t.ok(existsSync(join(data, 'snapshots', '400.snapshot')), 'what it took it offers to others');
    t.notOk(existsSync(join(data, 'store-incoming')));
    t.throws(() => back.api.entry(3), { code: 'ENTRY_PRUNED' });
  },
);

t.test('told to begin from a snapshot: of its peers, or a file', { timeout: 60_000 }, async (t) => {
  const network = await made('told', 200, 1000);
  for (const index of [0, 1, 2]) await start(network, index);
  const back = await start(network, 3, { snapshot: true });
  await votes(back, 200, network.net);
  t.ok((back.api.status().retention?.fromHeight ?? 0) > 100, 'though its peers hold all blocks');
  await running.pop()?.close();
  rmSync(network.net.validators[3]!.data, { recursive: true });
  rmSync(`${network.net.validators[3]!.keys}.sign-state`, { force: true });
  const again = await start(network, 3, { snapshot: join(folder, 'told.snapshot') });
  t.ok(again.api.status().finalized.height >= 200, 'before it asks anybody');
  await votes(again, 200, network.net);
  await t.rejects(
    startNode(loadConfig(network.net.validators[3]!.config), { passphrase: null, snapshot: join(folder, 'no') }),
    {
      code: 'SNAPSHOT_UNREADABLE',
    },
  );
});
