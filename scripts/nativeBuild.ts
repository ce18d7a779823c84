// The signature verifier in Rust (src/crypto/batch) for this machine: npm run native. Needs cargo (1.85 or later) and a C linker;
// `npm run native -- --remove` takes it away again. Nodes use it from their next start on.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadNative, nativeFile } from '../src/crypto/native.ts';

const root = join(import.meta.dirname, '..');
const sources = join(root, 'src', 'crypto', 'batch');
const target = join(root, 'build', 'cargo');
const libraryNames: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: 'libweft_ed25519.so',
  darwin: 'libweft_ed25519.dylib',
  win32: 'weft_ed25519.dll',
};

/** The file that cargo made of the present sources, or why there is none. Built once for each state of the sources. */
export function buildNative(): { readonly file: string } | { readonly skipped: string } {
  const name = libraryNames[process.platform];
  if (name === undefined) return { skipped: `no name of a library is known for ${process.platform}` };
  const rustc = spawnSync('rustc', ['--version'], { encoding: 'utf8' });
  const minor = Number(/^rustc 1\.(\d+)\./.exec(rustc.stdout ?? '')?.[1]);
  if (spawnSync('cargo', ['--version']).status !== 0 || !(minor >= 85))
    return { skipped: 'cargo 1.85 or later is not here' };
  const file = join(target, 'release', name);
  const stampFile = join(target, 'weft-stamp');
  const stamp = stampOf(rustc.stdout);
  if (existsSync(file) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return { file };
  const fetched = spawnSync('cargo', ['fetch', '--locked', '--quiet'], { cwd: sources, encoding: 'utf8' });
  if (fetched.status !== 0)
    return { skipped: `its crates cannot be fetched: ${fetched.stderr.trim().split('\n').at(-1)}` };
  // Chosen at run time by what the processor has; compilers before 1.89 do not know these instructions.
  const vectors = process.arch === 'x64' && minor >= 89 ? ['--cfg', 'curve25519_dalek_backend="avx512"'] : [];
  const built = spawnSync('cargo', ['build', '--release', '--locked', '--quiet', '--target-dir', target], {
    cwd: sources,
    encoding: 'utf8',
    env: { ...process.env, CARGO_ENCODED_RUSTFLAGS: vectors.join('\x1f') },
  });
  if (built.status !== 0) throw new Error(`cargo build failed:\n${built.stderr}`);
  writeFileSync(stampFile, stamp);
  return { file };
}

/** Of everything that decides the library. */
function stampOf(compiler: string): string {
  const hash = createHash('sha256').update(compiler);
  const code = readdirSync(join(sources, 'src')).sort();
  for (const name of ['Cargo.toml', 'Cargo.lock', ...code.map((file) => join('src', file))]) {
    hash.update(`\n${name}\n`).update(readFileSync(join(sources, name)));
  }
  return hash.digest('hex');
}

function install(): void {
  const installed = nativeFile();
  if (process.argv.includes('--remove')) {
    rmSync(installed, { force: true });
    process.stdout.write('signatures are checked by libsodium from the next start on\n');
    return;
  }
  const built = buildNative();
  if ('skipped' in built) {
    process.stdout.write(`skipped: ${built.skipped}\n`);
    return;
  }
  mkdirSync(dirname(installed), { recursive: true });
  // Never over a file that a running node has mapped.
  copyFileSync(built.file, `${installed}.new`);
  renameSync(`${installed}.new`, installed);
  const loaded = loadNative();
  if (typeof loaded === 'string') throw new Error(`The library was built and is not used: ${loaded}`);
  process.stdout.write(`${installed}: built, tested, used from the next start on\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) install();
