// Each hazard of src/policy/README.md: first that Cedar in WASM really has it (else the rule is folklore), then that
// the adapter's rule stands against it.
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { checkPolicySetHere } from '../../src/policy/check.ts';
import { createPolicyEngine } from '../../src/policy/engine.ts';
import { POLICY_ENGINE_ID, requirePolicyEngine } from '../../src/policy/engineId.ts';
import { boundMemory, type CedarInstance, failureOf, openInstance } from '../../src/policy/instance.ts';
import { POLICY_LIMITS } from '../../src/policy/limits.ts';
import type { PolicyRequest, PolicyValue } from '../../src/policy/types.ts';
import { permitAll, permitWhen, sampleRequest, sampleSchema, sampleSet } from './samples.ts';

const nested = (depth: number) => permitWhen(`${'('.repeat(depth)}true${')'.repeat(depth)}`);
const chained = (length: number) => permitWhen(`${Array(length).fill('1').join('+')} > 0`);

/** Cedar without the adapter. */
function raw(texts: readonly string[], request: PolicyRequest, instance = openInstance()) {
  const { calls } = instance;
  calls.preparseSchema('schema', sampleSchema);
  calls.preparsePolicySet('set', { staticPolicies: Object.fromEntries(texts.map((text, i) => [`p${i}`, text])) });
  return calls.statefulIsAuthorized({
    principal: request.principal,
    action: { type: 'Action', id: request.action },
    resource: request.resource,
    context: request.context as Record<string, never>,
    entities: request.entities as never,
    preparsedSchemaName: 'schema',
    preparsedPolicySetId: 'set',
  });
}

t.test('skip on error: a forbid that errs is skipped by Cedar, and denies here', async (t) => {
  const texts = [permitAll, 'forbid (principal, action, resource) when { context.missing == 1 };'];
  const answer = raw(texts, sampleRequest());
  t.equal(answer.type === 'success' && answer.response.decision, 'allow', 'the hazard');
  t.strictSame(createPolicyEngine(sampleSet(...texts)).decide(sampleRequest()), {
    decision: 'deny',
    reasons: ['p001'],
    errors: true,
    annotations: { p001: {} },
  });
  t.match(
    checkPolicySetHere(sampleSet(...texts)),
    { ok: false, code: 'POLICY_SET_UNSOUND' },
    'nor is it ever committed',
  );
});

t.test('integers: beyond 2^53 - 1 JavaScript has rounded already, so they are refused before the call', async (t) => {
  const rounded = sampleRequest({ amount: Number('9007199254740993'), limit: Number('9007199254740992') });
  const answer = raw([permitWhen('context.amount <= context.limit')], rounded);
  t.equal(answer.type === 'success' && answer.response.decision, 'allow', 'the hazard');
  const engine = createPolicyEngine(sampleSet(permitAll));
  for (const amount of [2 ** 53, -(2 ** 53), 0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
    t.throws(() => engine.decide(sampleRequest({ amount })), { code: 'POLICY_REQUEST_INVALID' }, `${amount}`);
  }
  const big = sampleRequest({ extra: { missing: 1n as unknown as number } });
  t.throws(() => engine.decide(big), { code: 'POLICY_REQUEST_INVALID' }, 'a BigInt');
  for (const amount of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0]) {
    t.equal(engine.decide(sampleRequest({ amount })).decision, 'allow', `${amount}`);
  }
});

t.test('overflow: the erring forbid denies', async (t) => {
  const texts = [permitAll, 'forbid (principal, action, resource) when { context.amount + 9223372036854775807 < 0 };'];
  t.ok(checkPolicySetHere(sampleSet(...texts)).ok, 'validation cannot see it');
  const engine = createPolicyEngine(sampleSet(...texts));
  t.match(engine.decide(sampleRequest({ amount: 1 })), { decision: 'deny', errors: true });
  t.match(engine.decide(sampleRequest({ amount: 0 })), { decision: 'allow', errors: false });
});

