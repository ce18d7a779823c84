import t from 'tap';
import { policyQuestions } from '../../contracts/policyQuestions.ts';
import { checkPolicySet, checkPolicySetHere, checkPolicySetNow } from '../../src/policy/check.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { digestPolicySet } from '../../src/policy/document.ts';
import { POLICY_LIMITS } from '../../src/policy/limits.ts';
import { measureSchema } from '../../src/policy/schemaSize.ts';
import type { PolicySetDocument } from '../../src/policy/types.ts';
import { permitAll, permitWhen, sampleSchema, sampleSet } from './samples.ts';

t.test('the digest is over the document and nothing else', async (t) => {
  const document: PolicySetDocument = { schema: 'entity A;', policies: [{ id: 'a', text: permitAll }] };
  t.equal(digestPolicySet(document), '194de4258ee1e09e537b46a7ada134e3dfd5fdf810b839550bee8fd5b888e003', 'frozen');
  const reordered = { policies: [{ text: permitAll, id: 'a' }], schema: 'entity A;' };
  t.equal(digestPolicySet(reordered), digestPolicySet(document), 'RFC 8785 orders members');
  t.not(digestPolicySet({ ...document, schema: 'entity B;' }), digestPolicySet(document));
  t.not(digestPolicySet({ ...document, policies: [{ id: 'b', text: permitAll }] }), digestPolicySet(document));
});

t.test('a sound set passes, here and in a worker, with the same digest', async (t) => {
  const document = sampleSet(permitAll, permitWhen('principal in Role::"admin"'));
  const here = checkPolicySetHere(document);
  t.strictSame(here, { ok: true, digest: digestPolicySet(document) });
  t.strictSame(await checkPolicySet(document), here);
});

t.test('each refusal has its code, and the worker gives the same', async (t) => {
  const policy = (id: string, text = permitAll) => ({ id, text });
  const withPolicies = (...policies: readonly { id: string; text: string }[]) => ({ schema: sampleSchema, policies });
  const long = `// ${'x'.repeat(POLICY_LIMITS.policyBytesMax - permitAll.length - 4)}\n${permitAll}`;
  const cases: readonly [string, unknown][] = [
    ['POLICY_SET_MALFORMED', { schema: sampleSchema }],
    ['POLICY_SET_MALFORMED', { ...withPolicies(), more: 1 }],
    ['POLICY_SET_MALFORMED', withPolicies({ ...policy('a'), more: 1 } as never)],
    ['POLICY_SET_MALFORMED', withPolicies({ id: 'a' } as never)],
    ['POLICY_SET_MALFORMED', withPolicies(policy('a', 'permit (principal, action, resource;'))],
    ['POLICY_SET_MALFORMED', withPolicies(policy('a', 'permit (principal, action, resource));'))],
    ['POLICY_SET_MALFORMED', withPolicies(policy('a', 'permit (principal, action, resource) when { "};'))],
    ['POLICY_SET_MALFORMED', withPolicies(policy('a', `${permitAll} // \ud800`))],
    ['POLICY_ID_INVALID', withPolicies(policy('A'))],
    ['POLICY_ID_INVALID', withPolicies(policy(''))],
    ['POLICY_ID_INVALID', withPolicies(policy('__proto__'))],
    ['POLICY_ID_INVALID', withPolicies(policy('a'.repeat(65)))],
    ['POLICY_IDS_UNSORTED', withPolicies(policy('a'), policy('a'))],
    ['POLICY_IDS_UNSORTED', withPolicies(policy('b'), policy('a'))],
    ['POLICY_SET_TOO_LARGE', withPolicies(policy('a', `${long} `))],
    [
      'POLICY_SET_TOO_LARGE',
      { schema: `${sampleSchema} // ${'x'.repeat(POLICY_LIMITS.schemaBytesMax)}`, policies: [] },
    ],
    ['POLICY_SET_TOO_LARGE', withPolicies(...Array.from({ length: 16 }, (_, i) => policy(`p${i + 10}`, long)))],
    ['POLICY_SET_TOO_LARGE', withPolicies(...Array.from({ length: 257 }, (_, i) => policy(`p${i + 1000}`)))],
    ['POLICY_SET_TOO_DEEP', { schema: `entity A = { a: ${'Set<'.repeat(64)}Long${'>'.repeat(64)} };`, policies: [] }],
    ['POLICY_SCHEMA_INVALID', { schema: 'entity A = { b: Nowhere };', policies: [] }],
    ['POLICY_SCHEMA_INVALID', { schema: 'type A = { b: A }; entity B = { a: A };', policies: [] }],
    ['POLICY_TEXT_INVALID', withPolicies(policy('a', 'permit (principal, action);'))],
    ['POLICY_NOT_ONE_STATIC', withPolicies(policy('a', `${permitAll} ${permitAll}`))],
    ['POLICY_NOT_ONE_STATIC', withPolicies(policy('a', '// nothing'))],
    ['POLICY_NOT_ONE_STATIC', withPolicies(policy('a', 'permit (principal == ?principal, action, resource);'))],
    ['POLICY_ID_MISMATCH', withPolicies(policy('a', `@id("b") ${permitAll}`))],
    ['POLICY_SET_UNSOUND', withPolicies(policy('a', permitWhen('context.nothing == 1')))],
    ['POLICY_SET_UNSOUND', withPolicies(policy('a', permitWhen('principal.level == "x"')))],
    ['POLICY_SET_UNSOUND', withPolicies(policy('a', permitWhen('principal in Rule::"admin"')))],
  ];
  for (const [code, document] of cases) {
    t.match(checkPolicySetHere(document as PolicySetDocument), { ok: false, code }, code);
  }
  for (const index of [0, 12, cases.length - 1]) {
    const [, document] = cases[index]!;
    t.strictSame(
      await checkPolicySet(document as PolicySetDocument),
      checkPolicySetHere(document as PolicySetDocument),
    );
  }
});

