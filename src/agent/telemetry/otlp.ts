import { WeftError } from '../../codec/error.ts';
import type { AgentEvent } from './event.ts';
import { type Sink, shownAddress } from './sink.ts';

/**
 * OTLP/HTTP with JSON (opentelemetry.io/docs/specs/otlp, `/v1/logs`): each event is a log record, its members attributes, so that any
 * collector takes it.
 */
export type OtlpOptions = {
  /** Of the collector, without `/v1/logs`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly host: string;
  readonly version: string;
  readonly timeoutMs?: number;
};

type Value =
  | { stringValue: string }
  | { intValue: string }
  | { boolValue: boolean }
  | { kvlistValue: { values: Attribute[] } };
type Attribute = { readonly key: string; readonly value: Value };

/** The collector will not have these lines, however often it is asked: what cannot be retried by the specification, but for wrong rights or paths, which somebody mends. */
const refusedForGood: readonly number[] = [400, 413, 415, 422];
const answerBytesMax = 64 * 1024;

/** SeverityNumber of the specification: INFO, WARN. */
const [info, warn] = [9, 13];

export function otlpSink({ url, headers = {}, host, version, timeoutMs = 10_000 }: OtlpOptions): Sink {
  const endpoint = `${url.replace(/\/+$/u, '')}/v1/logs`;
  const resource = {
    attributes: attributesOf({ 'service.name': 'weft-agent', 'service.version': version, 'host.name': host }),
  };
  return {
    name: `otlp ${shownAddress(url)}`,
    write: async (lines) => {
      const logRecords = lines.map((line) => logRecord(JSON.parse(line) as AgentEvent));
      const body = {
        resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'weft-agent', version }, logRecords }] }],
      };
      const answer = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
        // Headers may hold a secret that is meant for this address.
        redirect: 'error',
      });
      const text = await textOf(answer);
      if (answer.ok) return rejectedIn(text, lines.length);
      if (refusedForGood.includes(answer.status)) return lines.length;
      throw new WeftError(
        'OTLP_REFUSED',
        `${shownAddress(endpoint)} answered ${answer.status}: ${text.slice(0, 256)}`,
        {
          status: answer.status,
        },
      );
    },
    close: async () => undefined,
  };
}

async function textOf(answer: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    bytes += part.length;
    if (bytes > answerBytesMax) break;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** ExportLogsPartialSuccess: log records that it did not take and will not take. */
function rejectedIn(text: string, max: number): number {
  try {
    const { partialSuccess } = JSON.parse(text) as { partialSuccess?: { rejectedLogRecords?: string | number } };
    const rejected = Number(partialSuccess?.rejectedLogRecords ?? 0);
    return Number.isSafeInteger(rejected) ? Math.min(max, Math.max(0, rejected)) : 0;
  } catch {
    return 0; // a collector that answers in another form took them
  }
}

function logRecord(event: AgentEvent): object {
  const { time, kind, detail, ...rest } = event;
  const severe =
    kind === 'gate.drop' || kind === 'telemetry.loss' || kind === 'alert.raised' || kind === 'grant.refused';
  return {
    timeUnixNano: `${time}000000`,
    severityNumber: severe ? warn : info,
    severityText: severe ? 'WARN' : 'INFO',
    eventName: `weft.${kind}`,
    body: { stringValue: detail ?? kind },
    attributes: attributesOf({ kind, ...rest }),
  };
}

/** Nested members become nested lists; what is absent stays absent. */
function attributesOf(members: object): Attribute[] {
  return Object.entries(members).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: unknown): Value {
  switch (typeof value) {
    case 'number':
      return { intValue: String(value) };
    case 'boolean':
      return { boolValue: value };
    case 'object':
      return { kvlistValue: { values: value === null ? [] : attributesOf(value) } };
    default:
      return { stringValue: String(value) };
  }
}
