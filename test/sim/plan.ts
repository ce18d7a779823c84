// What one run is made of, as data: drawn from a seed, printed, cut down by the shrinker. `seed` decides all that is left to chance.
import { type ByzantineKind, byzantineKinds } from './byzantine/index.ts';
import { faultIdeas, ideaOf } from './faults/index.ts';
import type { Fault } from './faults/types.ts';
import type { EpochSet } from './ledger.ts';
import { createPrng, type Prng } from './prng.ts';
import { quietProfile, timingProfiles } from './timings.ts';

/** chaos: every fault. quiet: a good network and at most one liar, for promises about time. */
export const scenarioKinds = ['chaos', 'quiet'] as const;
export type ScenarioKind = (typeof scenarioKinds)[number];

export const latencies = {
  lan: { latencyMsMin: 1, latencyMsMax: 3 },
  metro: { latencyMsMin: 1, latencyMsMax: 15 },
  wan: { latencyMsMin: 10, latencyMsMax: 45 },
  /** With a long tail (see `reorder` in cluster.ts). */
  lossy: { latencyMsMin: 5, latencyMsMax: 90 },
} as const;
export type Latency = keyof typeof latencies;

export type Plan = {
  seed: number;
  kind: ScenarioKind;
  machines: number;
  /** One per epoch; the last one goes on. */
  sets: readonly EpochSet[];
  /** When the transaction that closes epoch i + 1 is told; those after phase 1 in phase 2. */
  closeAtMs: readonly number[];
  profile: number;
  latency: Latency;
  phase1Ms: number;
  /** Mean time between transactions. */
  txEveryMs: number;
  liars: readonly { machine: number; kind: ByzantineKind }[];
  faults: readonly Fault[];
  /** Dead in phase 2. */
  down: readonly number[];
  /** A link that stays cut in phase 2. */
  cutLane: readonly number[];
};

/** What a test or canary fixes; the rest is drawn. */
export type Shape = {
  kind?: ScenarioKind;
  validators?: number;
  observers?: number;
  epochs?: number;
  liars?: readonly ByzantineKind[];
  faults?: readonly string[];
  latency?: Latency;
  phase1Ms?: number;
  down?: number;
  cutLane?: boolean;
  txEveryMs?: number;
};

const f = (set: EpochSet): number => Math.floor((set.validators.length - 1) / 3);

/** Machines that an oracle excuses: liars, and those whose disk lies. */
export function unsound(plan: Plan): Set<number> {
  const bad = new Set(plan.liars.map(({ machine }) => machine));
  for (const fault of plan.faults)
    if (fault.kind === 'lyingDisk') for (const machine of fault.machines) bad.add(machine);
  return bad;
}

/** No epoch holds more than f machines that lie, are dead at the end, or have a lying disk. */
export function isFair(plan: Plan): boolean {
  const bad = unsound(plan);
  for (const machine of plan.down) bad.add(machine);
  return plan.sets.every(
    (set) => set.validators.length > 0 && set.validators.filter(({ machine }) => bad.has(machine)).length <= f(set),
  );
}

export function drawPlan(seed: number, shape: Shape = {}): Plan {
  const prng = createPrng(seed);
  const kind = shape.kind ?? (Object.keys(shape).length === 0 && prng.chance(0.15) ? 'quiet' : 'chaos');
  const quiet = kind === 'quiet';
  const n =
    shape.validators ?? (quiet ? prng.pick([4, 4, 5, 7]) : prng.pick([1, 4, 4, 4, 4, 4, 4, 5, 6, 7, 7, 8, 9, 10]));
  const observers = shape.observers ?? prng.pick([0, 0, 0, 1, 1, 2]);
  const machines = n + observers;
  const faultsMax = Math.floor((n - 1) / 3);
  const liars = drawLiars(prng, n, faultsMax, quiet, shape);
  const phase1Ms = shape.phase1Ms ?? (quiet ? 5000 : prng.pick([1500, 3000, 6000]));
  let plan: Plan = {
    seed,
    kind,
    machines,
    sets: [],
    closeAtMs: [],
    profile: quiet ? quietProfile : prng.int(quietProfile),
    latency: shape.latency ?? (quiet ? 'lan' : prng.pick(['lan', 'metro', 'metro', 'wan', 'lossy'] as const)),
    phase1Ms,
    txEveryMs: shape.txEveryMs ?? (quiet ? 60 : prng.chance(0.2) ? 750 : 60),
    liars,
    faults: quiet && shape.faults === undefined ? [] : drawFaults(prng, machines, phase1Ms, shape.faults),
    down: [],
    cutLane: [],
  };
  const spare = faultsMax - [...unsound(plan)].filter((machine) => machine < n).length;
  if (spare < 0) plan = { ...plan, faults: plan.faults.filter((fault) => fault.kind !== 'lyingDisk') };
  const down = quiet ? 0 : Math.min(Math.max(0, spare), shape.down ?? (prng.chance(0.5) ? prng.int(faultsMax + 1) : 0));
  const sound = [...Array(n).keys()].filter((machine) => !unsound(plan).has(machine));
  const order = prng.shuffle(sound);
  plan = { ...plan, down: order.slice(0, down) };
  const cut = shape.cutLane ?? (n >= 4 && !quiet && prng.chance(0.1));
  if (cut) plan = { ...plan, cutLane: order.slice(down, down + 2) };
  const epochs = shape.epochs ?? (quiet ? 1 : prng.pick([1, 1, 1, 2, 2, 3, 5]));
  const first: EpochSet = {
    epoch: 1,
    validators: Array.from({ length: n }, (_, machine) => ({ machine, key: `m${machine}.1` })),
    leaderOrder: prng.shuffle([...Array(n).keys()]),
  };
  plan = { ...plan, sets: [first] };
  for (let epoch = 2; epoch <= epochs; epoch += 1) plan = { ...plan, sets: [...plan.sets, drawSet(prng, plan, epoch)] };
  const times = Array.from({ length: epochs - 1 }, () => prng.int(Math.floor(phase1Ms * 1.3))).sort((a, b) => a - b);
  return { ...plan, closeAtMs: times };
}

