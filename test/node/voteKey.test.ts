import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nodeFiles } from '../../src/ledger/files.ts';
import { framesIn } from '../../src/ledger/journalFrame.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { SignState } from '../../src/node/signState.ts';
import { VoteKey } from '../../src/node/voteKey.ts';
import { addBlock, MemoryDisk, makeGenesis, openInMemory } from '../ledger/fixtures.ts';

const { genesis } = makeGenesis(4);
const key = new Uint8Array(32).fill(7);

t.test(
  'a key that signed here needs its whole journal, and stays retired once it was found wanting (W11)',
  async (t) => {
    const disk = new MemoryDisk();
    let ledger = await openInMemory(genesis, disk);
    t.equal(new VoteKey(ledger, key).refusal(), '', 'a new node has no journal yet');
    await new VoteKey(ledger, key).begin();
    await ledger.journal.restart(1, [{ kind: 'floor', floor: { view: 0, block: ledger.finalized.facts } }]);
    await ledger.close();

    ledger = await openInMemory(genesis, disk);
    t.equal(new VoteKey(ledger, key).refusal(), '', 'the journal is there');
    const withoutJournal = new MemoryDisk();
    const lost = await openInMemory(genesis, withoutJournal);
    await new VoteKey(lost, key).begin();
    await lost.close();
    const reopened = await openInMemory(genesis, withoutJournal);
    t.equal(new VoteKey(reopened, key).refusal(), 'JOURNAL_LOST');
    t.equal(
      new VoteKey(
        reopened,
        key.map(() => 8),
      ).refusal(),
      '',
      'another key never signed here',
    );

    await new VoteKey(ledger, key).retire('JOURNAL_ROLLED_BACK');
    await new VoteKey(ledger, key).begin();
    await ledger.close();
    ledger = await openInMemory(genesis, disk);
    t.equal(new VoteKey(ledger, key).refusal(), 'JOURNAL_ROLLED_BACK', 'whatever the journal says later');
  },
);

/** A file of which nothing survives the test. */
async function besideKey(t: Test): Promise<SignState> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-vote-key-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return SignState.open(nodeFiles, join(dir, 'keys.json.sign-state'));
}

const floorOf = (ledger: Ledger) => [{ kind: 'floor' as const, floor: { view: 0, block: ledger.finalized.facts } }];

t.test('what lies beside the key file outlives the data folder', async (t) => {
  const beside = await besideKey(t);
  const disk = new MemoryDisk();
  const ledger = await openInMemory(genesis, disk);
  const fresh = new VoteKey(ledger, key, 1, beside);
  t.equal(fresh.refusal(), '', 'a fresh network');
  await ledger.journal.restart(1, floorOf(ledger));
  await fresh.begin();
  await ledger.close();

  const whole = await openInMemory(genesis, disk);
  t.equal(new VoteKey(whole, key, 1, beside).refusal(), '', 'all is there');
  await whole.close();
  const wiped = await openInMemory(genesis, new MemoryDisk());
  t.equal(
    new VoteKey(wiped, key, 1, beside).refusal(),
    'JOURNAL_LOST',
    'the data folder is gone, and all notes with it',
  );
  const other = makeGenesis(4, { name: 'weft-other' }).genesis;
  t.equal(new VoteKey(await openInMemory(other), key, 1, beside).refusal(), '', 'another network with the same keys');
  const next = new VoteKey(
    wiped,
    key.map(() => 9),
    2,
    beside,
  );
  t.equal(next.refusal(), '', 'a new key starts afresh');

  await new VoteKey(wiped, key, 1, beside).retire('JOURNAL_ROLLED_BACK');
  t.equal(new VoteKey(await openInMemory(genesis, disk), key, 1, beside).refusal(), 'JOURNAL_ROLLED_BACK', 'for good');
  await new VoteKey(wiped, key, 2, beside).begin();
  t.equal(beside.of(genesis.genesisHash, key)?.state, 'JOURNAL_ROLLED_BACK', 'a later epoch gives nothing back');
});

t.test('a journal of an epoch before the last one in which the key voted was put back', async (t) => {
  const beside = await besideKey(t);
  const disk = new MemoryDisk();
  const ledger = await openInMemory(genesis, disk);
  await ledger.journal.restart(1, floorOf(ledger));
  await new VoteKey(ledger, key, 1, beside).begin();
  await ledger.close();
  const again = await openInMemory(genesis, disk);
  t.equal(new VoteKey(again, key, 2, beside).refusal(), '', 'the epoch changed and nothing was signed in it yet');
  await new VoteKey(again, key, 2, beside).begin();
  t.equal(new VoteKey(again, key, 2, beside).refusal(), 'JOURNAL_ROLLED_BACK');
  await again.close();
});

t.test(
  'a journal that builds on more than the store holds: nothing is voted, nothing of it is written over',
  async (t) => {
    const disk = new MemoryDisk();
    const ledger = await openInMemory(genesis, disk);
    t.equal(new VoteKey(ledger, key).storeBehind, false, 'no journal');
    await ledger.journal.restart(2, floorOf(ledger));
    await ledger.close();
    const again = await openInMemory(genesis, disk);
    t.equal(new VoteKey(again, key).storeBehind, true, 'it is of an epoch that the store does not know yet');
    await again.close();
  },
);

