import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ownFolder } from '../../src/cli/compiledCode.ts';
import { weft } from './run.ts';

const user = process.getuid?.() ?? 0;
/** Below a folder with the sticky bit: a checkout may lie where its group can write. */
function folder(test: { teardown(end: () => void): unknown }, ...names: readonly string[]): string {
  const dir = mkdtempSync(join(realpathSync(tmpdir()), 'weft-compiled-'));
  test.teardown(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of names) mkdirSync(join(dir, name), { mode: 0o700 });
  return dir;
}

const skip = process.getuid === undefined;

t.test('compiled code lies only where nobody else can put any', { skip }, async (t) => {
  const dir = folder(t, 'open', 'own');
  const made = join(dir, 'own', 'weft', 'compiled');
  t.equal(ownFolder(made), made);
  t.equal(statSync(made).mode & 0o777, 0o700);
  t.equal(ownFolder(made), made, 'again');

  chmodSync(made, 0o722);
  t.equal(ownFolder(made), undefined, 'anybody can write into it');
  chmodSync(made, 0o755);
  t.equal(ownFolder(made), made, 'reading is no harm');
  t.equal(ownFolder(made, user + 1), undefined, "another user's");

  const below = join(dir, 'open', 'weft');
  chmodSync(join(dir, 'open'), 0o777);
  t.equal(ownFolder(below), undefined, 'anybody can put another one in its place');
  chmodSync(join(dir, 'open'), 0o1777);
  t.equal(ownFolder(below), below, 'not so where the sticky bit is set');

  chmodSync(join(dir, 'open'), 0o777);
  mkdirSync(join(dir, 'open', 'far'));
  symlinkSync(join(dir, 'open', 'far'), join(dir, 'own', 'near'));
  t.equal(ownFolder(join(dir, 'own', 'near')), undefined, 'what counts is where it really lies');
  t.equal(ownFolder('/dev/null/weft'), undefined, 'and where none can be there is none');
});

t.test('a command leaves its compiled code in the cache folder of its user, and in no other', { skip }, async (t) => {
  const dir = folder(t, 'mine', 'open');
  const env = (home: string): Record<string, string> => ({
    XDG_CACHE_HOME: home,
    NODE_COMPILE_CACHE: undefined as never,
  });
  t.equal((await weft(['--version'], { env: env(join(dir, 'mine')) })).code, 0);
  t.not(readdirSync(join(dir, 'mine', 'weft', 'compiled')).length, 0);
  chmodSync(join(dir, 'open'), 0o777);
  t.equal((await weft(['--version'], { env: env(join(dir, 'open')) })).code, 0);
  const there = join(dir, 'open', 'weft', 'compiled');
  t.equal(existsSync(there) ? readdirSync(there).length : 0, 0);
});
