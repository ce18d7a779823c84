import type { RpcMethods } from '../../schemas/types/rpc.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { checkUrl, HttpConnections, type TlsOptions } from './http.ts';

export type MethodName = Exclude<keyof RpcMethods, 'subscribe' | 'unsubscribe'>;
export type ParamsOf<M extends MethodName> = RpcMethods[M]['params'];
export type ResultOf<M extends MethodName> = RpcMethods[M]['result'];

export type RpcOptions = {
  /** Address of a node, or of several: when one is silent, the next is asked. */
  readonly rpc: string | readonly string[];
  readonly tls?: TlsOptions;
  /** For one answer of one node. Default 10,000. */
  readonly timeoutMs?: number;
};

/** Larger than any answer of an honest node (a token has at most 128 KiB). */
const answerBytesMax = 16 * 1024 * 1024;

/** JSON-RPC over HTTP against one of several nodes. */
export class RpcTransport {
  readonly urls: readonly string[];
  readonly tls: TlsOptions;
  readonly #timeoutMs: number;
  readonly #http: HttpConnections;
  #preferred = 0;
  #nextId = 1;

  /** @throws WeftError RPC_URL_INVALID */
  constructor({ rpc, tls = {}, timeoutMs = 10_000 }: RpcOptions) {
    this.urls = typeof rpc === 'string' ? [rpc] : [...rpc];
    if (this.urls.length === 0) throw new WeftError('RPC_URL_INVALID', 'give the address of at least one node');
    for (const url of this.urls) checkUrl(url);
    this.tls = tls;
    this.#timeoutMs = timeoutMs;
    this.#http = new HttpConnections(tls);
  }

  /**
   * Calls a method. All methods may be repeated without harm, so a silent or stopping node is passed over for the next.
   * @throws WeftError with the node's stable code, or RPC_UNREACHABLE, RPC_TIMEOUT, RPC_ANSWER_INVALID, RPC_ANSWER_TOO_LARGE
   */
  async call<M extends MethodName>(method: M, params: ParamsOf<M>, timeoutMs = this.#timeoutMs): Promise<ResultOf<M>> {
    let failure: unknown;
    for (let tried = 0; tried < this.urls.length; tried++) {
      const at = this.#preferred;
      try {
        return (await this.#ask(this.urls[at] ?? '', method, params, timeoutMs)) as ResultOf<M>;
      } catch (error) {
        if (!isSilence(error)) throw error;
        failure = error;
        // Several calls may fail together: only the first moves on.
        if (this.#preferred === at) this.#preferred = (at + 1) % this.urls.length;
      }
    }
    throw failure;
  }

  close(): void {
    this.#http.close();
  }

  async #ask(url: string, method: string, params: unknown, timeoutMs: number): Promise<unknown> {
    const id = this.#nextId++;
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params });
    const answer = await this.#http.ask({ url, method: 'POST', body, timeoutMs, bytesMax: answerBytesMax });
    return readAnswer(answer.body, url, answer.status);
  }
}

/** Nothing was learnt from this node, and another may know. */
export function isSilence(error: unknown): boolean {
  return (
    error instanceof WeftError &&
    [
      'RPC_UNREACHABLE',
      'RPC_TIMEOUT',
      'RPC_ANSWER_INVALID',
      'RPC_SHUTTING_DOWN',
      'NODE_STOPPED',
      'CATCHING_UP',
    ].includes(error.code)
  );
}

/** The node is there and has no room now; `details.retryAfterMs` may say when. */
export function isBusy(error: unknown): error is WeftError {
  return error instanceof WeftError && ['MEMPOOL_FULL', 'RPC_RATE_LIMITED', 'RPC_BUSY'].includes(error.code);
}

function readAnswer(bytes: Uint8Array, url: string, status: number): unknown {
  let answer: unknown;
  try {
    answer = JSON.parse(decodeUtf8(bytes));
  } catch {
    throw invalid(url, `HTTP status ${status} and no JSON`);
  }
  if (typeof answer !== 'object' || answer === null) throw invalid(url, 'not an object');
  const { result, error } = answer as { readonly result?: unknown; readonly error?: unknown };
  if (error !== undefined) throw readError(error, url);
  if (typeof result !== 'object' || result === null) throw invalid(url, 'neither result nor error');
  return result;
}

/** An error answer as the error that the node threw. */
export function readError(error: unknown, url: string): WeftError {
  const { message, data } = (typeof error === 'object' && error !== null ? error : {}) as {
    message?: unknown;
    data?: unknown;
  };
  const { code, ...rest } = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>;
  if (typeof message !== 'string' || typeof code !== 'string' || !/^[A-Z][A-Z0-9_]{1,63}$/.test(code)) {
    return invalid(url, 'an error without a code');
  }
  const plain = Object.entries(rest).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value));
  return new WeftError(code, message, Object.fromEntries(plain) as Record<string, string | number | boolean>);
}

function invalid(url: string, what: string): WeftError {
  const origin = checkUrl(url).origin;
  return new WeftError(
    'RPC_ANSWER_INVALID',
    `${origin} answered, but not as a Weft node does (${what}); is the address right?`,
    {
      url: origin,
    },
  );
}
