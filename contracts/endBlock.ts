// The end of a block: each contract's turn, one after the other, each on what those before it have left.
import type { Contract } from './contract.ts';
import { Draft } from './draft.ts';
import type { Applied, BlockContext, LedgerRecord, StateReader } from './types.ts';

/** All contracts' end of the block as one: their records in the order of the list, and the changes of all of them. */
export function endBlock(contracts: readonly Contract[], state: StateReader, block: BlockContext): Applied {
  const draft = new Draft(state);
  const records: LedgerRecord[] = [];
  for (const contract of contracts) {
    const applied = contract.endBlock?.(draft, block);
    if (applied === undefined) continue;
    for (const record of applied.records) records.push(record);
    for (const [path, value] of applied.changes) draft.set(path, value);
  }
  return { records, changes: draft.changes };
}
