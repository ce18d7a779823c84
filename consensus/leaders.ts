// W3's local skip rule: whose turn is not waited for. Never consensus: a wrong guess costs one view, no agreement.
import type { Config, ValidatorIndex } from './types.ts';

type Standing = {
  heardAtMs: number;
  /** When a proposal of its own was last notarized. */
  notarizedAtMs: number;
  /** Its last full turn ran out here while a quorum voted. */
  failed: boolean;
  /** The skip that is running, or whose full turn is still owed. */
  skip: { untilMs: number; fromMs: number; silent: boolean } | undefined;
  /** Length of the next skip in units of skipMs: 1, 2, 4, 8, 16. */
  factor: number;
};

export type Presence = {
  readonly me: ValidatorIndex | undefined;
  readonly skipMs: number;
  /** Silence after which W7 passes over a leader anyway. */
  readonly silentMs: number;
  readonly quorum: number;
  readonly faults: number;
  standings: Standing[];
};

const factorMax = 16;

export function createPresence(config: Config): Presence {
  const faults = Math.floor((config.validators - 1) / 3);
  return {
    me: config.me,
    skipMs: config.timings.skipMs,
    silentMs: Math.min(config.timings.leaderSilentMs, config.timings.skipMs),
    quorum: config.validators - faults,
    faults,
    standings: Array.from({ length: config.validators }, () => ({
      heardAtMs: 0,
      notarizedAtMs: Number.NEGATIVE_INFINITY,
      failed: false,
      skip: undefined,
      factor: 1,
    })),
  };
}

function standingOf(presence: Presence, validator: ValidatorIndex): Standing {
  const standing = presence.standings[validator];
  if (standing === undefined) throw new RangeError(`no validator ${validator}`);
  return standing;
}

/** At start nobody counts as silent. */
export function hearAll(presence: Presence, nowMs: number): void {
  for (const standing of presence.standings) standing.heardAtMs = nowMs;
}

export function hear(presence: Presence, validator: ValidatorIndex, nowMs: number): void {
  const standing = standingOf(presence, validator);
  standing.heardAtMs = nowMs;
  // A validator that comes back was down, not idle: its skip for silence ends with the silence.
  if (standing.skip?.silent) standing.skip = undefined;
}

export function silentSinceMs(presence: Presence, validator: ValidatorIndex): number {
  return standingOf(presence, validator).heardAtMs;
}

/** A proposal of its own was notarized: everything held against it is forgotten. */
export function markNotarized(presence: Presence, validator: ValidatorIndex, nowMs: number): void {
  const standing = standingOf(presence, validator);
  standing.notarizedAtMs = nowMs;
  standing.failed = false;
  standing.skip = undefined;
  standing.factor = 1;
}

/** Its turn ran out in full by our own timers, and a quorum voted meanwhile. */
export function markFailed(presence: Presence, validator: ValidatorIndex): void {
  standingOf(presence, validator).failed = true;
}

/**
 * The turn of `leader` begins: is it skipped? At most f are at a time: the silent first (longest silence), then the others by
 * longest time since their last notarized proposal, ties by index; nobody while fewer than q are active. After a skip it
 * gets one full turn, whose outcome decides about the next, twice as long.
 *
 * Who is silent for `silentMs` takes one of the f places, although it is only skipped after `skipMs`: W7 passes over it anyway.
 * Otherwise, with f dead, each of the others may skip another one of them for a turn that went wrong before, and a bare quorum
 * has no vote to spare: most turns would run out in full, and that is held against their leaders again.
 */
export function skipTurn(presence: Presence, leader: ValidatorIndex, nowMs: number): boolean {
  if (leader === presence.me || presence.faults === 0) return false;
  const { standings, skipMs, silentMs } = presence;
  const own = standings[leader];
  if (own === undefined) return false;
  const silentFor = (index: number): number =>
    index === presence.me ? 0 : nowMs - standingOf(presence, index).heardAtMs;
  const isSilent = (index: number): boolean => silentFor(index) >= skipMs;
  const isGone = (index: number): boolean => silentFor(index) >= silentMs;
  const wanted = (index: number): boolean => {
    const standing = standingOf(presence, index);
    if (standing.skip !== undefined) return nowMs < standing.skip.untilMs;
    return index !== presence.me && (standing.failed || isSilent(index));
  };
  if (!wanted(leader)) {
    own.skip = undefined; // the full turn that it was owed begins now
    return false;
  }
  const candidates: number[] = [];
  let active = 0;
  for (let index = 0; index < standings.length; index += 1) {
    if (!isSilent(index)) active += 1;
    if (wanted(index) || isGone(index)) candidates.push(index);
  }
  if (active < presence.quorum) return false;
  candidates.sort((a, b) => {
    const bySilence = Number(isGone(b)) - Number(isGone(a));
    if (bySilence !== 0) return bySilence;
    const left = standingOf(presence, a);
    const right = standingOf(presence, b);
    const [x, y] = isGone(a) ? [left.heardAtMs, right.heardAtMs] : [left.notarizedAtMs, right.notarizedAtMs];
    return x === y ? a - b : x < y ? -1 : 1;
  });
  if (!candidates.slice(0, presence.faults).includes(leader)) return false;
  if (own.skip === undefined) {
    own.skip = { fromMs: nowMs, untilMs: nowMs + skipMs * own.factor, silent: isSilent(leader) && !own.failed };
    own.factor = Math.min(factorMax, own.factor * 2);
    own.failed = false;
  }
  return true;
}
