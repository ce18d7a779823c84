import { WebSocket } from 'ws';
import type { RpcMethods } from '../../schemas/types/rpc.ts';
import { WeftError } from '../codec/error.ts';
import { bytesOf, type TlsOptions } from './http.ts';
import { readError } from './rpc.ts';

export type SubscriptionRequest = RpcMethods['subscribe']['params'];
type Notification = RpcMethods['subscribe'] extends { readonly notification: infer N } ? N : never;
export type SubscriptionEvent = Notification extends { readonly event: infer E } ? E : never;

export type SubscriptionListener = {
  readonly onEvent: (event: SubscriptionEvent) => void;
  /**
   * Events flow (again). After the first time something may have been missed in between: catch up with `block` and
   * `entry` from what was seen last.
   */
  readonly onOpen?: (times: number) => void;
  /** Each lost connection, with the reason (RPC_UNREACHABLE, SLOW_SUBSCRIBER, …); the next attempt follows by itself. */
  readonly onLost?: (error: WeftError) => void;
};

export type SubscriptionHandle = {
  /** Rejects when the node refuses the subscription itself (its code), which trying again would not change. */
  readonly ended: Promise<void>;
  close(): void;
};

export type SubscriptionOptions = {
  readonly urls: readonly string[];
  readonly tls: TlsOptions;
  /** Nothing heard for this long (heartbeats included) means a dead connection. Default 30,000. */
  readonly silenceMs?: number;
  /** First pause before reconnecting; doubles up to 40 times itself. Default 250. */
  readonly retryMs?: number;
};

const notificationBytesMax = 4 * 1024 * 1024;

/** Holds a subscription at one of several nodes, and takes it up again after each loss until it is closed. */
export function openSubscription(
  request: SubscriptionRequest,
  listener: SubscriptionListener,
  { urls, tls, silenceMs = 30_000, retryMs = 250 }: SubscriptionOptions,
): SubscriptionHandle {
  let socket: WebSocket | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let attempt = 0;
  let failures = 0;
  let opened = 0;
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  // Whoever does not look at `ended` learns of a refusal from onLost; it must not end the process.
  ended.catch(() => {});

  const end = (error?: WeftError): void => {
    if (closed) return;
    closed = true;
    clearTimeout(retry);
    socket?.close(1000);
    const left = socket;
    setTimeout(() => left?.terminate(), 1000).unref();
    if (error === undefined) resolve();
    else reject(error);
  };

  const open = (): void => {
    const url = urls[attempt++ % urls.length] ?? '';
    const own = new WebSocket(`${url.replace(/^http/, 'ws').replace(/\/$/, '')}/ws`, {
      handshakeTimeout: 10_000,
      maxPayload: notificationBytesMax,
      perMessageDeflate: false,
      ...bytesOf(tls),
    });
    socket = own;
    let subscription: string | undefined;
    let cause = '';
    let silence: ReturnType<typeof setTimeout> | undefined;
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        cause = `nothing heard for ${silenceMs} ms`;
        own.terminate();
      }, silenceMs);
    };
    own.on('open', () => {
      heard();
      own.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscribe', params: request }));
    });
    own.on('ping', heard);
    own.on('error', (error) => {
      cause = error.message;
    });
    own.on('message', (data) => {
      heard();
      const message = parse(String(data));
      if (message === undefined) return own.terminate();
      if (message.id === 1) {
        if (message.error !== undefined) {
          const error = readError(message.error, url);
          listener.onLost?.(error);
          if (!['RPC_BUSY', 'RPC_RATE_LIMITED', 'RPC_SHUTTING_DOWN'].includes(error.code)) end(error);
          else own.close(1000);
          return;
        }
        subscription = message.result?.subscription;
        failures = 0;
        listener.onOpen?.(++opened);
      } else if (message.method === 'subscription' && message.params?.subscription === subscription && !closed) {
        listener.onEvent(message.params?.event as SubscriptionEvent);
      }
    });
    own.on('close', (code, reason) => {
      clearTimeout(silence);
      if (closed) return;
      const text = String(reason);
      const known = /^[A-Z][A-Z_]{2,40}$/.test(text) ? text : 'RPC_UNREACHABLE';
      listener.onLost?.(
        new WeftError(
          known,
          `the subscription at ${url} was lost (${cause || text || `code ${code}`}); connecting again`,
          { url, code },
        ),
      );
      const pauseMs = retryMs * Math.min(40, 2 ** failures++);
      retry = setTimeout(open, pauseMs / 2 + Math.random() * (pauseMs / 2));
    });
  };
  open();
  return { ended, close: () => end() };
}

type Message = {
  readonly id?: unknown;
  readonly error?: unknown;
  readonly result?: { readonly subscription?: string };
  readonly method?: unknown;
  readonly params?: { readonly subscription?: unknown; readonly event?: unknown };
};

function parse(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}
