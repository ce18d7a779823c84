// Offline commands over proofs: exit code 0 with words, or 1 with the code of what speaks against it.
import { join } from 'node:path';
import t from 'tap';
import { sha256 } from '../../src/crypto/hash.ts';
import { signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign, publishCheckpoint } from '../../src/log/cosignature.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { claimPaths, readTrust, statusPaths } from '../../src/token/node.ts';
import { formatTrust } from '../../src/token/trust.ts';
import { encodeWalk } from '../../src/token/walk.ts';
import { timeS } from '../log/sample.ts';
import { fakeNode } from '../rpc/fakeNode.ts';
import { tokenOf } from '../token/makeVectors.ts';
import { goodState, grantIndex, intent, SampleChain } from '../token/statusSample.ts';
import { weft } from './run.ts';

const key = 'dc11467bb0e51a4f';
const chain = new SampleChain({
  ...goodState,
  [`identity/key/${key}`]: { account: 'other', alg: 'ed25519', publicKey: 'A', status: 'revoked', height: 3 },
});
const at = String(1000 * (timeS + 1) + 500);

t.test('verify key, policy, model, state; token with its status, in words', async (t) => {
  const paths = [...claimPaths({ kind: 'key', account: 'other', keyid: key }), 'governance/policy/current'];
  const dir = t.testdir({
    trust: formatTrust(sha256, chain.network.trust),
    proof: chain.status([...paths, 'models/model/misty-7b', 'identity/account/nobody']),
    token: tokenOf(chain.log, chain.network, grantIndex),
    status: chain.status(statusPaths({ intent, requester: 'remedy.engine', audience: 'actuator-web-3' })),
  });
  const file = (name: string): string => join(dir, name);
  const verify = (...words: string[]): ReturnType<typeof weft> =>
    weft(['verify', ...words, '--proof', file('proof'), '--trust', file('trust')]);
  const [revoked, policy, other, model, state, stale, account] = await Promise.all([
    verify('key', 'other', key, '--at', at),
    verify('policy', '3', '--at', at),
    verify('policy', '2', '--at', at, '--json'),
    verify('model', 'misty-7b', '--at', at, '--json'),
    verify('state', '--at', at),
    verify('policy', '3'),
    verify('account', 'nobody', '--at', at),
  ]);
  t.same(
    [revoked.code, policy.code, other.code, model.code, state.code, stale.code, account.code],
    [1, 0, 1, 0, 0, 1, 1],
  );
  t.match(revoked.err, '[KEY_REVOKED]');
  t.match(policy.out, /Policy set 3 .* is in force[\s\S]*as of +block 820[\s\S]*v1 v2 v3 .*quorum 3 of 4/);
  t.equal(JSON.parse(other.err).error.code, 'POLICY_NOT_CURRENT');
  t.match(JSON.parse(model.out), { holds: true, claim: { model: 'misty-7b' }, block: { height: 820 } });
  t.match(state.out, /identity\/account\/nobody {2}\(nothing\)/);
  t.match(stale.err, '[STATUS_STALE]');
  t.match(account.err, '[ACCOUNT_UNKNOWN]');

  const token = (verb: string, ...more: string[]): ReturnType<typeof weft> =>
    weft(['token', verb, file('token'), '--trust', file('trust'), ...more]);
  const [explained, checked, late, words] = await Promise.all([
    token('explain', '--at', at, '--audience', 'actuator-web-3'),
    token('verify', '--at', at, '--status', file('status'), '--json'),
    token('verify', '--at', String(Number(at) + 60_000), '--status', file('status')),
    token('explain', '--at', at, '--status', file('status'), '--json'),
  ]);
  t.equal(explained.code, 0, explained.err);
  t.match(explained.out, /^actuator-web-3 may do service\.restart to host\/web-3\/nginx, once, until 2025-11-21/);
  t.match(explained.out, /decided by +policy set 3 .*restart-services, working-hours/);
  t.match(explained.out, /cosigned by +v1, v2, v3: 3 of 4 validators, 3 are needed/);
  const [, unchecked = ''] = explained.out.split('Not checked');
  t.match(unchecked, /--effect/);
  t.match(unchecked, /used up, cancelled/);
  t.notMatch(unchecked, /--audience|--at\)/, 'what was asked for is not among what was not checked');
  t.match(JSON.parse(checked.out), { holds: true, kind: 'grant', status: { usesLeft: 1 } });
  t.match(late.err, '[STATUS_STALE]');
  t.match(JSON.stringify(JSON.parse(words.out).parts), /uses left/);
});

/** A checkpoint that the sample's validators cosigned just now. */
function freshCheckpoint(): string {
  const { network, log } = chain;
  const text = log.body(network);
  const [first] = network.logs;
  const note = publishCheckpoint({
    text,
    log: signCheckpoint(text, first!.key, first!.sign),
    cosignatures: network.cosigners.map(({ key, sign }) => cosign(text, Math.floor(Date.now() / 1000), key, sign)),
    policy: network.cosigners.map(({ key }) => key),
    quorum: network.trust.quorum,
  });
  if (note === undefined) throw new Error('too few cosigners');
  return note;
}

t.test('trust update, offline and from a node', async (t) => {
  const trust = { ...chain.network.trust, epoch: 1, checkedAt: Date.now() - 3_600_000 };
  const fresh = encodeWalk([], freshCheckpoint());
  const dir = t.testdir({
    trust: formatTrust(sha256, trust),
    aged: formatTrust(sha256, { ...trust, checkedAt: Date.now() - 31 * 86_400_000 }),
    undated: formatTrust(sha256, chain.network.trust),
    walk: encodeWalk([], chain.log.checkpoint(chain.network)),
    fresh,
  });
  const server = await createRpcServer({ api: { ...fakeNode(), walk: () => fresh }, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const from = ['trust', 'update', '--from', join(dir, 'trust')];
  const [offline, online, fetched] = await Promise.all([
    weft([...from, '--walk', join(dir, 'fresh')]),
    weft([...from, '--rpc', server.url, '--json']),
    weft(['trust', 'walk', '--from', join(dir, 'trust'), '--rpc', server.url]),
  ]);
  t.equal(offline.code, 0, offline.err);
  t.match(offline.err, /validators are those that you knew/);
  const walked = readTrust(offline.out);
  t.ok(walked.checkedAt > trust.checkedAt && walked.epoch === 1);
  t.equal(JSON.parse(online.out).trust, offline.out);
  t.equal(fetched.out, fresh, 'to be taken elsewhere');
  const update = (from: string, ...more: string[]): ReturnType<typeof weft> =>
    weft(['trust', 'update', '--from', join(dir, from), '--walk', join(dir, 'walk'), ...more]);
  const [old, aged, undated, both] = await Promise.all([
    update('trust'),
    update('aged'),
    update('undated', '--json'),
    update('trust', '--rpc', 'http://127.0.0.1:1'),
  ]);
  t.match(old.err, '[WALK_OLD]', 'the walk is of 2025');
  t.match(aged.err, '[TRUST_EXPIRED]');
  t.equal(JSON.parse(undated.err).error.code, 'TRUST_EXPIRED');
  t.equal(both.code, 2);
});
