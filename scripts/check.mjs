// Types, lint, generated files up to date, import rule. Prints one line per step and last `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bin = (...parts) => join(root, 'node_modules', ...parts);
const steps = [
  ['types', [bin('typescript', 'bin', 'tsc'), '--noEmit']],
  ['types of the pages', [bin('typescript', 'bin', 'tsc'), '-p', join(root, 'web'), '--noEmit']],
  ['lint and format', [bin('@biomejs', 'biome', 'bin', 'biome'), 'check', '--error-on-warnings', '.']],
  ['generated types up to date', [join(root, 'scripts', 'generateTypes.ts'), '--check']],
  ['kernel programs up to date', [join(root, 'scripts', 'bpfBuild.ts'), '--check']],
  ['import rule', [join(root, 'scripts', 'importRule.ts')]],
];

let failed = 0;
for (const [name, args] of steps) {
  if (!existsSync(args[0])) throw new Error(`missing ${args[0]}`);
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  const good = result.status === 0;
  if (!good) failed += 1;
  process.stdout.write(`${good ? 'ok  ' : 'FAIL'} ${name}\n`);
  if (!good || result.stdout.startsWith('skipped: ')) process.stdout.write(`${result.stdout}${result.stderr}`);
}
process.stdout.write(`${steps.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
