// The whole state of one engine, and the few ways in which every part touches it: find a view, emit an effect, journal.
import { checkConfig, faultsOf, leaderOf } from './config.ts';
import { createShown, type Held, type Shown } from './held.ts';
import { createPresence, type Presence } from './leaders.ts';
import { type Rules, rules as ruleBook } from './rules.ts';
import type {
  BlockFacts,
  BlockId,
  Certificate,
  Config,
  Effect,
  Finalization,
  Floor,
  HaltCode,
  JournalRecord,
  Message,
  Sign,
  ValidatorIndex,
  Vote,
  VoteKind,
} from './types.ts';
import { createView, type ViewRecord } from './view.ts';

export type Modules = {
  /** Absent for observers only. */
  sign?: Sign;
  /** The rule book with single rules replaced: for tests that must catch a broken rule, never set by the node. */
  rules?: Partial<Rules>;
};

export type KnownBlock = {
  readonly facts: BlockFacts;
  /** Highest view in which it stands; a closing block may stand in many (W9). */
  lastView: number;
  /** When it was first seen, monotonic ms (W8). */
  seenAtMs: number;
  /** Header and body are here: built, verified, certified or fetched. Only then may it be stored. */
  here: boolean;
  /** `store` was emitted, or the journal that we replayed speaks of it. */
  stored: boolean;
};

/** One open question of the resolver. */
export type Ask = {
  view: number;
  blockId: BlockId | undefined;
  /** The view's certificate that is missing; a finalization answers every question. */
  want: 'notarize' | 'nullify' | 'block';
  /** Whom to ask first. */
  first: ValidatorIndex;
  attempt: number;
  nextAtMs: number;
};

export type State = {
  readonly config: Config;
  readonly quorum: number;
  readonly faults: number;
  readonly sign: Sign | undefined;
  readonly rules: Rules;
  nowMs: number;
  wallMs: number;
  started: boolean;
  /** W11 settled, not ended, not an observer: own votes are made. */
  voting: boolean;
  /** What was restored has been sent again. */
  resumed: boolean;
  ended: boolean;
  halted: HaltCode | undefined;

  /** The current view, and when it was entered. */
  view: number;
  enteredAtMs: number;
  /** Since when the current view's timeouts run, if they do (W5). */
  timerBaseMs: number | undefined;
  nullifyRetryAtMs: number | undefined;
  finalizeRetryAtMs: number | undefined;
  /** Certificates that others may lack, in the order in which they are due. */
  held: Held[];
  readonly shown: Shown;
  views: Map<number, ViewRecord>;
  /** Lowest retained view. */
  viewsFrom: number;
  /** W11: of each validator the newest vote of each kind in views that are no longer retained: 256 views may be a few seconds. */
  newestVotes: Map<ValidatorIndex, Map<VoteKind, Vote>>;
  blocks: Map<BlockId, KnownBlock>;

  /** Last durably committed; the journal's floor. */
  floor: Floor;
  /** The floor this engine was restored at: W11 compares above it. */
  readonly journalFloorView: number;
  finalizedView: number;
  finalizedId: BlockId;
  finalization: Finalization | undefined;
  finalizedAtMs: number;
  /** Highest view whose block is certified or finalized here: the parent of the next own proposal. */
  certifiedView: number;
  /** Every view in [runStart, view) holds a nullification. */
  runStart: number;
  /** Views with a notarization that cannot be certified yet: a block or an ancestor is missing. */
  waiting: Set<number>;
  /** Views whose `certify` was answered with pending until a wall time. */
  certifyLater: Set<number>;
  /** Something changed that `waiting` or the current proposal may have waited for. */
  dirty: boolean;

  /** The mempool's part of work (W5). */
  workPending: boolean;
  workFull: boolean;
  presence: Presence;
  asks: Map<string, Ask>;
  /** When each peer was last helped out of an old view. */
  helpedAtMs: (number | undefined)[];
  /** W11: validators that answered; undefined once settled. */
  answered: Set<ValidatorIndex> | undefined;
  /** Own votes not yet durable, in journal order (W1). */
  undurable: { seq: number; vote: Vote }[];
  seq: number;
  wakeAtMs: number | undefined;
  out: Effect[];
  counters: Counters;
};

