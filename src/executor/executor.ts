import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import type { VerifiedConsumed } from '../token/consumed.ts';
import type { Grant } from '../token/grant.ts';
import type { JsonObject } from '../token/leaf.ts';
import { effectDigest } from '../token/node.ts';
import type { Attempt, OutcomeName } from './attempt.ts';
import { ProvenTime, steadyNow } from './clock.ts';
import { consume, type Fate, fateOf, withConsume } from './consume.ts';
import { type Desk, put } from './desk.ts';
import { type Act, frozenCopy, type Permission, resultDigest } from './permission.ts';
import { close, end, endUndone, settle } from './settle.ts';
import { checkStatus, type Standing, standingOf, verifiedGrant } from './standing.ts';

export { isProven, type Standing } from './standing.ts';

export type RunOptions = {
  /**
   * What stands in for `act` when the grant is for a dry run. Without it such a grant is refused before anything is consumed: a
   * function that was written for the real thing is never called for a rehearsal.
   */
  readonly rehearse?: Act;
  /** Is told the grant once its token holds, whatever comes after that. */
  readonly verified?: (grant: Grant) => void;
  /**
   * Writes down what a next life must know of an act that is cut short: awaited when permission is there, before the attempt is written as
   * begun. It is not the act; when it throws, nothing is begun. Not called for an act that is too late.
   */
  readonly prepare?: (permission: Permission) => Promise<void>;
};

/** What became of a run that acted. A run that did not act throws. */
export type RunReport = {
  readonly grant: string;
  readonly attempt: string;
  readonly use: number;
  /** txId of the consume, whose record was the permission; '' for a use that was counted here. */
  readonly consume: string;
  readonly dryRun: boolean;
  readonly outcome: OutcomeName;
  /** SHA-256 (64 hex digits) of what the act gave back. */
  readonly result: string;
  /** False: the outcome is on this machine's disk and offered to the ledger until that has it. */
  readonly reported: boolean;
};

/** What an executor has not finished, for people who look. */
export type OpenAttempt = Pick<Attempt, 'attempt' | 'grant' | 'action' | 'state' | 'outcome' | 'expires'>;

export type ExecutorSettings = {
  /** `local`: uses of reusable grants are counted on this machine, without a consume. */
  readonly reusable: 'ledger' | 'local';
  readonly randomAttempt: () => Uint8Array;
  readonly release: () => Promise<void>;
};

const pauseMsMin = 1_000;
const pauseMsMax = 30_000;
/** A trust file is held against the chain at each start, and daily while anything is open or standing. */
const trustAgeMs = 24 * 60 * 60 * 1000;
/** Nodes that could not help a moment ago are not asked with each renewal. */
const trustRetryMs = 60_000;

/** See index.ts. */
export class Executor {
  readonly #desk: Desk;
  readonly #settings: ExecutorSettings;
  /** Grants that a run works on. */
  readonly #running = new Set<string>();
  /** Attempts of theirs, which nobody else may touch. */
  readonly #settling = new Map<string, Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #runs = new Set<Promise<unknown>>();
  #loop: Promise<void> | undefined;
  /** Which node is asked first for a standing. */
  #turn = -1;
  #trustTriedMs = Number.NEGATIVE_INFINITY;
  readonly #time: ProvenTime;

  constructor(desk: Desk, settings: ExecutorSettings) {
    this.#desk = desk;
    this.#time = new ProvenTime(desk.clock);
    this.#settings = settings;
  }

  /** The chain of its trust file. */
  get chain(): string {
    return this.#desk.trust.current.chain;
  }

