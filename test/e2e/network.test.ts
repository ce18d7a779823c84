import t from 'tap';
import { TestNetwork } from './network.ts';

t.test('four processes finalize a signed transaction; a restart continues the same chain', async (t) => {
  const network = await TestNetwork.make();
  t.teardown(() => network.remove());
  network.startAll();
  await network.ready();
  const tx = await network.packet();
  const status = await network.client('v1').submitAndWait(tx, { allowRefused: true });
  t.equal(status.status, 'finalized');
  await network.until((all) => all.every(({ finalized }) => finalized.height >= status.height));
  const [before] = await network.until((all) => new Set(all.map(({ finalized }) => finalized.blockId)).size === 1);
  for (const name of network.names) await network.signal(name, 'SIGTERM');
  network.startAll();
  const after = await network.ready();
  t.ok((after[0]?.finalized.height ?? 0) >= (before?.finalized.height ?? 1), 'the chain goes on where it was');
  for (const name of network.names) {
    t.equal((await network.client(name).transaction(tx.id)).status, 'finalized', `${name} still knows the transaction`);
  }
});
