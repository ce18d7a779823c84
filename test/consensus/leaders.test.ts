import t from 'tap';
import { createPresence, hear, hearAll, markFailed, markNotarized, skipTurn } from '../../consensus/leaders.ts';
import { afterFirstBlock, block, configOf, notarization, nullification, timings, vote, votesIn } from './harness.ts';

const { skipMs } = timings;
const everybody = (n: number, except: number[] = []): number[] =>
  Array.from({ length: n }, (_, i) => i).filter((i) => !except.includes(i));

function presenceOf(validators: number) {
  const presence = createPresence(configOf({ validators, me: 0 }));
  hearAll(presence, 0);
  return presence;
}

t.test('W3: a silent leader is skipped while a quorum is active, and not when it is back', async (t) => {
  const presence = presenceOf(4);
  for (const peer of [1, 2]) hear(presence, peer, skipMs - 1);
  t.notOk(skipTurn(presence, 3, skipMs - 1), 'not yet silent for skipMs');
  t.ok(skipTurn(presence, 3, skipMs));
  hear(presence, 3, skipMs + 5);
  t.notOk(skipTurn(presence, 3, skipMs + 5));
});

t.test('W3: with fewer than q active nobody is skipped', async (t) => {
  const presence = presenceOf(4);
  hear(presence, 1, skipMs);
  t.notOk(skipTurn(presence, 3, skipMs));
  t.notOk(skipTurn(presence, 2, skipMs));
});

t.test('W3: a failed turn costs skipMs, then a full turn, then twice as long, up to 16 times', async (t) => {
  const presence = presenceOf(4);
  let nowMs = 0;
  const at = (ms: number): boolean => {
    nowMs = ms;
    for (const peer of [1, 2, 3]) hear(presence, peer, nowMs);
    return skipTurn(presence, 3, nowMs);
  };
  for (const factor of [1, 2, 4, 8, 16, 16]) {
    markFailed(presence, 3);
    t.ok(at(nowMs + 1), `skipped, ${factor}`);
    const from = nowMs;
    t.ok(at(from + factor * skipMs - 1), 'until the end');
    t.notOk(at(from + factor * skipMs), 'then one full turn');
    t.notOk(at(nowMs + 1), 'and more, if that did not fail');
  }
  markFailed(presence, 3);
  markNotarized(presence, 3, nowMs);
  t.notOk(at(nowMs + 1), 'a notarized proposal of its own wipes it out');
  markFailed(presence, 3);
  t.ok(at(nowMs + 1));
  t.notOk(at(nowMs + skipMs), 'and the length');
});

t.test('W3: at most f at a time: the silent first, then by last notarized proposal, ties by index', async (t) => {
  const presence = presenceOf(7);
  const nowMs = skipMs + 10;
  for (const peer of everybody(7, [6])) hear(presence, peer, nowMs);
  for (const failed of [1, 2, 3]) markFailed(presence, failed);
  markNotarized(presence, 1, 5);
  markFailed(presence, 1);
  t.same(
    [1, 2, 3, 6].filter((leader) => skipTurn(presence, leader, nowMs)),
    [2, 6],
    '6 is silent; 2 and 3 never proposed, 2 by index',
  );
});

t.test('W3: f that are gone leave no place for others, before they are silent for skipMs', async (t) => {
  const presence = presenceOf(4);
  const nowMs = timings.leaderSilentMs;
  for (const peer of [1, 2]) hear(presence, peer, nowMs);
  markFailed(presence, 1);
  t.notOk(skipTurn(presence, 1, nowMs), '3 is gone: a quorum has no vote to spare for its turn');
  t.notOk(skipTurn(presence, 3, nowMs), 'and W7 passes over 3');
  hear(presence, 3, nowMs);
  t.ok(skipTurn(presence, 1, nowMs), '3 is back');
});

t.test('W3: me and a set without faults are never skipped', async (t) => {
  const presence = presenceOf(4);
  for (const peer of [1, 2, 3]) hear(presence, peer, skipMs);
  t.notOk(skipTurn(presence, 0, skipMs));
  const small = presenceOf(3);
  for (const peer of [1, 2]) markFailed(small, peer);
  t.notOk(skipTurn(small, 1, 1));
});

t.test(
  'W3: an own timeout in full while a quorum voted counts against the leader; joining others does not',
  async (t) => {
    const made = afterFirstBlock();
    made.give({ type: 'work', pending: true });
    t.same(votesIn(made.pass(timings.leaderTimeoutMs)), ['nullify 2']);
    made.certificate(nullification(2));
    t.ok(made.state.presence.standings[2]!.failed);

    const joined = afterFirstBlock();
    joined.give({ type: 'vote', vote: vote('nullify', 1, 2) });
    t.same(votesIn(joined.give({ type: 'vote', vote: vote('nullify', 3, 2) })), ['nullify 2']);
    joined.certificate(nullification(2));
    t.notOk(joined.state.presence.standings[2]!.failed);

    for (const [ms, failed] of [
      [timings.leaderTimeoutMs / 2 - 1, false],
      [timings.leaderTimeoutMs - 1, true],
    ] as const) {
      const gaveUp = afterFirstBlock();
      gaveUp.give({ type: 'work', pending: true });
      gaveUp.pass(ms);
      t.same(votesIn(gaveUp.give({ type: 'vote', vote: vote('nullify', 2, 2) })), ['nullify 2']);
      gaveUp.certificate(nullification(2));
      t.equal(gaveUp.state.presence.standings[2]!.failed, failed, `its own nullify after ${ms} ms`);
    }

    const silent = afterFirstBlock();
    t.same(votesIn(silent.pass(timings.leaderSilentMs, { heard: false })), ['nullify 2']);
    silent.certificate(nullification(2));
    t.notOk(silent.state.presence.standings[2]!.failed, 'nor W7');
  },
);

t.test('W3: a skipped leader is nullified on entry, unless its proposal is here already', async (t) => {
  const made = afterFirstBlock();
  markFailed(made.state.presence, 3);
  made.propose(2, 1, block(2, made.first));
  made.give({ type: 'verified', view: 2, blockId: 'b2', verdict: 'valid' });
  const early = block(3, block(2, made.first));
  made.propose(3, 2, early);
  t.notOk(
    votesIn(made.certificate(notarization(2, 1, 'b2'))).includes('nullify 3'),
    'its proposal came before the view',
  );

  const other = afterFirstBlock();
  markFailed(other.state.presence, 3);
  t.same(votesIn(other.certificate(nullification(2))), ['nullify 3']);
});
