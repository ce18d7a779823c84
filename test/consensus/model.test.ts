// The model of the voting rules (consensus/model): the rules hold over every interleaving, and each of them is needed.
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

const model = join(import.meta.dirname, '..', '..', 'consensus', 'model');
const missing = ['spin', 'cc'].filter((program) => spawnSync('which', [program]).status !== 0);
const skip = missing.length === 0 ? false : `${missing.join(' and ')} not installed`;
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'weft-model-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
t.setTimeout(900_000);

type Search = {
  readonly states: number;
  readonly errors: number;
  /** Moves of the counterexample in words: a vote, a sync or a crash each. */
  readonly moves: readonly string[];
};

/** The rows of the README's tables: what a flag takes away, and what the search then says. */
type Row = { readonly flag: string; readonly states: number; readonly moves: number };

function rowsOf(heading: string): Row[] {
  const text = readFileSync(join(model, 'README.md'), 'utf8');
  const section = text.split(/^## /m).find((each) => each.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\|.*\| `([A-Z_]+(?:=\d)?)` \| ([\d,]+) \| (\d+|none) \|$/gm)].map((match) => ({
    flag: match[1] ?? '',
    states: Number((match[2] ?? '').replaceAll(',', '')),
    moves: match[3] === 'none' ? 0 : Number(match[3]),
  }));
}

/**
 * Every state that the model reaches, each kept in full (no bitstate, no hash compaction). `shortest`: breadth first, so that
 * the first counterexample is a shortest one.
 */
async function search(flags: readonly string[], shortest: boolean): Promise<Search> {
  const cwd = join(folder, flags.join('.') || 'plain');
  mkdirSync(cwd);
  copyFileSync(join(model, 'voting.pml'), join(cwd, 'voting.pml'));
  const defines = flags.map((flag) => `-D${flag}`);
  await run('spin', ['-a', ...defines, 'voting.pml'], { cwd });
  const compile = ['-O1', '-w', '-DSAFETY', '-DNOCLAIM', '-DMEMLIM=3000', ...(shortest ? ['-DBFS'] : [])];
  await run('cc', [...compile, '-o', 'pan', 'pan.c'], { cwd });
  const { stdout } = await run('./pan', [shortest ? '-w20' : '-w23', '-m10000'], { cwd, maxBuffer: 1 << 24 });
  const found = /errors: (\d+)\n +(\d+) states, stored/.exec(stdout);
  if (found === null || (found[1] === '0' && /too small|out of memory|not completed/.test(stdout))) {
    throw new Error(`the search did not end:\n${stdout}`);
  }
  let moves: string[] = [];
  if (existsSync(join(cwd, 'voting.pml.trail'))) {
    const replay = await run('spin', ['-t', ...defines, 'voting.pml'], { cwd });
    moves = replay.stdout.split('\n').filter((line) => /^ +\d: /.test(line));
  }
  rmSync(cwd, { recursive: true });
  return { errors: Number(found[1]), states: Number(found[2]), moves };
}

t.test('no interleaving of votes breaks agreement, or finalizes a nullified view', { skip }, async (t) => {
  const rows = rowsOf('What holds');
  t.equal(rows.length, 2);
  for (const { flag, states } of rows) {
    const all = await search(flag === 'CRASHES=0' ? ['VIEWS=3', flag] : ['VIEWS=2', flag], false);
    t.equal(all.errors, 0, flag);
    t.equal(all.states, states, `${flag}: states as in consensus/model/README.md`);
  }
});

t.test('the model reaches what its properties speak of', { skip }, async (t) => {
  for (const reach of [1, 2, 3]) {
    const { errors } = await search(['VIEWS=3', 'CRASHES=0', `REACH=${reach}`], false);
    t.equal(errors, 1, `REACH=${reach}`);
  }
});

t.test('each rule taken out gives a counterexample', { skip }, async (t) => {
  const rows = rowsOf('Each rule taken out');
  t.equal(rows.length, 11);
  for (const row of rows) {
    const crashes = /^(FORGETS|RELEASE)/.test(row.flag) ? 'CRASHES=1' : 'CRASHES=0';
    const broken = await search(['PLAIN', 'VIEWS=2', crashes, row.flag], true);
    t.equal(broken.errors, 1, row.flag);
    t.equal(broken.moves.length, row.moves, `${row.flag}: moves as in consensus/model/README.md`);
    t.comment(`${row.flag}: ${broken.states} states\n${broken.moves.join('\n')}`);
  }
});

t.test('what agreement does not rest on', { skip }, async (t) => {
  const rows = rowsOf('What agreement does not rest on');
  t.equal(rows.length, 2);
  for (const { flag, states } of rows) {
    const all = await search(['VIEWS=2', 'CRASHES=0', flag], false);
    t.equal(all.errors, 0, flag);
    t.equal(all.states, states, `${flag}: states as in consensus/model/README.md`);
  }
});