function drawLiars(prng: Prng, n: number, faultsMax: number, quiet: boolean, shape: Shape): Plan['liars'] {
  let kinds = shape.liars;
  if (kinds === undefined) {
    if (faultsMax === 0 || prng.chance(0.35)) kinds = [];
    else if (quiet)
      kinds = [
        prng.pick([
          'silent',
          'neverProposes',
          'neverProposes',
          'doubleVoter',
          'equivocator',
          'resigner',
          'miser',
        ] as const),
      ];
    else kinds = Array.from({ length: prng.between(1, faultsMax) }, () => prng.pick(byzantineKinds));
  }
  const order = prng.shuffle([...Array(n).keys()]);
  return kinds.map((kind, i) => ({ machine: order[i]!, kind }));
}

function drawFaults(prng: Prng, machines: number, endMs: number, kinds: readonly string[] | undefined): Fault[] {
  const faults: Fault[] = [];
  const add = (kind: string): void => {
    const drawn = ideaOf(kind).draw(prng, machines, endMs);
    if (drawn !== undefined) faults.push({ kind, ...drawn });
  };
  if (kinds !== undefined) {
    for (const kind of kinds) add(kind);
    return faults;
  }
  // Some runs are mild, some are hell; a lying disk costs one of the f, so it comes seldom.
  const share = prng.pick([0.08, 0.2, 0.35]);
  for (const { kind } of faultIdeas) {
    while (prng.chance(kind === 'lyingDisk' ? share / 3 : share) && faults.length < 16) add(kind);
  }
  return faults.filter(
    (fault, i) => fault.kind !== 'lyingDisk' || faults.findIndex((each) => each.kind === 'lyingDisk') === i,
  );
}

/** A change of the set: a key replaced, a leader removed, an observer admitted, one exchanged, or only the order of leaders. */
function drawSet(prng: Prng, plan: Plan, epoch: number): EpochSet {
  const before = plan.sets[plan.sets.length - 1]!;
  const outside = [...Array(plan.machines).keys()].filter(
    (machine) => !before.validators.some((validator) => validator.machine === machine),
  );
  const make = (validators: EpochSet['validators']): EpochSet => ({
    epoch,
    validators: [...validators].sort((a, b) => a.machine - b.machine),
    leaderOrder: prng.shuffle([...validators.keys()]),
  });
  const fresh = (machine: number): { machine: number; key: string } => ({ machine, key: `m${machine}.${epoch}` });
  for (let attempt = 0; attempt < 5; attempt += 1) {
    let validators = [...before.validators];
    const change = prng.int(4);
    const lyingDisk = plan.faults.find((fault) => fault.kind === 'lyingDisk')?.machines[0];
    const at =
      change === 0 && lyingDisk !== undefined && prng.chance(0.5)
        ? validators.findIndex(({ machine }) => machine === lyingDisk)
        : prng.int(validators.length);
    if (change === 0 && at >= 0) validators[at] = fresh(validators[at]!.machine);
    if (change === 1 || change === 3)
      validators = validators.filter((_, i) => i !== (change === 1 ? before.leaderOrder[0] : at));
    if ((change === 2 || change === 3) && outside.length > 0) validators.push(fresh(prng.pick(outside)));
    const set = make(validators);
    if (validators.length > 0 && isFair({ ...plan, sets: [set] })) return set;
  }
  return make(before.validators);
}

export function timingsOf(plan: Plan): (typeof timingProfiles)[number] {
  return timingProfiles[plan.profile] ?? timingProfiles[0]!;
}
