// What the default policy set allows, and to whom it does not: the permits of genesis/policy/default.cedar, each at least once on
// each side. Its forbids are held to the library of dangerous intents (simulate.test.ts).
import t from 'tap';
import { TEXT_BYTES_MAX } from '../../contracts/governance/texts.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { checkPolicySet } from '../../src/policy/check.ts';
import { readDefaultPolicySet, toPolicySet } from '../../src/policy/defaultSet.ts';
import { createPolicyEngine } from '../../src/policy/engine.ts';
import type { Decision, Entity, EntityUid, PolicyValue } from '../../src/policy/types.ts';

const set = readDefaultPolicySet();
const engine = createPolicyEngine(set);

type Test = Pick<typeof t, 'strictSame'>;
type Who = { readonly name: string; readonly roles?: readonly string[] };

const uid = (type: string, id: string): EntityUid => ({ type, id });
const reference = (type: string, id: string): PolicyValue => ({ __entity: uid(type, id) });

function account({ name, roles = [] }: Who): Entity[] {
  return [
    { uid: uid('Account', name), attrs: { suspended: false }, parents: roles.map((role) => uid('Role', role)) },
    ...roles.map((role) => ({ uid: uid('Role', role), attrs: {}, parents: [] })),
  ];
}

type Target = { readonly uid: EntityUid; readonly entities: readonly Entity[] };

const service = (id: string): Target => ({
  uid: uid('Service', id),
  entities: [{ uid: uid('Service', id), attrs: {}, parents: [] }],
});
const table: Target = {
  uid: uid('Table', 'current'),
  entities: [{ uid: uid('Table', 'current'), attrs: {}, parents: [] }],
};
const accountTarget = (who: Who): Target => ({ uid: uid('Account', who.name), entities: account(who) });

function instance(name: string, up = true): Target {
  const attrs = { account: reference('Account', name), up };
  return {
    uid: uid('Instance', name),
    entities: [{ uid: uid('Instance', name), attrs, parents: [] }, ...account({ name })],
  };
}

function model(registrant: string, status = 'registered'): Target {
  const attrs = { registrant: reference('Account', registrant), status };
  return {
    uid: uid('Model', 'm'),
    entities: [{ uid: uid('Model', 'm'), attrs, parents: [] }, ...account({ name: registrant })],
  };
}

function ask(
  who: Who,
  action: string,
  target: Target,
  context: { readonly [name: string]: PolicyValue } = {},
): Decision {
  const entities = new Map<string, Entity>();
  // The sender's own entity wins where the target names the same account.
  for (const entity of [...target.entities, ...account(who)])
    entities.set(`${entity.uid.type} ${entity.uid.id}`, entity);
  return engine.decide({
    principal: uid('Account', who.name),
    action,
    resource: target.uid,
    context,
    entities: [...entities.values()],
  });
}

function allowed(t: Test, decision: Decision, by: string): void {
  t.strictSame([decision.decision, decision.reasons, decision.errors], ['allow', [by], false], by);
}

function refused(t: Test, decision: Decision, ...by: readonly string[]): void {
  t.strictSame(
    [decision.decision, decision.reasons, decision.errors],
    ['deny', by, false],
    by.join() || 'nobody permits it',
  );
}

const council: Who = { name: 'chair', roles: ['council'] };
const administrator: Who = { name: 'admin', roles: ['administrator'] };
const router: Who = { name: 'router-prime', roles: ['router'] };
const agent: Who = { name: 'misty.weave', roles: ['agent'] };
const sentinel: Who = { name: 'sentinel', roles: ['sentinel'] };
const operator: Who = { name: 'ops', roles: ['routing-admin'] };
const publisher: Who = { name: 'publisher', roles: ['model-publisher'] };
const verifier: Who = { name: 'verifier', roles: ['model-verifier'] };
const authoriser: Who = { name: 'authoriser', roles: ['model-authoriser'] };
const nobody: Who = { name: 'nobody' };
const everyone = [council, administrator, router, agent, sentinel, operator, publisher, verifier, authoriser, nobody];

t.test('the set is one that may be committed, and each of its texts fits into a transaction', async (t) => {
  t.match(await checkPolicySet(set), { ok: true, digest: engine.digest });
  for (const text of [set.schema, ...set.policies.map((policy) => policy.text)])
    t.ok(encodeUtf8(text).length <= TEXT_BYTES_MAX, text.slice(0, 60));
});