  /** Attempts that are not over: acts under way, and outcomes that the ledger does not have yet. */
  get open(): readonly OpenAttempt[] {
    return this.#desk.book.open().map(({ attempt, grant, action, state, outcome, expires }) => ({
      attempt,
      grant,
      action,
      state,
      outcome,
      expires,
    }));
  }

  /**
   * Verifies, asks for the status, consumes, acts, reports. `target`: the intent's id, or its token's text. `effect`: the document of
   * what is about to be done; `act` is handed a copy that nobody can change. Resolves once the act has an outcome on the disk and it
   * was offered to the ledger; everything before the act throws and leaves the act undone.
   * @throws WeftError TOKEN_*, STATUS_*, TRUST_*, RPC_*, the ledger's code when it refuses the consume, CONSUMED_*,
   *   EXECUTOR_BUSY, EXECUTOR_CLOSED, EXECUTOR_DRY_RUN, EXECUTOR_NOT_CONSUMED, EXECUTOR_STATE_FULL, EXECUTOR_USED_UP, DISK_*
   */
  async run(target: string, effect: JsonObject, act: Act, options: RunOptions = {}): Promise<RunReport> {
    const { rehearse, verified, prepare } = options;
    if (this.#closing.signal.aborted) throw closedError();
    const now = steadyNow(this.#desk.clock, this.#time);
    const copy = frozenCopy(effect);
    const { token, grant } = await verifiedGrant(this.#desk, target, effectDigest(copy), now);
    verified?.(grant);
    const does = grant.limits.dryRun ? rehearse : act;
    if (does === undefined) {
      throw new WeftError(
        'EXECUTOR_DRY_RUN',
        `the grant ${grant.intent} is for a dry run, and nothing here rehearses ${grant.action}: nothing was consumed`,
      );
    }
    if (this.#running.has(grant.intent)) {
      throw new WeftError('EXECUTOR_BUSY', `a run of ${grant.intent} is under way here: wait for its end`);
    }
    this.#running.add(grant.intent);
    try {
      const using = this.#use({ token, grant, effect: copy, act: does, prepare, now });
      this.#runs.add(using);
      return await using.finally(() => this.#runs.delete(using));
    } finally {
      this.#running.delete(grant.intent);
      if (!this.#closing.signal.aborted) this.#keepSettling();
    }
  }

  /**
   * Does a grant still stand of which a use was consumed here and goes on, as a route that stays open? Asks for a fresh status, and
   * consumes nothing. `target`, `effect`: as in `run`. Another node is asked first each time; `thorough`: all are, and a proof that it stands
   * no more outweighs any that it does, so that a node with an old one hides nothing that another one shows.
   * @throws WeftError TOKEN_*, STATUS_*, TRUST_*, RPC_*; `isProven` tells those that a fresh checkpoint proves
   */
  async standing(
    target: string,
    effect: JsonObject,
    { thorough = false }: { readonly thorough?: boolean } = {},
  ): Promise<Standing> {
    const now = steadyNow(this.#desk.clock, this.#time);
    void this.#refreshTrust(this.#desk.clock.now());
    const { nodes } = this.#desk;
    this.#turn = (this.#turn + 1) % Math.max(1, nodes.length);
    const turned = [...nodes.slice(this.#turn), ...nodes.slice(0, this.#turn)];
    const verified = await verifiedGrant(this.#desk, target, effectDigest(effect), now);
    const standing = await standingOf({ ...this.#desk, nodes: turned }, verified, now, thorough);
    this.#time.saw(standing.checkpointTime);
    return standing;
  }

  /** Whether an act of this grant was begun here, in this life or an earlier one, and is not known to have come to nothing. */
  hasBegun(grant: string): boolean {
    return this.#desk.book
      .of(grant)
      .some(({ state, outcome }) => state === 'begun' || outcome === 'done' || outcome === 'unknown');
  }

  /**
   * Takes care of what an earlier life of this executor left: what was begun is reported as `unknown`, what had an outcome is
   * reported, what was never begun is closed when its time is over. It acts on nothing. Goes on in the background until nothing is
   * open; resolves after the first pass with what is open still.
   */
  async resume(): Promise<readonly OpenAttempt[]> {
    await this.#pass();
    this.#keepSettling();
    return this.open;
  }

  /**
   * Raises the signal of acts that are under way and waits for them, at most `withinMs`; begins nothing more. Outcomes that the
   * ledger does not have yet are reported by the next one on this folder.
   */
  async close(withinMs = 10_000): Promise<void> {
    this.#closing.abort();
    const stop = new AbortController();
    const done = Promise.allSettled([...this.#runs, this.#loop]);
    await Promise.race([done, this.#desk.clock.sleep(withinMs, stop.signal)]);
    stop.abort();
    await this.#desk.book.close();
    for (const node of this.#desk.nodes) node.close();
    await this.#settings.release();
  }

  async #use({ token, grant, effect, act, prepare, now }: Use): Promise<RunReport> {
    const desk = this.#desk;
    await this.#settling.get(grant.intent);
    const known = desk.book.of(grant.intent);
    const waiting = known.find((each) => each.state === 'prepared');
    const local = waiting?.local ?? (this.#settings.reusable === 'local' && grant.reusable);
    const used = known.filter((each) => each.outcome !== '' || each.state === 'begun').length;
    if (waiting === undefined && used >= grant.maxUses) {
      throw new WeftError('EXECUTOR_USED_UP', `every use of ${grant.intent} was begun here before: propose it again`);
    }
    await checkStatus(desk, { token, grant }, waiting !== undefined, now);
    const attempt = waiting ?? (await this.#prepare(grant, local, now));
    const permitted = local
      ? { use: used + 1, tx: '', until: grant.expires.time - desk.maxClockSkewMs }
      : await this.#consumed(attempt, waiting !== undefined, now);
    await desk.step('consumed');
    return this.#act({ grant, effect, act, prepare, now }, desk.book.get(attempt.attempt) ?? attempt, permitted);
  }

  /** Durable before anything is sent: after a crash it is this attempt that is asked about, and never a second one. */
  async #prepare(grant: Grant, local: boolean, now: () => number): Promise<Attempt> {
    const desk = this.#desk;
    await desk.step('prepare');
    const fresh: Attempt = {
      attempt: toBase64Url(this.#settings.randomAttempt()),
      grant: grant.intent,
      action: grant.action,
      effect: grant.effect,
      maxUses: grant.maxUses,
      actWithinMs: grant.actWithinMs,
      expires: grant.expires.time,
      local,
      state: 'prepared',
      sent: [],
      envelope: '',
      outcome: '',
      result: '',
      closed: '',
    };
    const prepared = local ? await desk.book.put(fresh, now()) : await withConsume(desk, fresh);
    await desk.step('prepared');
    return prepared;
  }

  /** Step 3: proof that the ledger counted this use, and for this attempt. */
  async #consumed(attempt: Attempt, again: boolean, now: () => number): Promise<VerifiedConsumed> {
    const desk = this.#desk;
    let sent = attempt;
    let fate: Fate = again ? await fateOf(desk, attempt, now) : { is: 'absent' };
    if (fate.is === 'absent' || fate.is === 'unclear') {
      sent = await withConsume(desk, attempt);
      fate = await consume(desk, sent, now);
    }
    switch (fate.is) {
      case 'consumed':
        return fate.consumed;
      case 'late':
        throw await this.#tooLate(sent);
      case 'refused':
        await close(desk, sent, fate.code);
        throw refusedUse(
          fate.code,
          `the ledger refused to count this use of ${attempt.grant} (${fate.code}): nothing was done`,
        );
      case 'absent':
        throw new WeftError(
          'EXECUTOR_NOT_CONSUMED',
          `no node can prove that this use of ${attempt.grant} is counted: nothing was done`,
        );
      case 'unclear':
        throw fate.why;
    }
  }

  /** Step 4 and 5. What is written as begun is never begun again, whatever happens from here on. */
  async #act(
    { grant, effect, act, prepare, now }: Omit<Use, 'token'>,
    attempt: Attempt,
    { use, tx, until }: Pick<VerifiedConsumed, 'use' | 'tx' | 'until'>,
  ): Promise<RunReport> {
    const desk = this.#desk;
    if (this.#closing.signal.aborted) throw closedError();
    if (now() >= until) throw await this.#tooLate(attempt);
    const window = new AbortController();
    const timer = setTimeout(() => window.abort(), Math.min(until - now(), 2 ** 31 - 1)).unref();
    const { dryRun, maxTargets } = grant.limits;
    const permission: Permission = Object.freeze({
      grant,
      effect,
      attempt: attempt.attempt,
      use,
      dryRun,
      maxTargets,
      until,
      signal: AbortSignal.any([window.signal, this.#closing.signal]),
    });
    try {
      await prepare?.(permission);
      const begun = await put(desk, { ...attempt, state: 'begun', envelope: '' });
      await desk.step('begun');
      // A disk may take seconds: nothing was done yet, and that is certain.
      if (now() >= until || this.#closing.signal.aborted) throw await this.#tooLate(begun);
      const { outcome, result } = await outcomeOf(act, permission);
      await desk.step('acted');
      const settled = await settle(desk, await end(desk, begun, outcome, result));
      const reported = settled.state === 'closed';
      return { grant: grant.intent, attempt: begun.attempt, use, consume: tx, dryRun, outcome, result, reported };
    } finally {
      clearTimeout(timer);
    }
  }

  async #tooLate(attempt: Attempt): Promise<WeftError> {
    await endUndone(this.#desk, attempt);
    return new WeftError(
      'CONSUMED_TOO_LATE',
      `the time to act on ${attempt.grant} was over before the act could begin: it was not begun, and is reported as failed`,
    );
  }

  #keepSettling(): void {
    if (this.#loop !== undefined || this.#closing.signal.aborted || this.#desk.book.open().length === 0) return;
    this.#loop = this.#settleUntilDone().finally(() => {
      this.#loop = undefined;
    });
  }

  async #settleUntilDone(): Promise<void> {
    for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
      const before = this.#desk.book.open().length;
      if (before === 0) return;
      await this.#desk.clock.sleep(pauseMs, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      await this.#pass().catch(() => undefined);
      if (this.#desk.book.open().length < before) pauseMs = pauseMsMin;
    }
  }

  async #pass(): Promise<void> {
    await this.#refreshTrust(this.#desk.clock.now());
    for (const { grant } of this.#desk.book.open()) {
      if (this.#running.has(grant) || this.#settling.has(grant) || this.#closing.signal.aborted) continue;
      const settling = this.#settleGrant(grant);
      this.#settling.set(
        grant,
        settling.catch(() => undefined),
      );
      try {
        await settling;
      } finally {
        this.#settling.delete(grant);
      }
    }
  }

  /** A file that nobody holds against the chain any more may be walked for thirty days only: daily, whatever else there is to do. */
  async #refreshTrust(now: number): Promise<void> {
    const { trust, nodes, clock } = this.#desk;
    const tried = clock.monotonic() - this.#trustTriedMs;
    if (now - trust.current.checkedAt <= trustAgeMs || tried < trustRetryMs) return;
    this.#trustTriedMs = clock.monotonic();
    await trust.advance(nodes, now).catch(() => undefined);
  }

  async #settleGrant(grant: string): Promise<void> {
    for (const attempt of this.#desk.book.of(grant)) await settle(this.#desk, attempt);
  }
}

type Use = {
  readonly token: string;
  readonly grant: Grant;
  readonly effect: JsonObject;
  readonly act: Act;
  readonly prepare: RunOptions['prepare'];
  readonly now: () => number;
};

async function outcomeOf(act: Act, permission: Permission): Promise<{ outcome: OutcomeName; result: string }> {
  try {
    const { outcome, result } = await act(permission);
    const known = outcome === 'done' || outcome === 'failed';
    return { outcome: known ? outcome : 'unknown', result: resultDigest(result) };
  } catch (error) {
    return { outcome: 'unknown', result: resultDigest(error instanceof Error ? error.message : String(error)) };
  }
}

/** Of errors, because codes can be made up by nodes. */
const refusedUses = new WeakSet<WeftError>();

/** The ledger's own record says that it refused to count a use. */
export function refusedUse(code: string, message: string): WeftError {
  const error = new WeftError(code, message);
  refusedUses.add(error);
  return error;
}

/** Did a run end because a record of the ledger refuses the use, and not for what a node says? */
export function isRefusedUse(error: unknown): boolean {
  return error instanceof WeftError && refusedUses.has(error);
}

function closedError(): WeftError {
  return new WeftError('EXECUTOR_CLOSED', 'this executor is closed or closing: nothing more is begun');
}
