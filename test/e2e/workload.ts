import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../contracts/types.ts';
import { type SignedTransaction, WeftError } from '../../src/client/index.ts';
import { isBusy } from '../../src/client/rpc.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { ed25519Signer } from '../../src/crypto/ed25519.ts';
import { LogWatch } from './logWatch.ts';
import type { TestNetwork } from './network.ts';

/** Several clients, each with an account of its own, that give signed transactions to validators at random, and a `LogWatch` over all. */
export type WorkloadOptions = {
  /** Transactions a second. */
  readonly rate: number;
  readonly random: () => number;
  /** Default 20,000: short, so that what was lost shows soon. */
  readonly lifetimeMs?: number;
  /** What is sent next; default: packet commits. */
  readonly next?: (turn: number, random: () => number) => { account: string; type: string; body: JsonObject };
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
    const { account, type, body } = packet(0, this.#options.random);
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

const packetLifeMs = 30_000;
const senders = ['router-prime', 'echo.weave', 'misty.weave', 'oracle.weave'];

/** A group that no table allows makes a record too, whoever sends it. */
function packet(turn: number, _random: () => number): { account: string; type: string; body: JsonObject } {
  const ids = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
  const group = { source: 'misty.weave', target: 'oracle.weave', expires: Date.now() + packetLifeMs, ids };
  return {
    account: senders[turn % senders.length] ?? 'router-prime',
    type: 'packets.commit',
    body: { groups: [group] },
  };
}

/** Routers, publishers, the operator and the council at work: mostly packets, sometimes what changes state under them. */
export function mixed(turn: number, random: () => number): { account: string; type: string; body: JsonObject } {
  const dice = random();
  const id = `${turn.toString(36)}-${Math.floor(random() * 1e9).toString(36)}`;
  if (dice < 0.8) return packet(turn, random);
  if (dice < 0.88) {
    const instance = senders[1 + Math.floor(random() * 3)] ?? 'echo.weave';
    const endpoint = { url: 'https://agent.example.net/nld', protocol: 'nld/http' };
    const state = random() < 0.8 ? 'up' : 'down';
    return { account: 'operator', type: 'routing.instance', body: { instance, state, endpoint, model: null } };
  }
  if (dice < 0.94) {
    const body = { model: `m-${id}`, name: `Model ${id}`, sha256: bytes(32).toString('hex'), size: 4_368_439_296 };
    const rest = { format: 'gguf', source: `https://models.example.net/${id}.gguf`, lineage: [] };
    return { account: 'publisher', type: 'models.register', body: { ...body, ...rest } };
  }
  if (dice < 0.97) {
    const account = 'rogue.weave';
    const type = turn % 2 === 0 ? 'identity.suspend' : 'identity.resume';
    return { account: 'council', type, body: { account, reason: 'the load says so' } };
  }
  const ticketed = { account: `agent-${id}.weave`, roles: ['agent'] };
  const keys = [{ alg: 'ed25519', publicKey: toBase64Url(ed25519Signer(bytes(32)).publicKey) }];
  return { account: 'council', type: 'identity.register', body: { ...ticketed, keys } };
}

function bytes(length: number): Buffer {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(length)));
}
