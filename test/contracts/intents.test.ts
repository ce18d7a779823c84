// Intents from proposal to outcome: each refusal by its code, each record by its schema.
import t from 'tap';
import { validate } from '../../schemas/validators.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { effectDigest } from '../../src/token/effect.ts';
import { parseGrant } from '../../src/token/grant.ts';
import { parseLeaf } from '../../src/token/leaf.ts';
import { attempt, Intents, idOf, restart } from './intents.samples.ts';

t.test('a permitted intent is a grant at once, and its leaf is what verifiers read', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { ttl: '30s', max_uses: '1', unreported: 'alert' }, reasons: ['restart', 'shift'] };
  const { refused, records } = network.propose({ maxUses: 3 });
  t.equal(refused, undefined);
  const [record] = records;
  t.equal(validate('record/intents.granted', record), undefined);
  const grant = parseGrant(parseLeaf(encodeUtf8(JSON.stringify(record))));
  const { height, time } = network.block;
  t.match(grant, {
    effect: effectDigest(sha256, restart.effect),
    height,
    time,
    policy: { version: 1, reasons: ['restart', 'shift'] },
    action: 'service.restart',
    resource: 'service/web-3/nginx',
    limits: { dryRun: false, maxTargets: 1 },
    requester: 'healer',
    audience: 'actuator-web-1',
    approvers: [],
    maxUses: 1,
    reusable: false,
    actWithinMs: 10_000,
    notBefore: { height, time },
    expires: { height: height + 3750 + 16, time: time + 30_000 },
  });
  t.equal(grant.intent, grant.tx);
  t.equal(validate('intent-record', network.state.get(`intents/grant/${grant.intent}`)), undefined);
  t.match(network.asked.at(-1), {
    principal: { type: 'Account', id: 'healer' },
    action: 'service.restart',
    resource: { type: 'Target', id: 'service/web-3/nginx' },
    context: { ttlMs: 60_000, maxUses: 3, targets: 1, dryRun: false, effect: { host: 'web-3', service: 'nginx' } },
  });
  t.strictSame(network.asked.at(-1)!.entities.find(({ uid }) => uid.type === 'Target')?.attrs, {
    kind: 'service',
    host: 'web-3',
  });
});

t.test('consume, report: once each, by the audience alone', async (t) => {
  const network = new Intents();
  const id = network.intent();
  t.equal(network.consume('cd'.repeat(32)).refused, 'GRANT_UNKNOWN');
  t.equal(network.consume(id, 1, 'actuator-web-2').refused, 'NOT_AUDIENCE');
  t.equal(network.report(id).refused, 'ATTEMPT_UNKNOWN');
  const consumed = network.consume(id);
  t.strictSame(consumed.records[0], {
    type: 'intents.consumed',
    height: network.block.height,
    time: network.block.time,
    tx: consumed.records[0]!['tx'],
    grant: id,
    attempt: attempt(1),
    account: 'actuator-web-1',
    use: 1,
  });
  t.equal(validate('record/intents.consumed', consumed.records[0]), undefined);
  t.equal(network.consume(id).refused, 'ATTEMPT_REPEATED');
  t.equal(network.consume(id, 2).refused, 'GRANT_USED_UP');
  t.equal(network.report(id, 1, 'actuator-web-2').refused, 'NOT_AUDIENCE');
  t.equal(network.report(id, 2).refused, 'ATTEMPT_UNKNOWN');
  t.equal(network.report('cd'.repeat(32)).refused, 'GRANT_UNKNOWN');
  t.equal(validate('record/intents.reported', network.report(id).records[0]), undefined);
  t.equal(network.report(id).refused, 'REPORTED_ALREADY');
  t.equal(validate('intent-record', network.state.get(`intents/grant/${id}`)), undefined);
});

t.test('what was denied is in the log and not in state', async (t) => {
  const network = new Intents();
  for (const [terms, why] of [
    [{ annotations: {}, decision: 'deny', reasons: ['never'] }, 'POLICY_DENIED'],
    [{ annotations: { ttl: '60 s' } }, 'POLICY_ANNOTATION'],
    [{ annotations: { dry_run: 'true' } }, 'DRY_RUN_ONLY'],
  ] as const) {
    network.terms = terms;
    const { records, refused } = network.propose();
    t.equal(refused, undefined);
    t.equal(validate('record/intents.denied', records[0]), undefined);
    t.equal(records[0]!['why'], why);
    t.strictSame(network.paths(), []);
  }
  t.equal(network.propose({ dryRun: true }).records[0]!['_type'] !== undefined, true);
});

t.test('a proposal that cannot be decided is refused', async (t) => {
  const network = new Intents();
  t.equal(network.propose({ resource: 'service/web-4/nginx' }).refused, 'RESOURCE_DIFFERS');
  for (const approvals of ['0', '1']) {
    network.terms = { annotations: { approvals } };
    t.equal(network.propose({ audience: 'nobody' }).refused, 'AUDIENCE_INACTIVE');
    network.pause(true);
    t.equal(network.propose().refused, 'INTENTS_PAUSED');
    network.pause(false);
  }
  const route = {
    action: 'route.open',
    effect: { host: 'gate-1', source: '10.0.0.1/24', destination: '10.0.0.1/32', port: 1, protocol: 'tcp' },
  };
  t.equal(
    network.propose({ ...route, resource: 'route/gate-1/10.0.0.1/24/10.0.0.1/32/1/tcp' }).refused,
    'NETWORK_NOT_CANONICAL',
  );
});

t.test('approvals: by distinct people who have nothing to do with it', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { approvals: '2' } };
  const proposed = network.propose();
  t.equal(validate('record/intents.pending', proposed.records[0]), undefined);
  const id = idOf(proposed.records[0]!);
  t.equal(network.consume(id).refused, 'GRANT_PENDING');
  t.equal(network.approve('cd'.repeat(32)).refused, 'INTENT_UNKNOWN');
  t.equal(network.approve(id, 'healer').refused, 'APPROVER_INVOLVED');
  t.equal(network.approve(id, 'actuator-web-1').refused, 'APPROVER_INVOLVED');
  const first = network.approve(id);
  t.equal(validate('record/intents.approved', first.records[0]), undefined);
  t.equal(network.approve(id).refused, 'APPROVED_ALREADY');
  t.equal(validate('intent-record', network.state.get(`intents/grant/${id}`)), undefined);
  network.next(60_000);
  const second = network.approve(id, 'steward');
  const [asked, again] = network.asked.slice(-2);
  t.match(asked, { action: 'intents.approve', principal: { id: 'steward' }, context: { approvals: 1 } });
  t.match(again, { action: 'service.restart', principal: { id: 'healer' } }, 'the requester answers for what is done');
  const grant = parseGrant(parseLeaf(encodeUtf8(JSON.stringify(second.records[0]))));
  t.strictSame(grant.approvers, ['warden', 'steward']);
  t.equal(grant.time, network.block.time);
  t.equal(grant.expires.time, network.block.time + 60_000, 'its life begins with the last approval');
  t.not(grant.tx, grant.intent);
  t.equal(network.state.get(`intents/waiting/${id}`), undefined);
  t.equal(network.approve(id, 'admin').refused, 'INTENT_CLOSED');
  t.equal(network.consume(id).refused, undefined);
});
