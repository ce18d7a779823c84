import type { Json, StateReader } from '../../contracts/types.ts';
import type { Frontier } from '../log/frontier.ts';
import type { StateTree } from '../log/stateTree.ts';
import type { Header } from './header.ts';
import type { Leaf } from './leaves.ts';
import { freeze, type StateWrites } from './stateValue.ts';
import type { ExecutedBlock } from './types.ts';
import type { UsedFilter } from './usedIds.ts';
import type { Epoch } from './validatorSet.ts';

/** A value as the disk has it, not looked at yet. */
class Unread {
  readonly canonical: string;

  constructor(canonical: string) {
    this.canonical = canonical;
  }
}

/**
 * Finalized state in memory: path → value. State is small by design (packets live in the log only). What came from the disk is text until
 * somebody asks for it: of a hundred thousand models few ever are.
 */
export class CommittedState implements StateReader {
  readonly #values = new Map<string, Json | Unread>();

  get size(): number {
    return this.#values.size;
  }

  get(path: string): Json | undefined {
    const value = this.#values.get(path);
    if (!(value instanceof Unread)) return value;
    const read = freeze(JSON.parse(value.canonical) as Json);
    this.#values.set(path, read);
    return read;
  }

  apply(changes: ReadonlyMap<string, Json | null>): void {
    for (const [path, value] of changes) {
      if (value === null) this.#values.delete(path);
      else this.#values.set(path, value);
    }
  }

  /** `canonical`: JSON that the caller holds against the state root. */
  load(path: string, canonical: string): void {
    this.#values.set(path, new Unread(canonical));
  }
}

/**
 * What stands under all unfinalized blocks, as of `height`. `hasTx`: the transactions finalized up to that height whose ids
 * are not forgotten. A store shows a commit before it is told that the commit is done; what is executed meanwhile must not
 * see half of it.
 */
export type Ground = {
  readonly state: CommittedState;
  /** Moves with `Chain.settle` and with nothing else. */
  height: number;
  hasTx(txId: string, upToHeight: number): boolean;
  /** What spares most of those questions; follows `height`. */
  readonly used?: UsedFilter;
};

/**
 * State and used ids after one unfinalized block: its own changes, then those of its ancestors, then the ground. Once the
 * block is committed the ground holds what it changed, and the layer is passed through (`settle`): so children keep working
 * while their ancestors sink into the ground, in order.
 */
export class Layer implements StateReader {
  readonly #ground: Ground;
  #parent: Layer | undefined;
  #changes: ReadonlyMap<string, Json | null>;
  #txIds: ReadonlySet<string>;
  #settled: boolean;

  constructor(
    ground: Ground,
    parent: Layer | undefined,
    changes: ReadonlyMap<string, Json | null>,
    txIds: ReadonlySet<string>,
  ) {
    this.#ground = ground;
    this.#parent = parent;
    this.#changes = changes;
    this.#txIds = txIds;
    this.#settled = parent === undefined && changes.size === 0 && txIds.size === 0;
  }

  get(path: string): Json | undefined {
    let layer: Layer | undefined = this;
    while (layer !== undefined && !layer.#settled) {
      const value: Json | null | undefined = layer.#changes.get(path);
      if (value !== undefined) return value ?? undefined;
      layer = layer.#parent;
    }
    return this.#ground.state.get(path);
  }

  /** Whether it was used. `expires`: of this transaction, and not passed by any final block. */
  hasTx(txId: string, expires: number): boolean {
    let layer: Layer | undefined = this;
    while (layer !== undefined && !layer.#settled) {
      if (layer.#txIds.has(txId)) return true;
      layer = layer.#parent;
    }
    const { used, height } = this.#ground;
    return used?.mayHold(txId, expires) !== false && this.#ground.hasTx(txId, height);
  }

  get ground(): Ground {
    return this.#ground;
  }

  settle(): void {
    this.#settled = true;
    this.#parent = undefined;
    this.#changes = new Map();
    this.#txIds = new Set();
  }
}

/** A block that others can be built on: the finalized tip (or genesis), or an executed one. */
export type Position = {
  readonly blockId: string;
  readonly header: Header;
  /** Of the blocks that follow it. */
  readonly nextEpoch: Epoch;
  readonly layer: Layer;
  readonly tree: StateTree;
  readonly frontier: Frontier;
};

/** Everything that execution found out: what the commit writes. */
export type Executed = ExecutedBlock &
  Position & {
    readonly epoch: Epoch;
    readonly writes: StateWrites;
    /** From log index `firstIndex` on; the last is the block record. */
    readonly leaves: readonly Leaf[];
    readonly leafHashes: readonly Uint8Array[];
    /** Of the level-0 tiles that its leaves complete (TileWriter.append). */
    readonly tileRoots: readonly Uint8Array[];
    readonly firstIndex: number;
  };
