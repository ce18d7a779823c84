import { setTimeout as sleep } from 'node:timers/promises';
import { type SignedTransaction, WeftError } from '../../src/client/index.ts';
import { isBusy } from '../../src/client/rpc.ts';
import { LogWatch } from './logWatch.ts';
import { packet, type Sent } from './mixedLoad.ts';
import type { TestNetwork } from './network.ts';

/** Several clients, each with an account of its own, that give signed transactions to validators at random, and a `LogWatch` over all. */
export type WorkloadOptions = {
  /** Transactions a second. */
  readonly rate: number;
  readonly random: () => number;
  /** Default 20,000: short, so that what was lost shows soon. */
  readonly lifetimeMs?: number;
  /** What is sent next; default: packet commits. */
  readonly next?: (turn: number, random: () => number) => Sent;
};

/** Unanswered at a time; above it the clients wait, as real ones would. */
const underWayMax = 1500;
const latenciesMax = 100_000;

export class Workload {
  readonly watch: LogWatch;
  readonly #network: TestNetwork;
  readonly #options: WorkloadOptions;
  #stopped = false;
  /** Nothing new is sent while it is set. */
  paused = false;
  #running: Promise<void> | undefined;
  readonly #underWay = new Set<Promise<void>>();
  /** Milliseconds from the first attempt to the answer `finalized`, since it was last taken. */
  #latencies: number[] = [];
  /** `performance.now()` at which transactions were first sent and then final, for the newest; ascending in `finalMs`. */
  #finals: { sentMs: number; finalMs: number }[] = [];
  readonly refused = new Map<string, number>();

  private constructor(network: TestNetwork, options: WorkloadOptions, from: number) {
    this.#network = network;
    this.#options = options;
    this.watch = new LogWatch(network, from);
  }

  static async start(network: TestNetwork, options: WorkloadOptions): Promise<Workload> {
    const statuses = await network.ready();
    const workload = new Workload(network, options, Math.max(...statuses.map(({ finalized }) => finalized.logSize)));
    workload.watch.start();
    workload.#running = workload.#run();
    return workload;
  }

  takeLatencies(): number[] {
    const taken = this.#latencies;
    this.#latencies = [];
    return taken;
  }

  /** Resolves once `count` transactions that were sent after this call are final; how long that took, in milliseconds. */
  async fresh(count = 1, withinMs = 120_000): Promise<number> {
    const sinceMs = performance.now();
    for (;;) {
      if (this.#finals.filter(({ sentMs }) => sentMs >= sinceMs).length >= count) return performance.now() - sinceMs;
      if (performance.now() - sinceMs > withinMs)
        throw new Error(`not ${count} new transactions final within ${withinMs} ms\n${this.#network.logTails()}`);
      await sleep(10);
    }
  }

  /** Longest time without an answer `finalized` between two moments of `performance.now()`. */
  longestPauseMs(fromMs: number, toMs: number): number {
    const moments = [fromMs, ...this.#finals.map(({ finalMs }) => finalMs), toMs].filter(
      (ms) => ms >= fromMs && ms <= toMs,
    );
    moments.sort((a, b) => a - b);
    return Math.max(0, ...moments.slice(1).map((ms, i) => ms - (moments[i] ?? ms)));
  }

  /** One transaction, given to `name` and asked of it; resolves when it is final. */
  async single(name: string): Promise<void> {
    const { account, type, body } = packet(0);
    const tx = await this.#network.signed(account, type, body, this.#options.lifetimeMs ?? 20_000);
    this.watch.sends(tx.id, tx.envelope, tx.expires);
    const client = this.#network.client(name);
    await client.call('tx.submit', { envelope: tx.text }, 5000);
    const status = await client.call('tx.wait', { id: tx.id, timeoutMs: 15_000 }, 20_000);
    if (status.status !== 'finalized') throw new Error(`${tx.id} alone on an idle chain is ${status.status}`);
    this.watch.told(tx.id, status.index, name);
  }

  /** No new transactions; then waits until the fate of each is known everywhere. `names`: who is expected to show all of the log. */
  async finish(names: readonly string[] = this.#network.names): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await Promise.all(this.#underWay);
    await this.watch.settle(names);
    await this.watch.stop();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await Promise.all(this.#underWay);
    await this.watch.stop();
  }

  async #run(): Promise<void> {
    const { rate, random, next = packet, lifetimeMs = 20_000 } = this.#options;
    const startedMs = performance.now();
    for (let turn = 0; !this.#stopped; turn += 1) {
      if (this.#underWay.size < underWayMax && !this.paused) {
        const { account, type, body } = next(turn, random);
        const each = this.#deliver(await this.#network.signed(account, type, body, lifetimeMs)).finally(() =>
          this.#underWay.delete(each),
        );
        this.#underWay.add(each);
      }
      const dueMs = startedMs + ((turn + 1) * 1000) / rate;
      await sleep(Math.max(0, dueMs - performance.now()));
    }
  }

  /** Gives it to one validator after another until one takes it, and asks any of them until its fate is known. */
  async #deliver(tx: SignedTransaction): Promise<void> {
    this.watch.sends(tx.id, tx.envelope, tx.expires);
    const sentMs = performance.now();
    let taken = false;
    while (Date.now() < tx.expires) {
      const name = this.#anyOf();
      if (name === undefined) {
        await sleep(50);
        continue;
      }
      const client = this.#network.client(name);
      try {
        if (!taken) {
          await client.call('tx.submit', { envelope: tx.text }, 3000);
          taken = true;
        }
        const status = await client.call('tx.wait', { id: tx.id, timeoutMs: 3000 }, 5000);
        if (status.status === 'finalized') {
          this.watch.told(tx.id, status.index, name);
          this.#final(sentMs);
          return;
        }
        if (status.status === 'expired') {
          this.watch.toldExpired(tx.id, name);
          return;
        }
        // This one does not know it: it was killed since, or is cut off from the one that took it. All may have it twice.
        if (status.status === 'unknown') taken = false;
      } catch (error) {
        if (error instanceof WeftError && /^TX_|DUPLICATE|EXPIRED/.test(error.code)) this.#refuse(error.code);
        await sleep(isBusy(error) ? 200 : 50);
      }
    }
  }

  #anyOf(): string | undefined {
    const running = this.#network.names.filter((name) => this.#network.running(name));
    return running[Math.floor(this.#options.random() * running.length)];
  }

  #final(sentMs: number): void {
    const finalMs = performance.now();
    this.#latencies.push(finalMs - sentMs);
    this.#finals.push({ sentMs, finalMs });
    if (this.#latencies.length > latenciesMax) this.#latencies.shift();
    if (this.#finals.length > 2 * 4096) this.#finals = this.#finals.slice(-4096);
  }

  #refuse(code: string): void {
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }
}
