import { WeftError } from '../codec/error.ts';

/** What was written here is not what is read: the disk, or somebody, changed it. */
export function damaged(why: string): WeftError {
  return new WeftError(
    'DATA_DAMAGED',
    `The store is damaged: ${why}. Stop the node and run weft recover --home DIR --rebuild-store: it keeps the journal and fetches the rest from the other nodes.`,
  );
}

/** While a store is read, whatever cannot be read is damage; what has a code of its own about data, disk or versions keeps it. */
export function asDamage(error: unknown): unknown {
  if (!(error instanceof WeftError)) return damaged(error instanceof Error ? error.message : String(error));
  return /^(CBOR|JSON|LOG|HEADER|CERTIFICATE|BLOCK|BASE64|HEX|UTF8|STATE_PATH)_/.test(error.code)
    ? damaged(`${error.message} [${error.code}]`)
    : error;
}
