import type { NodeApi, NodeEvent, Subscription } from '../node/api.ts';

/**
 * One subscription at the node for all clients that ask for the same; each event is serialised once, however many get
 * it. A listener must not throw or block: it takes text and queues it.
 */
export type EventListener = (eventJson: string, event: NodeEvent) => void;

type Shared = { readonly stop: () => void; readonly listeners: Set<EventListener> };

export class SubscriptionHub {
  readonly #api: NodeApi;
  readonly #shared = new Map<string, Shared>();

  constructor(api: NodeApi) {
    this.#api = api;
  }

  /** Subscriptions at the node. */
  get size(): number {
    return this.#shared.size;
  }

  /** Calls `listener` for each event until the returned function is called (calling that twice does no harm). */
  add(subscription: Subscription, listener: EventListener): () => void {
    const key = JSON.stringify(subscription);
    const own = this.#shared.get(key) ?? this.#start(key, subscription, listener);
    own.listeners.add(listener);
    this.#tellPresent(subscription, listener);
    return () => {
      own.listeners.delete(listener);
      if (own.listeners.size > 0 || this.#shared.get(key) !== own) return;
      this.#shared.delete(key);
      own.stop();
    };
  }

  /** The first listener is there before the node knows of the subscription: an event fired at once is not lost. */
  #start(key: string, subscription: Subscription, first: EventListener): Shared {
    const listeners = new Set<EventListener>([first]);
    const stop = this.#api.subscribe(subscription, (event) => {
      const text = JSON.stringify(event);
      for (const each of listeners) each(text, event);
    });
    const shared = { stop, listeners };
    this.#shared.set(key, shared);
    return shared;
  }

  /** Who asks about a transaction that is final already would else wait for ever. */
  #tellPresent(subscription: Subscription, listener: EventListener): void {
    if (subscription.topic !== 'tx') return;
    const status = this.#api.transaction(subscription.id);
    if (status.status === 'unknown') return;
    const event: NodeEvent = { topic: 'tx', status };
    listener(JSON.stringify(event), event);
  }

  close(): void {
    for (const { stop, listeners } of this.#shared.values()) {
      listeners.clear();
      stop();
    }
    this.#shared.clear();
  }
}
