import t from 'tap';
import { liveRecords, packRecord, replay, statusOf, unpackRecord } from '../../consensus/engine.ts';
import type { JournalRecord } from '../../consensus/types.ts';
import {
  afterFirstBlock,
  bench,
  block,
  broadcasts,
  certificatesIn,
  certificatesKept,
  configOf,
  finalization,
  genesis,
  notarization,
  nullification,
  of,
  vote,
  votesIn,
} from './harness.ts';

t.test('W1: block, then record, then message', async (t) => {
  const made = bench(configOf());
  const first = block(1, genesis);
  made.propose(1, 0, first);
  const effects = made.give({ type: 'verified', view: 1, blockId: 'b1', verdict: 'valid' });
  t.same(
    effects.map((effect) => effect.type).filter((type) => type !== 'wake'),
    ['store', 'journal', 'broadcast'],
  );
});

t.test('W1: an own vote counts when it is durable, not before', async (t) => {
  const made = bench(configOf());
  made.propose(1, 0, block(1, genesis));
  made.give({ type: 'vote', vote: vote('notarize', 2, 1, 0, 'b1') });
  const voted = made.give({ type: 'verified', view: 1, blockId: 'b1', verdict: 'valid' });
  t.same(votesIn(voted), ['notarize 1']);
  t.same(certificatesKept(voted), []);
  const synced = made.sync();
  t.ok(certificatesKept(synced).includes('notarize 1'), 'leader, validator 2 and now me: three of four');
});

t.test('W1: n = 1 goes through a journal sync for every certificate', async (t) => {
  const config = configOf({ validators: 1, leaderOrder: [0] });
  const made = bench(config);
  made.give({ type: 'work', pending: true });
  t.equal(of(made.pass(20), 'build').length, 0, 'asked already');
  const own = block(1, genesis, { proposer: 0 });
  t.same(votesIn(made.give({ type: 'built', view: 1, block: own })), ['notarize 1']);
  const notarized = made.sync();
  t.same(certificatesKept(notarized), ['notarize 1']);
  t.same(votesIn(notarized), ['finalize 1']);
  const finalized = made.sync();
  t.same(certificatesKept(finalized), ['finalize 1']);
  t.same(certificatesIn(made.pass(1000)), [], 'there is nobody to send it to');
  t.equal(of(finalized, 'finalized')[0]?.block?.id, 'b1');
});

t.test('W1: n = 1 restarted between its vote and the certificate goes on', async (t) => {
  const config = configOf({ validators: 1, leaderOrder: [0] });
  const made = bench(config);
  made.pass(config.timings.idleBlockMs + config.timings.leaderTimeoutMs);
  const records = made.records.filter((record) => record.kind === 'vote');
  t.equal(records.length, 1, 'nullify 1, never made durable by an event');
  const again = bench(config, { records });
  t.equal(statusOf(again.state).view, 2);
});

t.test('W1: nothing is signed twice after a restart', async (t) => {
  const config = configOf();
  const made = bench(config);
  made.propose(1, 0, block(1, genesis));
  made.give({ type: 'verified', view: 1, blockId: 'b1', verdict: 'valid' });
  const again = bench(config, { records: made.records });
  t.same(votesIn(again.propose(1, 0, block(1, genesis, { id: 'other', time: 7 }))), []);
  t.same(votesIn(again.propose(1, 0, block(1, genesis))), []);
  const first = again.pass(config.timings.certificationTimeoutMs);
  t.same(votesIn(first), ['nullify 1'], 'nullify after notarize is normal');
  const third = bench(config, { records: [...made.records, ...again.records] });
  t.same(votesIn(third.certificate(notarization(1, 0, 'b1'))), [], 'but finalize after nullify is not');
  t.equal(third.state.view, 2);
});

t.test('W1: restored own votes are sent again when voting begins, and count', async (t) => {
  const config = configOf();
  const made = bench(config);
  made.pass(config.timings.idleBlockMs + config.timings.leaderTimeoutMs);
  const again = bench(config, { records: made.records, silentStart: true });
  again.give({ type: 'answered', peer: 1, votes: [] });
  const effects = again.give({ type: 'answered', peer: 2, votes: [] });
  t.equal(of(effects, 'voting').length, 1);
  t.same(votesIn(effects), ['nullify 1']);
  again.give({ type: 'vote', vote: vote('nullify', 1, 1) });
  t.same(certificatesIn(again.give({ type: 'vote', vote: vote('nullify', 2, 1) })), ['nullify 1']);
});

