import { escaped } from '../svg.ts';

/** What a terminal showed, as a picture: colours of SGR sequences, lines that are too long folded. */
const [fontPx, linePx, charPx, marginPx] = [13, 18, 7.83, 20];
const colours: Readonly<Record<string, string>> = { '31': '#f85149', '32': '#3fb950', '33': '#e6b450', '2': '#7d8590' };
const [plainColour, typedColour] = ['#c9d1d9', '#e6b450'];

type Piece = { readonly text: string; readonly colour: string };

export function terminalSvg(
  text: string,
  { columns, label }: { readonly columns: number; readonly label: string },
): string {
  const lines = text.split('\n').flatMap((line) => fold(pieces(line), columns));
  const [width, height] = [Math.ceil(columns * charPx) + 2 * marginPx, lines.length * linePx + 2 * marginPx];
  const rows = lines.map((line, row) => {
    const spans = line.map(({ text: part, colour }) => `<tspan fill="${colour}">${kept(part)}</tspan>`).join('');
    return `<text x="${marginPx}" y="${marginPx + fontPx + row * linePx}">${spans}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">
<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="${fontPx}" xml:space="preserve">
${rows.join('\n')}
</g>
</svg>
`;
}

function pieces(line: string): Piece[] {
  if (/^([a-z]+)?\$ /.test(line)) return [{ text: line, colour: typedColour }];
  let colour = plainColour;
  const found: Piece[] = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal begin with one
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
    const code = /^\u001b\[([0-9;]*)m$/.exec(part)?.[1];
    if (code !== undefined) colour = colours[code] ?? plainColour;
    else if (part !== '') found.push({ text: part, colour });
  }
  return found;
}

function fold(line: readonly Piece[], columns: number): Piece[][] {
  const rows: Piece[][] = [[]];
  let left = columns;
  for (const { text, colour } of line)
    for (let rest = text; rest !== ''; ) {
      if (left === 0) {
        rows.push([{ text: '  ', colour }]);
        left = columns - 2;
      }
      const part = rest.slice(0, left);
      rows.at(-1)?.push({ text: part, colour });
      left -= part.length;
      rest = rest.slice(part.length);
    }
  return rows;
}

/** Renderers differ about spaces that follow each other; about these they do not. */
function kept(text: string): string {
  return escaped(text).replaceAll(' ', '\u00a0');
}
