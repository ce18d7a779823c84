/** What is worked through between two turns of the event loop: about two milliseconds, in log entries or operations of a database. */
export const stepsPerTurn = 512;

/**
 * Walks over items that take long together, and lets votes and clients have their turn between: before the first item that no longer
 * fits into `stepsPerTurn`. What fits whole is walked over without ever waiting.
 */
export async function inTurns<Item>(
  items: Iterable<Item>,
  stepsOf: (item: Item) => number,
  work: (item: Item) => void,
): Promise<void> {
  let steps = 0;
  for (const item of items) {
    const more = stepsOf(item);
    if (steps > 0 && steps + more > stepsPerTurn) {
      await new Promise((resolve) => setImmediate(resolve));
      steps = 0;
    }
    steps += more;
    work(item);
  }
}

/** The same for work that takes several items at once: slices that fit into a turn, each of at least one. */
export function* slicesOf<Item>(items: readonly Item[], stepsOf: (item: Item) => number): Generator<readonly Item[]> {
  let slice: Item[] = [];
  let steps = 0;
  for (const item of items) {
    const more = stepsOf(item);
    if (slice.length > 0 && steps + more > stepsPerTurn) {
      yield slice;
      slice = [];
      steps = 0;
    }
    slice.push(item);
    steps += more;
  }
  if (slice.length > 0) yield slice;
}
