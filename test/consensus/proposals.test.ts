import t from 'tap';
import type { BlockFacts } from '../../consensus/types.ts';
import {
  afterFirstBlock,
  type Bench,
  bench,
  block,
  broadcasts,
  certificatesKept,
  configOf,
  finalization,
  genesis,
  notarization,
  nullification,
  of,
  timings,
  vote,
  votesIn,
  wallOffsetMs,
} from './harness.ts';

/** Stands in view 4, which validator 0 (we) leads, on a certified chain: b1 final, b2 and b3 certified. */
function leading(
  change: { empty?: boolean; finalized?: boolean; closing?: boolean } = {},
): Bench & { tip: BlockFacts } {
  const made = afterFirstBlock();
  let parent = made.first;
  for (const view of [2, 3]) {
    const next = block(view, parent, { empty: change.empty === true, closing: change.closing === true && view === 3 });
    made.propose(view, parent.view, next);
    made.give({ type: 'verified', view, blockId: next.id, verdict: 'valid' });
    made.certificate(notarization(view, parent.view, next.id));
    if (change.finalized) made.certificate(finalization(view, parent.view, next.id));
    parent = next;
  }
  made.sync();
  return Object.assign(made, { tip: parent });
}

t.test('W4: invalid is nullified, pending waits, with a time it is asked again', async (t) => {
  const made = afterFirstBlock();
  t.equal(of(made.propose(2, 1, block(2, made.first)), 'verify').length, 1);
  t.same(votesIn(made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: { pending: true } })), []);
  made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: { pending: true, retryAtWallMs: wallOffsetMs + 70 } });
  t.equal(made.state.wakeAtMs, 70);
  t.equal(of(made.pass(69), 'verify').length, 0);
  t.equal(of(made.pass(1), 'verify').length, 1);
  t.same(votesIn(made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'invalid' })), ['nullify 2']);
});

t.test('W4: a block from the future waits for the difference', async (t) => {
  const made = afterFirstBlock();
  made.propose(2, 1, block(2, made.first, { time: wallOffsetMs + timings.maxClockDriftMs + 100 }));
  const verified = made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  t.same(votesIn(verified), []);
  t.equal(made.state.wakeAtMs, 100);
  t.same(votesIn(made.pass(99)), []);
  t.same(votesIn(made.pass(1)), ['notarize 2']);
});

t.test('W4: certify does not look at the clock', async (t) => {
  const made = afterFirstBlock();
  made.propose(2, 1, block(2, made.first, { time: wallOffsetMs + 10_000_000 }));
  made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  t.same(votesIn(made.certificate(notarization(2, 1, 'b2'))), ['finalize 2']);
});

t.test('W4: a notarized block that does not execute here halts, also after a restart', async (t) => {
  const made = afterFirstBlock();
  made.propose(2, 1, block(2, made.first));
  t.equal(of(made.certificate(notarization(2, 1, 'b2')), 'certify').length, 1);
  const effects = made.give({ type: 'certified', view: 2, blockId: 'b2', verdict: 'invalid' });
  t.equal(of(effects, 'halt')[0]?.code, 'STATE_DIVERGED');
  t.same(votesIn(effects), []);
  t.same(made.pass(100_000), []);
  const floor = { view: 1, block: made.first };
  const again = bench(configOf({ floor }), { records: made.records, silentStart: true });
  t.equal(again.state.halted, 'STATE_DIVERGED');
});

t.test('W4: certify is asked again at its time, and goes on after a nullification', async (t) => {
  const made = afterFirstBlock();
  made.propose(2, 1, block(2, made.first));
  made.certificate(notarization(2, 1, 'b2'));
  made.certificate(nullification(2));
  t.equal(made.state.view, 3);
  made.give({
    type: 'certified',
    view: 2,
    blockId: 'b2',
    verdict: { pending: true, retryAtWallMs: wallOffsetMs + 30 },
  });
  t.equal(of(made.pass(30), 'certify').length, 1);
  t.same(votesIn(made.give({ type: 'certified', view: 2, blockId: 'b2', verdict: 'valid' })), []);
  t.equal(made.state.certifiedView, 2);
});

