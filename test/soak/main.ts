// `npm run soak -- [--minutes 60] [--every 20] [--rate 20] [--out docs]`: four real validators, a mixed load, a fault each 20 s from a
// seed (WEFT_TEST_SEED repeats it). Writes soak.svg and soak.json into `--out`. Ends with code 1 when anything is lost. docs/reliability.md
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { numberUpTo } from '../options.ts';
import { type Run, summary, svg, table } from './report.ts';
import { soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    every: { type: 'string', default: '20' },
    rate: { type: 'string', default: '20' },
    out: { type: 'string', default: 'docs' },
  },
});

const out = resolve(values.out);
mkdirSync(out, { recursive: true });

function write(run: Run): void {
  writeFileSync(join(out, 'soak.svg'), svg(run));
  writeFileSync(join(out, 'soak.json'), `${JSON.stringify(summary(run), null, 1)}\n`);
}

const run = await soak({
  minutes: numberUpTo('minutes', values.minutes, 10_000),
  everySeconds: numberUpTo('every', values.every, 3600),
  rate: numberUpTo('rate', values.rate, 1000),
  progress: (words) => process.stdout.write(`${words}\n`),
  soFar: write,
});
write(run);
process.stdout.write(`${table(run)}\n`);
process.exit(run.words.length === 0 ? 0 : 1);
