// Pruning that is switched on later, in a node that has run without it for a while.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { loadConfig } from '../../src/node/config.ts';
import { startNode } from '../../src/node/start.ts';
import { buildLongChain, snapshotPath } from '../bench/longChain.ts';
import { freeBase } from '../freePorts.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-pruner-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

t.test('a node lets go of what its configuration no longer asks it to keep', { timeout: 60_000 }, async (t) => {
  const blocks = 300;
  const time = Date.now() - (blocks + 60) * 1000;
  const net = await makeTestnet({
    dir: join(folder, 'net'),
    name: 'weft-pruner',
    validators: 1,
    passphrase: null,
    basePort: await freeBase(1),
    time,
    consensus: { maxTxLifetimeMs: 60_000 },
    config: { log: { level: 'silent' }, rpc: { enabled: false } },
  });
  const dir = join(folder, 'chain');
  const snapshot = join(folder, 'chain.snapshot');
  const chain = await buildLongChain({ net, dir, blocks, time, spacingMs: 1000, snapshot });
  const [validator] = net.validators;
  cpSync(join(dir, 'store'), join(validator!.data, 'store'), { recursive: true });
  cpSync(snapshot, snapshotPath(validator!.data, chain.height));
  const start = (flags: Record<string, unknown>) =>
    startNode(loadConfig(validator!.config, {}, flags), { passphrase: null });
  const fromHeight = (node: Awaited<ReturnType<typeof start>>) => node.api.status().retention?.fromHeight ?? 0;

  const all = await start({});
  await sleep(1500);
  t.equal(fromHeight(all), 1, 'everything is kept unless it says otherwise');
  await all.close();
  const node = await start({ keepBlocks: 20, keepLog: 100 });
  for (let i = 0; i < 300 && fromHeight(node) < 230; i += 1) await sleep(50);
  t.ok(fromHeight(node) >= 230, `blocks from ${fromHeight(node)} on`);
  t.ok(fromHeight(node) <= 300, 'the duplicate window stays');
  t.throws(() => node.api.block(150), { code: 'BLOCK_PRUNED', details: { fromHeight: fromHeight(node) } });
  t.equal(node.api.block(100)?.height, 100, 'the block that ended epoch 1 stays');
  t.equal(node.api.block(300)?.height, 300);
  t.equal(node.api.entry(0)?.height, 0);
  t.match(await node.api.ready(), { ready: true });
  await node.close();
  t.throws(() => loadConfig(validator!.config, {}, { keepBlocks: 20, snapshotEveryBlocks: 0 }), {
    code: 'CONFIG_INVALID',
    details: { key: 'keepBlocks' },
  });
});