t.test('W5: an idle leader waits, then proposes a heartbeat; nobody times out before', async (t) => {
  const made = leading({ finalized: true });
  t.equal(of(made.pass(timings.idleBlockMs - 1), 'build').length, 0);
  const build = of(made.pass(1), 'build')[0];
  t.same([build?.view, build?.parentView, build?.parent.id, build?.mayBeEmpty], [4, 3, 'b3', true]);

  const follower = afterFirstBlock();
  for (let ms = 0; ms < timings.idleBlockMs + timings.leaderTimeoutMs - 100; ms += 100)
    t.same(votesIn(follower.pass(100)), []);
  t.same(votesIn(follower.pass(100)), ['nullify 2'], 'the heartbeat was overdue');
});

t.test('W5: the leader timeout runs from the moment there is work, and stops with it', async (t) => {
  const made = afterFirstBlock();
  made.pass(500);
  made.give({ type: 'work', pending: true });
  t.same(votesIn(made.pass(timings.leaderTimeoutMs - 1)), []);
  made.give({ type: 'work', pending: false });
  t.same(votesIn(made.pass(1000)), []);
  made.give({ type: 'work', pending: true });
  t.same(votesIn(made.pass(timings.leaderTimeoutMs - 1)), []);
  t.same(votesIn(made.pass(1)), ['nullify 2']);
});

t.test(
  'W5: nothing to build makes work false until told again; refusing an empty block gives the view up',
  async (t) => {
    const made = leading({ finalized: true });
    made.give({ type: 'work', pending: true });
    made.pass(20);
    t.same(
      made.give({ type: 'built', view: 4 }).filter((effect) => effect.type !== 'wake'),
      [],
    );
    t.equal(of(made.pass(1000), 'build').length, 0);
    t.equal(of(made.give({ type: 'work', pending: true }), 'build').length, 1);
    made.give({ type: 'built', view: 4 });
    made.pass(timings.idleBlockMs - 1000);
    t.same(votesIn(made.give({ type: 'built', view: 4 })), ['nullify 4']);
  },
);

t.test('S2: a built block is the proposal, once', async (t) => {
  const made = leading({ finalized: true });
  made.give({ type: 'work', pending: true });
  made.pass(20);
  const effects = made.give({ type: 'built', view: 4, block: block(4, made.tip) });
  t.same(
    effects.map((effect) => effect.type).filter((type) => type !== 'wake'),
    ['store', 'journal', 'broadcast'],
  );
  t.equal(broadcasts(effects)[0]?.type, 'proposal');
  t.same(made.give({ type: 'built', view: 4, block: block(4, made.tip, { id: 'second' }) }), []);
  t.same(
    votesIn(made.give({ type: 'built', view: 9, block: made.tip })),
    [],
    'an answer for another view is late, not wrong',
  );
});

t.test('W6: the grace doubles with each empty block, up to half the leader timeout', async (t) => {
  const busy = leading();
  t.equal(of(busy.pass(timings.finalizeGraceMs - 1), 'build').length, 0);
  t.equal(of(busy.pass(1), 'build')[0]?.mayBeEmpty, true);
  const empty = leading({ empty: true });
  t.equal(of(empty.pass(4 * timings.finalizeGraceMs - 1), 'build').length, 0, 'two empty blocks at the tip');
  t.equal(of(empty.pass(1), 'build').length, 1);
  const done = leading({ finalized: true });
  t.equal(of(done.pass(timings.leaderTimeoutMs), 'build').length, 0, 'finished: at rest');
});

