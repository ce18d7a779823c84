// `npm run bench -- --against cometbft [--rounds R] [--rate N …]`: the same beside CometBFT, alternating, and the ratios.
// `npm run bench -- [--rate N] [--records K] [--seconds S] [--validators n] [--profile DIR] [--json]`: finality and rate of
// a network of real processes on this machine. Without flags the standard points. See docs/performance.md.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type BenchResult, bench, openWeft, type Point, type PointResult } from './bench.ts';
import { buildCometBft, openCometBft } from './cometbft.ts';
import { duel, renderDuel } from './duel.ts';
import { type Machine, machine } from './processes.ts';

const standardPoints: readonly Point[] = [
  { rate: 50, records: 1, seconds: 10 },
  { rate: 500, records: 1, seconds: 10 },
  { rate: 2000, records: 1, seconds: 10 },
  { rate: 100, records: 100, seconds: 10 },
];

const againstPoints: readonly Point[] = [
  { rate: 50, records: 1, seconds: 15 },
  { rate: 1000, records: 1, seconds: 15 },
];

const { values } = parseArgs({
  options: {
    rate: { type: 'string' },
    records: { type: 'string' },
    seconds: { type: 'string' },
    validators: { type: 'string', default: '4' },
    profile: { type: 'string' },
    against: { type: 'string' },
    rounds: { type: 'string' },
    'no-ramp': { type: 'boolean', default: false },
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

const validators = number('validators', values.validators, 4, 16);
const progress = (text: string): void => void process.stderr.write(`${text}\n`);
if (values.against !== undefined) {
  await against(values.against);
  process.exit(0);
}

const result = await bench({
  validators,
  points: chosen ? [point] : standardPoints,
  warmUpSeconds: 3,
  ...(profileDir === undefined ? {} : { profileDir }),
  progress,
});
process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : render(result));

async function against(rival: string): Promise<void> {
  if (rival !== 'cometbft') {
    process.stderr.write(`--against takes cometbft, not '${rival}'\n`);
    process.exit(2);
  }
  const dir = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  try {
    const binary = await buildCometBft(dir, progress);
    if (binary === undefined) {
      process.stderr.write('skipped: CometBFT is built with Go, which is not here (https://go.dev/dl/)\n');
      return;
    }
    const result = await duel({
      engines: [() => openWeft({ validators, progress }), () => openCometBft({ binary, validators, progress })],
      points: chosen ? [point] : againstPoints,
      rounds: number('rounds', values.rounds, 2, 20),
      warmUpSeconds: 3,
      ramps: values['no-ramp']
        ? []
        : [
            { records: 1, from: 750 },
            { records: 100, from: 200 },
          ],
      rampSeconds: 8,
      progress,
    });
    const where = machine();
    process.stdout.write(
      values.json ? `${JSON.stringify({ machine: where, ...result })}\n` : `${place(where)}\n${renderDuel(result)}`,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function place({ cores, cpu, memoryGiB, kernel, node }: Machine): string {
  return `${cores} × ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}; load and validators share it`;
}

function render({ version, machine, validators, points }: BenchResult): string {
  const head = [`weft ${version}, ${validators} validators, Node ${machine.node}`, place(machine)];
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