t.test('governance', async (t) => {
  const governance = service('governance');
  const validator: Who = { name: 'v1', roles: ['validator'] };
  const about = (own: boolean) => ({ kind: 'validators', own });
  allowed(t, ask(council, 'governance.text', governance), 'governance.by-council');
  for (const who of [...everyone.slice(1), validator]) refused(t, ask(who, 'governance.text', governance));
  for (const action of ['governance.propose', 'governance.approve', 'governance.withdraw']) {
    allowed(t, ask(council, action, governance, about(false)), 'governance.by-council');
    for (const who of [...everyone.slice(1), validator]) refused(t, ask(who, action, governance, about(false)));
  }
  allowed(t, ask(validator, 'governance.propose', governance, about(true)), 'governance.own-entry');
  allowed(t, ask(validator, 'governance.withdraw', governance, about(true)), 'governance.own-entry');
  refused(t, ask(validator, 'governance.approve', governance, about(true)));
  for (const who of [...everyone, validator])
    allowed(t, ask(who, 'governance.ready', governance, { kind: 'validators' }), 'governance.ready');
  for (const who of [council, validator])
    allowed(t, ask(who, 'governance.evidence', governance, { kind: 'votes' }), 'governance.evidence');
  for (const who of everyone.slice(1)) refused(t, ask(who, 'governance.evidence', governance, { kind: 'votes' }));
});

t.test('identity', async (t) => {
  const identity = service('identity');
  const context = (...roles: string[]) => ({ account: 'new', roles });
  for (const action of ['identity.register', 'identity.ticket']) {
    allowed(t, ask(council, action, identity, context('administrator', 'model-authoriser')), 'identity.by-council');
    allowed(t, ask(administrator, action, identity, context('agent', 'sentinel')), 'identity.enrol-by-administrator');
    allowed(t, ask(administrator, action, identity, context()), 'identity.enrol-by-administrator');
    for (const role of ['administrator', 'routing-admin', 'model-verifier', 'model-authoriser']) {
      refused(t, ask(administrator, action, identity, context(role)));
      for (const who of [council, administrator])
        refused(t, ask(who, action, identity, context('agent', role)), 'identity.enrol-separate-duties');
    }
    for (const role of ['council', 'unheard-of'])
      refused(t, ask(administrator, action, identity, context('agent', role)));
    for (const who of everyone.slice(2)) refused(t, ask(who, action, identity, context('agent')));
  }

  const roles = (granted: string[], withdrawn: string[]) => ({ granted, withdrawn });
  const other = accountTarget({ name: 'other', roles: ['agent'] });
  const plain = accountTarget({ name: 'plain' });
  allowed(t, ask(council, 'identity.roles', plain, roles(['administrator'], [])), 'identity.by-council');
  refused(t, ask(council, 'identity.roles', other, roles(['administrator'], [])), 'identity.agents-decide-nothing');
  allowed(
    t,
    ask(administrator, 'identity.roles', other, roles(['router'], ['agent'])),
    'identity.roles-by-administrator',
  );
  refused(t, ask(administrator, 'identity.roles', plain, roles(['administrator'], [])));
  refused(t, ask(administrator, 'identity.roles', other, roles([], ['model-verifier'])));
  const own = ask(administrator, 'identity.roles', accountTarget(administrator), roles(['model-authoriser'], []));
  refused(t, own, 'identity.own-roles');

  allowed(t, ask(council, 'identity.suspend', other), 'identity.by-council');
  allowed(t, ask(administrator, 'identity.suspend', other), 'identity.suspend-by-administrator');
  for (const role of ['council', 'validator', 'administrator']) {
    refused(t, ask(administrator, 'identity.suspend', accountTarget({ name: 'other', roles: [role] })));
  }
  allowed(t, ask(council, 'identity.resume', other), 'identity.by-council');
  refused(t, ask(administrator, 'identity.resume', other));
  refused(t, ask(agent, 'identity.suspend', other));

  const keys = { adds: 1, removes: 1 };
  allowed(t, ask(nobody, 'identity.rotate', accountTarget(nobody), keys), 'identity.own-keys');
  allowed(t, ask(nobody, 'identity.revoke', accountTarget(nobody)), 'identity.own-keys');
  allowed(t, ask(council, 'identity.revoke', other), 'identity.by-council');
  refused(t, ask(administrator, 'identity.rotate', other, keys));
  refused(t, ask(agent, 'identity.revoke', other));

  allowed(t, ask(nobody, 'identity.redeem', identity, context('agent')), 'identity.redeem-ticket');
});

t.test('packets', async (t) => {
  const target = instance('oracle.weave');
  const from = (name: string) => ({ source: reference('Account', name), packets: 3 });
  allowed(t, ask(router, 'packets.commit', target, from('misty.weave')), 'packets.commit-by-router');
  allowed(t, ask(agent, 'packets.commit', target, from(agent.name)), 'packets.commit-own');
  refused(t, ask(agent, 'packets.commit', target, from('echo.weave')));
  refused(t, ask(nobody, 'packets.commit', target, from(nobody.name)));

  const acknowledgement = (own: boolean) => ({ own, acknowledgements: 2 });
  allowed(t, ask(nobody, 'packets.acknowledge', service('packets'), acknowledgement(true)), 'packets.acknowledge-own');
  allowed(
    t,
    ask(router, 'packets.acknowledge', service('packets'), acknowledgement(false)),
    'packets.acknowledge-by-router',
  );
  refused(t, ask(agent, 'packets.acknowledge', service('packets'), acknowledgement(false)));

  for (const who of [router, agent, sentinel]) {
    allowed(t, ask(who, 'packets.mismatch', service('packets'), { kind: 'digest' }), 'packets.report-mismatch');
  }
  refused(t, ask(publisher, 'packets.mismatch', service('packets'), { kind: 'digest' }));
});