t.test('order of reasons: random in Cedar, sorted by code unit here', async (t) => {
  const texts = Array.from({ length: 12 }, () => permitAll);
  const instance = openInstance();
  const orders = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const answer = raw(texts, sampleRequest(), instance);
    if (answer.type === 'success') orders.add(answer.response.diagnostics.reason.join());
  }
  t.ok(orders.size > 1, 'the hazard');
  const engine = createPolicyEngine(sampleSet(...texts), { cacheEntriesMax: 0 });
  for (let i = 0; i < 20; i++) {
    const { reasons } = engine.decide(sampleRequest());
    t.strictSame(reasons, [...reasons].sort());
    t.equal(reasons.length, 12);
  }
});

t.test('nesting: 140 brackets trap the parser, 65 are refused by counting', async (t) => {
  const { calls } = openInstance();
  t.throws(
    () => calls.preparsePolicySet('set', { staticPolicies: { a: nested(140) } }),
    { name: 'RuntimeError' },
    'the hazard',
  );
  t.match(
    checkPolicySetHere(sampleSet(nested(POLICY_LIMITS.nestingMax))),
    { ok: false, code: 'POLICY_SET_TOO_DEEP' },
    'with the braces of when, 65',
  );
  t.ok(checkPolicySetHere(sampleSet(nested(POLICY_LIMITS.nestingMax - 1))).ok);
  t.throws(() => createPolicyEngine(sampleSet(nested(140))), { code: 'POLICY_SET_TOO_DEEP' });
  const hidden = permitWhen(`"${')'.repeat(200)}" == "" || ${'('.repeat(140)}true${')'.repeat(140)}`);
  t.match(
    checkPolicySetHere(sampleSet(hidden)),
    { ok: false, code: 'POLICY_SET_TOO_DEEP' },
    'closers in a string do not count',
  );
});

t.test('chains: 1,000 operators pass validation and trap the evaluator, 257 are refused by counting', async (t) => {
  const { calls } = openInstance();
  const policies = { staticPolicies: { a: chained(1000) } };
  const answer = calls.validate({ schema: sampleSchema, policies });
  t.strictSame(answer.type === 'success' && answer.validationErrors, [], 'the hazard: validation sees nothing');
  t.throws(() => raw([chained(1000)], sampleRequest()), { name: 'RuntimeError' }, 'the hazard: the evaluator traps');
  t.match(checkPolicySetHere(sampleSet(chained(1000))), { ok: false, code: 'POLICY_SET_TOO_DEEP' });
  const most = chained(POLICY_LIMITS.operatorsMax - 1);
  t.ok(checkPolicySetHere(sampleSet(most)).ok);
  t.equal(
    createPolicyEngine(sampleSet(most)).decide(sampleRequest()).decision,
    'allow',
    'what is let through evaluates',
  );
});

