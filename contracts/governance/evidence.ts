// Two messages that no honest validator signs (W12). The ledger records that they exist, once; what follows the council decides.
import type { Vote } from '../../consensus/types.ts';
import type { GovernanceEvidenceBody } from '../../schemas/types/tx/governance.evidence.ts';
import { fromBase64, fromBase64Url } from '../../src/codec/base64.ts';
import { WeftError } from '../../src/codec/error.ts';
import { fromHex } from '../../src/codec/hex.ts';
import { equalBytes } from '../../src/codec/utf8.ts';
import { verifyConsensus } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { verifyCosignature } from '../../src/log/cosignature.ts';
import { decodeSentCosignature, type SentCosignature } from '../../src/log/sentCosignature.ts';
import { algCosigner, createVkey } from '../../src/log/vkey.ts';
import { serviceUid } from '../authorisation.ts';
import { recordHead, refuse, rule } from '../contract.ts';
import type { BlockContext, Json, StateReader } from '../types.ts';
import type { EpochValue } from './epochs.ts';
import { epochPath } from './state.ts';
import { decodeVote, verifyVote, voteBytes } from './votes.ts';

export type EvidenceKind = GovernanceEvidenceBody['kind'];

/** Who did it, in which view, or at which size, and the public key that signed, base64url. */
export type Guilt = { readonly offender: string; readonly at: number; readonly key: string };

/** Recorded of one offender in one epoch: one is enough to decide on, and whoever wants to can sign without end. */
export const EVIDENCE_OF_ONE_MAX = 16;
/** Evidence of earlier epochs is taken no more: those keys are retired, and may have leaked. */
export const EVIDENCE_EPOCHS_BACK = 3;

/**
 * `governance/evidence/votes-<epoch>-<view>-<offender>` or `governance/evidence/cosignatures-<size>-<key>`: recorded once. A
 * cosignature names no epoch, and its key may serve in many.
 */
export function evidencePath(kind: EvidenceKind, epoch: number, { offender, at, key }: Guilt): string {
  return `governance/evidence/${kind === 'votes' ? `votes-${epoch}-${at}-${offender}` : `cosignatures-${at}-${key}`}`;
}

/** `{offender, epoch, count}`: what is recorded of one offender in one epoch. */
function accusedPath(epoch: number, offender: string): string {
  return `governance/accused/${epoch}-${offender}`;
}

/** The ledger takes no more of one offender in one epoch, or nothing of that epoch. */
export function isClosed(state: StateReader, epoch: number, offender: string): boolean {
  // The value of the epoch after the last that is asked for is there.
  if (state.get(epochPath(epoch + EVIDENCE_EPOCHS_BACK + 1)) !== undefined) return true;
  return countOf(state, epoch, offender) >= EVIDENCE_OF_ONE_MAX;
}

function countOf(state: StateReader, epoch: number, offender: string): number {
  const accused = state.get(accusedPath(epoch, offender)) as { readonly count: number } | undefined;
  return accused?.count ?? 0;
}

/**
 * What two messages prove against a validator of an epoch, or undefined when nothing: shape, contradiction, and both
 * signatures by ZIP 215. Total.
 */
export function guiltOf(
  { kind, a, b }: Pick<GovernanceEvidenceBody, 'kind' | 'a' | 'b'>,
  epoch: EpochValue,
  { chain, genesisHash }: Pick<BlockContext, 'chain' | 'genesisHash'>,
): Guilt | undefined {
  return kind === 'votes'
    ? guiltOfVotes(read(a, decodeVote), read(b, decodeVote), epoch, genesisHash)
    : guiltOfCosignatures(read(a, decodeSentCosignature), read(b, decodeSentCosignature), epoch, chain);
}

function read<Message>(text: string, decode: (bytes: Uint8Array) => Message): Message | undefined {
  try {
    return decode(fromBase64(text));
  } catch (error) {
    if (error instanceof WeftError) return undefined;
    throw error;
  }
}

function guiltOfVotes(
  a: Vote | undefined,
  b: Vote | undefined,
  epoch: EpochValue,
  genesisHash: string,
): Guilt | undefined {
  if (a === undefined || b === undefined || a.signer !== b.signer) return undefined;
  const at = a.subject.view;
  if (a.subject.epoch !== epoch.epoch || b.subject.epoch !== epoch.epoch || b.subject.view !== at) return undefined;
  if (!contradict(a, b, genesisHash)) return undefined;
  const offender = epoch.validators[a.signer];
  const keys = epoch.validators.map(({ vote }) => ({ vote: fromBase64Url(vote) }));
  if (offender === undefined || !verifyVote(a, genesisHash, keys) || !verifyVote(b, genesisHash, keys))
    return undefined;
  return { offender: offender.name, at, key: offender.vote };
}

/** Two different votes of one kind in a view, or nullify and finalize. Notarize goes with either of the others. */
function contradict(a: Vote, b: Vote, genesisHash: string): boolean {
  if (a.kind === b.kind) {
    const [first, second] = [a, b].map(({ kind, subject }) => voteBytes(kind, genesisHash, subject));
    return first !== undefined && second !== undefined && !equalBytes(first, second);
  }
  return a.kind !== 'notarize' && b.kind !== 'notarize';
}

function guiltOfCosignatures(
  a: SentCosignature | undefined,
  b: SentCosignature | undefined,
  epoch: EpochValue,
  chain: string,
): Guilt | undefined {
  if (a === undefined || b === undefined || a.size !== b.size || a.root === b.root) return undefined;
  const offender = epoch.validators.find(({ name }) => `${chain}/${name}` === a.line.name);
  if (offender === undefined) return undefined;
  const key = createVkey(sha256, `${chain}/${offender.name}`, algCosigner, fromBase64Url(offender.cosigner));
  const holds = ({ size, root, line }: SentCosignature): boolean => {
    const text = formatCheckpoint({ origin: `${chain}/weft`, size, root: fromHex(root, 32) });
    return verifyCosignature(text, line, key, verifyConsensus) !== undefined;
  };
  return holds(a) && holds(b) ? { offender: offender.name, at: a.size, key: offender.cosigner } : undefined;
}

export const evidence = rule<GovernanceEvidenceBody>('governance.evidence', {
  question: ({ kind }) => ({ resource: serviceUid('governance'), context: { kind } }),
  apply(body, context) {
    const { state, block, tx } = context;
    const { kind, epoch: number } = body;
    const epoch = state.get(epochPath(number)) as unknown as EpochValue | undefined;
    if (epoch === undefined) return refuse('EPOCH_UNKNOWN');
    if (number < block.epoch - EVIDENCE_EPOCHS_BACK) return refuse('EVIDENCE_TOO_OLD');
    const guilt = guiltOf(body, epoch, block);
    if (guilt === undefined) return refuse('EVIDENCE_INVALID');
    const path = evidencePath(kind, number, guilt);
    if (state.get(path) !== undefined) return refuse('EVIDENCE_KNOWN');
    const { offender, at } = guilt;
    const count = countOf(state, number, offender);
    if (count >= EVIDENCE_OF_ONE_MAX) return refuse('EVIDENCE_ENOUGH');
    const record = {
      ...recordHead('governance.evidence', context),
      by: tx.account,
      kind,
      offender,
      epoch: number,
      at,
    };
    const value = { kind, offender, epoch: number, at, tx: tx.txId, by: tx.account, height: block.height };
    const accused = { offender, epoch: number, count: count + 1 };
    return {
      records: [record],
      changes: new Map<string, Json | null>([
        [path, value],
        [accusedPath(number, offender), accused],
      ]),
    };
  },
});
