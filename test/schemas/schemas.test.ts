import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { schemaDocuments } from '../../schemas/types/catalogue.ts';
import { hasSchema, validate } from '../../schemas/validators.ts';
import { generateTypes, schemaNames } from '../../scripts/generateTypes.ts';

type Node = { readonly [name: string]: unknown };

const schemas = join(import.meta.dirname, '..', '..', 'schemas');
/** Documents of programs that are described elsewhere: their own tests hold them to their rules. */
const ofOthers = new Set(['config', 'rpc', 'state-proof', 'status', 'walk']);
const ours = [...schemaDocuments].filter(([name]) => !ofOthers.has(name));

t.test('every schema is one, and strict', async (t) => {
  const ajv = new Ajv2020({ strict: true });
  for (const [name, schema] of schemaDocuments) t.ok(ajv.validateSchema(schema), name);
  for (const [name, schema] of ours) t.equal((schema as Node)['$id'], `weft:/schemas/${name}.schema.json`);
});

t.test('every example holds, and every document has one', async (t) => {
  for (const [name, schema] of ours) {
    if (name === 'common') continue;
    const examples = (schema as { examples?: unknown[] }).examples ?? [];
    t.ok(examples.length > 0, `${name} has an example`);
    for (const example of examples) t.equal(validate(name, example), undefined, name);
  }
});

t.test('bounded everywhere, described everywhere, unknown members refused', async (t) => {
  const walk = (node: Node, where: string): void => {
    if (node['$ref'] !== undefined) return;
    t.equal(node['format'], undefined, `${where}: no format`);
    if (node['anyOf'] !== undefined)
      for (const each of node['anyOf'] as Node[])
        walk(each['description'] === undefined ? { description: '', ...each } : each, where);
    if (node['type'] !== 'null' && !where.endsWith('$defs'))
      t.type(node['description'], 'string', `${where}: description`);
    switch (node['type']) {
      case 'object':
        if (where === 'transaction.body' || where.endsWith('[].body')) break;
        t.equal(node['additionalProperties'], false, `${where}: unknown members are refused`);
        for (const [name, each] of Object.entries(node['properties'] as Record<string, Node>)) {
          t.notMatch(name, /^(?:0|[1-9][0-9]*)$/, `${where}: no member is an array index`);
          walk(each, `${where}.${name}`);
        }
        break;
      case 'array':
        t.type(node['maxItems'], 'number', `${where}: maxItems`);
        walk(node['items'] as Node, `${where}[]`);
        break;
      case 'string':
        t.ok(
          node['const'] !== undefined || node['enum'] !== undefined || node['maxLength'] !== undefined,
          `${where}: maxLength`,
        );
        if (typeof node['pattern'] === 'string')
          t.match(node['pattern'], /^\^[ -~]*\$$/, `${where}: pattern is ASCII and whole`);
        break;
      case 'integer':
        t.ok(
          node['const'] !== undefined ||
            (Number.isSafeInteger(node['minimum']) && Number.isSafeInteger(node['maximum'])),
          `${where}: minimum and maximum`,
        );
        break;
      default:
    }
    for (const [name, each] of Object.entries((node['$defs'] ?? {}) as Record<string, Node>))
      walk(each, `${where}.${name}`);
  };
  for (const [name, schema] of ours) walk(schema as Node, name);
});

t.test('what is wrong is said in words that name the member', async (t) => {
  const commit = (schemaDocuments.get('tx/packets.commit') as { examples: { groups: Node[] }[] }).examples[0]!;
  const group = commit.groups[0]!;
  const said = (groups: unknown[]) => validate('tx/packets.commit', { groups });
  t.equal(said([group]), undefined);
  t.equal(said([]), 'member groups must have at least 1 items');
  t.equal(said([{ ...group, extra: 1 }]), 'member groups[0] has an unknown member "extra"');
  t.equal(said([{ ...group, expires: '1' }]), 'member groups[0].expires must be an integer');
  t.equal(said([{ ...group, expires: -1 }]), 'member groups[0].expires must be at least 0');
  t.equal(
    said([group, { ...group, ids: '%' }]),
    'member groups[1].ids does not have the form ^[A-Za-z0-9_-]{43,10923}$',
  );
  t.equal(said(Array.from({ length: 17 }, () => group)), 'member groups must have at most 16 items');
  t.equal(validate('tx/packets.commit', 3), 'the document must be an object');
  t.equal(validate('tx/packets.commit', {}), 'the document lacks the member "groups"');
  t.match(
    validate('tx/models.attest', {
      ...(schemaDocuments.get('tx/models.attest') as { examples: Node[] }).examples[0],
      verdict: 'FINE',
    }),
    /^member verdict must be one of "PASSED", "WARNED", "FAILED"$/,
  );
  const propose = (change: object) => validate('tx/governance.propose', { change, notBefore: 0, expires: 1 });
  t.equal(
    propose({ kind: 'ruleset', ruleset: 0 }),
    'member change.ruleset must be at least 1',
    'the form that was meant',
  );
  t.match(propose({ kind: 'council' }), 'member change lacks the member "threshold"');
  t.match(propose({ kind: 'nothing' }), /^member change /);
  t.equal(hasSchema('tx/packets.commit'), true);
  t.equal(hasSchema('tx/none'), false);
  t.equal(hasSchema('__proto__'), false);
  t.throws(() => validate('tx/none', {}), TypeError);
});

t.test('generated types and catalogue are those of the schemas', async (t) => {
  const generated = await generateTypes(schemas);
  for (const [name, text] of generated)
    t.equal(readFileSync(join(schemas, 'types', name), 'utf8'), text, `${name}: run npm run types`);
  t.strictSame([...schemaDocuments.keys()], schemaNames(schemas));
});

t.test('base64url patterns allow only spellings without stray bits', async (t) => {
  const ok = (def: string, text: string) =>
    new RegExp(
      (schemaDocuments.get('common') as { $defs: Record<string, { pattern: string }> }).$defs[def]!.pattern,
    ).test(text);
  for (const [def, bytes] of [
    ['bytes32', 32],
    ['bytes64', 64],
    ['nonce', 8],
  ] as const) {
    for (let last = 0; last < 256; last += 1) t.ok(ok(def, Buffer.alloc(bytes, last).toString('base64url')), def);
    const text = Buffer.alloc(bytes).toString('base64url');
    t.notOk(ok(def, `${text.slice(0, -1)}B`));
    t.notOk(ok(def, `${text}A`));
    t.notOk(ok(def, `${text}\n`));
  }
});