t.test('the deepest that the counting lets through neither traps nor overflows the host', async (t) => {
  const { nestingMax, operatorsMax } = POLICY_LIMITS;
  const brackets = nestingMax - 1;
  const perLevel = Math.floor((operatorsMax - 2) / brackets);
  const spread = permitWhen(
    `${`${'true && '.repeat(perLevel - 1)}true && (`.repeat(brackets)}true${')'.repeat(brackets)}`,
  );
  const conditions = permitWhen(`${'if true then true else '.repeat(operatorsMax - 1)}true`);
  const members = permitWhen(`${'resource.owner'} == principal && ${'principal.level + '.repeat(100)}1 > 0`);
  for (const text of [spread, conditions, members]) {
    t.ok(checkPolicySetHere(sampleSet(text)).ok, text.slice(0, 60));
    t.match(createPolicyEngine(sampleSet(text)).decide(sampleRequest()), { decision: 'allow', errors: false });
  }
});

t.test('poisoned instance: after a trap every call traps; another instance in the process is untouched', async (t) => {
  const poisoned = openInstance();
  t.throws(() => poisoned.calls.policySetTextToParts(nested(140)), { name: 'RuntimeError' });
  t.throws(() => poisoned.calls.policySetTextToParts(permitAll), { name: 'RuntimeError' }, 'the hazard');
  t.equal(openInstance().calls.policySetTextToParts(permitAll).type, 'success');
});

/** Instances of which the first ones break at the question, by a real trap or with a given error. */
function breaking(...faults: readonly ('none' | 'trap' | Error)[]): {
  open: () => CedarInstance;
  opened: () => number;
} {
  let opened = 0;
  const open = () => {
    const instance = openInstance();
    const fault = faults[opened++] ?? 'none';
    if (fault === 'none') return instance;
    const ask = () => {
      if (fault === 'trap') instance.calls.policySetTextToParts(nested(140));
      throw fault;
    };
    return { ...instance, calls: { ...instance.calls, statefulIsAuthorized: ask } };
  };
  return { open, opened: () => opened };
}

t.test('a trap throws the instance away and a fresh one decides', async (t) => {
  const { open, opened } = breaking('trap', 'none');
  const engine = createPolicyEngine(sampleSet(permitAll), {}, { open });
  t.match(engine.decide(sampleRequest()), { decision: 'allow', reasons: ['p000'], errors: false });
  t.equal(opened(), 2);
  t.match(engine.decide(sampleRequest({ amount: 7 })), { decision: 'allow' });
  t.equal(opened(), 2, 'the fresh one stays');
});

t.test('only the trap of the fresh instance is a deny, and the next question gets another instance', async (t) => {
  const { open, opened } = breaking('trap', 'trap', 'none');
  const engine = createPolicyEngine(sampleSet(permitAll), {}, { open });
  t.strictSame(engine.decide(sampleRequest()), { decision: 'deny', reasons: [], errors: true, annotations: {} });
  t.match(engine.decide(sampleRequest({ amount: 7 })), { decision: 'allow' });
  t.equal(opened(), 3);
});

t.test('a host error is never a deny', async (t) => {
  const overflow = new RangeError('Maximum call stack size exceeded');
  const once = createPolicyEngine(sampleSet(permitAll), {}, breaking(overflow, 'none'));
  t.match(once.decide(sampleRequest()), { decision: 'allow' }, 'once: the fresh instance decides');
  for (const faults of [[overflow, overflow] as const, ['trap', overflow] as const]) {
    const engine = createPolicyEngine(sampleSet(permitAll), {}, breaking(...faults, 'none'));
    t.throws(() => engine.decide(sampleRequest()), { code: 'POLICY_HOST_FAILED' });
    t.match(engine.decide(sampleRequest()), { decision: 'allow' }, 'and it is not remembered');
  }
  let opened = 0;
  const engine = createPolicyEngine(
    sampleSet(permitAll),
    {},
    {
      open: () => {
        if (opened++ > 0) throw new RangeError('WebAssembly.Instance(): Out of memory');
        return breaking('trap').open();
      },
    },
  );
  t.throws(() => engine.decide(sampleRequest()), { code: 'POLICY_HOST_FAILED' }, 'no memory for a fresh instance');
});

t.test('whose failure it is', async (t) => {
  const instance = openInstance();
  let trap: unknown;
  try {
    instance.calls.policySetTextToParts(nested(140));
  } catch (error) {
    trap = error;
  }
  t.equal(failureOf(trap, instance), 'trap');
  t.equal(failureOf(new RangeError('Maximum call stack size exceeded'), instance), 'host');
  t.equal(failureOf(new TypeError('x'), instance), 'host');
  t.equal(failureOf('x', instance), 'host');
  t.equal(failureOf(trap, { ...instance, hostHadMemory: () => false }), 'host', 'a trap on a host without memory');
});

t.test('memory ends at the same page everywhere', async (t) => {
  // Entity types in one long chain: Cedar's table of ancestors grows with the square of them.
  const chain = Array.from({ length: 2000 }, (_, i) => `entity E${i} in [E${i + 1}];`).join('');
  const instance = openInstance();
  let failure: unknown;
  try {
    instance.calls.preparseSchema('schema', `${chain} entity E2000;`);
  } catch (error) {
    failure = error;
  }
  t.match(failure, { name: 'RuntimeError' });
  t.equal(failureOf(failure, instance), 'trap');
  t.throws(() => boundMemory(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]), 16), { code: 'POLICY_ENGINE_MISMATCH' });
});

