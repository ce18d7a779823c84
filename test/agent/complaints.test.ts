import t from 'tap';
import { Complaints } from '../../src/agent/complaints.ts';
import { WeftError } from '../../src/codec/error.ts';

t.test('why nothing can be proven is said by code, now and then, and never without end', async (t) => {
  const said: string[] = [];
  let nowMs = 0;
  const complaints = new Complaints(
    (message) => said.push(message),
    () => nowMs,
  );
  const future = new WeftError('STATUS_FUTURE', 'the checkpoint is ahead: set the clock right');
  for (let n = 0; n < 100; n++) complaints.about(future);
  t.same(said, [
    'grants are not looked at, or leases not renewed (STATUS_FUTURE): the checkpoint is ahead: set the clock right',
  ]);
  complaints.about(new WeftError('TOKEN_EFFECT', 'what a node made up'));
  t.equal(said.length, 1);
  nowMs += 60_000;
  complaints.about(future);
  t.equal(said.length, 2);
  for (let n = 0; n < 1000; n++) complaints.about(new WeftError(`X_${n}`, 'an\u001b[2J\nescape'));
  t.equal(said.length, 33, 'codes of nodes may be made up');
  t.notMatch(said.at(-1), /\p{Cc}/u);
});
