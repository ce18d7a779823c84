/** Panels of lines over an axis of their own, as SVG: on white, so that they read the same in a light and a dark theme. */

export type ChartPoint = {
  readonly x: number;
  readonly y: number;
  /** Drawn as a ring: it does not count as the others do. */
  readonly open?: boolean;
};

export type ChartLine = {
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
  /** Ascending. */
  readonly points: readonly ChartPoint[];
};

export type Axis = {
  readonly label: string;
  readonly logarithmic?: boolean;
  readonly from: number;
  readonly to: number;
  /** Where lines stand; default: five equal steps, or 1, 2, 5 of each power of ten. */
  readonly ticks?: readonly number[];
};

export type ChartPanel = {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly ChartLine[];
  /** Across the panel at this `y`, or down at this `x`. */
  readonly marks?: readonly {
    readonly x?: number;
    readonly y?: number;
    readonly text: string;
    readonly colour: string;
  }[];
};

type Frame = { readonly left: number; readonly top: number; readonly width: number; readonly height: number };

const margin = { left: 64, right: 18, top: 40, bottom: 46 };
const headHeight = 34;
const legendHeight = 24;

/** `columns` panels beside each other, of this size each. */
export function chart(
  title: string,
  panels: readonly ChartPanel[],
  { columns = 1, width = 900, height = 460 }: { columns?: number; width?: number; height?: number } = {},
): string {
  const rows = Math.ceil(panels.length / columns);
  const total = { width: columns * width, height: headHeight + rows * height };
  const parts = panels.flatMap((panel, i) => {
    const left = (i % columns) * width + margin.left;
    const top = headHeight + Math.floor(i / columns) * height + margin.top;
    const frame = { left, top, width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
    return drawPanel(panel, frame);
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total.width} ${total.height}" font-family="sans-serif" font-size="13" fill="#222">`,
    `<title>${safe(title)}</title>`,
    `<rect width="${total.width}" height="${total.height}" rx="6" fill="#fff"/>`,
    text(margin.left, 24, title, 'font-size="16"'),
    ...parts,
  ].join('\n')}\n</svg>\n`;
}

function drawPanel({ title, x, y, lines, marks = [] }: ChartPanel, frame: Frame): string[] {
  const { left, top, width, height } = frame;
  const atX = (value: number): number => left + width * share(x, value);
  const atY = (value: number): number => top + height * (1 - share(y, value));
  const parts = [text(left, top - 14, title, 'font-weight="bold"')];
  for (const tick of ticksOf(y)) {
    parts.push(line(left, atY(tick), left + width, atY(tick), 'stroke="#ddd"'));
    parts.push(text(left - 8, atY(tick) + 4, words(tick), 'text-anchor="end" fill="#555"'));
  }
  for (const tick of ticksOf(x)) {
    parts.push(line(atX(tick), top, atX(tick), top + height, 'stroke="#eee"'));
    parts.push(text(atX(tick), top + height + 17, words(tick), 'text-anchor="middle" fill="#555"'));
  }
  parts.push(line(left, top + height, left + width, top + height, 'stroke="#888"'));
  parts.push(text(left + width / 2, top + height + 36, x.label, 'text-anchor="middle" fill="#555"'));
  for (const mark of marks) {
    const attributes = `stroke="${mark.colour}" stroke-dasharray="2 4"`;
    if (mark.y !== undefined && share(y, mark.y) <= 1) {
      parts.push(line(left, atY(mark.y), left + width, atY(mark.y), attributes));
      parts.push(text(left + 0.45 * width, atY(mark.y) - 5, mark.text, `fill="${mark.colour}"`));
    }
    if (mark.x !== undefined) {
      parts.push(line(atX(mark.x), top, atX(mark.x), top + height, attributes));
      const x0 = atX(mark.x) - 6;
      parts.push(
        text(
          x0,
          top + 10,
          mark.text,
          `fill="${mark.colour}" text-anchor="end" transform="rotate(-90 ${f(x0)} ${f(top + 10)})"`,
        ),
      );
    }
  }
  for (const each of lines) parts.push(...drawLine(each, atX, atY));
  if (lines.length > 1) parts.push(...legend(lines, left, top));
  return parts;
}

function drawLine(
  { colour, dashed, points }: ChartLine,
  atX: (x: number) => number,
  atY: (y: number) => number,
): string[] {
  const d = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${f(atX(x))} ${f(atY(y))}`).join('');
  const dash = dashed === true ? ' stroke-dasharray="6 4"' : '';
  const dots = points.map(
    ({ x, y, open }) =>
      `<circle cx="${f(atX(x))}" cy="${f(atY(y))}" r="3.5" fill="${open === true ? '#fff' : colour}" stroke="${colour}" stroke-width="1.5"/>`,
  );
  return [`<path d="${d}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`, ...dots];
}

function legend(lines: readonly ChartLine[], left: number, top: number): string[] {
  const longest = Math.max(...lines.map(({ name }) => name.length));
  const box = `<rect x="${left + 12}" y="${top + 10}" width="${52 + 7.2 * longest}" height="${8 + 20 * lines.length}" rx="4" fill="#fff" fill-opacity="0.9" stroke="#ddd"/>`;
  return [
    box,
    ...lines.flatMap(({ name, colour, dashed }, i) => {
      const y = top + legendHeight + 20 * i;
      const dash = dashed === true ? ' stroke-dasharray="6 4"' : '';
      return [
        line(left + 20, y, left + 46, y, `stroke="${colour}" stroke-width="2"${dash}`),
        text(left + 52, y + 4, name),
      ];
    }),
  ];
}

/** Where a value lies on its axis, 0 to 1; what is beyond the end stays at it. */
function share({ logarithmic = false, from, to }: Axis, value: number): number {
  const scale = logarithmic ? Math.log10 : (each: number): number => each;
  return Math.min(
    1.02,
    Math.max(0, (scale(Math.max(value, logarithmic ? from : value)) - scale(from)) / (scale(to) - scale(from))),
  );
}

function ticksOf({ ticks, logarithmic = false, from, to }: Axis): readonly number[] {
  if (ticks !== undefined) return ticks;
  if (!logarithmic) return Array.from({ length: 5 }, (_, i) => from + (i * (to - from)) / 4);
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power += 1) {
    for (const digit of [1, 2, 5]) {
      const tick = Number((digit * 10 ** power).toPrecision(3));
      if (tick >= from && tick <= to) found.push(tick);
    }
  }
  return found;
}

/** The next round number above. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((each) => each * power >= value) ?? 10);
}

function words(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))} M`;
  if (value >= 1000) return `${Number((value / 1000).toPrecision(3))} k`;
  return `${Number(value.toPrecision(3))}`;
}

function line(x1: number, y1: number, x2: number, y2: number, attributes: string): string {
  return `<line x1="${f(x1)}" y1="${f(y1)}" x2="${f(x2)}" y2="${f(y2)}" ${attributes}/>`;
}

function text(x: number, y: number, said: string, attributes = ''): string {
  return `<text x="${f(x)}" y="${f(y)}" ${attributes}>${safe(said)}</text>`;
}

function safe(said: string): string {
  return said.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}

function f(value: number): string {
  return value.toFixed(1);
}
