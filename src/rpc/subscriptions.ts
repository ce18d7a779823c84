import type { NodeApi, NodeEvent, Subscription } from '../node/api.ts';
import { textFrame } from './frames.ts';

/**
 * One subscription at the node for all clients that ask for the same; each event is serialised once, however many get
 * it. A listener must not throw or block: it takes bytes and queues them.
 */
export type EventListener = (told: Told) => void;

/** An event, as all who hear of it are told. */
export class Told {
  readonly event: NodeEvent;
  readonly #json: string;
  /** By subscription: clients name theirs alike, since most have but one. */
  readonly #frames = new Map<string, Buffer>();

  constructor(event: NodeEvent) {
    this.event = event;
    this.#json = JSON.stringify(event);
  }

  /** Characters of the event's text. */
  get characters(): number {
    return this.#json.length;
  }

  /** The notification of subscription `id`, as a WebSocket frame that must not be changed. */
  frame(id: string): Buffer {
    let frame = this.#frames.get(id);
    if (frame === undefined) {
      const params = `{"subscription":"${id}","event":${this.#json}}`;
      frame = textFrame(`{"jsonrpc":"2.0","method":"subscription","params":${params}}`);
      this.#frames.set(id, frame);
    }
    return frame;
  }
}

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
      const told = new Told(event);
      for (const each of listeners) each(told);
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
    listener(new Told({ topic: 'tx', status }));
  }

  close(): void {
    for (const { stop, listeners } of this.#shared.values()) {
      listeners.clear();
      stop();
    }
    this.#shared.clear();
  }
}
