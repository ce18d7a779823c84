// Runs the suites with tap and prints last `N passed, N failed` (counting the named tests of each file).
// Suites that start whole networks of processes run one after another, the rest side by side.
//   npm test                      everything
//   npm test -- test/log          one folder or file
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..');
const tap = join(root, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs');

function testFiles(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => {
      const full = join(path, entry.name);
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : testFiles(full);
      return entry.name.endsWith('.test.ts') ? [full] : [];
    })
    .sort();
}

const wanted = process.argv.slice(2).map((path) => join(process.cwd(), path));
const files = (wanted.length > 0 ? wanted : [join(root, 'test')])
  .flatMap(testFiles)
  .map((file) => relative(root, file));
const alone = files.filter((file) => /^test\/(e2e|bench|interop|browser)\//.test(file));
const together = files.filter((file) => !alone.includes(file));

let passed = 0;
let failed = 0;
let skipped = 0;

function run(list, jobs) {
  if (list.length === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [tap, '--reporter=tap', `--jobs=${jobs}`, ...list], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let block = [];
    let blockPassed = 0;
    let blockFailed = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const inner = /^ {4}(not )?ok \d+ (.*)$/.exec(line);
      if (inner) {
        if (/# (SKIP|skip)/.test(inner[2])) {
          skipped += 1;
          process.stdout.write(`  skipped: ${inner[2].replace(/^- /, '')}\n`);
        } else if (inner[1]) blockFailed += 1;
        else blockPassed += 1;
      }
      const outer = /^(not )?ok \d+ - (.*?)( \{)?$/.exec(line);
      if (!outer) {
        block.push(line);
        return;
      }
      if (outer[1] && blockFailed === 0) blockFailed = 1;
      if (/# (SKIP|skip)/.test(outer[2])) skipped += 1;
      process.stdout.write(`${outer[1] ? 'FAIL' : 'ok  '} ${outer[2].replace('# time=', '')}\n`);
      if (outer[1]) process.stdout.write(`${block.join('\n')}\n`);
      passed += blockPassed;
      failed += blockFailed;
      block = [];
      blockPassed = 0;
      blockFailed = 0;
    });
    child.on('close', (code) => {
      if (code !== 0 && failed === 0) {
        failed += 1;
        process.stdout.write(`${block.join('\n')}\n`);
      }
      resolve();
    });
  });
}

await run(together, 2);
await run(alone, 1);
if (passed + failed === 0) failed = 1;
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exit(failed === 0 ? 0 : 1);
