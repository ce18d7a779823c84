import type { Finalization } from '../../consensus/types.ts';
import { WeftError } from '../codec/error.ts';
import type { Tile } from '../log/tiles.ts';
import { encodeCertificate } from './certificate.ts';
import type { Chain } from './chain.ts';
import type { LogTiles } from './logReader.ts';
import type { Executed } from './overlay.ts';
import type { Store } from './store.ts';
import { inTurns, slicesOf } from './turns.ts';
import type { CommittedBlock } from './types.ts';
import type { Writes } from './writes.ts';

export type CommitTarget = {
  readonly chain: Chain;
  readonly store: Store;
  readonly log: LogTiles;
  readonly writes: Writes;
  /** The last record of the journal that is on the disk. */
  readonly journalRecords: number | undefined;
  /** What is remembered of the checkpoint after the last block, if this node is about to cosign it. */
  readonly cosigned: Uint8Array | undefined;
};

/**
 * Writes a path of executed blocks that one certificate makes final, and lets it sink into the ground. It may have thousands of blocks: it
 * is one batch and one moment for everybody who reads `Ledger.finalized`, but no single stretch of work.
 * @throws WeftError CERTIFICATE_INVALID, DISK_FULL, DISK_FAILED
 */
export async function commitPath(
  { chain, store, log, writes, journalRecords, cosigned }: CommitTarget,
  blocks: readonly Executed[],
  last: Executed,
  certificate: Finalization,
): Promise<CommittedBlock[]> {
  if (blocks.some((block) => block !== last && block.facts.closing)) {
    throw new WeftError(
      'CERTIFICATE_INVALID',
      'The last block of an epoch is finalized by a certificate of its own, before anything is built on it (W10).',
    );
  }
  const tiles: Tile[] = [];
  await inTurns(blocks, leavesOf, (block) => void tiles.push(...log.append(block)));
  const encoded = encodeCertificate(certificate, last.epoch.validators.length);
  await writes.disk(() => store.commit(blocks, encoded, tiles, journalRecords, cosigned));
  log.committed(last.header.logSize);
  const path = new Set(blocks.map(({ blockId }) => blockId));
  let first = true;
  for (const slice of slicesOf(blocks, leavesOf)) {
    if (!first) await new Promise((resolve) => setImmediate(resolve));
    first = false;
    chain.settleSlice(slice, last.blockId, path);
  }
  return blocks.map((block) => toCommitted(block, block === last ? certificate : undefined));
}

const leavesOf = ({ leaves }: Executed): number => leaves.length;

function toCommitted(block: Executed, certificate: Finalization | undefined): CommittedBlock {
  return {
    blockId: block.blockId,
    header: block.header,
    facts: block.facts,
    certificate,
    transactions: block.outcomes.flatMap((outcome, i) => {
      const tx = block.transactions[i]?.tx;
      return tx === undefined ? [] : { ...outcome, account: tx.account, type: tx.type, expires: tx.expires };
    }),
    records: block.leaves.map(({ bytes, type }, i) => ({ index: block.firstIndex + i, leaf: bytes, type })),
  };
}
