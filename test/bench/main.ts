// `npm run bench`: finality, rate and cost of a network of real processes on this machine. See docs/performance.md.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { numberUpTo } from '../options.ts';
import { openWeft } from './bench.ts';
import { buildCometBft, openCometBft } from './cometbft.ts';
import { duel, renderDuel } from './duel.ts';
import { idle, renderIdle } from './idle.ts';
import { machine } from './processes.ts';
import { type Ramp, ramp } from './ramp.ts';
import { place, pointTable, renderPoint, renderRamp } from './render.ts';
import type { Engine, Point, PointResult } from './result.ts';
import { openSubscribers } from './subscribers.ts';
import { table } from './table.ts';

const usage = `usage: npm run bench                                   the standard points, and a ramp to the highest rate sustained
       npm run bench -- --rate N [--records K | --payload BYTES] [--seconds S] [--ramp]     one point
       npm run bench -- --against cometbft [--rounds R] [--no-ramp]     the same for CometBFT in turn, and the ratios
       npm run bench -- --delay MS                     every message between validators so late (50 tx/s)
       npm run bench -- --subscribers N                50 tx/s without and with N clients that listen
       npm run bench -- --idle S                       nobody sends anything
  everywhere: [--validators n] [--warm-up S (default 20: at 500 tx/s, before anything is measured)] [--quick] [--json] [--out FILE (the JSON, beside what is printed)] [--profile DIR]
`;

const standardPoints: readonly Point[] = [
  { rate: 50, records: 1, seconds: 10 },
  { rate: 500, records: 1, seconds: 10 },
  { rate: 1000, records: 1, seconds: 10 },
  { rate: 100, records: 100, seconds: 10 },
];
const packetIdBytes = 32;

