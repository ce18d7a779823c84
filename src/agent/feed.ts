import { connect, type SubscriptionHandle, type WeftClient } from '../client/index.ts';
import { statementType } from '../token/grant.ts';
import type { RouteIntent } from './routes/routes.ts';

/**
 * News of the ledger that concern this host. Everything is a hint: what it leads to is proven by tokens and statuses. So several nodes
 * are listened to, and one that keeps something to itself keeps it from nobody.
 */
export type FeedHooks = {
  readonly intent: (intent: RouteIntent) => void;
  /** Something may have been taken back: cancelled, paused, superseded, suspended. */
  readonly changed: () => void;
  /** A node that was heard is not any more, or was not at the start. Told once, until it is heard again. */
  readonly lost: (node: string, error: Error) => void;
};

/** What may take a grant back before its time. */
const changes = ['intents.cancelled', 'governance.effective', 'identity.suspended', 'identity.resumed'];
/** Looked through when a node is heard (again); */
const backlog = 100;
/** and every so often, in case one forgot to tell. A node counts two requests an intent against who asks. */
const recent = 20;
const lookEveryMs = 5000;

export class Feed {
  readonly #clients: readonly WeftClient[];
  readonly #handles: SubscriptionHandle[] = [];
  readonly #hooks: FeedHooks;
  readonly #account: string;
  readonly #silent = new Set<string>();
  readonly #looking = new Set<WeftClient>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @throws WeftError RPC_URL_INVALID */
  constructor(urls: readonly string[], account: string, hooks: FeedHooks) {
    this.#clients = urls.map((rpc) => connect({ rpc }));
    this.#account = account;
    this.#hooks = hooks;
    for (const [i, client] of this.#clients.entries()) this.#listen(client, urls[i] ?? '');
    this.#timer = setInterval(() => this.#lookAll(), lookEveryMs);
  }

  #listen(client: WeftClient, url: string): void {
    const onLost = (error: Error): void => {
      if (this.#closed || this.#silent.has(url)) return;
      this.#silent.add(url);
      this.#hooks.lost(url, error);
    };
    this.#handles.push(
      client.subscribe(
        { topic: 'records', type: statementType },
        {
          onEvent: (event) => {
            const intent = event.topic === 'records' ? this.#intentIn(event.record) : undefined;
            if (intent !== undefined) void this.#ask(client, intent);
          },
          onOpen: () => {
            this.#silent.delete(url);
            void this.#look(client, backlog);
          },
          onLost,
        },
      ),
    );
    for (const type of changes)
      this.#handles.push(client.subscribe({ topic: 'records', type }, { onEvent: () => this.#hooks.changed() }));
  }

  /** The id of a grant that is for this account. */
  #intentIn(record: unknown): string | undefined {
    const { predicate } = (record ?? {}) as { predicate?: { audience?: unknown; action?: unknown; intent?: unknown } };
    const isRoute = predicate?.action === 'route.open' || predicate?.action === 'route.close';
    if (!isRoute || predicate?.audience !== this.#account || typeof predicate.intent !== 'string') return undefined;
    return predicate.intent;
  }

  async #ask(client: WeftClient, intent: string): Promise<void> {
    try {
      this.#tell(await client.call('intents.get', { intent }));
    } catch {
      // The next look, or another node, will tell of it.
    }
  }

  #lookAll(): void {
    for (const client of this.#clients) void this.#look(client, recent);
  }

  async #look(client: WeftClient, limit: number): Promise<void> {
    // A node that answers slowly is asked once at a time.
    if (this.#looking.has(client)) return;
    this.#looking.add(client);
    try {
      const { intents } = await client.call('intents.list', { limit });
      // The oldest first: a route is opened before it is closed.
      for (const intent of intents.reverse()) this.#tell(intent);
    } catch {
      // A node that is away is told of by its subscription.
    } finally {
      this.#looking.delete(client);
    }
  }

  #tell({ intent, action, audience, status, effect }: RouteIntent): void {
    if (!this.#closed) this.#hooks.intent({ intent, action, audience, status, effect });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const handle of this.#handles) handle.close();
    for (const client of this.#clients) client.close();
  }
}
