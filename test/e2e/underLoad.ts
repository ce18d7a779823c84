import type { Test } from 'tap';
import { Load } from './load.ts';
import type { TestNetwork } from './network.ts';
import { differences } from './together.ts';
import { newVotes, wireBytes } from './wire.ts';

/** Runs `work` under load and checks everything that clients were told meanwhile. */
export async function underLoad(network: TestNetwork, t: Test, work: (load: Load) => Promise<void>): Promise<void> {
  const load = new Load(network);
  load.start();
  try {
    await load.more(10);
    await work(load);
  } finally {
    await load.stop();
  }
  const from = Math.max(1, Math.min(...load.told.map(({ height }) => height)));
  const { words } = await differences(network, load, load.told, from);
  t.same(words, [], `${load.told.length} transactions are everywhere`);
}

/** Caught up, and its votes are on the wire again. */
export async function votesAgain(network: TestNetwork, t: Test, name: string, load: Load): Promise<void> {
  await network.ready();
  const before = wireBytes(network.wireOf(name));
  await load.more(8);
  await network.until(() => newVotes(network.wireOf(name), before).some(({ kind }) => kind === 'finalize'));
  t.pass(`${name} votes again`);
}
