// The one thing that must hold at every moment: what was let out (a vote after `sync`, finality after `commit`) is there after a
// power loss, with the blocks that it speaks of. The whole life of a node is played, cut at every single disk operation.
import t from 'tap';
import type { Finalization, JournalRecord, NotarizeVote } from '../../consensus/types.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { ExecutedBlock } from '../../src/ledger/types.ts';
import {
  buildBlock,
  finalizationOf,
  MemoryDisk,
  makeGenesis,
  openInMemory,
  packetsTx,
  registerTx,
  signVote,
} from './fixtures.ts';

const { genesis } = makeGenesis(4);

/** What a peer or a client could have seen. */
type Said = { readonly votes: NotarizeVote[]; finalized: string | undefined; height: number; restarts: number };

async function live(disk: MemoryDisk, said: Said): Promise<void> {
  const ledger = await openInMemory(genesis, disk);
  const epoch = ledger.epoch;
  await ledger.journal.restart(1, [{ kind: 'floor', floor: { view: 0, block: ledger.finalized.facts } }]);
  const vote = async (block: ExecutedBlock) => {
    const { view } = block.header;
    const subject = { epoch: 1, view, parentView: view - 1, blockId: block.blockId };
    const own = signVote(genesis, epoch, 'notarize', subject, 0) as NotarizeVote;
    ledger.journal.appendBlock(block.blockId);
    ledger.journal.appendRecord({ kind: 'notarized', vote: own, block: block.facts });
    await ledger.journal.sync();
    said.votes.push(own);
  };
  const finalize = async (block: ExecutedBlock): Promise<Finalization> => {
    const certificate = finalizationOf(genesis, epoch, block);
    ledger.journal.appendRecord({ kind: 'certificate', certificate });
    await ledger.journal.sync();
    await ledger.commit(block.blockId, certificate);
    said.finalized = block.blockId;
    said.height = block.header.height;
    return certificate;
  };
  const one = await buildBlock(ledger, [registerTx(genesis.chain, 'carol', { nonce: 1 })], { view: 1 });
  await vote(one);
  const two = await buildBlock(ledger, [packetsTx(genesis.chain, 'carol', { nonce: 2 })], {
    parent: one.blockId,
    view: 2,
  });
  await vote(two);
  await finalize(one);
  const fork = await buildBlock(ledger, [], { parent: one.blockId, view: 3 });
  await vote(fork);
  const certificate = await finalize(two);
  const three = await buildBlock(ledger, [], { parent: two.blockId, view: 4 });
  await vote(three);
  const live: JournalRecord[] = [
    { kind: 'floor', floor: { view: 2, block: two.facts, certificate } },
    { kind: 'notarized', vote: said.votes.at(-2) as NotarizeVote, block: fork.facts },
    { kind: 'notarized', vote: said.votes.at(-1) as NotarizeVote, block: three.facts },
  ];
  await ledger.journal.restart(1, live);
  said.restarts += 1;
  const four = await buildBlock(ledger, [packetsTx(genesis.chain, 'alice', { nonce: 3 })], {
    parent: three.blockId,
    view: 5,
  });
  await vote(four);
  await finalize(four);
}

async function recovered(disk: MemoryDisk, said: Said, where: string): Promise<Ledger> {
  const ledger = await openInMemory(genesis, disk);
  const { replay } = ledger.journal;
  t.ok(said.votes.length === 0 || replay.state === 'complete', `${where}: the journal is complete`);
  if (said.finalized !== undefined) {
    t.ok(ledger.block(said.finalized) !== undefined, `${where}: finality that was told holds`);
    t.ok(ledger.finalized.header.height >= said.height, where);
  }
  const journaled = new Set(
    replay.records.flatMap((record) => (record.kind === 'notarized' ? record.vote.subject.blockId : [])),
  );
  const floor = replay.records[0];
  const floorView = floor?.kind === 'floor' ? floor.floor.view : 0;
  t.ok(
    floor?.kind !== 'floor' || floor.floor.block.height <= ledger.finalized.header.height,
    `${where}: the floor is not above the store (W1)`,
  );
  for (const { subject } of said.votes) {
    if (subject.view > floorView)
      t.ok(journaled.has(subject.blockId), `${where}: the vote of view ${subject.view} is remembered`);
    const block = ledger.blockBytes(subject.blockId);
    // A branch that lost against a finalized block is allowed to be gone.
    t.ok(
      block !== undefined || subject.view <= floorView || (ledger.finalized.facts.height >= 2 && subject.view === 3),
      `${where}: block of view ${subject.view}`,
    );
  }
  return ledger;
}