const values = read();
function read() {
  try {
    return parseArgs({
      options: {
        rate: { type: 'string' },
        records: { type: 'string' },
        payload: { type: 'string' },
        seconds: { type: 'string' },
        validators: { type: 'string', default: '4' },
        'warm-up': { type: 'string' },
        ramp: { type: 'boolean', default: false },
        'no-ramp': { type: 'boolean', default: false },
        against: { type: 'string' },
        rounds: { type: 'string' },
        delay: { type: 'string' },
        subscribers: { type: 'string' },
        idle: { type: 'string' },
        quick: { type: 'boolean', default: false },
        profile: { type: 'string' },
        json: { type: 'boolean', default: false },
        out: { type: 'string' },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exit(2);
  }
}

function number(name: string, text: string | undefined, otherwise: number, max: number): number {
  return text === undefined ? otherwise : numberUpTo(name, text, max);
}

// So that `exit` is told, and nothing is left running.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const progress = (text: string): void => void process.stderr.write(`${text}\n`);
const { quick } = values;
const validators = number('validators', values.validators, 4, 16);
const delayMs = values.delay === undefined ? 0 : number('delay', values.delay, 50, 10_000);
const subscriberCount = values.subscribers === undefined ? 0 : number('subscribers', values.subscribers, 1000, 4000);
const idleSeconds = values.idle === undefined ? 0 : number('idle', values.idle, 60, 3600);
const warmUpSeconds = number('warm-up', values['warm-up'], quick ? 3 : 20, 200);
const rounds = number('rounds', values.rounds, quick ? 1 : 3, 20);
const packets = Math.ceil(number('payload', values.payload, packetIdBytes, 256 * packetIdBytes) / packetIdBytes);
const chosen = [values.rate, values.records, values.seconds, values.payload].some((value) => value !== undefined);
const point: Point = {
  rate: number('rate', values.rate, delayMs > 0 || subscriberCount > 0 ? 50 : 500, 100_000),
  records: number('records', values.records, packets, 256),
  seconds: number('seconds', values.seconds, delayMs > 0 ? 20 : 10, 200),
};
const rampSeconds = quick ? 5 : 8;
const profileDir = values.profile === undefined ? undefined : resolve(values.profile);
if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });

if (values.against !== undefined) await against(values.against);
else if (idleSeconds > 0) {
  const result = await idle(validators, idleSeconds, progress);
  give({ machine: machine(), idle: result }, () => renderIdle(result));
} else if (delayMs > 0) await delayed();
else if (subscriberCount > 0) await heard();
else await standard();

/** `render`: what is printed for people; with `--json` the object is. */
function give(result: object, render: () => string): void {
  const text = `${JSON.stringify(result)}\n`;
  if (values.out !== undefined) writeFileSync(values.out, text);
  process.stdout.write(values.json ? text : `${place(machine())}\n${render()}`);
}

async function withWeft<T>(work: (engine: Engine & { readonly rpc: readonly string[] }) => Promise<T>): Promise<T> {
  const engine = await openWeft({
    validators,
    delayMs,
    ...(profileDir === undefined ? {} : { profileDir }),
    warmUpSeconds,
    progress,
  });
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

async function runPoints(engine: Engine, points: readonly Point[]): Promise<PointResult[]> {
  const results: PointResult[] = [];
  for (const each of points) {
    progress(`${each.rate} tx/s, ${each.records} packets each, ${each.seconds} s`);
    results.push(await engine.run(each));
  }
  return results;
}

async function standard(): Promise<void> {
  const all = standardPoints.map((each) => (quick ? { ...each, seconds: 5 } : each));
  const withRamp = values.ramp || (!chosen && !values['no-ramp']);
  await withWeft(async (engine) => {
    const points = await runPoints(engine, chosen ? [point] : all);
    const ramps: Ramp[] = [];
    if (withRamp) {
      const from = chosen ? point.rate : 1000;
      ramps.push(await ramp(engine, { records: point.records, from, seconds: rampSeconds, progress }));
    }
    const result = { version: engine.version, machine: machine(), validators, points, ramps };
    give(result, () =>
      [
        `weft ${engine.version}, ${validators} validators`,
        ...points.map(renderPoint),
        ...ramps.map(renderRamp),
        '',
        pointTable(points),
        '',
      ].join('\n'),
    );
  });
}

/** A proposal and two rounds of votes are three delays; a transaction on its way to a leader, and a leader that is not yet due, two more. */
async function delayed(): Promise<void> {
  await withWeft(async (engine) => {
    const [result] = await runPoints(engine, [point]);
    if (result === undefined) return;
    const rows = [
      { what: 'proposal to finalization', p50: result.proposalMs?.p50 ?? Number.NaN, limit: 3.3 * delayMs + 15 },
      { what: 'due to finalized', p50: result.finalityMs.p50, limit: 5 * delayMs + 15 },
    ];
    give({ version: engine.version, machine: machine(), validators, delayMs, point: result, rows }, () =>
      [
        `weft ${engine.version}, ${validators} validators, ${delayMs} ms one way between every two`,
        renderPoint(result),
        '',
        table(
          [`${delayMs} ms one way, ${point.rate} tx/s`, 'p50', 'limit', ''],
          rows.map(({ what, p50, limit }) => [what, `${p50} ms`, `${limit} ms`, verdict(p50 <= limit)]),
        ),
        '',
      ].join('\n'),
    );
  });
}

async function heard(): Promise<void> {
  await withWeft(async (engine) => {
    const [without] = await runPoints(engine, [point]);
    progress(`opening ${subscriberCount} subscriptions`);
    const subscribers = await openSubscribers(engine.rpc, subscriberCount);
    const before = await subscribers.heard();
    const [withThem] = await runPoints(engine, [point]);
    const heardPerSecond = Math.round(((await subscribers.heard()) - before) / point.seconds);
    const closed = subscribers.closed();
    await subscribers.close();
    if (without === undefined || withThem === undefined) return;
    const result = { version: engine.version, machine: machine(), validators, subscribers: subscriberCount };
    give({ ...result, closed, heardPerSecond, without, with: withThem }, () =>
      [
        `weft ${engine.version}, ${validators} validators, ${point.rate} tx/s; ${subscriberCount} subscribers heard ${heardPerSecond} blocks a second, ${closed} were closed`,
        '',
        table(
          ['subscribers', 'finality p50', 'p99', 'CPU of the validators'],
          [without, withThem].map(({ finalityMs, validatorCpuSeconds }, i) => [
            i === 0 ? 'none' : subscriberCount,
            `${finalityMs.p50} ms`,
            `${finalityMs.p99} ms`,
            `${validatorCpuSeconds.join(' ')} s`,
          ]),
        ),
        '',
      ].join('\n'),
    );
  });
}

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
    const seconds = quick ? 6 : 10;
    const result = await duel({
      engines: [() => openWeft({ validators, progress }), () => openCometBft({ binary, validators, progress })],
      points: chosen
        ? [point]
        : [
            { rate: 50, records: 1, seconds },
            { rate: 1000, records: 1, seconds },
          ],
      curve:
        chosen || quick
          ? []
          : [
              { rate: 200, records: 1, seconds: 6 },
              { rate: 500, records: 1, seconds: 6 },
              { rate: 25, records: 100, seconds: 6 },
              { rate: 100, records: 100, seconds: 6 },
            ],
      rounds,
      warmUpSeconds,
      ramps: values['no-ramp']
        ? []
        : [
            { records: 1, from: 1000 },
            { records: 100, from: 200 },
          ],
      rampSeconds: quick ? 4 : 6,
      progress,
    });
    give({ machine: machine(), validators, ...result }, () => renderDuel(result));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function verdict(holds: boolean): string {
  return holds ? 'holds' : '**above the limit**';
}
