import type { BlockFacts, Effect, Event } from '../../consensus/types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import type { Network } from '../net/types.ts';
import type { BlockPool } from './blocks.ts';
import { encodeNumbers, frameKinds } from './wire.ts';

/** What the engine wants to have fetched: certificates of a view as a frame, blocks as requests. */
export type FetchesModules = {
  readonly ledger: Ledger;
  readonly blocks: BlockPool;
  readonly network: () => Network;
  readonly fetchBlock: (
    peer: string,
    blockId: string,
  ) => Promise<{ readonly header: Uint8Array; readonly body: Uint8Array } | undefined>;
  readonly handle: (event: Event) => void;
};

export class Fetches {
  readonly #epoch: Epoch;
  readonly #modules: FetchesModules;
  #stopped = false;

  constructor(epoch: Epoch, modules: FetchesModules) {
    this.#epoch = epoch;
    this.#modules = modules;
  }

  stop(): void {
    this.#stopped = true;
  }

  fetch(effect: Extract<Effect, { type: 'fetch' }>): void {
    const network = this.#modules.network();
    for (const index of effect.peers) {
      const name = this.#epoch.validators[index]?.name;
      if (name === undefined) continue;
      if (effect.what === 'view') {
        const payload = encodeNumbers(this.#epoch.epoch, effect.view);
        network.send(name, 'urgent', frameKinds.view, payload, { class: 'other' });
      } else void this.#fetchBlock(name, effect.blockId);
    }
  }

  /** A block that fell out of the pool before it was executed: whoever has it sends it again. */
  async again(blockId: string): Promise<boolean> {
    const askable = this.#modules.network().askable();
    for (const { name } of this.#epoch.validators) {
      if (this.#stopped) return false;
      if (askable.includes(name) && (await this.#ask(name, blockId)) !== undefined) return true;
    }
    return false;
  }

  async #fetchBlock(name: string, blockId: string): Promise<void> {
    const { blocks, ledger } = this.#modules;
    // After a restart the journal's blocks are executed and not in the pool.
    const here = blocks.bodyNow(blockId) === undefined ? ledger.blockBytes(blockId) : undefined;
    if (here !== undefined) blocks.addWhole(blockId, here.header, here.body, this.#epoch);
    const pooled = blocks.bodyNow(blockId) === undefined ? await this.#ask(name, blockId) : blocks.get(blockId);
    if (pooled !== undefined && !this.#stopped) this.#modules.handle({ type: 'fetched', block: pooled.facts });
  }

  async #ask(name: string, blockId: string): Promise<{ facts: BlockFacts } | undefined> {
    const answer = await this.#modules.fetchBlock(name, blockId);
    if (answer === undefined || this.#stopped) return undefined;
    return this.#modules.blocks.addWhole(blockId, answer.header, answer.body, this.#epoch);
  }
}
