import t from 'tap';
import { agree, all, fourVoting, work } from './epochNet.ts';

t.setTimeout(120_000);

t.test('an observer is listed while it runs, and a damaged journal is left behind with its key', async (t) => {
  const net = await fourVoting(t);
  await net.join('o1');
  await net.start('o1');
  t.equal(net.status('o1').notVoting, 'NODE_UNKNOWN');
  const { name, peer } = net.entry('o1');
  const proposal = await net.propose({ kind: 'observers', set: [{ name, peer: peer ?? '' }], remove: [] }, 'v1');
  await net.send('council', 'governance.approve', { proposal }, 'v1');
  await net.until('o1 follows', () => {
    const { notVoting, finalized } = net.status('o1');
    return notVoting === '' && finalized.height > 3;
  });
  t.equal(net.status('o1').epoch, 1, 'observers end no epoch');
  await work(net, 'o1');

  await net.stop('v4');
  net.breakJournal('v4');
  const fresh = net.renew('v4', 'vote');
  await net.start('v4');
  t.equal(net.status('v4').notVoting, 'JOURNAL_DAMAGED');
  await net.change({ kind: 'validators', set: [net.entry('v4', fresh)], remove: [] }, [...all, 'o1'], 'v1');
  await net.votes(...all);
  await work(net, 'v4');
  await net.stop('v4');
  await net.start('v4');
  await net.votes(...all);
  await agree(t, net, [...all, 'o1'], 1);
});
