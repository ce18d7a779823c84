import type { NotarizeVote } from '../../consensus/types.ts';
import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { decodeVote, encodeVote } from '../ledger/votes.ts';

/**
 * What nodes say to each other: frame kinds on the lanes, request kinds, and their bytes (deterministic CBOR). Votes,
 * certificates, headers and bodies have their own formats in `src/ledger`; here they are put into messages.
 */

/** Frames: sent and forgotten. */
export const frameKinds = {
  notarize: 1,
  nullify: 2,
  finalize: 3,
  certificate: 4,
  proposal: 5,
  cosignature: 6,
  /** "Send me the certificates of this view." */
  view: 7,
  /** A starting validator asks for its own newest votes, and is answered (W11, signOnceMessages.ts). */
  myVotes: 8,
  yourVotes: 9,
  /** "I am in this epoch and have finalized up to this height": now and then, and to a peer that speaks of another epoch. */
  finalizedHeight: 10,
  /** Two messages that no honest validator signs (W12). */
  evidence: 11,
  /** A batch of transactions: envelopes. No answer of its own. */
  transactions: 12,
  /** [bytes]: so many of the batches that came from the other one have been looked at, since it was told last. */
  taken: 13,
} as const;

/** Requests: answered on the same bulk lane. */
export const requestKinds = {
  block: 33,
  envelopes: 34,
  run: 35,
  submit: 36,
  /** The newest checkpoint that the asked one has published, as text. */
  checkpoint: 37,
  /** [first height, count, bytes]: bodies of finalized blocks; the rest of a run that did not fit one answer. */
  bodies: 38,
  /** Snapshots that the asked one holds: their manifests' ids. */
  snapshots: 39,
  /** A manifest, or a part, by the manifest's id (snapshots.ts). */
  snapshotPart: 40,
  /** The closing checkpoint of an epoch, cosigned by a quorum of its own validators, as text. */
  closing: 41,
} as const;

export const wireLimits = {
  /** Hello, view requests and the like. */
  smallBytesMax: 1024,
  voteBytesMax: 512,
  /** 128 signatures and a bitmap. */
  certificateBytesMax: 64 * 1024,
  /** Ids of 4,096 transactions and what goes along. */
  proposalBytesMax: 512 * 1024,
  votesMax: 64,
} as const;

function malformed(what: string): WeftError {
  return new WeftError('MESSAGE_MALFORMED', `a peer sent a ${what} that no node of this version writes`);
}

function list(value: Cbor | undefined, length: number, what: string): readonly Cbor[] {
  if (!Array.isArray(value) || value.length !== length) throw malformed(what);
  return value;
}

function int(value: Cbor | undefined, what: string): number {
  if (typeof value !== 'number' || value < 0) throw malformed(what);
  return value;
}

function bytes(value: Cbor | undefined, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed(what);
  return value;
}

function text(value: Cbor | undefined, what: string): string {
  if (typeof value !== 'string') throw malformed(what);
  return value;
}

export type Hello = {
  readonly chain: string;
  readonly ruleset: number;
  readonly epoch: number;
  readonly view: number;
  /** Last finalized, durable here. */
  readonly finalizedHeight: number;
  readonly finalizedView: number;
};

