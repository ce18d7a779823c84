// One seed, one run: a cluster and its faults (phase 1: safety), then a healed quorum that must make progress (phase 2), then
// an idle chain that must come to rest and wake up at once (phase 3).
import type { Timings, Vote } from '../../consensus/types.ts';
import { type ByzantineKind, byzantineKinds, createByzantine } from './byzantine.ts';
import { createNetwork, type LinkFaults } from './network.ts';
import { SimNode } from './node.ts';
import { createOracle, Violation } from './oracle.ts';
import { createPrng } from './prng.ts';
import { createSchedule } from './schedule.ts';
import { closingTx, createRegistry } from './toyLedger.ts';
import type { NodeOptions, Quirks, Wire, World } from './world.ts';

export type Options = {
  seed: number;
  /** A rule broken in every honest node. */
  quirks?: Quirks;
  /** Fixed where given, else drawn from the seed. */
  validators?: number;
  byzantine?: readonly ByzantineKind[];
  phase1Ms?: number;
  crashy?: boolean;
  closes?: boolean;
  /** The whole cluster loses power when phase 1 ends. */
  darkEnd?: boolean;
  /** One honest validator's journal loses its end at every power loss. */
  rollsBack?: boolean;
  /** Even that validator may never be seen to sign twice. */
  strict?: boolean;
  /** Crash this node at exactly this journal write. */
  crashAt?: { node: number; write: number; when: number };
  /** No faults but those asked for. */
  calm?: boolean;
  /** Share of messages lost in phase 1. */
  loss?: number;
  onTrace?: (line: string) => void;
};

export type Outcome = {
  ok: boolean;
  error?: string;
  finalizedBlocks: number;
  actions: number;
  facts: string;
};

/** Ten times faster than the defaults, with the same inequalities. */
export const simTimings: Timings = {
  leaderTimeoutMs: 200,
  certificationTimeoutMs: 400,
  retryMs: 400,
  fetchMs: 100,
  skipMs: 6000,
  idleBlockMs: 1500,
  finalizeGraceMs: 20,
  leaderSilentMs: 400,
  blockIntervalMs: 5,
  maxClockDriftMs: 500,
};

/** Retries faster than a leader, and slower than a certification. */
const timingsDrawn: readonly Timings[] = [
  simTimings,
  { ...simTimings, retryMs: 150, fetchMs: 60 },
  {
    ...simTimings,
    leaderTimeoutMs: 300,
    certificationTimeoutMs: 450,
    retryMs: 900,
    leaderSilentMs: 900,
    blockIntervalMs: 0,
  },
];

const calm: LinkFaults = { loss: 0, duplication: 0, latencyMsMin: 1, latencyMsMax: 5, slow: 0, slowMsMax: 0 };

