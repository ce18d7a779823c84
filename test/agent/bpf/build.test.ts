import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { staleFiles } from '../../../scripts/bpfBuild.ts';

const dist = join(import.meta.dirname, '..', '..', '..', 'bpf', 'dist');
const stale = staleFiles();
const skip = typeof stale === 'string' ? stale : false;

t.test('bpf/dist is what the sources give, byte by byte', { skip }, async (t) => {
  t.same(stale, []);
});

t.test('a file that differs, is missing or is left over is named', { skip }, async (t) => {
  const folder = t.testdir({ 'old.json': '{}' });
  cpSync(dist, folder, { recursive: true, filter: (path) => !path.endsWith('exit.json') });
  const gate = join(folder, 'gate.json');
  writeFileSync(gate, readFileSync(gate, 'utf8').replace(/"insns": "(.)/, '"insns": "_'));
  t.same([...staleFiles(folder)].sort(), ['exit.json', 'gate.json', 'old.json']);
});
