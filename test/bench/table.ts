export type Cell = string | number;

/** A table in Markdown. `figures`: so many columns, the last ones, are aligned to the right. */
export function table(
  head: readonly Cell[],
  rows: readonly (readonly Cell[])[],
  { figures = 0 }: { readonly figures?: number } = {},
): string {
  const rule = head.map((_, i) => (i < head.length - figures ? '---' : '---:'));
  return [row(head), `|${rule.join('|')}|`, ...rows.map(row)].join('\n');
}

function row(cells: readonly Cell[]): string {
  return `| ${cells.join(' | ')} |`;
}
