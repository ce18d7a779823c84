import { connect } from '../client/index.ts';
import { openLogSource } from '../client/logSource.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { parseNote } from '../log/note.ts';
import { type HistoryEnd, type HistoryListener, replayLog } from './history.ts';

/**
 * The past of a running node, up to its newest published checkpoint: genesis by RPC, entries as tiles.
 * @param rpc its address
 * @throws WeftError RPC_*, CHECKPOINT_NOT_YET, LOG_* (LOG_BUNDLE_MISSING: it has let go of old entries), HISTORY_DIFFERS
 */
export async function replayNode(rpc: string, listener: HistoryListener): Promise<HistoryEnd> {
  const client = connect({ rpc });
  const source = openLogSource(rpc);
  try {
    const genesis = await client.genesis();
    const { size } = parseCheckpoint(parseNote(await client.checkpoint()).text);
    return await replayLog(source, { genesis: encodeUtf8(genesis), size }, listener);
  } catch (error) {
    if (error instanceof WeftError && error.code === 'LOG_BUNDLE_MISSING') {
      throw new WeftError(
        'HISTORY_PRUNED',
        `${error.message}: this node keeps no log from the beginning; ask one that does.`,
      );
    }
    throw error;
  } finally {
    source.close();
    client.close();
  }
}
