// Journal records as arrays of integers, strings, bytes and booleans, for a codec that has no maps. One form per record.
import {
  assert,
  type BlockFacts,
  type Certificate,
  ConsensusAssertion,
  type Floor,
  type JournalRecord,
  type Proposal,
  type Round,
  type Vote,
  type VoteKind,
} from './types.ts';

export type Packed = number | string | boolean | Uint8Array | readonly Packed[];

const kinds: readonly VoteKind[] = ['notarize', 'nullify', 'finalize'];
const recordTags = ['vote', 'notarized', 'certificate', 'certification', 'floor'] as const;

export function packRecord(record: JournalRecord): readonly Packed[] {
  const tag = recordTags.indexOf(record.kind);
  switch (record.kind) {
    case 'vote':
      return [tag, packVote(record.vote)];
    case 'notarized':
      return [tag, packVote(record.vote), packBlock(record.block)];
    case 'certificate':
      return [tag, packCertificate(record.certificate)];
    case 'certification':
      return [tag, record.view, packBlock(record.block), record.valid];
    case 'floor':
      return [tag, packFloor(record.floor)];
  }
}

/** The inverse of `packRecord`. Throws ConsensusAssertion on anything else: a journal is our own, bounded and checksummed. */
export function unpackRecord(packed: Packed): JournalRecord {
  const [tag, a, b, c, ...rest] = list(packed);
  assert(rest.length === 0, 'a journal record has at most four members');
  switch (recordTags[integer(tag)]) {
    case 'vote': {
      const vote = unpackVote(a);
      assert(vote.kind !== 'notarize', 'a notarize vote is journaled with its block');
      return { kind: 'vote', vote };
    }
    case 'notarized': {
      const vote = unpackVote(a);
      assert(vote.kind === 'notarize', 'a notarized record holds a notarize vote');
      return { kind: 'notarized', vote, block: unpackBlock(b) };
    }
    case 'certificate':
      return { kind: 'certificate', certificate: unpackCertificate(a) };
    case 'certification':
      return { kind: 'certification', view: integer(a), block: unpackBlock(b), valid: bool(c) };
    case 'floor':
      return { kind: 'floor', floor: unpackFloor(a) };
    default:
      throw new ConsensusAssertion(`unknown journal record ${String(tag)}`);
  }
}

function packSubject(subject: Proposal | Round): readonly Packed[] {
  return 'blockId' in subject
    ? [subject.epoch, subject.view, subject.parentView, subject.blockId]
    : [subject.epoch, subject.view];
}

function unpackRound(packed: Packed | undefined): Round {
  const [epoch, view] = list(packed);
  return { epoch: integer(epoch), view: integer(view) };
}

function unpackProposal(packed: Packed | undefined): Proposal {
  const [epoch, view, parentView, blockId] = list(packed);
  return { epoch: integer(epoch), view: integer(view), parentView: integer(parentView), blockId: text(blockId) };
}

function packVote(vote: Vote): readonly Packed[] {
  return [kinds.indexOf(vote.kind), packSubject(vote.subject), vote.signer, vote.signature];
}

function unpackVote(packed: Packed | undefined): Vote {
  const [kindIndex, subject, signer, signature] = list(packed);
  const kind = kindOf(kindIndex);
  const signed = { signer: integer(signer), signature: bytes(signature) };
  return kind === 'nullify'
    ? { kind, subject: unpackRound(subject), ...signed }
    : { kind, subject: unpackProposal(subject), ...signed };
}

function packCertificate(certificate: Certificate): readonly Packed[] {
  return [
    kinds.indexOf(certificate.kind),
    packSubject(certificate.subject),
    [...certificate.signers],
    [...certificate.signatures],
  ];
}

function unpackCertificate(packed: Packed | undefined): Certificate {
  const [kindIndex, subject, signers, signatures] = list(packed);
  const kind = kindOf(kindIndex);
  const signed = { signers: list(signers).map(integer), signatures: list(signatures).map(bytes) };
  return kind === 'nullify'
    ? { kind, subject: unpackRound(subject), ...signed }
    : { kind, subject: unpackProposal(subject), ...signed };
}

function packBlock(block: BlockFacts): readonly Packed[] {
  const { id, parent, height, epoch, view, proposer, time, closing, empty } = block;
  return [id, parent, height, epoch, view, proposer, time, closing, empty];
}

function unpackBlock(packed: Packed | undefined): BlockFacts {
  const [id, parent, height, epoch, view, proposer, time, closing, empty] = list(packed);
  return {
    id: text(id),
    parent: text(parent),
    height: integer(height),
    epoch: integer(epoch),
    view: integer(view),
    proposer: integer(proposer),
    time: integer(time),
    closing: bool(closing),
    empty: bool(empty),
  };
}

function packFloor(floor: Floor): readonly Packed[] {
  return [
    floor.view,
    packBlock(floor.block),
    ...(floor.certificate === undefined ? [] : [packCertificate(floor.certificate)]),
  ];
}

function unpackFloor(packed: Packed | undefined): Floor {
  const [view, block, certificate] = list(packed);
  const floor = { view: integer(view), block: unpackBlock(block) };
  if (certificate === undefined) return floor;
  const finalization = unpackCertificate(certificate);
  assert(finalization.kind === 'finalize', "a floor's certificate is a finalization");
  return { ...floor, certificate: finalization };
}

function list(value: Packed | undefined): readonly Packed[] {
  if (!Array.isArray(value)) throw new ConsensusAssertion('a list is missing in a journal record');
  return value as readonly Packed[];
}

function integer(value: Packed | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw new ConsensusAssertion('an integer is missing in a journal record');
  return value;
}

function text(value: Packed | undefined): string {
  if (typeof value !== 'string') throw new ConsensusAssertion('a string is missing in a journal record');
  return value;
}

function bytes(value: Packed | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new ConsensusAssertion('bytes are missing in a journal record');
  return value;
}

function bool(value: Packed | undefined): boolean {
  if (typeof value !== 'boolean') throw new ConsensusAssertion('a boolean is missing in a journal record');
  return value;
}

function kindOf(value: Packed | undefined): VoteKind {
  const kind = kinds[integer(value)];
  if (kind === undefined) throw new ConsensusAssertion('unknown kind of vote in a journal record');
  return kind;
}
