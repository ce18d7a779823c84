import { readFileSync } from 'node:fs';
import { compareChains } from '../../src/audit/compare.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import type { Load, Told } from './load.ts';
import type { TestNetwork } from './network.ts';
import { checkWire, type WireReport } from './wire.ts';

/** Checks on a network as a whole. All answer in words; no words is good. */

/**
 * Every validator knows each of these transactions at the same place, and has the same blocks and roots from height
 * `from` on as every other and as was ever reported.
 */
export async function differences(
  network: TestNetwork,
  load: Load,
  told: readonly Told[],
  from: number,
): Promise<{ readonly to: number; readonly words: readonly string[] }> {
  const words: string[] = [];
  const highest = Math.max(0, ...told.map(({ height }) => height), ...load.blocks.keys());
  const statuses = await network.until((all) => all.every(({ finalized }) => finalized.height >= highest));
  const to = Math.min(...statuses.map(({ finalized }) => finalized.height));
  await Promise.all(
    network.names.map(async (name) => {
      const client = network.client(name);
      for (const { id, height, index, by } of told) {
        const status = await client.transaction(id);
        if (status.status !== 'finalized' || status.height !== height || status.index !== index)
          words.push(`${by} reported ${id} final at ${height}, ${name} says ${JSON.stringify(status)}`);
      }
      for (let height = from; height <= to; height += 1) {
        const { blockId, logRoot, stateRoot } = await client.block(height);
        load.saw(name, height, `${blockId} ${logRoot} ${stateRoot}`);
      }
    }),
  );
  return { to, words: [...words, ...load.contradictions] };
}

export function wireOf(network: TestNetwork): WireReport {
  const { genesisHash, epoch } = loadGenesis(new Uint8Array(readFileSync(network.net.genesis)));
  return checkWire(
    network.names.map((name) => network.wireOf(name)),
    { genesisHash, validators: epoch.validators },
  );
}

/** Of stopped validators: blocks, roots and bodies of each against those of the first, as `weft compare` does it. */
export async function chainsDiffer(network: TestNetwork, names: readonly string[] = network.names): Promise<string[]> {
  const genesis = new Uint8Array(readFileSync(network.net.genesis));
  const place = (name: string): { path: string; genesis: Uint8Array } => ({ path: network.dataOf(name), genesis });
  const [first = '', ...others] = names;
  const words: string[] = [];
  for (const name of others) {
    const { difference, heights } = await compareChains(place(first), place(name));
    if (difference !== undefined) words.push(`${first} and ${name} differ: ${JSON.stringify(difference)}`);
    // They are not stopped at one moment.
    if (Math.abs(heights[0] - heights[1]) > 5) words.push(`${first} ends at ${heights[0]}, ${name} at ${heights[1]}`);
  }
  return words;
}
