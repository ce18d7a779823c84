import type { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import type { Subscription } from '../node/api.ts';
import { textFrame } from './frames.ts';
import type { Intake, Talker } from './intake.ts';
import { type Answer, answerMessage, type Dispatch } from './jsonRpc.ts';
import { checkParams } from './methods.ts';
import type { Outlet } from './outlet.ts';
import type { SubscriptionHub, Told } from './subscriptions.ts';

/** Codes with which this server closes a WebSocket (4000-4999 are an application's own, RFC 6455 §7.4.2). */
const closeCodes = {
  /** The node stops. */
  goingAway: 1001,
  /** A binary frame that is not UTF-8 text. */
  notText: 1007,
  /** More waited for this client than `bufferedBytesMax`: reconnect, read faster, catch up with block.get / log.entry. */
  slowSubscriber: 4008,
} as const;

export type SessionOptions = {
  readonly bufferedBytesMax: number;
  readonly subscriptionsMax: number;
  /** How long a slow client has to read its close code before the connection is cut. */
  readonly closeGraceMs: number;
};

export type SessionModules = {
  readonly socket: WebSocket;
  /** What `socket` writes to. Whole frames may be written to it directly: nothing of ours is compressed or in parts. */
  readonly stream: Writable;
  readonly outlet: Outlet;
  readonly intake: Intake;
  readonly hub: SubscriptionHub;
  readonly dispatch: Dispatch;
  readonly onSlow: () => void;
};

/** `early`: events between subscribing and the answer that names the subscription; `undefined` once that was sent. */
type Held = {
  stop: () => void;
  early: { readonly events: Told[]; characters: number } | undefined;
};

/** Requests of one socket that are being answered at one time. */
const inFlightMax = 256;
/** Pings that may go unanswered. */
const missedMax = 2;

/**
 * One client on a WebSocket: the same methods as over HTTP, and notifications
 * `{"jsonrpc":"2.0","method":"subscription","params":{"subscription":id,"event":…}}`. A subscription's first
 * notification never comes before the answer that names it. Nothing here waits for the client: what it does not read
 * piles up to a bound, and then it is closed with a code.
 */
export class WebSocketSession {
  readonly #options: SessionOptions;
  readonly #modules: SessionModules;
  readonly #subscriptions = new Map<string, Held>();
  readonly #dispatch: Dispatch;
  /** Subscriptions that the message at hand has made so far: they are made before anything of it waits. */
  #made: string[] = [];
  #nextId = 1;
  #inFlight = 0;
  #missed = 0;
  #open = true;

  constructor(options: SessionOptions, modules: SessionModules) {
    this.#options = options;
    this.#modules = modules;
    this.#dispatch = { ...modules.dispatch, call: (method, params) => this.#call(method, params) };
    const { socket } = modules;
    const talker: Talker = {
      take: (message) => this.#onMessage(message),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
    };
    socket.on('message', (data) => this.#onData(talker, data));
    socket.on('pong', () => {
      this.#missed = 0;
    });
    socket.on('close', () => {
      modules.intake.drop(talker);
      this.#end();
    });
    socket.on('error', () => socket.terminate());
  }

  /** Called at each heartbeat: cuts off a client that has missed two, pings it otherwise. */
  beat(): void {
    if (this.#missed >= missedMax) {
      this.#end();
      this.#modules.socket.terminate();
      return;
    }
    this.#missed++;
    this.#modules.socket.ping();
    if (this.#subscriptions.size > 0) this.#send('{"jsonrpc":"2.0","method":"heartbeat","params":{}}');
  }

  /** Tells the client that the node stops. */
  close(): void {
    this.#end();
    this.#modules.socket.close(closeCodes.goingAway, 'NODE_STOPPING');
  }

  #onData(talker: Talker, data: unknown): void {
    if (!this.#open) return;
    // In one piece is how `ws` gives a message, unless told otherwise.
    if (data instanceof Uint8Array) this.#modules.intake.offer(talker, data);
    else this.#refuseBytes();
  }

  #onMessage(data: Uint8Array): void {
    if (!this.#open) return;
    let message: string;
    try {
      message = decodeUtf8(data);
    } catch {
      this.#refuseBytes();
      return;
    }
    if (this.#inFlight >= inFlightMax) {
      const busy = new WeftError(
        'RPC_BUSY',
        `this connection has ${inFlightMax} requests in flight; wait for answers`,
        {
          retryAfterMs: 100,
        },
      );
      const refuse = (): unknown => Promise.reject(busy);
      void Promise.resolve(answerMessage(message, { ...this.#dispatch, call: refuse })).then((text) =>
        this.#answer(text, []),
      );
      return;
    }
    this.#made = [];
    const answer = answerMessage(message, this.#dispatch);
    const made = this.#made;
    if (!(answer instanceof Promise)) {
      this.#answer(answer, made);
      return;
    }
    this.#inFlight++;
    void answer.then((text) => {
      this.#inFlight--;
      this.#answer(text, made);
    });
  }

  #refuseBytes(): void {
    this.#end();
    this.#modules.socket.close(closeCodes.notText, 'NOT_UTF8');
  }

  /** @param made subscriptions that this answer names */
  #answer(text: Answer, made: readonly string[]): void {
    if (text !== undefined) this.#send(text);
    for (const id of made) {
      const held = this.#subscriptions.get(id);
      const early = held?.early?.events ?? [];
      if (held !== undefined) held.early = undefined;
      for (const told of early) this.#notify(id, told);
    }
  }

  #call(method: string, params: unknown): unknown {
    if (method === 'subscribe') {
      const answer = this.#subscribe(checkParams(method, params));
      this.#made.push(answer.subscription);
      return answer;
    }
    if (method === 'unsubscribe') {
      const id = String(checkParams(method, params)['subscription']);
      const held = this.#subscriptions.get(id);
      this.#subscriptions.delete(id);
      held?.stop();
      return { removed: held !== undefined };
    }
    return this.#modules.dispatch.call(method, params);
  }

  #subscribe(params: { readonly [name: string]: unknown }): { subscription: string } {
    const { subscriptionsMax } = this.#options;
    if (!this.#open) throw new WeftError('RPC_SHUTTING_DOWN', 'this connection is closing');
    if (this.#subscriptions.size >= subscriptionsMax) {
      throw new WeftError(
        'RPC_SUBSCRIPTIONS_FULL',
        `one connection has at most ${subscriptionsMax} subscriptions; unsubscribe one or open another connection`,
        { subscriptionsMax },
      );
    }
    const id = `s${this.#nextId++}`;
    const held: Held = { stop: () => {}, early: { events: [], characters: 0 } };
    this.#subscriptions.set(id, held);
    held.stop = this.#modules.hub.add(subscriptionOf(params), (told) => {
      if (held.early === undefined) {
        this.#notify(id, told);
        return;
      }
      held.early.events.push(told);
      held.early.characters += told.characters;
      if (held.early.characters > this.#options.bufferedBytesMax) this.#cutSlow();
    });
    // An event fired at once may have closed this session, which could not stop what had no name yet.
    if (!this.#open) held.stop();
    return { subscription: id };
  }

  #notify(id: string, told: Told): void {
    this.#write(told.frame(id));
    const { event } = told;
    if (event.topic !== 'tx') return;
    // Nothing can follow a final status, so the subscription ends by itself.
    if (event.status.status === 'finalized' || event.status.status === 'expired') {
      this.#subscriptions.get(id)?.stop();
      this.#subscriptions.delete(id);
    }
  }

  #send(text: string): void {
    this.#write(textFrame(text));
  }

  #write(frame: Buffer): void {
    const { socket, stream, outlet } = this.#modules;
    // After a close frame nothing may follow (RFC 6455 §5.5.1), whoever sent it.
    if (!this.#open || socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > this.#options.bufferedBytesMax) {
      this.#cutSlow();
      return;
    }
    outlet.hold(stream);
    stream.write(frame);
  }

  #cutSlow(): void {
    const { socket, onSlow } = this.#modules;
    this.#end();
    onSlow();
    socket.close(closeCodes.slowSubscriber, 'SLOW_SUBSCRIBER');
    setTimeout(() => socket.terminate(), this.#options.closeGraceMs).unref();
  }

  /** From here on nothing more is sent; idempotent. */
  #end(): void {
    this.#open = false;
    for (const { stop } of this.#subscriptions.values()) stop();
    this.#subscriptions.clear();
  }
}

/** The schema has checked the members; this rebuilds them in one order, so that equal wishes share one subscription. */
function subscriptionOf(params: { readonly [name: string]: unknown }): Subscription {
  const { topic, id, type, account } = params;
  if (topic === 'tx') return { topic, id: String(id) };
  if (topic === 'records') {
    return {
      topic,
      filter: {
        ...(typeof type === 'string' ? { type } : {}),
        ...(typeof account === 'string' ? { account } : {}),
      },
    };
  }
  return { topic: 'blocks' };
}
