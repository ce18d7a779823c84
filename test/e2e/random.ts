/** A seeded sequence in [0, 1) (mulberry32). The seed is said at the start of a test; WEFT_TEST_SEED repeats it. */
export function seededRandom(): { readonly seed: number; readonly next: () => number } {
  const given = process.env['WEFT_TEST_SEED'];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { seed, next };
}
