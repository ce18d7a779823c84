// Weft and a rival in one run, alternating, and what one is to the other. Ratios of one run are worth believing; figures of two
// runs on a shared machine are not.
import { warmUpRate } from './bench.ts';
import { type Ramp, ramp } from './ramp.ts';
import { cpuPerTransaction, type Engine, median, type Point, type PointResult } from './result.ts';
import { type Cell, table } from './table.ts';

export type Open = () => Promise<Engine>;

export type DuelOptions = {
  readonly engines: readonly [Open, Open];
  readonly points: readonly Point[];
  /** Only in the first round, and in no table: they make the curve of a chart whole. */
  readonly curve?: readonly Point[];
  /** Of alternation: each point and each ramp is run so often by each. */
  readonly rounds: number;
  readonly warmUpSeconds: number;
  /** Ids per transaction of the ramps that look for the highest rate sustained, and where the first one begins. */
  readonly ramps: readonly { readonly records: number; readonly from: number }[];
  readonly rampSeconds: number;
  readonly progress: (text: string) => void;
};

export type DuelPoint = { readonly point: Point; readonly results: readonly (readonly PointResult[])[] };
export type DuelRamp = {
  readonly records: number;
  /** By engine: one a round. */
  readonly ramps: readonly (readonly Ramp[])[];
  /** By engine: the median of the rounds. */
  readonly sustained: readonly number[];
};
export type DuelResult = {
  readonly names: readonly string[];
  readonly versions: readonly string[];
  readonly points: readonly DuelPoint[];
  readonly curve: readonly DuelPoint[];
  readonly ramps: readonly DuelRamp[];
};

export async function duel(options: DuelOptions): Promise<DuelResult> {
  const { engines, progress, warmUpSeconds, rounds } = options;
  const names: string[] = [];
  const versions: string[] = [];
  const results: PointResult[][][] = options.points.map(() => [[], []]);
  const curve: PointResult[][][] = (options.curve ?? []).map(() => [[], []]);
  const ramps: Ramp[][][] = options.ramps.map(() => [[], []]);
  for (let round = 1; round <= rounds; round += 1) {
    for (const which of [0, 1] as const) {
      // Each is alone on the machine while it is measured.
      const engine = await engines[which]();
      names[which] = engine.name;
      versions[which] = engine.version;
      try {
        if (warmUpSeconds > 0) await engine.run({ rate: warmUpRate, records: 1, seconds: warmUpSeconds });
        for (const [i, point] of options.points.entries()) {
          progress(`${engine.name}: ${point.rate} tx/s × ${point.records}, ${point.seconds} s (round ${round})`);
          results[i]?.[which]?.push(await engine.run(point));
        }
        for (const [i, point] of (round === 1 ? (options.curve ?? []) : []).entries()) {
          progress(`${engine.name}: ${point.rate} tx/s × ${point.records}, ${point.seconds} s`);
          curve[i]?.[which]?.push(await engine.run(point));
        }
        for (const [i, { records, from }] of options.ramps.entries()) {
          // A later round only looks around what the one before has found.
          const before = ramps[i]?.[which]?.at(-1)?.sustained ?? 0;
          const start = before > 0 ? Math.round(before) : from;
          ramps[i]?.[which]?.push(await ramp(engine, { records, from: start, seconds: options.rampSeconds, progress }));
        }
      } finally {
        await engine.close();
      }
    }
  }
  return {
    names,
    versions,
    points: options.points.map((point, i) => ({ point, results: results[i] ?? [] })),
    curve: (options.curve ?? []).map((point, i) => ({ point, results: curve[i] ?? [] })),
    ramps: options.ramps.map(({ records }, i) => {
      const found = ramps[i] ?? [];
      return { records, ramps: found, sustained: found.map((each) => median(each.map(({ sustained }) => sustained))) };
    }),
  };
}

/** A table in Markdown: the medians, each engine's spread (least to most of the rounds), and the ratios. */
export function renderDuel({ names, versions, points, ramps }: DuelResult): string {
  const rows: Cell[][] = [];
  const [own = '', other = ''] = names;
  const compare = (load: string, what: string, each: readonly (readonly number[])[]): void => {
    const [a = Number.NaN, b = Number.NaN] = each.map(median);
    if (!Number.isFinite(a) && !Number.isFinite(b)) return;
    const ratio = Number.isFinite(a) && Number.isFinite(b) && b !== 0 ? (a / b).toFixed(2) : '–';
    rows.push([load, what, withSpread(each[0] ?? []), withSpread(each[1] ?? []), ratio]);
  };
  for (const { point, results } of points) {
    const load = `${point.rate} tx/s × ${point.records}`;
    const of = (pick: (result: PointResult) => number): number[][] => results.map((each) => each.map(pick));
    compare(
      load,
      'committed/s',
      of(({ committedPerSecond }) => committedPerSecond),
    );
    compare(
      '',
      'finality p50, ms',
      of(({ finalityMs }) => finalityMs.p50),
    );
    compare(
      '',
      'finality p99, ms',
      of(({ finalityMs }) => finalityMs.p99),
    );
    compare('', 'CPU of a validator per tx, ms', of(cpuPerTransaction));
    compare(
      '',
      'peak RSS, MiB',
      of(({ validatorPeakRssMiB }) => Math.max(...validatorPeakRssMiB)),
    );
    compare(
      '',
      'disk per tx, bytes',
      of(({ diskBytesPerTransaction }) => diskBytesPerTransaction),
    );
    compare(
      '',
      'wire per tx, all together, bytes',
      of(({ wireBytesPerTransaction }) => wireBytesPerTransaction ?? Number.NaN),
    );
    const others = Math.max(...results.flat().map(({ otherCores }) => otherCores));
    if (others > 0.2) rows.push(['', `other programs kept up to ${others.toFixed(1)} cores busy`, '', '', '']);
  }
  for (const { records, ramps: found } of ramps) {
    const rates = found.map((each) => each.map(({ sustained }) => sustained));
    compare(`ramp × ${records}`, 'highest sustained, tx/s', rates);
    if (records > 1)
      compare(
        '',
        'ids/s',
        rates.map((each) => each.map((rate) => rate * records)),
      );
  }
  const against = names.map((name, i) => `${name} ${versions[i]}`).join(' against ');
  return `${against}\n\n${table(['load', 'figure', own, other, `${own} / ${other}`], rows)}\n`;
}

function withSpread(values: readonly number[]): string {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return '–';
  const middle = `${round(median(known))}`;
  const same = Math.min(...known) === Math.max(...known);
  return same ? middle : `${middle} (${round(Math.min(...known))}–${round(Math.max(...known))})`;
}

function round(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}
