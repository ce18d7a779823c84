// A transaction, made here: what will be signed is built in this page, shown, and signed as it was shown.

import { sha256 } from '@noble/hashes/sha2.js';
import type { TxFinalized } from '../schemas/types/rpc.ts';
import { toBase64Url } from '../src/codec/base64.ts';
import { toHex } from '../src/codec/hex.ts';
import { type Json, stringifyJson } from '../src/codec/json.ts';
import { decodeUtf8, encodeUtf8 } from '../src/codec/utf8.ts';
import { type EnvelopeSignature, encodeEnvelope, pae } from '../src/crypto/dsse.ts';
import { challengeOf } from '../src/crypto/webauthn.ts';
import { call, Failure } from './rpc.ts';

export const PAYLOAD_TYPE = 'application/vnd.weft.tx+json';
const DEPTH_MAX = 16;
/** Below the five minutes that networks allow, so that clocks may differ a little. */
const LIFETIME_MS = 240_000;

export type Draft = {
  readonly payload: Uint8Array;
  /** The payload as text: exactly these characters are signed. */
  readonly text: string;
  /** DSSE PAE of the payload; its SHA-256 is the transaction's id and the challenge for the key. */
  readonly message: Uint8Array;
  readonly txId: string;
  readonly challenge: string;
  readonly expires: number;
};

export type Wanted = { readonly chain: string; readonly account: string; readonly type: string; readonly body: Json };

/** `nodeTime`: of the newest block. The network's clock counts, not this computer's. */
export function draftOf({ chain, account, type, body }: Wanted, nodeTime: number): Draft {
  const expires = nodeTime + LIFETIME_MS;
  const nonce = toBase64Url(crypto.getRandomValues(new Uint8Array(8)));
  const text = stringifyJson({ chain, account, type, expires, nonce, body }, DEPTH_MAX);
  const payload = encodeUtf8(text);
  const message = pae(PAYLOAD_TYPE, payload);
  return { payload, text, message, txId: toHex(sha256(message)), challenge: challengeOf(message), expires };
}

/**
 * Sends it and waits for its fate.
 * @throws Failure with the code of the node or of the ledger that refuses it; TX_EXPIRED, TX_UNDECIDED
 */
export async function send(draft: Draft, signature: EnvelopeSignature): Promise<TxFinalized> {
  const envelope = encodeEnvelope({ payload: draft.payload, payloadType: PAYLOAD_TYPE, signatures: [signature] });
  await call('tx.submit', { envelope: decodeUtf8(envelope) });
  const status = await call('tx.wait', { id: draft.txId, timeoutMs: 60_000 });
  if (status.status === 'expired') throw new Failure('TX_EXPIRED', 'It expired before the network took it. Try again.');
  if (status.status !== 'finalized') {
    throw new Failure('TX_UNDECIDED', `The network has not decided yet. Look again later: transaction ${draft.txId}.`);
  }
  if (status.refused !== undefined) throw new Failure(status.refused, refusalWords(status.refused));
  return status;
}

const words: Readonly<Record<string, string>> = {
  ACCOUNT_INACTIVE: 'The account is suspended, or unknown.',
  APPROVED_ALREADY: 'You have approved this already.',
  APPROVER_INVOLVED: 'Who asked for it, or is to do it, cannot approve it.',
  APPROVER_KEY: 'Policy wants an approval by a security key that knew you (PIN or fingerprint).',
  GOVERNANCE_NOT_READY: 'Not enough of the next validators have said that they are ready. Try again later.',
  INTENT_CLOSED: 'It is not waiting any more.',
  INTENT_EXPIRED: 'It waited too long and is over.',
  INTENTS_PAUSED: 'The council has paused all grants.',
  KEY_INACTIVE: 'This key is not a key of the account (any more).',
  NOT_COUNCIL: 'Only members of the council approve proposals.',
  POLICY_DENIED: 'Policy does not allow you to do this.',
  PROPOSAL_CLOSED: 'It is not open any more.',
  TICKET_EXPIRED: 'The invitation has expired. Ask for another.',
  TICKET_ISSUER: 'Whoever invited you has been suspended since. Ask somebody else.',
  TICKET_USED: 'The invitation has been used.',
};

export function refusalWords(code: string): string {
  return words[code] ?? 'The ledger refused it.';
}
