import { connect, type SubscriptionHandle, type WeftClient } from '../client/index.ts';
import { statementType } from '../token/grant.ts';
import type { RouteIntent } from './routes/routes.ts';
import { Limiter } from './telemetry/limiter.ts';

/**
 * News of the ledger that concern this host. Everything is a hint: what it leads to is proven by tokens and statuses. So several nodes
 * are listened to, and one that keeps something to itself keeps it from nobody. Each node has a lane of its own, of fixed width and
 * length: one that makes things up, however many, holds up itself and nobody else.
 */
export type FeedHooks = {
  /** Resolves when it was looked at: so long it has a place in its node's lane. Must not reject. */
  readonly intent: (intent: RouteIntent) => Promise<void>;
  /** Something may have been taken back: this grant, or any (paused, superseded, suspended). */
  readonly changed: (grant?: string) => void;
  /** A node that was heard is not any more, or was not at the start. Told once, until it is heard again. */
  readonly lost: (node: string, error: Error) => void;
};

/** What may take grants back before their time; the first names the one. */
const cancelled = 'intents.cancelled';
const changes = [cancelled, 'governance.effective', 'identity.suspended', 'identity.resumed'];
/** Looked at, at a time, for one node. */
const atOnce = 4;
/** Waiting to be looked at, of one node. What does not fit is told again by the next look. */
const hintsMax = 256;
/** Intents a page. A node counts two requests an intent against who asks. */
const pageOf = 20;
/** Pages of what was decided before, when a node is heard (again): each looks through 256 decisions at least. */
const backlogPages = 64;
/** How often the newest page is looked at, in case a node forgot to tell. */
const lookEveryMs = 5000;
/**
 * Of one node. What is above is found by the renewal of leases, a moment later. Each asks all nodes several times about one route, or about
 * each: a node that cries without end must not use up what the others allow who asks.
 */
const changeLimits = {
  any: { perSecond: 0.2, burst: 5, sourcesMax: 1 },
  one: { perSecond: 2, burst: 128, sourcesMax: 1 },
};

export class Feed {
  readonly #lanes: readonly Lane[];
  #timer: NodeJS.Timeout | undefined;

  /** @throws WeftError RPC_URL_INVALID */
  constructor(urls: readonly string[], account: string, hooks: FeedHooks) {
    this.#lanes = urls.map((url) => new Lane(url, account, hooks));
    this.#timer = setInterval(() => {
      for (const lane of this.#lanes) void lane.look();
    }, lookEveryMs);
  }

  /** Hints that found no room, since the start. */
  get dropped(): number {
    return this.#lanes.reduce((sum, { dropped }) => sum + dropped, 0);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const lane of this.#lanes) lane.close();
  }
}

/** One node: what it tells, what it is asked, and how much of that at a time. */
class Lane {
  readonly #url: string;
  readonly #account: string;
  readonly #hooks: FeedHooks;
  readonly #client: WeftClient;
  readonly #handles: SubscriptionHandle[];
  readonly #any = new Limiter(changeLimits.any);
  readonly #one = new Limiter(changeLimits.one);
  /** By id, the oldest first; undefined: the node has yet to say what it is. */
  readonly #waiting = new Map<string, RouteIntent | undefined>();
  #working = 0;
  #looking = false;
  /** Where the backlog goes on; undefined when it has been looked through. */
  #backlog: { readonly before: number; readonly pagesLeft: number } | undefined;
  /** It was away: what it did not tell of meanwhile is looked for. */
  #isNew = true;
  #silent = false;
  #closed = false;
  dropped = 0;