t.test('routing', async (t) => {
  const change = { up: false, model: '' };
  allowed(t, ask(agent, 'routing.instance', instance(agent.name), change), 'routing.own-instance');
  allowed(t, ask(operator, 'routing.instance', instance('oracle.weave'), change), 'routing.instance-by-admin');
  refused(t, ask(agent, 'routing.instance', instance('oracle.weave'), change));
  refused(t, ask(router, 'routing.instance', instance('oracle.weave'), change));

  allowed(t, ask(operator, 'routing.publish', table, { replaces: 1, rules: 2 }), 'routing.table-by-admin');
  allowed(t, ask(operator, 'routing.rollback', table, { replaces: 2, to: 1 }), 'routing.table-by-admin');
  for (const who of everyone.filter((who) => who !== operator)) {
    refused(t, ask(who, 'routing.publish', table, { replaces: 1, rules: 2 }));
    refused(t, ask(who, 'routing.rollback', table, { replaces: 2, to: 1 }));
  }
});

t.test('models', async (t) => {
  const registration = { format: 'gguf', size: 4_000_000_000, parents: 0 };
  allowed(t, ask(publisher, 'models.register', service('models'), registration), 'models.register-by-publisher');
  refused(t, ask(verifier, 'models.register', service('models'), registration));

  const offered = model(publisher.name);
  allowed(t, ask(publisher, 'models.lineage', offered, { parents: 1 }), 'models.lineage-by-registrant');
  refused(t, ask(verifier, 'models.lineage', offered, { parents: 1 }));

  const attestation = (supersedesOther = false) => ({ kind: 'static-scan', verdict: 'passed', supersedesOther });
  allowed(t, ask(verifier, 'models.attest', offered, attestation()), 'models.attest-by-verifier');
  refused(t, ask(publisher, 'models.attest', model('other'), attestation()));
  refused(t, ask(verifier, 'models.attest', model(verifier.name), attestation()), 'models.attest-own');
  refused(t, ask(verifier, 'models.attest', offered, attestation(true)), 'models.supersede-other');
  const both: Who = { name: 'chair', roles: ['council', 'model-verifier'] };
  allowed(t, ask(both, 'models.attest', offered, attestation(true)), 'models.attest-by-verifier');

  const checks = (passed: string[], warned: string[] = []) => ({ passed, warned });
  const enough = checks(['signature', 'static-scan', 'licence'], ['bias']);
  allowed(t, ask(authoriser, 'models.authorise', offered, enough), 'models.authorise');
  allowed(t, ask(council, 'models.authorise', offered, enough), 'models.authorise');
  refused(t, ask(publisher, 'models.authorise', model('other'), enough));
  for (const passed of [[], ['static-scan'], ['signature']]) {
    refused(t, ask(authoriser, 'models.authorise', offered, checks(passed)), 'models.unverified');
    refused(t, ask(council, 'models.authorise', offered, checks(passed)), 'models.unverified');
  }
  refused(t, ask(authoriser, 'models.authorise', offered, checks(['signature'], ['static-scan'])), 'models.unverified');
  refused(t, ask(authoriser, 'models.authorise', model(authoriser.name), enough), 'models.authorise-own');

  for (const who of [authoriser, council, publisher]) allowed(t, ask(who, 'models.revoke', offered), 'models.revoke');
  refused(t, ask(verifier, 'models.revoke', offered));
});

t.test('time may be sent with every question', async (t) => {
  allowed(t, ask(nobody, 'identity.revoke', accountTarget(nobody), { time: 1_763_712_000_000 }), 'identity.own-keys');
});

t.test('the form of the file', async (t) => {
  for (const { id, text } of set.policies) {
    t.match(text, /^\/\/ /, `${id} says why`);
    t.match(text, `@id("${id}")`);
  }
  t.strictSame(
    toPolicySet(
      'entity A;\n',
      '// head; not a policy\n\n// why "b"\n@id("b")\nforbid (x) when { ";//" };\n\n@id("a") permit (x); // tail',
    ).policies,
    [
      { id: 'a', text: '@id("a") permit (x);' },
      { id: 'b', text: '// why "b"\n@id("b")\nforbid (x) when { ";//" };' },
    ],
  );
  t.throws(() => toPolicySet('', 'permit (x);'), { code: 'POLICY_FILE_INVALID' });
  t.throws(() => toPolicySet('', '// @id("a")\npermit (x);'), { code: 'POLICY_FILE_INVALID' }, 'an id in a comment');
  t.throws(() => toPolicySet('', '@id("a") permit (x)'), { code: 'POLICY_FILE_INVALID' });
});
