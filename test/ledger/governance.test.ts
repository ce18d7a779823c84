import t from 'tap';
import type { Change } from '../../contracts/governance/state.ts';
import { validate } from '../../schemas/validators.ts';
import { auditArchive } from '../../src/audit/audit.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { encodeCertificate } from '../../src/ledger/certificate.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { leaderOf } from '../../src/ledger/validatorSet.ts';
import { archiveOf, itemsOf, sealItems } from '../audit/fixtures.ts';
import { checkpointOf } from './checkpoints.ts';
import {
  addBlock,
  buildBlock,
  finalizationOf,
  genesisTime,
  MemoryDisk,
  makeGenesis,
  nodeSeed,
  openInMemory,
  packetsTx,
  signVote,
  validatorNames,
} from './fixtures.ts';
import { approveTx, entryOf, pass, proposeTx, readyTx, recordOf, setChange, typesOf } from './governed.ts';

const accounts = ['admin', 'alice', 'bob', ...validatorNames(7)];
const names = (ledger: Ledger) => ledger.epoch.validators.map(({ name }) => name);

/** Accounts of seven, of whom `count` validate. */
function sevenAccounts(count: number) {
  return makeGenesis(count, { accounts: accounts.filter((name) => !validatorNames(count).includes(name)) });
}

/** From one validator to seven and back to three, with new parameters, a replaced key and a leader that goes. */
async function sevenEpochs(memory: MemoryDisk): Promise<Ledger> {
  const { genesis } = sevenAccounts(1);
  const ledger = await openInMemory(genesis, memory);
  await pass(ledger, setChange(['v02', 'v03', 'v04'].map((name) => entryOf(name))), ['v01', 'v02', 'v03']);
  await pass(ledger, setChange(['v05', 'v06', 'v07'].map((name) => entryOf(name))), validatorNames(5));
  const { parameters } = ledger.state.get('governance/consensus/current') as { parameters: Record<string, number> };
  await pass(ledger, { kind: 'parameters', parameters: { ...parameters, fetchMs: 700 } } as unknown as Change);
  await pass(ledger, setChange([entryOf('v03', 1)]), ['v01', 'v02', ['v03', 1], 'v04', 'v05']);
  const leader = ledger.epoch.validators[leaderOf(ledger.epoch, 1)]?.name ?? '';
  const rest = names(ledger).filter((name) => name !== leader);
  const ready = rest.map((name) => (name === 'v03' ? (['v03', 1] as const) : name));
  await pass(ledger, setChange([], [leader]), ready.slice(0, 5));
  await pass(ledger, setChange([], rest.slice(3)), ready.slice(0, 3));
  await addBlock(ledger, [
    packetsTx(ledger.genesis.chain, 'alice', { expires: ledger.finalized.header.time + 60_000 }),
  ]);
  return ledger;
}

t.test('a change ends the epoch with the block in which it takes effect', async (t) => {
  const { genesis } = sevenAccounts(1);
  const ledger = await openInMemory(genesis);
  const closing = await pass(ledger, setChange(['v02', 'v03', 'v04'].map((name) => entryOf(name))), [
    'v01',
    'v02',
    'v03',
  ]);
  t.ok(closing.facts.closing);
  t.match(closing.header, {
    height: 3,
    epoch: 1,
    validators: genesis.epoch.digest,
    nextValidators: ledger.epoch.digest,
  });
  t.strictSame(typesOf(closing), ['governance.approved', 'governance.effective', 'epoch', 'block']);
  const record = recordOf(closing, 'epoch');
  t.equal(validate('record/epoch', record), undefined);
  t.match(record, { height: 3, epoch: 2, ruleset: 1, time: closing.header.time });
  t.match(ledger.epoch, { epoch: 2, quorum: 3 });
  t.strictSame(names(ledger), validatorNames(4));
  t.match(ledger.state.get('governance/epoch/1'), { epoch: 1, height: 1, validators: [{ name: 'v01' }] });
  t.match(ledger.state.get('governance/epoch/2'), { epoch: 2, height: 4, validators: [{}, {}, {}, { name: 'v04' }] });
  t.ok(ledger.certificate(3), 'finalized by a certificate of its own');
  t.match(ledger.state.get('identity/account/v04'), { roles: ['validator'] });

  const next = await addBlock(ledger, []);
  t.match(next.header, { height: 4, epoch: 2, view: 1, validators: ledger.epoch.digest });
  t.equal(next.facts.closing, false);
});

