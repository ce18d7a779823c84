import { WeftError } from '../codec/error.ts';
import * as ledger from '../ledger/folderLock.ts';

/** One executor on one folder. @throws WeftError EXECUTOR_LOCKED, DATA_DAMAGED, DATA_UNREADABLE, DISK_* */
export function lockFolder(folder: string): Promise<() => Promise<void>> {
  return ledger.lockFolder(
    folder,
    () =>
      new WeftError(
        'EXECUTOR_LOCKED',
        `another executor works on ${folder}: two on one folder could both believe that they may act. Stop it, or give this one its own`,
      ),
  );
}