t.test('W1: a crash between certification and finalize is made up for', async (t) => {
  const config = configOf();
  const made = bench(config);
  const first = block(1, genesis);
  made.propose(1, 0, first);
  made.give({ type: 'verified', view: 1, blockId: 'b1', verdict: 'valid' });
  made.certificate(notarization(1, 0, 'b1', [0, 1, 2]));
  const cut = made.records.filter((record) => !(record.kind === 'vote' && record.vote.kind === 'finalize'));
  const again = bench(config, { records: cut, silentStart: true });
  again.give({ type: 'answered', peer: 1, votes: [] });
  t.ok(votesIn(again.give({ type: 'answered', peer: 3, votes: [] })).includes('finalize 1'));
});

t.test('W1: the floor: records at or below it say nothing, and it may not be above the store', async (t) => {
  const made = afterFirstBlock();
  t.equal(statusOf(made.state).floorView, 1);
  const floor = { view: 1, block: made.first, certificate: finalization(1, 0, 'b1') };
  const restored = replay(configOf({ floor }), {}, made.records);
  t.equal(restored.view, 2);
  t.equal(restored.views.size, 0);
  t.throws(() => replay(configOf(), {}, made.records), /above the store/);
  t.throws(() => made.give({ type: 'committed', view: 9, block: made.first }), /finalized is committed/);
});

t.test('W1: a compacted journal restores the same engine', async (t) => {
  const made = afterFirstBlock();
  const second = block(2, made.first);
  made.propose(2, 1, second);
  made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  made.certificate(notarization(2, 1, 'b2'));
  made.certificate(nullification(3));
  made.sync();
  const config = configOf({ floor: { view: 1, block: made.first, certificate: finalization(1, 0, 'b1') } });
  const long = replay(config, {}, made.records);
  const short = replay(config, {}, liveRecords(made.state));
  for (const key of ['view', 'runStart', 'finalizedView', 'certifiedView'] as const)
    t.equal(short[key], long[key], key);
  t.same([...short.views.keys()].sort(), [...long.views.keys()].sort());
  t.same(short.views.get(2)?.ownFinalize, long.views.get(2)?.ownFinalize);
});

t.test(
  'W1, W11: a compacted journal keeps own votes between the floor and a finalization that is not committed yet',
  async (t) => {
    const made = afterFirstBlock();
    made.propose(2, 1, block(2, made.first));
    made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
    made.certificate(finalization(7, 6, 'b7'));
    const kept = liveRecords(made.state).filter((record) => record.kind === 'notarized');
    t.same(
      kept.map((record) => record.vote.subject.view),
      [2],
    );
  },
);

t.test('W1: after a restart the last finalization is told again', async (t) => {
  const made = bench(configOf());
  made.certificate(finalization(5, 4, 'b5'));
  const state = replay(configOf(), {}, made.records);
  t.equal(state.view, 6);
  const again = bench(configOf(), { records: made.records, silentStart: true });
  t.equal(again.state.finalizedView, 5);
});

t.test('records survive packing', async (t) => {
  const first = block(1, genesis);
  const records: JournalRecord[] = [
    { kind: 'vote', vote: vote('nullify', 0, 3) as never },
    { kind: 'vote', vote: vote('finalize', 0, 3, 2, 'b3') as never },
    { kind: 'notarized', vote: vote('notarize', 0, 1, 0, 'b1') as never, block: first },
    { kind: 'certificate', certificate: notarization(1, 0, 'b1') },
    { kind: 'certificate', certificate: nullification(2) },
    { kind: 'certification', view: 1, block: first, valid: true },
    { kind: 'floor', floor: { view: 0, block: genesis } },
    { kind: 'floor', floor: { view: 1, block: first, certificate: finalization(1, 0, 'b1') } },
  ];
  for (const record of records) t.same(unpackRecord(packRecord(record)), record);
  for (const wrong of [
    [],
    [9],
    [0, 'x'],
    [0, [0, [1, 1, 0, 'b'], 0, new Uint8Array()]],
    [3, 1, [], true],
    'x',
    [0, 1, 2, 3, 4],
  ]) {
    t.throws(() => unpackRecord(wrong as never), { name: 'ConsensusAssertion' });
  }
});

t.test('a reconnected peer gets the way in and the unfinished votes', async (t) => {
  const made = afterFirstBlock();
  made.propose(2, 1, block(2, made.first));
  made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  made.sync();
  const sent = of(made.give({ type: 'connected', peer: 3, finalizedView: 0 }), 'send').map((effect) => effect.message);
  t.same(
    sent.map((message) => (message.type === 'certificate' ? message.certificate.kind : message.type)),
    ['finalize', 'vote'],
  );
  t.equal(broadcasts(made.pass(0)).length, 0);
});
