// What may happen to a validator's folder, and what brings it back: a store that is damaged, one that is fetched anew while the
// journal stays, a data folder that is wiped while all the others restart too. (One that is copied: test/node/guards.test.ts.)
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { Load } from './load.ts';
import { TestNetwork } from './network.ts';
import { wireOf } from './together.ts';
import { votesAgain, underLoad as workUnderLoad } from './underLoad.ts';
import { newVotes, wireBytes } from './wire.ts';

const timeout = 240_000;
const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const consensus = { idleBlockMs: 2500, skipMs: 8000 };

const network = await TestNetwork.make({ record: true, consensus });
t.teardown(() => network.remove());
network.startAll();
await network.ready();

const underLoad = (t: Test, work: (load: Load) => Promise<void>): Promise<void> => workUnderLoad(network, t, work);

async function recover(...args: string[]): Promise<{ done: string[]; findings: { code: string }[] }> {
  const all = [main, 'recover', '--home', network.dir, '--validator', 'v4', '--json', ...args];
  return JSON.parse((await promisify(execFile)(process.execPath, all)).stdout);
}

t.test('a damaged store refuses to start by name, and comes back without a new key', { timeout }, (t) =>
  underLoad(t, async (load) => {
    await network.signal('v4', 'SIGTERM');
    // The tables are made of what was written before a start.
    network.start('v4');
    await network.ready();
    await network.signal('v4', 'SIGTERM');
    const store = join(network.dataOf('v4'), 'store');
    for (const name of readdirSync(store)) if (name.endsWith('.ldb')) truncateSync(join(store, name), 50);
    const { code, said } = await network.runOnce('v4');
    t.equal(code, 1);
    t.match(said, /DATA_DAMAGED/);
    t.match(said, /weft recover/);
    const { findings, done } = await recover();
    t.match(findings, [{ code: 'DATA_DAMAGED' }]);
    t.same(done, ['rebuild-store']);
    await load.more(10);
    network.start('v4');
    const pid = network.pid('v4');
    await votesAgain(network, t, 'v4', load);
    t.equal(network.pid('v4'), pid, 'it came to where its journal begins, and went on by itself');
  }),
);

t.test('a node whose state diverged says so until it was rebuilt', { timeout }, (t) =>
  underLoad(t, async (load) => {
    await network.signal('v4', 'SIGKILL');
    const mark = join(network.dataOf('v4'), 'stopped.json');
    writeFileSync(mark, '{"format":"weft/stopped/v1","code":"STATE_DIVERGED","detail":"a test","height":1,"time":1}\n');
    for (let start = 0; start < 2; start += 1) {
      const before = wireBytes(network.wireOf('v4'));
      network.start('v4');
      await network.until(([status]) => status?.notVoting === 'STATE_DIVERGED', { names: ['v4'] });
      t.equal((await network.client('v4').block(1)).height, 1, 'it answers');
      await load.more(5);
      t.same(newVotes(network.wireOf('v4'), before), []);
      await network.signal('v4', 'SIGTERM');
    }
    t.same((await recover()).done, ['rebuild-store', 'clear-stop']);
    t.notOk(existsSync(mark));
    network.start('v4');
    await votesAgain(network, t, 'v4', load);
  }),
);

t.test('a data folder that is wiped while all the others restart too: no vote by that key', { timeout }, async (t) => {
  const load = new Load(network);
  load.start();
  await load.more(10);
  await network.signalAll('SIGKILL');
  rmSync(network.dataOf('v4'), { recursive: true });
  const before = wireBytes(network.wireOf('v4'));
  network.startAll();
  await network.ready(['v1', 'v2', 'v3']);
  await network.until(([status]) => status?.notVoting === 'JOURNAL_LOST' && !status.catchingUp, { names: ['v4'] });
  await load.more(15);
  await load.stop();
  t.same(newVotes(network.wireOf('v4'), before), [], 'what lies beside the key file remembers that it has signed');
  await network.signal('v4', 'SIGTERM');
  const { findings, done } = await recover();
  t.match(findings, [{ code: 'JOURNAL_LOST' }]);
  t.same(done, ['new-key', 'configure', 'retire']);
  t.match(readFileSync(join(network.dir, 'v4', 'config.yaml'), 'utf8'), /nextKeys: keys\.next\.json/);
  network.start('v4');
  await network.until(([status]) => status?.notVoting === 'JOURNAL_LOST' && !status.catchingUp, { names: ['v4'] });
  t.pass('it follows, and knows its next keys');
});

t.test('over all of it: no two votes conflict', { timeout }, async (t) => {
  const wire = wireOf(network);
  t.ok(wire.votes > 0, `${wire.votes} votes were on the wire`);
  t.same(wire.conflicts, []);
});
