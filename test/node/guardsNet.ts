import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { loadConfig } from '../../src/node/config.ts';
import { readHome } from '../../src/node/homeState.ts';
import { planOf, recover } from '../../src/node/recovery.ts';
import { type EpochNet, fourVoting, work } from './epochNet.ts';

/** Four validators in this process; the folder of one of them, v4, is what something happens to. */

export const others = ['v1', 'v2', 'v3'];

/** All vote, and something is on the ledger. */
export async function votingNet(t: Test): Promise<EpochNet> {
  const net = await fourVoting(t);
  await work(net, 'v4');
  return net;
}

/** `weft recover` of v4, which is stopped. Resolves with what was done, by name. */
export async function recoverV4(net: EpochNet, rebuildStore: boolean): Promise<string[]> {
  const config = loadConfig(join(dirname(net.dataOf('v4')), 'config.yaml'));
  const state = await readHome(config, loadGenesis(new Uint8Array(readFileSync(config.genesis))));
  const steps = planOf(state, { rebuildStore, confirm: false });
  await recover(state, steps, { configPath: '', passphrase: null, wallMs: Date.now });
  return steps.map(({ name }) => name);
}
