import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

type ActionsJson = Readonly<Record<string, { readonly appliesTo?: { readonly context?: unknown } }>>;
type SchemaJson = Readonly<
  Record<string, { readonly commonTypes?: Readonly<Record<string, unknown>>; readonly actions?: unknown }>
>;

/**
 * The actions whose requests keep `context.time`. Contracts send the block's time with every question; a question that
 * holds it is new in each block and never answered from the cache. So it is left out where it can change nothing: no
 * policy of the set reads it, and the schema of the action does not demand it (or does not know it at all).
 *
 * A pure function of the set, so all nodes ask the same question. It errs to the side of keeping: any attribute called
 * `time`, or a use of `context` as a whole, counts as reading it.
 */
export function actionsWithTime(schema: SchemaJson, policies: readonly PolicyJson[]): ReadonlySet<string> {
  const read = policies.some(({ conditions }) => readsTime(conditions));
  const kept = new Set<string>();
  const types = schema['']?.commonTypes ?? {};
  for (const [action, { appliesTo }] of Object.entries((schema['']?.actions ?? {}) as ActionsJson)) {
    const time = attributesOf(appliesTo?.context, types)['time'];
    if (time !== undefined && (read || time.required !== false)) kept.add(action);
  }
  return kept;
}

type Attributes = Readonly<Record<string, { readonly required?: boolean }>>;

/** The attributes of a context type: a record, or the name of a declared one (Cedar refuses names in a circle). */
function attributesOf(type: unknown, types: Readonly<Record<string, unknown>>): Attributes {
  for (let hops = 0; hops <= Object.keys(types).length; hops++) {
    const { type: name, attributes } = (type ?? {}) as { type?: string; attributes?: Attributes };
    if (name === 'Record') return attributes ?? {};
    type = name === undefined ? undefined : types[name];
  }
  return {};
}

/** Walks Cedar's JSON of expressions: `{".": {left, attr}}`, `{"has": {left, attr}}`, `{"Var": "context"}`. */
function readsTime(expression: unknown): boolean {
  if (typeof expression !== 'object' || expression === null) return false;
  for (const [operator, part] of Object.entries(expression)) {
    if (operator === 'Var' && part === 'context') return true;
    if (operator === '.' || operator === 'has') {
      const { left, attr } = part as { left: { Var?: string }; attr: string | readonly string[] };
      if ([attr].flat().includes('time')) return true;
      if (left.Var !== 'context' && readsTime(left)) return true;
    } else if (readsTime(part)) return true;
  }
  return false;
}
