// What a contract is made of. Adding one means a folder with its rules and a line in `list.ts`.
import type { Decision, Entity, EntityUid, PolicyValue } from '../src/policy/types.ts';
import type { Applied, BlockContext, CheckPolicySet, Json, LedgerRecord, StateReader, Transaction } from './types.ts';

/** A stable code; nothing else of a refusal enters the log. */
export type Refusal = { readonly refused: string };

export function refuse(code: string): Refusal {
  return { refused: code };
}

/** What policy is asked: may the sender do this transaction's type to `resource` in `context`? */
export type Question = {
  /** Instead of the transaction's type: what the sender wants done is another thing than the transaction itself. */
  readonly action?: string;
  /** Instead of the sender: the account that is to answer for it. */
  readonly principal?: string;
  readonly resource: EntityUid;
  /** Exactly the attributes that the Cedar schema declares for the action, without `time`. */
  readonly context: { readonly [name: string]: PolicyValue };
  /** Entities that stand in no state, as the rule knows them. */
  readonly entities?: readonly Entity[];
};

export type Effect = {
  readonly records: readonly LedgerRecord[];
  /** Path → new value, or null for deletion. */
  readonly changes: ReadonlyMap<string, Json | null>;
};

export type RuleContext = {
  readonly state: StateReader;
  readonly block: BlockContext;
  readonly tx: Transaction;
  /** Puts a question to the policy set in force; in the sender's name and for this transaction's type where it says no other. */
  ask(question: Question): Decision;
  /** Undefined when the set may decide on this ledger, else the code of what is wrong with it. */
  readonly checkPolicySet: CheckPolicySet;
};

/** One transaction type. Both functions are pure and total; the body has the form of its schema. */
export type TransactionRule = {
  readonly type: string;
  /**
   * The one question by which the transaction is authorised, or the refusal when what it is about does not exist.
   * Absent only where the rule asks for itself (packets: one question per group).
   */
  question?(context: RuleContext): Question | Refusal;
  apply(context: RuleContext): Effect | Refusal;
};

export type Contract = {
  readonly name: string;
  readonly rules: readonly TransactionRule[];
  /**
   * After the last transaction of a block: what is due by its height or time. As pure as a rule; its work is bounded, whatever
   * waits. `refused` means nothing here.
   */
  endBlock?(state: StateReader, block: BlockContext): Applied;
};

/** A rule over the typed body: decoding has checked the body against `schemas/tx/<type>`. */
export function rule<Body>(
  type: string,
  parts: {
    question?(body: Body, context: RuleContext): Question | Refusal;
    apply(body: Body, context: RuleContext): Effect | Refusal;
  },
): TransactionRule {
  const bodyOf = (context: RuleContext): Body => context.tx.body as unknown as Body;
  const { question } = parts;
  return {
    type,
    ...(question === undefined ? {} : { question: (context) => question(bodyOf(context), context) }),
    apply: (context) => parts.apply(bodyOf(context), context),
  };
}

/** The members with which every record of a transaction begins, in their order. */
export function recordHead(
  type: string,
  { block, tx }: RuleContext,
): { type: string; height: number; time: number; tx: string } {
  return { type, height: block.height, time: block.time, tx: tx.txId };
}

/** Sorted by UTF-16 code unit, none twice: the one order of lists of names. */
export function isSorted(names: readonly string[]): boolean {
  for (let i = 1; i < names.length; i += 1) if ((names[i - 1] ?? '') >= (names[i] ?? '')) return false;
  return true;
}

/**
 * State holds JSON that this ruleset wrote. A typed value becomes JSON by name only: interfaces have no index signature,
 * which is why the compiler must be told.
 */
export function asJson(value: object): Json {
  return value as Json;
}
