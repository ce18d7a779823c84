// Links between nodes on virtual time: latency, loss, duplication, reordering, cut links. Faults can be switched off.
import type { Prng } from './prng.ts';
import type { Schedule } from './schedule.ts';

export type LinkFaults = {
  loss: number;
  duplication: number;
  latencyMsMin: number;
  latencyMsMax: number;
  slow: number;
  slowMsMax: number;
};

export type Network<M> = {
  faults: LinkFaults;
  send(from: number, to: number, message: M): void;
  cut(from: number, to: number): void;
  healAll(): void;
  connected(from: number, to: number): boolean;
  onHealed(listener: () => void): void;
};

export function createNetwork<M>(
  schedule: Schedule,
  prng: Prng,
  faults: LinkFaults,
  deliver: (from: number, to: number, message: M) => void,
): Network<M> {
  const cuts = new Set<number>();
  const listeners: (() => void)[] = [];
  const link = (from: number, to: number): number => from * 256 + to;
  const network: Network<M> = {
    faults,
    send(from, to, message) {
      if (cuts.has(link(from, to)) || prng.chance(network.faults.loss)) return;
      const copies = prng.chance(network.faults.duplication) ? 2 : 1;
      for (let i = 0; i < copies; i += 1) {
        const { latencyMsMin, latencyMsMax, slow, slowMsMax } = network.faults;
        const latencyMs = prng.between(latencyMsMin, latencyMsMax) + (prng.chance(slow) ? prng.int(slowMsMax) : 0);
        schedule.after(latencyMs, () => {
          if (!cuts.has(link(from, to))) deliver(from, to, message);
        });
      }
    },
    cut(from, to) {
      cuts.add(link(from, to));
    },
    healAll() {
      if (cuts.size === 0) return;
      cuts.clear();
      for (const listener of listeners) listener();
    },
    connected: (from, to) => !cuts.has(link(from, to)),
    onHealed(listener) {
      listeners.push(listener);
    },
  };
  return network;
}
