import { buildTransaction, connect, type Signer, sign } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';

/** A burst of refused packets becomes one alert on the ledger, with digests of events that show it. */
export type AlertOptions = {
  readonly chain: string;
  readonly account: string;
  readonly host: string;
  readonly signers: readonly Signer[];
  readonly rpc: readonly string[];
  /** So many within `everyMs`; 0: never. */
  readonly drops: number;
  readonly everyMs: number;
  readonly wallMs: () => number;
  /** Periods go by this one: a wall clock that is set back must not silence anybody. */
  readonly monotonicMs: () => number;
  /** txId of an alert that is on the ledger. */
  readonly raised: (alert: string, count: number) => void;
  readonly failed: (error: unknown) => void;
};

/** Of the lines of a window; the ledger takes as many digests. */
const evidenceMax = 16;
const kind = 'gate-drops';

type Body = {
  readonly kind: string;
  readonly source: string;
  /** Milliseconds UTC. */
  readonly window: { readonly from: number; readonly to: number };
  readonly count: number;
  readonly evidence: readonly string[];
};

export class Alerts {
  readonly #options: AlertOptions;
  #count = 0;
  #from = 0;
  #to = 0;
  /** When the period began, monotonic. */
  #sinceMs = 0;
  #evidence: string[] = [];
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #sending: { readonly done: Promise<void>; readonly stop: () => void } | undefined;
  raised = 0;

  constructor(options: AlertOptions) {
    this.#options = options;
  }

  /** Whether one more event would be evidence. */
  get wants(): boolean {
    return this.#options.drops > 0 && this.#evidence.length < evidenceMax;
  }

  /** The line of a refused packet, as sinks have it: evidence. It is counted by `refused`, as are those of which no event came. */
  saw(line: string): void {
    if (this.wants) this.#evidence.push(sha256Hex(encodeUtf8(line)));
  }

  /**
   * So many more packets were refused, by the kernel's own count: a flood of which most events were held back counts in full. Called with 0,
   * too, each second: what nobody took is offered again.
   */
  refused(count: number): void {
    const { drops, everyMs, wallMs, monotonicMs } = this.#options;
    if (drops === 0) return;
    const nowMs = monotonicMs();
    if (count > 0) {
      // A period that stayed quiet says nothing about the next one.
      if (this.#count > 0 && nowMs - this.#sinceMs > everyMs && this.#count < drops) this.#begin();
      if (this.#count === 0) {
        this.#from = wallMs();
        this.#sinceMs = nowMs;
      }
      this.#count += count;
      this.#to = wallMs();
    }
    if (this.#count >= drops && nowMs >= this.#quietUntilMs && this.#sending === undefined) this.#send(nowMs);
  }

  /** What is being sent has so long to arrive; nodes that do not answer keep nobody from ending. */
  async close(withinMs = 2000): Promise<void> {
    const sending = this.#sending;
    if (sending === undefined) return;
    const timer = setTimeout(sending.stop, withinMs);
    await sending.done;
    clearTimeout(timer);
  }

  #begin(): void {
    this.#count = 0;
    this.#evidence = [];
  }

  /** Nobody took it: it counts on, and is offered again after a period. */
  #takeBack({ window, count, evidence }: Body): void {
    if (this.#count === 0) this.#to = window.to;
    this.#from = window.from;
    this.#count += count;
    this.#evidence = [...evidence, ...this.#evidence].slice(0, evidenceMax);
  }

  #send(nowMs: number): void {
    const { chain, account, host, signers, rpc, everyMs, raised, failed } = this.#options;
    const body: Body = {
      kind,
      source: host,
      window: { from: Math.min(this.#from, this.#to), to: Math.max(this.#from, this.#to) },
      count: this.#count,
      evidence: [...new Set(this.#evidence)].sort(),
    };
    this.#quietUntilMs = nowMs + everyMs;
    this.#begin();
    const client = connect({ rpc: [...rpc] });
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = (): void => reject(new WeftError('RPC_UNREACHABLE', 'the agent ended before a node took the alert'));
    // Whatever a body is refused for, here or there, is told of: this runs off a timer.
    const sent = (async () =>
      client.submitAndWait(sign(buildTransaction({ chain, account, type: 'alerts.raise', body }), signers)))();
    const done = Promise.race([sent, stopped])
      .then(
        ({ id }) => {
          this.raised += 1;
          raised(id, body.count);
        },
        (error: unknown) => {
          this.#takeBack(body);
          failed(error);
        },
      )
      .finally(() => {
        client.close();
        this.#sending = undefined;
      });
    this.#sending = { done, stop };
  }
}
