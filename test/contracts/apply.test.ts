// What holds for every transaction, whatever its contract.
import fc from 'fast-check';
import t from 'tap';
import { applyTransaction } from '../../contracts/apply.ts';
import { createAsk } from '../../contracts/authorisation.ts';
import type { Question } from '../../contracts/contract.ts';
import { actionNames } from '../../contracts/intents/catalogue.ts';
import { LIMITS } from '../../contracts/limits.ts';
import type { Answers, Decide, Transaction } from '../../contracts/types.ts';
import { schemaDocuments } from '../../schemas/types/catalogue.ts';
import { validate } from '../../schemas/validators.ts';
import { WeftError } from '../../src/codec/error.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { createPolicyEngine } from '../../src/policy/engine.ts';
import type { PolicyRequest } from '../../src/policy/types.ts';
import { arbitraryOf } from '../schemas/arbitrary.ts';
import { propose, readyBody, validatorsChange } from './governance.samples.ts';
import { idOf, intentSamples } from './intents.samples.ts';
import { allowAll, genesisDocument, keyOf, Network, plainKey, provenKey } from './network.ts';
import { endpoint, rule, table, withInstances } from './routing.samples.ts';

const register = { account: 'new.one', roles: [], keys: [plainKey('new.one')] };

t.test('sender and key are asked again: the block may have changed them', async (t) => {
  const network = new Network();
  t.equal(network.send('nobody', 'identity.register', register, { signers: ['nobody'] }).refused, 'ACCOUNT_INACTIVE');
  t.equal(
    network.send('misty.weave', 'identity.register', register, { signers: ['oracle.weave'] }).refused,
    'KEY_INACTIVE',
  );
  t.equal(
    network.send('misty.weave', 'identity.register', register, { signers: ['misty.weave', 'oracle.weave'] }).refused,
    'KEY_INACTIVE',
    'every signature counts',
  );
  const tx = network.transaction('misty.weave', 'identity.register', register);
  const { keyid, sig } = tx.signatures[0]!;
  const entry = { keyid, alg: 'p256' as const, sig };
  t.equal(network.execute({ ...tx, signatures: [entry] }).refused, 'KEY_INACTIVE', 'a key signs by its own algorithm');
  t.equal(network.execute({ ...tx, type: 'no.such' }).refused, 'TX_TYPE_UNKNOWN');
  t.equal(network.asked.length, 0, 'none of these got as far as policy');
});

t.test('policy refuses with the policies that forbade', async (t) => {
  const network = new Network();
  const reasons = Array.from({ length: 12 }, (_, i) => `p${String(i).padStart(2, '0')}`);
  const { refused, records, changes } = network.send('misty.weave', 'identity.register', register, {
    decide: () => ({ decision: 'deny', reasons, errors: false, annotations: {} }),
  });
  t.equal(refused, 'POLICY_DENIED');
  t.equal(changes.size, 0);
  t.equal(validate('record/tx.refused', records[0]), undefined);
  t.strictSame(records[0]!['reasons'], reasons.slice(0, 8));
  t.strictSame(Object.keys(records[0]!), ['type', 'height', 'time', 'tx', 'account', 'transaction', 'code', 'reasons']);
});

t.test('a question about the same state is put once, each other one by itself', async (t) => {
  const asked: PolicyRequest[] = [];
  const decide: Decide = (request) => {
    asked.push(request);
    return { decision: 'allow', reasons: [`r${asked.length}`], errors: false, annotations: {} };
  };
  const network = new Network();
  const answers: Answers = new Map();
  const ask = (account: string, type: string, question: Question) => {
    const tx = { ...network.transaction('misty.weave', 'identity.register', register), account, type };
    return createAsk(network.state, network.block, tx, decide, answers)(question).reasons[0];
  };
  const question: Question = { resource: { type: 'Service', id: 'packets' }, context: { own: true } };
  const given: Question = { ...question, entities: [{ uid: question.resource, attrs: {}, parents: [] }] };
  const first = ask('misty.weave', 'packets.commit', question);
  t.equal(ask('misty.weave', 'packets.commit', { ...question }), first);
  const others = [
    ask('oracle.weave', 'packets.commit', question),
    ask('misty.weave', 'packets.acknowledge', question),
    ask('misty.weave', 'packets.commit', { ...question, principal: 'oracle.weave' }),
    ask('misty.weave', 'packets.commit', { ...question, action: 'other' }),
    ask('misty.weave', 'packets.commit', { ...question, resource: { type: 'Service', id: 'identity' } }),
    ask('misty.weave', 'packets.commit', { ...question, context: { own: false } }),
    ask('misty.weave', 'packets.commit', given),
    ask('misty.weave', 'packets.commit', given),
  ];
  t.equal(new Set([first, ...others]).size, 1 + others.length);
  t.equal(asked.length, 1 + others.length);
});

