import { Level as RealLevel } from 'level';
import type { WriteOp } from '../../../src/ledger/keyValue.ts';

/**
 * LevelDB as a power loss leaves it: a batch that was not asked to be synced waits in memory for the next one that is, and
 * dies with the process. (Who reads such a batch back before it is written finds nothing, and so does not get far.)
 */
type Options = { readonly sync?: boolean };
type Batch = (operations: WriteOp[], options?: Options) => Promise<void>;
/** A batch that is put together piece by piece; the same to a disk. */
type Pieces = {
  put(key: Uint8Array, value: Uint8Array): void;
  del(key: Uint8Array): void;
  write(options?: Options): Promise<void>;
};

export class Level extends RealLevel<Uint8Array, Uint8Array> {
  constructor(...given: ConstructorParameters<typeof RealLevel<Uint8Array, Uint8Array>>) {
    super(...given);
    const waiting: WriteOp[] = [];
    const write = super.batch.bind(this) as Batch;
    const whole: Batch = async (operations, options) => {
      if (options?.sync === true) await write([...waiting.splice(0), ...operations], options);
      else waiting.push(...operations);
    };
    const pieces = (): Pieces => {
      const operations: WriteOp[] = [];
      return {
        put: (key, value) => void operations.push({ type: 'put', key, value }),
        del: (key) => void operations.push({ type: 'del', key }),
        write: (options) => whole(operations, options),
      };
    };
    const unsupported = (): never => {
      throw new Error('the ledger writes in batches only');
    };
    const batch = (operations?: WriteOp[], options?: Options) =>
      operations === undefined ? pieces() : whole(operations, options);
    Object.assign(this, { batch, put: unsupported, del: unsupported });
  }
}
