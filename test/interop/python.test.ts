// The frozen tokens in the hands of a verifier that was written in Python from docs/formats.md alone.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

type Answer = { readonly holds: boolean; readonly why?: string; readonly record?: unknown; readonly time?: number };
type Vectors = { trust: string; tokens: { name: string; leaf: string; token: string }[]; genesis: { token: string } };

const script = join(import.meta.dirname, 'python', 'verify_token.py');
const vectors = JSON.parse(readFileSync(new URL('../vectors/token/tokens.json', import.meta.url), 'utf8')) as Vectors;
// Three-argument pow with a negative exponent came with 3.8.
const found = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']);
const skip = found.status === 0 ? false : 'python3 (3.8 or later) is not installed';

const folder = mkdtempSync(join(tmpdir(), 'weft-python-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const trustFile = join(folder, 'trust');
writeFileSync(trustFile, vectors.trust);

let files = 0;
function verify(token: string): Promise<Answer> {
  files += 1;
  const file = join(folder, `token-${files}`);
  writeFileSync(file, token);
  return new Promise((resolve, reject) => {
    execFile('python3', [script, trustFile, file], (error, stdout, stderr) => {
      if (stderr !== '') reject(new Error(stderr));
      else if (stdout === '') reject(error ?? new Error('no answer'));
      else resolve(JSON.parse(stdout) as Answer);
    });
  });
}

t.test('the frozen tokens hold', { skip }, async (t) => {
  for (const { name, leaf, token } of vectors.tokens) {
    const answer = await verify(token);
    t.ok(answer.holds, `${name}: ${answer.why}`);
    t.equal(JSON.stringify(answer.record), leaf);
    t.equal(answer.time, 1_763_712_003_000);
  }
  t.ok((await verify(vectors.genesis.token)).holds);
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
  for (const [what, text] of Object.entries(changed)) {
    t.not(text, token, `${what} is a change`);
    t.notOk((await verify(text)).holds, what);
  }
});
