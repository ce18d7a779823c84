// The machines of a plan on virtual time, with everything that faults, phases and checkers need to reach.
import { type ByzantineKind, createByzantine } from './byzantine/index.ts';
import { createToyCrypto, type SimCrypto } from './crypto.ts';
import { faultIdeas, ideaOf } from './faults/index.ts';
import type { Cluster } from './faults/types.ts';
import type { SimLedger } from './ledger.ts';
import { createNetwork, type Links, type Network } from './network.ts';
import { SimNode } from './node.ts';
import { createOracle, type Listener, type Oracle } from './oracle.ts';
import { latencies, type Plan, timingsOf, unsound } from './plan.ts';
import { createPrng, type Prng } from './prng.ts';
import { createSchedule, type Schedule } from './schedule.ts';
import { createRegistry, createToyLedger } from './toyLedger.ts';
import { type MachineOptions, type Quirks, startMs, type Wire, type World } from './world.ts';

export type Running = Cluster & {
  readonly plan: Plan;
  readonly schedule: Schedule;
  readonly prng: Prng;
  readonly oracle: Oracle;
  readonly network: Network<Wire>;
  readonly all: readonly SimNode[];
  readonly good: readonly SimNode[];
  /** What had an effect, and how often. */
  readonly effects: ReadonlyMap<string, number>;
  /** Ends every fault; from now on chance does no harm. */
  heal(): void;
  /** Tells a transaction to a machine that is up, and through it to all. */
  inject(tx: number): void;
};

export type Parts = {
  quirks?: Quirks;
  onTrace?: (line: string) => void;
  listeners?: readonly Listener[];
  /** Even a machine with a lying disk may never be seen to sign twice. */
  strict?: boolean;
  /** Before anything happens. */
  prepare?: (cluster: Running) => void;
  /** Another ledger or other keys than the toy ones. */
  newLedger?: (machine: number) => SimLedger;
  crypto?: SimCrypto;
};

export function createCluster(plan: Plan, parts: Parts = {}): Running {
  const prng = createPrng(plan.seed * 31 + 7);
  const schedule = createSchedule();
  const bad = unsound(plan);
  const liarAt = new Map<number, ByzantineKind>(plan.liars.map(({ machine, kind }) => [machine, kind]));
  const honest = (machine: number): boolean => !liarAt.has(machine);
  const oracle = createOracle({
    honest,
    rolledBack: (machine) => honest(machine) && bad.has(machine),
    strict: parts.strict === true,
    trueMs: () => startMs + schedule.nowMs(),
    listeners: parts.listeners ?? [],
  });
  const effects = new Map<string, number>();
  const did = (what: string): void => {
    effects.set(what, (effects.get(what) ?? 0) + 1);
  };
  const quirks = parts.quirks ?? {};
  const registry = createRegistry(plan.sets);
  const { bend } = quirks;
  const bends = (machine: number): boolean =>
    bend !== undefined && honest(machine) && (quirks.onlyMachine === undefined || quirks.onlyMachine === machine);
  const toyLedger = (machine: number): SimLedger =>
    createToyLedger(registry, bends(machine) ? (root, block) => bend!(root, block.txs) : undefined);
  const instances: SimNode[][] = [];
  const network = createNetwork<Wire>(
    schedule,
    prng,
    (from, to, message) => {
      for (const node of instances[to] ?? []) node.deliver(from, message);
    },
    did,
  );
  let faulty = true;
  const world: World = {
    schedule,
    prng,
    crypto: parts.crypto ?? createToyCrypto(),
    oracle,
    network,
    machines: plan.machines,
    newLedger: parts.newLedger ?? toyLedger,
    trace: (machine, text) =>
      parts.onTrace?.(`${String(schedule.nowMs()).padStart(6)} ${machine}${honest(machine) ? ' ' : '!'} ${text()}`),
    did,
    faulty: () => faulty,
  };
  for (let machine = 0; machine < plan.machines; machine += 1) {
    const options: MachineOptions = {
      index: machine,
      timings: timingsOf(plan),
      retentionViews: prng.pick([4, 64]),
      clockOffsetMs: prng.between(-200, 200),
      syncMsMax: plan.kind === 'quiet' ? 3 : prng.pick([0, 1, 5, 30]),
      bodyApart: plan.kind === 'quiet' ? 0 : prng.pick([0, 0.3]),
      full: plan.kind === 'quiet' ? 0 : 0.1,
      quirks,
    };
    const kind = liarAt.get(machine);
    instances[machine] = kind === undefined ? [new SimNode(world, options)] : createByzantine(kind, world, options);
  }
  const all = instances.flat();
  network.onMended((a, b) => {
    for (const node of instances[a] ?? []) if (node.up && !node.frozen) node.helloTo(b, true);
    for (const node of instances[b] ?? []) if (node.up && !node.frozen) node.helloTo(a, true);
  });

  const base: Links = {
    ...latencies[plan.latency],
    loss: 0,
    duplication: 0,
    reorder: plan.latency === 'lossy' ? 0.02 : 0,
    reorderMsMax: 400,
  };
  const bendings = new Set<(links: Links) => Links>();
  const rebend = (): void => {
    network.links = [...bendings].reduce((links, each) => each(links), base);
  };
  rebend();

  const running: Running = {
    plan,
    world,
    schedule,
    prng,
    oracle,
    network,
    all,
    good: all.filter((node) => honest(node.index)),
    effects,
    machines: plan.machines,
    at: (machine) => instances[machine] ?? [],
    honest,
    bendLinks(bendOne) {
      bendings.add(bendOne);
      rebend();
      return () => {
        if (bendings.delete(bendOne) && faulty) rebend();
      };
    },
    heal() {
      for (const end of [...ends]) end();
      faulty = false;
      network.links = { ...base, latencyMsMin: 1, latencyMsMax: 5, reorder: 0 };
      for (const node of all) {
        node.thaw();
        // A clock further off than maxClockDriftMs is a fault of its own; it is set right like the network.
        node.options.clockOffsetMs = Math.max(-200, Math.min(200, node.options.clockOffsetMs));
      }
    },
    inject(tx) {
      const up = running.good.filter((node) => node.up && !node.frozen);
      if (up.length === 0) return;
      const first = prng.pick(up);
      first.takeTx(tx);
      for (const machine of first.others()) first.transmit(machine, { kind: 'tx', tx });
    },
  };

  // Each fault has its own chance: without one of them the others stay what they are.
  const ends = new Set<() => void>();
  for (const fault of plan.faults) {
    const idea = ideaOf(fault.kind);
    const own = createPrng(plan.seed * 1009 + faultIdeas.indexOf(idea) * 100_003 + fault.fromMs);
    schedule.at(fault.fromMs, () => {
      if (!faulty) return;
      world.trace(
        0,
        () => `-- ${fault.kind} begins (${fault.machines.join(',')}${fault.amount === 0 ? '' : `; ${fault.amount}`})`,
      );
      did(`fault ${fault.kind}`);
      const undo = idea.begin(fault, running, own);
      const end = (): void => {
        if (!ends.delete(end)) return;
        world.trace(0, () => `-- ${fault.kind} ends`);
        undo();
      };
      ends.add(end);
      if (fault.toMs > 0) schedule.at(fault.toMs, end);
    });
  }
  parts.prepare?.(running);
  return running;
}