/** Everything dropped is counted (W13). */
export type Counters = {
  votesOutOfWindow: number;
  proposalsOutOfWindow: number;
  asksRefused: number;
  evidence: number;
  skipped: number;
};

/** A fresh engine at its floor. Throws ConsensusAssertion on a config that breaks an inequality. */
export function createState(config: Config, modules: Modules): State {
  checkConfig(config);
  const rules: Rules = { ...ruleBook, ...modules.rules };
  const floor = config.floor;
  const facts = floor.block;
  return {
    config,
    quorum: rules.quorum(config.validators),
    faults: faultsOf(config.validators),
    sign: modules.sign,
    rules,
    nowMs: 0,
    wallMs: 0,
    started: false,
    voting: false,
    resumed: false,
    ended: false,
    halted: undefined,
    view: floor.view + 1,
    enteredAtMs: 0,
    timerBaseMs: undefined,
    nullifyRetryAtMs: undefined,
    finalizeRetryAtMs: undefined,
    held: [],
    shown: createShown(config.validators),
    views: new Map(),
    viewsFrom: floor.view + 1,
    newestVotes: new Map(),
    blocks: new Map([
      [facts.id, { facts, lastView: floor.view, seenAtMs: Number.NEGATIVE_INFINITY, here: true, stored: true }],
    ]),
    floor,
    journalFloorView: floor.view,
    finalizedView: floor.view,
    finalizedId: facts.id,
    finalization: floor.certificate,
    finalizedAtMs: 0,
    certifiedView: floor.view,
    runStart: floor.view + 1,
    waiting: new Set(),
    certifyLater: new Set(),
    dirty: true,
    workPending: false,
    workFull: false,
    presence: createPresence(config),
    asks: new Map(),
    helpedAtMs: [],
    answered: new Set(),
    undurable: [],
    seq: 0,
    wakeAtMs: undefined,
    out: [],
    counters: { votesOutOfWindow: 0, proposalsOutOfWindow: 0, asksRefused: 0, evidence: 0, skipped: 0 },
  };
}

export function viewOf(state: State, view: number): ViewRecord {
  let record = state.views.get(view);
  if (record === undefined) {
    record = createView(view, leaderOf(state.config, view));
    state.views.set(view, record);
  }
  return record;
}

export function emit(state: State, effect: Effect): void {
  state.out.push(effect);
}

export function journal(state: State, record: JournalRecord): number {
  state.seq += 1;
  emit(state, { type: 'journal', seq: state.seq, record });
  return state.seq;
}

export function broadcast(state: State, message: Message): void {
  emit(state, { type: 'broadcast', message });
}

/** Header and body go to the block file once, before the journal record that relies on them (W1). */
export function store(state: State, block: KnownBlock): void {
  if (block.stored || !block.here) return;
  block.stored = true;
  emit(state, { type: 'store', block: block.facts });
}

export function learnBlock(state: State, facts: BlockFacts, view: number): KnownBlock {
  let block = state.blocks.get(facts.id);
  if (block === undefined) {
    block = { facts, lastView: view, seenAtMs: state.nowMs, here: false, stored: false };
    state.blocks.set(facts.id, block);
  }
  if (view > block.lastView) block.lastView = view;
  return block;
}

export function halt(
  state: State,
  code: HaltCode,
  view: number,
  detail: string,
  evidence: readonly (Vote | Certificate)[],
): void {
  if (state.halted !== undefined) return;
  state.halted = code;
  state.voting = false;
  emit(state, { type: 'halt', code, view, detail, evidence });
}

/** A closing block of *this* epoch: only itself may follow it (W9, W10). */
export function closesEpoch(state: State, facts: BlockFacts): boolean {
  return facts.closing && facts.epoch === state.config.epoch;
}