t.test('candidates may connect from the proposal on, until it is decided', async (t) => {
  const { genesis } = sevenAccounts(1);
  const ledger = await openInMemory(genesis);
  t.strictSame(ledger.candidates, []);
  const first = proposeTx(ledger, setChange(['v02', 'v03', 'v04'].map((name) => entryOf(name))));
  const second = proposeTx(ledger, setChange([entryOf('v04'), entryOf('v05')]));
  await addBlock(ledger, [first.tx, second.tx]);
  const peer = (name: string) => publicKeyOf(nodeSeed(name, 'peer'));
  t.strictSame(
    ledger.candidates.map(({ name, peer: key }) => [name, toBase64Url(key)]),
    ['v02', 'v03', 'v04', 'v05'].map((name) => [name, toBase64Url(peer(name))]),
    'each once',
  );
  await addBlock(
    ledger,
    ['v01', 'v02', 'v04'].map((name) => readyTx(ledger, first.id, name)),
  );
  await addBlock(ledger, [approveTx(ledger, first.id)]);
  t.strictSame(names(ledger), validatorNames(4));
  t.strictSame(ledger.candidates, [], 'listed, or in conflict with what took effect');
});

t.test('seven epochs: restarted, followed by a ledger that slept, exported, audited', async (t) => {
  const memory = new MemoryDisk();
  const ledger = await sevenEpochs(memory);
  t.equal(ledger.epoch.epoch, 7);
  t.equal(ledger.epoch.validators.length, 3);
  t.equal(ledger.epoch.consensus.fetchMs, 700);
  const sizes = [1, 2, 3, 4, 5, 6, 7].map((epoch) => ledger.epochOf(epoch)?.validators.length);
  t.strictSame(sizes, [1, 4, 7, 7, 7, 6, 3]);
  const v03 = (epoch: number) =>
    toBase64Url(ledger.epochOf(epoch)!.validators.find(({ name }) => name === 'v03')!.vote);
  if (names(ledger).includes('v03')) t.equal(v03(7), entryOf('v03', 1).vote);
  t.equal(v03(4), entryOf('v03').vote);
  t.equal(v03(5), entryOf('v03', 1).vote);

  const again = await openInMemory(ledger.genesis, memory.powerLoss());
  t.equal(again.finalized.blockId, ledger.finalized.blockId);
  for (let epoch = 1; epoch <= 7; epoch += 1) t.equal(again.epochOf(epoch)?.digest, ledger.epochOf(epoch)?.digest);
  t.equal(again.epochOf(8), undefined);

  const sleeper = await openInMemory(ledger.genesis);
  let runs = 0;
  for (let run = ledger.exportRun(1, 1 << 20); run !== undefined; runs += 1) {
    await sleeper.importRun(run);
    run = ledger.exportRun(sleeper.finalized.header.height + 1, 1 << 20);
  }
  t.equal(runs, 7, 'a run never goes beyond an epoch');
  t.equal(sleeper.finalized.header.stateRoot, ledger.finalized.header.stateRoot);
  t.equal(sleeper.epoch.digest, ledger.epoch.digest);
  const lastOfFirst = ledger.exportRun(1, 1 << 20);
  const forged = { ...lastOfFirst!, certificate: ledger.exportRun(4, 1 << 20)!.certificate };
  await t.rejects((await openInMemory(ledger.genesis)).importRun(forged), { code: 'RUN_INVALID' });

  const checkpoint = checkpointOf(ledger);
  const archive = archiveOf(ledger, { checkpoint });
  const report = await auditArchive(archive);
  t.match(report, { ok: true, epochs: 7, height: ledger.finalized.header.height });
  t.equal(report.stateRoot, ledger.finalized.header.stateRoot);
});

