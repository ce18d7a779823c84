import type { Vote } from '../../consensus/types.ts';
import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex } from '../codec/hex.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import { verifyConsensus } from '../crypto/ed25519.ts';
import { decodeVote, encodeVote } from '../ledger/votes.ts';
import { wireLimits } from './wire.ts';

/**
 * W11's question and its answer. Both are signed with vote keys, so that they travel through a relay like votes: else a start,
 * or a new epoch, with one validator dead and one link cut would wait for either to come back. The nonce is the asking
 * engine's own, so that what was said before a restart, when there was less to tell, answers nothing after it.
 */
export type OwnVotesQuestion = {
  readonly epoch: number;
  /** Index of the validator that asks for its own votes. */
  readonly asker: number;
  /** 16 bytes. */
  readonly nonce: Uint8Array;
};

export type OwnVotesAnswer = OwnVotesQuestion & {
  /** Index of the validator that answers. */
  readonly answerer: number;
  readonly votes: readonly Vote[];
};

export type Signed<Message> = Message & { readonly signature: Uint8Array };

type Sign = (message: Uint8Array) => Uint8Array;
type Keys = readonly { readonly vote: Uint8Array }[];

export const nonceBytes = 16;
const signatureBytes = 64;
const indexMax = 127;
const questionTag = encodeUtf8('weft/own-votes-question/v1');
const answerTag = encodeUtf8('weft/own-votes-answer/v1');

/** CBOR `[epoch, asker, nonce, signature]`; signed: tag ‖ genesisHash ‖ CBOR of the first three. */
export function encodeQuestion(question: OwnVotesQuestion, genesisHash: string, sign: Sign): Uint8Array {
  const fields = questionFields(question);
  return encodeCbor([...fields, sign(signedBytes(questionTag, genesisHash, fields))]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeQuestion(payload: Uint8Array): Signed<OwnVotesQuestion> {
  const value = decodeCbor(payload, { bytesMax: wireLimits.smallBytesMax, itemsMax: 5, depthMax: 1 });
  if (!Array.isArray(value) || value.length !== 4) throw malformed('question');
  const [epoch, asker, nonce, signature] = value as Cbor[];
  return {
    epoch: whole(epoch),
    asker: index(asker),
    nonce: sized(nonce, nonceBytes),
    signature: sized(signature, signatureBytes),
  };
}

/** ZIP 215, by the asker's vote key. Never throws. */
export function verifyQuestion(question: Signed<OwnVotesQuestion>, genesisHash: string, validators: Keys): boolean {
  const key = validators[question.asker]?.vote;
  const bytes = signedBytes(questionTag, genesisHash, questionFields(question));
  return key !== undefined && verifyConsensus(bytes, question.signature, key);
}

/** CBOR `[epoch, asker, nonce, answerer, [vote, …], signature]`; signed: tag ‖ genesisHash ‖ CBOR of the first five. */
export function encodeAnswer(answer: OwnVotesAnswer, genesisHash: string, sign: Sign): Uint8Array {
  const fields = answerFields(answer);
  return encodeCbor([...fields, sign(signedBytes(answerTag, genesisHash, fields))]);
}

/** Its votes are not verified. @throws WeftError MESSAGE_MALFORMED, CBOR_*, VOTE_INVALID */
export function decodeAnswer(payload: Uint8Array): Signed<OwnVotesAnswer> {
  const limits = { bytesMax: wireLimits.certificateBytesMax, itemsMax: 7 + wireLimits.votesMax, depthMax: 2 };
  const value = decodeCbor(payload, limits);
  if (!Array.isArray(value) || value.length !== 6) throw malformed('answer');
  const [epoch, asker, nonce, answerer, rows, signature] = value as Cbor[];
  if (!Array.isArray(rows) || rows.length > wireLimits.votesMax) throw malformed('answer');
  return {
    epoch: whole(epoch),
    asker: index(asker),
    nonce: sized(nonce, nonceBytes),
    answerer: index(answerer),
    votes: rows.map((row: Cbor) => {
      if (!(row instanceof Uint8Array)) throw malformed('answer');
      return decodeVote(row);
    }),
    signature: sized(signature, signatureBytes),
  };
}

/** ZIP 215, by the answerer's vote key. Never throws. */
export function verifyAnswer(answer: Signed<OwnVotesAnswer>, genesisHash: string, validators: Keys): boolean {
  const key = validators[answer.answerer]?.vote;
  const bytes = signedBytes(answerTag, genesisHash, answerFields(answer));
  return key !== undefined && verifyConsensus(bytes, answer.signature, key);
}

function questionFields({ epoch, asker, nonce }: OwnVotesQuestion): Cbor[] {
  return [epoch, asker, nonce];
}

function answerFields(answer: OwnVotesAnswer): Cbor[] {
  return [...questionFields(answer), answer.answerer, answer.votes.map(encodeVote)];
}

function signedBytes(tag: Uint8Array, genesisHash: string, fields: Cbor[]): Uint8Array {
  return concat(tag, fromHex(genesisHash, 32), encodeCbor(fields));
}

function whole(value: Cbor | undefined): number {
  if (typeof value !== 'number' || value < 0) throw malformed('number');
  return value;
}

function index(value: Cbor | undefined): number {
  const read = whole(value);
  if (read > indexMax) throw malformed('validator');
  return read;
}

function sized(value: Cbor | undefined, bytes: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== bytes) throw malformed(`value of ${bytes} bytes`);
  return value;
}

function malformed(what: string): WeftError {
  return new WeftError('MESSAGE_MALFORMED', `Not a message about own votes (W11): a ${what} is wrong.`);
}
