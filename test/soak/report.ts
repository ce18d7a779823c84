import type { Machine } from '../bench/processes.ts';
import type { LogWatchFigures } from '../e2e/logWatch.ts';
import { mean, pooledSlope, quantile, type Sample, slope } from './fit.ts';
import { type Line, type Mark, plot } from './plot.ts';
import type { ProcessSample } from './samples.ts';

/** What a run of the soak shows: memory of each process over its time, finality, faults and what became of them. */

export type FaultRecord = {
  readonly atS: number;
  readonly name: string;
  readonly what: string;
  /** From its end until a transaction that was sent after it was final, and until every validator votes and none is behind. */
  readonly finalAgainMs: number;
  readonly allBackMs: number;
  /** Longest time without any transaction becoming final, from its beginning until all were back. */
  readonly pauseMs: number;
};

export type ClientSample = {
  readonly atS: number;
  readonly final: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

export type Run = {
  readonly seed: number;
  readonly version: string;
  readonly machine: Machine;
  readonly minutes: number;
  readonly everySeconds: number;
  readonly rate: number;
  readonly samples: readonly ProcessSample[];
  readonly clients: readonly ClientSample[];
  readonly faults: readonly FaultRecord[];
  readonly log: LogWatchFigures;
  readonly votes: number;
  /** Everything that is wrong, in words. */
  readonly words: readonly string[];
  /** Resident MiB of the checker itself, first and last. */
  readonly ownRssMiB: readonly [number, number];
};

/** The first minute of a life is not growth: code is compiled, caches fill. */
const youngS = 60;
const windowMinutes = 40;

/** Growth of one validator in MiB an hour. */
export type Growth = {
  readonly name: string;
  readonly lives: number;
  /** Seconds of the longest life. */
  readonly longestS: number;
  /** Over the last 40 minutes; one line with an intercept for each life. */
  readonly rssPerHour: number;
  readonly anonPerHour: number;
  readonly heapPerHour: number;
  /** Mean RSS between the first and the second minute of a life, over when it began: what grows from life to life. */
  readonly youngRssPerHour: number;
  readonly rssFirst: number;
  readonly rssLast: number;
};

export function growth(samples: readonly ProcessSample[]): Growth[] {
  const lastS = Math.max(...samples.map(({ atS }) => atS));
  return [...new Set(samples.map(({ name }) => name))].sort().map((name) => {
    const own = samples.filter((each) => each.name === name);
    const lives = [...new Set(own.map(({ life }) => life))].map((life) => own.filter((each) => each.life === life));
    const grown = lives.map((life) =>
      life.filter(({ ageS, atS }) => ageS >= youngS && atS >= lastS - windowMinutes * 60),
    );
    const series = (of: (each: ProcessSample) => number | undefined): Sample[][] =>
      grown.map((life) =>
        life.flatMap((each) => {
          const y = of(each);
          return y === undefined ? [] : [{ x: each.atS / 3600, y }];
        }),
      );
    const young = lives.flatMap((life) => {
      const minute = life.filter(({ ageS }) => ageS >= youngS && ageS < 2 * youngS);
      return minute.length === 0
        ? []
        : [{ x: mean(minute.map(({ atS }) => atS)) / 3600, y: mean(minute.map(({ rssMiB }) => rssMiB)) }];
    });
    return {
      name,
      lives: lives.length,
      longestS: Math.max(...own.map(({ ageS }) => ageS)),
      rssPerHour: pooledSlope(series(({ rssMiB }) => rssMiB)),
      anonPerHour: pooledSlope(series(({ anonMiB }) => anonMiB)),
      heapPerHour: pooledSlope(series(({ heapMiB }) => heapMiB)),
      youngRssPerHour: slope(young),
      rssFirst: own.find(({ ageS }) => ageS >= youngS)?.rssMiB ?? Number.NaN,
      rssLast: own.at(-1)?.rssMiB ?? Number.NaN,
    };
  });
}

export type FaultRow = {
  readonly name: string;
  readonly count: number;
  readonly finalAgainMs: Quantiles;
  readonly allBackMs: Quantiles;
  readonly pauseMs: Quantiles;
};
type Quantiles = { readonly p50: number; readonly max: number };

function faultRows(faults: readonly FaultRecord[]): FaultRow[] {
  return [...new Set(faults.map(({ name }) => name))].sort().map((name) => {
    const own = faults.filter((each) => each.name === name);
    const of = (what: (each: FaultRecord) => number): Quantiles => {
      const values = own.map(what);
      return { p50: Math.round(quantile(values, 0.5)), max: Math.round(Math.max(...values)) };
    };
    return {
      name,
      count: own.length,
      finalAgainMs: of(({ finalAgainMs }) => finalAgainMs),
      allBackMs: of(({ allBackMs }) => allBackMs),
      pauseMs: of(({ pauseMs }) => pauseMs),
    };
  });
}

export function summary(run: Run): Record<string, unknown> {
  const { samples, clients, faults, ...rest } = run;
  const p99s = clients.map(({ p99Ms }) => p99Ms).filter(Number.isFinite);
  return {
    ...rest,
    lost: run.words.length,
    growth: growth(samples),
    faults: faultRows(faults),
    finalityMs: {
      medianOfP50: quantile(clients.map(({ p50Ms }) => p50Ms).filter(Number.isFinite), 0.5),
      medianOfP99: quantile(p99s, 0.5),
      largest: Math.max(...p99s),
    },
    faultList: faults,
  };
}

export function table(run: Run): string {
  const one = (value: number): string => (Number.isFinite(value) ? value.toFixed(1) : '-');
  const rows = growth(run.samples).map(
    (g) =>
      `  ${g.name}   ${g.lives} lives, longest ${Math.round(g.longestS)} s   RSS ${one(g.rssFirst)} -> ${one(g.rssLast)} MiB   growth of RSS ${one(g.rssPerHour)}, without mapped files ${one(g.anonPerHour)}, of heap ${one(g.heapPerHour)} MiB/h   of young lives ${one(g.youngRssPerHour)} MiB/h`,
  );
  const faults = faultRows(run.faults).map(
    (f) =>
      `  ${f.name.padEnd(8)} ${String(f.count).padStart(4)} times   final again after ${f.finalAgainMs.p50} ms (most ${f.finalAgainMs.max})   all back after ${f.allBackMs.p50} ms (most ${f.allBackMs.max})   longest pause ${f.pauseMs.max} ms`,
  );
  const { submitted, finalized, acknowledged, expired, entries, heldMost } = run.log;
  return [
    `seed ${run.seed}, ${run.minutes} minutes, a fault each ${run.everySeconds} s, ${run.rate} transactions/s`,
    `  ${submitted} submitted, ${finalized} final (${acknowledged} told to clients), ${expired} expired, ${entries} entries, ${run.votes} votes on the wire`,
    `  checker: at most ${heldMost} things held, RSS ${run.ownRssMiB[0]} -> ${run.ownRssMiB[1]} MiB`,
    ...rows,
    ...faults,
    run.words.length === 0 ? '  nothing is lost, all logs are equal, no two votes conflict' : '  WRONG:',
    ...run.words.map((words) => `    ${words}`),
  ].join('\n');
}

const colours = ['#1f77b4', '#2ca02c', '#d62728', '#9467bd'];
const markColours: Readonly<Record<string, string>> = {
  kill: '#d62728',
  restart: '#e377c2',
  suspend: '#ff7f0e',
  'cut off': '#1f77b4',
  split: '#17becf',
  slow: '#7f7f7f',
  tear: '#8c564b',
};

export function svg(run: Run): string {
  const names = [...new Set(run.samples.map(({ name }) => name))].sort();
  const lines = (of: (each: ProcessSample) => number | undefined): Line[] =>
    names.map((name, i) => ({
      name,
      colour: colours[i % colours.length] ?? '#000',
      points: run.samples
        .filter((each) => each.name === name)
        .flatMap((each, at, own) => {
          const begins = at > 0 && own[at - 1]?.life !== each.life;
          const y = of(each);
          const point = y === undefined ? [] : [[each.atS / 60, y] as const];
          return begins ? [[each.atS / 60, Number.NaN] as const, ...point] : point;
        }),
    }));
  const marks: Mark[] = run.faults.map(({ atS, name }) => ({
    x: atS / 60,
    kind: name,
    colour: markColours[name] ?? '#000',
  }));
  const until = Math.max(1, ...run.samples.map(({ atS }) => atS / 60));
  const clientLine = (name: string, colour: string, of: (each: ClientSample) => number): Line => ({
    name,
    colour,
    points: run.clients.map((each) => [each.atS / 60, of(each)] as const),
  });
  const title = `weft ${run.version}: four validators, ${run.rate} transactions/s, a fault each ${run.everySeconds} s, seed ${run.seed}`;
  return plot(
    title,
    until,
    [
      { title: 'Resident memory', unit: 'MiB', lines: lines(({ rssMiB }) => rssMiB) },
      { title: 'Of it, without mapped files', unit: 'MiB', lines: lines(({ anonMiB }) => anonMiB) },
      { title: 'JavaScript heap in use', unit: 'MiB', lines: lines(({ heapMiB }) => heapMiB) },
      {
        title: 'From submission to final, as clients see it',
        unit: 'ms, in 5 s',
        logarithmic: true,
        lines: [clientLine('p50', '#1f77b4', ({ p50Ms }) => p50Ms), clientLine('p99', '#d62728', ({ p99Ms }) => p99Ms)],
      },
    ],
    marks,
  );
}