t.test('what the policy engine throws is no denial', async (t) => {
  const network = new Network();
  const decide: Decide = () => {
    throw new WeftError('POLICY_HOST_FAILED', 'no memory');
  };
  t.throws(() => network.send('misty.weave', 'identity.register', register, { decide }), {
    code: 'POLICY_HOST_FAILED',
  });
});

t.test('records beyond the bounds refuse the transaction', async (t) => {
  const network = new Network();
  const tx = network.transaction('misty.weave', 'identity.register', register);
  const of = (records: { type: string }[]) => [
    { name: 'x', rules: [{ type: tx.type, apply: () => ({ records, changes: new Map([['a/b/c', 1]]) }) }] },
  ];
  const apply = (records: { type: string }[]) =>
    applyTransaction(of(records), LIMITS, network.reader(), network.block, tx, allowAll, network.checkPolicySet);
  t.equal(apply([{ type: 'x' }]).refused, undefined);
  t.equal(apply(Array.from({ length: 65 }, () => ({ type: 'x' }))).refused, 'RECORD_TOO_LARGE');
  const large = apply([{ type: 'x'.repeat(LIMITS.recordBytesMax) }]);
  t.equal(large.refused, 'RECORD_TOO_LARGE');
  t.equal(large.changes.size, 0);
});

/** State in which much can be done, so that random bodies get past the first check. */
function lively(): Network {
  const network = withInstances('oracle.weave', 'misty.weave');
  network.send('admin', 'routing.publish', { replaces: 0, table: table([rule('r', '*', '*')]) });
  network.send('femto', 'models.register', {
    model: 'misty-7b',
    name: 'M',
    sha256: 'ab'.repeat(32),
    size: 1,
    format: 'gguf',
    source: 'x',
    lineage: [],
  });
  return network;
}

const names = [
  'admin',
  'misty.weave',
  'oracle.weave',
  'router-prime',
  'femto',
  'misty-7b',
  'misty-7b-q4',
  'nobody',
  '*',
  'role:agent',
];

t.test('any body of any type: never throws, the same twice, records as their schemas say', async (t) => {
  const network = lively();
  const seen = new Set<string>();
  const template = network.transaction('admin', 'identity.register', register);
  for (const type of network.rules.transactionTypes) {
    const bodies = arbitraryOf(`tx/${type}`, names);
    fc.assert(
      fc.property(bodies, fc.constantFrom('admin', 'misty.weave', 'femto'), (body, account) => {
        if (validate(`tx/${type}`, body) !== undefined) return;
        const tx: Transaction = {
          ...template,
          type,
          account,
          body: body as Transaction['body'],
          signatures: [{ ...template.signatures[0]!, keyid: keyOf(account).keyid }],
        };
        const before = JSON.stringify([...network.state]);
        const decide: Decide = () => ({ decision: 'allow', reasons: [], errors: false, annotations: {} });
        const once = network.rules.apply(network.reader(), network.block, tx, decide, network.checkPolicySet);
        const twice = network.rules.apply(network.reader(), network.block, tx, decide, network.checkPolicySet);
        const text = (applied: typeof once) => JSON.stringify([applied.records, [...applied.changes], applied.refused]);
        if (text(once) !== text(twice)) throw new Error('two answers');
        if (JSON.stringify([...network.state]) !== before) throw new Error('state was changed in place');
        if (once.refused !== undefined && (once.changes.size > 0 || once.records.length !== 1))
          throw new Error('a refusal changed something');
        for (const record of once.records) {
          const wrong = validate(`record/${String(record['type'])}`, record);
          if (wrong !== undefined) throw new Error(`${String(record['type'])}: ${wrong}`);
        }
        seen.add(`${type} ${once.refused ?? 'done'}`);
      }),
      { numRuns: 60 },
    );
  }
  t.ok(seen.size > 25, `${seen.size} different outcomes`);
});

