// Grants end by the kernel's own clock; a process in a time namespace sees another one.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const native = join(import.meta.dirname, '..', '..', '..', 'src', 'agent', 'bpf', 'native.ts');
const script = `import(${JSON.stringify(native)}).then(async ({ loadNative }) => console.log(String((await loadNative()).bootNs())))`;

function bootSeconds(...wrapped: readonly string[]): number {
  const [command = '', ...args] = [...wrapped, process.execPath, '-e', script];
  const { stdout, status } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? Number(BigInt(stdout.trim()) / 1_000_000_000n) : Number.NaN;
}

const ahead = ['unshare', '--time', '--boottime', '86400', '--fork'];
const skip =
  process.platform !== 'linux' || spawnSync(ahead[0] ?? '', [...ahead.slice(1), 'true']).status !== 0
    ? 'skipped: no time namespaces, or no right to make one'
    : false;

t.test('in a time namespace the clock is still that of the kernel', { skip }, async (t) => {
  const outside = bootSeconds();
  const inside = bootSeconds(...ahead);
  t.ok(Math.abs(inside - outside) < 600, `${inside} and ${outside} seconds since boot`);
});
