import type { JsonObject } from '../../../contracts/types.ts';
import { codeOf, messageOf } from '../../codec/error.ts';
import type { RunOptions } from '../../executor/executor.ts';
import { isProven, isRefusedUse, type Standing } from '../../executor/executor.ts';
import type { Act, Outcome, Permission } from '../../executor/permission.ts';
import type { Grant as KernelGrant } from '../bpf/grants.ts';
import type { Reconciled } from '../bpf/grantTable.ts';
import { type Route, type RouteBook, type RouteEffect, routesMax } from './routeBook.ts';

/** What an agent needs of `weft/executor`. */
export type RouteExecutor = {
  run(target: string, effect: JsonObject, act: Act, options?: RunOptions): Promise<unknown>;
  /** `thorough`: all nodes are asked, and one proof that it stands no more outweighs those that it does. */
  standing(target: string, effect: JsonObject, options?: { readonly thorough?: boolean }): Promise<Standing>;
  /** Whether an act of this grant was begun here, and not known to have come to nothing. */
  hasBegun(grant: string): boolean;
};

/** A gate's table of grants (src/agent/bpf/grantTable.ts). */
export type RouteTable = {
  ids(): readonly string[];
  put(grant: KernelGrant): void;
  remove(id: string): boolean;
  reconcile(grants: readonly KernelGrant[]): Reconciled;
  sweep(nowNs: bigint): number;
};

/** An intent as a node tells it; a hint, until a token proves it. */
export type RouteIntent = {
  readonly intent: string;
  readonly action: string;
  readonly audience: string;
  readonly status: string;
  readonly effect: JsonObject;
};

export type RouteOptions = {
  readonly host: string;
  /** Audience of the grants. */
  readonly account: string;
  /** So long the kernel lets a route through without hearing of it again. */
  readonly leaseMs: number;
  readonly maxClockSkewMs: number;
};

export type RouteModules = {
  readonly executor: RouteExecutor;
  readonly book: RouteBook;
  /** Of the gates of this host: each gets every route. */
  readonly tables: readonly RouteTable[];
  /** The moment on the clock by which grants end in the kernel. */
  readonly bootNsAt: (unixMs: number) => bigint;
  readonly wallMs: () => number;
  readonly happened: (event: RouteEvent) => void;
  /** Nothing is decided: a grant could not be looked at, or a lease not renewed. What it failed with says what to do. */
  readonly unproven: (error: unknown) => void;
};

export type RouteEvent = {
  readonly kind: 'grant.open' | 'grant.close' | 'grant.refused';
  readonly grant: string;
  /** Why it closed or was refused: a code. */
  readonly reason: string;
  readonly index?: number;
  readonly expires?: number;
  /** What may reach what. */
  readonly effect?: RouteEffect;
  readonly detail: string;
};

/** Where a grant stands in the log (0: not known), and when it is over, milliseconds UTC. */
export type GrantFacts = Pick<Route, 'index' | 'expires'>;

export type RouteCounts = {
  /** Their leases run. */
  readonly open: number;
  /** Their leases ran out, because nobody proved that their grants still stand; renewed as soon as somebody does. */
  readonly lapsed: number;
  readonly opened: number;
  readonly closed: number;
  readonly refused: number;
};

/** Statuses asked for at a time. */
const renewalsAtOnce = 8;
/** What was refused for good, or is done with, is not looked at again; so many are remembered. */
const doneMax = 16_384;
/** A grant that is over stays in the kernel's table so long, so that the gate can say which one it was. */
const namedForMs = 60_000;
/** Nothing that was proposed before a close can be in force so long after it: 24 hours of a grant, 20 minutes to be decided. */
const unknownForMs = 25 * 3_600_000;
/** Between two tries of a use that the ledger refused to count (its target rests, say): doubles from here. Each try is a transaction. */
const [retryMs, retryMsMax, retriesMax] = [10_000, 300_000, 4096];