t.test('the largest bodies that the schemas allow stay under the bounds of a leaf', async (t) => {
  for (const [name, document] of schemaDocuments) {
    if (!name.startsWith('record/') || ['record/genesis', 'record/tx', 'record/block', 'record/epoch'].includes(name))
      continue;
    t.ok(largest(document as SchemaNode) <= LIMITS.recordBytesMax, `${name}: ${largest(document as SchemaNode)}`);
  }
});

type SchemaNode = { readonly [name: string]: unknown };

/** An upper bound of the JSON text of what a schema accepts, all characters ASCII. */
function largest(node: SchemaNode): number {
  const ref = node['$ref'];
  if (typeof ref === 'string') return largest(resolve(ref));
  if (Array.isArray(node['anyOf'])) return Math.max(...(node['anyOf'] as SchemaNode[]).map(largest));
  if (node['const'] !== undefined) return JSON.stringify(node['const']).length;
  if (Array.isArray(node['enum']))
    return Math.max(...(node['enum'] as unknown[]).map((each) => JSON.stringify(each).length));
  switch (node['type']) {
    case 'object':
      return (
        2 +
        Object.entries(node['properties'] as Record<string, SchemaNode>).reduce(
          (sum, [name, each]) => sum + name.length + 4 + largest(each),
          0,
        )
      );
    case 'array':
      return 2 + (node['maxItems'] as number) * (1 + largest(node['items'] as SchemaNode));
    case 'string':
      // Patterns of free texts allow `"` and `\`, which JSON writes as two characters.
      return (
        2 +
        (node['maxLength'] as number) *
          (String(node['pattern']).includes('[ -~]') || String(node['pattern']).includes('[!-~]') ? 2 : 1)
      );
    case 'null':
      return 4;
    default:
      return 17;
  }
}

function resolve(ref: string): SchemaNode {
  const common = schemaDocuments.get('common') as { $defs: Record<string, SchemaNode> };
  return common.$defs[ref.split('/').at(-1)!]!;
}

