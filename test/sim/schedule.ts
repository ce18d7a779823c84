// Virtual time: a heap of actions, in order of time and then of scheduling.
export type Schedule = {
  nowMs(): number;
  at(timeMs: number, action: () => void): void;
  after(delayMs: number, action: () => void): void;
  /** Runs everything due up to `timeMs`, then stands there. */
  runUntil(timeMs: number): void;
  /** Runs the next action if it is due by `timeMs`: for ledgers that answer from outside virtual time. */
  runOne(timeMs: number): boolean;
  actions(): number;
};

type Entry = { timeMs: number; order: number; action: () => void };

export function createSchedule(): Schedule {
  const heap: Entry[] = [];
  let now = 0;
  let order = 0;
  let count = 0;
  const before = (a: Entry, b: Entry): boolean => a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
  const push = (entry: Entry): void => {
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  };
  const pop = (): Entry => {
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  };
  const at = (timeMs: number, action: () => void): void => {
    push({ timeMs: Math.max(now, timeMs), order, action });
    order += 1;
  };
  const runOne = (timeMs: number): boolean => {
    if (heap.length === 0 || heap[0]!.timeMs > timeMs) return false;
    const entry = pop();
    now = entry.timeMs;
    count += 1;
    entry.action();
    return true;
  };
  return {
    nowMs: () => now,
    at,
    after: (delayMs, action) => at(now + delayMs, action),
    runUntil: (timeMs) => {
      while (runOne(timeMs));
      now = timeMs;
    },
    runOne,
    actions: () => count,
  };
}
