import { Level as RealLevel } from 'level';
import type { WriteOp } from '../../../src/ledger/keyValue.ts';

/**
 * LevelDB as a power loss leaves it: a batch that was not asked to be synced waits in memory for the next one that is, and
 * dies with the process. (Who reads such a batch back before it is written finds nothing, and so does not get far.)
 */
type Batch = (operations: WriteOp[], options?: { readonly sync?: boolean }) => Promise<void>;

export class Level extends RealLevel<Uint8Array, Uint8Array> {
  constructor(...given: ConstructorParameters<typeof RealLevel<Uint8Array, Uint8Array>>) {
    super(...given);
    const waiting: WriteOp[] = [];
    const write = super.batch.bind(this) as Batch;
    const batch: Batch = async (operations, options) => {
      if (options?.sync === true) await write([...waiting.splice(0), ...operations], options);
      else waiting.push(...operations);
    };
    const unsupported = (): never => {
      throw new Error('the ledger writes in batches only');
    };
    Object.assign(this, { batch, put: unsupported, del: unsupported });
  }
}
