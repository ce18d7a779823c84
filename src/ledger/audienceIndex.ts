import { decodeUtf8 } from '../codec/utf8.ts';
import { indexesOf } from './indexLists.ts';
import type { WriteOp } from './keyValue.ts';
import { audienceOf, intentDecisions } from './leaves.ts';
import type { Store } from './store.ts';
import { audienceKey, typeKey } from './storeKeys.ts';

const empty = new Uint8Array(0);
/** Of one batch. */
const opsMax = 1024;

/**
 * Decisions about intents by the account that they are for, of a store of version 1, which knows no such index: an executor that looks for
 * what it is to do would not be told what was granted before its node was upgraded. Done at each start until the first commit makes
 * the store a later one; twice is as good as once.
 */
export async function indexAudiences(store: Store): Promise<void> {
  if (!store.isEarlier) return;
  let ops: WriteOp[] = [];
  for (const type of intentDecisions) {
    for await (const [key, value] of store.range(typeKey(type, 0), typeKey(type, Number.MAX_SAFE_INTEGER))) {
      for (const index of indexesOf(key, value)) {
        const leaf = store.leaf(index);
        if (leaf === undefined) continue;
        const audience = audienceOf(JSON.parse(decodeUtf8(leaf)) as Readonly<Record<string, unknown>>);
        if (audience !== '') ops.push({ type: 'put', key: audienceKey(audience, index), value: empty });
      }
      if (ops.length < opsMax) continue;
      await store.write(ops);
      ops = [];
    }
  }
  if (ops.length > 0) await store.write(ops);
}
