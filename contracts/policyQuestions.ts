// What ruleset 1 asks of policy, one question of each kind. Before a policy set may decide it is tried by these: its schema must fit
// them all, and the council must stay able to put another set in its place.
import type { EntityUid, PolicyValue, SampleQuestion } from '../src/policy/types.ts';
import { accountUid, instanceUid, modelUid, serviceUid, tableUid, targetUid } from './authorisation.ts';
import { COUNCIL_ROLE } from './identity/roles.ts';
import { resolve, type TypedEffect } from './intents/catalogue.ts';

const member = accountUid('member');
const role: EntityUid = { type: 'Role', id: COUNCIL_ROLE };
const instance = instanceUid('instance');
const model = modelUid('model');
const reference = { __entity: member };

type Context = { readonly [name: string]: PolicyValue };

/** Asked by a member of the council. Each entity that any of them names, with all its attributes. */
function question(action: string, resource: EntityUid, context: Context, mustAllow?: true): SampleQuestion {
  const request = {
    principal: member,
    action,
    resource,
    // Of a block; left out again where the set does not look at it.
    context: { ...context, time: 1_800_000_000_000 },
    entities: [
      { uid: member, attrs: { suspended: false }, parents: [role] },
      { uid: role, attrs: {}, parents: [] },
      ...attributesOf(resource),
    ],
  };
  return mustAllow === undefined ? { request } : { request, mustAllow };
}

function attributesOf(uid: EntityUid) {
  switch (uid.type) {
    case 'Account':
      return [];
    case 'Instance':
      return [{ uid, attrs: { account: reference, up: true }, parents: [] }];
    case 'Target':
      return [{ uid, attrs: { kind: 'service', host: 'host' }, parents: [] }];
    case 'Model':
      return [{ uid, attrs: { registrant: reference, status: 'registered' }, parents: [] }];
    default:
      return [{ uid, attrs: {}, parents: [] }];
  }
}

const governance = serviceUid('governance');
const identity = serviceUid('identity');
const packets = serviceUid('packets');
const enrolment = { account: 'new', roles: ['agent'] };

const target = targetUid('service/host/name');
const about = { action: 'service.restart', requester: reference, audience: reference };
const host = 'host';
const sha256 = '0'.repeat(64);

/** One effect of each action of the catalogue. */
const effects: readonly TypedEffect[] = [
  { action: 'cache.clear', effect: { host, cache: 'name' } },
  { action: 'config.restore', effect: { host, config: 'name', sha256 } },
  { action: 'model.deploy', effect: { host, model: 'name', sha256 } },
  { action: 'model.retire', effect: { host, model: 'name', sha256 } },
  {
    action: 'policy.emergency-block',
    effect: { host, policy: 'name', block: '203.0.113.0/24', durationMs: 60_000 },
  },
  { action: 'process.renice', effect: { host, pid: 1, started: 1, nice: 1 } },
  { action: 'route.close', effect: { host, grant: sha256 } },
  {
    action: 'route.open',
    effect: { host, source: '10.0.0.0/24', destination: '10.0.1.1/32', port: 443, protocol: 'tcp' },
  },
  { action: 'service.isolate', effect: { host, service: 'name', mode: 'network' } },
  { action: 'service.restart', effect: { host, service: 'name' } },
  { action: 'sysctl.set', effect: { host, key: 'net.core.somaxconn', value: '4096' } },
];

function proposal(typed: TypedEffect): SampleQuestion {
  const resolved = resolve(typed, { get: () => undefined });
  const effect = 'refused' in resolved ? {} : resolved.context;
  const context = { audience: reference, ttlMs: 60_000, maxUses: 1, targets: 1, dryRun: false, effect };
  return question(typed.action, target, context);
}

/** A contract that asks something new adds its question here; `test/contracts/apply.test.ts` misses it otherwise. */
export const policyQuestions: readonly SampleQuestion[] = [
  question('governance.text', governance, {}, true),
  question('governance.propose', governance, { kind: 'policy', own: false }, true),
  question('governance.approve', governance, { kind: 'policy', own: false }, true),
  question('governance.approve', governance, { kind: 'policy', own: true }, true),
  question('governance.withdraw', governance, { kind: 'policy', own: true }),
  question('governance.ready', governance, { kind: 'validators' }),
  question('governance.evidence', governance, { kind: 'votes' }),
  question('identity.register', identity, enrolment),
  question('identity.ticket', identity, enrolment),
  question('identity.redeem', identity, enrolment),
  question('identity.rotate', member, { adds: 1, removes: 1 }),
  question('identity.revoke', member, {}),
  question('identity.roles', member, { granted: ['agent'], withdrawn: ['router'] }),
  question('identity.suspend', member, {}),
  question('identity.resume', member, {}),
  question('packets.commit', instance, { source: reference, packets: 1 }),
  question('packets.acknowledge', packets, { own: true, acknowledgements: 1 }),
  question('packets.mismatch', packets, { kind: 'DIGEST' }),
  question('routing.instance', instance, { up: true, model: '' }),
  question('routing.publish', tableUid, { replaces: 0, rules: 1 }),
  question('routing.rollback', tableUid, { replaces: 2, to: 1 }),
  question('models.register', serviceUid('models'), { format: 'gguf', size: 1, parents: 0 }),
  question('models.attest', model, { kind: 'static-scan', verdict: 'PASSED', supersedesOther: false }),
  question('models.authorise', model, { passed: ['static-scan'], warned: [] }),
  question('models.revoke', model, {}),
  question('models.lineage', model, { parents: 1 }),
  ...effects.map(proposal),
  question('intents.approve', target, { ...about, approvals: 0, userVerified: false }),
  question('intents.consume', target, { ...about, own: true }),
  question('intents.report', target, { ...about, own: true }),
  question('intents.cancel', target, { ...about, own: true }),
  question('alerts.raise', serviceUid('alerts'), { kind: 'kind', source: 'source', count: 1 }),
  question('alerts.resolve', serviceUid('alerts'), { kind: 'kind', own: false }),
];
