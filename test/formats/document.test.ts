// docs/formats.md says what is so: its examples are frozen vectors, its codes and tags stand in the code, its links lead somewhere.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '..', '..');
const document = readFileSync(join(root, 'docs', 'formats.md'), 'utf8');

function textOf(folders: readonly string[], ending: RegExp): string {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => ending.test(name))
        .map((name) => readFileSync(join(root, folder, name), 'utf8')),
    )
    .join('\n');
}

const vectors = textOf([join('test', 'vectors')], /\.json$/);
const code = textOf(['src', 'contracts'], /\.ts$/);

t.test('every longer hex text is in a vector', async (t) => {
  const found = [...document.matchAll(/(?<!\+ )\b[0-9a-f]{16,}\b/g)].map(([hex]) => hex);
  t.ok(found.length > 40);
  // The digest of Cedar's WebAssembly is not a vector but the ruleset's.
  for (const hex of found) t.ok(vectors.includes(hex) || code.includes(hex), hex);
});

t.test('every vector file that it names is there', async (t) => {
  const names = new Set([...document.matchAll(/`((?:[a-z]+\/)[a-z0-9-]+\.json)`/g)].map(([, name]) => name ?? ''));
  t.ok(names.size > 12);
  for (const name of names) {
    if (!name.startsWith('schemas/')) t.ok(readFileSync(join(root, 'test', 'vectors', name)).length > 0, name);
  }
});

t.test('every refusal code stands in the code', async (t) => {
  const section = document.slice(document.indexOf('## 21.'), document.indexOf('## 22.'));
  let prefix = '';
  let checked = 0;
  for (const [, name = ''] of section.matchAll(/`((?:_?[A-Z0-9]+)+_?\*?)`/g)) {
    if (!name.startsWith('_')) prefix = name.split('_')[0] ?? '';
    const full = name.startsWith('_') ? prefix + name : name;
    const literal = full.endsWith('*') ? `'${full.slice(0, -1)}` : `'${full}'`;
    // `STATE_ROOT_MISMATCH` and its like are put together.
    t.ok(code.includes(literal) || code.includes(`'${full.replace(/_MISMATCH$/, '')}'`), full);
    checked += 1;
  }
  t.ok(checked > 70);
});

t.test('every domain tag of the code is in the table, and none is a prefix of another', async (t) => {
  const table = document.slice(document.indexOf('## 19.'), document.indexOf('## 20.'));
  const tags = new Set(
    [...code.matchAll(/(?:encodeUtf8\(|PACKET_TAG = )'(weft\/[a-z-]+\/v[0-9]+)'/g)].map(([, tag]) => tag ?? ''),
  );
  t.ok(tags.size >= 14);
  for (const tag of tags) {
    t.match(table, `"${tag}"`, tag);
    t.notOk([...tags].some((other) => other !== tag && other.startsWith(tag)));
  }
});

t.test('the index leads to sections', async (t) => {
  const anchors = [...document.matchAll(/^## (.*)$/gm)].map(([, title]) =>
    (title ?? '')
      .toLowerCase()
      .replace(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, anchor = ''] of document.matchAll(/\(#([^)]*)\)/g)) t.ok(anchors.includes(anchor), anchor);
});
