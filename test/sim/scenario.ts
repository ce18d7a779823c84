// One run. Phase 1: faults of every kind, only safety is asked. Phase 2: a quorum is healed and must finalize what is new within
// a bound. Phase 3: an idle chain comes to rest, and wakes up without a timeout, also when its leader has died meanwhile.
import { checkBounds } from './checkers/bounds.ts';
import { createLeaderChecker } from './checkers/leaders.ts';
import { createCluster, type Parts, type Running } from './cluster.ts';
import { blockTxsMax } from './ledger.ts';
import type { SimNode } from './node.ts';
import { type Listener, Violation } from './oracle.ts';
import { drawPlan, type Plan, type Shape, timingsOf, unsound } from './plan.ts';
import { livenessBoundMs } from './timings.ts';

export type Outcome = {
  ok: boolean;
  /** A violation's code, or the name of an unexpected error. */
  code?: string;
  error?: string;
  plan: Plan;
  finalizedBlocks: number;
  epochs: number;
  actions: number;
  effects: ReadonlyMap<string, number>;
  /** Virtual time that phase 2 took, and what it may take at most. */
  phase2Ms: number;
  boundMs: number;
};

export function runSeed(seed: number, shape: Shape = {}, parts: Parts = {}): Outcome {
  return runPlan(drawPlan(seed, shape), parts);
}

export function runPlan(plan: Plan, parts: Parts = {}): Outcome {
  const counts = { proposals: 0, nullifies: 0 };
  const counter: Listener = {
    onSent(_machine, _set, message) {
      if (message.type === 'proposal') counts.proposals += 1;
      if (message.type === 'vote' && message.vote.kind === 'nullify') counts.nullifies += 1;
    },
  };
  const timings = timingsOf(plan);
  let nowMs = (): number => 0;
  const leaders = createLeaderChecker(() => nowMs(), timings.leaderTimeoutMs, timings.skipMs, timings.blockIntervalMs);
  const listeners = [counter, ...(plan.kind === 'quiet' ? [leaders.listener] : []), ...(parts.listeners ?? [])];
  const cluster = createCluster(plan, { ...parts, listeners });
  nowMs = cluster.schedule.nowMs;
  const times = { phase2Ms: 0, boundMs: 0 };
  const outcome = (failed: Pick<Outcome, 'code' | 'error'>): Outcome => ({
    ok: failed.error === undefined,
    ...failed,
    plan,
    finalizedBlocks: cluster.oracle.chain().size - 1,
    epochs: Math.max(...cluster.all.map((node) => node.epoch)),
    actions: cluster.schedule.actions(),
    effects: cluster.effects,
    ...times,
  });
  try {
    phase1(cluster);
    if (plan.kind === 'quiet') {
      leaders.check();
      checkEvidence(cluster);
    }
    phase2(cluster, times);
    const still = plan.liars.length === 0 && plan.down.length === 0 && unsound(plan).size === 0;
    if (still && plan.cutLane.length === 0 && plan.machines > 1) phase3(cluster, counts);
    for (const node of cluster.good) checkBounds(node);
    return outcome({});
  } catch (error) {
    if (error instanceof Violation) return outcome({ code: error.code, error: error.message });
    const { name, stack } = error instanceof Error ? error : new Error(String(error));
    return outcome({ code: name, error: stack ?? name });
  }
}

function every(cluster: Running, fromMs: number, next: () => number | undefined, action: () => void): void {
  const { schedule } = cluster;
  const loop = (): void => {
    const waitMs = next();
    if (waitMs === undefined) return;
    action();
    schedule.after(waitMs, loop);
  };
  schedule.at(fromMs, loop);
}

function phase1(cluster: Running): void {
  const { plan, prng, schedule } = cluster;
  const during = (waitMs: () => number) => (): number | undefined => (cluster.world.faulty() ? waitMs() : undefined);
  for (const node of cluster.all) schedule.at(plan.kind === 'quiet' ? 0 : prng.int(100), () => node.boot());
  let tx = 1;
  every(
    cluster,
    50,
    during(() => prng.int(2 * plan.txEveryMs)),
    () => cluster.inject(tx++),
  );
  every(
    cluster,
    200,
    during(() => prng.between(20, 400)),
    () => {
      for (const node of cluster.good) if (!node.up && prng.chance(0.5)) node.boot();
    },
  );
  every(
    cluster,
    250,
    during(() => 500),
    () => {
      for (const node of cluster.good) checkBounds(node);
    },
  );
  for (const [i, atMs] of plan.closeAtMs.entries()) {
    if (atMs < plan.phase1Ms) schedule.at(atMs, () => cluster.inject(-(i + 1)));
  }
  schedule.runUntil(plan.phase1Ms);
}

/** W12: who lies openly in a quiet network is accused. */
function checkEvidence(cluster: Running): void {
  const { plan, oracle } = cluster;
  const voters = cluster.good.filter((node) => node.me !== undefined);
  for (const { machine, kind } of plan.liars) {
    if (kind !== 'doubleVoter' && kind !== 'equivocator') continue;
    if (cluster.effects.get(kind) === undefined) continue;
    const accusers = voters.filter((node) => oracle.accusedBy(node.index).has(machine)).length;
    if (accusers < (kind === 'doubleVoter' ? voters.length : 1))
      throw new Violation('NO_EVIDENCE', `${kind} ${machine} is accused by ${accusers} of ${voters.length}`);
  }
}

