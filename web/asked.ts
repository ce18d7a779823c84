// What waits for a person. Whatever a page shows of it is read from the transaction that asked for it, whose hash is the id that
// the person's approval names: nobody can show one thing and have another approved.

import { sha256 } from '@noble/hashes/sha2.js';
import type { TxFinalized } from '../schemas/types/rpc.ts';
import { fromBase64 } from '../src/codec/base64.ts';
import { toHex } from '../src/codec/hex.ts';
import { type Json, parseStrictJson } from '../src/codec/json.ts';
import { pae } from '../src/crypto/dsse.ts';
import { call, Failure, stateAt } from './rpc.ts';
import { PAYLOAD_TYPE } from './transaction.ts';
import { changeWords, effectWords } from './words.ts';

export type Kind = 'intent' | 'proposal';

/** The transaction that asked, checked against its id. */
export type Asked = {
  readonly kind: Kind;
  readonly id: string;
  readonly requester: string;
  readonly body: { readonly [name: string]: Json };
  readonly words: string;
  readonly found: TxFinalized;
};

const BODY_BYTES_MAX = 32 * 1024;

/** @throws Failure ASKED_UNKNOWN, ASKED_DIFFERS (the node shows another transaction than the id names) */
export async function readAsked(kind: Kind, id: string): Promise<Asked> {
  const found = await call('tx.get', { id });
  if (found.status !== 'finalized' || found.refused !== undefined)
    throw new Failure('ASKED_UNKNOWN', 'This node does not know what was asked for (any more).');
  const { leaf } = await call('log.entry', { index: found.index });
  const { envelope } = JSON.parse(leaf) as { envelope?: { payload?: string; payloadType?: string } };
  const payload = fromBase64(envelope?.payload ?? '');
  if (envelope?.payloadType !== PAYLOAD_TYPE || toHex(sha256(pae(PAYLOAD_TYPE, payload))) !== id)
    throw new Failure(
      'ASKED_DIFFERS',
      'The node shows another transaction than the one that would be approved. Do not use it.',
    );
  const { account, type, body } = parseStrictJson(payload, { bytesMax: BODY_BYTES_MAX }) as {
    readonly account: string;
    readonly type: string;
    readonly body: { readonly [name: string]: Json };
  };
  const expected = kind === 'intent' ? 'intents.propose' : 'governance.propose';
  if (type !== expected)
    throw new Failure('ASKED_DIFFERS', `${id} is a transaction ${type} and asks for no approval of this kind.`);
  return { kind, id, requester: account, body, words: wordsOf(kind, body), found };
}

function wordsOf(kind: Kind, body: Asked['body']): string {
  if (kind === 'proposal') return changeWords(body['change'] as Parameters<typeof changeWords>[0]);
  return effectWords(
    String(body['action']),
    String(body['resource']),
    body['effect'] as { readonly [name: string]: Json },
  );
}

/** State at `intents/grant/<id>`, as far as a person wants to know. */
export type IntentState = {
  readonly status: string;
  readonly requester: string;
  readonly approvals: readonly string[];
  readonly approvalsNeeded: number;
  readonly approverKey: string;
  readonly policy: { readonly version: number };
  readonly expires: { readonly time: number };
};

/** Undefined: the ledger keeps it no more. */
export function readIntent(id: string): Promise<IntentState | undefined> {
  return stateAt<IntentState>(`intents/grant/${id}`);
}
