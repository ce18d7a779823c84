import type { JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { WeftError } from '../../codec/error.ts';
import type { AgentEvent } from './event.ts';
import { type Sink, shownAddress } from './sink.ts';

/**
 * NATS JetStream as the bus: each event a message on `<subject>.<host>.<kind>`, kept by a stream. A message counts as written
 * when the server has stored it; it carries an id, so that one sent again after a lost answer is stored once.
 */
export type NatsOptions = {
  readonly servers: readonly string[];
  /** First part of the subjects. */
  readonly subject: string;
  /** Made if there is none of that name. */
  readonly stream: string;
  readonly host: string;
  /** Of this run: message ids must not repeat those of the one before. */
  readonly run: string;
  readonly token?: string;
  readonly user?: string;
  readonly password?: string;
  /** For a stream that is made here. Default 1 GiB, 7 days. */
  readonly streamBytesMax?: number;
  readonly streamAgeMaxMs?: number;
  readonly timeoutMs?: number;
};

type Bus = { readonly connection: NatsConnection; readonly client: JetStreamClient };

/** Of names in subjects: dots separate, `*` and `>` are wildcards. */
const notInSubject = /[^A-Za-z0-9_-]/gu;

export function natsSink(options: NatsOptions): Sink {
  const { subject, stream, host, run, timeoutMs = 5000 } = options;
  const prefix = `${subject}.${host.replace(notInSubject, '_')}`;
  let bus: Promise<Bus> | undefined;
  let next = 0;
  /** Ids of the batch that is being written: they stay when it is tried again. */
  let pending: { readonly lines: readonly string[]; readonly first: number } | undefined;
  return {
    name: `nats ${options.servers.map(shownAddress).join(',')}`,
    write: async (lines) => {
      bus ??= open(options);
      let opened: Bus;
      try {
        opened = await bus;
        // By the server, for good: a token that was replaced, say.
        if (opened.connection.isClosed())
          throw new WeftError('NATS_CLOSED', 'the connection was closed: a new one is made');
      } catch (error) {
        bus = undefined;
        throw error;
      }
      if (pending === undefined || !isSameBatch(pending.lines, lines)) {
        pending = { lines, first: next };
        next += lines.length;
      }
      const { first } = pending;
      await Promise.all(
        lines.map(async (line, i) => {
          const { kind } = JSON.parse(line) as Pick<AgentEvent, 'kind'>;
          await opened.client.publish(`${prefix}.${kind}`, line, {
            msgID: `${run}-${first + i}`,
            timeout: timeoutMs,
            expect: { streamName: stream },
          });
        }),
      );
      pending = undefined;
    },
    close: async () => {
      const opened = await bus?.catch(() => undefined);
      await opened?.connection.close();
    },
  };
}

/** The queue tries the same lines again, as new arrays. */
function isSameBatch(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a[0] === b[0] && a.at(-1) === b.at(-1);
}

async function open(options: NatsOptions): Promise<Bus> {
  const { servers, subject, stream, token, user, password, timeoutMs = 5000 } = options;
  // Only who uses a bus loads it.
  const [{ connect }, jetStream] = await Promise.all([import('@nats-io/transport-node'), import('@nats-io/jetstream')]);
  const connection = await connect({
    servers: [...servers],
    timeout: timeoutMs,
    maxReconnectAttempts: -1,
    name: 'weft-agent',
    ...(token === undefined ? {} : { token }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { pass: password }),
  });
  try {
    const manager = await jetStream.jetstreamManager(connection, { timeout: timeoutMs });
    const subjects = [`${subject}.>`];
    try {
      await manager.streams.info(stream);
    } catch {
      await manager.streams.add({
        name: stream,
        subjects,
        max_bytes: options.streamBytesMax ?? 1024 ** 3,
        // Nanoseconds.
        max_age: (options.streamAgeMaxMs ?? 7 * 24 * 3_600_000) * 1_000_000,
      });
    }
    return { connection, client: jetStream.jetstream(connection, { timeout: timeoutMs }) };
  } catch (error) {
    await connection.close();
    const why = error instanceof Error ? error.message : String(error);
    throw new WeftError(
      'NATS_STREAM',
      `stream ${stream} on ${servers.map(shownAddress).join(', ')} cannot be used (${why}): is JetStream on (nats-server -js)?`,
      { stream },
    );
  }
}