  constructor(url: string, account: string, hooks: FeedHooks) {
    this.#url = url;
    this.#account = account;
    this.#hooks = hooks;
    this.#client = connect({ rpc: url });
    this.#handles = [
      this.#client.subscribe(
        { topic: 'records', type: statementType },
        {
          onEvent: (event) => {
            const intent = event.topic === 'records' ? this.#intentIn(event.record) : undefined;
            if (intent !== undefined) this.#push(intent, undefined);
          },
          onOpen: () => {
            this.#silent = false;
            this.#isNew = true;
            void this.look();
          },
          onLost: (error) => this.#lost(error),
        },
      ),
      ...changes.map((type) =>
        this.#client.subscribe(
          { topic: 'records', type },
          { onEvent: (event) => event.topic === 'records' && this.#changed(type, event.record) },
        ),
      ),
    ];
  }

  /** What was decided last, and then, as far as no look before came, what was decided before that. */
  async look(): Promise<void> {
    await this.#alone(async () => {
      const before = await this.#page(undefined);
      if (this.#isNew) this.#backlog = before === undefined ? undefined : { before, pagesLeft: backlogPages };
      this.#isNew = false;
      await this.#pages();
    });
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    for (const handle of this.#handles) handle.close();
    this.#client.close();
  }

  /** A node that answers slowly is asked once at a time. One that is away is told of by its subscription. */
  async #alone(ask: () => Promise<void>): Promise<void> {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    await ask().catch(() => undefined);
    this.#looking = false;
  }

  /** The backlog, as long as there is room for a page of it. */
  async #pages(): Promise<void> {
    for (let at = this.#backlog; at !== undefined; at = this.#backlog) {
      if (this.#waiting.size + pageOf > hintsMax) return;
      const before = await this.#page(at.before);
      this.#backlog = before === undefined || at.pagesLeft <= 1 ? undefined : { before, pagesLeft: at.pagesLeft - 1 };
    }
  }

  async #page(before: number | undefined): Promise<number | undefined> {
    const { intents, next } = await this.#client.call('intents.list', {
      audience: this.#account,
      status: 'granted',
      limit: pageOf,
      ...(before === undefined ? {} : { before }),
    });
    // The oldest first: a route is opened before it is closed. A node may send more than it was asked for.
    for (const intent of intents.slice(0, pageOf).reverse()) if (isId(intent.intent)) this.#push(intent.intent, intent);
    return next === undefined || (before !== undefined && next >= before) ? undefined : next;
  }

  #push(id: string, intent: RouteIntent | undefined): void {
    if (this.#closed) return;
    if (this.#waiting.size >= hintsMax && !this.#waiting.has(id)) {
      this.dropped += 1;
      return;
    }
    this.#waiting.set(id, intent);
    if (this.#working < atOnce) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working += 1;
    for (let next = this.#waiting.entries().next(); !next.done; next = this.#waiting.entries().next()) {
      const [id, told] = next.value;
      this.#waiting.delete(id);
      try {
        const { intent, action, audience, status, effect } =
          told ?? (await this.#client.call('intents.get', { intent: id }));
        if (this.#closed) break;
        await this.#hooks.intent({ intent, action, audience, status, effect });
      } catch {
        // The next look, or another node, will tell of it.
      }
    }
    this.#working -= 1;
    if (this.#backlog !== undefined && this.#working === 0) void this.#alone(() => this.#pages());
  }

  #changed(type: string, record: unknown): void {
    if (this.#closed) return;
    const { intent } = (record ?? {}) as { readonly intent?: unknown };
    const one = type === cancelled && isId(intent) ? intent : undefined;
    if (type === cancelled && one === undefined) return;
    const limiter = one === undefined ? this.#any : this.#one;
    if (limiter.take('', performance.now())) this.#hooks.changed(one);
  }

  /** The id of a grant that is for this account. */
  #intentIn(record: unknown): string | undefined {
    const { predicate } = (record ?? {}) as { predicate?: { audience?: unknown; action?: unknown; intent?: unknown } };
    const isRoute = predicate?.action === 'route.open' || predicate?.action === 'route.close';
    if (!isRoute || predicate?.audience !== this.#account) return undefined;
    return isId(predicate.intent) ? predicate.intent : undefined;
  }

  #lost(error: Error): void {
    if (this.#closed || this.#silent) return;
    this.#silent = true;
    this.#hooks.lost(this.#url, error);
  }
}

/** Of an intent. */
function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}
