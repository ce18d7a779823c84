import t from 'tap';
import type { Effect } from '../../consensus/types.ts';
import {
  afterFirstBlock,
  bench,
  block,
  certificatesIn,
  configOf,
  finalization,
  genesis,
  notarization,
  nullification,
  of,
  vote,
} from './harness.ts';

const config = configOf();
const holdMs = config.timings.leaderTimeoutMs / 10;

/** "kind view → peer" of what is sent to single peers. */
function sentIn(effects: readonly Effect[]): string[] {
  return of(effects, 'send').flatMap(({ peer, message }) =>
    message.type === 'certificate' ? [`${message.certificate.kind} ${message.certificate.subject.view} → ${peer}`] : [],
  );
}

t.test('S3: a certificate waits a moment, then goes to all who have shown nothing', async (t) => {
  const made = bench(config);
  made.propose(1, 0, block(1, genesis));
  t.same(certificatesIn(made.certificate(notarization(1, 0, 'b1'))), []);
  t.same(certificatesIn(made.pass(holdMs - 1)), []);
  t.same(certificatesIn(made.pass(1)), ['notarize 1']);
  t.same(certificatesIn(made.pass(holdMs)), [], 'once');
});

t.test('S3: not to those whose votes show that they need none', async (t) => {
  const made = bench(config);
  made.propose(1, 0, block(1, genesis));
  made.certificate(notarization(1, 0, 'b1'));
  // 1 finalizes this view; 2 builds on it in the next one. 3 is silent.
  made.give({ type: 'vote', vote: vote('finalize', 1, 1, 0, 'b1') });
  made.give({ type: 'vote', vote: vote('notarize', 2, 2, 1, 'b2') });
  const due = made.pass(holdMs);
  t.same(certificatesIn(due), []);
  t.same(sentIn(due), ['notarize 1 → 3']);
});

t.test('S3: a vote in a later view on another parent shows nothing', async (t) => {
  const made = bench(config);
  made.propose(1, 0, block(1, genesis));
  made.certificate(notarization(1, 0, 'b1'));
  for (const peer of [1, 2, 3]) made.give({ type: 'vote', vote: vote('notarize', peer, 2, 0, `c${peer}`) });
  t.same(certificatesIn(made.pass(holdMs)), ['notarize 1']);
});

t.test('S3: a finalization goes to those who have not signed the log behind it', async (t) => {
  const made = afterFirstBlock(config);
  t.same(made.give({ type: 'cosigned', peer: 1, height: 1 }), []);
  made.give({ type: 'cosigned', peer: 2, height: 2 });
  made.give({ type: 'vote', vote: vote('finalize', 3, 1, 0, 'b1') });
  made.give({ type: 'cosigned', peer: 3, height: 0 });
  t.same(sentIn(made.pass(holdMs)), ['finalize 1 → 3'], 'the notarization below it goes to nobody');
});

t.test('S3: who lacked a notarization gets the next ones at once, until it is tried again', async (t) => {
  const made = bench(config);
  // A liar hides its votes from 3, which so lacks every notarization; 1 and 2 lack none.
  let waited = 0;
  for (let view = 1; view <= 18; view += 1) {
    const atOnce = sentIn(made.certificate(notarization(view, view - 1, `b${view}`)));
    for (const peer of [1, 2]) made.give({ type: 'vote', vote: vote('finalize', peer, view, view - 1, `b${view}`) });
    const due = made.pass(holdMs);
    t.same([...atOnce, ...sentIn(due)], [`notarize ${view} → 3`]);
    t.same(certificatesIn(due), []);
    if (atOnce.length === 0) waited += 1;
  }
  t.equal(waited, 2, 'one view of seventeen');
});

t.test('S3: who comes back is believed by its hello alone', async (t) => {
  const made = afterFirstBlock(config);
  for (const peer of [1, 2, 3]) made.give({ type: 'cosigned', peer, height: 1 });
  made.give({ type: 'connected', peer: 2, finalizedView: 0 });
  t.same(sentIn(made.pass(holdMs)), ['finalize 1 → 2']);
  const again = afterFirstBlock(config);
  for (const peer of [1, 2, 3]) again.give({ type: 'connected', peer, finalizedView: 1 });
  const due = again.pass(holdMs);
  t.same([...sentIn(due), ...certificatesIn(due)], []);
});

t.test('S3: what is due is sent in its newest form', async (t) => {
  const made = afterFirstBlock(config);
  made.pass(holdMs - 1);
  const second = block(2, made.first);
  made.propose(2, 1, second);
  made.certificate(notarization(2, 1, second.id));
  made.certificate(finalization(2, 1, second.id));
  for (const peer of [1, 2]) made.give({ type: 'cosigned', peer, height: 2 });
  t.same(sentIn(made.pass(1)), ['finalize 2 → 3']);
});

t.test('S3: a nullification waits for nothing', async (t) => {
  const made = bench(config);
  t.same(certificatesIn(made.certificate(nullification(1))), ['nullify 1']);
});

t.test('S3, W10: the end of an epoch waits for nothing: no timer runs after it', async (t) => {
  const made = bench(config);
  const last = block(1, genesis, { closing: true });
  made.propose(1, 0, last);
  made.give({ type: 'verified', view: 1, blockId: last.id, verdict: 'valid' });
  made.certificate(notarization(1, 0, last.id));
  const ended = made.certificate(finalization(1, 0, last.id));
  t.equal(of(ended, 'epochEnded').length, 1);
  t.same(certificatesIn(ended), ['finalize 1']);
});