t.test('depth of a context is bounded here, long before Cedar gives up', async (t) => {
  const deep = (depth: number): PolicyValue => (depth === 0 ? true : { flag: deep(depth - 1) });
  const request = (depth: number) => sampleRequest({ extra: { nested: deep(depth) } });
  const reached = (() => {
    try {
      return raw([permitAll], request(200)).type;
    } catch {
      return 'thrown';
    }
  })();
  t.not(reached, 'success', 'the hazard');
  const engine = createPolicyEngine(sampleSet(permitAll));
  t.throws(() => engine.decide(request(200)), { code: 'POLICY_REQUEST_INVALID' });
  t.throws(() => engine.decide(request(POLICY_LIMITS.valueDepthMax)), { code: 'POLICY_REQUEST_INVALID' });
  t.match(engine.decide(request(1)), { decision: 'allow' });
  t.match(engine.decide(request(2)), { decision: 'deny', errors: true }, 'the schema does not fit');
});

t.test('version drift: the engine is named, and another one is refused', async (t) => {
  requirePolicyEngine({ ...POLICY_ENGINE_ID });
  for (const part of ['sdk', 'language', 'wasmSha256'] as const) {
    t.throws(() => requirePolicyEngine({ ...POLICY_ENGINE_ID, [part]: 'x' }), {
      code: 'POLICY_ENGINE_MISMATCH',
      details: { part },
    });
  }
  const { calls } = openInstance();
  t.equal(calls.getCedarSDKVersion(), POLICY_ENGINE_ID.sdk);
  t.equal(calls.getCedarLangVersion(), POLICY_ENGINE_ID.language);
});

t.test('`in` between strings disables a forbid silently: strict validation refuses it', async (t) => {
  const texts = [permitAll, 'forbid (principal, action, resource) when { principal.team in ["red", "blue"] };'];
  t.match(checkPolicySetHere(sampleSet(...texts)), { ok: false, code: 'POLICY_SET_UNSOUND' });
});

t.test('doubling types: thirty lines of schema that would take minutes are refused by counting', async (t) => {
  const lines = Array.from({ length: 30 }, (_, i) => `type T${i} = { a: T${i + 1}, b: T${i + 1} };`);
  const schema = `${sampleSchema} ${lines.join('')} type T30 = Long; entity Big = { t: T0 };`;
  t.match(checkPolicySetHere({ schema, policies: [] }), { ok: false, code: 'POLICY_SCHEMA_TOO_LARGE' });
});

t.test('what JSON or Cedar would read differently is no request', async (t) => {
  const engine = createPolicyEngine(sampleSet(permitAll));
  const bad: readonly unknown[] = [
    '\ud800',
    null,
    undefined,
    () => 1,
    new Date(0),
    { __extn: { fn: 'ip', arg: '::1' } },
    { __entity: { type: 'Role', id: 'x' }, more: 1 },
    { __entity: { type: 'Role' } },
    { __proto: 1 },
    'x'.repeat(POLICY_LIMITS.stringLengthMax + 1),
    Array.from({ length: 20 }, () => 'x'.repeat(5000)),
  ];
  for (const value of bad) {
    const request = sampleRequest({ extra: { missing: value as PolicyValue } });
    t.throws(() => engine.decide(request), { code: 'POLICY_REQUEST_INVALID' }, String(value).slice(0, 40));
  }
  const base = sampleRequest();
  const malformed: readonly unknown[] = [
    { ...base, principal: { type: 'Account', id: 7 } },
    { ...base, resource: { type: 'Thing', id: 'x', more: 1 } },
    { ...base, action: 7 },
    { ...base, context: [] },
    { ...base, entities: [{ uid: base.principal, attrs: [], parents: [] }] },
    { ...base, entities: Array(POLICY_LIMITS.entitiesMax + 1).fill(base.entities[0]) },
  ];
  for (const request of malformed) {
    t.throws(() => engine.decide(request as PolicyRequest), { code: 'POLICY_REQUEST_INVALID' });
  }
  t.ok(new WeftError('A', 'b') instanceof Error);
});