/** Transactions of phase 2 and 3 have numbers of their own. */
const laterTx = 500_000;

function phase2(cluster: Running, times: { phase2Ms: number; boundMs: number }): void {
  const { plan, schedule } = cluster;
  const timings = timingsOf(plan);
  cluster.heal();
  for (const node of cluster.good) if (plan.down.includes(node.index)) node.crash();
  const idle = new Set([...plan.down, ...unsound(plan)]);
  const core = cluster.good.filter((node) => !idle.has(node.index));
  for (const node of cluster.good) if (!plan.down.includes(node.index)) node.boot();
  const [a, b] = plan.cutLane;
  if (a !== undefined && b !== undefined) {
    cluster.network.cut(a, b);
    cluster.network.cut(b, a);
  }
  cluster.world.trace(0, () => `-- phase 2: core ${core.map((node) => node.index).join(',')}`);
  const startMs = schedule.nowMs();
  const wanted = [0, 1, 2].map((i) => laterTx + i);
  for (const [i, tx] of wanted.entries()) schedule.at(startMs + 50 * i, () => cluster.inject(tx));
  // Whatever was told before may have been lost with those who heard it.
  const closings = plan.sets.slice(1).map((set) => -(set.epoch - 1));
  for (const tx of closings) schedule.at(startMs + 150, () => cluster.inject(tx));
  const last = plan.sets.length;
  const done = (node: SimNode): boolean =>
    node.epoch === last && wanted.every((tx) => node.ledger.includes(node.tip, tx));
  const behind = last - Math.min(...core.map((node) => node.epoch));
  const open = last - Math.max(...core.map((node) => node.epoch));
  const clockAheadMs = plan.faults.reduce(
    (sum, { kind, amount }) => sum + (kind.startsWith('clock') ? Math.abs(amount) : 0),
    0,
  );
  const validators = Math.max(...plan.sets.map((set) => set.validators.length));
  // What waits already goes first, so many at a time.
  const waiting = Math.max(0, ...cluster.good.map((node) => node.mempool.size));
  const things = 1 + open + Math.ceil(waiting / blockTxsMax);
  times.boundMs = 150 + livenessBoundMs(timings, { validators, epochs: behind, things, clockAheadMs });
  for (;;) {
    times.phase2Ms = schedule.nowMs() - startMs;
    const slow = core.filter((node) => !done(node));
    if (slow.length === 0) break;
    if (times.phase2Ms > times.boundMs) {
      const states = slow.map(
        (node) => `${node.index}: epoch ${node.epoch} view ${node.state?.view} height ${node.tip.facts.height}`,
      );
      throw new Violation('NO_PROGRESS', `within ${times.boundMs} ms after healing (${states.join('; ')})`);
    }
    schedule.runUntil(schedule.nowMs() + 50);
    if (times.phase2Ms % 1000 === 0) for (const node of cluster.good) checkBounds(node);
  }
}

/** W5, W6, W7. */
function phase3(cluster: Running, counts: { proposals: number; nullifies: number }): void {
  const { plan, prng, schedule, world } = cluster;
  const timings = timingsOf(plan);
  const core = cluster.good;
  const set = core[0]!.set;
  const n = set.validators.length;
  const f = Math.floor((n - 1) / 3);
  // Retries that the faults left behind run out first; a skip that is still running (W3) may last longer than the run.
  schedule.runUntil(schedule.nowMs() + 3 * timings.idleBlockMs);
  const standings = core.flatMap((node) => node.state?.presence.standings ?? []);
  if (standings.some((standing) => standing.failed || standing.skip !== undefined)) return;
  world.did('phase 3');
  const restMs = 4 * timings.idleBlockMs;
  let proposals = counts.proposals;
  schedule.runUntil(schedule.nowMs() + restMs);
  proposals = counts.proposals - proposals;
  // A heartbeat and what finishes it, each idleBlockMs.
  if (proposals > 4 * 5) throw new Violation('NO_REST', `an idle chain makes ${proposals} proposals in ${restMs} ms`);
  // Anywhere between two heartbeats.
  schedule.runUntil(schedule.nowMs() + prng.int(timings.idleBlockMs));
  let dead: SimNode | undefined;
  const view = core.find((node) => node.me !== undefined)?.state?.view ?? 1;
  const leader = set.validators[set.leaderOrder[(view - 1) % n]!]!.machine;
  if (f > 0 && prng.chance(0.5)) {
    dead = core.find((node) => node.index === leader);
    world.trace(0, () => `-- the leader ${leader} dies while idle`);
    dead?.crash();
    schedule.runUntil(schedule.nowMs() + 2 * timings.leaderSilentMs + 100);
  }
  const live = core.filter((node) => node !== dead);
  const { nullifies } = counts;
  const tx = laterTx + 100;
  const startMs = schedule.nowMs();
  world.trace(0, () => `-- wake up with tx ${tx}`);
  cluster.inject(tx);
  while (!live.every((node) => node.ledger.includes(node.tip, tx))) {
    if (schedule.nowMs() - startMs > timings.leaderTimeoutMs)
      throw new Violation('SLOW_WAKE', 'an idle chain does not wake up within a leader timeout');
    schedule.runUntil(schedule.nowMs() + 5);
  }
  if (counts.nullifies !== nullifies && dead === undefined)
    throw new Violation('SLOW_WAKE', 'a view was nullified while an idle chain woke up');
}
