// The arithmetic and the drawing behind the soak's report.
import t from 'tap';
import { pooledSlope, quantile, slope } from './fit.ts';
import { plot } from './plot.ts';
import { growth } from './report.ts';
import type { ProcessSample } from './samples.ts';

t.test('slopes', async (t) => {
  const line = (offset: number, from: number) => [0, 1, 2, 3].map((i) => ({ x: from + i, y: offset + 2 * (from + i) }));
  t.equal(slope(line(5, 0)), 2);
  t.equal(pooledSlope([line(5, 0), line(-100, 10)]), 2, 'levels of their own do not matter');
  t.ok(Number.isNaN(slope([{ x: 1, y: 1 }])));
  t.equal(quantile([3, 1, 2], 0.5), 2);
});

t.test('growth is within lives, without their first minute', async (t) => {
  const samples: ProcessSample[] = [];
  for (const [life, beganS] of [0, 600].entries()) {
    for (let ageS = 0; ageS < 600; ageS += 5) {
      // 36 MiB an hour, behind a steep beginning.
      const rssMiB = 100 + ageS / 100 + Math.min(ageS, 60);
      samples.push({ name: 'v1', life, atS: beganS + ageS, ageS, rssMiB, anonMiB: rssMiB, heapMiB: 50 });
    }
  }
  const [found] = growth(samples);
  t.equal(Math.round(found!.rssPerHour), 36);
  t.equal(found!.heapPerHour, 0);
  t.equal(Math.round(found!.youngRssPerHour), 0);
  t.equal(found!.lives, 2);
});

t.test('a plot is well-formed, escapes what it is told, and interrupts lines', async (t) => {
  const line = {
    name: 'a',
    colour: '#000',
    points: [
      [0, 1],
      [1, 20],
      [1.5, Number.NaN],
      [2, 300],
    ] as const,
  };
  const panels = [
    { title: 'a < b & c', unit: 'ms', logarithmic: true, lines: [line] },
    { title: 'linear', unit: 'MiB', lines: [line] },
  ];
  const text = plot('all', 3, panels, [{ x: 1, kind: 'kill', colour: '#f00' }]);
  t.match(text, 'a &lt; b &amp; c');
  t.notMatch(text, /NaN|Infinity/);
  const paths = [...text.matchAll(/<path d="([^"]+)"/g)].map(([, d]) => d ?? '');
  t.equal(paths.length, 2);
  for (const d of paths) t.equal(d.split('M').length - 1, 2);
});
