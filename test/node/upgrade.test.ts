// An upgrade on running nodes: three have the new ruleset, one does not.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { NodeOptions } from '../../src/node/node.ts';
import { bothRulesets } from '../ledger/rulesetTwo.ts';
import { agree, EpochNet, work } from './epochNet.ts';

/** A build that has it. */
const newer: Partial<NodeOptions> = { openLedger: (options) => Ledger.open({ ...options, rulesets: bothRulesets }) };
const upgrade = { kind: 'ruleset', ruleset: 2 };

t.test('who has the ruleset goes on; who lacks it stops, answers, and votes again under a newer build', async (t) => {
  const net = await EpochNet.make(t, 4);
  const all = ['v1', 'v2', 'v3', 'v4'];
  for (const name of ['v1', 'v2', 'v3']) await net.start(name, newer);
  await net.start('v4');
  await net.votes(...all);
  await net.change(upgrade, ['v1', 'v2', 'v3'], 'v1');
  await net.until('v4 stops', () => net.status('v4').notVoting === 'RULESET_UNKNOWN');
  t.match(net.cries.join('\n'), /v4 error .*RULESET_UNKNOWN.*under ruleset 2.*install a Weft that has it/);
  await net.votes('v1', 'v2', 'v3');
  await work(net, 'v1');
  const { finalized } = net.status('v4');
  t.equal(finalized.height, net.node('v1').api.block(finalized.height)?.height, 'it still answers');
  await t.rejects(net.send('operator', 'identity.roles', { account: 'council', roles: [] }, 'v4'), {
    code: 'NODE_STOPPED',
  });

  await net.stop('v4');
  await net.start('v4');
  t.equal(net.status('v4').notVoting, 'RULESET_UNKNOWN', 'the old build says so at once');
  await net.stop('v4');
  await net.start('v4', newer);
  await net.votes(...all);
  await work(net, 'v4');
  await agree(t, net, all, 1);
});

t.test('an upgrade that too few builds have is not approved', async (t) => {
  const net = await EpochNet.make(t, 4);
  const all = ['v1', 'v2', 'v3', 'v4'];
  for (const name of ['v1', 'v2']) await net.start(name, newer);
  for (const name of ['v3', 'v4']) await net.start(name);
  await net.votes(...all);
  const proposal = await net.propose(upgrade, 'v1');
  await net.until('two are ready', () => net.node('v1').api.governance().proposals[0]?.ready.length === 2);
  await sleep(1500);
  await t.rejects(net.send('council', 'governance.approve', { proposal }, 'v1'), /GOVERNANCE_NOT_READY/);
  t.match(net.node('v1').api.governance().proposals, [{ ready: ['v1', 'v2'], missing: ['v3', 'v4'] }]);
  await work(net, 'v3');
});
