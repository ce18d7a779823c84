// One validator of four on a small disk of its own (a tmpfs) that runs full: slowly, so that the watermark stops it, and at once, so
// that a write fails. The others go on, it answers on, and it votes again when there is room, in the same process. Linux, root.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Load } from './load.ts';
import { TestNetwork } from './network.ts';
import { differences, wireOf } from './together.ts';
import { newVotes, wireBytes } from './wire.ts';

const megabyte = 1024 * 1024;
const minFreeBytes = 8 * megabyte;
const timeout = 240_000;

const network = await TestNetwork.make({ record: true, config: { minFreeBytes } });
t.teardown(() => network.remove());
const data = network.dataOf('v4');
mkdirSync(data, { recursive: true });
const mounted = mount();
if (mounted !== '') t.comment(`skipped: ${mounted}`);
else {
  t.teardown(() => {
    execFileSync('umount', ['-l', data]);
  });
  network.startAll();
  await network.ready();
  await stopsAndGoesOn('a disk that runs full is left alone before a write fails', () => fill(4 * megabyte));
  await stopsAndGoesOn('a disk that is full at once', () => fill(0));
  t.test('over all of it: nothing conflicts', { timeout }, async (t) => {
    const wire = wireOf(network);
    t.ok(wire.votes > 0, `${wire.votes} votes were on the wire`);
    t.same(wire.conflicts, []);
    const others = network.complaints().filter((line) => !/"node":"v4".*DISK_FULL/.test(line));
    t.same(others, [], 'only v4 complained, and only of its disk');
  });
}

/** Empty when it is there, else why not. */
function mount(): string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux to mount a tmpfs';
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', data], { stdio: 'pipe' });
    return '';
  } catch (error) {
    return `a tmpfs cannot be mounted here: ${String(error).slice(0, 200)}`;
  }
}

/** Leaves about so many bytes. */
function fill(leave: number): void {
  const { bavail, bsize } = statfsSync(data);
  try {
    writeFileSync(join(data, 'filler'), new Uint8Array(bavail * bsize - leave));
  } catch (error) {
    if (leave > 0) throw error;
  }
}

function stopsAndGoesOn(what: string, full: () => void): Promise<unknown> {
  return t.test(what, { timeout }, async (t: Test) => {
    const load = new Load(network);
    load.start();
    try {
      await load.more(10);
      const pid = network.pid('v4');
      full();
      await network.until(([status]) => status?.notVoting === 'DISK_FULL', { names: ['v4'] });
      await sleep(300);
      const [height, wire] = [(await network.status('v4'))?.finalized.height, wireBytes(network.wireOf('v4'))];
      const told = load.told.length;
      await load.more(20);
      t.pass(`the others finalized ${load.told.length - told} transactions meanwhile`);
      t.same(newVotes(network.wireOf('v4'), wire), [], 'v4 votes for nothing');
      t.equal((await network.status('v4'))?.finalized.height, height, 'and writes nothing');
      t.equal((await network.client('v4').block(1)).height, 1, 'and answers');
      const refused = await network.packet();
      await t.rejects(network.client('v4').call('tx.submit', { envelope: refused.text }), { code: 'NODE_STOPPED' });

      rmSync(join(data, 'filler'));
      await network.ready();
      const before = wireBytes(network.wireOf('v4'));
      await load.more(8);
      await network.until(() => newVotes(network.wireOf('v4'), before).some(({ kind }) => kind === 'finalize'));
      t.equal(network.pid('v4'), pid, 'it votes again, and is still the same process');
    } finally {
      await load.stop();
    }
    const from = Math.max(1, Math.min(...load.told.map(({ height }) => height)));
    t.same((await differences(network, load, load.told, from)).words, [], `all ${load.told.length} are everywhere`);
  });
}
