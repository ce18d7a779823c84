// What `weft agent` says to whom: without a gate, without rights, on a folder of somebody else.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { weft } from '../cli/run.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const nobody = 65_534;

function folder(t: { teardown(work: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-agent-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function configured(dir: string): string {
  const path = join(dir, 'agent.json');
  const guarded = [{ port: 8443, protocol: 'tcp' }];
  writeFileSync(
    path,
    JSON.stringify({ host: 'gate-1', gate: { interfaces: ['eth0'], guarded, pins: join(dir, 'pins') } }),
  );
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
  'a user who may not: told so, and what to do',
  { skip: process.getuid?.() === 0 ? false : 'only root can become somebody else' },
  async (t) => {
    const dir = folder(t);
    chmodSync(dir, 0o755);
    const config = configured(dir);
    mkdirSync(join(dir, 'pins', 'gate'), { recursive: true });
    chmodSync(join(dir, 'pins'), 0o700);
    const run = (...args: readonly string[]) =>
      spawnSync(process.execPath, [main, 'agent', ...args], { uid: nobody, gid: nobody, encoding: 'utf8', cwd: dir });
    for (const args of [
      ['routes', '--config', config],
      ['mode', 'observe', '--config', config],
      ['release', '--pins', join(dir, 'pins')],
    ]) {
      const { status, stderr } = run(...args);
      t.equal(status, 1);
      t.match(stderr, /this user may not look into .*pins \(EACCES\): run this as the user of the agent, or as root/);
    }
    mkdirSync(join(dir, 'agent-state'), { mode: 0o700 });
    t.match(
      run('run', '--config', config).stderr,
      /the state folder .*agent-state cannot be used .*\[AGENT_STATE_UNUSABLE\]/,
    );
    const probed = run('probe');
    t.equal(probed.status, 0);
    t.match(probed.stderr, /gate, outgoing, .*(lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN|eBPF is not available)/);
  },
);
