// What `weft policy check` says: each finding, where it stands, and that a set without one is a set that the ledger takes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readsAnnotation } from '../../contracts/intents/terms.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { type Finding, findingsOf } from '../../src/policy/findings.ts';
import { filesIn, readPolicySetFolder, readSources } from '../../src/policy/setFolder.ts';
import type { PolicySetDocument } from '../../src/policy/types.ts';

const schema = `
entity Role;
entity Account in [Role] = { suspended: Bool };
entity Service;
entity Instance;
action all;
action read, write in [all] appliesTo { principal: [Account], resource: [Service, Instance], context: { amount: Long } };
action own appliesTo { principal: [Account], resource: [Service], context: {} };
`.trim();

const setOf = (...texts: readonly string[]): PolicySetDocument => ({
  schema,
  policies: texts.map((text, i) => ({ id: `p${i}`, text })),
});
const of = (...texts: readonly string[]): Finding[] => findingsOf(setOf(...texts), readsAnnotation);
const codes = (...texts: readonly string[]): string[] =>
  of(...texts).map(({ policy = '', code }) => `${policy} ${code}`);

t.test('the set that networks start with has no findings', async (t) => {
  t.strictSame(findingsOf(readDefaultPolicySet(), readsAnnotation), []);
});

t.test('every error is named, with its place and what Cedar thinks was meant', async (t) => {
  const found = of(
    'permit (principal, action == Action::"read", resource)\nwhen { context.amont > 1 };',
    'permit (principal, action);',
    'permit (principal in Rle::"x", action, resource);',
    '// nothing',
    '@id("other") permit (principal, action == Action::"own", resource) when { false };',
  );
  t.match(found, [
    { severity: 'error', policy: 'p0', code: 'POLICY_SET_UNSOUND', at: 62, message: /amont.*did you mean `amount`/ },
    { severity: 'error', policy: 'p1', code: 'POLICY_TEXT_INVALID', message: /missing the `resource`/ },
    { severity: 'error', policy: 'p2', code: 'POLICY_SET_UNSOUND', message: /Rle.*did you mean `Role`/ },
    { severity: 'error', policy: 'p3', code: 'POLICY_NOT_ONE_STATIC' },
    { severity: 'error', policy: 'p4', code: 'POLICY_ID_MISMATCH' },
    { severity: 'warning', policy: 'p4', code: 'POLICY_IMPOSSIBLE' },
  ]);
  t.equal(found.length, 6);
  const broken = { schema: 'entity A = { b: Nowhere };', policies: [] };
  t.match(findingsOf(broken, readsAnnotation), [{ code: 'POLICY_SCHEMA_INVALID', at: 16 }]);
  t.match(of('permit (principal, action, resource'), [{ code: 'POLICY_SET_MALFORMED', policy: 'p0' }]);
  t.match(of(`permit (principal, action, resource) when { ${'('.repeat(140)}true${')'.repeat(140)} };`), [
    { code: 'POLICY_SET_TOO_DEEP' },
  ]);
});

t.test('annotations read as they are read when something is granted', async (t) => {
  const permit = 'permit (principal, action == Action::"read", resource);';
  const good = [
    'ttl("60s")',
    'approvals("2")',
    'dry_run("true")',
    'max_targets("5")',
    'cooldown("5m")',
    'max_uses("1")',
  ];
  for (const each of [...good, 'approver_key("webauthn")', 'unreported("alert")'])
    t.strictSame(codes(`@${each} ${permit}`), [], each);
  for (const each of [
    'ttl("1 hour")',
    'ttl("0s")',
    'approvals("two")',
    'dry_run',
    'approver_key("pin")',
    'max_uses("01")',
  ])
    t.strictSame(codes(`@${each} ${permit}`), ['p0 POLICY_ANNOTATION'], each);
  t.strictSame(codes(`@aprovals("2") ${permit}`), ['p0 POLICY_ANNOTATION_UNKNOWN']);
  t.strictSame(codes(`@ttl("60s") ${permit.replace('permit', 'forbid')}`), ['p0 POLICY_ANNOTATION_IDLE']);
});

