import { setTimeout as sleep } from 'node:timers/promises';
import { type LogSource, openLogSource } from '../../src/client/logSource.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { envelopeOfLeaf } from '../../src/ledger/leaves.ts';
import { bundleBytesMax, decodeBundle } from '../../src/log/bundles.ts';
import { formatBundlePath, tileWidth } from '../../src/log/tiles.ts';
import type { TestNetwork } from './network.ts';

/**
 * Reads every entry of every validator's log while it grows, and compares: the same entries in the same order everywhere, each
 * transaction of the load at most once, none that nobody sent, and each one that a client was told to be final where it was told.
 * It keeps what is not settled yet: entries that some validator has not shown, transactions that may still come. No words is good.
 */
export type LogWatchFigures = {
  readonly submitted: number;
  readonly finalized: number;
  /** Of these, a client heard of in time. */
  readonly acknowledged: number;
  /** In no block, and their time is over. */
  readonly expired: number;
  readonly entries: number;
  /** What is held at the moment, and was at most. */
  readonly held: number;
  readonly heldMost: number;
};

type Sent = { readonly txId: string; readonly expires: number; index: number | undefined; told: number | undefined };
type Entry = { readonly digest: string; readonly by: string; seen: number };

/** Entries that one look at one validator reads. */
const entriesAtOnce = 4096;
/** A transaction is settled so long after its expiry, by the chain's own time: no block may take it then. */
const settledMs = 5_000;
const wordsMax = 50;

const blockPrefix = new TextEncoder().encode('{"type":"block"');

export class LogWatch {
  readonly #network: TestNetwork;
  readonly #names: readonly string[];
  readonly #sources: Map<string, LogSource>;
  readonly #cursors: Map<string, number>;
  /** Index → entry, until all have shown it. */
  readonly #entries = new Map<number, Entry>();
  /** Envelope id → transaction, until it is settled. */
  readonly #sent = new Map<string, Sent>();
  readonly #envelopeOf = new Map<string, string>();
  readonly #forgetful = new Set<string>();
  readonly words: string[] = [];
  #top: number;
  #chainMs = 0;
  #stopped = false;
  #running: Promise<void>[] = [];
  #submitted = 0;
  #finalized = 0;
  #acknowledged = 0;
  #expired = 0;
  #heldMost = 0;
  /** `performance.now()` at which the first validator showed the newest block with a transaction of the load. */
  lastFinalMs = performance.now();

  /** `from`: entries below were there before the load. */
  constructor(network: TestNetwork, from: number) {
    this.#network = network;
    this.#names = network.names;
    this.#top = from;
    this.#sources = new Map(network.net.validators.map(({ name, rpc }) => [name, openLogSource(rpc)]));
    this.#cursors = new Map(this.#names.map((name) => [name, from]));
  }

  start(): void {
    this.#running = this.#names.map((name) => this.#follow(name));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    for (const source of this.#sources.values()) source.close();
  }

  get figures(): LogWatchFigures {
    return {
      submitted: this.#submitted,
      finalized: this.#finalized,
      acknowledged: this.#acknowledged,
      expired: this.#expired,
      entries: this.#top,
      held: this.#entries.size + this.#sent.size,
      heldMost: this.#heldMost,
    };
  }

  /** Before it leaves for the first time. */
  sends(txId: string, envelope: Uint8Array, expires: number): void {
    const envelopeId = sha256Hex(envelope);
    this.#sent.set(envelopeId, { txId, expires, index: undefined, told: undefined });
    this.#envelopeOf.set(txId, envelopeId);
    this.#submitted += 1;
    this.#heldMost = Math.max(this.#heldMost, this.#entries.size + this.#sent.size);
  }

  /** A validator answered that it is final, as entry `index`. */
  told(txId: string, index: number, by: string): void {
    const sent = this.#sent.get(this.#envelopeOf.get(txId) ?? '');
    if (sent === undefined) return;
    if (sent.told !== undefined && sent.told !== index)
      this.#say(`${by} says ${txId} is entry ${index}, before: ${sent.told}`);
    if (sent.told === undefined) this.#acknowledged += 1;
    sent.told = index;
    this.#compare(sent);
  }

  /** A validator answered that it is in no block and will not be. */
  toldExpired(txId: string, by: string): void {
    const sent = this.#sent.get(this.#envelopeOf.get(txId) ?? '');
    if (sent?.index !== undefined) this.#say(`${by} says ${txId} has expired, but it is entry ${sent.index}`);
  }

  /** Its data was taken from it: it may have less than it showed, until it has caught up. */
  mayForget(name: string): void {
    this.#forgetful.add(name);
  }

