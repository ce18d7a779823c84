// Random documents from a schema: what it allows, at its edges more often than in its middle.
import fc from 'fast-check';
import { schemaDocuments } from '../../schemas/types/catalogue.ts';

type Node = { readonly [name: string]: unknown };

/** Documents that `name` accepts nearly always; `words` are tried wherever they fit a pattern. */
export function arbitraryOf(name: string, words: readonly string[] = []): fc.Arbitrary<unknown> {
  const document = schemaDocuments.get(name);
  if (document === undefined) throw new TypeError(`no schema ${name}`);
  return build(document as Node, name, words);
}

function build(node: Node, name: string, words: readonly string[]): fc.Arbitrary<unknown> {
  const ref = node['$ref'];
  if (typeof ref === 'string') return build(...resolve(ref, name), words);
  if (node['const'] !== undefined) return fc.constant(node['const']);
  if (Array.isArray(node['enum'])) return fc.constantFrom(...(node['enum'] as unknown[]));
  if (Array.isArray(node['anyOf']))
    return fc.oneof(...(node['anyOf'] as Node[]).map((each) => build(each, name, words)));
  switch (node['type']) {
    case 'object': {
      const properties = Object.entries((node['properties'] ?? {}) as Record<string, Node>);
      const required = (node['required'] ?? []) as string[];
      return fc.record(Object.fromEntries(properties.map(([key, each]) => [key, build(each, name, words)])), {
        requiredKeys: required as never[],
      });
    }
    case 'array': {
      const items = build(node['items'] as Node, name, words);
      const minLength = Number(node['minItems'] ?? 0);
      const maxLength = Math.min(Number(node['maxItems'] ?? 4), minLength + 4);
      return node['uniqueItems'] === true
        ? fc
            .uniqueArray(items, { minLength, maxLength, selector: (each) => JSON.stringify(each) })
            .map((list) => (list.every((each) => typeof each === 'string') ? [...list].sort() : list))
        : fc.array(items, { minLength, maxLength });
    }
    case 'string': {
      // A text of any characters.
      if (node['pattern'] === undefined)
        return fc.string({ minLength: Number(node['minLength'] ?? 0), unit: 'grapheme' });
      const pattern = new RegExp(String(node['pattern']));
      const fitting = words.filter((word) => pattern.test(word) && word.length <= Number(node['maxLength'] ?? 64));
      // Lookaheads are not made from; what they exclude is never hit by chance.
      const bounded = pattern.source.replace(/\(\?!.*?\$\)/g, '').replace(/\{(\d+),(\d{3,})\}/g, '{$1,64}');
      const random = fc.stringMatching(new RegExp(bounded));
      return fitting.length === 0
        ? random
        : fc.oneof({ arbitrary: fc.constantFrom(...fitting), weight: 4 }, { arbitrary: random, weight: 1 });
    }
    case 'integer': {
      const min = Number(node['minimum'] ?? 0);
      const max = Number(node['maximum'] ?? Number.MAX_SAFE_INTEGER);
      return fc.oneof(fc.constantFrom(min, max, Math.min(max, min + 1)), fc.integer({ min, max }));
    }
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      throw new TypeError(`${name}: no documents from ${JSON.stringify(node).slice(0, 80)}`);
  }
}

function resolve(ref: string, from: string): [Node, string] {
  const [file = '', fragment = ''] = ref.split('#');
  const target = file === '' ? from : file.replace(/^(?:\.\.\/)+/, '').replace('.schema.json', '');
  let node = schemaDocuments.get(target) as Node;
  for (const part of fragment.split('/').filter((each) => each !== '')) node = node[part] as Node;
  return [node, target];
}
