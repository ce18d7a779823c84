// One chain: the same block and the same state root at each height wherever it is final, each transaction once, nothing after a
// closing block in its epoch, and nothing that was told final is ever lost.
import type { BlockFacts } from '../../../consensus/types.ts';
import { Violation } from './violation.ts';
import type { Trust } from './votes.ts';

/** More than any clock of a run is off, and the drift that is allowed beside that. */
const aheadMaxMs = 10_000;

/** `trueMs`: UTC, by the clock that no machine has. */
export function createAgreementChecker(trust: Trust, trueMs: () => number) {
  const final = new Map<number, string>([[0, 'genesis']]);
  const facts = new Map<number, BlockFacts>();
  const roots = new Map<number, { root: string; machine: number }>();
  const txAt = new Map<number, number>();
  const told = new Map<number, Map<number, string>>();
  const committed = new Map<number, number>();
  const check = (machine: number, height: number, id: string): void => {
    const other = final.get(height);
    if (other !== undefined && other !== id)
      throw new Violation('DISAGREEMENT', `height ${height}: ${id} final at ${machine}, ${other} elsewhere`);
    final.set(height, id);
  };
  return {
    onTold(machine: number, height: number, id: string): void {
      if (!trust.honest(machine)) return;
      check(machine, height, id);
      let mine = told.get(machine);
      if (mine === undefined) {
        mine = new Map();
        told.set(machine, mine);
      }
      mine.set(height, id);
    },
    onCommitted(machine: number, block: BlockFacts, txs: readonly number[]): void {
      if (!trust.honest(machine)) return;
      const { height, id } = block;
      check(machine, height, id);
      const last = committed.get(machine) ?? 0;
      if (height !== last + 1)
        throw new Violation('DELIVERED_TWICE', `${machine} commits height ${height} after height ${last}`);
      committed.set(machine, height);
      if (facts.has(height)) return;
      facts.set(height, block);
      const aheadMs = block.time - trueMs();
      if (aheadMs > aheadMaxMs)
        throw new Violation('FUTURE_BLOCK', `${id} is final ${aheadMs} ms before its time (W4)`);
      const parent = facts.get(height - 1);
      if (block.parent !== final.get(height - 1))
        throw new Violation(
          'DISAGREEMENT',
          `${id} is final on ${block.parent}, height ${height - 1} holds ${final.get(height - 1)}`,
        );
      const epoch = parent === undefined ? 1 : parent.closing ? parent.epoch + 1 : parent.epoch;
      if (block.epoch !== epoch)
        throw new Violation('EPOCH_OVERRUN', `height ${height} is of epoch ${block.epoch}, epoch ${epoch} is due`);
      for (const tx of txs) {
        if (txAt.has(tx))
          throw new Violation('DELIVERED_TWICE', `transaction ${tx} is in height ${txAt.get(tx)} and ${height}`);
        txAt.set(tx, height);
      }
    },
    onRoot(machine: number, height: number, root: string): void {
      if (!trust.honest(machine)) return;
      const other = roots.get(height);
      if (other !== undefined && other.root !== root)
        throw new Violation(
          'ROOTS_DIFFER',
          `height ${height}: root ${root} at ${machine}, ${other.root} at ${other.machine}`,
        );
      roots.set(height, { root, machine });
    },
    onForked(machine: number, id: string, tip: string): void {
      if (trust.honest(machine))
        throw new Violation('DISAGREEMENT', `${machine} is told that ${id} is final, beside ${tip}`);
    },
    onRefusedFinal(machine: number, id: string): void {
      if (trust.honest(machine))
        throw new Violation('INVALID_BLOCK_FINAL', `${id} is final and does not execute to its roots at ${machine}`);
    },
    onRestarted(machine: number, holds: (height: number, id: string) => boolean): void {
      if (!trust.sound(machine)) return;
      for (const [height, id] of told.get(machine) ?? []) {
        if (!holds(height, id))
          throw new Violation('FINAL_LOST', `${machine} told that ${id} at height ${height} is final, and lost it`);
      }
    },
    /** Height → id of everything final anywhere; genesis at 0. */
    chain: (): ReadonlyMap<number, string> => final,
  };
}