export function encodeHello(hello: Hello): Uint8Array {
  return encodeCbor([hello.chain, hello.ruleset, hello.epoch, hello.view, hello.finalizedHeight, hello.finalizedView]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeHello(payload: Uint8Array): Hello {
  const fields = list(decodeCbor(payload, { bytesMax: wireLimits.smallBytesMax }), 6, 'hello');
  return {
    chain: text(fields[0], 'hello'),
    ruleset: int(fields[1], 'hello'),
    epoch: int(fields[2], 'hello'),
    view: int(fields[3], 'hello'),
    finalizedHeight: int(fields[4], 'hello'),
    finalizedView: int(fields[5], 'hello'),
  };
}

/** [epoch, view], [epoch, height], or with one number: an epoch. */
export function encodeNumbers(...numbers: number[]): Uint8Array {
  return encodeCbor(numbers);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeNumbers(payload: Uint8Array, count: number): number[] {
  const fields = list(decodeCbor(payload, { bytesMax: wireLimits.smallBytesMax }), count, 'list of numbers');
  return fields.map((field) => int(field, 'list of numbers'));
}

/** A compact proposal: the leader's notarize vote, the header, what is in the block by id, and the bodies sent along. */
export type CompactProposal = {
  readonly vote: NotarizeVote;
  readonly header: Uint8Array;
  /** Hex, in block order. */
  readonly envelopeIds: readonly string[];
  readonly bodies: readonly { readonly position: number; readonly envelope: Uint8Array }[];
};

export function encodeProposal(proposal: CompactProposal): Uint8Array {
  const ids = new Uint8Array(proposal.envelopeIds.length * 32);
  for (const [i, id] of proposal.envelopeIds.entries()) ids.set(fromHex(id, 32), i * 32);
  return encodeCbor([
    encodeVote(proposal.vote),
    proposal.header,
    ids,
    proposal.bodies.map(({ position, envelope }) => [position, envelope]),
  ]);
}

/** Checks the form only: the caller checks vote, header, txRoot over the ids, and each body against its id. @throws WeftError */
export function decodeProposal(payload: Uint8Array): CompactProposal {
  const fields = list(
    decodeCbor(payload, { bytesMax: wireLimits.proposalBytesMax, itemsMax: 20_000, depthMax: 4 }),
    4,
    'proposal',
  );
  const vote = decodeVote(bytes(fields[0], 'proposal'));
  if (vote.kind !== 'notarize') throw malformed('proposal');
  const ids = bytes(fields[2], 'proposal');
  if (ids.length % 32 !== 0) throw malformed('proposal');
  const envelopeIds: string[] = [];
  for (let at = 0; at < ids.length; at += 32) envelopeIds.push(toHex(ids.subarray(at, at + 32)));
  const rows = fields[3];
  if (!Array.isArray(rows)) throw malformed('proposal');
  const bodies = rows.map((row: Cbor) => {
    const pair = list(row, 2, 'proposal');
    return { position: int(pair[0], 'proposal'), envelope: bytes(pair[1], 'proposal') };
  });
  if (bodies.some(({ position }) => position >= envelopeIds.length)) throw malformed('proposal');
  return { vote, header: bytes(fields[1], 'proposal'), envelopeIds, bodies };
}

/** Envelopes by their bytes: a batch of transactions, or what was missing from a block. */
export function encodeEnvelopes(envelopes: readonly Uint8Array[]): Uint8Array {
  return encodeCbor(envelopes);
}

/** `views`: of the payload. @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeEnvelopes(
  payload: Uint8Array,
  limits: { readonly bytesMax: number; readonly countMax: number; readonly views?: boolean },
): Uint8Array[] {
  const { bytesMax, countMax, views = false } = limits;
  const rows = decodeCbor(payload, { bytesMax, itemsMax: countMax + 1, views });
  if (!Array.isArray(rows)) throw malformed('list of envelopes');
  return rows.map((row: Cbor) => bytes(row, 'list of envelopes'));
}

/** A question for parts of a block: its id and the positions wanted, strictly ascending. */
export function encodeEnvelopesRequest(blockId: string, positions: readonly number[]): Uint8Array {
  return encodeCbor([fromHex(blockId, 32), positions]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeEnvelopesRequest(payload: Uint8Array): { blockId: string; positions: number[] } {
  const fields = list(decodeCbor(payload, { bytesMax: 64 * 1024, itemsMax: 8192 }), 2, 'question for envelopes');
  const rows = fields[1];
  if (!Array.isArray(rows)) throw malformed('question for envelopes');
  const positions = rows.map((position: Cbor) => int(position, 'question for envelopes'));
  // A position asked for twice would be answered twice: a small question could have an answer without bound.
  if (positions.some((position, i) => i > 0 && position <= (positions[i - 1] ?? 0)))
    throw malformed('question for envelopes');
  return { blockId: toHex(bytes(fields[0], 'question for envelopes')), positions };
}

/** A whole block as it travels: [header, envelopes]. */
export function encodeBlock(header: Uint8Array, body: Uint8Array): Uint8Array {
  return encodeCbor([header, body]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeBlock(payload: Uint8Array, bytesMax: number): { header: Uint8Array; body: Uint8Array } {
  const fields = list(decodeCbor(payload, { bytesMax }), 2, 'block');
  return { header: bytes(fields[0], 'block'), body: bytes(fields[1], 'block') };
}

/** A validator's word on a transaction that an observer passed on to it. */
export type SubmitAnswer =
  | { readonly verdict: 'ok'; readonly status: string }
  | { readonly verdict: 'refused'; readonly code: string; readonly reason: string };

const codePattern = /^[A-Z][A-Z0-9_]{2,63}$/;
const reasonMax = 1000;

export function encodeSubmitAnswer(answer: SubmitAnswer): Uint8Array {
  return answer.verdict === 'ok'
    ? encodeCbor(['ok', answer.status])
    : encodeCbor(['refused', answer.code, answer.reason.slice(0, reasonMax)]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeSubmitAnswer(payload: Uint8Array): SubmitAnswer {
  const what = 'answer to a transaction';
  const fields = decodeCbor(payload, { bytesMax: 4096 });
  if (!Array.isArray(fields)) throw malformed(what);
  if (fields[0] === 'ok' && fields.length === 2) return { verdict: 'ok', status: text(fields[1], what) };
  const [verdict, code, reason] = list(fields, 3, what);
  if (verdict !== 'refused' || !codePattern.test(text(code, what))) throw malformed(what);
  return { verdict: 'refused', code: text(code, what), reason: text(reason, what) };
}

/** Refusals that follow from the bytes alone: every node of this version comes to them, at any time and on any state. */
export function isFormCode(code: string): boolean {
  return /^(MESSAGE_MALFORMED|COSIGNATURE_INVALID$|CBOR_|HEADER_|CERTIFICATE_INVALID$|JSON_|ENVELOPE_(?!ALG_)|TX_(FORM|BODY|CHAIN|PAYLOAD_TYPE)$)/.test(
    code,
  );
}
