/** Numbers on the command line of a program: another one ends it with code 2. */

/** Above 0, up to `max`. */
export function numberUpTo(name: string, text: string, max: number): number {
  const value = Number(text);
  return value > 0 && value <= max ? value : refuse(`--${name} takes a number up to ${max}, not '${text}'`);
}

/** A whole number, at least `least`. */
export function wholeFrom(name: string, text: string, least: number): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= least ? value : refuse(`--${name} takes a number from ${least} on`);
}

function refuse(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}