t.test('W6: the own finalize vote is sent again, never made anew', async (t) => {
  const made = afterFirstBlock();
  made.propose(2, 1, block(2, made.first));
  made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  made.certificate(notarization(2, 1, 'b2'));
  made.sync();
  const records = made.records.length;
  made.certificate(nullification(3));
  made.pass(timings.retryMs - 1);
  const again = made.pass(1);
  t.ok(votesIn(again).includes('finalize 2'));
  t.equal(
    made.records.filter((record) => record.kind === 'vote' && record.vote.kind === 'finalize').length,
    2,
    'views 1 and 2',
  );
  t.ok(records > 0);
  made.certificate(finalization(2, 1, 'b2'));
  t.notOk(votesIn(made.pass(timings.retryMs)).includes('finalize 2'));
});

t.test('W7: a silent leader of an idle view is given up', async (t) => {
  const made = afterFirstBlock();
  for (const peer of [1, 2, 3]) made.give({ type: 'heard', peer });
  t.same(votesIn(made.pass(timings.leaderSilentMs - 1, { heard: false })), []);
  t.same(votesIn(made.pass(1, { heard: false })), ['nullify 2']);
});

t.test('W7: f + 1 nullify votes are joined, unless the proposal is admissible', async (t) => {
  const made = afterFirstBlock();
  t.same(votesIn(made.give({ type: 'vote', vote: vote('nullify', 1, 2) })), []);
  t.same(votesIn(made.give({ type: 'vote', vote: vote('nullify', 3, 2) })), ['nullify 2']);
  const holding = afterFirstBlock();
  holding.propose(2, 1, block(2, holding.first));
  for (const signer of [1, 3]) t.same(votesIn(holding.give({ type: 'vote', vote: vote('nullify', signer, 2) })), []);
  const early = afterFirstBlock();
  for (const signer of [1, 2]) early.give({ type: 'vote', vote: vote('nullify', signer, 3) });
  t.same(votesIn(early.certificate(nullification(2))), ['nullify 3'], 'votes that came before the view');
});

t.test('W8: with work, blockIntervalMs after the parent; at once when a block is full', async (t) => {
  const made = leading({ finalized: true });
  t.equal(of(made.give({ type: 'work', pending: true }), 'build').length, 0);
  t.equal(of(made.pass(timings.blockIntervalMs - 1), 'build').length, 0);
  t.same(
    of(made.pass(1), 'build').map((build) => build.mayBeEmpty),
    [false],
  );
  const full = leading({ finalized: true });
  t.equal(of(full.give({ type: 'work', pending: true, full: true }), 'build').length, 1);
});

t.test('W9: a closing block is proposed again at once, and accepted without another check', async (t) => {
  const made = leading({ closing: true });
  const message = broadcasts(made.certificate(notarization(3, 2, 'b3'))).find((each) => each.type === 'proposal');
  t.equal(message, undefined, 'it was proposed when the view began');
  const record = made.state.views.get(4);
  t.same(record?.ownNotarize?.subject, { epoch: 1, view: 4, parentView: 3, blockId: 'b3' });

  const follower = afterFirstBlock();
  const closing = block(2, follower.first, { closing: true });
  follower.propose(2, 1, closing);
  follower.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  follower.certificate(notarization(2, 1, 'b2'));
  const again = follower.propose(3, 2, closing);
  t.same(votesIn(again), ['notarize 3']);
  t.equal(of(again, 'verify').length, 0);
  const certified = follower.certificate(notarization(3, 2, 'b2'));
  t.equal(of(certified, 'certify').length, 0);
  t.same(
    votesIn(certified),
    ['finalize 3', 'proposal 4'].slice(0, 1).concat('notarize 4'),
    'we lead view 4 and propose it again',
  );
});

t.test('W9, W10: nothing else may follow a closing block, and only a closing block is proposed again', async (t) => {
  const made = afterFirstBlock();
  const closing = block(2, made.first, { closing: true });
  made.propose(2, 1, closing);
  made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  made.certificate(notarization(2, 1, 'b2'));
  t.same(votesIn(made.propose(3, 2, block(3, closing))), ['nullify 3']);

  const plain = afterFirstBlock();
  const second = block(2, plain.first);
  plain.propose(2, 1, second);
  plain.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  plain.certificate(notarization(2, 1, 'b2'));
  t.same(votesIn(plain.propose(3, 2, second)), ['nullify 3']);
});