  /** Every validator of `names` has shown all that any has, and every transaction is settled. Throws what is missing. */
  async settle(names: readonly string[] = this.#names, withinMs = 120_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    const behind = (): string[] => names.filter((name) => (this.#cursors.get(name) ?? 0) < this.#top);
    while (this.#sent.size > 0 || behind().length > 0) {
      if (Date.now() > deadline) {
        const open = [...this.#sent.values()].slice(0, 5).map(({ txId }) => txId);
        throw new Error(
          `after ${withinMs} ms ${this.#sent.size} transactions are unsettled (${open.join(', ')}), behind: ${behind()
            .map((name) => `${name} at ${this.#cursors.get(name)} of ${this.#top}`)
            .join(', ')}\n${this.#network.logTails()}`,
        );
      }
      await sleep(200);
    }
  }

  async #follow(name: string): Promise<void> {
    while (!this.#stopped) {
      try {
        const more = await this.#look(name);
        await sleep(more ? 0 : 250);
      } catch {
        // Killed, stopped, cut or not yet up: it is asked again.
        await sleep(250);
      }
    }
  }

  /** True when there is more at once. */
  async #look(name: string): Promise<boolean> {
    if (!this.#network.running(name)) return false;
    const { finalized } = await this.#network.client(name).call('node.status', {}, 3000);
    const cursor = this.#cursors.get(name) ?? 0;
    if (finalized.logSize < cursor) {
      if (!this.#forgetful.has(name)) this.#say(`${name} showed ${cursor} entries, and now has ${finalized.logSize}`);
      this.#forgetful.add(name);
      return false;
    }
    this.#forgetful.delete(name);
    const to = Math.min(finalized.logSize, cursor + entriesAtOnce);
    for (let n = Math.floor(cursor / tileWidth); n * tileWidth < to; n += 1) {
      const width = Math.min(tileWidth, to - n * tileWidth);
      const bytes = await this.#sources.get(name)?.read(formatBundlePath(n, width), bundleBytesMax);
      if (bytes === undefined) {
        this.#say(`${name} has ${finalized.logSize} entries and no bundle ${n} of width ${width}`);
        return false;
      }
      for (const [i, leaf] of decodeBundle(bytes, width).entries()) {
        const index = n * tileWidth + i;
        if (index < (this.#cursors.get(name) ?? 0)) continue;
        this.#saw(name, index, leaf);
        this.#cursors.set(name, index + 1);
      }
    }
    this.#settleOld();
    return to < finalized.logSize;
  }

  #saw(name: string, index: number, leaf: Uint8Array): void {
    const digest = sha256Hex(leaf).slice(0, 32);
    if (index === this.#top) {
      this.#top += 1;
      this.#entries.set(index, { digest, by: name, seen: 1 });
      this.#heldMost = Math.max(this.#heldMost, this.#entries.size + this.#sent.size);
      this.#first(index, leaf);
    } else {
      const entry = this.#entries.get(index);
      if (entry === undefined) throw new Error(`entry ${index} was shown more often than there are validators`);
      if (entry.digest !== digest) this.#say(`entry ${index} of ${name} is another than that of ${entry.by}`);
      entry.seen += 1;
    }
    if (this.#entries.get(index)?.seen === this.#names.length) this.#entries.delete(index);
  }

  #first(index: number, leaf: Uint8Array): void {
    const envelope = envelopeOfLeaf(leaf);
    if (envelope === undefined) {
      if (blockPrefix.every((byte, i) => leaf[i] === byte)) {
        const { time } = JSON.parse(new TextDecoder().decode(leaf)) as { time: number };
        if (time <= this.#chainMs) this.#say(`the time of the block at entry ${index} is not above the one before`);
        this.#chainMs = time;
      }
      return;
    }
    const sent = this.#sent.get(sha256Hex(envelope));
    if (sent === undefined) {
      this.#say(`entry ${index} is a transaction that nobody sent, or one that was settled before`);
      return;
    }
    if (sent.index !== undefined) this.#say(`${sent.txId} is entry ${sent.index}, and entry ${index} again`);
    else this.#finalized += 1;
    sent.index = index;
    this.lastFinalMs = performance.now();
    this.#compare(sent);
  }

  #compare({ txId, index, told }: Sent): void {
    if (index !== undefined && told !== undefined && index !== told)
      this.#say(`a client was told that ${txId} is entry ${told}, and it is entry ${index}`);
  }

  #settleOld(): void {
    for (const [envelopeId, sent] of this.#sent) {
      if (sent.expires + settledMs > this.#chainMs) continue;
      if (sent.index === undefined) {
        this.#expired += 1;
        if (sent.told !== undefined)
          this.#say(`LOST: a client was told that ${sent.txId} is entry ${sent.told}, and it is in no log`);
      }
      this.#sent.delete(envelopeId);
      this.#envelopeOf.delete(sent.txId);
    }
  }

  #say(words: string): void {
    if (this.words.length < wordsMax) this.words.push(words);
  }
}