t.test('an operator of a single validator answers for a lost journal, once', async (t) => {
  const beside = await besideKey(t);
  await beside.set(genesis.genesisHash, key, 1, 'SIGNS');
  const ledger = await openInMemory(genesis, new MemoryDisk());
  const lost = new VoteKey(ledger, key, 1, beside);
  t.equal(lost.refusal(), 'JOURNAL_LOST');
  await beside.set(genesis.genesisHash, key, 1, 'CONFIRMED');
  t.equal(lost.refusal(), '');
  await lost.begin();
  t.equal(lost.refusal(), 'JOURNAL_LOST', 'the next loss needs another word');
});

t.test('what an operator answered for in a later epoch says nothing about an earlier one', async (t) => {
  const beside = await besideKey(t);
  await beside.set(genesis.genesisHash, key, 5, 'CONFIRMED');
  const ledger = await openInMemory(genesis, new MemoryDisk());
  t.equal(new VoteKey(ledger, key, 1, beside).refusal(), 'JOURNAL_ROLLED_BACK');
  t.equal(new VoteKey(ledger, key, 5, beside).refusal(), '');
});

t.test('a network that has grown since genesis: a key of which nothing is known does not begin it again', async (t) => {
  const beside = await besideKey(t);
  const disk = new MemoryDisk();
  const ledger = await openInMemory(genesis, disk);
  const first = new VoteKey(ledger, key, 1, beside, false, true);
  t.equal(first.refusal(), 'NETWORK_GROWN');
  await beside.set(genesis.genesisHash, key, 1, 'CONFIRMED');
  t.equal(first.refusal(), '', 'it is a new network all the same');
  await ledger.journal.restart(1, floorOf(ledger));
  await first.begin();
  await ledger.close();
  const again = await openInMemory(genesis, disk);
  t.equal(new VoteKey(again, key, 1, beside, false, true).refusal(), '', 'its journal is known');
});

t.test('a journal so damaged that it names no epoch speaks against the keys that signed, and no other', async (t) => {
  const next = key.map(() => 9);
  for (const at of [20, 60, 70, 100]) {
    const beside = await besideKey(t);
    const disk = new MemoryDisk();
    const ledger = await openInMemory(genesis, disk);
    await ledger.journal.restart(1, floorOf(ledger));
    for (const view of [1, 2]) {
      const signature = new Uint8Array(64);
      const vote = { kind: 'nullify' as const, subject: { epoch: 1, view }, signer: 0, signature };
      ledger.journal.appendRecord({ kind: 'vote', vote });
      await ledger.journal.sync();
    }
    const noted = new VoteKey(ledger, key, 1);
    await noted.begin();
    await ledger.close();
    const file = disk.journal();
    file.bytes = file.bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const damaged = await openInMemory(genesis, disk);
    t.match(damaged.journal.replay, { state: 'damaged', epoch: 0 }, `byte ${at}`);
    t.equal(new VoteKey(damaged, next, 2, beside).refusal(), 'JOURNAL_DAMAGED', 'nothing tells whose it was');
    await beside.set(genesis.genesisHash, key, 1, 'SIGNS');
    t.equal(new VoteKey(damaged, key, 1, beside).refusal(), 'JOURNAL_DAMAGED');
    t.equal(new VoteKey(damaged, next, 2, beside).refusal(), '', 'a new key');
    await damaged.close();
  }
});

t.test('a journal that lost its end, or an old one: the store knows how far it had come', async (t) => {
  const disk = new MemoryDisk();
  const ledger = await openInMemory(genesis, disk);
  await ledger.journal.restart(1, floorOf(ledger));
  await new VoteKey(ledger, key, 1).begin();
  const vote = (view: number) => ({
    kind: 'vote' as const,
    vote: { kind: 'nullify' as const, subject: { epoch: 1, view }, signer: 0, signature: new Uint8Array(64) },
  });
  for (let view = 1; view <= 5; view += 1) ledger.journal.appendRecord(vote(view));
  await ledger.journal.sync();
  await addBlock(ledger, []);
  t.equal(ledger.journalRecords, 6);
  await ledger.close();
  const file = disk.journal();
  const whole = file.bytes;
  for (const frame of [...framesIn(whole)].slice(0, 5)) {
    file.bytes = whole.slice(0, frame.end);
    file.synced = frame.end;
    const cut = await openInMemory(genesis, disk);
    t.match(cut.journal.replay, { state: 'complete', rolledBack: true }, `after record ${frame.sequence} of 6`);
    t.equal(new VoteKey(cut, key, 1).refusal(), 'JOURNAL_ROLLED_BACK');
    t.equal(
      new VoteKey(
        cut,
        key.map(() => 9),
        1,
      ).refusal(),
      '',
      'a new key does not answer for it',
    );
    await cut.close();
  }
  // The new key's journal goes on above what is known.
  const again = await openInMemory(genesis, disk);
  await again.journal.restart(1, floorOf(again));
  await again.close();
  const after = await openInMemory(genesis, disk);
  t.match(after.journal.replay, { state: 'complete', rolledBack: false });
  await after.close();
});