t.test(
  'W10: the epoch ends with the finalized closing block, in whatever view; then this engine only answers',
  async (t) => {
    const made = afterFirstBlock();
    const closing = block(2, made.first, { closing: true });
    made.propose(2, 1, closing);
    made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
    made.certificate(notarization(2, 1, 'b2'));
    const ended = made.certificate(finalization(3, 2, 'b2'));
    t.equal(of(ended, 'epochEnded')[0]?.block.id, 'b2');
    t.same(votesIn(made.pass(1_000_000)), []);
    t.equal(of(made.give({ type: 'request', peer: 1, view: 2 }), 'send').length, 1);
    const late = of(made.give({ type: 'vote', vote: vote('nullify', 1, 4) }), 'send');
    t.same(
      late.map((effect) => effect.message.type === 'certificate' && effect.message.certificate.kind),
      ['finalize'],
      'who votes on is told',
    );
    const unseen = afterFirstBlock();
    unseen.certificate(finalization(3, 2, 'b2'));
    t.equal(
      of(unseen.give({ type: 'committed', view: 3, block: closing }), 'epochEnded').length,
      1,
      'also when the block comes later',
    );
  },
);

t.test(
  'W9, W10: the closing block comes with the certificate of another view than the engine ended with',
  async (t) => {
    for (const provenIn of [2, 4]) {
      const made = afterFirstBlock();
      const closing = block(2, made.first, { closing: true });
      made.propose(2, 1, closing);
      made.certificate(finalization(3, 2, 'b2'));
      t.equal(made.state.ended, true, 'and an ancestor is not here yet');
      // As the shell does after a run of blocks.
      made.certificate(finalization(provenIn, 3, 'b2'));
      made.give({ type: 'committed', view: provenIn, block: closing });
      t.equal(made.state.halted, undefined);
      t.same([made.state.floor.view, made.state.floor.block.id], [Math.min(3, provenIn), 'b2']);
      made.give({ type: 'committed', view: 3, block: closing });
      t.equal(made.state.floor.view, 3);
    }
  },
);

t.test('W10: the closing block of the epoch before is an ordinary parent', async (t) => {
  const before = { ...genesis, id: 'end', epoch: 1, height: 9, view: 44, closing: true, time: 5 };
  const made = bench(configOf({ epoch: 2, floor: { view: 0, block: before } }));
  const facts = { ...block(1, before), epoch: 2 };
  const proposal = { ...vote('notarize', 1, 1, 0, 'b1'), subject: { epoch: 2, view: 1, parentView: 0, blockId: 'b1' } };
  t.equal(of(made.give({ type: 'proposal', vote: proposal as never, block: facts }), 'verify').length, 1);
});

t.test('W11: voting begins when q − 1 others have answered', async (t) => {
  const made = bench(configOf(), { silentStart: true });
  made.propose(1, 0, block(1, genesis));
  t.same(votesIn(made.give({ type: 'verified', view: 1, blockId: 'b1', verdict: 'valid' })), []);
  t.same(votesIn(made.pass(timings.certificationTimeoutMs)), []);
  made.give({ type: 'answered', peer: 1, votes: [] });
  made.give({ type: 'answered', peer: 1, votes: [] });
  t.equal(made.state.voting, false, 'one peer is one');
  t.equal(of(made.give({ type: 'answered', peer: 3, votes: [] }), 'voting').length, 1);
  t.ok(made.state.voting);
  t.ok(bench(configOf({ validators: 1, leaderOrder: [0] }), { silentStart: true }).state.voting, 'n = 1 at once');
});

