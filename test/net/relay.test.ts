import t from 'tap';
import type { RelayVerdict } from '../../src/net/types.ts';
import { bytes, closeAll, startMesh, text, until } from './harness.ts';

// Content of these tests: "<signer>|<anything>"; "bad|" has a wrong signature, "far|" belongs to another epoch.
function verify(_kind: number, payload: Uint8Array): RelayVerdict {
  const [signer = ''] = text(payload).split('|');
  if (signer === 'bad') return 'invalid';
  if (signer === 'far') return 'unknown';
  return signer === 'many' ? {} : { signer };
}

t.test('four validators, one dead, one link cut: votes still reach everybody', async (t) => {
  const members = await startMesh(['validator', 'validator', 'validator', 'validator'], {
    cut: [['v0', 'v1']],
    behaviour: () => ({ verifyRelayed: verify }),
  });
  const [a, b, c, d] = members;
  t.teardown(() => closeAll(members));
  await until('lanes are up', () => c!.network.stats().urgent.lanes === 3);
  await d!.network.close();
  await until('nobody hears the dead one any more', () => a!.network.heardMs('v3') > 800);
  await until('v0 knows that v2 hears v1', () => a!.network.heardMs('v1') < 300 && b!.network.heardMs('v0') < 300);
  await until('there has been no lane for long enough', () =>
    a!.network.send('v1', 'urgent', 1, bytes('v0|vote'), { class: 'vote', view: 5 }),
  );
  await until('the vote came through v2', () => b!.frames.length === 1);
  t.match(b!.frames[0], { peer: 'v2', signer: 'v0', relayed: true, kind: 1, lane: 'urgent' });
  t.equal(text(b!.frames[0]!.payload), 'v0|vote');

  a!.network.broadcast('urgent', 2, bytes('many|certificate'), { class: 'certificate', view: 5, displaces: 1 });
  await until('the certificate too', () => b!.frames.length === 2 && c!.frames.length === 1);
  t.match(
    b!.frames[1],
    { peer: 'v2', signer: 'v2', relayed: true, kind: 2 },
    'without one signer the relay stands for it',
  );

  t.equal(a!.network.send('v1', 'urgent', 3, bytes('v0|chat')), false, 'other messages are not relayed');
  t.equal(a!.network.send('v3', 'urgent', 1, bytes('v0|vote'), { class: 'vote' }), false, 'nobody hears the dead one');

  const forwarded = c!.network.stats().relay.forwarded;
  for (let index = 0; index < 5; index++) a!.network.send('v1', 'urgent', 1, bytes('v0|again'), { class: 'vote' });
  await until('one copy came', () => b!.frames.length === 3);
  a!.network.send('v1', 'urgent', 1, bytes('v0|last'), { class: 'vote' });
  await until('the next came', () => b!.frames.length === 4);
  t.equal(c!.network.stats().relay.forwarded, forwarded + 2, 'the same bytes are forwarded once');
  await new Promise((resolve) => setTimeout(resolve, 350));
  a!.network.send('v1', 'urgent', 1, bytes('v0|again'), { class: 'vote' });
  await until('a retry later goes through', () => b!.frames.length === 5);

  a!.network.send('v1', 'urgent', 1, bytes('far|vote'), { class: 'vote' });
  await until('v2 refused it', () => c!.network.stats().relay.refused === 1);
  t.equal(c!.network.stats().urgent.misbehaved, 0, 'what cannot be judged is nobody’s fault');
  a!.network.send('v1', 'urgent', 1, bytes('bad|vote'), { class: 'vote' });
  await until(
    'v2 closed the lane of v0',
    () => a!.events.includes('down v2') && c!.network.stats().urgent.misbehaved === 1,
  );
  await until('and opened it again', () => a!.events.filter((event) => event === 'up v2').length === 2);
  t.equal(b!.frames.length, 5);
});

t.test('the relaying peer answers for what it relays', async (t) => {
  const members = await startMesh(['validator', 'validator', 'validator'], {
    cut: [['v0', 'v1']],
    // v2 does not check; v1 does.
    behaviour: (name) => ({ verifyRelayed: name === 'v2' ? () => ({}) : verify }),
  });
  const [a, b, c] = members;
  t.teardown(() => closeAll(members));
  await until('lanes are up', () => c!.network.stats().urgent.lanes === 2);
  await until('a relay is there', () => a!.network.send('v1', 'urgent', 1, bytes('v0|ok'), { class: 'proposal' }));
  await until('it came', () => b!.frames.length > 0);
  a!.network.send('v1', 'urgent', 1, bytes('bad|vote'), { class: 'vote' });
  await until('v1 closed the lane of v2', () => b!.network.stats().urgent.misbehaved === 1);
  t.equal(a!.network.connected('v2'), true);
  t.notOk(b!.frames.some((frame) => text(frame.payload).startsWith('bad')));
});
