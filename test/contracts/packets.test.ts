import t from 'tap';
import { acknowledgementBytes } from '../../contracts/packets/acknowledge.ts';
import type { Decide } from '../../contracts/types.ts';
import { validate } from '../../schemas/validators.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { sign } from '../../src/crypto/ed25519.ts';
import { keyOf, Network, provenKey, seedOf } from './network.ts';
import { endpoint, rule, table, withInstances } from './routing.samples.ts';

const ids = (count: number) => toBase64Url(new Uint8Array(32 * count).map((_, i) => i % 251));

function ready(): Network {
  const network = withInstances('oracle.weave', 'misty.weave');
  const rules = [
    rule('quarantine', 'femto', '*', 'deny'),
    rule('questions', 'role:agent', 'oracle.weave'),
    rule('nowhere', '*', 'router-prime'),
  ];
  const done = network.send('admin', 'routing.publish', {
    replaces: 0,
    table: table(rules, [{ name: 'oracle', to: 'oracle.weave' }]),
  });
  if (done.refused !== undefined) throw new Error(done.refused);
  return network;
}

function group(network: Network, changed: object = {}) {
  return {
    source: 'misty.weave',
    target: 'oracle.weave',
    expires: network.block.time + 30_000,
    ids: ids(2),
    ...changed,
  };
}

t.test('commit: the leaf of a group is the token of its packets', async (t) => {
  const network = ready();
  const { records, refused, changes } = network.send('router-prime', 'packets.commit', { groups: [group(network)] });
  t.equal(refused, undefined);
  t.equal(changes.size, 0, 'packets live in the log only');
  t.equal(validate('record/packets.committed', records[0]), undefined);
  t.strictSame(Object.keys(records[0]!), [
    'type',
    'height',
    'time',
    'tx',
    'source',
    'target',
    'decision',
    'route',
    'expires',
    'ids',
  ]);
  t.match(records[0], { decision: 'allow', route: { table: 1, rule: 'questions' }, ids: ids(2) });
  const question = network.asked.at(-1)!;
  t.strictSame(question.resource, { type: 'Instance', id: 'oracle.weave' });
  t.strictSame(question.context, {
    source: { __entity: { type: 'Account', id: 'misty.weave' } },
    packets: 2,
    time: network.block.time,
  });
});

t.test('commit: one decision and one record per group, whatever is wrong with the others', async (t) => {
  const network = ready();
  const { time } = network.block;
  const cases: [object, string | undefined][] = [
    [{}, undefined],
    [{ expires: time }, 'EXPIRED'],
    [{ expires: time + 25 * 3_600_000 }, 'EXPIRES_TOO_LATE'],
    [{ source: 'nobody' }, 'SOURCE_UNKNOWN'],
    [{ source: 'femto' }, 'ROUTE_DENIED'],
    [{ source: 'scanner' }, 'NO_ROUTE'],
    [{ target: 'nobody' }, 'NO_ROUTE'],
    [{ target: 'router-prime' }, 'TARGET_UNKNOWN'],
    [{ target: 'oracle' }, undefined],
  ];
  const { records, refused } = network.send('router-prime', 'packets.commit', {
    groups: cases.map(([changed]) => group(network, changed)),
  });
  t.equal(refused, undefined);
  t.equal(records.length, cases.length);
  for (const [at, [changed, why]] of cases.entries()) {
    t.equal(validate('record/packets.committed', records[at]), undefined);
    t.equal((records[at] as { why?: string }).why, why, JSON.stringify(changed));
    t.equal(records[at]!['decision'], why === undefined ? 'allow' : 'deny');
  }
  t.strictSame(
    records[8]!['route'],
    { table: 1, rule: 'questions', to: 'oracle.weave' },
    'an alias: the record says where it leads',
  );
  t.equal(records[3]!['route'], null, 'no rule was reached');
});

