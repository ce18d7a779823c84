import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { agree, all, EpochNet, fourVoting, work } from './epochNet.ts';

t.setTimeout(120_000);

t.test('the whole set goes at once: the new one has what the old one signed last', async (t) => {
  const net = await EpochNet.make(t, 1);
  await net.start('v1');
  await net.votes('v1');
  await net.join('v2');
  await net.start('v2');
  await net.change({ kind: 'validators', set: [net.entry('v2')], remove: ['v1'] }, ['v1', 'v2']);
  await net.votes('v2');
  await work(net, 'v2');
  await agree(t, net, ['v1', 'v2'], 1);
  t.equal(net.status('v1').notVoting, 'NODE_UNKNOWN');
  t.match(
    net.lines.join('\n'),
    /v1 info the vote, log and cosigner keys that this node had in this epoch may be erased/,
  );
  t.match(net.cries, [/v2 error .*NODE_UNKNOWN/, /v1 error .*"epoch":2.*NODE_UNKNOWN/]);
  t.match(net.status('v2').validators, [{ name: 'v2' }]);
});

t.test('keys: all of them replaced, a lost journal, a file that is not the listed one', async (t) => {
  const net = await fourVoting(t);

  // Another peer key is another host: the node opens itself anew.
  await net.stop('v3');
  const whole = net.renew('v3', 'peer', 'vote', 'log', 'cosigner');
  await net.start('v3', { reopen: (why) => void net.reopen('v3', why) });
  await net.votes(...all);
  await net.change({ kind: 'validators', set: [net.entry('v3', whole)], remove: [] }, ['v1', 'v2', 'v4'], 'v1');
  await net.until('v3 opens itself anew', () => net.lines.some((line) => line.includes('reopened for PEER_KEY')));
  await net.until('v3 is back under its new keys', () => net.nodes.has('v3') && net.status('v3').epoch === 2);
  await net.votes(...all);
  await work(net, 'v3');

  // A vote key whose journal is lost votes no more; a new one does.
  await net.stop('v4');
  rmSync(join(net.dataOf('v4'), 'journal'), { recursive: true });
  const fresh = net.renew('v4', 'vote');
  await net.start('v4');
  t.equal(net.status('v4').notVoting, 'JOURNAL_LOST');
  await net.change({ kind: 'validators', set: [net.entry('v4', fresh)], remove: [] }, all, 'v1');
  await net.votes(...all);
  await work(net, 'v4');

  // The entry changes, and the node has no file for it: it follows, says so, and votes when it has.
  const before = net.renew('v2', 'vote');
  await net.change({ kind: 'validators', set: [net.entry('v2', before)], remove: [] }, all, 'v1');
  await net.until('v2 misses its keys', () => net.status('v2').notVoting === 'KEYS_FOREIGN');
  await net.votes('v1', 'v3', 'v4');
  await work(net, 'v1');
  await net.stop('v2');
  await net.start('v2');
  await net.votes(...all);
  await agree(t, net, all, 3);
  const blamed = net.lines.filter((line) => line.includes('what no honest node sends'));
  t.same(blamed, [], 'nobody is blamed for being an epoch apart');
});

t.test("another node's key file is a mistake at once", async (t) => {
  const net = await EpochNet.make(t, 2);
  net.swapKeys('v1', 'v2');
  await t.rejects(net.start('v1'), { code: 'KEYS_FOREIGN', message: /is that of 'v2'/ });
});
