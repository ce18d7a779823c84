// TypeScript types and the catalogue of all schemas, generated from schemas/*.schema.json into schemas/types/.
//   npm run types               write what changed
//   npm run types -- --check    write nothing; exit 1 when a generated file is missing, stale or left over
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFromFile } from 'json-schema-to-typescript';

const suffix = '.schema.json';
const header = '// Generated from the schemas beside this folder by `npm run types`. Change those, not this.\n';

function filesUnder(folder: string, ending: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith(ending))
    .sort();
}

/** Names of all schemas, as `validate` and `$id` have them: `genesis`, `tx/packets.commit`. */
export function schemaNames(schemas: string): string[] {
  return filesUnder(schemas, suffix).map((file) => file.slice(0, -suffix.length));
}

function catalogue(names: readonly string[]): string {
  const variable = (index: number): string => `schema${index}`;
  const imports = names.map(
    (name, index) => `import ${variable(index)} from '../${name}${suffix}' with { type: 'json' };`,
  );
  const entries = names.map((name, index) => `  ['${name}', ${variable(index)}],`);
  return (
    `${header}${imports.join('\n')}\n\n/** Name → schema document. */\n` +
    `export const schemaDocuments: ReadonlyMap<string, object> = new Map<string, object>([\n${entries.join('\n')}\n]);\n`
  );
}

/** A type that leads from the names under `folder` to their generated types: `'packets.commit': PacketsCommitBody`. */
function index(schemas: string, names: readonly string[], folder: string, typeName: string, about: string): string {
  const members = names
    .filter((name) => name.startsWith(`${folder}/`))
    .map((name) => {
      const { title } = JSON.parse(readFileSync(join(schemas, `${name}${suffix}`), 'utf8')) as { title: string };
      return { name, title };
    });
  const imports = members.map(({ name, title }) => `import type { ${title} } from './${name}.ts';`);
  const lines = members.map(({ name, title }) => `  '${name.slice(folder.length + 1)}': ${title};`);
  return `${header}${imports.join('\n')}\n\n/** ${about} */\nexport type ${typeName} = {\n${lines.join('\n')}\n};\n`;
}

/** Path under schemas/types/ → text. */
export async function generateTypes(schemas: string): Promise<Map<string, string>> {
  const generated = new Map<string, string>();
  const names = schemaNames(schemas);
  for (const name of names) {
    if (name === 'common') continue;
    const file = join(schemas, `${name}${suffix}`);
    const text = await compileFromFile(file, {
      cwd: dirname(file),
      bannerComment: header.trimEnd(),
      additionalProperties: false,
      unreachableDefinitions: true,
      // Else arrays become unions of tuples; the schema checks lengths, the types need not.
      ignoreMinAndMaxItems: true,
      style: { singleQuote: true, printWidth: 120, semi: true },
    });
    generated.set(`${name}.ts`, text);
  }
  generated.set('catalogue.ts', catalogue(names));
  generated.set('bodies.ts', index(schemas, names, 'tx', 'TransactionBodies', 'Transaction type → its body.'));
  generated.set(
    'effects.ts',
    index(schemas, names, 'actions', 'ActionEffects', 'Action of the catalogue → its resolved effect.'),
  );
  generated.set('records.ts', index(schemas, names, 'record', 'LedgerRecords', 'Record type → the record.'));
  return generated;
}

async function main(): Promise<number> {
  const schemas = join(import.meta.dirname, '..', 'schemas');
  const types = join(schemas, 'types');
  const check = process.argv.includes('--check');
  const generated = await generateTypes(schemas);
  const stale: string[] = [];
  for (const [name, text] of generated) {
    const path = join(types, name);
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
    stale.push(name);
    if (check) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  for (const name of filesUnder(types, '.ts').filter((file) => !generated.has(file))) {
    stale.push(name);
    if (!check) rmSync(join(types, name));
  }
  const where = relative(process.cwd(), types);
  if (stale.length === 0) process.stdout.write(`${generated.size} files in ${where} are up to date\n`);
  else if (check) process.stderr.write(`stale in ${where}: ${stale.join(', ')}; run \`npm run types\`\n`);
  else process.stdout.write(`${where}: ${stale.length} of ${generated.size} files written\n`);
  return check && stale.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
