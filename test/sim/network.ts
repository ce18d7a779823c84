// Links between machines on virtual time: latency, loss, duplication, reordering, cut links.
import type { Prng } from './prng.ts';
import type { Schedule } from './schedule.ts';

/** How long messages take. `reorder`: the share that is held back, up to `reorderMsMax`, while later ones pass. */
export type Links = {
  latencyMsMin: number;
  latencyMsMax: number;
  loss: number;
  duplication: number;
  reorder: number;
  reorderMsMax: number;
};

const calmLinks: Links = {
  latencyMsMin: 1,
  latencyMsMax: 5,
  loss: 0,
  duplication: 0,
  reorder: 0,
  reorderMsMax: 0,
};

export type Network<M> = {
  links: Links;
  send(from: number, to: number, message: M): void;
  /** Cuts are counted: what two faults cut, both must mend. */
  cut(from: number, to: number): void;
  mend(from: number, to: number): void;
  connected(from: number, to: number): boolean;
  /** Since when there is no lane (both directions) between the two; undefined: there is one. */
  laneDownSinceMs(a: number, b: number): number | undefined;
  /** A lane between the two is there again. */
  onMended(listener: (a: number, b: number) => void): void;
};

export function createNetwork<M>(
  schedule: Schedule,
  prng: Prng,
  deliver: (from: number, to: number, message: M) => void,
  did: (what: string) => void,
): Network<M> {
  const cuts = new Map<number, number>();
  const downSince = new Map<number, number>();
  const listeners: ((a: number, b: number) => void)[] = [];
  const link = (from: number, to: number): number => from * 64 + to;
  const lane = (a: number, b: number): number => (a < b ? link(a, b) : link(b, a));
  const network: Network<M> = {
    links: calmLinks,
    send(from, to, message) {
      if (cuts.has(link(from, to))) {
        did('cut');
        return;
      }
      const { latencyMsMin, latencyMsMax, loss, duplication, reorder, reorderMsMax } = network.links;
      if (loss > 0 && prng.chance(loss)) {
        did('loss');
        return;
      }
      const twice = duplication > 0 && prng.chance(duplication);
      if (twice) did('duplication');
      for (let copy = 0; copy < (twice ? 2 : 1); copy += 1) {
        let latencyMs = prng.between(latencyMsMin, latencyMsMax);
        if (reorder > 0 && prng.chance(reorder)) {
          latencyMs += prng.int(reorderMsMax);
          did('reorder');
        }
        schedule.after(latencyMs, () => {
          if (!cuts.has(link(from, to))) deliver(from, to, message);
        });
      }
    },
    cut(from, to) {
      const key = link(from, to);
      cuts.set(key, (cuts.get(key) ?? 0) + 1);
      if (!downSince.has(lane(from, to))) downSince.set(lane(from, to), schedule.nowMs());
    },
    mend(from, to) {
      const key = link(from, to);
      const left = (cuts.get(key) ?? 0) - 1;
      if (left > 0) {
        cuts.set(key, left);
        return;
      }
      cuts.delete(key);
      if (cuts.has(link(to, from)) || !downSince.delete(lane(from, to))) return;
      for (const listener of listeners) listener(from, to);
    },
    connected: (from, to) => !cuts.has(link(from, to)),
    laneDownSinceMs: (a, b) => downSince.get(lane(a, b)),
    onMended(listener) {
      listeners.push(listener);
    },
  };
  return network;
}
