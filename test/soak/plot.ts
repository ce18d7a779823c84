/** Panels of lines over a common time axis, as SVG. Just what the soak needs. */

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
  const parts: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${title.replace(/[<&]/g, '')}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(left, 22, title, 'font-size="15"'),
    ...legend(marks),
  ];
  for (const [i, panel] of panels.entries()) {
    const top = 70 + i * (panelHeight + gap);
    parts.push(...drawPanel(panel, top, until, atX, marks));
  }
  return `${parts.join('\n')}\n</svg>\n`;
}

function drawPanel(
  { title, unit, logarithmic = false, lines }: Panel,
  top: number,
  until: number,
  atX: (x: number) => number,
  marks: readonly Mark[],
): string[] {
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y)).filter((y) => Number.isFinite(y));
  const highest = Math.max(...values, Number.MIN_VALUE);
  const lowest = logarithmic ? 10 ** Math.floor(Math.log10(Math.min(...values.filter((y) => y > 0), highest))) : 0;
  const scale = (y: number): number => (logarithmic ? Math.log10(Math.max(y, lowest)) : y);
  const max = logarithmic ? Math.ceil(Math.log10(highest)) : niceAbove(highest);
  const min = scale(lowest);
  const atY = (y: number): number => top + panelHeight - (panelHeight * (scale(y) - min)) / Math.max(max - min, 1e-9);
  const parts = marks.map(
    ({ x, colour }) =>
      `<line x1="${f(atX(x))}" x2="${f(atX(x))}" y1="${top}" y2="${top + panelHeight}" stroke="${colour}" stroke-opacity="0.35"/>`,
  );
  const ticks = logarithmic
    ? Array.from({ length: max - min + 1 }, (_, i) => 10 ** (min + i))
    : [0, 1, 2, 3, 4].map((i) => (max * i) / 4);
  for (const tick of ticks) {
    parts.push(`<line x1="${left}" x2="${width - right}" y1="${f(atY(tick))}" y2="${f(atY(tick))}" stroke="#ccc"/>`);
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
      if (Number.isFinite(y)) d += `${joined ? 'L' : 'M'}${f(atX(x))} ${f(atY(y))}`;
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

function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 4, 6, 8, 10].find((each) => each * power >= value) ?? 10);
}

function text(x: number, y: number, words: string, attributes = ''): string {
  const safe = words.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<text x="${f(x)}" y="${f(y)}" ${attributes}>${safe}</text>`;
}

function f(value: number): string {
  return value.toFixed(1);
}