t.test('one policy makes another pointless: by scope', async (t) => {
  const permit = (scope: string): string => `permit (${scope});`;
  const forbid = (scope: string): string => `forbid (${scope});`;
  const anybody = 'principal, action, resource';
  const narrow = [
    'principal == Account::"a", action, resource',
    'principal in Role::"r", action, resource',
    'principal, action == Action::"read", resource',
    'principal, action in [Action::"read", Action::"own"], resource',
    'principal, action, resource is Service',
    'principal, action, resource is Instance',
  ];
  for (const scope of narrow) {
    t.strictSame(codes(forbid(anybody), permit(scope)), ['p1 POLICY_SHADOWED'], scope);
    t.strictSame(codes(permit(anybody), permit(scope)), ['p1 POLICY_COVERED'], scope);
    t.strictSame(codes(forbid(scope), permit(anybody)), [], `${scope}, the other way round`);
    t.strictSame(codes(forbid(scope), permit(scope)), ['p1 POLICY_CONTRADICTION'], scope);
    t.strictSame(codes(forbid(scope), forbid(scope)), ['p1 POLICY_DUPLICATE'], scope);
  }
  const pairs: readonly (readonly [outer: string, inner: string, covered: boolean])[] = [
    ['principal in Role::"r", action, resource', 'principal is Account in Role::"r", action, resource', true],
    ['principal is Account, action, resource', 'principal == Account::"a", action, resource', true],
    ['principal is Account, action, resource', 'principal is Account in Role::"r", action, resource', true],
    ['principal in Role::"r", action, resource', 'principal in Role::"s", action, resource', false],
    ['principal in Role::"r", action, resource', 'principal == Account::"a", action, resource', false],
    ['principal, action in Action::"all", resource', 'principal, action == Action::"write", resource', true],
    ['principal, action in Action::"all", resource', 'principal, action == Action::"own", resource', false],
    [
      'principal, action in [Action::"read", Action::"write"], resource',
      'principal, action in Action::"all", resource',
      false,
    ],
    ['principal, action, resource is Service', 'principal, action, resource', false],
  ];
  for (const [outer, inner, covered] of pairs)
    t.strictSame(codes(forbid(outer), permit(inner)), covered ? ['p1 POLICY_SHADOWED'] : [], `${outer} / ${inner}`);
});

t.test('and by conditions: who asks for less covers who asks for more; nothing is evaluated', async (t) => {
  const head = '(principal, action == Action::"read", resource)';
  const small = 'when { context.amount < 5 }';
  const active = 'unless { principal.suspended }';
  t.strictSame(codes(`forbid ${head} ${small};`, `permit ${head} ${small} ${active};`), ['p1 POLICY_SHADOWED']);
  t.strictSame(codes(`forbid ${head} ${small} ${active};`, `permit ${head} ${small};`), []);
  t.strictSame(codes(`permit ${head} ${small} ${active};`, `permit ${head} ${active} ${small};`), [
    'p1 POLICY_DUPLICATE',
  ]);
  t.strictSame(
    codes(`forbid ${head} when { context.amount < 6 };`, `permit ${head} ${small};`),
    [],
    'form, not meaning',
  );
  t.strictSame(codes(`permit ${head};`, `@ttl("5s") permit ${head} ${small};`), [], 'it may be there for its bound');
});

t.test('a folder: parts know where they stand', async (t) => {
  const folder = t.testdir({});
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const invalid = (message: RegExp) =>
    t.throws(() => readPolicySetFolder(folder), { code: 'POLICY_FILE_INVALID', message });
  invalid(/one \.cedarschema file; here are 0/);
  write('a.cedarschema', `\n\n${schema}\n`);
  invalid(/at least one/);
  write(
    'b.cedar',
    '// A file.\n\n// Why.\n@id("b")\npermit (principal, action, resource)\nwhen { "ä" == context.x };\n',
  );
  write('a.cedar', '@id("a")\nforbid (principal, action, resource);');
  const { document, placeOf } = readSources(...filesIn(folder));
  t.strictSame(document, readPolicySetFolder(folder));
  t.strictSame(document.schema, schema);
  t.strictSame(
    document.policies.map(({ id }) => id),
    ['a', 'b'],
  );
  t.strictSame(document.policies[1]?.text.split('\n')[0], '// Why.');
  const b = join(folder, 'b.cedar');
  t.strictSame(placeOf('b'), { file: b, line: 4, column: 1 }, 'below its comment');
  const at = Buffer.from(document.policies[1]!.text).indexOf('context.x');
  t.strictSame(placeOf('b', at), { file: b, line: 6, column: 15 }, 'columns are characters');
  t.strictSame(placeOf(undefined, 0), { file: join(folder, 'a.cedarschema'), line: 3, column: 1 });
  t.equal(placeOf('c'), undefined);
  write('c.cedar', '\n@id("a")\npermit (principal, action, resource);');
  invalid(/c\.cedar:2: there is a policy a already, at .*a\.cedar:1/);
  write('c.cedar', 'permit (principal, action, resource);');
  invalid(/c\.cedar:1: this policy has no @id/);
  write('c.cedar', 'permit (principal, action, resource)');
  invalid(/c\.cedar: the last policy does not end/);
  write('c.cedar', ' '.repeat(1024 * 1024 + 1));
  invalid(/too large/);
  mkdirSync(join(folder, 'empty'));
  t.throws(() => readPolicySetFolder(join(folder, 'nowhere')), { code: 'POLICY_FILE_INVALID', message: /ENOENT/ });
});