t.test('commit: what depends on others', async (t) => {
  const network = ready();
  const why = (decide?: Decide) => {
    const { records } = network.send(
      'router-prime',
      'packets.commit',
      { groups: [group(network)] },
      decide === undefined ? {} : { decide },
    );
    return (records[0] as { why?: string }).why;
  };
  const deny: Decide = () => ({ decision: 'deny', reasons: [], errors: false, annotations: {} });
  t.equal(why(deny), 'POLICY_DENIED', 'a denial by policy is a record, too');
  const switched = (state: string) =>
    network.send('oracle.weave', 'routing.instance', {
      instance: 'oracle.weave',
      state,
      endpoint: state === 'up' ? endpoint : null,
      model: null,
    });
  switched('down');
  t.equal(why(), 'TARGET_DOWN');
  switched('up');
  t.equal(why(), undefined);
  const about = (type: string, account: string) => network.send('admin', type, { account, reason: '' });
  about('identity.suspend', 'oracle.weave');
  t.equal(why(), 'TARGET_SUSPENDED');
  about('identity.resume', 'oracle.weave');
  about('identity.suspend', 'misty.weave');
  t.equal(why(), 'SOURCE_SUSPENDED');
  about('identity.resume', 'misty.weave');

  const sha256 = 'ab'.repeat(32);
  network.send('femto', 'models.register', {
    model: 'm',
    name: 'M',
    sha256,
    size: 1,
    format: 'gguf',
    source: 'x',
    lineage: [],
  });
  network.send('scanner', 'models.attest', {
    model: 'm',
    kind: 'static-scan',
    verdict: 'PASSED',
    report: sha256,
    tool: { name: 's', version: '1' },
    supersedes: null,
  });
  network.send('oracle.weave', 'models.authorise', { model: 'm', sha256 });
  t.equal(
    network.send('oracle.weave', 'routing.instance', { instance: 'oracle.weave', state: 'up', endpoint, model: 'm' })
      .refused,
    undefined,
  );
  t.equal(why(), undefined);
  network.send('oracle.weave', 'models.revoke', { model: 'm', reason: '' });
  t.equal(why(), 'TARGET_MODEL', 'a revoked model gets no more packets');
  t.equal(
    (new Network().send('router-prime', 'packets.commit', { groups: [group(network)] }).records[0] as { why?: string })
      .why,
    'NO_ROUTE',
    'no table yet',
  );
});

t.test('commit: ids that cannot be ids', async (t) => {
  const network = ready();
  const code = (...counts: string[]) =>
    network.send('router-prime', 'packets.commit', { groups: counts.map((each) => group(network, { ids: each })) })
      .refused;
  t.equal(code(`${ids(1).slice(0, -1)}B`), 'PACKET_IDS_INVALID', 'bits that say nothing');
  t.equal(code(toBase64Url(new Uint8Array(33))), 'PACKET_IDS_INVALID');
  t.equal(code(ids(256)), undefined);
  t.equal(code(ids(255), ids(2)), 'PACKETS_TOO_MANY');
});

t.test('acknowledge: only the target’s own word counts', async (t) => {
  const network = ready();
  const said = {
    target: 'oracle.weave',
    id: 'ab'.repeat(32),
    Payload_Digest: 'cd'.repeat(32),
    verdict: 'VERIFIED' as const,
  };
  const keyid = keyOf('oracle.weave').keyid;
  const sig = toBase64Url(sign(acknowledgementBytes(network.chain, said), seedOf('oracle.weave')));
  const send = (...changes: object[]) =>
    network.send('router-prime', 'packets.acknowledge', {
      acknowledgements: changes.map((each) => ({ ...said, keyid, sig, ...each })),
    });
  const done = send({}, {});
  t.equal(done.refused, undefined);
  t.equal(done.records.length, 2);
  t.equal(validate('record/packets.acknowledged', done.records[0]), undefined);
  t.match(network.asked.at(-1)!.context, { own: false, acknowledgements: 2 });
  t.equal(send({ verdict: 'REJECTED' }).refused, 'ACK_SIGNATURE_INVALID');
  t.equal(send({}, { id: 'ef'.repeat(32) }).refused, 'ACK_SIGNATURE_INVALID', 'one that does not hold refuses all');
  t.equal(send({ target: 'misty.weave' }).refused, 'ACK_KEY_INACTIVE');
  t.equal(send({ keyid: keyOf('misty.weave').keyid }).refused, 'ACK_KEY_INACTIVE');
  t.equal(send({ target: 'nobody' }).refused, 'TARGET_INACTIVE');
  const elsewhere = toBase64Url(sign(acknowledgementBytes('weft-other-000000000000', said), seedOf('oracle.weave')));
  t.equal(send({ sig: elsewhere }).refused, 'ACK_SIGNATURE_INVALID', 'said on another chain');
  network.send('oracle.weave', 'identity.rotate', {
    account: 'oracle.weave',
    add: [provenKey(network.chain, 'oracle.weave', 'oracle-2')],
    remove: [keyid],
  });
  t.equal(send({}).refused, 'ACK_KEY_INACTIVE', 'a key that ended says nothing any more');
  network.send('admin', 'identity.suspend', { account: 'oracle.weave', reason: '' });
  t.equal(send({}).refused, 'TARGET_INACTIVE');
});

t.test('mismatch: a report is a record and blocks nothing', async (t) => {
  const network = new Network();
  const { records, refused, changes } = network.send('misty.weave', 'packets.mismatch', {
    id: 'ab'.repeat(32),
    kind: 'COMMITMENT',
    expected: 'cd'.repeat(32),
    observed: null,
    evidence: null,
  });
  t.equal(refused, undefined);
  t.equal(validate('record/packets.mismatched', records[0]), undefined);
  t.equal(changes.size, 0);
});
