import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import type { NodeApi } from '../node/api.ts';
import type { RpcConfig } from '../node/config.ts';
import { toRpcError } from './errors.ts';
import type { Gate } from './gate.ts';
import type { Intake } from './intake.ts';
import { type Answer, answerMessage } from './jsonRpc.ts';
import { clientKey } from './limits.ts';
import type { Logger } from './logger.ts';
import type { RpcMetrics } from './metrics.ts';

export type HttpModules = {
  readonly api: NodeApi;
  readonly gate: Gate;
  readonly intake: Intake;
  readonly logger: Logger;
  readonly metrics: RpcMetrics;
};

/**
 * What is refused before a handler runs, with codes of ours, and which web pages may call. Must come before any route: a
 * route keeps the error handler that it was made under.
 */
export function guardHttp(app: FastifyInstance, config: RpcConfig, logger: Logger): void {
  app.setNotFoundHandler((request, reply) =>
    refuse(reply, 404, new WeftError('RPC_PATH_UNKNOWN', `nothing is served at ${request.url.slice(0, 128)}`)),
  );
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) logger.error({ err: error }, 'a request failed');
    return refuse(reply, status, httpError(error.code, config.bodyBytesMax) ?? error);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(/^application\/json(;|$)/, { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (origin === undefined || request.method === 'GET' || request.method === 'HEAD') return;
    if (!originAllowed(request, config)) return refuse(reply, 403, originRefused(origin));
    reply
      .header('access-control-allow-origin', origin)
      .header('access-control-allow-headers', 'content-type')
      .header('access-control-max-age', '600')
      .header('vary', 'origin');
    if (request.method === 'OPTIONS') return reply.code(204).send();
    return;
  });
}

/** What costs nothing and is asked by who must know that the node lives; a WebSocket is bounded by itself. */
const unlimited: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/ws']);
/** Making the text takes about as long as so many small answers. */
const metricsWeight = 20;

/** Files and pages count against the rate of their client's address, as methods do: by number and by bytes. Before any route. */
export function limitFiles(app: FastifyInstance, gate: Gate): void {
  const counts = ({ method, url }: FastifyRequest): boolean =>
    (method === 'GET' || method === 'HEAD') && !unlimited.has(url.split('?', 1)[0] ?? '');
  app.addHook('onRequest', async (request, reply) => {
    if (!counts(request)) return;
    const weight = request.url.startsWith('/metrics') ? metricsWeight : 1;
    const waitMs = gate.takeFile(clientKey(request.ip), weight);
    if (waitMs === 0) return;
    reply.header('retry-after', String(Math.ceil(waitMs / 1000)));
    const message = `too many requests of this address; wait ${waitMs} ms`;
    return refuse(reply, 429, new WeftError('RPC_RATE_LIMITED', message, { by: 'address', retryAfterMs: waitMs }));
  });
  app.addHook('onSend', async (request, _reply, payload) => {
    if (!counts(request)) return payload;
    if (typeof payload === 'string' || payload instanceof Uint8Array) {
      gate.chargeBytes(clientKey(request.ip), payload.length);
    }
    return payload;
  });
}

/** JSON-RPC on POST, a word for people, and what operators' tools ask. */
export function serveHttp(app: FastifyInstance, { api, gate, intake, metrics }: HttpModules): void {
  const waiting = new WeakMap<Socket, number>();
  const onPost = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const { socket } = request.raw;
    const before = waiting.get(socket) ?? 0;
    if (before >= pipelinedMax) return refuse(reply, 503, pipelinedTooMuch());
    waiting.set(socket, before + 1);
    const answer = await inTurn(intake, request.body, (text) => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      return answerMessage(text, gate.dispatchFor(clientKey(request.ip)));
    });
    if (answer === undefined) return reply.code(204).send();
    return reply.type('application/json; charset=utf-8').send(answer);
  };
  for (const path of ['/', '/rpc']) {
    app.post(path, onPost);
    app.options(path, (_request, reply) => reply.code(204).send());
  }
  const text = (reply: FastifyReply, status: number, body: string): FastifyReply =>
    reply.code(status).type('text/plain; charset=utf-8').send(body);
  app.get('/', (_request, reply) =>
    text(
      reply,
      200,
      'This is a Weft node. POST JSON-RPC 2.0 here (rpc.discover lists the methods), or connect a WebSocket to /ws.\n',
    ),
  );
  app.get('/healthz', (_request, reply) => (api.healthy() ? text(reply, 200, 'ok\n') : text(reply, 503, 'failing\n')));
  app.get('/readyz', (_request, reply) => {
    const { ready, reason } = api.ready();
    return ready ? text(reply, 200, 'ready\n') : text(reply, 503, `not ready: ${reason}\n`);
  });
  app.get('/metrics', async (_request, reply) => {
    const body = `${await api.metrics()}\n${await metrics.text()}`;
    return reply.type('text/plain; version=0.0.4; charset=utf-8').send(body);
  });
}

/**
 * Requests of one connection that wait for their turn: more than one only where a client asks without waiting for answers (pipelining). Nothing
 * can be paused here, since Node reads on with each body; but answers that cannot leave yet make it stop, refusals too.
 */
const pipelinedMax = 64;

function pipelinedTooMuch(): WeftError {
  return new WeftError(
    'RPC_BUSY',
    `${pipelinedMax} requests of this connection wait for their turn; wait for answers`,
    {
      retryAfterMs: 100,
    },
  );
}

function inTurn(intake: Intake, body: unknown, answer: (text: string) => Answer | Promise<Answer>): Promise<Answer> {
  return new Promise((resolve) => {
    const take = (): void => resolve(answer(textOf(body)));
    intake.offer({ take, pause: () => {}, resume: () => {} }, noBytes);
  });
}

const noBytes = new Uint8Array();

/** May the page that sends this request call us? Programs send no Origin and are not meant. */
export function originAllowed(request: FastifyRequest, config: RpcConfig): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || config.allowOrigins.includes(origin) || origin === config.webauthn?.origin) return true;
  // Only a loopback page of this very server: a public name could be made to point here (DNS rebinding).
  const loopback = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;
  return loopback.test(origin) && origin.replace(/^https?:\/\//, '') === host;
}

export function originRefused(origin: string | undefined): WeftError {
  const page = (origin ?? '').slice(0, 128);
  return new WeftError(
    'RPC_ORIGIN_REFUSED',
    `pages of ${page} may not call this node; its operator can list them in rpc.allowOrigins`,
  );
}

/** Answers with a JSON-RPC error that belongs to no request. */
export function refuse(reply: FastifyReply, status: number, error: unknown): FastifyReply {
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: toRpcError(error) });
  return reply.code(status).type('application/json; charset=utf-8').send(body);
}

/** The body as text; what is not UTF-8 becomes a text that is not JSON, so that it is refused and charged as such. */
function textOf(body: unknown): string {
  try {
    return body instanceof Uint8Array ? decodeUtf8(body) : '';
  } catch {
    return '';
  }
}

function httpError(code: string | undefined, bodyBytesMax: number): WeftError | undefined {
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new WeftError('RPC_BODY_TOO_LARGE', `a request has at most ${bodyBytesMax} bytes; split the batch`, {
        bodyBytesMax,
      });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new WeftError('RPC_CONTENT_TYPE', "send JSON-RPC with the header 'content-type: application/json'");
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_BAD_URL':
      return new WeftError('RPC_INVALID_REQUEST', 'the HTTP request is malformed');
    default:
      return undefined;
  }
}