/**
 * From grants of `route.open` to what the kernel lets through, and back. A route is let through for a lease at a time, and the lease is
 * renewed only on proof that the grant still stands: so it ends in the kernel whatever becomes of this process.
 */
export class Routes {
  readonly #options: RouteOptions;
  readonly #modules: RouteModules;
  readonly #done = new Set<string>();
  /** Of routes that ended by themselves, the oldest first. */
  readonly #ended = new Map<string, GrantFacts>();
  readonly #running = new Set<string>();
  /** When a use that the ledger refused may be asked for again. */
  readonly #retries = new Map<string, { readonly atMs: number; readonly pauseMs: number }>();
  #renewing: Promise<void> | undefined;
  #again = false;
  #thorough = false;
  #counts = { opened: 0, closed: 0, refused: 0 };

  constructor(options: RouteOptions, modules: RouteModules) {
    this.#options = options;
    this.#modules = modules;
  }

  get counts(): RouteCounts {
    const { book, wallMs } = this.#modules;
    const now = wallMs();
    const open = book.all().filter(({ leasedUntil }) => leasedUntil > now).length;
    return { open, lapsed: book.size - open, ...this.#counts };
  }

  /** What is known of a grant that opened a route here, and of one whose route ended a while ago: the kernel still names it. */
  of(grant: string): GrantFacts | undefined {
    return this.#modules.book.get(grant) ?? this.#ended.get(grant);
  }

  /**
   * Makes the kernel's tables hold what the book knows, with the leases that were running. Asks nobody: call `renew` next, and do not wait for
   * it before the gate is up. What nobody can be asked about keeps its lease, and no more.
   */
  async restore(): Promise<readonly Reconciled[]> {
    const { book, tables, wallMs } = this.#modules;
    const now = wallMs();
    await this.#finishCloses(now);
    const over = book.all().filter((route) => Math.min(route.expires, route.leasedUntil) <= now);
    // A lease that ran out while nobody was here may be given anew; a grant that expired may not.
    const running = book.all().filter((route) => !over.includes(route));
    const leases = running.map((route) => this.#inKernel(route));
    const done = tables.map((table) => table.reconcile(leases));
    await book.remove(over.filter(({ expires }) => expires <= now).map(({ grant }) => grant));
    return done;
  }

  /** What an earlier life was killed in the middle of: it may have told people that it is closed. */
  async #finishCloses(now: number): Promise<void> {
    const { book, executor } = this.#modules;
    const all = book.closing();
    if (all.length === 0) return;
    const begun = all.filter(({ close }) => executor.hasBegun(close));
    for (const { grant } of begun) {
      const route = book.get(grant);
      this.#finish(grant);
      if (route === undefined) continue;
      this.#counts.closed += 1;
      this.#tell('grant.close', route, 'CLOSED', 'a route.close was under way when the agent ended');
    }
    for (const { close } of all) book.settle(close);
    await book.close(begun, now);
  }

  /** Looks at an intent that a node told of. Never throws: what stands against it is told as an event. */
  async consider(intent: RouteIntent): Promise<void> {
    const { host, account } = this.#options;
    if (intent.audience !== account || intent.status !== 'granted' || intent.effect['host'] !== host) return;
    if (intent.action !== 'route.open' && intent.action !== 'route.close') return;
    // Not a token, which an executor takes as well: under that name nobody would know what is open, closed or done.
    if (!/^[0-9a-f]{64}$/.test(intent.intent)) return;
    const { book } = this.#modules;
    if (this.#done.has(intent.intent) || book.isClosed(intent.intent) || book.get(intent.intent) !== undefined) return;
    // With the effect: a node that makes one up for it must not keep the others' from being looked at.
    const running = `${intent.intent} ${JSON.stringify(intent.effect)}`;
    if (this.#running.has(running) || this.#rests(intent.intent)) return;
    this.#running.add(running);
    const isClose = intent.action === 'route.close';
    let isReal = false;
    const options: RunOptions = {
      rehearse: rehearsed,
      verified: ({ limits }) => {
        isReal = !limits.dryRun;
      },
      ...(isClose ? { prepare: this.#beforeClose } : {}),
    };
    try {
      await this.#modules.executor.run(intent.intent, intent.effect, isClose ? this.#close : this.#open, options);
      this.#finish(intent.intent);
      const opened = this.#modules.book.get(intent.intent);
      if (opened !== undefined) await this.#renewOne(opened);
    } catch (error) {
      this.#refused(intent.intent, error, { again: isClose });
      if (isClose && isReal && isUsedUp(error)) await this.#closedBefore(String(intent.effect['grant']));
    } finally {
      this.#running.delete(running);
      if (isClose) book.settle(intent.intent);
    }
  }

  /** Its close was counted here, in a life whose file is older, or gone: what was closed stays closed. */
  async #closedBefore(grant: string): Promise<void> {
    if (this.#modules.book.isClosed(grant)) return;
    await this.#closeGrant(grant, 'a route.close was granted, and used before').catch(this.#modules.unproven);
  }

  /** The ledger refused to count this use a moment ago. */
  #rests(intent: string): boolean {
    const retry = this.#retries.get(intent);
    if (retry === undefined) return false;
    const waitMs = retry.atMs - this.#modules.wallMs();
    // A clock that was set back makes no pause longer.
    return waitMs > 0 && waitMs <= retryMsMax;
  }

  #restAfter(intent: string): void {
    const pauseMs = Math.min(retryMsMax, 2 * (this.#retries.get(intent)?.pauseMs ?? retryMs / 2));
    this.#retries.delete(intent);
    this.#retries.set(intent, { atMs: this.#modules.wallMs() + pauseMs, pauseMs });
    const oldest = this.#retries.keys().next();
    if (this.#retries.size > retriesMax && !oldest.done) this.#retries.delete(oldest.value);
  }

  /**
   * Asks of each open route whether its grant still stands: renews the lease of those that do, closes those that do not. While one is under way a
   * further call only makes it begin anew, so that what changed meanwhile is seen. A route that this host could not renew keeps its lease
   * and holds up no other. `thorough`: there is news that some may have been taken back.
   * @throws WeftError (rejects) DISK_*, BPF_*: what the first of them failed with, once all have been looked at
   */
  renew({ thorough = false }: { readonly thorough?: boolean } = {}): Promise<void> {
    this.#thorough ||= thorough;
    if (this.#renewing !== undefined) {
      this.#again = true;
      return this.#renewing;
    }
    this.#renewing = this.#renewAll().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** Asks about one route at once. Resolves to false when it is not open (any more); never rejects: what failed is tried with the next renewal. */
  async recheck(grant: string): Promise<boolean> {
    const { book } = this.#modules;
    const route = book.get(grant);
    if (route !== undefined) await this.#renewOne(route, true).catch(() => undefined);
    return book.get(grant) !== undefined;
  }

  async #renewAll(): Promise<void> {
    const failures: unknown[] = [];
    do {
      const thorough = this.#thorough;
      this.#again = false;
      this.#thorough = false;
      failures.length = 0;
      // Those whose leases end first come first: where nodes are slow, nobody is late for ever.
      const waiting = [...this.#modules.book.all()].sort((a, b) => b.leasedUntil - a.leasedUntil);
      const worker = async (): Promise<void> => {
        for (let route = waiting.pop(); route !== undefined; route = waiting.pop())
          await this.#renewOne(route, thorough).catch((error: unknown) => failures.push(error));
      };
      await Promise.all(Array.from({ length: renewalsAtOnce }, worker));
    } while (this.#again);
    const { tables, bootNsAt, wallMs, book } = this.#modules;
    for (const table of tables) table.sweep(bootNsAt(wallMs() - namedForMs));
    await book.flush();
    if (failures.length > 0) throw failures[0];
  }

  async #renewOne(route: Route, thorough = false): Promise<void> {
    const { executor, wallMs, book, unproven } = this.#modules;
    if (wallMs() + this.#options.maxClockSkewMs >= route.expires) {
      await this.#shut([route], 'EXPIRED', 'the grant has expired', { stays: true });
      return;
    }
    let proven: Standing;
    try {
      proven = await executor.standing(route.token, asJson(route.effect), { thorough });
    } catch (error) {
      // Whoever cannot be asked says nothing: the lease goes on, and ends when its time comes.
      if (!isProven(error)) return unproven(error);
      await this.#shut([route], codeOf(error), messageOf(error));
      return;
    }
    // Closed by a `route.close` while we asked, or while the disk wrote.
    if (book.get(route.grant) === undefined) return;
    const { token, index } = proven;
    const renewed = { ...route, token, index, leasedUntil: this.#leaseEnd(route.expires) };
    if (route.token === token) book.lease(route.grant, renewed.leasedUntil);
    else await book.put(renewed);
    if (book.get(route.grant) === undefined) return;
    for (const table of this.#modules.tables) table.put(this.#inKernel(renewed));
  }

  readonly #open = async ({ grant, effect, dryRun }: Permission): Promise<Outcome> => {
    if (dryRun) return rehearsed();
    const { book, tables } = this.#modules;
    // Closed, by whoever was faster, while its use was being counted.
    if (this.#isClosed(grant.intent)) return { outcome: 'failed', result: 'CLOSED' };
    const routeEffect = effect as unknown as RouteEffect;
    // Its status was proven a moment ago. Token and index come with the first renewal: an act asks nobody.
    const route: Route = {
      grant: grant.intent,
      token: grant.intent,
      effect: routeEffect,
      index: 0,
      expires: grant.expires.time,
      leasedUntil: this.#leaseEnd(grant.expires.time),
    };
    try {
      await book.put(route);
      // Or while the disk wrote: then it is out of the book again, and nobody would take it from the kernel.
      if (book.get(route.grant) === undefined) return { outcome: 'failed', result: 'CLOSED' };
      for (const table of tables) table.put(this.#inKernel(route));
    } catch (error) {
      for (const table of tables) table.remove(route.grant);
      this.#counts.refused += 1;
      this.#tell('grant.refused', route, codeOf(error), messageOf(error));
      await book.remove([route.grant]);
      return { outcome: 'failed', result: codeOf(error) };
    }
    this.#counts.opened += 1;
    this.#tell('grant.open', route, 'GRANTED', wordsOf(routeEffect));
    return { outcome: 'done' };
  };

  /** Before it is written that a close was begun: whoever is killed from there on finishes it in the next life (`restore`). */
  readonly #beforeClose = async ({ grant, effect, dryRun }: Permission): Promise<void> => {
    if (dryRun) return;
    const closed = String(effect['grant']);
    await this.#modules.book.begin({ close: grant.intent, grant: closed, until: this.#closedUntil(closed) });
  };

  readonly #close = async ({ effect, dryRun }: Permission): Promise<Outcome> => {
    if (dryRun) return rehearsed();
    const wasOpen = await this.#closeGrant(String(effect['grant']), 'a route.close was granted');
    return { outcome: 'done', result: wasOpen ? 'closed' : 'was not open' };
  };

  /** It must not come back by a proposal that is seen late, now or after a restart. @returns whether it was open */
  async #closeGrant(grant: string, detail: string): Promise<boolean> {
    const { book, wallMs } = this.#modules;
    const route = book.get(grant);
    if (route !== undefined) await this.#shut([route], 'CLOSED', detail);
    else {
      this.#finish(grant);
      await book.close([{ grant, until: this.#closedUntil(grant) }], wallMs());
    }
    return route !== undefined;
  }

  /** When a grant that was closed is over, milliseconds UTC. */
  #closedUntil(grant: string): number {
    const { book, wallMs } = this.#modules;
    const route = book.get(grant);
    return route === undefined ? wallMs() + unknownForMs : route.expires + this.#options.maxClockSkewMs;
  }

  /** The kernel first: what is closed is closed at once. `stays`: it ends there by itself, and can still be named for a while. */
  async #shut(
    routes: readonly Route[],
    reason: string,
    detail: string,
    { stays = false }: { readonly stays?: boolean } = {},
  ): Promise<void> {
    const { tables, book, wallMs } = this.#modules;
    // Two may have asked about it at a time, and both been told.
    const open = routes.filter(({ grant }) => book.get(grant) !== undefined);
    for (const route of open) {
      if (stays) this.#remember(route);
      else for (const table of tables) table.remove(route.grant);
      this.#finish(route.grant);
      this.#counts.closed += 1;
      this.#tell('grant.close', route, reason, detail);
    }
    if (stays) return book.remove(open.map(({ grant }) => grant));
    const { maxClockSkewMs } = this.#options;
    return book.close(
      open.map(({ grant, expires }) => ({ grant, until: expires + maxClockSkewMs })),
      wallMs(),
    );
  }

  #remember({ grant, index, expires }: Route): void {
    this.#ended.set(grant, { index, expires });
    const oldest = this.#ended.keys().next();
    if (this.#ended.size > routesMax && !oldest.done) this.#ended.delete(oldest.value);
  }

  #isClosed(grant: string): boolean {
    return this.#done.has(grant) || this.#modules.book.isClosed(grant);
  }

  #leaseEnd(expires: number): number {
    const { leaseMs, maxClockSkewMs } = this.#options;
    return Math.min(expires - maxClockSkewMs, this.#modules.wallMs() + leaseMs);
  }

  /** A wall clock that was set back since the lease was given makes it no longer than one, by the kernel's clock. */
  #inKernel({ grant, effect, expires, leasedUntil }: Route): KernelGrant {
    const { source, destination, port, protocol } = effect;
    const until = Math.min(leasedUntil, this.#leaseEnd(expires));
    return { id: grant, source, destination, port, protocol, expiresNs: this.#modules.bootNsAt(until) };
  }

  #finish(grant: string): void {
    this.#done.add(grant);
    if (this.#done.size <= doneMax) return;
    const oldest = this.#done.values().next();
    if (!oldest.done) this.#done.delete(oldest.value);
  }

  /** `again`: with the next news, whatever it was: what closes does not wait. */
  #refused(grant: string, error: unknown, { again }: { readonly again: boolean }): void {
    const code = codeOf(error);
    // The rest may be true a moment later: a node that is behind, a status that is stale, an effect that somebody made up for an intent
    // that is another's. It is looked at again with the next news: a node that lies about a route.close must not keep it from being done.
    const forGood = isProven(error) || /^(CONSUMED_TOO_LATE|EXECUTOR_(USED_UP|DRY_RUN))$/.test(code);
    if (!forGood) {
      if (!again && isRefusedUse(error)) this.#restAfter(grant);
      this.#modules.unproven(error);
      return;
    }
    this.#finish(grant);
    // Used before: by this host, in an earlier life or a moment ago. That was told then.
    if (isUsedUp(error)) return;
    this.#counts.refused += 1;
    this.#modules.happened({ kind: 'grant.refused', grant, reason: code, detail: messageOf(error) });
  }

  #tell(kind: RouteEvent['kind'], { grant, index, expires, effect }: Route, reason: string, detail: string): void {
    this.#modules.happened({ kind, grant, ...(index === 0 ? {} : { index }), expires, effect, reason, detail });
  }
}

function isUsedUp(error: unknown): boolean {
  return /^(EXECUTOR|STATUS)_USED_UP$/.test(codeOf(error));
}

/** A dry run says that it could be done. */
function rehearsed(): Outcome {
  return { outcome: 'done', result: 'dry run' };
}

function asJson(effect: RouteEffect): JsonObject {
  const { host, source, destination, port, protocol } = effect;
  return { host, source, destination, port, protocol };
}

function wordsOf({ source, destination, port, protocol }: RouteEffect): string {
  const what = protocol === 'any' ? 'tcp and udp' : protocol;
  return `${source} may reach ${destination} ${what} port ${port === 0 ? 'of every guarded one' : port}`;
}
