import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What the door itself counts; `/metrics` appends it to the node's own text. Labels come from fixed sets only. */
export class RpcMetrics {
  readonly #registry = new Registry();
  readonly requests: Counter<'method' | 'outcome'>;
  readonly seconds: Histogram<'method'>;
  readonly limited: Counter<'by'>;
  readonly slowSubscribers: Counter;
  readonly webSockets: Gauge;

  constructor() {
    const registers = [this.#registry];
    this.requests = new Counter({
      name: 'weft_rpc_requests_total',
      help: 'Requests answered, by method and stable error code (or ok).',
      labelNames: ['method', 'outcome'],
      registers,
    });
    this.seconds = new Histogram({
      name: 'weft_rpc_request_seconds',
      help: 'Time to answer, waits included.',
      labelNames: ['method'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
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

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