t.test('W11: a vote of ours that the journal lacks stops everything, wherever it is met', async (t) => {
  const lost = vote('notarize', 0, 1, 0, 'b1');
  for (const event of [
    { type: 'answered', peer: 1, votes: [lost] } as const,
    { type: 'vote', vote: lost } as const,
    { type: 'certificate', certificate: notarization(1, 0, 'b1', [0, 1, 2]) } as const,
  ]) {
    const made = bench(configOf());
    t.equal(of(made.give(event), 'halt')[0]?.code, 'JOURNAL_ROLLED_BACK', event.type);
  }
  const made = bench(configOf());
  made.propose(1, 0, block(1, genesis));
  made.give({ type: 'verified', view: 1, blockId: 'b1', verdict: 'valid' });
  t.same(of(made.give({ type: 'vote', vote: lost }), 'halt'), [], 'one that it holds does not');
  t.equal(of(made.give({ type: 'vote', vote: vote('notarize', 0, 1, 0, 'x') }), 'halt').length, 1, 'another one does');
  const above = bench(configOf({ floor: { view: 1, block: block(1, genesis) } }));
  t.same(of(above.give({ type: 'answered', peer: 1, votes: [lost] }), 'halt'), [], 'below the floor nothing is asked');
});

t.test('W11: what a peer is answered comes from votes and from certificates', async (t) => {
  const made = afterFirstBlock();
  made.give({ type: 'vote', vote: vote('nullify', 3, 2) });
  const answer = of(made.give({ type: 'asked', peer: 3 }), 'send')[0];
  t.equal(answer?.peer, 3);
  const votes =
    answer?.message.type === 'yourVotes'
      ? answer.message.votes.map((each) => `${each.kind} ${each.subject.view} ${each.signature[0]}`)
      : [];
  t.same(votes, ['nullify 2 3', 'notarize 1 3', 'finalize 1 3']);
  const restarted = bench(configOf({ floor: { view: 1, block: made.first, certificate: finalization(1, 0, 'b1') } }));
  const again = of(restarted.give({ type: 'asked', peer: 3 }), 'send')[0]?.message;
  t.same(again?.type === 'yourVotes' && again.votes.map((each) => each.kind), ['finalize'], "the floor's certificate");
});

t.test('W11: the newest votes of each validator outlive the views that are retained', async (t) => {
  const made = afterFirstBlock();
  let parent = made.first;
  for (let view = 2; view <= 39; view += 1) {
    if (view % 4 === 0) {
      made.certificate(nullification(view));
      continue;
    }
    const next = block(view, parent);
    made.propose(view, parent.view, next);
    made.certificate(notarization(view, parent.view, next.id));
    made.certificate(finalization(view, parent.view, next.id));
    made.give({ type: 'committed', view, block: next });
    parent = next;
  }
  t.equal(made.state.finalizedView, 39);
  const newest = made.state.viewsFrom - 1;
  t.ok(newest > 5);
  // As if nothing that is retained were validator 3's.
  made.state.views.clear();
  const answer = of(made.give({ type: 'asked', peer: 3 }), 'send')[0]?.message;
  const votes = answer?.type === 'yourVotes' ? answer.votes.map((each) => `${each.kind} ${each.subject.view}`) : [];
  t.ok(votes.includes(`notarize ${newest}`) && votes.includes(`finalize ${newest}`), votes.join(', '));
  t.ok(made.state.newestVotes.size <= made.state.config.validators);
});

t.test('an observer follows and never votes', async (t) => {
  const { me: _, ...rest } = configOf();
  const made = bench(rest);
  made.propose(1, 0, block(1, genesis));
  t.same(certificatesKept(made.certificate(notarization(1, 0, 'b1'))), ['notarize 1']);
  made.give({ type: 'certified', view: 1, blockId: 'b1', verdict: 'valid' });
  t.equal(of(made.certificate(finalization(1, 0, 'b1')), 'finalized')[0]?.block?.id, 'b1');
  t.same(votesIn(made.pass(1_000_000)), []);
  t.equal(made.state.view, 2);
});
