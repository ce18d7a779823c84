// The kernel programs on another kernel: a stock Debian one, booted in software (QEMU without KVM), with nothing but Node and
// this project in its memory. Minutes, so it is no part of `npm test`.
//   node test/kernels/main.ts [--package linux-image-…] [--verbose] [test files …]
// Needs qemu-system-x86, cpio, kmod and, for the kernel, apt-get or --deb FILE.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { makeImage } from './image.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    package: { type: 'string', default: 'linux-image-cloud-amd64' },
    deb: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const tests =
  positionals.length > 0
    ? positionals
    : [
        'test/agent/bpf/probes.test.ts',
        'test/agent/bpf/gate.test.ts',
        'test/agent/bpf/grantTable.test.ts',
        'test/agent/bpf/outgoing.test.ts',
        'test/e2e/gateTraffic.test.ts',
      ];

for (const program of ['qemu-system-x86_64', 'cpio', 'dpkg-deb', 'insmod'])
  if (spawnSync('which', [program], { stdio: 'ignore' }).status !== 0) {
    process.stdout.write(`skipped: ${program} is not here: apt-get install qemu-system-x86 cpio kmod\n`);
    process.exit(0);
  }

/** The package that a name like linux-image-cloud-amd64 stands for today, fetched. */
function fetchKernel(folder: string): string {
  const depends = execFileSync('apt-cache', ['depends', values.package], { encoding: 'utf8' });
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1] ?? values.package;
  execFileSync('apt-get', ['download', name], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const file = readdirSync(folder).find((each) => each.endsWith('.deb'));
  if (file === undefined) throw new Error(`apt-get brought no ${name}`);
  return join(folder, file);
}

async function boot(kernel: string, initramfs: string): Promise<{ passed: number; failed: number }> {
  const image = readdirSync(join(kernel, 'boot')).find((name) => name.startsWith('vmlinuz'));
  const args = [
    '-machine',
    'q35',
    '-cpu',
    'max',
    '-accel',
    'tcg',
    '-smp',
    '2',
    '-m',
    '3072',
    '-nographic',
    '-no-reboot',
  ];
  const append = 'console=ttyS0 quiet panic=-1 rdinit=/init';
  const child = spawn(
    'qemu-system-x86_64',
    [...args, '-nic', 'none', '-kernel', join(kernel, 'boot', image ?? ''), '-initrd', initramfs, '-append', append],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let [passed, failed, ended] = [0, 0, false];
  for await (const line of createInterface({ input: child.stdout })) {
    if (
      values.verbose ||
      /weft-kernel|^(not )?ok |not ok|skipped:|# SKIP|works|unavailable|refuses|Kernel panic/.test(line)
    )
      process.stdout.write(`${line}\n`);
    if (/^ok /.test(line)) passed += 1;
    if (/^not ok /.test(line)) failed += 1;
    const code = /^weft-exit (\d+)/.exec(line)?.[1];
    if (code !== undefined && code !== '0' && failed === 0) failed += 1;
    if (line.startsWith('weft-end')) ended = true;
  }
  return { passed, failed: failed + (ended ? 0 : 1) };
}

const folder = mkdtempSync(join(tmpdir(), 'weft-kernel-'));
try {
  const kernel = join(folder, 'kernel');
  execFileSync('dpkg-deb', ['-x', values.deb ?? fetchKernel(folder), kernel]);
  const { passed, failed } = await boot(kernel, makeImage(folder, kernel, tests));
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
