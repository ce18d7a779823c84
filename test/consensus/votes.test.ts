import t from 'tap';
import { answerView, checkConfig, faultsOf, leaderOf, needs, quorumOf, statusOf } from '../../consensus/engine.ts';
import { contradictions } from '../../consensus/evidence.ts';
import {
  afterFirstBlock,
  block,
  certificatesIn,
  configOf,
  finalization,
  genesis,
  notarization,
  nullification,
  of,
  timings,
  vote,
  votesIn,
} from './harness.ts';

t.test('W2: two quorums meet in an honest validator, and a quorum is there without the faulty', async (t) => {
  for (let n = 1; n <= 128; n += 1) {
    const q = quorumOf(n);
    const f = faultsOf(n);
    t.ok(2 * q - n > f && n - f >= q, `n = ${n}`);
  }
});

t.test('W2, W3: what a config must satisfy', async (t) => {
  checkConfig(configOf());
  for (const broken of [
    { validators: 0, leaderOrder: [] },
    { validators: 129, leaderOrder: Array.from({ length: 129 }, (_, i) => i) },
    { me: 4 },
    { leaderOrder: [0, 1, 2, 2] },
    { retentionViews: 0 },
    { timings: { ...timings, leaderTimeoutMs: 0 } },
    { timings: { ...timings, certificationTimeoutMs: 1000 } },
    { timings: { ...timings, skipMs: 29_999 } },
    { timings: { ...timings, idleBlockMs: 1000 } },
    { timings: { ...timings, retryMs: 0 } },
    { timings: { ...timings, fetchMs: 0 } },
    { timings: { ...timings, finalizeGraceMs: 501 } },
    { timings: { ...timings, blockIntervalMs: 501 } },
    { floor: { view: 3, block: genesis, certificate: finalization(2, 1, 'g') } },
  ]) {
    t.throws(() => checkConfig(configOf(broken)), { name: 'ConsensusAssertion' }, JSON.stringify(broken).slice(0, 60));
  }
  t.same(
    [1, 2, 3, 4, 5].map((view) => leaderOf(configOf(), view)),
    [1, 2, 3, 0, 1],
  );
});

t.test('S4: a missing nullification is fetched from the proposer, then the vote is cast', async (t) => {
  const made = afterFirstBlock();
  made.certificate(nullification(4));
  t.equal(made.state.view, 5);
  const fifth = block(5, made.first);
  const asked = of(made.propose(5, 1, fifth), 'fetch');
  t.same(
    asked.map((fetch) => [fetch.what, fetch.view, fetch.peers]),
    [
      ['view', 3, [1]],
      ['view', 2, [1]],
    ],
  );
  t.same(
    of(made.pass(1000), 'fetch').map((fetch) => fetch.peers),
    [
      [2, 3],
      [2, 3],
    ],
    'after fetchMs others are asked',
  );
  made.certificate(nullification(2));
  const found = made.certificate(nullification(3));
  t.equal(of(found, 'verify')[0]?.block.id, 'b5');
  t.same(votesIn(made.give({ type: 'verified', view: 5, blockId: 'b5', verdict: 'valid' })), ['notarize 5']);
});

