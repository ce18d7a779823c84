import { WeftError } from '../codec/error.ts';
import { POLICY_LIMITS } from './limits.ts';

/** The parts of Cedar's JSON schema that are counted, as `schemaToJsonWithResolvedTypes` writes them. */
type SchemaJson = Readonly<Record<string, NamespaceJson>>;
type NamespaceJson = {
  readonly commonTypes?: Readonly<Record<string, unknown>>;
  readonly entityTypes?: Readonly<Record<string, unknown>>;
  readonly actions?: Readonly<Record<string, unknown>>;
};

export type SchemaSize = {
  /** Combinations (principal type, action, resource type): each policy is type-checked in each of them. */
  readonly environments: number;
  /** Nodes of all types with every declared type written out. */
  readonly typeNodes: number;
};

/**
 * How large a schema is once Cedar has written out what it abbreviates. `type A = {x: B, y: B}; type B = {x: C, y: C};`
 * and so on doubles with each line, costs minutes from thirty lines on and almost no memory, so nothing else stops it.
 * @throws POLICY_SCHEMA_TOO_LARGE
 */
export function measureSchema(schema: SchemaJson): SchemaSize {
  const common = new Map<string, unknown>();
  let entityTypes = 0;
  let actions = 0;
  for (const [namespace, content] of Object.entries(schema)) {
    for (const [name, type] of Object.entries(content.commonTypes ?? {})) {
      common.set(namespace === '' ? name : `${namespace}::${name}`, type);
    }
    entityTypes += Object.keys(content.entityTypes ?? {}).length;
    actions += Object.keys(content.actions ?? {}).length;
  }
  bound(common.size, POLICY_LIMITS.typesMax, 'declared types');
  bound(entityTypes, POLICY_LIMITS.entityTypesMax, 'entity types');
  bound(actions, POLICY_LIMITS.actionsMax, 'actions');

  const known = new Map<string, number>();
  const weigh = (value: unknown): number => {
    if (typeof value === 'string') return weighName(value);
    if (typeof value !== 'object' || value === null) return 1;
    let sum = 1;
    for (const part of Object.values(value)) sum = Math.min(sum + weigh(part), Number.MAX_SAFE_INTEGER);
    return sum;
  };
  const weighName = (name: string): number => {
    const type = common.get(name);
    if (type === undefined) return 1;
    const before = known.get(name);
    if (before !== undefined) return before;
    // Cedar refuses cycles itself; this entry only keeps the walk finite until it does.
    known.set(name, 1);
    const weight = weigh(type);
    known.set(name, weight);
    return weight;
  };

  let typeNodes = 0;
  let environments = 0;
  for (const content of Object.values(schema)) {
    for (const part of [content.commonTypes, content.entityTypes, content.actions]) {
      typeNodes = Math.min(typeNodes + weigh(part ?? {}), Number.MAX_SAFE_INTEGER);
    }
    for (const action of Object.values(content.actions ?? {})) environments += environmentsOf(action);
  }
  bound(typeNodes, POLICY_LIMITS.typeNodesMax, 'type nodes');
  bound(environments, POLICY_LIMITS.environmentsMax, 'request environments');
  return { environments, typeNodes };
}

function environmentsOf(action: unknown): number {
  const { appliesTo } = action as { appliesTo?: { principalTypes?: unknown[]; resourceTypes?: unknown[] } };
  return (appliesTo?.principalTypes?.length ?? 0) * (appliesTo?.resourceTypes?.length ?? 0);
}

function bound(count: number, max: number, what: string): void {
  if (count > max) throw new WeftError('POLICY_SCHEMA_TOO_LARGE', `the schema has more than ${max} ${what}`);
}
