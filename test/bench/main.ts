// `npm run bench -- [--rate N] [--records K] [--seconds S] [--validators n] [--profile DIR] [--json]`: finality and rate of
// a network of real processes on this machine. Without flags the standard points. See docs/performance.md.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type BenchResult, bench, type Point, type PointResult } from './bench.ts';

const standardPoints: readonly Point[] = [
  { rate: 50, records: 1, seconds: 10 },
  { rate: 500, records: 1, seconds: 10 },
  { rate: 2000, records: 1, seconds: 10 },
  { rate: 100, records: 100, seconds: 10 },
];

const { values } = parseArgs({
  options: {
    rate: { type: 'string' },
    records: { type: 'string' },
    seconds: { type: 'string' },
    validators: { type: 'string', default: '4' },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

function number(name: string, text: string | undefined, otherwise: number, max: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (value > 0 && value <= max) return value;
  process.stderr.write(`--${name} takes a number up to ${max}, not '${text}'\n`);
  process.exit(2);
}

const chosen = [values.rate, values.records, values.seconds].some((value) => value !== undefined);
const point: Point = {
  rate: number('rate', values.rate, 500, 100_000),
  records: number('records', values.records, 1, 256),
  seconds: number('seconds', values.seconds, 10, 200),
};
const profileDir = values.profile === undefined ? undefined : resolve(values.profile);
if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });

const result = await bench({
  validators: number('validators', values.validators, 4, 16),
  points: chosen ? [point] : standardPoints,
  warmUpSeconds: 3,
  ...(profileDir === undefined ? {} : { profileDir }),
  progress: (text) => process.stderr.write(`${text}\n`),
});
process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : render(result));

function render({ version, machine, validators, points }: BenchResult): string {
  const head = [
    `weft ${version}, ${validators} validators, Node ${machine.node}`,
    `${machine.cores} × ${machine.cpu}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}; load and validators share it`,
  ];
  return `${[...head, ...points.map(renderPoint)].join('\n')}\n`;
}

function renderPoint(point: PointResult): string {
  const { finalityMs, admissionMs, load } = point;
  const refused = Object.entries(point.refused).map(([code, count]) => `${count} ${code}`);
  return [
    '',
    `${point.rate} tx/s × ${point.records} packets, ${point.seconds} s`,
    `  offered        ${point.offeredPerSecond} tx/s`,
    `  committed      ${point.committedPerSecond} tx/s   (${point.committed} of ${point.sent}${refused.length > 0 ? `; refused: ${refused.join(', ')}` : ''})`,
    `  finality       p50 ${finalityMs.p50} ms   p99 ${finalityMs.p99} ms   max ${finalityMs.max} ms`,
    `  admission      p50 ${admissionMs.p50} ms   p99 ${admissionMs.p99} ms`,
    `  blocks         ${point.blocksPerSecond}/s, ${point.transactionsPerBlock} transactions each`,
    `  validators     CPU ${point.validatorCpuSeconds.join(' ')} s   peak RSS ${point.validatorPeakRssMiB.join(' ')} MiB`,
    `  disk           ${point.diskBytesPerTransaction} bytes per transaction and validator`,
    `  load generator CPU ${load.cpuSeconds} s, busy ${Math.round(100 * load.busy)} %, late p99 ${load.lateMs.p99} ms`,
    ...point.notes.map((note) => `  note: ${note}`),
  ].join('\n');
}
