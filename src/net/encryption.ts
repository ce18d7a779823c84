import { constants } from 'node:crypto';
import { Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  SecuredConnection,
  StreamMuxerFactory,
} from '@libp2p/interface';
import { type TLSComponents, tls } from '@libp2p/tls';
import { generateCertificate, toMessageStream, verifyPeerCertificate } from '@libp2p/tls/utils';

/**
 * libp2p's `/tls/1.0.0` (https://github.com/libp2p/specs/blob/master/tls/tls.md) on the TCP socket itself. The bytes on the
 * wire, the certificates and their check are those of `@libp2p/tls`, which however lays TLS over its own stream object, so
 * that each record passes through four JavaScript streams on its way to the kernel. Here OpenSSL reads from and writes to
 * the socket's handle, and only plaintext reaches JavaScript. A connection without a socket takes the library's way.
 */
export function socketTls(): (components: TLSComponents) => ConnectionEncrypter {
  return (components) => new SocketTls(components);
}

/** A connection without traffic for so long ends; lanes have pings of their own and notice much earlier. */
const inactiveMs = 120_000;
/** What is offered where no muxer is agreed on within the handshake. */
const noMuxer = 'libp2p';

/** Streams of this file → the socket behind them, for a muxer that can do without the stream. */
const sockets = new WeakMap<MessageStream, TLSSocket>();

/** The encrypted socket under this stream, which from now on is the caller's: nothing more is read through the stream. */
export function takeSocket(stream: MessageStream): { socket: TLSSocket; early: readonly Uint8Array[] } | undefined {
  const socket = sockets.get(stream);
  if (socket === undefined || socket.destroyed) return undefined;
  sockets.delete(stream);
  return { socket, early: detach(stream, socket) };
}

class SocketTls implements ConnectionEncrypter {
  readonly protocol: string;
  readonly #components: TLSComponents;
  readonly #library: ConnectionEncrypter;
  /** One certificate for the life of the process, as the specification allows: it only vouches for the peer key. */
  #context: Promise<SecureContext> | undefined;

  constructor(components: TLSComponents) {
    this.#components = components;
    this.#library = tls()(components);
    this.protocol = this.#library.protocol;
  }

  secureInbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    const raw = rawSocket(connection);
    return raw === undefined
      ? this.#library.secureInbound(connection, options)
      : this.#secure(connection, raw, true, options);
  }

  secureOutbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    const raw = rawSocket(connection);
    return raw === undefined
      ? this.#library.secureOutbound(connection, options)
      : this.#secure(connection, raw, false, options);
  }

  async #secure(
    connection: MessageStream,
    raw: Socket,
    isServer: boolean,
    options?: SecureConnectionOptions,
  ): Promise<SecuredConnection> {
    const secureContext = await this.#ownContext();
    options?.signal?.throwIfAborted();
    if (connection.status !== 'open' || raw.destroyed) throw new Error('closed before encryption');
    const muxers =
      options?.skipStreamMuxerNegotiation === true
        ? new Map<string, StreamMuxerFactory>()
        : this.#components.upgrader.getStreamMuxers();

    for (const chunk of detach(connection, raw).toReversed()) raw.unshift(chunk);
    const common = { secureContext, rejectUnauthorized: false };
    const socket = isServer
      ? new TLSSocket(raw, {
          ...common,
          isServer,
          requestCert: true,
          // Undefined refuses the handshake, as the specification of ALPN demands.
          ALPNCallback: ({ protocols }) => protocols.find((name) => name === noMuxer || muxers.has(name)),
        })
      : connect({ ...common, socket: raw, ALPNProtocols: [...muxers.keys(), noMuxer] });
    // Between the handshake and the stream nobody else listens, and an error without a listener ends the process.
    socket.on('error', () => {});

    try {
      await handshake(socket, options?.signal);
      const certificate = socket.getPeerX509Certificate();
      if (certificate === undefined) throw new Error('the peer has shown no certificate');
      const remotePeer = await verifyPeerCertificate(certificate.raw, options?.remotePeer, connection.log);
      options?.signal?.throwIfAborted();
      const stream = toMessageStream(connection, socket);
      sockets.set(stream, socket);
      // The socket below sees no traffic any more, so its own clock must not end it.
      raw.setTimeout(0);
      socket.setTimeout(inactiveMs, () => stream.abort(new Error('inactive for too long')));
      const streamMuxer = muxers.get(socket.alpnProtocol || noMuxer);
      return { remotePeer, connection: stream, ...(streamMuxer === undefined ? {} : { streamMuxer }) };
    } catch (error) {
      socket.destroy();
      connection.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  async #ownContext(): Promise<SecureContext> {
    this.#context ??= generateCertificate(this.#components.privateKey).then((certificate) =>
      createSecureContext({
        ...certificate,
        minVersion: 'TLSv1.3',
        maxVersion: 'TLSv1.3',
        // Each connection shows its certificate anew: nothing is resumed.
        secureOptions: constants.SSL_OP_NO_TICKET,
      }),
    );
    return this.#context;
  }
}

/** The TCP transport keeps its socket in a field of this name; a test says so should that ever change. */
function rawSocket(connection: MessageStream): Socket | undefined {
  const socket: unknown = Reflect.get(connection, 'socket');
  return socket instanceof Socket && !(socket instanceof TLSSocket) && socket.readyState === 'open'
    ? socket
    : undefined;
}

/** Ends the flow from the socket into the stream, and returns what the stream had read ahead. */
function detach(stream: MessageStream, socket: Socket): Uint8Array[] {
  const early: Uint8Array[] = [];
  const collect = ({ data }: { data: Uint8Array | { subarray(): Uint8Array } }): void => {
    early.push(data instanceof Uint8Array ? data : data.subarray());
  };
  stream.pause();
  socket.removeAllListeners('data');
  stream.addEventListener('message', collect);
  // Hands over what it holds, at once.
  stream.resume();
  stream.removeEventListener('message', collect);
  socket.pause();
  return early;
}

function handshake(socket: TLSSocket, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off('error', settle);
      socket.off('close', onClose);
      socket.off('secure', onSecure);
      signal?.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    // Promises run while OpenSSL is still inside the read that ended the handshake: who destroyed the socket there (a peer that is not
    // permitted, another key) would free what that read goes on with, and the process would die.
    const onSecure = (): void => void setImmediate(settle);
    const onClose = (): void => settle(new Error('closed during the handshake'));
    const onAbort = (): void => settle(new Error('the handshake took too long'));
    socket.on('error', settle).on('close', onClose).on('secure', onSecure);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
  });
}
