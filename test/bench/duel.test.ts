import t from 'tap';
import { duel, renderDuel } from './duel.ts';
import { isSustained, ramp } from './ramp.ts';
import { type Engine, median, type Point, type PointResult, quantiles } from './result.ts';
import { sumBetween } from './wire.ts';

function resultOf(point: Point, committed: number, p99: number): PointResult {
  const sent = point.rate * point.seconds;
  return {
    ...point,
    offeredPerSecond: point.rate,
    committedPerSecond: committed / point.seconds,
    sent,
    committed,
    refused: {},
    finalityMs: { p50: p99 / 4, p99, max: p99 },
    admissionMs: quantiles([1]),
    blocksPerSecond: 1,
    transactionsPerBlock: 1,
    validatorCpuSeconds: [1, 1],
    validatorPeakRssMiB: [100, 120],
    diskBytesPerTransaction: 500,
    load: { cpuSeconds: 1, lateMs: quantiles([1]), busy: 0.1 },
    otherCores: 0,
    notes: [],
  };
}

/** Commits up to `most` a second, `p99` ms late. */
function engine(name: string, most: number, p99: number, seen: string[]): () => Promise<Engine> {
  return async () => {
    seen.push(`${name} opens`);
    return {
      name,
      version: '1',
      run: async (point) => {
        seen.push(`${name} ${point.rate}`);
        return resultOf(point, Math.min(point.rate, most) * point.seconds, point.rate > most ? 5000 : p99);
      },
      close: async () => void seen.push(`${name} closes`),
    };
  };
}

t.test('two engines in turn, each alone, and the highest rate that each sustains', async (t) => {
  const seen: string[] = [];
  const result = await duel({
    engines: [engine('a', 1000, 20, seen), engine('b', 400, 80, seen)],
    points: [{ rate: 50, records: 1, seconds: 2 }],
    rounds: 2,
    warmUpSeconds: 0,
    ramps: [{ records: 1, from: 320 }],
    rampSeconds: 1,
    progress: () => undefined,
  });
  const alone = ['a opens', 'a closes', 'b opens', 'b closes'];
  t.same(
    seen.filter((line) => /s$/.test(line)),
    [...alone, ...alone],
  );
  t.equal(seen.filter((line) => line === 'a 50').length, 2);
  t.same(
    seen.filter((line) => /^b \d/.test(line)),
    ['b 50', 'b 320', 'b 400', 'b 500', 'b 447', 'b 50', 'b 400', 'b 500', 'b 447'],
    'the second ramp begins where the first one ended',
  );
  t.same(result.ramps[0]?.sustained, [976, 400], 'steps of 1.25 from 320');
  const text = renderDuel(result);
  t.match(text, /finality p50, ms \| 5 \| 20 \| 0\.25/);
  t.match(text, /highest sustained, tx\/s \| 976 \| 400 \| 2\.44/);
});

t.test('a ramp that begins too high goes down', async (t) => {
  const open = await engine('c', 130, 20, [])();
  const { sustained, steps } = await ramp(open, { records: 1, from: 200, seconds: 1, progress: () => undefined });
  t.same(
    steps.map(({ rate }) => rate),
    [200, 160, 128, 143],
  );
  t.equal(sustained, 128);
});

t.test('bytes between processes are those of connections whose both ends are theirs', async (t) => {
  const line = (local: number, remote: number, pid: number, bytes: number): string =>
    `ESTAB 0 0 127.0.0.1:${local} 127.0.0.1:${remote} users:(("node",pid=${pid},fd=3)) cubic rto:200 bytes_sent:${bytes} bytes_acked:1`;
  const text = [
    line(10, 20, 1, 100),
    line(20, 10, 2, 7),
    line(11, 30, 1, 1000),
    line(30, 11, 3, 1000),
    'ESTAB 0 0 a b',
    '',
  ];
  t.equal(sumBetween(text.join('\n'), new Set([1, 2])), 107);
  t.equal(sumBetween('', new Set([1])), 0);
});

t.test('sustained means all of it, in time', async (t) => {
  const point = { rate: 100, records: 1, seconds: 1 };
  t.ok(isSustained(resultOf(point, 100, 999)));
  t.notOk(isSustained(resultOf(point, 99, 10)));
  t.notOk(isSustained(resultOf(point, 100, 1000)));
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
});