t.test('the message is the same each time, also where several policies are unsound', async (t) => {
  const document = sampleSet(...Array.from({ length: 8 }, () => permitWhen('context.nothing == 1')));
  const verdicts = new Set(Array.from({ length: 8 }, () => JSON.stringify(checkPolicySetHere(document))));
  t.equal(verdicts.size, 1);
});

t.test('brackets, operators and names in strings and comments are text', async (t) => {
  const quiet = permitWhen(`context.words.contains("${'(&&'.repeat(300)}") // ${'((['.repeat(300)}\n`);
  t.ok(checkPolicySetHere(sampleSet(quiet)).ok);
  t.ok(checkPolicySetHere(sampleSet(permitWhen('context.words.contains("\\")")'))).ok, 'an escaped quote');
});

t.test('the work of validation is bounded by counting', async (t) => {
  const names = Array.from({ length: 60 }, (_, i) => `E${i}`);
  const schema = `entity ${names.join(', ')}; action act appliesTo { principal: [${names}], resource: [${names}] };`;
  const filler = `// ${'x'.repeat(10_000)}\n${permitAll}`;
  t.match(checkPolicySetHere({ schema, policies: [{ id: 'a', text: filler }] }), {
    ok: false,
    code: 'POLICY_SET_COSTLY',
  });
  const more = Array.from({ length: 65 }, (_, i) => `E${i}`);
  const wide = `entity ${more.join(', ')}; action act appliesTo { principal: [${more}], resource: [${more}] };`;
  t.match(checkPolicySetHere({ schema: wide, policies: [] }), { ok: false, code: 'POLICY_SCHEMA_TOO_LARGE' });
});

t.test('types are weighed as written out', async (t) => {
  const long = { type: 'Long' };
  const schema = {
    N: {
      commonTypes: { A: { type: 'Record', attributes: { x: { type: 'N::B' }, y: { type: 'N::B' } } }, B: long },
      entityTypes: {},
      actions: { a: { appliesTo: { principalTypes: ['P', 'Q'], resourceTypes: ['R', 'S', 'T'] } }, b: {} },
    },
  };
  t.equal(measureSchema(schema).environments, 6);
  const cyclic = { '': { commonTypes: { A: { type: 'A' } }, entityTypes: { E: { shape: { type: 'A' } } } } };
  t.ok(measureSchema(cyclic).typeNodes > 0, 'a cycle ends');
});

t.test('a set is tried by what the ruleset asks: its schema fits, and the council can still change it', async (t) => {
  const set = readDefaultPolicySet();
  const check = (document: PolicySetDocument) => checkPolicySetHere(document, policyQuestions);
  const without = (id: string) => ({ ...set, policies: set.policies.filter((policy) => policy.id !== id) });
  const withSchema = (from: string, to: string) => {
    t.ok(set.schema.includes(from), from);
    return { ...set, policies: [{ id: 'all', text: permitAll }], schema: set.schema.replace(from, to) };
  };
  const withPolicy = (text: string) => {
    const policies = [...set.policies, { id: 'zz', text }];
    return { ...set, policies };
  };
  t.ok(check(set).ok);
  t.ok(check(withSchema('kind: String, own: Bool, time?: Long', 'kind: String, own: Bool')).ok, 'time may be missing');
  const unfit: readonly [string, PolicySetDocument][] = [
    ['an action is missing', withSchema('action "governance.text"', 'action "governance.texts"')],
    ['a member is missing', withSchema('adds: Long, removes: Long', 'adds: Long')],
    ['a member is of another type', withSchema('adds: Long, removes: Long', 'adds: String, removes: Long')],
    ['a member too many', withSchema('adds: Long, removes: Long', 'adds: Long, removes: Long, more: Long')],
    ['an attribute of an entity is missing', withSchema('  suspended: Bool,\n', '')],
    ['another kind of resource', withSchema('resource: [Table],', 'resource: [Service],')],
  ];
  for (const [why, document] of unfit) t.match(check(document), { ok: false, code: 'POLICY_SCHEMA_UNFIT' }, why);
  const locked: readonly [string, PolicySetDocument][] = [
    ['nothing is allowed', { ...set, policies: [] }],
    ['nobody permits it', without('governance.by-council')],
    [
      'a slip',
      withPolicy('forbid (principal, action == Action::"governance.approve", resource) when { context.own };'),
    ],
    ['a forbid for everybody', withPolicy('forbid (principal, action, resource);')],
  ];
  for (const [why, document] of locked) t.match(check(document), { ok: false, code: 'POLICY_LOCKS_OUT' }, why);
  t.match(
    check({ schema: sampleSchema, policies: [{ id: 'a', text: permitAll }] }),
    { ok: false, code: 'POLICY_SCHEMA_UNFIT' },
    'and whoever asks in a thread hears the same',
  );
  const last = locked[2]![1];
  t.strictSame(await checkPolicySet(last, policyQuestions), check(last));
  t.strictSame(checkPolicySetNow(last, policyQuestions), check(last), 'also who cannot wait otherwise');
});
