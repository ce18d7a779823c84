import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { type Tile, tileWidth } from '../log/tiles.ts';
import { encodeBody } from './body.ts';
import { damaged } from './damage.ts';
import { decodeFloor, type Floor, wholeFloor } from './floor.ts';
import { blockIdOfBytes, decodeHeader, type Header } from './header.ts';
import { IndexLists, indexesOf } from './indexLists.ts';
import type { KeyValue, WriteOp } from './keyValue.ts';
import { decodeRun, LeafRuns } from './leafRuns.ts';
import { envelopeOfLeaf, type Leaf } from './leaves.ts';
import type { Executed } from './overlay.ts';
import type { StateWrites } from './stateValue.ts';
import {
  accountKey,
  audienceKey,
  blockIdKey,
  blockKey,
  certificateKey,
  closingKey,
  epochKey,
  indexOfKey,
  leafKey,
  metaKey,
  numberBytes,
  prefixRange,
  readNumber,
  runKey,
  stateKeyOf,
  tileKey,
  txKey,
  typeKey,
} from './storeKeys.ts';
import { inTurns } from './turns.ts';
import type { StoredBlock } from './types.ts';
import { type ConsensusParameters, consensusParameterNames, createEpoch, type Epoch } from './validatorSet.ts';

/** Layout of the data folder. Another number is refused, never guessed. */
export const dataVersion = 2;
/** Its entries stand alone, its lists of indexes have one index each: read like all others. The next commit makes it a later one. */
const dataVersionRead = 1;
const empty = new Uint8Array(0);
const fullTileBytes = 32 * tileWidth;
/** Of values that we wrote ourselves. */
const valueBytesMax = 1024 * 1024;

export type TxEntry = {
  readonly height: number;
  readonly index: number;
  readonly records: number;
  readonly expires: number;
  readonly refused?: string;
};

/** Finalized blocks, log, state and indexes in a sorted key-value database (layout: storeKeys.ts). One batch per commit. */
export class Store {
  readonly #database: KeyValue;
  readonly #genesisHash: string;
  #floor: Floor | undefined;
  readonly #leaves: LeafRuns;
  #version = dataVersion;
  #warming: Promise<void> = Promise.resolve();

  constructor(database: KeyValue, genesisHash: string) {
    this.#database = database;
    this.#leaves = new LeafRuns((key) => database.get(key));
    this.#genesisHash = genesisHash;
  }

