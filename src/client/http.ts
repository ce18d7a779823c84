import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { WeftError } from '../codec/error.ts';

/** Client side of TLS: an own authority, and a certificate where the node asks for one (mTLS). PEM texts or bytes. */
export type TlsOptions = {
  readonly ca?: string | Uint8Array;
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
};

export type HttpAnswer = {
  readonly status: number;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

export type HttpAsk = {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly body?: Uint8Array | string;
  /** Over the whole exchange. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
};

/**
 * One HTTP exchange at a time bound and a size bound, over connections that are kept. No redirects are followed: an
 * address of a ledger is what its operator published.
 */
export class HttpConnections {
  readonly #tls: TlsOptions;
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 64 });
  #https: HttpsAgent | undefined;

  constructor(tls: TlsOptions = {}) {
    this.#tls = tls;
  }

  /** @throws WeftError RPC_URL_INVALID, RPC_UNREACHABLE, RPC_TIMEOUT, RPC_ANSWER_TOO_LARGE */
  ask(ask: HttpAsk): Promise<HttpAnswer> {
    const { url, method, body, timeoutMs, bytesMax } = ask;
    const target = checkUrl(url);
    const secure = target.protocol === 'https:';
    if (secure) this.#https ??= new HttpsAgent({ keepAlive: true, maxSockets: 64, ...bytesOf(this.#tls) });
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      let timedOut = false;
      const outgoing: ClientRequest = (secure ? httpsRequest : httpRequest)(
        target,
        { method, agent: secure ? this.#https : this.#http, headers },
        (incoming) => collect(incoming, bytesMax, url).then(resolve, reject),
      );
      const timer = setTimeout(() => {
        timedOut = true;
        reject(
          new WeftError('RPC_TIMEOUT', `${target.origin} did not answer within ${timeoutMs} ms`, {
            url: target.origin,
            timeoutMs,
          }),
        );
        outgoing.destroy();
      }, timeoutMs);
      outgoing.on('error', (error: Error & { code?: string }) => {
        // A kept connection that the node had just closed says nothing about the node: a fresh one does.
        // (After a timeout it was us who closed it.)
        if (outgoing.reusedSocket && !timedOut && error.code === 'ECONNRESET') resolve(this.ask(ask));
        else reject(unreachable(target, error));
      });
      outgoing.on('close', () => clearTimeout(timer));
      outgoing.end(body);
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https?.destroy();
  }
}

/** @throws WeftError RPC_URL_INVALID */
export function checkUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed;
  throw new WeftError('RPC_URL_INVALID', `'${url.slice(0, 200)}' is not an address of a node; write http://host:port`);
}

async function collect(incoming: IncomingMessage, bytesMax: number, url: string): Promise<HttpAnswer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > bytesMax) {
        incoming.destroy();
        throw new WeftError(
          'RPC_ANSWER_TOO_LARGE',
          `the answer of ${new URL(url).origin} is larger than ${bytesMax} bytes`,
          { bytesMax },
        );
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof WeftError ? error : unreachable(new URL(url), error);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) headers[name] = String(value);
  return { status: incoming.statusCode ?? 0, body: new Uint8Array(Buffer.concat(chunks)), headers };
}

/** TLS options as Node's own TLS takes them. */
export function bytesOf(tls: TlsOptions): { [name in keyof TlsOptions]: string | Buffer } {
  const entries = Object.entries(tls).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? value : Buffer.from(value as Uint8Array)]),
  );
}

function unreachable(target: URL, error: unknown): WeftError {
  const cause = error instanceof Error ? ('code' in error ? String(error.code) : error.message) : String(error);
  return new WeftError(
    'RPC_UNREACHABLE',
    `no answer from ${target.origin} (${cause}); is the node running, and is the address right?`,
    {
      url: target.origin,
      cause,
    },
  );
}
