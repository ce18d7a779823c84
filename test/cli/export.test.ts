import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openDataCopy } from '../../src/cli/dataCopy.ts';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { encodeCbor } from '../../src/codec/cbor.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { addBlock, makeGenesis, packetsTx, registerTx } from '../ledger/fixtures.ts';
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

t.test('export, audit and compare, while the node has its data open', async (t) => {
  const dir = t.testdir({});
  const { bytes, genesis } = makeGenesis(4);
  const at = (name: string): string => join(dir, name);
  writeFileSync(at('genesis.json'), bytes);
  for (const name of ['v01', 'v02']) {
    mkdirSync(at(`${name}/data`), { recursive: true });
    writeFileSync(at(`${name}/config.yaml`), `name: ${name}\n`);
  }
  const ledger = await Ledger.open({ dir: at('v01/data'), genesis: bytes });
  t.teardown(() => ledger.close());
  await addBlock(ledger, [registerTx(genesis.chain, 'carol')]);
  const second = await Ledger.open({ dir: at('v02/data'), genesis: bytes });
  t.teardown(() => second.close());
  await second.importRun(ledger.exportRun(1, 1_000_000)!);
  await addBlock(ledger, [packetsTx(genesis.chain, 'admin')]);

  const exported = await weft(['export', '--home', dir, '--out', at('a.weft'), '--json']);
  t.equal(exported.code, 0, exported.err);
  t.match(JSON.parse(exported.out), { chain: genesis.chain, height: 2 });
  const shorter = await weft(['export', '--home', at('v02'), '--out', at('b.weft'), '--json']);
  t.equal(JSON.parse(shorter.out).height, 1, 'the folder of one node');

  const [audit, json, foreign] = await Promise.all([
    weft(['audit', at('a.weft'), '--genesis', at('genesis.json')]),
    weft(['audit', at('a.weft'), '--json']),
    weft(['audit', at('a.weft'), '--genesis', at('v01/config.yaml')]),
  ]);
  t.equal(audit.code, 0, audit.err);
  t.match(audit.out, /The archive holds\.[\s\S]*blocks +2/);
  t.match(JSON.parse(json.out), { ok: true, height: 2, chain: genesis.chain });
  t.equal(foreign.code, 1);

  await addBlock(second, [packetsTx(genesis.chain, 'admin', { ids: 2 })]);
  const [same, beginning, differ] = await Promise.all([
    weft(['compare', at('a.weft'), at('v01'), '--json']),
    weft(['compare', at('a.weft'), at('b.weft')]),
    weft(['compare', at('v01'), at('v02'), '--json']),
  ]);
  t.match(JSON.parse(same.out), { same: true, common: 2 });
  t.equal(beginning.code, 0, beginning.err);
  t.match(beginning.out, 'One is the beginning of the other.');
  t.equal(differ.code, 1);
  t.match(JSON.parse(differ.out), { same: false, common: 1, difference: { height: 2 } });
  t.equal(JSON.parse(differ.err).error.code, 'CHAINS_DIFFER');

  const archive = readFileSync(at('a.weft'));
  archive[archive.length >> 1]! ^= 1;
  writeFileSync(at('flipped.weft'), archive);
  const flipped = await weft(['audit', at('flipped.weft'), '--json']);
  t.equal(flipped.code, 1);
  t.match(JSON.parse(flipped.out), { ok: false, error: { code: 'ARCHIVE_CORRUPT' } });
  t.match(flipped.err, 'ARCHIVE_CORRUPT');
  cpSync(at('a.weft'), at('c.weft'));
  t.equal((await weft(['audit', at('c.weft')])).code, 0, 'a copy of the file is as good');
});
