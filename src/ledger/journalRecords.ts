import type { BlockFacts, Certificate, Finalization, Floor, JournalRecord, Vote } from '../../consensus/types.ts';
import { type Cbor, decodeCbor, encodeCbor, encodeCborBefore } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { type Payload, payloadBytesMax } from './journalFrame.ts';
import { kindNumber, kindOf, readSubject, subjectCbor } from './votes.ts';

/**
 * What the journal's records say, as CBOR arrays:
 *
 *     [1, epoch, view, facts, certificate or null]   floor of the epoch's engine
 *     [2, vote]                                      own nullify or finalize vote
 *     [3, vote, facts]                               own notarize vote and its block
 *     [4, certificate]
 *     [5, view, facts, valid]                        verdict on a notarized block
 *     [6, header, body]                              a block that is not finalized yet
 *
 *     facts       = [id, parent, height, epoch, view, proposer, time, closing, empty]
 *     vote        = [kind, subject, signer, signature]
 *     certificate = [kind, subject, [signers], [signatures]]
 */
export type JournalEntry =
  | { readonly kind: 'record'; readonly epoch: number | undefined; readonly record: JournalRecord }
  | { readonly kind: 'block'; readonly header: Uint8Array; readonly body: Uint8Array };

const noParent = '0'.repeat(64);

export function encodeJournalRecord(record: JournalRecord, epoch: number): Uint8Array {
  switch (record.kind) {
    case 'floor': {
      const { view, block, certificate } = record.floor;
      return encodeCbor([
        1,
        epoch,
        view,
        packFacts(block),
        certificate === undefined ? null : packCertificate(certificate),
      ]);
    }
    case 'vote':
      return encodeCbor([2, packVote(record.vote)]);
    case 'notarized':
      return encodeCbor([3, packVote(record.vote), packFacts(record.block)]);
    case 'certificate':
      return encodeCbor([4, packCertificate(record.certificate)]);
    case 'certification':
      return encodeCbor([5, record.view, packFacts(record.block), record.valid]);
  }
}

/** In two pieces, of which the second is the body itself. */
export function encodeJournalBlock(header: Uint8Array, body: Uint8Array): Payload {
  return [encodeCborBefore([6, header], body.length), body];
}

/** Of bytes whose checksum held: what does not fit was written by another version. @throws WeftError JOURNAL_INVALID */
export function decodeJournalEntry(payload: Uint8Array): JournalEntry {
  try {
    return read(decodeCbor(payload, { bytesMax: payloadBytesMax }));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeftError(
      'JOURNAL_INVALID',
      `A journal record has no known form (${why}): was it written by a newer version?`,
    );
  }
}

function read(value: Cbor): JournalEntry {
  if (!Array.isArray(value)) throw invalid('no array');
  const [kind, ...rest] = value as readonly Cbor[];
  const record = (record: JournalRecord, epoch?: number): JournalEntry => ({ kind: 'record', epoch, record });
  switch (kind) {
    case 1: {
      const [epoch, view, block, certificate] = rest;
      const floor: Floor = { view: count(view), block: unpackFacts(block) };
      if (certificate !== null) floor.certificate = unpackCertificate(certificate) as Finalization;
      return record({ kind: 'floor', floor }, count(epoch));
    }
    case 2:
      return record({ kind: 'vote', vote: unpackVote(rest[0]) as Exclude<Vote, { kind: 'notarize' }> });
    case 3: {
      const vote = unpackVote(rest[0]) as Extract<Vote, { kind: 'notarize' }>;
      return record({ kind: 'notarized', vote, block: unpackFacts(rest[1]) });
    }
    case 4:
      return record({ kind: 'certificate', certificate: unpackCertificate(rest[0]) });
    case 5:
      return record({
        kind: 'certification',
        view: count(rest[0]),
        block: unpackFacts(rest[1]),
        valid: flag(rest[2]),
      });
    case 6:
      return { kind: 'block', header: bytesOf(rest[0]), body: bytesOf(rest[1]) };
    default:
      throw invalid('an unknown kind');
  }
}

function packFacts(facts: BlockFacts): Cbor {
  const { id, parent, height, epoch, view, proposer, time, closing, empty } = facts;
  return [fromHex(id, 32), fromHex(parent || noParent, 32), height, epoch, view, proposer, time, closing, empty];
}

function unpackFacts(value: Cbor | undefined): BlockFacts {
  if (!Array.isArray(value) || value.length !== 9) throw invalid('facts');
  const [id, parent, height, epoch, view, proposer, time, closing, empty] = value as readonly Cbor[];
  return {
    id: toHex(bytesOf(id)),
    parent: toHex(bytesOf(parent)),
    height: count(height),
    epoch: count(epoch),
    view: count(view),
    proposer: count(proposer),
    time: count(time),
    closing: flag(closing),
    empty: flag(empty),
  };
}

function packVote(vote: Vote): Cbor {
  return [kindNumber(vote.kind), subjectCbor(vote.kind, vote.subject), vote.signer, vote.signature];
}

function unpackVote(value: Cbor | undefined): Vote {
  if (!Array.isArray(value) || value.length !== 4) throw invalid('vote');
  const kind = kindOf(value[0], invalid);
  const subject = readSubject(kind, value[1], invalid);
  return { kind, subject, signer: count(value[2]), signature: bytesOf(value[3]) } as Vote;
}

function packCertificate(certificate: Certificate): Cbor {
  const { kind, subject, signers, signatures } = certificate;
  return [kindNumber(kind), subjectCbor(kind, subject), [...signers], [...signatures]];
}

function unpackCertificate(value: Cbor | undefined): Certificate {
  if (!Array.isArray(value) || value.length !== 4) throw invalid('certificate');
  const kind = kindOf(value[0], invalid);
  const [, subject, signers, signatures] = value as readonly Cbor[];
  if (!Array.isArray(signers) || !Array.isArray(signatures)) throw invalid('certificate');
  return {
    kind,
    subject: readSubject(kind, subject, invalid),
    signers: signers.map(count),
    signatures: signatures.map(bytesOf),
  } as Certificate;
}

function count(value: Cbor | undefined): number {
  if (typeof value !== 'number') throw invalid('no number');
  return value;
}

function flag(value: Cbor | undefined): boolean {
  if (typeof value !== 'boolean') throw invalid('no flag');
  return value;
}

function bytesOf(value: Cbor | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalid('no bytes');
  return value;
}

function invalid(why: string): WeftError {
  return new WeftError('JOURNAL_INVALID', why);
}
