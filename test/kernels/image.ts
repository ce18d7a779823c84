import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const modules = join(root, 'node_modules');

/** Programs that the tests and the first process call. */
const programs = ['sh', 'true', 'env', 'mount', 'umount', 'insmod', 'ip', 'nsenter', 'setpriv', 'cat'];
const packages = ['tap', 'fast-check', 'koffi', `@koromix/koffi-linux-${process.arch}`, 'commander', 'level'];
const sources = [
  'src',
  'contracts',
  'consensus',
  'schemas',
  'genesis',
  'bpf',
  'scripts',
  'test/agent',
  'test/e2e',
  '.taprc',
];
/** In the order of what needs what. */
const kernelModules = ['veth', 'llc', 'stp', 'garp', 'mrp', '8021q'];

/** A path on this machine to the same path in the image. */
function copy(image: string, path: string, to = path): void {
  mkdirSync(dirname(join(image, to)), { recursive: true });
  // Links within a package stay links: tap's own would otherwise be loaded twice.
  cpSync(realpathSync(path), join(image, to), { recursive: true, verbatimSymlinks: true });
}

/** A program with the libraries that it is linked to. */
function copyProgram(image: string, path: string, to: string): void {
  copy(image, path, to);
  const linked = spawnSync('ldd', [path], { encoding: 'utf8' }).stdout;
  for (const [, library] of linked.matchAll(/(\/\S+\.so\S*)/g))
    if (library !== undefined && !existsSync(join(image, library))) copy(image, library);
}

/** Packages and all that they need, as npm laid them out. */
function closure(names: readonly string[]): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    const manifest = join(modules, name, 'package.json');
    if (found.has(name) || !existsSync(manifest)) return;
    found.add(name);
    const { dependencies = {}, peerDependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
    for (const needed of Object.keys({ ...dependencies, ...peerDependencies }))
      if (needed !== 'typescript') visit(needed);
  };
  for (const name of names) visit(name);
  return found;
}

function first(tests: readonly string[], inserted: readonly string[]): string {
  const lines = [
    '#!/bin/sh',
    'export PATH=/bin HOME=/tmp TAP_TIMEOUT=600',
    'mount -t proc none /proc',
    'mount -t sysfs none /sys',
    'mount -t devtmpfs none /dev',
    'mount -t tmpfs none /tmp',
    'mount -t tmpfs none /run',
    'mount -t cgroup2 none /sys/fs/cgroup',
    'mount -t securityfs none /sys/kernel/security',
    ...inserted.map((file) => `insmod ${file}`),
    'ip link set lo up',
    'cd /weft',
    'echo "weft-kernel $(cat /proc/sys/kernel/osrelease) lsm $(cat /sys/kernel/security/lsm 2>/dev/null)"',
    'node --disable-warning=ExperimentalWarning src/cli/main.ts agent probe',
    ...tests.map((test) => `echo "weft-test ${test}"; node ${test}; echo "weft-exit $?"`),
    'echo weft-end',
    'echo o > /proc/sysrq-trigger',
    'while :; do :; done',
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * An initramfs for the kernel unpacked in `kernel`, whose first process runs `tests` (paths from the root of the project).
 * @returns path of the archive
 */
export function makeImage(folder: string, kernel: string, tests: readonly string[]): string {
  const image = join(folder, 'image');
  for (const empty of ['proc', 'sys', 'dev', 'tmp', 'run', 'etc', 'bin', 'weft/node_modules'])
    mkdirSync(join(image, empty), { recursive: true });
  for (const link of ['sbin', 'usr/bin', 'usr/sbin'])
    if (!existsSync(join(image, link))) {
      mkdirSync(dirname(join(image, link)), { recursive: true });
      symlinkSync('/bin', join(image, link));
    }
  for (const name of programs) {
    const path = execFileSync('which', [name], { encoding: 'utf8' }).trim();
    copyProgram(image, path, `/bin/${name}`);
  }
  copyProgram(image, process.execPath, '/bin/node');
  for (const name of closure(packages)) copy(image, join(modules, name), `/weft/node_modules/${name}`);
  for (const name of [...sources, 'package.json', 'tsconfig.json']) {
    if (existsSync(join(root, name))) copy(image, join(root, name), `/weft/${name}`);
  }
  const plugins = join(root, '.tap', 'plugins');
  if (existsSync(plugins)) copy(image, plugins, '/weft/.tap/plugins');
  const inserted: string[] = [];
  for (const name of kernelModules) {
    const found = execFileSync('find', [join(kernel, 'lib', 'modules'), '-name', `${name}.ko*`], {
      encoding: 'utf8',
    }).trim();
    if (found === '') continue;
    copy(image, found, `/lib/modules/${basename(found)}`);
    inserted.push(`/lib/modules/${basename(found)}`);
  }
  writeFileSync(join(image, 'init'), first(tests, inserted), { mode: 0o755 });
  const archive = join(folder, 'initramfs.cpio');
  execFileSync('sh', ['-c', `find . | cpio --quiet -o -H newc > ${archive}`], {
    cwd: image,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return archive;
}
