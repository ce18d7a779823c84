import { type Axis, fixed, line, niceAbove, page, share, text, ticksOf } from '../svg.ts';

/** Panels of lines over a common time axis. Just what the soak needs. */

export type Line = {
  readonly name: string;
  readonly colour: string;
  /** A `y` of NaN interrupts the line. */
  readonly points: readonly (readonly [x: number, y: number])[];
};

export type Panel = {
  readonly title: string;
  readonly unit: string;
  /** Powers of ten instead of equal steps. */
  readonly logarithmic?: boolean;
  readonly lines: readonly Line[];
};

export type Mark = { readonly x: number; readonly kind: string; readonly colour: string };

const width = 1000;
const panelHeight = 220;
const left = 70;
const right = 20;
const gap = 46;

/** `x` in minutes from 0 to `until`. */
export function plot(title: string, until: number, panels: readonly Panel[], marks: readonly Mark[]): string {
  const height = 80 + panels.length * (panelHeight + gap);
  const atX = (x: number): number => left + ((width - left - right) * x) / until;
  const parts = [text(left, 22, title, 'font-size="15"'), ...legend(marks)];
  for (const [i, panel] of panels.entries()) {
    const top = 70 + i * (panelHeight + gap);
    parts.push(...drawPanel(panel, top, until, atX, marks));
  }
  return page({ title, width, height, fontSize: 12 }, parts);
}

function drawPanel(
  { title, unit, logarithmic = false, lines }: Panel,
  top: number,
  until: number,
  atX: (x: number) => number,
  marks: readonly Mark[],
): string[] {
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y)).filter((y) => Number.isFinite(y));
  const axis = logarithmic ? powersOver(values) : linearOver(values);
  const atY = (y: number): number => top + panelHeight * (1 - share(axis, y));
  const parts = marks.map(({ x, colour }) =>
    line(atX(x), top, atX(x), top + panelHeight, `stroke="${colour}" stroke-opacity="0.35"`),
  );
  for (const tick of ticksOf(axis)) {
    parts.push(line(left, atY(tick), width - right, atY(tick), 'stroke="#ccc"'));
    parts.push(text(left - 6, atY(tick) + 4, `${Number(tick.toPrecision(3))}`, 'text-anchor="end"'));
  }
  const step = [1, 2, 5, 10, 20, 30, 60].find((each) => until / each <= 12) ?? 120;
  for (let x = 0; x <= until; x += step)
    parts.push(text(atX(x), top + panelHeight + 15, `${x} min`, 'text-anchor="middle"'));
  parts.push(text(left, top - 8, `${title} (${unit})`, 'font-weight="bold"'));
  for (const [i, { name, colour, points }] of lines.entries()) {
    parts.push(text(width - right - (lines.length - i) * 40, top - 8, name, `fill="${colour}"`));
    let d = '';
    let joined = false;
    for (const [x, y] of points) {
      if (Number.isFinite(y)) d += `${joined ? 'L' : 'M'}${fixed(atX(x))} ${fixed(atY(y))}`;
      joined = Number.isFinite(y);
    }
    parts.push(`<path d="${d}" fill="none" stroke="${colour}" stroke-width="1.2"/>`);
  }
  return parts;
}

function legend(marks: readonly Mark[]): string[] {
  const kinds = new Map(marks.map(({ kind, colour }) => [kind, colour]));
  return [...kinds].map(([kind, colour], i) => text(left + i * 90, 42, `| ${kind}`, `fill="${colour}"`));
}

function linearOver(values: readonly number[]): Axis {
  // Round numbers of which a quarter is round, too.
  return { label: '', from: 0, to: niceAbove(Math.max(...values, Number.MIN_VALUE), [1, 2, 4, 6, 8, 10]) };
}

function powersOver(values: readonly number[]): Axis {
  const highest = Math.max(...values, Number.MIN_VALUE);
  const from = Math.floor(Math.log10(Math.min(...values.filter((y) => y > 0), highest)));
  const to = Math.ceil(Math.log10(highest));
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
  return { label: '', logarithmic: true, from: 10 ** from, to: 10 ** to, ticks };
}
