/** What pictures of measurements have in common: SVG without script, on white, so that it reads the same in a light and a dark theme. */

export type Axis = {
  readonly label: string;
  readonly logarithmic?: boolean;
  readonly from: number;
  readonly to: number;
  /** Where lines stand; default: five equal steps, or 1, 2, 5 of each power of ten. */
  readonly ticks?: readonly number[];
};

/** The whole document. */
export function page(
  { title, width, height, fontSize }: { title: string; width: number; height: number; fontSize: number },
  parts: readonly string[],
): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="${fontSize}" fill="#222">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="6" fill="#fff"/>`,
    ...parts,
  ].join('\n')}\n</svg>\n`;
}

export function line(x1: number, y1: number, x2: number, y2: number, attributes: string): string {
  return `<line x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}" ${attributes}/>`;
}

export function text(x: number, y: number, said: string, attributes = ''): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" ${attributes}>${escaped(said)}</text>`;
}

/** For an element's text, or between the quotes of an attribute. */
export function escaped(said: string): string {
  return said.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** A coordinate: a tenth of a unit is seen by nobody. */
export function fixed(value: number): string {
  return value.toFixed(1);
}

/** Where a value lies on its axis, 0 to 1; what is beyond the end stays at it. */
export function share({ logarithmic = false, from, to }: Axis, value: number): number {
  const scale = logarithmic ? Math.log10 : (each: number): number => each;
  return Math.min(
    1.02,
    Math.max(0, (scale(Math.max(value, logarithmic ? from : value)) - scale(from)) / (scale(to) - scale(from))),
  );
}

export function ticksOf({ ticks, logarithmic = false, from, to }: Axis): readonly number[] {
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

/** The next round number above: one of `digits` times a power of ten. */
export function niceAbove(value: number, digits: readonly number[] = [1, 1.5, 2, 3, 4, 5, 6, 8, 10]): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * (digits.find((each) => each * power >= value) ?? 10);
}
