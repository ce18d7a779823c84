// An engine under test with a clock that the test moves. Signatures are one byte: the signer.
import { replay, step } from '../../consensus/engine.ts';
import type { Modules, State } from '../../consensus/state.ts';
import type {
  BlockFacts,
  Certificate,
  Config,
  Effect,
  EffectType,
  Event,
  Finalization,
  JournalRecord,
  Message,
  Notarization,
  NotarizeVote,
  Nullification,
  Timings,
  Vote,
  VoteKind,
} from '../../consensus/types.ts';

export const timings: Timings = {
  leaderTimeoutMs: 1000,
  certificationTimeoutMs: 2000,
  retryMs: 2000,
  fetchMs: 1000,
  skipMs: 30_000,
  idleBlockMs: 10_000,
  finalizeGraceMs: 50,
  leaderSilentMs: 2000,
  blockIntervalMs: 20,
  maxClockDriftMs: 500,
};

/** Wall clock = this + monotonic clock. */
export const wallOffsetMs = 1_000_000;

export const genesis: BlockFacts = {
  id: 'g',
  parent: '',
  height: 0,
  epoch: 0,
  view: 0,
  proposer: 0,
  time: 0,
  closing: false,
  empty: false,
};

export function configOf(change: Partial<Config> = {}): Config {
  const n = change.validators ?? 4;
  return {
    epoch: 1,
    validators: n,
    me: 0,
    leaderOrder: Array.from({ length: n }, (_, i) => (i + 1) % n), // view 1 is led by validator 1, view 4 by validator 0
    floor: { view: 0, block: genesis },
    timings,
    retentionViews: 16,
    ...change,
  };
}

/** A block proposed in `view` by its leader under `configOf`'s order for four validators. */
export function block(view: number, parent: BlockFacts, change: Partial<BlockFacts> = {}): BlockFacts {
  return {
    id: `b${view}`,
    parent: parent.id,
    height: parent.height + 1,
    epoch: 1,
    view,
    proposer: view % 4,
    time: parent.time + 1,
    closing: false,
    empty: false,
    ...change,
  };
}

export function vote(kind: 'nullify', signer: number, view: number): Vote;
export function vote(
  kind: 'notarize' | 'finalize',
  signer: number,
  view: number,
  parentView: number,
  blockId: string,
): Vote;
export function vote(kind: VoteKind, signer: number, view: number, parentView = 0, blockId = ''): Vote {
  const signature = new Uint8Array([signer]);
  if (kind === 'nullify') return { kind, subject: { epoch: 1, view }, signer, signature };
  return { kind, subject: { epoch: 1, view, parentView, blockId }, signer, signature };
}

const signatures = (signers: number[]): Uint8Array[] => signers.map((signer) => new Uint8Array([signer]));

export function notarization(view: number, parentView: number, blockId: string, signers = [1, 2, 3]): Notarization {
  return {
    kind: 'notarize',
    subject: { epoch: 1, view, parentView, blockId },
    signers,
    signatures: signatures(signers),
  };
}

export function finalization(view: number, parentView: number, blockId: string, signers = [1, 2, 3]): Finalization {
  return {
    kind: 'finalize',
    subject: { epoch: 1, view, parentView, blockId },
    signers,
    signatures: signatures(signers),
  };
}

export function nullification(view: number, signers = [1, 2, 3]): Nullification {
  return { kind: 'nullify', subject: { epoch: 1, view }, signers, signatures: signatures(signers) };
}

export type Bench = {
  state: State;
  nowMs: number;
  /** Everything journaled, in order. */
  records: JournalRecord[];
  /** Gives an event; returns its effects. Does not make anything durable. */
  give(event: Event): Effect[];
  /** Moves the clocks forward by `ms`, hearing from everybody first if `heard`. */
  pass(ms: number, options?: { heard?: boolean }): Effect[];
  /** Everything journaled so far is durable. */
  sync(): Effect[];
  propose(view: number, parentView: number, facts: BlockFacts): Effect[];
  certificate(certificate: Certificate): Effect[];
};

export function bench(
  config: Config,
  options: { records?: readonly JournalRecord[]; modules?: Partial<Modules>; silentStart?: boolean } = {},
): Bench {
  const me = config.me ?? -1;
  const state = replay(config, { sign: () => new Uint8Array([me]), ...options.modules }, options.records ?? []);
  const made: Bench = {
    state,
    nowMs: 0,
    records: [],
    give(event) {
      const effects = step(state, event);
      for (const effect of effects) if (effect.type === 'journal') made.records.push(effect.record);
      return effects;
    },
    pass(ms, { heard = true } = {}) {
      made.nowMs += ms;
      const effects: Effect[] = [];
      if (heard)
        for (let peer = 0; peer < config.validators; peer += 1) effects.push(...made.give({ type: 'heard', peer }));
      effects.push(...made.give({ type: 'tick', monotonicMs: made.nowMs, wallMs: wallOffsetMs + made.nowMs }));
      return effects;
    },
    sync: () => made.give({ type: 'journaled', seq: state.seq }),
    propose: (view, parentView, facts) =>
      made.give({
        type: 'proposal',
        vote: vote(
          'notarize',
          state.config.leaderOrder[(view - 1) % config.validators]!,
          view,
          parentView,
          facts.id,
        ) as NotarizeVote,
        block: facts,
      }),
    certificate: (certificate) => made.give({ type: 'certificate', certificate }),
  };
  made.pass(0, { heard: false });
  made.give({ type: 'start' });
  if (options.silentStart !== true)
    for (let peer = 0; peer < config.validators; peer += 1) made.give({ type: 'answered', peer, votes: [] });
  return made;
}

export function of<T extends EffectType>(effects: readonly Effect[], type: T): Extract<Effect, { type: T }>[] {
  return effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
}

export function broadcasts(effects: readonly Effect[]): Message[] {
  return of(effects, 'broadcast').map((effect) => effect.message);
}

/** "kind view" of every own vote that is broadcast. */
export function votesIn(effects: readonly Effect[]): string[] {
  const found: string[] = [];
  for (const message of broadcasts(effects))
    if (message.type === 'vote' || message.type === 'proposal')
      found.push(`${message.vote.kind} ${message.vote.subject.view}`);
  return found;
}

export function certificatesIn(effects: readonly Effect[]): string[] {
  const found: string[] = [];
  for (const message of broadcasts(effects))
    if (message.type === 'certificate') found.push(`${message.certificate.kind} ${message.certificate.subject.view}`);
  return found;
}

/** "kind view" of every certificate that is kept now, formed here or received. */
export function certificatesKept(effects: readonly Effect[]): string[] {
  return of(effects, 'journal').flatMap(({ record }) =>
    record.kind === 'certificate' ? [`${record.certificate.kind} ${record.certificate.subject.view}`] : [],
  );
}

/** View 1 notarized, certified and finalized by the others and us; we stand in view 2. */
export function afterFirstBlock(config: Config = configOf()): Bench & { first: BlockFacts } {
  const made = bench(config);
  const first = block(1, genesis);
  made.propose(1, 0, first);
  made.give({ type: 'verified', view: 1, blockId: first.id, verdict: 'valid' });
  made.certificate(notarization(1, 0, first.id));
  made.certificate(finalization(1, 0, first.id));
  made.give({ type: 'committed', view: 1, block: first });
  made.sync();
  return Object.assign(made, { first });
}
