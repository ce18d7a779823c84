import t from 'tap';
import { VoteKey } from '../../src/node/voteKey.ts';
import { MemoryDisk, makeGenesis, openInMemory } from '../ledger/fixtures.ts';

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
