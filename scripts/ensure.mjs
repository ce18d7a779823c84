// The door of every npm script. Runs on Node 20 with nothing installed: makes sure that the dependencies are there
// (as the lock file says), then starts the wanted program on the Node that the project brings with it.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const minimumNodeMajor = 24;

function fail(message) {
  process.stderr.write(`weft: ${message}\n`);
  process.exit(1);
}

/** Runs a setup step; its output goes to standard error, so that `--json` commands keep standard output for themselves. */
function setUp(what, command, args, env = process.env) {
  process.stderr.write(`weft: ${what} ...\n`);
  const result = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    fail(`${what} failed; the command was: ${command} ${args.join(' ')}`);
  }
}

/** True when `stamp` does not hold the digest of `text`; `remember` writes it once the step has succeeded. */
function stamp(name, text) {
  const path = join(modules, `.weft-${name}`);
  const digest = createHash('sha256').update(text).digest('hex');
  return {
    stale: !existsSync(path) || readFileSync(path, 'utf8') !== digest,
    remember: () => {
      mkdirSync(modules, { recursive: true });
      writeFileSync(path, digest);
    },
  };
}

function ensureDependencies() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const installed = stamp('installed', lock);
  if (!installed.stale) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  setUp('installing dependencies (once, about a minute)', npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  installed.remember();
}

function nodeBinary() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const brought = join(modules, `node-${platform}-${process.arch}`, 'bin', name);
  if (existsSync(brought)) return brought;
  if (Number(process.versions.node.split('.')[0]) >= minimumNodeMajor) return process.execPath;
  return fail(
    `no Node ${minimumNodeMajor} or later for ${process.platform}-${process.arch}: ` +
      `this one is ${process.version} and the registry brings none for this platform. Install Node 26 and run again.`,
  );
}

/** tap generates its test class from the plugin list in .taprc; without this step it loads plugins that we left out. */
function ensureTap(node, env) {
  const config = Buffer.concat([readFileSync(join(root, '.taprc')), readFileSync(join(root, 'package-lock.json'))]);
  const built = stamp('tap', config);
  if (!built.stale) return;
  rmSync(join(root, '.tap', 'plugins'), { recursive: true, force: true });
  setUp('preparing the test runner', node, [join(modules, 'tap', 'dist', 'esm', 'run.mjs'), 'build'], env);
  built.remember();
}

/** Debian packages that some suites need. Without root or off Debian the suites say `skipped`, and we say how to get them. */
function ensureSystemPackages() {
  const wanted = readFileSync(join(root, 'scripts', 'system-packages.txt'), 'utf8')
    .split('\n')
    .map((line) => line.split('#')[0].trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/));
  const there = (sign) =>
    sign.startsWith('/') ? existsSync(sign) : spawnSync('which', [sign], { stdio: 'ignore' }).status === 0;
  const missing = wanted.filter(([, sign]) => !there(sign));
  if (missing.length === 0) return;
  const names = missing.map(([name]) => name).join(' ');
  const debian = existsSync('/usr/bin/apt-get') || existsSync('/bin/apt-get');
  if (debian && process.getuid?.() === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    process.stderr.write(`weft: installing system packages for the tests: ${names} ...\n`);
    const options = { stdio: 'ignore', env };
    const update = () => spawnSync('apt-get', ['update', '-qq'], options);
    const install = () => spawnSync('apt-get', ['install', '-y', '-qq', ...names.split(' ')], options).status === 0;
    if (install()) return;
    update();
    if (install()) return;
  }
  process.stderr.write(
    `weft: these system packages are missing: ${names}; the suites that need them will say "skipped".\n` +
      `      To have them: sudo apt-get install -y ${names}\n`,
  );
}

function start(node, args, env) {
  const child = spawn(node, args, { cwd: process.env.WEFT_CWD ?? process.cwd(), env, stdio: 'inherit' });
  // Ctrl-C reaches the whole process group; this process only waits, so that the child can stop in its own way.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 1));
  });
}

const [command, ...rest] = process.argv.slice(2);
ensureDependencies();
const node = nodeBinary();
const path = [dirname(node), join(modules, '.bin'), process.env.PATH ?? ''].join(
  process.platform === 'win32' ? ';' : ':',
);
const env = { ...process.env, PATH: path };

switch (command) {
  case 'run':
    start(node, ['--disable-warning=ExperimentalWarning', join(root, rest[0]), ...rest.slice(1)], env);
    break;
  case 'test':
    ensureSystemPackages();
    ensureTap(node, env);
    start(node, [join(root, 'scripts', 'test.mjs'), ...rest], env);
    break;
  case 'check':
    start(node, [join(root, 'scripts', 'check.mjs'), ...rest], env);
    break;
  case 'tsc':
    start(node, [join(modules, 'typescript', 'bin', 'tsc'), ...rest], env);
    break;
  case 'biome':
    start(node, [join(modules, '@biomejs', 'biome', 'bin', 'biome'), ...rest], env);
    break;
  default:
    fail(`unknown step '${command ?? ''}'; use one of: run FILE, test, check, tsc, biome`);
}