export function runSeed(options: Options): Outcome {
  const prng = createPrng(options.seed);
  const schedule = createSchedule();
  const registry = createRegistry();
  const n = options.validators ?? prng.pick([1, 4, 4, 4, 4, 4, 4, 7, 7]);
  const f = Math.floor((n - 1) / 3);
  const kinds = options.byzantine ?? drawByzantine();
  const byzantineAt = new Map<number, ByzantineKind>();
  for (const [i, index] of prng
    .shuffle([...Array(n).keys()])
    .slice(0, kinds.length)
    .entries())
    byzantineAt.set(index, kinds[i]!);
  const honest = (index: number): boolean => !byzantineAt.has(index);
  const darkEnd = prng.chance(0.2) ? options.darkEnd !== false : options.darkEnd === true;
  const rolls = f > kinds.length && prng.chance(0.1) ? options.rollsBack !== false : options.rollsBack === true;
  const rolling = rolls ? prng.pick([...Array(n).keys()].filter(honest)) : undefined;
  const oracle = createOracle({
    validators: n,
    honest,
    bad: (id) => registry.get(id)?.bad === true,
    rolledBack: (index) => index === rolling,
    strict: options.strict === true,
  });
  const closes = prng.chance(0.2) ? options.closes !== false : options.closes === true;

  function drawByzantine(): ByzantineKind[] {
    if (f === 0 || prng.chance(0.4)) return [];
    return Array.from({ length: prng.between(1, f) }, () => prng.pick(byzantineKinds));
  }

  let faulty = true;
  const keys = new Set<string>();
  const keyOf = (signer: number, kind: Vote['kind'], subject: Vote['subject']): string =>
    kind === 'nullify' || !('blockId' in subject)
      ? `${signer} ${kind} ${subject.view}`
      : `${signer} ${kind} ${subject.view} ${subject.parentView} ${subject.blockId}`;
  const others = Array.from({ length: n }, (_, me) => Array.from({ length: n }, (__, i) => i).filter((i) => i !== me));
  const at: SimNode[][] = [];
  const faults: LinkFaults = {
    loss: prng.pick([0, 0, 0.02, 0.1, 0.3]),
    duplication: prng.pick([0, 0.05]),
    latencyMsMin: 1,
    latencyMsMax: prng.pick([3, 10, 40, 90]),
    slow: prng.pick([0, 0.02, 0.1]),
    slowMsMax: 600,
  };
  if (options.calm) Object.assign(faults, calm);
  if (options.loss !== undefined) faults.loss = options.loss;
  const network = createNetwork<Wire>(schedule, prng, faults, (from, to, message) => {
    for (const node of at[to] ?? []) node.receive(from, message);
  });
  const world: World = {
    schedule,
    prng,
    registry,
    oracle,
    send: (from, to, message) => network.send(from, to, message),
    sign: (signer, kind, subject) => {
      keys.add(keyOf(signer, kind, subject));
      return new Uint8Array([signer]);
    },
    verify: (vote, signer) => keys.has(keyOf(signer, vote.kind, vote.subject)),
    trace: (node, text) =>
      options.onTrace?.(`${String(schedule.nowMs()).padStart(6)} ${node}${honest(node) ? ' ' : '!'} ${text()}`),
    faulty: () => faulty,
    othersOf: (index) => others[index]!,
  };
  const order = prng.shuffle([...Array(n).keys()]);
  const timings = prng.pick(timingsDrawn);
  const crashPerWrite = (options.crashy ?? prng.chance(0.5)) ? prng.pick([0.002, 0.01, 0.05]) : 0;
  for (let index = 0; index < n; index += 1) {
    const nodeOptions: NodeOptions = {
      index,
      validators: n,
      leaderOrder: order,
      timings,
      retentionViews: prng.pick([4, 64]),
      wallSkewMs: prng.chance(0.1) ? prng.between(-1500, 1500) : prng.between(-200, 200),
      syncMsMax: prng.pick([0, 1, 5, 30]),
      crashPerWrite,
      bodyApart: prng.pick([0, 0.3]),
      rollsBackRecords: index === rolling ? 12 : 0,
      ...(options.crashAt?.node === index && { crashAt: options.crashAt }),
      quirks: options.quirks ?? {},
    };
    const kind = byzantineAt.get(index);
    at[index] = kind === undefined ? [new SimNode(world, nodeOptions)] : createByzantine(kind, world, nodeOptions);
  }
  const all = at.flat();
  const good = all.filter((node) => honest(node.index));
  network.onHealed(() => {
    for (const node of all) if (node.up) node.hello();
  });

  let nextTx = 1;
  const inject = (tx: number): void => {
    const up = good.filter((node) => node.up);
    if (up.length === 0) return;
    const first = prng.pick(up);
    first.takeTx(tx);
    for (const peer of world.othersOf(first.index)) first.transmit(peer, { kind: 'tx', tx });
  };

  const facts = (): string =>
    `n=${n} byzantine=[${[...byzantineAt].map(([index, kind]) => `${index}:${kind}`).join(' ')}] loss=${faults.loss} latency≤${faults.latencyMsMax} crash=${crashPerWrite} closes=${closes}`;
  try {
    phase1();
    phase2();
    if (kinds.length === 0 && !closes && n > 1 && rolling === undefined) phase3();
    return { ok: true, finalizedBlocks: oracle.chain().size, actions: schedule.actions(), facts: facts() };
  } catch (error) {
    const text =
      error instanceof Violation
        ? `${error.name}: ${error.message}`
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error);
    return {
      ok: false,
      error: text,
      finalizedBlocks: oracle.chain().size,
      actions: schedule.actions(),
      facts: facts(),
    };
  }

  /** Faults of every kind; only safety is asked. */
  function phase1(): void {
    const endMs = options.phase1Ms ?? prng.pick([1500, 3000, 6000]);
    for (const node of all) schedule.at(prng.int(100), () => node.boot());
    const idle = prng.chance(0.2);
    const inject1 = (): void => {
      if (!faulty) return;
      inject(nextTx++);
      schedule.after(idle ? prng.int(1500) : prng.int(120), inject1);
    };
    schedule.after(50, inject1);
    if (closes && prng.chance(0.5)) schedule.after(prng.int(endMs), () => inject(closingTx));
    const restart = (): void => {
      for (const node of good) if (!node.up && node.halted === undefined && prng.chance(0.5)) node.boot();
      if (faulty) schedule.after(prng.between(20, 400), restart);
    };
    schedule.after(200, restart);
    if (prng.chance(0.6) && !options.calm) {
      const partition = (): void => {
        if (!faulty) return;
        const style = prng.int(4);
        world.trace(0, () => `-- network fault ${style}`);
        const side = Array.from({ length: n }, () => prng.chance(0.5));
        for (let from = 0; from < n; from += 1) {
          for (const to of others[from]!) {
            const cut =
              style === 0
                ? side[from] !== side[to]
                : style === 1
                  ? prng.chance(0.2)
                  : style === 2
                    ? side[from] && !side[to] && prng.chance(0.7)
                    : from === 0 || to === 0;
            if (cut) network.cut(from, to);
          }
        }
        schedule.after(prng.between(50, 1500), () => {
          world.trace(0, () => '-- network healed');
          network.healAll();
        });
        schedule.after(prng.between(300, 2500), partition);
      };
      schedule.after(prng.int(1000), partition);
    }
    if (prng.chance(0.3) && !options.calm) {
      // The whole cluster loses power.
      schedule.after(prng.int(endMs), () => {
        world.trace(0, () => '-- power loss everywhere');
        for (const node of good) node.crash();
      });
    }
    schedule.runUntil(endMs);
    if (darkEnd) for (const node of good) node.crash();
  }

  /** Safety goes on being watched; now a quorum of honest validators must finalize what is new. */
  function phase2(): void {
    faulty = false;
    network.faults = calm;
    network.healAll();
    const down = new Set(
      prng.chance(0.5) ? prng.shuffle(good).slice(0, f - kinds.length - (rolling === undefined ? 0 : 1)) : [],
    );
    for (const node of good) if (node.index === rolling) down.add(node);
    for (const node of down) node.crash();
    const core = good.filter((node) => !down.has(node));
    // A clock further off than maxClockDriftMs is a fault of its own; it is set right like the network.
    for (const node of all) node.options.wallSkewMs = Math.max(-200, Math.min(200, node.options.wallSkewMs));
    for (const node of core) node.boot();
    world.trace(0, () => `-- phase 2: core ${core.map((node) => node.index).join(',')}`);
    const startMs = schedule.nowMs();
    const mark = nextTx;
    const wanted = Array.from({ length: 5 }, (_, i) => mark + i);
    nextTx += wanted.length;
    for (const [i, tx] of wanted.entries()) schedule.at(startMs + 100 * i, () => inject(tx));
    if (closes) schedule.at(startMs + 600, () => inject(closingTx));
    const done = (): boolean =>
      closes
        ? core.every(
            (node) => node.ended !== undefined && node.disk.store.some((block) => block.facts.id === node.ended),
          )
        : core.every((node) => wanted.every((tx) => node.disk.store.some((block) => block.txs.includes(tx))));
    // Ten turns of faulty leaders, each with its retries, and the catching up before.
    const boundMs = 12_000;
    while (!done()) {
      if (schedule.nowMs() - startMs > boundMs) {
        const states = core.map(
          (node) => `${node.index}: view ${node.state?.view} height ${node.tip.facts.height} ended ${node.ended}`,
        );
        throw new Violation(`no progress within ${boundMs} ms after healing (${states.join('; ')})`);
      }
      schedule.runUntil(schedule.nowMs() + 50);
    }
    if (!closes) return;
    const ends = new Set(core.map((node) => node.ended));
    if (ends.size !== 1) throw new Violation(`the epoch ended with different blocks: ${[...ends].join(', ')}`);
    const closing = core[0]!.disk.store.findIndex((block) => block.facts.closing);
    for (const height of oracle.chain().keys())
      if (height > closing) throw new Violation(`height ${height} follows the closing block`);
  }

  /** W5, W6, W7: comes to rest, wakes up without a timeout, also when the leader has died meanwhile. */
  function phase3(): void {
    const core = good.filter((node) => node.up);
    // Retries that the faults left behind run out first; a skip that is still running (W3) may last longer than the run.
    schedule.runUntil(schedule.nowMs() + 3 * timings.idleBlockMs);
    const standings = core.flatMap((node) => node.state?.presence.standings ?? []);
    if (standings.some((standing) => standing.failed || standing.skip !== undefined)) return;
    const count = (what: 'proposalsSent' | 'nullifiesSent'): number => core.reduce((sum, node) => sum + node[what], 0);
    const restMs = 4 * timings.idleBlockMs;
    let proposals = count('proposalsSent');
    schedule.runUntil(schedule.nowMs() + restMs);
    proposals = count('proposalsSent') - proposals;
    // A heartbeat and what finishes it, each idleBlockMs.
    if (proposals > 4 * 5)
      throw new Violation(`an idle chain does not come to rest: ${proposals} proposals in ${restMs} ms`);
    let dead: SimNode | undefined;
    if (core.length > n - f && f > 0) {
      const leader = core.find((node) => node.index === order[((core[0]!.state?.view ?? 1) - 1) % n]);
      if (leader !== undefined && prng.chance(0.5)) {
        dead = leader;
        world.trace(0, () => `-- the leader ${leader.index} dies while idle`);
        leader.crash();
        schedule.runUntil(schedule.nowMs() + 2 * timings.leaderSilentMs + 100);
      }
    }
    const live = core.filter((node) => node !== dead);
    const nullifies = count('nullifiesSent');
    const tx = nextTx++;
    const startMs = schedule.nowMs();
    world.trace(0, () => `-- wake up with tx ${tx}`);
    inject(tx);
    while (!live.every((node) => node.disk.store.some((block) => block.txs.includes(tx)))) {
      if (schedule.nowMs() - startMs > timings.leaderTimeoutMs)
        throw new Violation('an idle chain does not wake up within a leader timeout');
      schedule.runUntil(schedule.nowMs() + 5);
    }
    if (count('nullifiesSent') !== nullifies && live.length === n)
      throw new Violation('a view was nullified while an idle chain woke up');
  }
}
