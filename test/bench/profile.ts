/** A V8 CPU profile (`node --cpu-prof`), cut to the seconds that matter, as stacks with the time spent in each. */

export type Frame = {
  readonly name: string;
  /** `file://…`, `node:…`, `wasm://…`, or nothing for what V8 and native addons do. */
  readonly url: string;
};

export type Stack = {
  /** From the outermost; never empty. */
  readonly frames: readonly Frame[];
  readonly micros: number;
};

export type Cut = {
  /** Seconds left away at the beginning. */
  readonly skipFirst?: number;
  /** Seconds left away at the end. */
  readonly skipLast?: number;
  /** At most so many seconds, the last ones of what remains. */
  readonly seconds?: number;
};

export type Profile = {
  /** Where the main thread was busy; one entry for each distinct stack of V8's. */
  readonly stacks: readonly Stack[];
  readonly busyMicros: number;
  /** Busy and idle. */
  readonly micros: number;
};

type Node = {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
};

type CpuProfile = {
  readonly nodes: readonly Node[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

/** `text`: a `.cpuprofile`. A sample stands for the time until the next one, as in Chromium's tools. */
export function readProfile(text: string, { skipFirst = 0, skipLast = 0, seconds }: Cut = {}): Profile {
  const { nodes, samples, timeDeltas } = JSON.parse(text) as CpuProfile;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));

  // V8 writes a sample that was late as a negative step; time itself does not go back.
  const steps = timeDeltas.map((delta) => Math.max(0, delta));
  const end = steps.reduce((total, step) => total + step, 0) - 1e6 * skipLast;
  const begin = Math.max(1e6 * skipFirst, seconds === undefined ? 0 : end - 1e6 * seconds);
  const self = new Map<number, number>();
  let at = 0;
  for (const [i, id] of samples.entries()) {
    at += steps[i] ?? 0;
    const until = at + (steps[i + 1] ?? 0);
    const inside = Math.min(until, end) - Math.max(at, begin);
    if (inside > 0) self.set(id, (self.get(id) ?? 0) + inside);
  }

  const stacks: Stack[] = [];
  let busyMicros = 0;
  let micros = 0;
  for (const [id, spent] of self) {
    micros += spent;
    const frames: Frame[] = [];
    for (let node = byId.get(id); node !== undefined; node = byId.get(parents.get(node.id) ?? -1)) {
      frames.push({ name: node.callFrame.functionName, url: node.callFrame.url });
    }
    frames.reverse();
    if (frames[0]?.name === '(root)') frames.shift();
    if (frames.length === 0 || frames[0]?.name === '(idle)') continue;
    busyMicros += spent;
    stacks.push({ frames, micros: spent });
  }
  return { stacks, busyMicros, micros };
}
