import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Level } from 'level';
import type { Testnet } from '../../src/cli/testnet.ts';
import { buildTransaction, sign as signTransaction } from '../../src/client/transaction.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import type { ValidatorKeys } from '../../src/crypto/validatorKeys.ts';
import { type KeyValue, openLevel } from '../../src/ledger/keyValue.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { prefixRange } from '../../src/ledger/storeKeys.ts';
import type { CommittedBlock, ExecutedBlock } from '../../src/ledger/types.ts';
import { contextAfter, sealBlock, trusting } from '../ledger/fixtures.ts';
import type { GrowthSignerData, GrowthWork } from './growthSigner.ts';
import { finalizationOf, signersOf, validatorKeysOf } from './longChain.ts';
import { routesBetween } from './routes.ts';

/**
 * A chain of millions of log entries made offline, with the real keys of a test network, in the folder of a ledger; a second call goes on
 * where the first one ended. An entry is a leaf of the log: of a transaction, of each record that it makes, of a block. A commit of 16
 * groups of packets, the most that one transaction may have, makes 17.
 */
const groupsPerTransaction = 16;
const transactionsPerBlock = 32;
const modelsPerBlock = 200;
/** Blocks that the signing thread is ahead. */
const ahead = 4;
export const spacingMs = 50;

export class GrowthChain {
  readonly ledger: Ledger;
  readonly #net: Testnet;
  readonly #database: KeyValue;
  readonly #keys: ReadonlyMap<string, ValidatorKeys>;
  readonly #signer: Worker;
  readonly #time: number;
  #tip: { readonly blockId: string; readonly header: ExecutedBlock['header'] };
  /** The commit that is under way. */
  #committing: Promise<readonly CommittedBlock[]> = Promise.resolve([]);

  private constructor(
    net: Testnet,
    ledger: Ledger,
    database: KeyValue,
    keys: ReadonlyMap<string, ValidatorKeys>,
    signer: Worker,
    time: number,
  ) {
    this.#net = net;
    this.#database = database;
    this.ledger = ledger;
    this.#keys = keys;
    this.#signer = signer;
    this.#time = time;
    this.#tip = ledger.finalized;
  }

  /** `time`: of genesis, milliseconds. `durable`: with the database of a node and a sync for each commit; else with what is quick. */
  static async open(net: Testnet, dir: string, time: number, durable = false): Promise<GrowthChain> {
    mkdirSync(join(dir, 'store'), { recursive: true });
    const genesis = new Uint8Array(readFileSync(net.genesis));
    const database = durable ? await openLevel(join(dir, 'store')) : await openQuickly(join(dir, 'store'));
    // Whoever made the signatures makes the chain, too. The nodes that take it up check what a node checks.
    const ledger = await Ledger.open({ dir, genesis, verifier: trusting, database });
    const seeds = ['router-prime', 'publisher'].map(async (name) => {
      const secrets = await readKeyFile(net.accounts.get(name) ?? '', null);
      return { name, seed: secrets.find((each) => each.name === 'account')?.secret ?? new Uint8Array() };
    });
    const workerData: GrowthSignerData = { chain: net.chain, accounts: await Promise.all(seeds) };
    const signer = new Worker(new URL('./growthSigner.ts', import.meta.url), { workerData });
    return new GrowthChain(net, ledger, database, await validatorKeysOf(net), signer, time);
  }

  get entries(): number {
    return this.#tip.header.logSize;
  }

