// What ruleset 1 asks of policy, one question of each kind. Before a policy set may decide it is tried by these: its schema must fit
// them all, and the council must stay able to put another set in its place.
import type { EntityUid, PolicyValue, SampleQuestion } from '../src/policy/types.ts';
import { accountUid, instanceUid, modelUid, serviceUid, tableUid } from './authorisation.ts';
import { COUNCIL_ROLE } from './identity/roles.ts';

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
];
