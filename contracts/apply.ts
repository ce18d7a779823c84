// One transaction, executed: is its sender still there, does policy allow it, what does its contract say.
import { type Asked, createAsk } from './authorisation.ts';
import type { Contract, Effect, Refusal, RuleContext, TransactionRule } from './contract.ts';
import type { Limits } from './limits.ts';
import { activeAlg, isActive } from './signatures.ts';
import type { Answers, Applied, BlockContext, CheckPolicySet, Decide, StateReader, Transaction } from './types.ts';

const rulesByType = new WeakMap<readonly Contract[], ReadonlyMap<string, TransactionRule>>();

function ruleOf(contracts: readonly Contract[], type: string): TransactionRule | undefined {
  let rules = rulesByType.get(contracts);
  if (rules === undefined) {
    rules = new Map(contracts.flatMap((contract) => contract.rules.map((rule) => [rule.type, rule] as const)));
    rulesByType.set(contracts, rules);
  }
  return rules.get(type);
}

/** Ids of policies that a refusal names at most. */
const reasonsMax = 8;

/**
 * Refusals of every transaction, in this order: `ACCOUNT_INACTIVE` (unknown or suspended: earlier in this block, as prepare
 * checked the parent's state), `KEY_INACTIVE`, `TX_TYPE_UNKNOWN`, the contract's own when what it is about does not exist,
 * `POLICY_DENIED`, the contract's own, `RECORD_TOO_LARGE`.
 */
export function applyTransaction(
  contracts: readonly Contract[],
  limits: Limits,
  state: StateReader,
  block: BlockContext,
  tx: Transaction,
  decide: Decide,
  checkPolicySet: CheckPolicySet,
  answers?: Answers,
): Applied {
  if (!isActive(state, tx.account)) return refused('ACCOUNT_INACTIVE', block, tx);
  for (const { keyid, alg } of tx.signatures) {
    if (activeAlg(state, tx.account, keyid) !== alg) return refused('KEY_INACTIVE', block, tx);
  }
  const rule = ruleOf(contracts, tx.type);
  if (rule === undefined) return refused('TX_TYPE_UNKNOWN', block, tx);
  const asked: Asked = createAsk(state, block, tx, decide, answers);
  const context: RuleContext = { state, block, tx, ask: asked, checkPolicySet };
  if (rule.question !== undefined) {
    const question = rule.question(context);
    if ('refused' in question) return refused(question.refused, block, tx);
    const decision = asked(question);
    if (decision.decision !== 'allow') return refused('POLICY_DENIED', block, tx, decision.reasons);
  }
  const effect: Effect | Refusal = rule.apply(context);
  if ('refused' in effect) return refused(effect.refused, block, tx);
  const texts = textsWithin(effect, limits);
  if (texts === undefined) return refused('RECORD_TOO_LARGE', block, tx);
  return { records: effect.records, texts, changes: effect.changes };
}

/** The schemas keep every record below the bound, and to ASCII, so that characters are bytes; this holds them to it. */
function textsWithin({ records }: Effect, limits: Limits): string[] | undefined {
  if (records.length > limits.recordsPerTransactionMax) return undefined;
  const texts: string[] = [];
  for (const record of records) {
    const text = JSON.stringify(record);
    if (text.length > limits.recordBytesMax) return undefined;
    texts.push(text);
  }
  return texts;
}

function refused(code: string, block: BlockContext, tx: Transaction, reasons: readonly string[] = []): Applied {
  const record = {
    type: 'tx.refused',
    height: block.height,
    time: block.time,
    tx: tx.txId,
    account: tx.account,
    transaction: tx.type,
    code,
    reasons: reasons.slice(0, reasonsMax),
  };
  return { records: [record], changes: new Map(), refused: code };
}
