/**
 * Every bound of the policy adapter. They are part of the ruleset: a set or a request that one node takes and another
 * refuses would split the ledger, so a change here is a new ruleset.
 *
 * Where a figure comes from (Cedar 4.13.0, one fresh instance, `test/policy/hazards.test.ts` holds the traps to it):
 * brackets nested 140 deep trap the parser, 1,000 chained operators pass `validate()` and trap the *evaluator*, 3,000
 * chained members overflow the host's stack, 30 type declarations that each name the next one twice take minutes.
 */
export const POLICY_LIMITS = {
  /** One policy's text. */
  policyBytesMax: 16 * 1024,
  schemaBytesMax: 32 * 1024,
  /** Schema and all policies together. */
  setBytesMax: 256 * 1024,
  policiesMax: 256,
  /** Brackets of any kind, in policies and in the schema (there also `<`). */
  nestingMax: 64,
  /** Operators and keywords that lengthen an expression, in one policy. */
  operatorsMax: 256,
  entityTypesMax: 128,
  actionsMax: 256,
  typesMax: 128,
  /** Nodes of all types of the schema when every declared type is written out. */
  typeNodesMax: 8192,
  /** Combinations (principal type, action, resource type) that the schema allows. */
  environmentsMax: 4096,
  /**
   * Σ policy bytes × environments: what `validate()` has to walk. Measured: 0.2 s a MiB on one slow core, so 1.6 s at most, which
   * validators do while they check a block. The set of genesis/policy is at a tenth of it.
   */
  validationWorkMax: 8 * 1024 * 1024,

  /** A request as JSON text, entities included, in UTF-16 units. */
  requestLengthMax: 64 * 1024,
  /** Nesting of an attribute or of the context. */
  valueDepthMax: 16,
  /** One string of a request, in UTF-16 units. */
  stringLengthMax: 8 * 1024,
  entitiesMax: 256,

  /** 64 KiB pages: 64 MiB. Fixed, so that running out is the same trap on every node. */
  memoryPagesMax: 1024,
  /** Decisions of one instance before it is renewed: leaks and fragmentation never grow old. */
  decisionsPerInstanceMax: 100_000,
  /** Remembered decisions. */
  cacheEntriesMax: 8192,
} as const;
