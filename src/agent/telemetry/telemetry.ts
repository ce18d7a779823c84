import type { AgentEvent } from './event.ts';
import { Limiter, type LimiterOptions } from './limiter.ts';
import { type RedactionRule, Redactor } from './redact.ts';
import { defaultQueue, type QueueOptions, type Sink, type SinkCounters, SinkQueue } from './sink.ts';

/** From what was seen to where it goes: limited by source, redacted, written once as a line, and queued for each sink. */
export type TelemetryOptions = {
  readonly host: string;
  readonly sinks: readonly Sink[];
  readonly redaction: readonly RedactionRule[];
  readonly limits: LimiterOptions;
  readonly queue?: QueueOptions;
  /** How often what was held back or lost is told of, where there was any. */
  readonly reportEveryMs: number;
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  /** A sink could not take a batch. */
  readonly failed: (sink: string, error: unknown) => void;
};

export type TelemetryCounters = {
  /** By kind. */
  readonly events: ReadonlyMap<string, number>;
  readonly limited: number;
  readonly sinks: readonly ({ readonly name: string } & SinkCounters)[];
};

export const defaultLimits: LimiterOptions = { perSecond: 200, burst: 400, sourcesMax: 4096 };
/** Sources that a report names. */
const reportedMax = 20;
const closeGraceMs = 2000;

export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #limiter: Limiter;
  readonly #redactor: Redactor;
  readonly #queues: readonly SinkQueue[];
  readonly #events = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #lostBefore: number[];

  /** @throws WeftError REDACTION_RULE */
  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.#limiter = new Limiter(options.limits);
    this.#redactor = new Redactor(options.redaction);
    this.#queues = options.sinks.map(
      (sink) => new SinkQueue(sink, options.queue ?? defaultQueue, (error) => options.failed(sink.name, error)),
    );
    this.#lostBefore = this.#queues.map(() => 0);
    this.#timer = setInterval(() => this.report(), options.reportEveryMs);
    this.#timer.unref();
  }

  /** True when an event of this source would be held back: then nobody need find out who it was. Counts it, if so. */
  holds(kind: string, source: string): boolean {
    return !this.#limiter.take(`${kind} ${source}`, this.#options.monotonicMs());
  }

  /** An event that was let through by `holds`, or is of the agent's own and always goes. @returns the line that goes to the sinks */
  emit(event: AgentEvent): string {
    this.#events.set(event.kind, (this.#events.get(event.kind) ?? 0) + 1);
    const line = JSON.stringify(this.#redactor.apply(event));
    for (const queue of this.#queues) queue.push(line);
    return line;
  }

  /** A source as it may be told: of packets it is an address, which is redacted here as in their own events. */
  #shown(source: string): string {
    const [kind = '', name = ''] = source.split(' ');
    const asEvent: AgentEvent = { time: 0, host: '', kind: kind as AgentEvent['kind'], origin: 'kernel' };
    const { flow } = this.#redactor.apply({ ...asEvent, flow: { protocol: '', source: name } });
    return kind.startsWith('gate.') && name !== '' ? `${kind} ${flow?.source ?? name}` : source;
  }

  /** Tells of what was held back, and of what sinks lost, since the last time. */
  report(): void {
    const { host, wallMs } = this.#options;
    const loss = (reason: string, detail: string, count: number): void => {
      this.emit({ time: wallMs(), host, kind: 'telemetry.loss', origin: 'kernel', reason, detail, count });
    };
    for (const { source, count } of this.#limiter.collect(reportedMax)) loss('limited', this.#shown(source), count);
    for (const [i, queue] of this.#queues.entries()) {
      const { lost } = queue.counters;
      const count = lost - (this.#lostBefore[i] ?? 0);
      this.#lostBefore[i] = lost;
      if (count > 0) loss('sink', queue.name, count);
    }
  }

  /** What a probe or gate lost before it came here. */
  lost(what: string, count: number, reason: 'ring' | 'kernel-limit' | 'error'): void {
    const { host, wallMs } = this.#options;
    this.emit({ time: wallMs(), host, kind: 'telemetry.loss', origin: 'kernel', reason, detail: what, count });
  }

  counters(): TelemetryCounters {
    return {
      events: this.#events,
      limited: this.#limiter.limited,
      sinks: this.#queues.map((queue) => ({ name: queue.name, ...queue.counters })),
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.report();
    await Promise.all(this.#queues.map((queue) => queue.close(closeGraceMs)));
  }
}
