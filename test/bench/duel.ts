// Weft and a rival in one run, alternating, and what one is to the other. Ratios of one run are worth believing; figures of two
// runs on a shared machine are not.
import type { Engine, Point, PointResult } from './bench.ts';

export type Open = () => Promise<Engine>;

export type DuelOptions = {
  readonly engines: readonly [Open, Open];
  readonly points: readonly Point[];
  /** Of alternation: each point is run so often by each. */
  readonly rounds: number;
  readonly warmUpSeconds: number;
  /** Ids per transaction of the ramps that look for the highest rate sustained. */
  readonly ramps: readonly { readonly records: number; readonly from: number }[];
  readonly rampSeconds: number;
  readonly progress: (text: string) => void;
};

export type DuelPoint = { readonly point: Point; readonly results: readonly (readonly PointResult[])[] };
export type DuelRamp = {
  readonly records: number;
  /** By engine: the steps that were tried, ascending. */
  readonly steps: readonly (readonly PointResult[])[];
  /** By engine: committed per second at the highest rate that was sustained; 0 when the first was not. */
  readonly sustained: readonly number[];
};
export type DuelResult = {
  readonly names: readonly string[];
  readonly versions: readonly string[];
  readonly points: readonly DuelPoint[];
  readonly ramps: readonly DuelRamp[];
};

const rampFactor = 1.25;
const rampStepsMax = 16;
const sustainedP99Ms = 1000;

/** Everything that was sent is committed in time: the rule is the same for both. */
export function isSustained(result: PointResult): boolean {
  return (
    result.committed === result.sent &&
    result.finalityMs.p99 < sustainedP99Ms &&
    result.committedPerSecond >= 0.97 * result.rate
  );
}

export async function duel(options: DuelOptions): Promise<DuelResult> {
  const { engines, progress, warmUpSeconds } = options;
  const names: string[] = [];
  const versions: string[] = [];
  /** Each is alone on the machine while it is measured. */
  const alone = async <T>(which: number, work: (engine: Engine) => Promise<T>): Promise<T> => {
    const engine = await (engines[which] as Open)();
    names[which] = engine.name;
    versions[which] = engine.version;
    try {
      if (warmUpSeconds > 0) await engine.run({ rate: 200, records: 1, seconds: warmUpSeconds });
      return await work(engine);
    } finally {
      await engine.close();
    }
  };
  const results: PointResult[][][] = options.points.map(() => [[], []]);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const which of [0, 1]) {
      await alone(which, async (engine) => {
        for (const [i, point] of options.points.entries()) {
          progress(`${engine.name}: ${point.rate} tx/s × ${point.records}, ${point.seconds} s (round ${round + 1})`);
          results[i]?.[which]?.push(await engine.run(point));
        }
      });
    }
  }
  const ramps: DuelRamp[] = [];
  for (const { records, from } of options.ramps) {
    const steps: PointResult[][] = [];
    for (const which of [0, 1]) steps.push(await alone(which, (engine) => ramp(engine, records, from, options)));
    const sustained = steps.map((tried) => tried.filter(isSustained).at(-1)?.committedPerSecond ?? 0);
    ramps.push({ records, steps, sustained });
  }
  return {
    names,
    versions,
    points: options.points.map((point, i) => ({ point, results: results[i] ?? [] })),
    ramps,
  };
}

/** Ever more until two steps in a row are not sustained: one alone may be the machine's fault. */
async function ramp(
  engine: Engine,
  records: number,
  from: number,
  { rampSeconds, progress }: DuelOptions,
): Promise<PointResult[]> {
  const tried: PointResult[] = [];
  let failures = 0;
  for (let rate = from; tried.length < rampStepsMax && failures < 2; rate = Math.round(rate * rampFactor)) {
    const result = await engine.run({ rate, records, seconds: rampSeconds });
    tried.push(result);
    failures = isSustained(result) ? 0 : failures + 1;
    const { p50, p99 } = result.finalityMs;
    progress(`${engine.name}: ${rate}/s × ${records}: ${result.committedPerSecond}/s, p50 ${p50} ms, p99 ${p99} ms`);
  }
  return tried;
}

/** Of an odd or even number of figures. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

export function renderDuel({ names, versions, points, ramps }: DuelResult): string {
  const lines = [names.map((name, i) => `${name} ${versions[i]}`).join(' against '), ''];
  const row = (cells: readonly (string | number)[]): void => void lines.push(`| ${cells.join(' | ')} |`);
  const [own = '', other = ''] = names;
  row(['load', 'figure', own, other, `${own} / ${other}`]);
  row(['---', '---', '---', '---', '---']);
  const compare = (load: string, what: string, a: number, b: number): void =>
    row([load, what, round(a), round(b), b === 0 ? '–' : (a / b).toFixed(2)]);
  for (const { point, results } of points) {
    const load = `${point.rate} tx/s × ${point.records}`;
    const of = (pick: (result: PointResult) => number): [number, number] => [
      median((results[0] ?? []).map(pick)),
      median((results[1] ?? []).map(pick)),
    ];
    compare(load, 'committed/s', ...of(({ committedPerSecond }) => committedPerSecond));
    compare('', 'finality p50, ms', ...of(({ finalityMs }) => finalityMs.p50));
    compare('', 'finality p99, ms', ...of(({ finalityMs }) => finalityMs.p99));
    compare('', 'CPU of a validator per tx, ms', ...of(cpuPerTransaction));
    compare('', 'peak RSS, MiB', ...of(({ validatorPeakRssMiB }) => Math.max(...validatorPeakRssMiB)));
    compare('', 'disk per tx, bytes', ...of(({ diskBytesPerTransaction }) => diskBytesPerTransaction));
    const others = Math.max(...results.flat().map(({ otherCores }) => otherCores));
    if (others > 0.2) row(['', `other programs kept up to ${others.toFixed(1)} cores busy`, '', '', '']);
  }
  for (const { records, sustained } of ramps)
    compare(`ramp × ${records}`, 'highest sustained, tx/s', sustained[0] ?? 0, sustained[1] ?? 0);
  return `${lines.join('\n')}\n`;
}

function cpuPerTransaction({ validatorCpuSeconds, committed }: PointResult): number {
  const total = validatorCpuSeconds.reduce((sum, each) => sum + each, 0);
  return (1000 * total) / validatorCpuSeconds.length / Math.max(1, committed);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
