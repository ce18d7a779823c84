// `npm run test:faults [-- --only WORDS] [--json FILE] [--list]`: every fault of the matrix, one network each, as a table. Ends with
// code 1 when anything is wrong. A case by itself: --only 'partition 2|2'.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cases } from './cases.ts';
import { hostCases } from './hosts.ts';
import { type CaseResult, runCase } from './run.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
const chosen = [...cases, ...hostCases].filter(({ name }) => name.includes(values.only));
if (chosen.length === 0) {
  process.stderr.write(`no case holds the words '${values.only}'; --list names them\n`);
  process.exit(2);
}
if (values.list) {
  process.stdout.write(`${chosen.map(({ name }) => name).join('\n')}\n`);
  process.exit(0);
}

const results: CaseResult[] = [];
process.stdout.write(
  '| fault | sent, final, expired | lost | longest pause | final again | all back | |\n|---|---|---|---|---|---|---|\n',
);
for (const each of chosen) {
  const impossible = each.impossible?.();
  if (impossible !== undefined) {
    process.stdout.write(`skipped: ${each.name}: ${impossible}\n`);
    continue;
  }
  const result = await runCase(each);
  results.push(result);
  process.stdout.write(`${row(result)}\n${result.wrong.map((words) => `  WRONG: ${words}\n`).join('')}`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
}
const bad = results.filter(({ wrong }) => wrong.length > 0);
process.stdout.write(`\n${results.length - bad.length} passed, ${bad.length} failed\n`);
process.exit(bad.length === 0 ? 0 : 1);

function row({ name, submitted, final, expired, pauseMs, finalAgainMs, allBackMs, notes, wrong }: CaseResult): string {
  const lost = wrong.length === 0 ? 'nothing' : 'SEE BELOW';
  const s = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  return `| ${name.replaceAll('|', '\\|')} | ${submitted}, ${final}, ${expired} | ${lost} | ${s(pauseMs)} | ${s(finalAgainMs)} | ${s(allBackMs)} | ${notes.join('; ')} |`;
}