t.test('cut at every operation', async (t) => {
  let runs = 0;
  for (let stop = 0; ; stop += 1) {
    const disk = new MemoryDisk();
    const said: Said = { votes: [], finalized: undefined, height: 0, restarts: 0 };
    let count = 0;
    disk.before = () => {
      count += 1;
      if (count > stop) throw new Error('power');
    };
    const outcome = await live(disk, said).then(
      () => 'lived',
      () => 'cut',
    );
    for (const keep of [0, 30, 100_000]) {
      const after = disk.powerLoss(keep);
      const ledger = await recovered(after, said, `operation ${stop}, ${keep} bytes kept`);
      await ledger.close();
      const twice = await recovered(after.powerLoss(), said, `operation ${stop}, cut again after the restart`);
      // And life goes on: the next block can be built, kept and committed.
      const parent = twice.finalized;
      const next = await buildBlock(twice, [], { view: parent.header.view + 50 });
      await twice.journal.restart(1, [{ kind: 'floor', floor: { view: parent.header.view, block: parent.facts } }]);
      twice.journal.appendBlock(next.blockId);
      await twice.journal.sync();
      t.equal((await twice.commit(next.blockId, finalizationOf(genesis, twice.epoch, next))).length, 1);
    }
    runs += 1;
    if (outcome === 'lived') {
      t.equal(said.votes.length, 5);
      t.equal(said.height, 4);
      break;
    }
  }
  t.ok(runs > 20, `${runs} places to cut`);
});

t.test('the journal refuses a floor above the store, and blocks that nobody executed', async (t) => {
  const ledger = await openInMemory(genesis);
  await ledger.journal.restart(1, [{ kind: 'floor', floor: { view: 0, block: ledger.finalized.facts } }]);
  const block = await buildBlock(ledger, []);
  t.throws(() => ledger.journal.restart(1, [{ kind: 'floor', floor: { view: 1, block: block.facts } }]), {
    code: 'JOURNAL_FLOOR',
  });
  t.throws(() => ledger.journal.restart(1, []), { code: 'JOURNAL_FLOOR' });
  t.throws(() => ledger.journal.appendBlock('00'.repeat(32)), { code: 'BLOCK_UNKNOWN' });
  const subject = { epoch: 1, view: 1, parentView: 0, blockId: block.blockId };
  const vote = signVote(genesis, ledger.epoch, 'notarize', subject, 0) as NotarizeVote;
  const notarized: JournalRecord = { kind: 'notarized', vote, block: block.facts };
  t.throws(
    () => ledger.journal.appendRecord(notarized),
    { code: 'BLOCK_UNKNOWN' },
    'no vote for a block that is not kept',
  );
  ledger.journal.appendBlock(block.blockId);
  ledger.journal.appendRecord(notarized);
  const before = ledger.journal.bytes;
  ledger.journal.appendBlock(block.blockId);
  t.equal(ledger.journal.bytes, before, 'once is enough');
  await ledger.commit(block.blockId, finalizationOf(genesis, ledger.epoch, block));
  ledger.journal.appendBlock(block.blockId);
  await ledger.journal.restart(1, [{ kind: 'floor', floor: { view: 1, block: block.facts } }]);
  t.ok(ledger.journal.bytes < before, 'finalized blocks leave the journal');
});

t.test('every kind of record comes back as it was', async (t) => {
  const disk = new MemoryDisk();
  const ledger = await openInMemory(genesis, disk);
  const epoch = ledger.epoch;
  const block = await buildBlock(ledger, []);
  const subject = { epoch: 1, view: 1, parentView: 0, blockId: block.blockId };
  const finalization = finalizationOf(genesis, epoch, block);
  await ledger.commit(block.blockId, finalization);
  const records: JournalRecord[] = [
    { kind: 'floor', floor: { view: 1, block: block.facts, certificate: finalization } },
    { kind: 'vote', vote: signVote(genesis, epoch, 'nullify', { epoch: 1, view: 2 }, 1) as never },
    { kind: 'vote', vote: signVote(genesis, epoch, 'finalize', subject, 1) as never },
    { kind: 'notarized', vote: signVote(genesis, epoch, 'notarize', subject, 1) as NotarizeVote, block: block.facts },
    { kind: 'certificate', certificate: finalization },
    {
      kind: 'certificate',
      certificate: {
        kind: 'nullify',
        subject: { epoch: 1, view: 2 },
        signers: [0, 2, 3],
        signatures: finalization.signatures,
      },
    },
    { kind: 'certification', view: 1, block: block.facts, valid: true },
    { kind: 'certification', view: 1, block: block.facts, valid: false },
  ];
  await ledger.journal.restart(3, records.slice(0, 2));
  for (const record of records.slice(2)) ledger.journal.appendRecord(record);
  await ledger.journal.sync();
  const { replay } = (await openInMemory(genesis, disk.powerLoss())).journal;
  t.strictSame(replay, { state: 'complete', epoch: 3, records, tornBytes: 0, rolledBack: false });
});
