import t from 'tap';
import { agree, all, EpochNet, fourVoting, parametersOf, work } from './epochNet.ts';

t.setTimeout(120_000);

t.test('one validator becomes four, and the chain goes on through every kind of change', async (t) => {
  const net = await EpochNet.make(t, 1);
  await net.start('v1');
  await net.votes('v1');
  const joining = ['v2', 'v3', 'v4'];
  for (const name of joining) await net.join(name);
  for (const name of joining) await net.start(name);
  t.equal(net.status('v2').notVoting, 'NODE_UNKNOWN', 'not listed yet, and not turned away either');
  t.equal(await net.change({ kind: 'validators', set: joining.map((name) => net.entry(name)), remove: [] }, all), 2);
  await net.votes(...all);
  t.same(
    net.status('v3').validators.map(({ name }) => name),
    all,
  );
  await work(net, 'v4');

  // A vote key of the next epoch lies in a second file: the node goes over to it by itself.
  await net.stop('v2');
  const next = net.renew('v2', 'vote');
  await net.start('v2');
  await net.votes(...all);
  t.equal(await net.change({ kind: 'validators', set: [net.entry('v2', next)], remove: [] }, all), 3);
  await net.votes(...all);

  // Whoever leads now leaves.
  const leader = net.status('v1').leader;
  const rest = all.filter((name) => name !== leader);
  t.equal(await net.change({ kind: 'validators', set: [], remove: [leader] }, all, rest[0]), 4);
  await net.votes(...rest);
  await net.until('the leader knows that it left', () => net.status(leader).notVoting === 'NODE_UNKNOWN');
  t.equal(net.status(leader).role, 'observer');
  t.notOk(net.node(leader).api.ready().ready);
  await work(net, rest[1] ?? '');

  const parameters = parametersOf(net, 'v3');
  const changed = { ...parameters, maxTxLifetimeMs: 120_000, cosignEveryBlocks: 2 };
  t.equal(await net.change({ kind: 'parameters', parameters: changed }, rest, rest[0]), 5);
  await net.votes(...rest);
  await work(net, rest[2] ?? '');
  await agree(t, net, rest, 4);

  const [teller = ''] = rest;
  const checkpoint = net.node(teller).api.checkpoint() ?? '';
  await net.stop(teller);
  const audited = await net.audit(teller, checkpoint);
  t.match(audited, { ok: true, epochs: 5, closings: 4, checkpoint: { size: Number } });
});

t.test('asleep over one epoch and over five: back without a command, with a vote', async (t) => {
  const net = await fourVoting(t);
  const awake = ['v1', 'v2', 'v3'];
  const parameters = parametersOf(net, 'v1');
  let epoch = 1;
  for (const epochs of [1, 5]) {
    await net.stop('v4');
    for (let i = 0; i < epochs; i += 1) {
      const cosignEveryBlocks = 1 + (epoch % 3);
      epoch = await net.change({ kind: 'parameters', parameters: { ...parameters, cosignEveryBlocks } }, awake, 'v1');
      await net.votes(...awake);
      await work(net, 'v2');
    }
    await net.start('v4');
    await net.until(`v4 in epoch ${epoch}`, () => net.status('v4').epoch === epoch);
    await net.votes('v4');
    await work(net, 'v4');
  }
  t.equal(epoch, 7);
  await agree(t, net, all, 6);
  t.same(net.cries, [], 'nobody complains');
});
