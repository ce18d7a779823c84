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
import type { BlockContext } from '../types.ts';
import type { EpochValue } from './epochs.ts';
import { epochPath } from './state.ts';
import { decodeVote, verifyVote, voteBytes } from './votes.ts';

export type EvidenceKind = GovernanceEvidenceBody['kind'];

/** Who did it, and in which view, or at which size. */
export type Guilt = { readonly offender: string; readonly at: number };

/** `governance/evidence/<kind>-<epoch>-<view or size>-<offender>`: recorded once. */
export function evidencePath(kind: EvidenceKind, epoch: number, { offender, at }: Guilt): string {
  return `governance/evidence/${kind}-${epoch}-${at}-${offender}`;
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
  return { offender: offender.name, at };
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
  return holds(a) && holds(b) ? { offender: offender.name, at: a.size } : undefined;
}

export const evidence = rule<GovernanceEvidenceBody>('governance.evidence', {
  question: ({ kind }) => ({ resource: serviceUid('governance'), context: { kind } }),
  apply(body, context) {
    const { state, block, tx } = context;
    const { kind, epoch: number } = body;
    const epoch = state.get(epochPath(number)) as unknown as EpochValue | undefined;
    if (epoch === undefined) return refuse('EPOCH_UNKNOWN');
    const guilt = guiltOf(body, epoch, block);
    if (guilt === undefined) return refuse('EVIDENCE_INVALID');
    const path = evidencePath(kind, number, guilt);
    if (state.get(path) !== undefined) return refuse('EVIDENCE_KNOWN');
    const { offender, at } = guilt;
    const record = {
      ...recordHead('governance.evidence', context),
      by: tx.account,
      kind,
      offender,
      epoch: number,
      at,
    };
    const value = { kind, offender, epoch: number, at, tx: tx.txId, by: tx.account, height: block.height };
    return { records: [record], changes: new Map([[path, value]]) };
  },
});