t.test('the set of an epoch certifies its blocks, and no other does', async (t) => {
  const ledger = await openInMemory(sevenAccounts(1).genesis);
  const { genesis } = ledger;
  await pass(ledger, setChange(['v02', 'v03', 'v04'].map((name) => entryOf(name))), ['v01', 'v02', 'v03']);
  const block = await addBlock(ledger, []);
  const run = ledger.exportRun(4, 1 << 20)!;
  const subject = { epoch: 2, view: 1, parentView: 0, blockId: block.blockId };
  // v01 was the whole set once: alone it could finalize.
  const alone = { kind: 'finalize' as const, subject, signers: [0], signatures: [] as Uint8Array[] };
  alone.signatures = [signVote(genesis, ledger.epoch, 'finalize', subject, 0).signature];
  const forged = { ...run, certificate: encodeCertificate(alone, 1) };
  const sleeper = await openInMemory(genesis);
  await sleeper.importRun(ledger.exportRun(1, 1 << 20)!);
  await t.rejects(sleeper.importRun(forged), { code: 'RUN_INVALID' });
  await sleeper.importRun(run);
  const items = itemsOf(archiveOf(ledger, { checkpoint: checkpointOf(ledger) }));
  t.ok((await auditArchive(sealItems(items))).ok);
  const last = items.filter(([kind]) => kind === 2).at(-1)!;
  last[3] = forged.certificate;
  t.match(await auditArchive(sealItems(items)), { ok: false, height: 3, error: { code: 'RUN_INVALID' } });
});

t.test('a URL that moved is known at once, and after a restart', async (t) => {
  const memory = new MemoryDisk();
  const { genesis } = sevenAccounts(4);
  const ledger = await openInMemory(genesis, memory);
  const block = await pass(ledger, setChange([{ ...entryOf('v02'), url: 'https://moved.example.net' }]));
  t.equal(block.facts.closing, false);
  t.strictSame(typesOf(block), ['governance.approved', 'governance.effective', 'block']);
  t.match(ledger.epoch, { epoch: 1, digest: genesis.epoch.digest });
  t.equal(ledger.epoch.validators[1]?.url, 'https://moved.example.net');
  const again = await openInMemory(genesis, memory.powerLoss());
  t.match(again.epoch, { epoch: 1, digest: genesis.epoch.digest });
  t.equal(again.epoch.validators[1]?.url, 'https://moved.example.net');
  await addBlock(again, []);
  t.equal((await auditArchive(archiveOf(again))).ok, true);
});

t.test('nothing is finalized across the end of an epoch', async (t) => {
  const { genesis } = sevenAccounts(4);
  const ledger = await openInMemory(genesis);
  const { id, tx } = proposeTx(ledger, setChange([entryOf('v05')]));
  await addBlock(ledger, [tx]);
  await addBlock(
    ledger,
    ['v01', 'v02', 'v03', 'v05'].map((name) => readyTx(ledger, id, name)),
  );
  const closing = await buildBlock(ledger, [approveTx(ledger, id)]);
  t.ok(closing.facts.closing);
  const next = await buildBlock(ledger, [], { parent: closing.blockId });
  t.match(next.header, { epoch: 2, view: 1 });
  await t.rejects(ledger.commit(next.blockId, finalizationOf(genesis, closing.nextEpoch, next)), {
    code: 'CERTIFICATE_INVALID',
  });
  // A re-proposal is finalized in a later view than that of its header (W9).
  const certificate = finalizationOf(genesis, genesis.epoch, closing, { view: closing.header.view + 5 });
  t.equal((await ledger.commit(closing.blockId, certificate)).length, 1);
  await ledger.commit(next.blockId, finalizationOf(genesis, ledger.epoch, next));
  t.match(ledger.finalized.header, { height: 4, epoch: 2 });
});

t.test('forks over the end of an epoch: each with its own next one', async (t) => {
  const { genesis } = sevenAccounts(4);
  const ledger = await openInMemory(genesis);
  const { id, tx } = proposeTx(ledger, setChange([entryOf('v05')]));
  await addBlock(ledger, [tx]);
  await addBlock(
    ledger,
    ['v01', 'v02', 'v03', 'v05'].map((name) => readyTx(ledger, id, name)),
  );
  const closing = await buildBlock(ledger, [approveTx(ledger, id)]);
  const other = await buildBlock(ledger, [], { view: closing.header.view + 1 });
  t.equal(other.facts.closing, false);
  t.strictSame([closing.nextEpoch.epoch, other.nextEpoch.epoch], [2, 1]);
  await ledger.commit(other.blockId, finalizationOf(genesis, genesis.epoch, other));
  t.equal(ledger.epoch.epoch, 1);
  t.equal(ledger.epochOf(2), undefined);
  await addBlock(ledger, [approveTx(ledger, id)], { time: genesisTime + 60_000 });
  t.equal(ledger.epoch.epoch, 2);
});
