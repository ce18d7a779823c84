// `npm start` shows the gate: nothing passes, a route is granted, traffic flows, the grant ends, nothing passes; and nothing is left.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { skipWithoutNamespaces } from '../agent/bpf/peers.ts';
import { skipUnless } from '../agent/bpf/rights.ts';
import { freeBase } from '../freePorts.ts';
import { DevRun, root } from './devRun.ts';

const skip = skipUnless('gate') || skipWithoutNamespaces();

t.test('the gate of weft dev, live', { skip, timeout: 180_000 }, async (t) => {
  const dev = new DevRun(DevRun.folder(), await freeBase(4));
  t.teardown(() => dev.remove([]));
  const args = [join(root, 'src/cli/main.ts'), 'dev', '--home', join(dev.dir, 'home'), '--no-traffic'];
  const child = spawn(process.execPath, [...args, '--base-port', String(dev.basePort)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const steps = [/is guarded/, /traffic is stopped/, /traffic flows under grant [0-9a-f]{12}/, /traffic is stopped/];
  let at = 0;
  for (const [i, step] of steps.entries()) {
    for (const deadline = performance.now() + 100_000; ; await sleep(100)) {
      const found = step.exec(said.slice(at));
      if (found !== null) {
        at += found.index + found[0].length;
        break;
      }
      if (performance.now() > deadline || child.exitCode !== null) throw new Error(`step ${i + 1} is missing: ${said}`);
    }
  }
  t.pass('dropped, granted, flowing, dropped again');
  const gone = once(child, 'exit');
  child.kill('SIGINT');
  await gone;
  const left = spawnSync('ip', ['netns'], { encoding: 'utf8' }).stdout;
  t.notMatch(left, new RegExp(`weft-dev-${child.pid}`), 'no namespace is left');
});
