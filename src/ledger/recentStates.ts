import type { Json, StateReader } from '../../contracts/types.ts';
import { sha256 } from '../crypto/hash.ts';
import { type StateProof, type StateTree, stateKey } from '../log/stateTree.ts';
import type { Header } from './header.ts';
import type { Executed, Position } from './overlay.ts';

/** What state held at a path after some block, and the proof of it under that block's state root. */
export type ProvenValue = { readonly path: string; readonly value: Json | undefined; readonly proof: StateProof };

/** Newest blocks whose state can still be proven. A checkpoint is published a few blocks behind the tip at most. */
const statesMax = 64;
/** Of memory that old trees and values may hold, about. */
const costMax = 32 * 1024 * 1024;
/** Of a path that changed: about twenty nodes of the tree, which the newer tree no longer shares. */
const costOfPath = 4096;

type Kept = {
  readonly header: Header;
  readonly tree: StateTree;
  /** What the paths held before this block that it changed; undefined where there was nothing. */
  readonly before: ReadonlyMap<string, Json | undefined>;
  readonly cost: number;
};

/**
 * Finalized states of the newest blocks. State is proven under the block of a *published* checkpoint, which is that of the tip or a few
 * behind it, and finalized state goes on meanwhile: so each block leaves its tree here, which costs what the next one changed,
 * and the values that it changed.
 */
export class RecentStates {
  readonly #ground: StateReader;
  /** Ascending; the last is the tip. */
  readonly #kept: Kept[];
  #cost = 0;

  /** `ground`: finalized state, which moves on with each block that is added. */
  constructor(ground: StateReader, { header, tree }: Position) {
    this.#ground = ground;
    this.#kept = [{ header, tree, before: new Map(), cost: 0 }];
  }

  /** This block is final, and its changes are about to go into the ground. */
  add({ header, tree, writes }: Executed): void {
    const before = new Map<string, Json | undefined>();
    let cost = 0;
    for (const path of writes.values.keys()) {
      const value = this.#ground.get(path);
      before.set(path, value);
      cost += costOfPath + (value === undefined ? 0 : JSON.stringify(value).length);
    }
    this.#kept.push({ header, tree, before, cost });
    this.#cost += cost;
    while (this.#kept.length > 1 && (this.#kept.length > statesMax || this.#cost > costMax)) {
      this.#kept.shift();
      // What the oldest changed leads back to a state that is not here: nobody needs it.
      const oldest = this.#kept[0];
      if (oldest === undefined) break;
      this.#cost -= oldest.cost;
      this.#kept[0] = { ...oldest, before: new Map(), cost: 0 };
    }
  }

  /**
   * As of the block with which the log had this size; undefined when its state is not here any more.
   * @throws WeftError STATE_PATH_INVALID
   */
  prove(logSize: number, paths: readonly string[]): ProvenValue[] | undefined {
    const at = this.#find(logSize);
    const kept = this.#kept[at];
    if (kept === undefined) return undefined;
    return paths.map((path) => ({
      path,
      value: this.#value(at, path),
      proof: kept.tree.prove(stateKey(sha256, path)),
    }));
  }

  #find(logSize: number): number {
    return this.#kept.findLastIndex(({ header }) => header.logSize === logSize);
  }

  /** The next block that changed the path says what it held before. */
  #value(at: number, path: string): Json | undefined {
    const changed = this.#kept.slice(at + 1).find(({ before }) => before.has(path));
    return changed === undefined ? this.#ground.get(path) : changed.before.get(path);
  }
}
