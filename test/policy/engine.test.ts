import fc from 'fast-check';
import t from 'tap';
import { createPolicyEngine } from '../../src/policy/engine.ts';
import { openInstance } from '../../src/policy/instance.ts';
import { permitAll, permitWhen, sampleRequest, sampleSet } from './samples.ts';

const set = sampleSet(
  '@ttl("60s") @critical permit (principal, action, resource) when { context.amount <= context.limit };',
  'permit (principal in Role::"admin", action, resource);',
  'forbid (principal, action, resource) when { context.words.contains("stop") };',
  'forbid (principal, action, resource) when { principal.level + 9223372036854775800 < 0 };',
  '@approvals("2") permit (principal, action, resource) when { resource.owner == principal && context has missing };',
);

t.test('allow, deny by default, deny by forbid', async (t) => {
  const engine = createPolicyEngine(set);
  t.strictSame(engine.decide(sampleRequest()), {
    decision: 'allow',
    reasons: ['p000'],
    errors: false,
    annotations: { p000: { critical: '', ttl: '60s' } },
  });
  t.strictSame(engine.decide(sampleRequest({ amount: 9 })), {
    decision: 'deny',
    reasons: [],
    errors: false,
    annotations: {},
  });
  t.strictSame(engine.decide(sampleRequest({ words: ['stop'] })), {
    decision: 'deny',
    reasons: ['p002'],
    errors: false,
    annotations: { p002: {} },
  });
  t.match(engine.decide(sampleRequest({ amount: 9, extra: { missing: 1 }, roles: ['admin'] })), {
    reasons: ['p001', 'p004'],
    annotations: { p004: { approvals: '2' } },
  });
});

t.test('a request that the schema does not fit is denied with errors', async (t) => {
  const engine = createPolicyEngine(sampleSet(permitAll));
  const base = sampleRequest();
  for (const request of [
    { ...base, action: 'other' },
    { ...base, principal: { type: 'Thing', id: 'thing' } },
    { ...base, context: {} },
    sampleRequest({ extra: { unknown: 1 } }),
    { ...base, entities: [{ uid: base.principal, attrs: {}, parents: [] }] },
  ]) {
    t.strictSame(engine.decide(request), { decision: 'deny', reasons: [], errors: true, annotations: {} });
  }
});

t.test('the cache never changes an answer', async (t) => {
  const cached = createPolicyEngine(set, { cacheEntriesMax: 24 });
  const uncached = createPolicyEngine(set, { cacheEntriesMax: 0, decisionsPerInstanceMax: 50 });
  const request = fc.record({
    amount: fc.integer({ min: 0, max: 2 }),
    limit: fc.constant(1),
    words: fc.subarray(['stop']),
    roles: fc.subarray(['admin']),
    level: fc.constantFrom(3, 100),
    extra: fc.constantFrom({}, { missing: 1 }),
  });
  fc.assert(
    fc.property(request, (options) => {
      t.strictSame(cached.decide(sampleRequest(options)), uncached.decide(sampleRequest(options)));
    }),
    { numRuns: 400 },
  );
  const { cacheHits, decisions } = cached.counts();
  t.ok(cacheHits > 20 && decisions > 50, 'both ways were walked');
  t.equal(uncached.counts().instances, 8, 'instances are renewed');
});

t.test('a decision that is remembered cannot be changed by who was given it', async (t) => {
  const engine = createPolicyEngine(set);
  const decision = engine.decide(sampleRequest());
  t.throws(() => (decision.reasons as string[]).push('x'), TypeError);
  t.throws(() => {
    (decision as { decision: string }).decision = 'deny';
  }, TypeError);
  t.throws(() => {
    (decision.annotations['p000'] as Record<string, string>)['ttl'] = '1h';
  }, TypeError);
  t.equal(engine.decide(sampleRequest()), decision);
});

t.test('two engines stand side by side', async (t) => {
  const yes = createPolicyEngine(sampleSet(permitAll));
  const no = createPolicyEngine(sampleSet(permitWhen('context.amount == 5')));
  t.equal(yes.decide(sampleRequest()).decision, 'allow');
  t.equal(no.decide(sampleRequest()).decision, 'deny');
  t.not(yes.digest, no.digest);
});

t.test('a set that Cedar cannot load is refused', async (t) => {
  t.throws(() => createPolicyEngine(sampleSet('permit (principal, action);')), { code: 'POLICY_SET_INVALID' });
  t.throws(() => createPolicyEngine({ schema: 'entity ;', policies: [] }), { code: 'POLICY_SET_INVALID' });
  const open = () => {
    throw new RangeError('Out of memory');
  };
  t.throws(() => createPolicyEngine(set, {}, { open }), { code: 'POLICY_HOST_FAILED' });
  const trapping = () => {
    const instance = openInstance();
    const preparseSchema = () =>
      instance.calls.policySetTextToParts(permitWhen(`${'('.repeat(140)}1${')'.repeat(140)}`));
    return { ...instance, calls: { ...instance.calls, preparseSchema: preparseSchema as never } };
  };
  t.throws(() => createPolicyEngine(set, {}, { open: trapping }), { code: 'POLICY_SET_TRAPPED' });
});

t.test('block time is part of a question only where the set reads it', async (t) => {
  const schema = (context: string) =>
    `entity A; type Timed = { time?: Long }; action act, other appliesTo { principal: A, resource: A, context: ${context} };`;
  const request = (time: number) => ({
    principal: { type: 'A', id: 'a' },
    action: 'act',
    resource: { type: 'A', id: 'a' },
    context: { time },
    entities: [],
  });
  const cases: readonly [string, string, number, string][] = [
    ['{ time?: Long }', permitAll, 1, 'nobody reads it'],
    ['Timed', permitAll, 1, 'nobody reads it, the context has a name'],
    ['{}', permitAll, 1, 'the schema does not know it'],
    ['{ time: Long }', permitAll, 2, 'the schema demands it'],
    ['Timed', permitWhen('context has time && context.time > 0'), 2, 'a policy reads it'],
    ['{ time?: Long }', permitWhen('context["time"] == 1 || true'), 2, 'a policy reads it by index'],
    [
      '{ time?: Long }',
      permitWhen('!(context == {a: 1}) && [context].contains(context)'),
      2,
      'a policy takes the whole context',
    ],
    ['{ time?: Long, of?: { time?: Long } }', permitWhen('!(context has of.time)'), 2, 'something of that name'],
    ['{ time?: Long, at?: Long }', permitWhen('!(context has at) || context.at > 0'), 1, 'another attribute is read'],
  ];
  for (const [context, text, questions, why] of cases) {
    const engine = createPolicyEngine({ schema: schema(context), policies: [{ id: 'a', text }] });
    const decisions = [engine.decide(request(1)), engine.decide(request(2))];
    t.equal(engine.counts().decisions, questions, why);
    if (!text.includes('"time"') && !text.includes('{a'))
      t.match(decisions, [{ decision: 'allow' }, { decision: 'allow' }], why);
  }
});
