import { buildTransaction, connect, type Signer, sign } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import type { AgentEvent } from './telemetry/event.ts';

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
  /** txId of an alert that is on the ledger. */
  readonly raised: (alert: string, count: number) => void;
  readonly failed: (error: unknown) => void;
};

/** Of the lines of a window; the ledger takes as many digests. */
const evidenceMax = 16;
const kind = 'gate-drops';

export class Alerts {
  readonly #options: AlertOptions;
  #count = 0;
  #from = 0;
  #to = 0;
  #evidence: string[] = [];
  #quietUntilMs = 0;
  #sending: { readonly done: Promise<void>; readonly stop: () => void } | undefined;
  raised = 0;

  constructor(options: AlertOptions) {
    this.#options = options;
  }

  /** Whether one more event would be evidence. */
  get wants(): boolean {
    return this.#options.drops > 0 && this.#evidence.length < evidenceMax;
  }

  /** A refused packet that is known: evidence. It is counted by `refused`, as are those of which no event came. */
  saw(event: AgentEvent): void {
    if (!this.wants) return;
    this.#evidence.push(sha256Hex(encodeUtf8(JSON.stringify(event))));
  }

  /** So many more packets were refused, by the kernel's own count: a flood of which most events were held back counts in full. */
  refused(count: number): void {
    const { drops, everyMs, wallMs } = this.#options;
    if (drops === 0 || count <= 0) return;
    const now = wallMs();
    // A period that stayed quiet says nothing about the next one.
    if (this.#count > 0 && now - this.#from > everyMs && this.#count < drops) this.#begin();
    if (this.#count === 0) this.#from = now;
    this.#count += count;
    this.#to = now;
    if (this.#count >= drops && now >= this.#quietUntilMs && this.#sending === undefined) this.#send(now);
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

  #send(now: number): void {
    const { chain, account, host, signers, rpc, everyMs, raised, failed } = this.#options;
    const body = {
      kind,
      source: host,
      window: { from: this.#from, to: Math.max(this.#to, this.#from) },
      count: this.#count,
      evidence: [...new Set(this.#evidence)].sort(),
    };
    this.#quietUntilMs = now + everyMs;
    this.#begin();
    const client = connect({ rpc: [...rpc] });
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = (): void => reject(new WeftError('RPC_UNREACHABLE', 'the agent ended before a node took the alert'));
    // Whatever a body is refused for, here or there, is told of: this runs off a timer.
    const sent = (async () =>
      client.submitAndWait(sign(buildTransaction({ chain, account, type: 'alerts.raise', body }), signers)))();
    const done = Promise.race([sent, stopped])
      .then(({ id }) => {
        this.raised += 1;
        raised(id, body.count);
      }, failed)
      .finally(() => {
        client.close();
        this.#sending = undefined;
      });
    this.#sending = { done, stop };
  }
}
