import { Counter, Gauge, Registry } from 'prom-client';

/** Upper ends, in seconds. */
const buckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

/** What is counted of one method: plain numbers, since every request counts and few ask for the sums. */
type Tally = { readonly byBucket: number[]; sumSeconds: number; count: number; readonly outcomes: Map<string, number> };

/** What the door itself counts; `/metrics` appends it to the node's own text. Labels come from fixed sets only. */
export class RpcMetrics {
  readonly #registry = new Registry();
  readonly #methods = new Map<string, Tally>();
  readonly limited: Counter<'by'>;
  readonly slowSubscribers: Counter;
  readonly webSockets: Gauge;

  constructor() {
    const registers = [this.#registry];
    const requests: Counter<'method' | 'outcome'> = new Counter({
      name: 'weft_rpc_requests_total',
      help: 'Requests answered, by method and stable error code (or ok).',
      labelNames: ['method', 'outcome'],
      registers,
      collect: () => {
        requests.reset();
        for (const [method, { outcomes }] of this.#methods) {
          for (const [outcome, count] of outcomes) requests.inc({ method, outcome }, count);
        }
      },
    });
    this.limited = new Counter({
      name: 'weft_rpc_rate_limited_total',
      help: 'Requests refused by a rate limit.',
      labelNames: ['by'],
      registers,
    });
    this.slowSubscribers = new Counter({
      name: 'weft_rpc_slow_subscribers_total',
      help: 'WebSockets closed because their client did not read.',
      registers,
    });
    this.webSockets = new Gauge({ name: 'weft_rpc_websockets', help: 'Open WebSockets.', registers });
  }

  /** @param outcome stable error code, or ok */
  answered(method: string, outcome: string, tookMs: number): void {
    let tally = this.#methods.get(method);
    if (tally === undefined) {
      tally = { byBucket: buckets.map(() => 0), sumSeconds: 0, count: 0, outcomes: new Map() };
      this.#methods.set(method, tally);
    }
    const seconds = tookMs / 1000;
    let at = 0;
    while (seconds > (buckets[at] ?? Number.POSITIVE_INFINITY)) at += 1;
    if (at < buckets.length) tally.byBucket[at] = (tally.byBucket[at] ?? 0) + 1;
    tally.sumSeconds += seconds;
    tally.count += 1;
    tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
  }

  async text(): Promise<string> {
    return `${await this.#registry.metrics()}\n${this.#seconds()}`;
  }

  #seconds(): string {
    const name = 'weft_rpc_request_seconds';
    const lines = [`# HELP ${name} Time to answer, waits included.`, `# TYPE ${name} histogram`];
    for (const [method, { byBucket, sumSeconds, count }] of this.#methods) {
      let below = 0;
      for (const [i, end] of buckets.entries()) {
        below += byBucket[i] ?? 0;
        lines.push(`${name}_bucket{le="${end}",method="${method}"} ${below}`);
      }
      lines.push(`${name}_bucket{le="+Inf",method="${method}"} ${count}`);
      lines.push(`${name}_sum{method="${method}"} ${sumSeconds}`, `${name}_count{method="${method}"} ${count}`);
    }
    return `${lines.join('\n')}\n`;
  }
}
