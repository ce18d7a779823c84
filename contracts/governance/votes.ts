// What a vote signs and how it is sent. The one implementation: the ledger checks certificates with it, validators sign and
// send by it, and evidence (W12) is judged by it.
import type { Proposal, Round, Vote, VoteKind } from '../../consensus/types.ts';
import { type Cbor, decodeCbor, encodeCbor } from '../../src/codec/cbor.ts';
import { WeftError } from '../../src/codec/error.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { verifyConsensus } from '../../src/crypto/ed25519.ts';

/** Domain tags: a vote of one kind can never be read as one of another. */
const tags: Readonly<Record<VoteKind, Uint8Array>> = {
  notarize: encodeUtf8('weft/notarize/v1'),
  nullify: encodeUtf8('weft/nullify/v1'),
  finalize: encodeUtf8('weft/finalize/v1'),
};

/** Numbers of the kinds on the wire. */
const numbers: Readonly<Record<VoteKind, number>> = { notarize: 1, nullify: 2, finalize: 3 };
const kinds: readonly (VoteKind | undefined)[] = [undefined, 'notarize', 'nullify', 'finalize'];

export const voteBytesMax = 256;
const signatureBytes = 64;

type Signed = {
  readonly genesisHash: string;
  readonly epoch: number;
  readonly view: number;
  readonly parentView: number;
  readonly blockId: string;
  readonly bytes: Uint8Array;
};

/** What was signed last of each kind: all who vote on a block sign the same bytes, which are then made once and not for each of them. */
const lastSigned = new Map<VoteKind, Signed>();

/**
 * What a vote signs: `tag ‖ genesisHash ‖ CBOR(subject)`; subject = `[[epoch, view], parentView, blockId]`, or
 * `[epoch, view]` for nullify. `genesisHash`: hex. Whoever asks must not write to the bytes.
 */
export function voteBytes(kind: VoteKind, genesisHash: string, subject: Proposal | Round): Uint8Array {
  const { epoch, view } = subject;
  const { parentView, blockId } = kind === 'nullify' ? roundOnly : (subject as Proposal);
  const last = lastSigned.get(kind);
  if (
    last !== undefined &&
    last.view === view &&
    last.blockId === blockId &&
    last.parentView === parentView &&
    last.epoch === epoch &&
    last.genesisHash === genesisHash
  ) {
    return last.bytes;
  }
  const bytes = concat(tags[kind], fromHex(genesisHash, 32), encodeCbor(subjectCbor(kind, subject)));
  lastSigned.set(kind, { genesisHash, epoch, view, parentView, blockId, bytes });
  return bytes;
}

const roundOnly = { parentView: 0, blockId: '' } as const;

/** ZIP 215, by the vote key of the validator at the signer's index. Never throws. */
export function verifyVote(
  vote: Vote,
  genesisHash: string,
  validators: readonly { readonly vote: Uint8Array }[],
): boolean {
  const validator = validators[vote.signer];
  if (validator === undefined) return false;
  return verifyConsensus(voteBytes(vote.kind, genesisHash, vote.subject), vote.signature, validator.vote);
}

/** Wire form: CBOR `[kind, subject, signer, signature]`, kind 1 notarize, 2 nullify, 3 finalize. */
export function encodeVote(vote: Vote): Uint8Array {
  return encodeCbor([numbers[vote.kind], subjectCbor(vote.kind, vote.subject), vote.signer, vote.signature]);
}

/** Verifies nothing but the shape. Refusals: `VOTE_INVALID`, `CBOR_*`. */
export function decodeVote(bytes: Uint8Array): Vote {
  const value = decodeCbor(bytes, { bytesMax: voteBytesMax, depthMax: 3, itemsMax: 10 });
  if (!Array.isArray(value) || value.length !== 4) throw invalid('it is not an array of 4');
  const kind = kindOf(value[0], invalid);
  const signer: unknown = value[2];
  const signature: unknown = value[3];
  if (typeof signer !== 'number' || signer < 0 || signer > 127) throw invalid('signer is not 0-127');
  if (!(signature instanceof Uint8Array) || signature.length !== signatureBytes)
    throw invalid('signature is not 64 bytes');
  return { kind, subject: readSubject(kind, value[1], invalid), signer, signature } as Vote;
}

export function kindNumber(kind: VoteKind): number {
  return numbers[kind];
}

export function kindOf(value: unknown, invalid: (why: string) => WeftError): VoteKind {
  const kind = typeof value === 'number' ? kinds[value] : undefined;
  if (kind === undefined) throw invalid('kind is not 1, 2 or 3');
  return kind;
}

export function subjectCbor(kind: VoteKind, subject: Proposal | Round): Cbor {
  if (kind === 'nullify') return [subject.epoch, subject.view];
  const proposal = subject as Proposal;
  return [[proposal.epoch, proposal.view], proposal.parentView, fromHex(proposal.blockId, 32)];
}

/** Epochs and views count from 1; a parent's view is below its child's (0 = the floor of the epoch). */
export function readSubject(kind: VoteKind, value: unknown, invalid: (why: string) => WeftError): Proposal | Round {
  if (kind === 'nullify') return readRound(value, invalid);
  if (!Array.isArray(value) || value.length !== 3) throw invalid('subject is not [round, parentView, blockId]');
  const { epoch, view } = readRound(value[0], invalid);
  const parentView: unknown = value[1];
  const blockId: unknown = value[2];
  if (typeof parentView !== 'number' || parentView < 0 || parentView >= view) {
    throw invalid('parentView is not below the view');
  }
  if (!(blockId instanceof Uint8Array) || blockId.length !== 32) throw invalid('blockId is not 32 bytes');
  return { epoch, view, parentView, blockId: toHex(blockId) };
}

function readRound(value: unknown, invalid: (why: string) => WeftError): Round {
  if (!Array.isArray(value) || value.length !== 2) throw invalid('round is not [epoch, view]');
  const [epoch, view] = value as unknown[];
  if (typeof epoch !== 'number' || typeof view !== 'number' || epoch < 1 || view < 1) {
    throw invalid('epoch and view count from 1');
  }
  return { epoch, view };
}

function invalid(why: string): WeftError {
  return new WeftError('VOTE_INVALID', `Not a vote: ${why}.`);
}
