import { type Axis, fixed, line, page, share, text, ticksOf } from '../svg.ts';

/** Panels of lines, each over axes of its own. */

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
  return page({ title, ...total, fontSize: 13 }, [text(margin.left, 24, title, 'font-size="16"'), ...parts]);
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
          `fill="${mark.colour}" text-anchor="end" transform="rotate(-90 ${fixed(x0)} ${fixed(top + 10)})"`,
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
  const d = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${fixed(atX(x))} ${fixed(atY(y))}`).join('');
  const dash = dashed === true ? ' stroke-dasharray="6 4"' : '';
  const dots = points.map(
    ({ x, y, open }) =>
      `<circle cx="${fixed(atX(x))}" cy="${fixed(atY(y))}" r="3.5" fill="${open === true ? '#fff' : colour}" stroke="${colour}" stroke-width="1.5"/>`,
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

function words(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))} M`;
  if (value >= 1000) return `${Number((value / 1000).toPrecision(3))} k`;
  return `${Number(value.toPrecision(3))}`;
}
