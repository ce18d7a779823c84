import type { Vote } from '../../consensus/types.ts';
import { evidencePath, guiltOf } from '../../contracts/governance/evidence.ts';
import { toBase64, toBase64Url } from '../codec/base64.ts';
import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { equalBytes } from '../codec/utf8.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { decodeVote, encodeVote } from '../ledger/votes.ts';
import { decodeSentCosignature, encodeSentCosignature } from '../log/sentCosignature.ts';
import { cosignerKeyOf } from './queries.ts';

/** W12: two signed messages of one validator of which no honest one signs both. */
export type EvidencePair = {
  readonly kind: 'votes' | 'cosignatures';
  readonly epoch: number;
  /** As encodeVote and encodeSentCosignature write them, in ascending order: they contradict each other in either order. */
  readonly a: Uint8Array;
  readonly b: Uint8Array;
};

/** What a pair says, before its signatures are verified. */
export type PairClaim = {
  /** Name in the epoch. */
  readonly offender: string;
  /** Its key that signed, base64url. */
  readonly key: string;
  /** The view of two votes, the size of two cosignatures. */
  readonly at: number;
};

export type PairNames = { readonly genesisHash: string; readonly chain: string };

const kinds = ['votes', 'cosignatures'] as const;
const pairBytesMax = 2048;

export function makePair(kind: EvidencePair['kind'], epoch: number, one: Uint8Array, other: Uint8Array): EvidencePair {
  const [a, b] = Buffer.compare(one, other) <= 0 ? [one, other] : [other, one];
  return { kind, epoch, a, b };
}

/** For frames and notes: `[kind, epoch, a, b]`, kind 0 votes, 1 cosignatures. */
export function encodePair({ kind, epoch, a, b }: EvidencePair): Uint8Array {
  return encodeCbor([kinds.indexOf(kind), epoch, a, b]);
}

/** The form only. @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodePair(payload: Uint8Array): EvidencePair {
  const fields = decodeCbor(payload, { bytesMax: pairBytesMax });
  if (!Array.isArray(fields) || fields.length !== 4) throw malformed();
  const [number, epoch, a, b] = fields as unknown[];
  const kind = typeof number === 'number' ? kinds[number] : undefined;
  if (kind === undefined || typeof epoch !== 'number' || epoch < 1) throw malformed();
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array) || Buffer.compare(a, b) >= 0) throw malformed();
  return { kind, epoch, a, b };
}

/** One offence has one id, whoever found it and with whichever of several messages. */
export function evidenceIdOf({ kind, epoch }: EvidencePair, claim: PairClaim): string {
  return evidencePath(kind, epoch, claim).slice('governance/evidence/'.length);
}

/** Who is accused of what; undefined when the two messages do not contradict each other. @throws WeftError VOTE_INVALID, COSIGNATURE_INVALID, CBOR_* */
export function claimOf(pair: EvidencePair, epoch: Epoch, { chain }: PairNames): PairClaim | undefined {
  if (pair.kind === 'votes') {
    const a = decodeVote(pair.a);
    const b = decodeVote(pair.b);
    const offender = epoch.validators[a.signer];
    const together =
      a.signer === b.signer &&
      a.subject.epoch === epoch.epoch &&
      b.subject.epoch === epoch.epoch &&
      a.subject.view === b.subject.view;
    if (!together || !excludeEachOther(a, b) || offender === undefined) return undefined;
    // One encoding of each: else one offence could be stated in many ways.
    if (!equalBytes(encodeVote(a), pair.a) || !equalBytes(encodeVote(b), pair.b)) return undefined;
    return { offender: offender.name, key: toBase64Url(offender.vote), at: a.subject.view };
  }
  const a = decodeSentCosignature(pair.a);
  const b = decodeSentCosignature(pair.b);
  const offender = epoch.validators.find((validator) => cosignerKeyOf(chain, validator).name === a.line.name);
  if (a.line.name !== b.line.name || a.line.keyId !== b.line.keyId || offender === undefined) return undefined;
  if (a.size !== b.size || a.root === b.root) return undefined;
  if (!equalBytes(encodeSentCosignature(a), pair.a) || !equalBytes(encodeSentCosignature(b), pair.b)) return undefined;
  return { offender: offender.name, key: toBase64Url(offender.cosigner), at: a.size };
}

/** By the rule of the contract, both signatures included: what is kept is what the ledger will record. */
export function pairHolds({ kind, a, b }: EvidencePair, { epoch, validators }: Epoch, names: PairNames): boolean {
  const body = { kind, a: toBase64(a), b: toBase64(b) };
  const keys = validators.map(({ name, vote, cosigner }) => ({
    name,
    vote: toBase64Url(vote),
    cosigner: toBase64Url(cosigner),
  }));
  return guiltOf(body, { epoch, height: 0, ruleset: 0, validators: keys }, names) !== undefined;
}

/** Two of one kind with different subjects; or nullify and finalize. */
function excludeEachOther(a: Vote, b: Vote): boolean {
  if (a.kind !== b.kind) return a.kind !== 'notarize' && b.kind !== 'notarize';
  if (!('blockId' in a.subject) || !('blockId' in b.subject)) return false;
  return a.subject.blockId !== b.subject.blockId || a.subject.parentView !== b.subject.parentView;
}

function malformed(): WeftError {
  return new WeftError('MESSAGE_MALFORMED', 'a peer sent evidence in a form that no node of this version writes');
}
