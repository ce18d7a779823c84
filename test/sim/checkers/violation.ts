// What the checkers say when a promise is broken: a stable code, and the particulars.
import type { Certificate, Vote } from '../../../consensus/types.ts';

const violationCodes = [
  'DOUBLE_VOTE',
  'VOTE_AFTER_NULLIFY',
  'NOT_DURABLE',
  'BAD_CERTIFICATE',
  'TWO_CERTIFICATES',
  'NULLIFIED_AND_FINALIZED',
  'DISAGREEMENT',
  'UNBACKED',
  'ROOTS_DIFFER',
  'INVALID_BLOCK_FINAL',
  'FUTURE_BLOCK',
  'DELIVERED_TWICE',
  'EPOCH_OVERRUN',
  'FINAL_LOST',
  'FALSE_EVIDENCE',
  'NO_EVIDENCE',
  'HONEST_HALTED',
  'UNBOUNDED',
  'NO_PROGRESS',
  'NO_REST',
  'SLOW_WAKE',
  'LEADER_TIMEOUTS',
  'TOO_EARLY',
] as const;
export type ViolationCode = (typeof violationCodes)[number];

export class Violation extends Error {
  override name = 'Violation';
  readonly code: ViolationCode;
  constructor(code: ViolationCode, text: string) {
    super(`${code}: ${text}`);
    this.code = code;
  }
}

export function describe(vote: Pick<Vote | Certificate, 'kind' | 'subject'>): string {
  const { subject } = vote;
  const at = `e${subject.epoch} v${subject.view}`;
  return vote.kind === 'nullify' || !('blockId' in subject)
    ? `nullify ${at}`
    : `${vote.kind} ${at} parent v${subject.parentView} ${subject.blockId}`;
}
