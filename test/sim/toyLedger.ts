// A ledger of toy blocks: ids stand for contents, "executing" is knowing the ancestors, a bad block is marked as such.
import type { BlockFacts } from '../../consensus/types.ts';

export type ToyBlock = {
  facts: BlockFacts;
  txs: readonly number[];
  /** Does not execute to its roots: an honest validator finds it invalid. */
  bad: boolean;
};

/** The transaction that closes the epoch. */
export const closingTx = -1;

export type Registry = {
  genesis: ToyBlock;
  get(id: string): ToyBlock | undefined;
  /** Equal contents give equal ids. */
  make(facts: Omit<BlockFacts, 'id' | 'closing' | 'empty'>, txs: readonly number[], bad?: boolean): ToyBlock;
};

export function createRegistry(): Registry {
  const byContent = new Map<string, ToyBlock>();
  const byId = new Map<string, ToyBlock>();
  const genesis: ToyBlock = {
    facts: {
      id: 'genesis',
      parent: '',
      height: 0,
      epoch: 0,
      view: 0,
      proposer: 0,
      time: 0,
      closing: false,
      empty: false,
    },
    txs: [],
    bad: false,
  };
  return {
    genesis,
    get: (id) => byId.get(id),
    make(facts, txs, bad = false) {
      const content = `${facts.parent} ${facts.height} ${facts.view} ${facts.proposer} ${facts.time} ${txs.join()} ${bad}`;
      const old = byContent.get(content);
      if (old !== undefined) return old;
      const id = `h${facts.height}v${facts.view}p${facts.proposer}#${byContent.size}`;
      const block = { facts: { ...facts, id, closing: txs.includes(closingTx), empty: txs.length === 0 }, txs, bad };
      byContent.set(content, block);
      byId.set(id, block);
      return block;
    },
  };
}