t.test('the questions fit the Cedar schema that networks start with', async (t) => {
  const policy = readDefaultPolicySet();
  const network = new Network(genesisDocument({ policy: policy as never }));
  const engine = createPolicyEngine({
    schema: policy.schema,
    policies: [{ id: 'all', text: 'permit (principal, action, resource);' }],
  });
  network.decide = (request) => {
    const decision = engine.decide(request);
    t.equal(decision.errors, false, request.action);
    return decision;
  };
  const send = (account: string, type: string, body: object) =>
    t.equal(network.send(account, type, body).refused, undefined, type);
  const sha256 = 'ab'.repeat(32);
  send('admin', 'governance.text', { text: 'permit (principal, action, resource);' });
  send('admin', 'identity.register', register);
  send('misty.weave', 'identity.rotate', {
    account: 'misty.weave',
    add: [provenKey(network.chain, 'misty.weave', 'm2')],
    remove: [],
  });
  send('admin', 'identity.revoke', { account: 'misty.weave', keyid: keyOf('m2').keyid, reason: '' });
  send('admin', 'identity.roles', { account: 'new.one', roles: ['agent'] });
  send('admin', 'identity.suspend', { account: 'new.one', reason: '' });
  send('admin', 'identity.resume', { account: 'new.one', reason: '' });
  const { ticketDigest } = await import('../../contracts/identity/tickets.ts');
  send('admin', 'identity.ticket', {
    digest: ticketDigest(new Uint8Array(32)),
    account: 'host-17',
    roles: [],
    redeemer: 'router-prime',
    expires: network.block.time + 1000,
  });
  send('router-prime', 'identity.redeem', {
    secret: 'A'.repeat(43),
    keys: [provenKey(network.chain, 'host-17', 'host-17')],
  });
  send('femto', 'models.register', {
    model: 'base',
    name: 'M',
    sha256: 'cd'.repeat(32),
    size: 1,
    format: 'gguf',
    source: 'x',
    lineage: [],
  });
  send('femto', 'models.register', {
    model: 'm',
    name: 'M',
    sha256,
    size: 1,
    format: 'gguf',
    source: 'x',
    lineage: [],
  });
  send('femto', 'models.lineage', { model: 'm', add: [{ model: 'base', relation: 'merged' }] });
  send('scanner', 'models.attest', {
    model: 'm',
    kind: 'static-scan',
    verdict: 'PASSED',
    report: sha256,
    tool: { name: 's', version: '1' },
    supersedes: null,
  });
  send('oracle.weave', 'models.authorise', { model: 'm', sha256 });
  send('oracle.weave', 'routing.instance', { instance: 'oracle.weave', state: 'up', endpoint, model: 'm' });
  send('admin', 'routing.publish', { replaces: 0, table: table([rule('r', '*', '*')]) });
  send('admin', 'routing.publish', { replaces: 1, table: table([rule('s', '*', '*')]) });
  send('admin', 'routing.rollback', { replaces: 2, to: 1 });
  send('router-prime', 'packets.commit', {
    groups: [
      { source: 'misty.weave', target: 'oracle.weave', expires: network.block.time + 1000, ids: 'A'.repeat(43) },
    ],
  });
  send('misty.weave', 'packets.mismatch', {
    id: sha256,
    kind: 'MISSING',
    expected: null,
    observed: null,
    evidence: null,
  });
  send('oracle.weave', 'models.revoke', { model: 'm', reason: '' });
  for (const end of ['governance.approve', 'governance.withdraw']) {
    const proposal = propose(network, validatorsChange('v5'));
    send('v5', 'governance.ready', readyBody(network, proposal, 'v5'));
    for (const name of ['v2', 'v3', 'v4']) send(name, 'governance.ready', readyBody(network, proposal, name));
    send('admin', end, { proposal });
  }
  const ids = Object.values(intentSamples).map((body) => {
    const { records } = network.send('router-prime', 'intents.propose', body);
    t.equal(network.asked.at(-1)!.action, body.action, 'a proposal is asked about under the action that it proposes');
    return idOf(records[0]!);
  });
  const [grant] = ids;
  const attempt = 'AAECAwQFBgcICQoLDA0ODw';
  send('misty.weave', 'intents.consume', { grant, attempt });
  send('misty.weave', 'intents.report', { grant, attempt, outcome: 'done', result: sha256 });
  // It waits for nothing any more: refused for that, after the question.
  network.send('admin', 'intents.approve', { intent: grant });
  send('router-prime', 'intents.cancel', { intent: grant });
  const alert = { kind: 'test', source: 'x', window: { from: 0, to: 0 }, count: 1, evidence: [] };
  const raised = network.send('admin', 'alerts.raise', alert);
  send('admin', 'alerts.resolve', { alert: raised.records[0]!['alert'] });
  t.match(
    network.asked.find(({ action }) => action === 'packets.commit'),
    { resource: { type: 'Instance', id: 'oracle.weave' } },
  );
  const asked = new Set(network.asked.map(({ action }) => action));
  // A bad signature refuses after the question was put.
  network.send('router-prime', 'packets.acknowledge', {
    acknowledgements: [
      {
        target: 'oracle.weave',
        id: sha256,
        Payload_Digest: sha256,
        verdict: 'VERIFIED',
        keyid: keyOf('oracle.weave').keyid,
        sig: `${'A'.repeat(85)}A`,
      },
    ],
  });
  asked.add(network.asked.at(-1)!.action);
  // No votes: refused for that, after the question.
  network.send('v1', 'governance.evidence', { kind: 'votes', epoch: 1, a: 'AAAA', b: 'AAAA' });
  asked.add(network.asked.at(-1)!.action);
  const types = network.rules.transactionTypes.filter((type) => type !== 'intents.propose');
  t.strictSame([...asked].sort(), [...types, ...actionNames].sort(), 'every type and every action was asked about');
  // By these a policy set is tried before it may decide: what is really asked must be among them, with the same members.
  const shape = ({ action, resource, context }: (typeof network.asked)[number]) =>
    `${action} ${resource.type} {${Object.keys(context).sort()}}`;
  const tried = new Set(network.rules.policyQuestions.map(({ request }) => shape(request)));
  for (const request of network.asked)
    t.ok(tried.has(shape(request)), `contracts/policyQuestions.ts: ${shape(request)}`);
});
