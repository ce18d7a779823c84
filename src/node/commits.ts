import type { Event, Finalization } from '../../consensus/types.ts';
import { WeftError } from '../codec/error.ts';
import type { Header } from '../ledger/header.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock } from '../ledger/types.ts';
import type { BlockChecks } from './blockChecks.ts';
import type { BlockPool } from './blocks.ts';

/**
 * Commits what a finalization proves, as soon as its block is executed here; a block that never came is caught up with. One
 * commit at a time, and of several finalizations that wait the highest.
 */
export type CommitsModules = {
  readonly ledger: Ledger;
  readonly blocks: BlockPool;
  readonly checks: BlockChecks;
  readonly handle: (event: Event) => void;
  /** The log after this block, the next one here, is about to be cosigned. */
  readonly cosigns: (header: Header) => boolean;
  /** Durable, in height order; before the engine and anybody else is told. */
  readonly committed: (blocks: readonly CommittedBlock[]) => void;
  /** After each commit, whatever it brought. */
  readonly settled: () => void;
  /** A finalization of a block that is not here: somebody has to fetch the blocks in between. */
  readonly behind: (certificate: Finalization) => void;
  readonly failed: (error: unknown) => void;
};

export class Commits {
  readonly #modules: CommitsModules;
  #pending: Finalization | undefined;
  #chain: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(modules: CommitsModules) {
    this.#modules = modules;
  }

  finalize(certificate: Finalization): void {
    const pending = this.#pending;
    if (pending === undefined || pending.subject.view < certificate.subject.view) this.#pending = certificate;
    this.retry();
  }

  /** Something came that may be what a finalization waits for. */
  retry(): void {
    const certificate = this.#pending;
    if (certificate === undefined || this.#stopped) return;
    this.#chain = this.#chain
      .then(() => this.#commit(certificate))
      .catch((error: unknown) => this.#modules.failed(error));
  }

  /** Nothing is begun any more. Resolves when what is being written is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#chain;
  }

  async #commit(certificate: Finalization): Promise<void> {
    const { ledger, blocks } = this.#modules;
    if (this.#stopped || this.#pending !== certificate) return;
    const { blockId, view } = certificate.subject;
    if (ledger.executed(blockId) === undefined && ledger.block(blockId) === undefined) {
      if (blocks.get(blockId) !== undefined && (await this.#withinReach(blockId))) return;
      this.#modules.behind(certificate);
      return;
    }
    this.#pending = undefined;
    const header = ledger.executed(blockId)?.header;
    const committed = await ledger.commit(blockId, certificate, header !== undefined && this.#modules.cosigns(header));
    const facts = committed.at(-1)?.facts ?? ledger.finalized.facts;
    if (committed.length > 0) this.#modules.committed(committed);
    if (facts.id === blockId) this.#modules.handle({ type: 'committed', view, block: facts });
    this.#modules.settled();
  }

  /** The block is here but not executed yet: executing it brings the finalization back. False when an ancestor is missing. */
  async #withinReach(blockId: string): Promise<boolean> {
    const { ledger, blocks, checks, failed } = this.#modules;
    for (let id = blockId; !ledger.canExtend(id); ) {
      const pooled = blocks.get(id);
      if (pooled === undefined) return false;
      id = pooled.header.parent;
    }
    void checks.check(blockId).then((valid) => {
      if (valid === true) this.retry();
      // Finalized by q, and it does not execute here (W4): it is our state that is wrong.
      if (valid === false) failed(new WeftError('STATE_DIVERGED', `block ${blockId} is final and does not hold here`));
    });
    return true;
  }
}
