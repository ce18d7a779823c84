// What `weft agent` says to whom: without a gate, without rights, on a folder of somebody else.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Gate } from '../../src/agent/bpf/gate.ts';
import { Kernel } from '../../src/agent/bpf/kernel.ts';
import { lockPins } from '../../src/agent/lock.ts';
import { weft } from '../cli/run.ts';
import { run, skipWithoutNamespaces } from './bpf/peers.ts';
import { skipUnless } from './bpf/rights.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const nobody = 65_534;

function folder(t: { teardown(work: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-agent-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function configured(dir: string, pins = join(dir, 'pins')): string {
  const path = join(dir, 'agent.json');
  const guarded = [{ port: 8443, protocol: 'tcp' }];
  writeFileSync(path, JSON.stringify({ host: 'gate-1', gate: { interfaces: ['eth0'], guarded, pins } }));
  return path;
}

t.test('without a gate: said, and none is made by asking', async (t) => {
  const dir = folder(t);
  const config = configured(dir);
  for (const args of [['routes'], ['mode', 'enforce']]) {
    const { code, err } = await weft(['agent', ...args, '--config', config]);
    t.equal(code, 1);
    t.match(err, /nothing is pinned under .*pins: no agent has run here .*\[AGENT_NO_GATE\]/);
  }
  const released = await weft(['agent', 'release', '--pins', join(dir, 'pins')]);
  t.equal(released.code, 0);
  t.match(released.out, /Nothing is pinned under .*pins: there is no gate to release\./);
  const wrong = await weft(['agent', 'mode', 'off', '--config', config]);
  t.match(wrong, { code: 2, err: /the mode is 'observe' or 'enforce'/ });
});

t.test(
  'another version’s gate is not switched, and one that an agent works on is not released',
  { skip: skipUnless('gate') || skipWithoutNamespaces() },
  async (t) => {
    const dir = folder(t);
    run(`mount -t bpf bpf ${dir}`);
    t.teardown(() => run(`umount ${dir}`));
    const config = configured(folder(t), join(dir, 'pins'));
    const kernel = await Kernel.open();
    const pins = join(dir, 'pins');
    new Gate(kernel, { pins }).close();
    t.match(await weft(['agent', 'mode', 'enforce', '--config', config]), { code: 0, err: /on no interface/ });
    const unlock = lockPins(kernel, pins);
    const held = await weft(['agent', 'release', '--pins', pins]);
    t.equal(held.code, 1);
    t.match(held.err, /an agent works on .*stop it first.*\[AGENT_LOCKED\]/s);
    unlock();
    const [build = ''] = readdirSync(join(pins, 'gate'));
    renameSync(join(pins, 'gate', build), join(pins, 'gate', '0123456789abcdef'));
    for (const args of [['routes'], ['mode', 'observe']]) {
      const { code, err } = await weft(['agent', ...args, '--config', config]);
      t.equal(code, 1);
      t.match(err, /made by another version: .*\[BPF_OTHER_BUILD\]/s);
    }
    t.same(readdirSync(join(pins, 'gate')), ['0123456789abcdef'], 'none is made by asking');
    t.equal((await weft(['agent', 'release', '--pins', pins])).code, 0);
    t.same(readdirSync(pins), []);
  },
);

t.test(
  'a user who may not: told so, and what to do',
  { skip: process.getuid?.() === 0 ? false : 'only root can become somebody else' },
  async (t) => {
    const dir = folder(t);
    chmodSync(dir, 0o755);
    const config = configured(dir);
    mkdirSync(join(dir, 'pins', 'gate'), { recursive: true });
    chmodSync(join(dir, 'pins'), 0o700);
    const asNobody = (...args: readonly string[]) =>
      spawnSync(process.execPath, [main, 'agent', ...args], { uid: nobody, gid: nobody, encoding: 'utf8', cwd: dir });
    for (const args of [
      ['routes', '--config', config],
      ['mode', 'observe', '--config', config],
      ['release', '--pins', join(dir, 'pins')],
    ]) {
      const { status, stderr } = asNobody(...args);
      t.equal(status, 1);
      t.match(stderr, /this user may not look into .*pins \(EACCES\): run this as the user of the agent, or as root/);
    }
    mkdirSync(join(dir, 'agent-state'), { mode: 0o700 });
    t.match(
      asNobody('run', '--config', config).stderr,
      /the state folder .*agent-state cannot be used .*\[AGENT_STATE_UNUSABLE\]/,
    );
    const probed = asNobody('probe');
    t.equal(probed.status, 0);
    t.match(probed.stderr, /gate, outgoing, .*(lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN|eBPF is not available)/);
  },
);