t.test('S4: an uncertified parent is pending, another one at its view is refused', async (t) => {
  const made = afterFirstBlock();
  made.propose(2, 1, block(2, made.first));
  made.certificate(notarization(2, 1, 'b2'));
  t.equal(made.state.view, 2, 'notarized here, not certified: the view is not left');
  made.certificate(nullification(2));
  t.same(of(made.propose(3, 2, block(3, block(2, made.first))), 'verify'), []);
  t.equal(
    of(made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' }), 'verify')[0]?.view,
    3,
    'certified now',
  );
  const other = afterFirstBlock();
  t.same(
    votesIn(other.propose(2, 1, block(2, genesis, { height: 2 }))),
    ['nullify 2'],
    'its parent is not the block of view 1',
  );
  const old = afterFirstBlock();
  t.same(votesIn(old.propose(2, 0, block(2, genesis))), ['nullify 2'], 'its parent is below the finalized view');
});

t.test('S4: height, time, epoch and proposer must fit', async (t) => {
  for (const change of [{ height: 3 }, { time: 0 }, { epoch: 2 }, { proposer: 3 }, { view: 1 }]) {
    const made = afterFirstBlock();
    t.same(votesIn(made.propose(2, 1, block(2, made.first, change))), ['nullify 2'], JSON.stringify(change));
  }
});

t.test('S6, S7: never finalize after nullify, never nullify after finalize', async (t) => {
  const nullified = afterFirstBlock();
  nullified.propose(2, 1, block(2, nullified.first));
  nullified.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  t.same(votesIn(nullified.pass(timings.certificationTimeoutMs)), ['nullify 2']);
  t.notOk(votesIn(nullified.certificate(notarization(2, 1, 'b2'))).includes('finalize 2'));
  t.equal(nullified.state.view, 3);

  const finalized = afterFirstBlock();
  finalized.propose(2, 1, block(2, finalized.first));
  finalized.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  t.same(votesIn(finalized.certificate(notarization(2, 1, 'b2'))), ['finalize 2']);
  for (const signer of [1, 2, 3])
    t.notOk(votesIn(finalized.give({ type: 'vote', vote: vote('nullify', signer, 2) })).includes('nullify 2'));
});

t.test('S6: nullify is sent again every retryMs with the way into the view', async (t) => {
  const made = afterFirstBlock();
  made.give({ type: 'work', pending: true });
  t.same(votesIn(made.pass(timings.leaderTimeoutMs)), ['nullify 2']);
  t.same(votesIn(made.pass(timings.retryMs - 1)), []);
  const again = made.pass(1);
  t.same(votesIn(again), ['nullify 2']);
  t.same(certificatesIn(again), ['finalize 1']);
  t.equal(
    made.records.filter((record) => record.kind === 'vote' && record.vote.kind === 'nullify').length,
    1,
    'signed once',
  );
});

t.test("S6: the leader's own nullify ends its view", async (t) => {
  const made = afterFirstBlock();
  t.same(votesIn(made.give({ type: 'vote', vote: vote('nullify', 2, 2) })), ['nullify 2']);
});

t.test('S3: certificates that exclude each other halt', async (t) => {
  for (const [a, b] of [
    [notarization(3, 1, 'x'), notarization(3, 1, 'y')],
    [finalization(3, 1, 'x'), nullification(3)],
    [nullification(3), finalization(3, 1, 'x')],
    [notarization(3, 1, 'x'), finalization(3, 1, 'y')],
  ] as const) {
    const made = afterFirstBlock();
    made.certificate(a);
    t.equal(of(made.certificate(b), 'halt')[0]?.code, 'CERTIFICATES_CONFLICT', `${a.kind} and ${b.kind}`);
    t.same(made.pass(100_000), [], 'and nothing happens any more');
  }
});

t.test('S7: finalization counts in whatever view we are', async (t) => {
  const made = afterFirstBlock();
  made.certificate(nullification(2));
  made.certificate(nullification(3));
  for (const signer of [1, 2]) made.give({ type: 'vote', vote: vote('finalize', signer, 4, 1, 'b4') });
  const third = made.give({ type: 'vote', vote: vote('finalize', 3, 4, 1, 'b4') });
  t.equal(of(third, 'finalized').length, 1);
  t.equal(made.state.view, 5);
});

t.test('S8: what a question about a view is answered with', async (t) => {
  const made = afterFirstBlock();
  made.certificate(notarization(2, 1, 'b2'));
  made.certificate(nullification(2));
  t.same(
    answerView(made.state, 1).map((each) => each.kind),
    ['finalize'],
    'the finalization that covers it',
  );
  t.same(
    answerView(made.state, 2).map((each) => each.kind),
    ['notarize', 'nullify'],
    'both: either may be wanted',
  );
  t.same(
    answerView(made.state, 7).map((each) => [each.kind, each.subject.view]),
    [['finalize', 1]],
    'else the last finalization',
  );
  t.equal(of(made.give({ type: 'request', peer: 3, view: 2 }), 'send').length, 2);
});

t.test('S9: who votes again in an old view is sent the way out', async (t) => {
  const made = afterFirstBlock();
  made.pass(timings.retryMs);
  made.give({ type: 'vote', vote: vote('finalize', 3, 1, 0, 'b1') });
  made.pass(timings.retryMs);
  t.ok(needs(made.state, vote('finalize', 3, 1, 0, 'b1')));
  const sent = of(made.give({ type: 'vote', vote: vote('finalize', 3, 1, 0, 'b1') }), 'send');
  t.same(
    sent.map((effect) => [effect.peer, effect.message.type]),
    [[3, 'certificate']],
  );
  t.notOk(needs(made.state, vote('finalize', 3, 1, 0, 'b1')), 'once per half retryMs');
});

t.test('W12: two votes of one kind, nullify and finalize; each offence once', async (t) => {
  const made = afterFirstBlock();
  const evidence = (...votes: Parameters<typeof made.give>[0][]) =>
    votes.flatMap((event) => of(made.give(event), 'evidence'));
  made.give({ type: 'vote', vote: vote('notarize', 3, 2, 1, 'x') });
  const [first] = evidence({ type: 'vote', vote: vote('notarize', 3, 2, 1, 'y') });
  t.equal(first?.offender, 3);
  t.same([first?.a.signer, first?.b.signer], [3, 3]);
  t.same(evidence({ type: 'vote', vote: vote('notarize', 3, 2, 1, 'z') }), []);
  made.give({ type: 'vote', vote: vote('nullify', 3, 2) });
  t.equal(evidence({ type: 'vote', vote: vote('finalize', 3, 2, 1, 'x') }).length, 1);
  t.equal(evidence({ type: 'vote', vote: vote('finalize', 3, 2, 1, 'y') }).length, 1);
  t.equal(statusOf(made.state).counters.evidence, 3);
});

t.test('W12: a vote here against a vote that others counted, whichever came first', async (t) => {
  const made = afterFirstBlock();
  made.give({ type: 'vote', vote: vote('nullify', 3, 2) });
  made.give({ type: 'vote', vote: vote('notarize', 3, 2, 1, 'x') });
  const [notarized, ...more] = of(made.certificate(notarization(2, 1, 'b2')), 'evidence');
  t.same([notarized?.offender, more.length], [3, 0]);
  t.same([notarized?.a.kind, notarized?.b.kind], ['notarize', 'notarize']);
  const [finalized] = of(made.certificate(finalization(2, 1, 'b2')), 'evidence');
  t.same([finalized?.offender, finalized?.a.kind, finalized?.b.kind], [3, 'nullify', 'finalize']);
  t.same(finalized?.b.signature, new Uint8Array([3]), 'as it stands in the certificate');
  const [late, ...rest] = of(made.give({ type: 'vote', vote: vote('notarize', 1, 2, 1, 'y') }), 'evidence');
  t.same([late?.offender, rest.length], [1, 0]);
  t.same(of(made.give({ type: 'vote', vote: vote('notarize', 2, 2, 1, 'b2') }), 'evidence'), [], 'the same vote again');
  const [nullified] = of(made.give({ type: 'vote', vote: vote('nullify', 1, 2) }), 'evidence');
  t.same([nullified?.offender, nullified?.a.kind, nullified?.b.kind], [1, 'finalize', 'nullify']);
  t.equal(statusOf(made.state).counters.evidence, 4);
});

t.test('W12: two certificates that exclude each other name those who signed both', async (t) => {
  const named = (a: Parameters<typeof contradictions>[0], b: typeof a) =>
    contradictions(a, b).map(([first, second]) => `${first.signer} ${first.kind} ${second.kind}`);
  t.same(named(finalization(2, 1, 'x', [0, 1, 2]), nullification(2, [1, 2, 3])), [
    '1 finalize nullify',
    '2 finalize nullify',
  ]);
  t.same(named(notarization(2, 1, 'x', [0, 1, 2]), notarization(2, 1, 'y', [0, 2, 3])), [
    '0 notarize notarize',
    '2 notarize notarize',
  ]);
  t.same(named(notarization(2, 1, 'x'), nullification(2)), [], 'an honest one may sign both');
});

t.test('W12: a leader that signs two proposals gets neither notarize nor finalize', async (t) => {
  const made = afterFirstBlock();
  made.propose(2, 1, block(2, made.first));
  t.equal(of(made.propose(2, 1, block(2, made.first, { id: 'twin', time: 9 })), 'evidence').length, 1);
  t.same(votesIn(made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' })), []);
  const notarized = made.certificate(notarization(2, 1, 'twin'));
  t.equal(of(notarized, 'fetch')[0]?.what, 'block', 'the certificate decides which block it is');
  made.give({ type: 'fetched', block: block(2, made.first, { id: 'twin', time: 9 }) });
  t.same(votesIn(made.give({ type: 'certified', view: 2, blockId: 'twin', verdict: 'valid' })), []);
  t.equal(made.state.view, 3);
});

t.test('W13: votes in [last finalized − retention, current + 1], certificates from any view', async (t) => {
  const made = afterFirstBlock(configOf({ retentionViews: 2 }));
  made.give({ type: 'vote', vote: vote('nullify', 1, 4) });
  t.equal(made.state.views.has(4), false, 'two ahead');
  made.give({ type: 'vote', vote: vote('nullify', 1, 3) });
  t.equal(made.state.views.has(3), true, 'one ahead');
  t.equal(statusOf(made.state).counters.votesOutOfWindow, 1);
  const jump = made.certificate(finalization(900, 899, 'b900'));
  t.equal(made.state.view, 901);
  t.equal(of(jump, 'finalized')[0]?.block, undefined, 'never seen: the shell catches up');
  made.give({ type: 'committed', view: 900, block: block(900, made.first) });
  t.ok(made.state.views.size <= 4, 'old views are gone');
  t.equal(needs(made.state, vote('nullify', 1, 903)), false);
  t.equal(needs(made.state, nullification(5000)), true);
  t.equal(needs(made.state, finalization(1, 0, 'b1')), false);
});

t.test('W13: one vote of each kind per signer, and no certificate from repeated ones', async (t) => {
  const made = afterFirstBlock();
  for (let i = 0; i < 5; i += 1) t.same(certificatesIn(made.give({ type: 'vote', vote: vote('nullify', 3, 2) })), []);
  t.notOk(needs(made.state, vote('nullify', 3, 2)));
});

t.test('W13: open questions are bounded', async (t) => {
  const made = afterFirstBlock();
  for (let view = 10; view < 700; view += 1) made.certificate(notarization(view, view - 1, `b${view}`));
  t.equal(statusOf(made.state).asksOpen, 256);
  t.ok(statusOf(made.state).counters.asksRefused > 0);
});
