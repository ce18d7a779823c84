import { styleText } from 'node:util';
import { WeftError } from '../codec/error.ts';

/** What scripts rely on. */
export const exitCodes = { holds: 0, refused: 1, usage: 2 } as const;

/** What was asked for makes no sense: exit code 2. */
export function usage(message: string): WeftError {
  return new WeftError('USAGE', message);
}

export function print(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** One line of JSON on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** A remark for people; standard output stays clean for programs. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Lines `label  value`, aligned. Values that are undefined are left out. */
export function printFields(fields: readonly (readonly [string, unknown])[], indent = ''): void {
  const shown = fields.filter(([, value]) => value !== undefined);
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  for (const [label, value] of shown) print(`${indent}${dim(label.padEnd(width))}  ${String(value)}`);
}

/** Rows under a heading, columns aligned. */
export function printTable(heading: readonly string[], rows: readonly (readonly unknown[])[], indent = ''): void {
  const cells = rows.map((row) => row.map((cell) => String(cell ?? '')));
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    `${indent}${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd();
  print(dim(line(heading)));
  for (const row of cells) print(line(row));
}

export function dim(text: string): string {
  return styleText('dim', text, { stream: process.stdout });
}

export function good(text: string): string {
  return styleText('green', text, { stream: process.stdout });
}

export function bad(text: string): string {
  return styleText('red', text, { stream: process.stdout });
}

/** `2026-11-21 08:00:00.123Z`: sortable, and as precise as the ledger. */
export function when(ms: number): string {
  return Number.isSafeInteger(ms) && Math.abs(ms) <= 8.64e15
    ? new Date(ms).toISOString().replace('T', ' ')
    : String(ms);
}

/** Reason and code on standard error. @returns the exit code */
export function reportFailure(error: unknown, json: boolean): number {
  const known = error instanceof WeftError;
  const code = known ? error.code : 'INTERNAL';
  const message = error instanceof Error ? error.message : String(error);
  if (json)
    process.stderr.write(
      `${JSON.stringify({ error: { code, message, ...(known ? { details: error.details } : {}) } })}\n`,
    );
  else {
    const head = styleText('red', 'weft:', { stream: process.stderr });
    process.stderr.write(`${head} ${message}${/[.!?)]$/.test(message) ? '' : '.'} [${code}]\n`);
    if (!known && error instanceof Error)
      process.stderr.write(`This is a defect of Weft; please report it with this:\n${error.stack}\n`);
  }
  return code === 'USAGE' || code === 'DURATION_INVALID' ? exitCodes.usage : exitCodes.refused;
}