  /** Height of the finalized tip, or undefined in a new store. @throws WeftError DATA_VERSION, DATA_OTHER_CHAIN, DATA_DAMAGED */
  tipHeight(): number | undefined {
    const version = this.meta('version');
    if (version === undefined) {
      // All of it is written in one batch: one without the other was taken away, and must not be written over by a new chain.
      if (this.meta('tip') !== undefined || this.meta('genesis') !== undefined) throw damaged('its version is missing');
      return undefined;
    }
    this.#version = readNumber(version);
    if (this.#version !== dataVersion && this.#version !== dataVersionRead) {
      throw new WeftError(
        'DATA_VERSION',
        `The data folder has layout ${this.#version}, this build reads ${dataVersionRead} to ${dataVersion}.`,
      );
    }
    if (toHex(this.#need(metaKey('genesis'))) !== this.#genesisHash) {
      throw new WeftError(
        'DATA_OTHER_CHAIN',
        'The data folder belongs to another chain: another genesis document was given.',
      );
    }
    return readNumber(this.#need(metaKey('tip')));
  }

  /** Of an earlier layout than the next commit writes. */
  get isEarlier(): boolean {
    return this.#version !== dataVersion;
  }

  /** The first batch of a new store: leaf 0, state, epoch 1. */
  async writeGenesis(leaf: Leaf, writes: StateWrites, epoch: Epoch): Promise<void> {
    await this.#database.write([
      put(metaKey('version'), numberBytes(dataVersion)),
      put(metaKey('genesis'), Uint8Array.from(Buffer.from(this.#genesisHash, 'hex'))),
      put(metaKey('tip'), numberBytes(0)),
      put(leafKey(0), leaf.bytes),
      put(typeKey(leaf.type, 0), empty),
      ...stateOps(writes),
      put(epochKey(epoch.epoch), encodeEpoch(epoch)),
    ]);
  }

  /**
   * All blocks of one finalization with all their indexes, atomically. `certificate`: wire form, of the last block.
   * `journalRecords`: the last record of the journal that is on the disk; what the journal is held against at the next start.
   * `cosigned`: as `rememberCheckpoint` (ledger.ts) keeps it, where the log after the last block is about to be cosigned.
   */
  async commit(
    blocks: readonly Executed[],
    certificate: Uint8Array,
    tiles: readonly Tile[],
    journalRecords = 0,
    cosigned?: Uint8Array,
  ): Promise<void> {
    const ops: WriteOp[] = [];
    await inTurns(
      blocks,
      ({ leaves }) => 2 * leaves.length,
      (block) => pushBlock(ops, block, this.#leaves),
    );
    const last = blocks.at(-1);
    if (last === undefined) return;
    ops.push(put(certificateKey(last.header.height), certificate));
    for (const { level, n, bytes } of tiles) ops.push(put(tileKey(level, n), bytes));
    ops.push(put(metaKey('tip'), numberBytes(last.header.height)));
    if (cosigned !== undefined) ops.push(put(metaKey('cosigned'), cosigned));
    if (journalRecords > 0) ops.push(put(metaKey('journal'), numberBytes(journalRecords)));
    if (this.#version !== dataVersion) ops.push(put(metaKey('version'), numberBytes(dataVersion)));
    await this.#database.write(ops);
    this.#version = dataVersion;
  }

  block(height: number): StoredBlock | undefined {
    const value = this.#database.get(blockKey(height));
    if (value === undefined) return undefined;
    const [headerBytes, transactions] = this.#array(value) as [Uint8Array, number];
    const header = decodeHeader(headerBytes);
    return {
      blockId: blockIdOfBytes(headerBytes),
      header,
      headerBytes,
      transactions,
      certificate: this.certificate(height),
    };
  }

  certificate(height: number): Uint8Array | undefined {
    return this.#database.get(certificateKey(height));
  }

  async putCertificate(height: number, certificate: Uint8Array): Promise<void> {
    await this.#database.write([put(certificateKey(height), certificate)]);
  }

  heightOf(blockId: string): number | undefined {
    const value = this.#database.get(blockIdKey(blockId));
    return value === undefined ? undefined : readNumber(value);
  }

  header(height: number): Header | undefined {
    const value = this.#database.get(blockKey(height));
    return value === undefined ? undefined : decodeHeader((this.#array(value) as [Uint8Array])[0]);
  }

  /** Encoded body, from the transactions' leaves. `from`: log size before the block. */
  body(from: number, to: number): Uint8Array {
    const envelopes: Uint8Array[] = [];
    for (let index = from; index < to; index += 1) {
      const leaf = this.leaf(index);
      if (leaf === undefined) throw damaged(`log entry ${index} is missing`);
      const envelope = envelopeOfLeaf(leaf);
      if (envelope !== undefined) envelopes.push(envelope);
    }
    return encodeBody(envelopes);
  }

  /** A view of what was read. */
  leaf(index: number): Uint8Array | undefined {
    return this.#leaves.entry(index);
  }

  /**
   * What `leaf` and, where `tile` says so, `tile(0, …)` of this entry will read: from the disk into memory, off the event loop. One entry
   * at a time, because a commit and the journal need threads of the same few. Never fails: who reads then finds out.
   */
  warm(index: number, tile: boolean): Promise<void> {
    this.#warming = this.#warming.then(() => this.#warm(index, tile)).catch(() => undefined);
    return this.#warming;
  }

  async #warm(index: number, tile: boolean): Promise<void> {
    if (this.#database.warm === undefined) return;
    const leaf = this.#leaves.keyOf(index);
    const keys = leaf === undefined ? [] : [leaf];
    if (tile) keys.push(tileKey(0, Math.floor(index / tileWidth)));
    await this.#database.warm(keys);
  }

  /** Those of whole blocks, as they are when the first one is read. */
  async *leaves(from: number, to: number): AsyncGenerator<Uint8Array> {
    const alone = this.#database.range(leafKey(from), leafKey(to))[Symbol.asyncIterator]();
    const runs = this.#database.range(runKey(from), runKey(to))[Symbol.asyncIterator]();
    try {
      let [one, run] = await Promise.all([alone.next(), runs.next()]);
      while (!one.done || !run.done) {
        if (!one.done && (run.done || indexOfKey(one.value[0]) < indexOfKey(run.value[0]))) {
          yield one.value[1];
          one = await alone.next();
        } else if (!run.done) {
          yield* decodeRun(run.value[1]);
          run = await runs.next();
        }
      }
    } finally {
      await Promise.all([alone.return?.(), runs.return?.()]);
    }
  }

  /** Adds what takes entries away, whole groups of them (LeafRuns.drop). */
  dropLeaves(ops: WriteOp[], from: number, end: number, keeps: (leaf: Uint8Array) => boolean): void {
    this.#leaves.drop(ops, from, end, keeps);
  }

  /** Full ones. */
  tile(level: number, n: number): Uint8Array | undefined {
    const bytes = this.#database.get(tileKey(level, n));
    return bytes?.length === fullTileBytes ? bytes : undefined;
  }

  /** The first hashes of a tile that was not full where this store begins (floor.ts). */
  edgeTile(level: number, n: number): Uint8Array | undefined {
    const bytes = this.#database.get(tileKey(level, n));
    return bytes === undefined || bytes.length === fullTileBytes ? undefined : bytes;
  }

  /** What of the past is held here. */
  get floor(): Floor {
    if (this.#floor === undefined) {
      const value = this.meta('floor');
      this.#floor = value === undefined ? wholeFloor : decodeFloor(value);
    }
    return this.#floor;
  }

  /** Slices of pruning and the beginning of a store write what they like, in one batch, and may move the floor with it. */
  async write(ops: readonly WriteOp[], floor?: Floor): Promise<void> {
    await this.#database.write(ops);
    this.#leaves.forget();
    if (floor !== undefined) this.#floor = floor;
  }

  range(from: Uint8Array, to: Uint8Array): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#database.range(from, to);
  }

  async compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    await this.#database.compact?.(from, to);
  }

  hasTx(txId: string): boolean {
    return this.#database.get(txKey(txId)) !== undefined;
  }

  tx(txId: string): TxEntry | undefined {
    const value = this.#database.get(txKey(txId));
    if (value === undefined) return undefined;
    const [height, index, records, expires, refused] = this.#array(value) as [
      number,
      number,
      number,
      number,
      string | null,
    ];
    return { height, index, records, expires, ...(refused === null ? {} : { refused }) };
  }

  epoch(epoch: number): Epoch | undefined {
    const value = this.#database.get(epochKey(epoch));
    return value === undefined ? undefined : this.#decodeEpoch(epoch, value);
  }

  /** Height of the block that ended this epoch. */
  closingHeight(epoch: number): number | undefined {
    const value = this.#database.get(closingKey(epoch));
    return value === undefined ? undefined : readNumber(value);
  }

  /** All of it, in runs: path and canonical JSON. */
  async *state(): AsyncGenerator<readonly (readonly [path: string, canonical: string])[]> {
    if (this.#database.texts !== undefined) {
      for await (const run of this.#database.texts('s', 't')) yield run.map(([key, value]) => [key.slice(1), value]);
      return;
    }
    for await (const [key, value] of this.#database.range(...prefixRange('s'))) {
      yield [[decodeUtf8(key.subarray(1)), decodeUtf8(value)]];
    }
  }

  async indexes(by: 'type' | 'account', name: string, from: number, limit: number): Promise<number[]> {
    const keyOf = by === 'type' ? typeKey : accountKey;
    const found: number[] = [];
    const take = (key: Uint8Array, value: Uint8Array): void => {
      for (const index of indexesOf(key, value)) if (index >= from && found.length < limit) found.push(index);
    };
    // The list that begins before may reach beyond.
    for await (const [key, value] of this.#database.range(keyOf(name, 0), keyOf(name, from), 1, true)) take(key, value);
    const behind = this.#database.range(keyOf(name, from), keyOf(name, Number.MAX_SAFE_INTEGER), limit);
    for await (const [key, value] of behind) {
      take(key, value);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** The last ones below `before`, newest first: records of a type, or decisions about intents that are for an account. */
  async newest(by: 'type' | 'audience', name: string, before: number, limit: number): Promise<number[]> {
    const found: number[] = [];
    const keyOf = by === 'type' ? typeKey : audienceKey;
    const [from, to] = [keyOf(name, 0), keyOf(name, before)];
    for await (const [key, value] of this.#database.range(from, to, limit, true)) {
      for (const index of indexesOf(key, value).reverse())
        if (index < before && found.length < limit) found.push(index);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Is this tx leaf found by its account? `first`: of the account in the same block. */
  hasIndex(account: string, index: number, first: number): boolean {
    const key = accountKey(account, first);
    const list = this.#database.get(key);
    if (list !== undefined && indexesOf(key, list).includes(index)) return true;
    return this.#database.get(accountKey(account, index)) !== undefined;
  }

  /** As the last commit had it; 0 without one. */
  get journalRecords(): number {
    const value = this.meta('journal');
    return value === undefined ? 0 : readNumber(value);
  }

  meta(name: string): Uint8Array | undefined {
    return this.#database.get(metaKey(name));
  }

  async putMeta(name: string, value: Uint8Array): Promise<void> {
    await this.#database.write([put(metaKey(name), value)]);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  #array(value: Uint8Array): readonly Cbor[] {
    const decoded = decodeCbor(value, { bytesMax: valueBytesMax });
    if (!Array.isArray(decoded)) throw damaged('a value is no array');
    return decoded;
  }

  #need(key: Uint8Array): Uint8Array {
    const value = this.#database.get(key);
    if (value === undefined) throw damaged(`key ${toHex(key)} is missing`);
    return value;
  }

  #decodeEpoch(epoch: number, value: Uint8Array): Epoch {
    const [ruleset, parameters, validators] = this.#array(value) as unknown as [
      number,
      readonly number[],
      readonly (readonly [string, Uint8Array, Uint8Array, Uint8Array, Uint8Array, string, string])[],
    ];
    const consensus = Object.fromEntries(consensusParameterNames.map((name, i) => [name, parameters[i]]));
    return createEpoch(
      epoch,
      this.#genesisHash,
      ruleset,
      consensus as unknown as ConsensusParameters,
      validators.map(([name, peer, vote, log, cosigner, account, url]) => ({
        name,
        peer,
        vote,
        log,
        cosigner,
        account,
        url,
      })),
    );
  }
}

function put(key: Uint8Array, value: Uint8Array): WriteOp {
  return { type: 'put', key, value };
}

function stateOps({ canonical }: StateWrites): WriteOp[] {
  return [...canonical].map(([path, value]) => {
    const key = stateKeyOf(path);
    return value === null ? { type: 'del', key } : put(key, value);
  });
}

function pushBlock(ops: WriteOp[], block: Executed, runs: LeafRuns): void {
  const { header, headerBytes, blockId, transactions, outcomes, leaves, firstIndex, nextEpoch, epoch } = block;
  ops.push(put(blockKey(header.height), encodeCbor([headerBytes, transactions.length])));
  ops.push(put(blockIdKey(blockId), numberBytes(header.height)));
  runs.push(
    ops,
    firstIndex,
    leaves.map(({ bytes }) => bytes),
  );
  const types = new IndexLists(typeKey);
  const accounts = new IndexLists(accountKey);
  for (const [i, { type, audience }] of leaves.entries()) {
    const index = firstIndex + i;
    if (type !== 'tx' && type !== 'block') types.add(type, index);
    if (audience !== '') ops.push(put(audienceKey(audience, index), empty));
  }
  for (const [i, { txId, index, records, refused }] of outcomes.entries()) {
    const tx = transactions[i]?.tx;
    if (tx === undefined) continue;
    ops.push(put(txKey(txId), encodeCbor([header.height, index, records, tx.expires, refused ?? null])));
    accounts.add(tx.account, index);
  }
  types.push(ops);
  accounts.push(ops);
  ops.push(...stateOps(block.writes));
  if (nextEpoch === epoch) return;
  ops.push(put(epochKey(nextEpoch.epoch), encodeEpoch(nextEpoch)));
  // With URLs that have moved it is the same one.
  if (nextEpoch.epoch !== epoch.epoch) ops.push(put(closingKey(epoch.epoch), numberBytes(header.height)));
}

export function encodeEpoch({ ruleset, consensus, validators }: Epoch): Uint8Array {
  return encodeCbor([
    ruleset,
    consensusParameterNames.map((name) => consensus[name]),
    validators.map(({ name, peer, vote, log, cosigner, account, url }) => [
      name,
      peer,
      vote,
      log,
      cosigner,
      account,
      url,
    ]),
  ]);
}
