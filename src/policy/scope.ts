// What one policy covers of another, as far as their form tells: no expression is evaluated here.
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { canonicalJson } from '../codec/canonical.ts';

type ActionsJson = Readonly<Record<string, { readonly memberOf?: readonly { readonly id: string }[] }>>;

/** Groups of actions, from the schema: action → itself and the groups in which it is, at any remove. */
export type ActionGroups = ReadonlyMap<string, ReadonlySet<string>>;

/** @param actions of the schema's JSON form, without a namespace */
export function actionGroups(actions: ActionsJson): ActionGroups {
  const groups = new Map<string, Set<string>>();
  for (const name of Object.keys(actions)) {
    const reached = new Set([name]);
    for (const each of reached) for (const { id } of actions[each]?.memberOf ?? []) reached.add(id);
    groups.set(name, reached);
  }
  return groups;
}

/** True when whatever `inner` is about, `outer` is about too, and on no further condition. */
export function covers(outer: PolicyJson, inner: PolicyJson, groups: ActionGroups): boolean {
  return (
    coversEntity(outer.principal as Scope, inner.principal as Scope) &&
    coversEntity(outer.resource as Scope, inner.resource as Scope) &&
    coversAction(outer.action as Scope, inner.action as Scope, groups) &&
    isWithin(conditionsOf(outer), conditionsOf(inner))
  );
}

type Uid = { readonly type: string; readonly id: string };
/** Of a static policy, as `policyToJson` writes it. */
type Scope = {
  readonly op: 'All' | '==' | 'in' | 'is';
  readonly entity?: Uid;
  readonly entities?: readonly Uid[];
  readonly entity_type?: string;
  readonly in?: { readonly entity: Uid };
};

function coversEntity(outer: Scope, inner: Scope): boolean {
  const typeOf = (scope: Scope): string | undefined => (scope.op === '==' ? scope.entity?.type : scope.entity_type);
  const groupOf = (scope: Scope): Uid | undefined => (scope.op === 'is' ? scope.in?.entity : scope.entity);
  switch (outer.op) {
    case 'All':
      return true;
    case '==':
      return inner.op === '==' && same(outer.entity, inner.entity);
    case 'in':
      // What is equal to a group is in it.
      return inner.op !== 'All' && same(outer.entity, groupOf(inner));
    case 'is':
      return typeOf(inner) === outer.entity_type && (outer.in === undefined || same(outer.in.entity, groupOf(inner)));
  }
}

function coversAction(outer: Scope, inner: Scope, groups: ActionGroups): boolean {
  if (outer.op === 'All') return true;
  const wide = actionsOf(outer, groups);
  return isWithin(actionsOf(inner, groups), wide);
}

function actionsOf(scope: Scope, groups: ActionGroups): Set<string> {
  if (scope.op === 'All') return new Set(groups.keys());
  const named = new Set(
    [...(scope.entities ?? []), ...(scope.entity === undefined ? [] : [scope.entity])].map(({ id }) => id),
  );
  if (scope.op === '==') return named;
  return new Set(
    [...groups].filter(([, reached]) => [...named].some((each) => reached.has(each))).map(([action]) => action),
  );
}

function isWithin(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...some].every((each) => all.has(each));
}

function same(a: Uid | undefined, b: Uid | undefined): boolean {
  return a !== undefined && b !== undefined && a.type === b.type && a.id === b.id;
}

/** All of them must hold. */
function conditionsOf({ conditions }: PolicyJson): Set<string> {
  return new Set(conditions.map((condition) => canonicalJson(condition as never)));
}