  async stateKeys(): Promise<number> {
    let count = 0;
    for await (const _ of this.#database.range(...prefixRange('s'))) count += 1;
    return count;
  }

  /** Once. */
  async prepareRoutes(): Promise<void> {
    if (this.#tip.header.height > 0) return;
    const at = this.nextTime;
    const signer = (await signersOf(this.#net, ['operator'])).get('operator');
    if (signer === undefined) throw new Error('no key of operator');
    const made = routesBetween().map(({ type, body }) => {
      const request = { chain: this.#net.chain, account: 'operator', type, body, expires: at + 50_000 };
      return signTransaction(buildTransaction(request), [signer]).envelope;
    });
    // The table is of instances that are up.
    await this.addBlock(made.slice(0, -1));
    await this.addBlock(made.slice(-1));
  }

  /** Registers models until state has two keys for each of `models`. */
  async growState(models: number, progress: (done: number) => void): Promise<void> {
    // What the folder has already: they are registered in order.
    let done = 0;
    while (done < models && this.ledger.state.get(`models/model/grown-${done}`) !== undefined) done += modelsPerBlock;
    let asked = done;
    await this.#addBlocks(
      () => {
        if (asked >= models) return undefined;
        const from = asked;
        asked += modelsPerBlock;
        return { kind: 'models', count: modelsPerBlock, from };
      },
      () => {
        done += modelsPerBlock;
        progress(done);
      },
    );
  }

  /** Commits packets, each group with `ids` of them, until the log has `entries`. */
  async growLog(entries: number, progress: (entries: number) => void, ids = 1): Promise<void> {
    let expected = this.entries;
    await this.#addBlocks(
      () => {
        const missing = entries - expected;
        if (missing <= 0) return undefined;
        const count = Math.min(transactionsPerBlock, Math.ceil(missing / (groupsPerTransaction + 1)));
        expected += count * (groupsPerTransaction + 1) + 1;
        return { kind: 'packets', count, groups: groupsPerTransaction, ids };
      },
      () => progress(this.entries),
    );
  }

  /** What the signing thread makes of one piece of work. One asks at a time. */
  async signed(work: GrowthWork): Promise<Uint8Array[]> {
    const answer = new Promise<Uint8Array[]>((resolve) => this.#signer.once('message', resolve));
    this.#signer.postMessage(work);
    return answer;
  }

  async #addBlocks(next: () => DistributiveOmit<GrowthWork, 'at'> | undefined, added: () => void): Promise<void> {
    const answers: Uint8Array[][] = [];
    let arrived: () => void = () => undefined;
    const take = (made: Uint8Array[]): void => {
      answers.push(made);
      arrived();
    };
    this.#signer.on('message', take);
    let asked = 0;
    let taken = 0;
    let at = this.nextTime;
    const ask = (): void => {
      const work = next();
      if (work === undefined) return;
      this.#signer.postMessage({ ...work, at });
      at += spacingMs;
      asked += 1;
    };
    for (let i = 0; i < ahead; i += 1) ask();
    while (taken < asked) {
      const made = answers.shift();
      if (made === undefined) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
        continue;
      }
      taken += 1;
      ask();
      await this.addBlock(made);
      added();
    }
    this.#signer.off('message', take);
    await this.settled();
  }

  /** Of the block that is added next. */
  get nextTime(): number {
    return Math.max(this.#time, this.#tip.header.time) + spacingMs;
  }

  /** Builds and seals a block on the last one; its commit may still be under way when this resolves. */
  async addBlock(envelopes: readonly Uint8Array[]): Promise<ExecutedBlock> {
    const { ledger } = this;
    const { header, blockId } = this.#tip;
    const { epoch } = ledger;
    const block = await sealBlock(
      ledger,
      blockId,
      contextAfter({ header, nextEpoch: epoch }, this.nextTime),
      envelopes,
    );
    const refused = block.outcomes.find((outcome) => outcome.refused !== undefined);
    if (refused !== undefined) throw new Error(`block ${header.height + 1}: ${JSON.stringify(refused)}`);
    await this.#committing;
    this.#committing = ledger.commit(block.blockId, finalizationOf(ledger, block, epoch, this.#keys));
    this.#tip = block;
    return block;
  }

  /** Resolves with the last block that was added, when it is committed. */
  settled(): Promise<readonly CommittedBlock[]> {
    return this.#committing;
  }

  async close(): Promise<void> {
    await this.#committing;
    await this.#signer.terminate();
    await this.ledger.close();
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const megabyte = 1024 * 1024;

/** The same layout as a node's database, written in larger pieces and without a sync for each. */
async function openQuickly(folder: string): Promise<KeyValue> {
  const level = new Level<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    cacheSize: 64 * megabyte,
    writeBufferSize: 64 * megabyte,
    maxOpenFiles: 1000,
  });
  await level.open();
  return {
    get: (key) => level.getSync(key),
    write: (ops) => level.batch([...ops]),
    range: (from, to, limit, reverse = false) =>
      level.iterator({ gte: from, lt: to, reverse, ...(limit === undefined ? {} : { limit }) }),
    close: () => level.close(),
  };
}
