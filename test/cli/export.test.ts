import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openDataCopy } from '../../src/cli/dataCopy.ts';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { encodeCbor } from '../../src/codec/cbor.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { weft } from './run.ts';

t.test("a node's data is read through a copy while the node works on it", async (t) => {
  const dir = join(t.testdir({}), 'net');
  const net = await makeTestnet({ dir, validators: 1, basePort: 9000, passphrase: null });
  const genesis = new Uint8Array(readFileSync(net.genesis));
  const data = net.validators[0]!.data;
  await t.rejects(openDataCopy(data, genesis), { code: 'DATA_NOT_FOUND' });

  const ledger = await Ledger.open({ dir: data, genesis });
  t.teardown(() => ledger.close());
  const before = readdirSync(data).sort();
  // Writes go on all the while: what was durable when the copy began is in it, whatever comes after.
  let writing = true;
  const writer = (async () => {
    for (let n = 0; writing; n++) await ledger.putNote('busy', encodeCbor([n, encodeUtf8('x'.repeat(2000))]));
  })();
  await ledger.putNote('checkpoint', encodeCbor([1, encodeUtf8('a note')]));
  for (let round = 0; round < 5; round++) {
    const copy = await openDataCopy(data, genesis);
    t.equal(copy.checkpoint, 'a note');
    t.equal(copy.ledger.genesis.chain, net.chain);
    t.same(copy.ledger.entry(0)?.leaf, ledger.entry(0)?.leaf);
    await copy.close();
  }
  writing = false;
  await writer;
  t.same(readdirSync(data).sort(), before, 'nothing is left behind');

  const early = await weft(['export', '--home', dir, '--tiles', join(dir, 'tiles')]);
  t.equal(early.code, 1, 'a note that is no checkpoint is not exported');
  const nowhere = await weft(['export', '--home', join(dir, 'nothing'), '--tiles', join(dir, 'tiles')]);
  t.equal(nowhere.code, 1);
  t.match(nowhere.err, '[HOME_NOT_FOUND]');
});
