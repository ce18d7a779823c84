// A ledger of toy blocks: ids stand for contents, a state root is a running sum over all transactions.
import type { BlockFacts, BlockId, Finalization } from '../../consensus/types.ts';
import { blockTxsMax, type EpochSet, type SimBlock, type SimLedger } from './ledger.ts';

export type ToyBlock = SimBlock & { readonly txs: readonly number[]; readonly root: number };

/** All blocks that anybody ever made: equal contents give equal ids, as a hash would. */
export type Registry = {
  genesis: ToyBlock;
  sets: readonly EpochSet[];
  get(id: BlockId): ToyBlock | undefined;
  make(facts: Omit<BlockFacts, 'id' | 'closing' | 'empty'>, txs: readonly number[], root: number): ToyBlock;
};

function rootAfter(root: number, txs: readonly number[], height: number): number {
  let next = (Math.imul(root, 31) + height) | 0;
  for (const tx of txs) next = (Math.imul(next, 0x01000193) ^ tx) | 0;
  return next;
}

const closes = (epoch: number, txs: readonly number[]): boolean => txs.includes(-epoch);

export function createRegistry(sets: readonly EpochSet[]): Registry {
  const byContent = new Map<string, ToyBlock>();
  const byId = new Map<string, ToyBlock>();
  const facts = { id: 'genesis', parent: '', height: 0, epoch: 0, view: 0, proposer: 0, time: 0 };
  const genesis: ToyBlock = { facts: { ...facts, closing: true, empty: false }, txs: [], root: 0 };
  byId.set('genesis', genesis);
  return {
    genesis,
    sets,
    get: (id) => byId.get(id),
    make({ parent, height, epoch, view, proposer, time }, txs, root) {
      const content = `${parent} ${height} ${epoch} ${view} ${proposer} ${time} ${txs.join()} ${root}`;
      const old = byContent.get(content);
      if (old !== undefined) return old;
      const id = `h${height}e${epoch}v${view}p${proposer}#${byContent.size}`;
      const closing = closes(epoch, txs);
      const block = {
        facts: { id, parent, height, epoch, view, proposer, time, closing, empty: txs.length === 0 },
        txs,
        root,
      };
      byContent.set(content, block);
      byId.set(id, block);
      return block;
    },
  };
}

/** `bend` makes a ledger that executes wrongly: for canaries. */
export function createToyLedger(registry: Registry, bend?: (root: number, block: ToyBlock) => number): SimLedger {
  const { genesis } = registry;
  const store: ToyBlock[] = [genesis];
  let certificate: Finalization | undefined;
  const closings = new Map<number, Finalization>();
  let roots = new Map<BlockId, number>([[genesis.facts.id, genesis.root]]);
  const toy = (block: SimBlock): ToyBlock => {
    const known = registry.get(block.facts.id);
    if (known === undefined) throw new Error(`no block ${block.facts.id}`);
    return known;
  };
  const tip = (): ToyBlock => store[store.length - 1]!;
  const rootOf = (block: ToyBlock): number | undefined => {
    const parent = roots.get(block.facts.parent);
    if (parent === undefined) return undefined;
    const root = rootAfter(parent, block.txs, block.facts.height);
    return bend === undefined ? root : bend(root, block);
  };
  const committed = new Set<number>();
  const included = (block: ToyBlock, tx: number): boolean => {
    if (committed.has(tx)) return true;
    const { height } = tip().facts;
    for (
      let at: ToyBlock | undefined = block;
      at !== undefined && at.facts.height > height;
      at = registry.get(at.facts.parent)
    )
      if (at.txs.includes(tx)) return true;
    return false;
  };
  return {
    tip,
    certificate: () => certificate,
    at: (height) => store[height],
    closing: (epoch) => closings.get(epoch),
    setOf: (epoch) => (epoch === 1 || closings.has(epoch - 1) ? registry.sets[epoch - 1] : undefined),
    root: () => String(roots.get(tip().facts.id)),
    hasExecuted: (id) => roots.has(id),
    execute(block, done) {
      const known = toy(block);
      if (known.facts.height <= tip().facts.height) {
        done(store[known.facts.height] === known);
        return;
      }
      const root = rootOf(known);
      const parent = registry.get(known.facts.parent);
      const fits =
        root === known.root &&
        known.txs.length <= blockTxsMax &&
        parent !== undefined &&
        !known.txs.some((tx) => included(parent, tx));
      if (fits) roots.set(known.facts.id, known.root);
      done(fits);
    },
    build(parent, draft, done) {
      const on = toy(parent);
      const height = parent.facts.height + 1;
      // A change for another epoch than this one is refused by execution, so a builder leaves it out.
      const txs = draft.txs.filter((tx) => (tx > 0 || tx === -draft.epoch) && !included(on, tx)).slice(0, blockTxsMax);
      const time = Math.max(draft.timeMs, parent.facts.time + 1);
      const facts = {
        parent: parent.facts.id,
        height,
        epoch: draft.epoch,
        view: draft.view,
        proposer: draft.proposer,
        time,
      };
      const root = rootAfter(roots.get(parent.facts.id) ?? 0, txs, height);
      const block = registry.make(facts, txs, root);
      roots.set(block.facts.id, bend === undefined ? root : bend(root, block));
      done(block);
    },
    commit(blocks, finalization, done) {
      for (const block of blocks) {
        const known = toy(block);
        const root = rootOf(known);
        if (root === undefined) throw new Error(`commit of ${block.facts.id} on a parent that was never executed`);
        roots.set(known.facts.id, root);
        store.push(known);
        for (const tx of known.txs) committed.add(tx);
      }
      certificate = finalization;
      const last = tip().facts;
      if (last.closing && last.height > 0) closings.set(last.epoch, finalization);
      done();
    },
    crash() {
      const at = tip().facts.id;
      const root = roots.get(at);
      roots = new Map(root === undefined ? [] : [[at, root]]);
    },
    includes: (block, tx) => included(toy(block), tx),
    txsOf: (block) => toy(block).txs,
    lie(parent, draft, lie) {
      const { facts } = parent;
      const height = facts.height + (lie === 'heightGap' ? 2 : 1);
      const time =
        lie === 'timeBack'
          ? facts.time
          : lie === 'timeAhead'
            ? facts.time + 60_000
            : Math.max(draft.timeMs, facts.time + 1);
      const on = lie === 'wrongParent' ? (store[store.length - 2] ?? genesis).facts.id : facts.id;
      const txs =
        lie === 'oversized' ? Array.from({ length: blockTxsMax + 1 }, (_, i) => 1_000_000 + draft.view * 10 + i) : [];
      const root = rootAfter(roots.get(on) ?? 0, txs, height) + (lie === 'badRoot' ? 1 : 0);
      return registry.make(
        { parent: on, height, epoch: draft.epoch, view: draft.view, proposer: draft.proposer, time },
        txs,
        root,
      );
    },
  };
}
