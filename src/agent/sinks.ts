import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf, WeftError } from '../codec/error.ts';
import type { TelemetryConfig } from './config.ts';
import { natsSink } from './telemetry/nats.ts';
import { fileSink, streamSink } from './telemetry/ndjson.ts';
import { otlpSink } from './telemetry/otlp.ts';
import type { Sink } from './telemetry/sink.ts';

/** The sinks that a configuration names. */
export function sinksOf({ stdout, file, otlp, nats }: TelemetryConfig, host: string, version: string): Sink[] {
  const sinks: Sink[] = [];
  if (stdout) sinks.push(streamSink('stdout', process.stdout));
  if (file !== undefined) sinks.push(fileSink(file.path, file.bytesMax));
  if (otlp !== undefined) sinks.push(otlpSink({ url: otlp.url, headers: headersOf(otlp.headers), host, version }));
  if (nats !== undefined) {
    const { servers, subject, stream, tokenFile, user, passwordFile } = nats;
    sinks.push(
      natsSink({
        servers,
        subject,
        stream,
        host,
        run: randomBytes(8).toString('hex'),
        ...(tokenFile === undefined ? {} : { token: secretIn(tokenFile) }),
        ...(user === undefined ? {} : { user }),
        ...(passwordFile === undefined ? {} : { password: secretIn(passwordFile) }),
      }),
    );
  }
  return sinks;
}

/** @throws WeftError FILE_UNREADABLE */
function secretIn(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new WeftError('FILE_UNREADABLE', `cannot read the secret for NATS in ${path}: ${messageOf(error)}`, { path });
  }
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );
}
