// `npm start`: the network on one machine comes up, says how to reach it, and leaves nothing behind, however it ends.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connect } from '../../src/client/index.ts';
import { readTrust } from '../../src/token/node.ts';
import { freeBase } from '../freePorts.ts';
import { DevRun, processesOf, type Ready } from './devRun.ts';

const skip = existsSync('/proc/self/cmdline') ? false : 'needs /proc to see whether processes are left';
t.setTimeout(180_000);
const dev = new DevRun(DevRun.folder(), await freeBase(4));
let ready: Ready | undefined;
t.teardown(() => dev.remove(ready?.pids ?? []));

async function until(holds: () => boolean, withinMs = 30_000): Promise<boolean> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(50)) if (holds()) return true;
  return false;
}

let height = 0;

t.test('it comes up, and says in one line all that a program needs', { skip }, async (t) => {
  ready = await dev.start('--home', join(dev.dir, 'home'));
  t.equal(ready.ready, true);
  t.match(ready.chain, /^weft-dev-[0-9a-f]{12}$/);
  t.equal(ready.origin, `${ready.chain}/weft`);
  t.equal(ready.home, join(dev.dir, 'home'));
  t.same(
    ready.rpc,
    [1, 2, 3, 4].map((i) => `http://127.0.0.1:${dev.basePort + 10 * i + 1}`),
  );
  t.equal(ready.quorum, 3);
  t.equal(ready.logKeys.length, 4);
  t.equal(ready.cosigners.length, 4);
  const trust = readTrust(readFileSync(ready.trust, 'utf8'));
  t.equal(trust.chain, ready.chain);
  t.equal(trust.quorum, 3);
  t.same(
    processesOf(dev.dir).filter((pid) => ready?.pids.includes(pid)).length,
    4,
    'four validators are four processes',
  );
  for (const url of ready.rpc) t.equal((await fetch(`${url}/readyz`)).status, 200, `${url} is ready`);
});

t.test('then one line for each finalized block, and the traffic of a weave in them', { skip }, async (t) => {
  const client = connect({ rpc: ready?.rpc ?? [] });
  const committed = new Promise((resolve) => {
    const handle = client.subscribe(
      { topic: 'records', type: 'packets.committed' },
      {
        onEvent: (event) => {
          if (event.topic !== 'records' || (event.record as { decision?: string }).decision !== 'allow') return;
          handle.close();
          resolve(event.record);
        },
      },
    );
  });
  t.match(await committed, { type: 'packets.committed', decision: 'allow' });
  t.ok(await until(() => dev.blocks.length >= 5));
  const heights = dev.blocks.map(({ block }) => block.height);
  t.same(
    heights,
    heights.map((_, i) => (heights[0] ?? 0) + i),
    'each block once, in order',
  );
  const last = dev.blocks.at(-1)!.block;
  t.equal((await client.block(last.height)).blockId, last.blockId);
  client.close();
});

t.test('Ctrl-C stops all of it, and nothing is left', { skip }, async (t) => {
  height = dev.blocks.at(-1)!.block.height;
  await dev.interrupt();
  t.ok(await until(() => processesOf(dev.dir).length === 0, 10_000), 'no process is left');
  for (const name of ['v1', 'v2', 'v3', 'v4']) {
    const log = readFileSync(join(dev.dir, 'home', name, 'node.log'), 'utf8');
    t.match(log, /node stopped/, `${name} stopped in order`);
    t.same(
      log.split('\n').filter((line) => line !== '' && (JSON.parse(line) as { level: number }).level >= 50),
      [],
    );
  }
});

t.test('started again it is the same chain, further on', { skip }, async (t) => {
  const before = ready;
  ready = await dev.start('--home', join(dev.dir, 'home'));
  t.equal(ready.chain, before?.chain);
  t.same(ready.cosigners, before?.cosigners);
  t.ok(await until(() => (dev.blocks.at(-1)?.block.height ?? 0) > height), `it goes on where it was: ${dev.said}`);
  t.notMatch(dev.said, /REFUSED|DENIED|EXISTS/i, 'and nothing of the beginning is done twice');
});

t.test('killed without a word, the validators see it and stop', { skip }, async (t) => {
  t.equal(processesOf(dev.dir).filter((pid) => ready?.pids.includes(pid)).length, 4);
  await dev.killParent();
  t.ok(await until(() => processesOf(dev.dir).length === 0, 15_000), 'no orphan is left');
  t.match(
    readFileSync(join(dev.dir, 'home', 'v1', 'node.log'), 'utf8')
      .trimEnd()
      .split('\n')
      .at(-1),
    /node stopped/,
  );
});
