import t from 'tap';
import { bytes, closeAll, startMesh, until } from './harness.ts';

t.test('headers reach observers, transactions come from them', async (t) => {
  const members = await startMesh(['validator', 'validator', 'observer', 'observer'], {
    cut: [['v0', 'o3']],
    behaviour: () => ({
      onGossip: (data) =>
        data[0] === 'b'.charCodeAt(0) ? 'reject' : data[0] === 'i'.charCodeAt(0) ? 'ignore' : 'accept',
    }),
  });
  const [a, b, c, d] = members;
  t.teardown(() => closeAll(members));
  await until(
    'gossip has its neighbours',
    () =>
      a!.network.stats().gossip.peers === 2 &&
      b!.network.stats().gossip.peers === 3 &&
      d!.network.stats().gossip.peers === 1,
  );
  // A neighbour is only published to once its subscriptions have come.
  await until('it goes to both', () => {
    void a!.network.publish('headers', bytes(`probe ${performance.now()}`));
    return members.slice(1).every(({ gossip }) => gossip.length > 0);
  });
  a!.gossip.length = b!.gossip.length = c!.gossip.length = d!.gossip.length = 0;

  await a!.network.publish('headers', bytes('header 1'));
  await until('it reached everybody', () =>
    [b, c, d].every((member) => member!.gossip.some(({ text }) => text === 'header 1')),
  );
  t.match(
    d!.gossip.find(({ text }) => text === 'header 1'),
    { topic: 'headers', from: 'v1' },
    'through the other validator, where the link is cut',
  );
  t.equal(await a!.network.publish('headers', bytes('header 1')), 0, 'the same again goes nowhere');
  await a!.network.publish('checkpoints', bytes('header 1'));
  await until('another topic is another message', () => c!.gossip.some(({ topic }) => topic === 'checkpoints'));

  await d!.network.publish('transactions', bytes('a transaction'));
  await until(
    'validators have it',
    () =>
      a!.gossip.some(({ topic, from }) => topic === 'transactions' && from === 'v1') &&
      b!.gossip.some(({ topic, from }) => topic === 'transactions' && from === 'o3'),
  );
  t.equal(a!.gossip.filter(({ topic }) => topic === 'transactions').length, 1, 'judged once');

  await d!.network.publish('evidence', bytes('bad evidence'));
  await d!.network.publish('evidence', bytes('i do not know'));
  await until('v1 judged both', () => b!.gossip.filter(({ topic }) => topic === 'evidence').length === 2);
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(a!.gossip.filter(({ topic }) => topic === 'evidence').length, 0, 'neither was forwarded');
  t.equal(b!.network.stats().gossip.rejected, 1);
  t.equal(b!.network.stats().gossip.ignored, 1);

  t.equal(await a!.network.publish('headers', new Uint8Array(200_000)), 0, 'above the bound');
  t.equal(await a!.network.publish('headers', new Uint8Array(0)), 0);
});

t.test('gossip survives the loss of a bulk connection', async (t) => {
  const members = await startMesh(['validator', 'observer']);
  const [a, b] = members;
  t.teardown(() => closeAll(members));
  await until('neighbours', () => a!.network.stats().gossip.peers === 1 && b!.network.stats().gossip.peers === 1);
  const peers = [{ name: 'v0', role: a!.role, peerKey: a!.peerKey, addresses: a!.network.addresses() }];
  b!.network.setPeers([]);
  await until('gone', () => a!.network.stats().gossip.peers === 0 && !a!.network.connected('o1'));
  b!.network.setPeers(peers);
  await until('back', () => a!.network.connected('o1'));
  await until('gossip too', () => {
    void a!.network.publish('checkpoints', bytes(`checkpoint ${performance.now()}`));
    return b!.gossip.length > 0;
  });
  t.pass('it came back');
});
