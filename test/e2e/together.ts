import { readFileSync } from 'node:fs';
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
