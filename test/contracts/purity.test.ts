// Contracts must give the same answer on every machine, for ever. What could make them not do so must not be in their
// sources; this reads them. Comments are left out, strings are not: a code in a string never looks like these.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { contracts } from '../../contracts/list.ts';
import { ruleset } from '../../contracts/rulesets.ts';
import { schemaDocuments } from '../../schemas/types/catalogue.ts';

const folder = join(import.meta.dirname, '..', '..', 'contracts');

const forbidden: readonly [string, RegExp][] = [
  ['a clock', /\bDate\b|\bperformance\b|\bhrtime\b|\bTemporal\b/],
  ['chance', /\brandom\w*|\bgetRandomValues\b|\bgenerate\w*\(/],
  ['a timer', /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/],
  ['waiting', /\basync\b|\bawait\b|\bPromise\b/],
  ['a module of the host', /['"]node:/],
  ['I/O', /\bprocess\b|\bconsole\b|\bfetch\(|\brequire\(|\bimport\(|\bglobalThis\b/],
  ['a locale', /\bIntl\b|\btoLocale\w*|\blocaleCompare\b|\.normalize\(|\btoUpperCase\b|\btoLowerCase\b/],
  [
    'floating point',
    /\bMath\.(?!max\b|min\b|trunc\b|floor\b|ceil\b|abs\b)\w+|\bparseFloat\b|[^/\w]\d+\.\d+|[^*/<]\/[^*/>=]/,
  ],
  ['a regular expression', /\bRegExp\b|\.(?:match|matchAll|search|test|exec)\(|\/\^/],
  ['the text of an error', /\.message\b|\.stack\b|String\(error|\$\{error/],
  ['code from text', /\beval\b|\bnew Function\b/],
  ['the engine’s order', /\bfor \((?:const|let) \w+ in\b|\bWeakRef\b|\bFinalizationRegistry\b/],
];

function sources(): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.ts')) found.set(name, readFileSync(join(folder, name), 'utf8'));
  }
  return found;
}

function withoutCommentsAndImports(source: string): string {
  return source
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^(?:import|export)\s[^;]*?from\s+'\.[^']*';$/gm, '')
    .replace(/^import [^;]*;$/gm, (line) => (line.includes('node:') ? line : ''))
    .replace(/(^|[^:'"`])\/\/.*$/gm, '$1');
}

function findings(source: string): string[] {
  const code = withoutCommentsAndImports(source);
  // Paths of state, media types and tags are texts with a slash: only these may hold one.
  const withoutTexts = code.replace(/'[^'\n]*'|`[^`]*`|"[^"\n]*"/g, "''");
  return forbidden
    .filter(([what, pattern]) =>
      pattern.test(what === 'a module of the host' || what === 'the text of an error' ? code : withoutTexts),
    )
    .map(([what]) => what);
}

t.test('the sources of the contracts hold nothing that differs between machines', async (t) => {
  const all = sources();
  t.ok(all.size > 15);
  for (const [name, source] of all) t.strictSame(findings(source), [], name);
});

t.test('the test above finds what it is for', async (t) => {
  for (const [code, what] of [
    ['const now = Date.now();', 'a clock'],
    ['const x = Math.random();', 'chance'],
    ['const x = Math.sqrt(2);', 'floating point'],
    ['const x = a / b;', 'floating point'],
    ['const x = 0.5;', 'floating point'],
    ["import { readFileSync } from 'node:fs';", 'a module of the host'],
    ['const [name] = process.argv;', 'I/O'],
    ['names.sort((a, b) => a.localeCompare(b));', 'a locale'],
    ['if (/^a/.test(name)) return;', 'a regular expression'],
    ['catch (error) { return refuse(error.message); }', 'the text of an error'],
    ['export async function apply() {}', 'waiting'],
    ['for (const name in state) changes.set(name, 1);', 'the engine’s order'],
  ] as const) {
    t.ok(findings(code).includes(what), code);
  }
});

t.test('every transaction type has a rule and a schema, and every rule a type', async (t) => {
  const types = contracts.flatMap(({ rules }) => rules.map(({ type }) => type)).sort();
  t.strictSame(types, [...new Set(types)], 'none twice');
  t.strictSame(
    types,
    [...schemaDocuments.keys()]
      .filter((name) => name.startsWith('tx/'))
      .map((name) => name.slice(3))
      .sort(),
  );
  for (const { name, rules } of contracts)
    t.ok(
      rules.every(({ type }) => type.startsWith(`${name}.`)),
      name,
    );
  t.strictSame(ruleset(1)?.transactionTypes, types);
  t.equal(ruleset(2), undefined);
});

t.test('each contract explains its transactions, refusals and records', async (t) => {
  for (const { name, rules } of contracts) {
    const readme = readFileSync(join(folder, name, 'README.md'), 'utf8');
    for (const { type } of rules) t.ok(readme.includes(`\`${type}\``), `${name}/README.md names ${type}`);
    for (const [file, source] of sources()) {
      if (!file.startsWith(name)) continue;
      for (const [, code] of source.matchAll(/(?:refuse|deny)\('([A-Z_0-9]+)'|return '([A-Z]+_[A-Z_0-9]+)'/g)) {
        if (code !== undefined) t.ok(readme.includes(`\`${code}\``), `${name}/README.md names ${code}`);
      }
      for (const [, type] of source.matchAll(/recordHead\('([a-z.-]+)'/g)) {
        t.ok(readme.includes(`\`${type}\``), `${name}/README.md names ${type}`);
        t.ok(schemaDocuments.has(`record/${type}`), `schemas/record/${type}`);
      }
    }
  }
});
