import { randomBytes } from 'node:crypto';
import { actionNames, resolve, type TypedEffect } from '../../contracts/intents/catalogue.ts';
import type { JsonObject } from '../../contracts/types.ts';
import type { TxFinalized } from '../../schemas/types/rpc.ts';
import { validate } from '../../schemas/validators.ts';
import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { type Grant, parseGrant } from '../token/grant.ts';

/** Type and body of a transaction: `buildTransaction({ chain, account, ...proposeIntent(…) })`. */
export type TransactionContent = { readonly type: string; readonly body: JsonObject };

export type IntentRequest = {
  /** Entry of the action catalogue: `intentActions`, schemas/actions/. */
  readonly action: string;
  /** The resolved effect, exactly what is to be done. */
  readonly effect: JsonObject;
  /** The one executor account that may act. */
  readonly audience: string;
  readonly ttlMs: number;
  /** Default 1. */
  readonly maxUses?: number;
  /** Default false. */
  readonly dryRun?: boolean;
};

/** All actions that can be asked for, sorted. */
export const intentActions: readonly string[] = actionNames;

/**
 * Asks for permission to act; the resource is derived from the effect, as the ledger will derive it. The transaction's id is the intent's.
 * @throws WeftError INTENT_INVALID: what is wrong, in words (no such action, or an effect that is not of its form)
 */
export function proposeIntent({
  action,
  effect,
  audience,
  ttlMs,
  maxUses = 1,
  dryRun = false,
}: IntentRequest): TransactionContent {
  if (!intentActions.includes(action)) {
    throw new WeftError(
      'INTENT_INVALID',
      `there is no action ${action.slice(0, 64)}; there are ${intentActions.join(', ')}`,
    );
  }
  const wrong = validate(`actions/${action}`, effect);
  if (wrong !== undefined) throw new WeftError('INTENT_INVALID', `the effect of ${action}: ${wrong}`);
  const resolved = resolve({ action, effect } as unknown as TypedEffect, { get: () => undefined });
  if ('refused' in resolved) {
    throw new WeftError(
      'INTENT_INVALID',
      `the effect of ${action}: a network is not spelt canonically (10.0.3.0/24: bits behind the prefix are zero; IPv6 as RFC 5952 has it)`,
    );
  }
  const { resource } = resolved;
  return { type: 'intents.propose', body: { action, resource, effect, ttlMs, audience, maxUses, dryRun } };
}

export function approveIntent(intent: string): TransactionContent {
  return { type: 'intents.approve', body: { intent } };
}

export function cancelIntent(intent: string): TransactionContent {
  return { type: 'intents.cancel', body: { intent } };
}

/** 16 random bytes in base64url: store them before the consume is sent (`weft/executor` does). */
export function newAttempt(): string {
  return toBase64Url(randomBytes(16));
}

export function consumeGrant(grant: string, attempt: string): TransactionContent {
  return { type: 'intents.consume', body: { grant, attempt } };
}

export function reportOutcome(
  grant: string,
  attempt: string,
  outcome: 'done' | 'failed' | 'unknown',
  /** SHA-256 (hex) of what the executor keeps about it. */
  result: string,
): TransactionContent {
  return { type: 'intents.report', body: { grant, attempt, outcome, result } };
}

/** What a proposal or an approval led to. */
export type IntentOutcome =
  | { readonly status: 'granted'; readonly intent: string; readonly grant: Grant; readonly index: number }
  | {
      readonly status: 'pending';
      readonly intent: string;
      readonly approvals: number;
      readonly approvalsNeeded: number;
      readonly index: number;
    }
  | {
      readonly status: 'denied';
      readonly intent: string;
      /** `POLICY_DENIED`, `POLICY_ANNOTATION`, `DRY_RUN_ONLY`. */
      readonly why: string;
      /** Policies that decided. */
      readonly reasons: readonly string[];
      readonly index: number;
    };

/**
 * Reads the answer to `intents.propose` or `intents.approve`. It is the node's word: permission is the verified token alone.
 * @throws WeftError RPC_ANSWER_INVALID
 */
export function intentOutcome({ records }: Pick<TxFinalized, 'records'>): IntentOutcome {
  for (const { index, record } of records) {
    const { type, intent = '', approvals = 0, approvalsNeeded = 0, why = '', policy } = record as RecordOfIntent;
    if ('predicate' in (record as object)) {
      const grant = parseGrant(record as JsonObject);
      return { status: 'granted', intent: grant.intent, grant, index };
    }
    if (type === 'intents.pending' || type === 'intents.approved')
      return { status: 'pending', intent, approvals, approvalsNeeded, index };
    if (type === 'intents.denied') return { status: 'denied', intent, why, reasons: policy?.reasons ?? [], index };
  }
  throw new WeftError('RPC_ANSWER_INVALID', 'the transaction has no record of a decision about an intent');
}

type RecordOfIntent = {
  readonly type?: string;
  readonly intent?: string;
  readonly approvals?: number;
  readonly approvalsNeeded?: number;
  readonly why?: string;
  readonly policy?: { readonly reasons: readonly string[] };
};
