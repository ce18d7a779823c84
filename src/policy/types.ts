/** What policy is asked and what it answers. The adapter that answers is in `engine.ts`. */

export type EntityUid = { readonly type: string; readonly id: string };

/** A value of an attribute or of the context. Integers within ±(2^53−1); no floats. */
export type PolicyValue =
  | boolean
  | number
  | string
  | EntityReference
  | readonly PolicyValue[]
  | { readonly [name: string]: PolicyValue };

/** Cedar's JSON spelling of a reference to an entity. */
export type EntityReference = { readonly __entity: EntityUid };

export type Entity = {
  readonly uid: EntityUid;
  readonly attrs: { readonly [name: string]: PolicyValue };
  readonly parents: readonly EntityUid[];
};

/**
 * One question: may `principal` do `action` to `resource` in `context`? `entities` is the ancestor closure of what the
 * request names, made from ledger state, and nothing else.
 */
export type PolicyRequest = {
  readonly principal: EntityUid;
  readonly action: string;
  readonly resource: EntityUid;
  readonly context: { readonly [name: string]: PolicyValue };
  readonly entities: readonly Entity[];
};

/** `errors` is true iff any policy erred, and then `decision` is `deny`. No error text ever enters a decision. */
export type Decision = {
  readonly decision: 'allow' | 'deny';
  /** Ids of the policies that decided, sorted by code unit. */
  readonly reasons: readonly string[];
  readonly errors: boolean;
  /** Annotations (`@ttl("60s")` …) of the policies in `reasons`: policy id → annotation → value. */
  readonly annotations: { readonly [policyId: string]: { readonly [name: string]: string } };
};

/** A policy set ready to decide. Synchronous, and the same answer on every node. */
export type PolicyEngine = {
  /** SHA-256 (hex) over the policy set document: what state and records name it by. */
  readonly digest: string;
  decide(request: PolicyRequest): Decision;
};

export type PolicySetVerdict =
  | { readonly ok: true; readonly digest: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** A question that a ruleset asks, or one like it: by these a set is tried before it may decide. */
export type SampleQuestion = {
  readonly request: PolicyRequest;
  /** A set that denies it is refused: nobody could put another one in its place. */
  readonly mustAllow?: true;
};

export type PolicySetDocument = {
  /** Cedar schema in Cedar's own text form. */
  readonly schema: string;
  /** Each policy is one statement; its id is the name by which reasons are recorded. */
  readonly policies: readonly { readonly id: string; readonly text: string }[];
};
