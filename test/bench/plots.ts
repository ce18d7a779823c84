// `node test/bench/plots.ts [--duel FILE] [--growth FILE] [--out docs]`: what `npm run bench -- --against cometbft --out FILE` and
// `growth.ts --out FILE` have found, as latency.svg and growth.svg.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Axis, niceAbove } from '../svg.ts';
import { type ChartPanel, type ChartPoint, chart } from './chart.ts';
import type { DuelResult } from './duel.ts';
import type { ChainGrowth } from './growthCommit.ts';
import type { NetworkGrowth } from './growthNetwork.ts';
import type { Machine } from './processes.ts';
import { isSustained } from './ramp.ts';
import { median, type PointResult } from './result.ts';

const colours = ['#1f77b4', '#d9480f'];
const limitColour = '#2b8a3e';
/** Rates of different rounds that lie so near to each other are one point. */
const sameRate = 1.08;

const { values } = parseArgs({
  options: { duel: { type: 'string' }, growth: { type: 'string' }, out: { type: 'string', default: 'docs' } },
});
if (values.duel !== undefined) {
  const found = JSON.parse(readFileSync(values.duel, 'utf8')) as DuelResult & { readonly machine: Machine };
  writeFileSync(join(values.out, 'latency.svg'), latency(found));
}
if (values.growth !== undefined) {
  const found = JSON.parse(readFileSync(values.growth, 'utf8')) as Parameters<typeof growth>[0];
  writeFileSync(join(values.out, 'growth.svg'), growth(found));
}

function latency(found: DuelResult & { readonly machine: Machine }): string {
  const { names, versions, machine } = found;
  const panels = [1, 100].flatMap((records): ChartPanel[] => {
    const byEngine = names.map((_, which) => resultsOf(found, records, which));
    if (byEngine.every((results) => results.length === 0)) return [];
    const all = byEngine.flat();
    const rates = all.map(({ rate }) => rate);
    const ramp = found.ramps.find((each) => each.records === records);
    return [
      {
        title:
          records === 1
            ? 'From due to final and durable, milliseconds: transactions of one packet id'
            : `The same: transactions of ${records} packet ids (${(records * 32) / 1000} KB of them)`,
        x: {
          label: 'transactions offered a second, over four validators',
          logarithmic: true,
          from: 0.8 * Math.min(...rates),
          to: 1.15 * Math.max(...rates),
        },
        y: { label: 'ms', logarithmic: true, from: 5, to: 10_000 },
        lines: byEngine.flatMap((results, which) => [
          {
            name: `${names[which]} ${versions[which]}, median`,
            colour: colours[which] ?? '#000',
            points: pointsOf(results, ({ finalityMs }) => finalityMs.p50),
          },
          {
            name: `${names[which]}, 99th percentile`,
            colour: colours[which] ?? '#000',
            dashed: true,
            points: pointsOf(results, ({ finalityMs }) => finalityMs.p99),
          },
        ]),
        marks: [
          { y: 1000, text: 'more is not sustained', colour: limitColour },
          ...(ramp?.sustained ?? []).flatMap((rate, which) =>
            rate > 0 ? [{ x: rate, text: `sustained: ${Math.round(rate)}/s`, colour: colours[which] ?? '#000' }] : [],
          ),
        ],
      },
    ];
  });
  return chart(`${names.join(' and ')}: four validators and the load on ${machine.cores} × ${machine.cpu}`, panels, {
    width: 960,
    height: 440,
  });
}

function resultsOf({ points, curve, ramps }: DuelResult, records: number, which: number): PointResult[] {
  return [
    ...[...points, ...curve].flatMap(({ point, results }) => (point.records === records ? (results[which] ?? []) : [])),
    ...ramps.flatMap((each) =>
      each.records === records ? (each.ramps[which] ?? []).flatMap(({ steps }) => steps) : [],
    ),
  ].sort((a, b) => a.rate - b.rate);
}

/** Medians of what was measured at about the same rate. */
function pointsOf(results: readonly PointResult[], of: (result: PointResult) => number): ChartPoint[] {
  const groups: PointResult[][] = [];
  for (const result of results) {
    const last = groups.at(-1);
    if (last !== undefined && result.rate <= (last[0]?.rate ?? 0) * sameRate) last.push(result);
    else groups.push([result]);
  }
  return groups.map((group) => ({
    x: median(group.map(({ rate }) => rate)),
    y: median(group.map(of)),
    open: 2 * group.filter(isSustained).length < group.length,
  }));
}

type Grown = {
  readonly machine: Machine;
  readonly chain: readonly { readonly commit: ChainGrowth; readonly network: NetworkGrowth }[];
};

function growth({ machine, chain }: Grown): string {
  const entries = chain.map(({ commit }) => commit.entries);
  const x: Axis = {
    label: 'log entries',
    logarithmic: true,
    from: 0.6 * Math.min(...entries),
    to: 1.8 * Math.max(...entries),
    ticks: [10_000, 100_000, 1_000_000, 10_000_000].filter((tick) => tick <= 1.8 * Math.max(...entries)),
  };
  type Each = (typeof chain)[number];
  const panel = (
    title: string,
    lines: readonly (readonly [name: string, of: (each: Each) => number])[],
    limit?: { readonly at: number; readonly text: string },
  ): ChartPanel => {
    const values = chain.flatMap((each) => lines.map(([, of]) => of(each)));
    return {
      title,
      x,
      y: { label: '', from: 0, to: niceAbove(1.35 * Math.max(...values, limit?.at ?? 0)) },
      lines: lines.map(([name, of], i) => ({
        name,
        colour: colours[i] ?? '#555',
        dashed: i > 0,
        points: chain.map((each) => ({ x: each.commit.entries, y: of(each) })),
      })),
      ...(limit === undefined ? {} : { marks: [{ y: limit.at, text: limit.text, colour: limitColour }] }),
    };
  };
  const [first] = chain;
  const cpu = first?.commit.blockCpuMs ?? 0;
  return chart(
    `A validator as its chain grows (${machine.cores} × ${machine.cpu})`,
    [
      panel(
        'A block of 10, ms',
        [
          ['CPU', ({ commit }) => commit.blockCpuMs],
          ['its commit, median', ({ commit }) => commit.commitMs.p50],
        ],
        { at: 1.3 * cpu, text: 'limit of CPU' },
      ),
      panel(
        'From start to vote, s',
        [
          ['by the clock', ({ network }) => network.liveSeconds],
          ['CPU', ({ network }) => network.liveCpuSeconds],
        ],
        { at: 3, text: 'limit' },
      ),
      panel(
        'Questions to a node, median, ms',
        [
          ['a token', ({ network }) => network.tokenMs.p50],
          ['an entry', ({ network }) => network.entryMs.p50],
        ],
        { at: 2, text: 'limit of a token' },
      ),
      panel('Memory, MiB', [
        ['resident', ({ network }) => Math.max(...network.rssMiB)],
        ['without mapped files', ({ network }) => Math.max(...network.anonymousMiB)],
      ]),
    ],
    { columns: 2, width: 520, height: 320 },
  );
}
