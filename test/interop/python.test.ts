// The frozen tokens, statuses and the walk in the hands of a verifier that was written in Python from docs/tokens.md alone.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { mutate } from '../token/mutate.ts';
import { statusVectorsUrl } from '../token/statusVectors.ts';

type Answer = { readonly holds: boolean; readonly why?: string; readonly record?: unknown; readonly time?: number };
type Vectors = { trust: string; tokens: { name: string; leaf: string; token: string }[]; genesis: { token: string } };

const script = join(import.meta.dirname, 'python', 'verify.py');
const vectors = JSON.parse(readFileSync(new URL('../vectors/token/tokens.json', import.meta.url), 'utf8')) as Vectors;
// Three-argument pow with a negative exponent came with 3.8.
const found = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']);
const skip = found.status === 0 ? false : 'python3 (3.8 or later) is not installed';

const folder = mkdtempSync(join(tmpdir(), 'weft-python-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const trustFile = join(folder, 'trust');
writeFileSync(trustFile, vectors.trust);

let files = 0;
function write(text: string): string {
  files += 1;
  const file = join(folder, `file-${files}`);
  writeFileSync(file, text);
  return file;
}

/** One process for all of them. */
function runAll(commands: readonly (readonly string[])[]): Answer[] {
  const input = commands.map((args) => `${JSON.stringify(args)}\n`).join('');
  const { stdout, stderr } = spawnSync('python3', [script, 'batch'], { input, encoding: 'utf8' });
  if (stderr !== '') throw new Error(stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer);
}

const tokenArgs = (token: string): readonly string[] => ['token', trustFile, write(token)];

t.test('the frozen tokens hold', { skip }, async (t) => {
  const all = [...vectors.tokens.map(({ token }) => token), vectors.genesis.token];
  const answers = runAll(all.map(tokenArgs));
  for (const [n, { name, leaf }] of vectors.tokens.entries()) {
    const answer = answers[n]!;
    t.ok(answer.holds, `${name}: ${answer.why}`);
    t.equal(JSON.stringify(answer.record), leaf);
    t.equal(answer.time, 1_763_712_003_000);
  }
  t.ok(answers.at(-1)?.holds);
});

t.test('changed tokens do not', { skip }, async (t) => {
  const token = vectors.tokens[1]!.token;
  const lines = token.split('\n');
  const cosigners = lines.flatMap((line, at) => (/^\u2014 \S+\/v[0-9] /.test(line) ? [at] : []));
  const [first = 0, second = 0] = cosigners;
  const swapped = [...lines];
  [swapped[first], swapped[second]] = [lines[second]!, lines[first]!];
  const changed: Record<string, string> = {
    'another leaf': lines.with(1, vectors.tokens[2]!.token.split('\n')[1]!).join('\n'),
    'another index': token.replace('\nindex 101\n', '\nindex 100\n'),
    'a hash less': lines.toSpliced(4, 1).join('\n'),
    'another root': lines.with(lines.indexOf('300') + 1, lines[4]!).join('\n'),
    'a cosignature less': lines.toSpliced(first, 1).join('\n'),
    'a cosignature twice': lines.with(second, lines[first]!).join('\n'),
    'cosignatures out of order': swapped.join('\n'),
    'another time': lines.with(first, lines[first]!.replace('AAAABpIBwC', 'AAAABpIBwD')).join('\n'),
    'another log': token.replace('41b7e/weft\n300', '41b7f/weft\n300'),
    'a newline more': `${token}\n`,
    'no final newline': token.slice(0, -1),
    'an extra line': token.replace('\nindex ', '\nextra AA==\nindex '),
    nothing: '',
  };
  const answers = runAll(Object.values(changed).map(tokenArgs));
  for (const [n, [what, text]] of Object.entries(changed).entries()) {
    t.not(text, token, `${what} is a change`);
    t.notOk(answers[n]?.holds, what);
  }
});

t.test('statuses, a consume and a walk', { skip }, async (t) => {
  const vectors = JSON.parse(readFileSync(statusVectorsUrl, 'utf8'));
  const { time, walk } = vectors;
  const [trust, token, status] = [vectors.trust, vectors.token, vectors.status].map(write) as [string, string, string];
  const now = String(time + 1000);
  const consumed = write(vectors.consumed.token);
  const { attempt } = vectors.consumed;
  const [walkFrom, walkTo, walkFile] = [walk.from, walk.to, walk.walk].map(write) as [string, string, string];
  const [good, late, early, paused, absent, mine, others, tooLate, walked, back, aged] = runAll([
    ['status', trust, status, now, token],
    ['status', trust, status, String(time + 10_001), token],
    ['status', trust, status, String(time - 2_001), token],
    ['status', trust, write(vectors.paused.status), now, token],
    ['status', trust, write(vectors.absent.status), now],
    ['consumed', trust, consumed, now, attempt, token],
    ['consumed', trust, consumed, now, 'AAECAwQFBgcICQoLDA0ODg', token],
    ['consumed', trust, consumed, String(time + 60_000), attempt, token],
    ['walk', walkFrom, walkFile, now],
    ['walk', walkTo, walkFile, now],
    ['walk', walkFrom, walkFile, String(time + 31 * 86_400_000)],
  ]);
  t.match(good, { holds: true, usesLeft: 1, height: 820, time });
  t.same([late?.why, early?.why, paused?.why], ['stale', 'ahead of this clock', 'paused']);
  t.match(absent, { holds: true, values: { 'identity/account/nobody': null } });
  t.match(mine, { holds: true, until: 1_763_712_001_456 + 10_000 - 2_000 });
  t.same([others?.why, tooLate?.why], ['not my consume', 'not the time to act']);
  t.match(walked, { holds: true, epoch: 2, validators: ['v1', 'v2', 'v3', 'w1'], checkedAt: time });
  t.notOk(back?.holds, 'the next set has no way back');
  t.match(aged?.why, /too old/);
});

t.test('changed ones, as many as there is time for', { skip }, async (t) => {
  const { trust, token, status, time, walk } = JSON.parse(readFileSync(statusVectorsUrl, 'utf8'));
  const now = String(time + 1000);
  const [trustText, tokenText, from] = [trust, token, walk.from].map(write) as [string, string, string];
  const answers = runAll(
    Array.from({ length: 40 }, (_, seed) => [
      ['token', trustText, write(mutate(token, seed))],
      ['status', trustText, write(mutate(status, seed)), now, tokenText],
      ['walk', from, write(mutate(walk.walk, seed)), now],
    ]).flat(),
  );
  t.equal(answers.length, 120);
  t.same(
    answers.filter(({ holds }) => holds),
    [],
  );
});
