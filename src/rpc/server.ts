import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import webSocketPlugin from '@fastify/websocket';
import { type FastifyInstance, fastify } from 'fastify';
import { messageOf, WeftError } from '../codec/error.ts';
import type { NodeApi } from '../node/api.ts';
import type { RpcConfig } from '../node/config.ts';
import { Gate } from './gate.ts';
import { guardHttp, limitFiles, originAllowed, originRefused, refuse, serveHttp } from './http.ts';
import { Intake } from './intake.ts';
import { clientKey } from './limits.ts';
import { serveLogFiles } from './logFiles.ts';
import { type Logger, silentLogger } from './logger.ts';
import { RpcMetrics } from './metrics.ts';
import { Outlet } from './outlet.ts';
import { servePages } from './pages.ts';
import { SubscriptionHub } from './subscriptions.ts';
import { WebSocketSession } from './webSocket.ts';

export type RpcServer = {
  /** Where it listens, for example `http://127.0.0.1:7611`. */
  readonly url: string;
  readonly port: number;
  /** Answers what is pending with RPC_SHUTTING_DOWN, closes WebSockets with 1001, frees the port. Under two seconds. */
  close(): Promise<void>;
};

export type RpcServerOptions = { readonly api: NodeApi; readonly config: RpcConfig; readonly logger?: Logger };

/** How long a client has to read its close code or last answer before the connection is cut. */
const closeGraceMs = 1000;

/**
 * Opens the door for clients: JSON-RPC on POST `/` and `/rpc`, the same and subscriptions on WebSocket `/ws`, the log as
 * files, the pages for people, `/metrics`, `/healthz`, `/readyz`.
 * @throws WeftError RPC_LISTEN_FAILED, RPC_TLS_FILES
 */
export async function createRpcServer({ api, config, logger = silentLogger }: RpcServerOptions): Promise<RpcServer> {
  const app = fastify({
    logger: false,
    bodyLimit: config.bodyBytesMax,
    requestTimeout: 30_000,
    keepAliveTimeout: 60_000,
    forceCloseConnections: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 128 },
    ...(config.tls === undefined ? {} : { https: readTls(config.tls) }),
  }) as unknown as FastifyInstance;
  app.server.maxConnections = config.connectionsMax;

  const metrics = new RpcMetrics();
  const gate = new Gate(config, { api, logger, metrics });
  const hub = new SubscriptionHub(api);
  const intake = new Intake();
  guardHttp(app, config, logger);
  limitFiles(app, gate);
  serveHttp(app, { api, gate, intake, logger, metrics });
  serveLogFiles(app, api);
  servePages(app, config);
  const sessions = await serveWebSockets(app, config, { gate, hub, intake, logger, metrics });
  const heart = setInterval(() => {
    for (const session of sessions.keys()) session.beat();
  }, config.heartbeatMs);
  heart.unref();

  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    clearInterval(heart);
    await app.close();
    throw new WeftError(
      'RPC_LISTEN_FAILED',
      `cannot listen for RPC on ${config.host}:${config.port}: ${messageOf(error)}; stop what holds it or choose another rpc.port`,
      { port: config.port },
    );
  }
  const { port } = app.server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const url = `${config.tls === undefined ? 'http' : 'https'}://${host}:${port}`;
  if (config.tls === undefined && !/^(127\.|localhost$|::1$)/.test(config.host)) {
    logger.warn({ url }, 'RPC is open to other machines without TLS');
  }
  logger.info({ url }, 'RPC listens');

  const closeAll = async (): Promise<void> => {
    clearInterval(heart);
    gate.close();
    for (const session of sessions.keys()) session.close();
    hub.close();
    const cut = setTimeout(() => {
      for (const socket of app.websocketServer.clients) socket.terminate();
      app.server.closeAllConnections();
    }, closeGraceMs);
    // Answers that were just given leave in this turn; then keep-alive connections have no more to say.
    setImmediate(() => app.server.closeIdleConnections());
    await app.close();
    clearTimeout(cut);
  };
  let closed: Promise<void> | undefined;
  return {
    url,
    port,
    close: () => {
      closed ??= closeAll();
      return closed;
    },
  };
}

type WebSocketModules = {
  readonly gate: Gate;
  readonly hub: SubscriptionHub;
  readonly intake: Intake;
  readonly logger: Logger;
  readonly metrics: RpcMetrics;
};

/** Answers the open sessions, each with its client's address. */
async function serveWebSockets(
  app: FastifyInstance,
  config: RpcConfig,
  { gate, hub, intake, logger, metrics }: WebSocketModules,
): Promise<ReadonlyMap<WebSocketSession, string>> {
  const sessions = new Map<WebSocketSession, string>();
  const outlet = new Outlet();
  const full = (address: string): boolean =>
    sessions.size >= config.webSocketsMax ||
    [...sessions.values()].filter((each) => each === address).length >= config.webSocketsPerAddressMax;

  await app.register(webSocketPlugin, {
    options: { maxPayload: config.bodyBytesMax, perMessageDeflate: false, clientTracking: true },
    errorHandler: (error, socket) => {
      // Frames that are none are the client's doing, and nobody may fill our log with errors.
      const { code } = error as { readonly code?: string };
      if (code?.startsWith('WS_ERR_') !== true) logger.error({ err: error }, 'a WebSocket failed');
      socket.terminate();
    },
    preClose: (done) => done(),
  });
  app.register(async (scope) => {
    scope.get(
      '/ws',
      {
        websocket: true,
        preValidation: async (request, reply) => {
          if (!originAllowed(request, config)) return refuse(reply, 403, originRefused(request.headers.origin));
          if (!full(clientKey(request.ip))) return;
          const message = 'this node has no free WebSocket for you; close one or ask another node';
          return refuse(reply, 503, new WeftError('RPC_WEBSOCKETS_FULL', message));
        },
      },
      (socket, request) => {
        const address = clientKey(request.ip);
        const session = new WebSocketSession(
          { bufferedBytesMax: config.bufferedBytesMax, subscriptionsMax: config.subscriptionsMax, closeGraceMs },
          {
            socket,
            stream: request.socket,
            outlet,
            intake,
            hub,
            dispatch: gate.dispatchFor(address),
            onSlow: () => metrics.slowSubscribers.inc(),
          },
        );
        sessions.set(session, address);
        metrics.webSockets.set(sessions.size);
        socket.on('close', () => {
          sessions.delete(session);
          metrics.webSockets.set(sessions.size);
        });
      },
    );
  });
  return sessions;
}

function readTls(tls: NonNullable<RpcConfig['tls']>): object {
  try {
    return {
      cert: readFileSync(tls.cert),
      key: readFileSync(tls.key),
      minVersion: 'TLSv1.2',
      ...(tls.clientCa === undefined
        ? {}
        : { ca: readFileSync(tls.clientCa), requestCert: true, rejectUnauthorized: true }),
    };
  } catch (error) {
    throw new WeftError('RPC_TLS_FILES', `cannot read the TLS files that rpc.tls names: ${messageOf(error)}`);
  }
}
