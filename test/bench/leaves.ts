import { openLogSource } from '../../src/client/logSource.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { envelopeOfLeaf } from '../../src/ledger/leaves.ts';
import { bundleBytesMax, decodeBundle } from '../../src/log/bundles.ts';
import { formatBundlePath, tileWidth } from '../../src/log/tiles.ts';

/**
 * Where each transaction stands in the log: envelope id → leaf index, read from a validator's own tiles after the clock has
 * stopped, so that learning of finality costs nothing but the block events while it runs.
 * @param from, to log sizes between which to look
 */
export async function placesOf(rpc: string, from: number, to: number): Promise<Map<string, number>> {
  const places = new Map<string, number>();
  const source = openLogSource(rpc);
  for (let n = Math.floor(from / tileWidth); n * tileWidth < to; n += 1) {
    const width = Math.min(tileWidth, to - n * tileWidth);
    const bytes = await source.read(formatBundlePath(n, width), bundleBytesMax);
    if (bytes === undefined) throw new Error(`${rpc} has no bundle ${n} of width ${width}`);
    for (const [i, leaf] of decodeBundle(bytes, width).entries()) {
      const envelope = envelopeOfLeaf(leaf);
      if (envelope !== undefined) places.set(sha256Hex(envelope), n * tileWidth + i);
    }
  }
  source.close();
  return places;
}
