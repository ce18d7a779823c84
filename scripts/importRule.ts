// The floors of docs/architecture.md, checked: a file imports only from floors below its own, or from what its own
// folder is explicitly allowed to know. `node scripts/importRule.ts` prints each breach and exits 1.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

type Breach = { file: string; imports: string; rule: string };

/** Folder → floor. A folder that is not listed has no floor and may not hold code. */
const floors: ReadonlyMap<string, number> = new Map([
  ['schemas', 0],
  ['src/codec', 1],
  ['src/crypto', 1],
  ['src/log', 1],
  ['consensus', 2],
  ['src/policy', 2],
  ['src/token', 2],
  ['contracts', 3],
  ['src/net', 4],
  ['src/ledger', 4],
  ['src/node', 5],
  ['src/rpc', 6],
  ['src/client', 6],
  ['src/audit', 6],
  ['src/executor', 6],
  ['src/agent', 6],
  ['src/policyTools', 6],
  ['src/cli', 7],
  ['web', 7],
]);

/** Neighbours on one floor that may be known: the byte formats stand under the rest of floor 1, the client under floor 6. */
const neighbours: ReadonlyMap<string, readonly string[]> = new Map([
  ['src/crypto', ['src/codec']],
  ['src/log', ['src/codec']],
  ['src/audit', ['src/client']],
  ['src/executor', ['src/client']],
  ['src/agent', ['src/client', 'src/executor']],
  ['src/policyTools', ['src/client']],
]);

/** Only the RPC server, and the commands that start and mend a node, may look into one; only a node into the network. */
const closed: ReadonlyMap<string, readonly string[]> = new Map([
  ['src/node', ['src/rpc', 'src/cli']],
  ['src/net', ['src/node']],
]);

/** Entry points whose import closure may hold no `node:` module, because they run in browsers too. */
const browserEntries = ['src/token/verify.ts', 'src/token/browser.ts', 'web/approve.ts', 'web/enrol.ts'];

function folderOf(file: string): string | undefined {
  const parts = file.split('/');
  const folder = parts[0] === 'src' ? parts.slice(0, 2).join('/') : parts[0];
  return folder !== undefined && floors.has(folder) ? folder : undefined;
}

export function importsOf(source: string): string[] {
  const found: string[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;
  for (const match of source.matchAll(pattern)) found.push(match[1] ?? match[2] ?? '');
  return found;
}

/** `files`: path (from the root, with `/`) → source text. */
export function checkImports(files: ReadonlyMap<string, string>): Breach[] {
  const breaches: Breach[] = [];
  for (const [file, source] of files) {
    const from = folderOf(file);
    if (from === undefined) continue;
    for (const name of importsOf(source)) {
      if (from === 'consensus' && !name.startsWith('.')) {
        breaches.push({ file, imports: name, rule: 'consensus imports nothing from outside its folder' });
        continue;
      }
      if (from === 'contracts' && name.startsWith('node:')) {
        breaches.push({ file, imports: name, rule: 'contracts use no clock, random or I/O: no node: module' });
        continue;
      }
      if (!name.startsWith('.')) continue;
      const target = join(dirname(file), name);
      const to = folderOf(target);
      if (to === undefined) {
        if (!/^(genesis|bpf\/dist)\//.test(target) && target !== 'package.json') {
          breaches.push({ file, imports: target, rule: 'the target is on no floor' });
        }
        continue;
      }
      if (to === from) continue;
      const fromFloor = floors.get(from) ?? 0;
      const toFloor = floors.get(to) ?? 0;
      if (from === 'consensus') {
        breaches.push({ file, imports: target, rule: 'consensus imports nothing from outside its folder' });
      } else if (toFloor > fromFloor || (toFloor === fromFloor && !neighbours.get(from)?.includes(to))) {
        breaches.push({
          file,
          imports: target,
          rule: `floor ${fromFloor} (${from}) may not know floor ${toFloor} (${to})`,
        });
      } else if (closed.has(to) && !closed.get(to)?.includes(from)) {
        breaches.push({ file, imports: target, rule: `${to} is open to ${closed.get(to)?.join(', ')} only` });
      }
    }
  }
  for (const entry of browserEntries) {
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      const source = files.get(file);
      if (source === undefined) return;
      for (const name of importsOf(source.replace(/(?:^|\n)\s*(?:import|export)\s+type\s[^;]*;/g, ''))) {
        if (name.startsWith('node:') || name === 'sodium-native') {
          breaches.push({ file, imports: name, rule: `${entry} must run without Node` });
        } else if (name.startsWith('.')) visit(join(dirname(file), name));
      }
    };
    visit(entry);
  }
  return breaches;
}

/** Every TypeScript file of the floors, read from disk. */
export function readSources(root: string): Map<string, string> {
  const files = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!['node_modules', 'dist', '.tap', '.git', 'test'].includes(entry.name)) walk(path);
      } else if (entry.name.endsWith('.ts'))
        files.set(relative(root, path).replaceAll('\\', '/'), readFileSync(path, 'utf8'));
    }
  };
  walk(root);
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const breaches = checkImports(readSources(join(import.meta.dirname, '..')));
  for (const breach of breaches) process.stderr.write(`${breach.file} imports ${breach.imports}: ${breach.rule}\n`);
  process.exit(breaches.length === 0 ? 0 : 1);
}
