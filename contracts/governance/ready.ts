// Is the next set there? A change that would leave fewer than a quorum of running validators behind must not take effect, for
// nothing could undo it.
import type { GovernanceReadyBody } from '../../schemas/types/tx/governance.ready.ts';
import { fromBase64Url } from '../../src/codec/base64.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { verifyPossession } from '../../src/crypto/validatorKeys.ts';
import { quorumOf } from '../../src/log/cosignature.ts';
import { serviceUid } from '../authorisation.ts';
import { asJson, recordHead, refuse, rule } from '../contract.ts';
import type { Draft } from '../draft.ts';
import type { BlockContext, StateReader } from '../types.ts';
import { outcomeOf } from './changes.ts';
import { endsEpoch } from './epochs.ts';
import { nodeRoles } from './nodeSet.ts';
import {
  type ChangeKind,
  type Governed,
  type Pending,
  readAgenda,
  readGoverned,
  readPending,
  readProposal,
  readyPath,
  type ValidatorEntry,
} from './state.ts';

/** For so long a `ready` counts, in block time. */
export const READY_LIFETIME_MS = 10 * 60_000;
/** So far behind may the height be that a validator names. */
const READY_HEIGHTS = 1_000;

/** At `governance/ready/<validator>`: the newest word for each proposal on the agenda. */
type ReadyValue = { readonly validator: string; readonly ready: readonly ReadyEntry[] };
type ReadyEntry = {
  readonly proposal: string;
  /** Of the four keys that it proved to hold. */
  readonly keys: string;
  /** That the set was to run under: a word given before an upgrade says nothing about builds after it. */
  readonly ruleset: number;
  /** Newest block that it had. */
  readonly height: number;
  readonly time: number;
};

/** Kinds that wait for the validators. A new set must be running, a new ruleset installed; the rest needs nobody's help. */
export function needsReadiness(kind: ChangeKind): boolean {
  return kind === 'validators' || kind === 'ruleset';
}

/** True when q of the new set have said so within the last ten minutes, or when nothing changes for them. */
export function isReady(
  state: StateReader,
  block: BlockContext,
  proposal: { readonly proposal: string; readonly kind: ChangeKind },
  { before, after }: { readonly before: Governed; readonly after: Governed },
): boolean {
  if (!needsReadiness(proposal.kind) || !endsEpoch(before, after)) return true;
  return readyOf(state, block, proposal.proposal, after).length >= quorumOf(after.validators.length);
}

/** Those of the next set whose word for a proposal counts now. */
export function readyOf(
  state: StateReader,
  { time }: { readonly time: number },
  proposal: string,
  { validators, ruleset }: Pick<Governed, 'validators' | 'ruleset'>,
): readonly ValidatorEntry[] {
  return validators.filter(
    (validator) =>
      (readyTime(state, proposal, validator, ruleset) ?? Number.NEGATIVE_INFINITY) > time - READY_LIFETIME_MS,
  );
}

/** Block time of a validator's newest word for a proposal, given with these very keys and for this ruleset. */
export function readyTime(
  state: StateReader,
  proposal: string,
  validator: ValidatorEntry,
  ruleset: number,
): number | undefined {
  const keys = keysDigest(validator);
  return readReady(state, validator.name).find(
    (entry) => entry.proposal === proposal && entry.keys === keys && entry.ruleset === ruleset,
  )?.time;
}

/** Takes a proposal that left the agenda out of what these validators said. */
export function forgetReady(draft: Draft, proposal: string, names: Iterable<string>): void {
  for (const name of names) {
    const entries = readReady(draft, name);
    const kept = entries.filter((entry) => entry.proposal !== proposal);
    if (kept.length < entries.length)
      draft.set(readyPath(name), kept.length === 0 ? null : { validator: name, ready: kept.map(asJson) });
  }
}

function readReady(state: StateReader, name: string): readonly ReadyEntry[] {
  return (state.get(readyPath(name)) as unknown as ReadyValue | undefined)?.ready ?? [];
}

function keysDigest(validator: ValidatorEntry): string {
  return sha256Hex(encodeUtf8(nodeRoles.map((role) => validator[role]).join('.')));
}

function mayBeListed(state: StateReader, { change }: Pending, account: string): boolean {
  const set = change.kind === 'validators' ? change.set : [];
  return [...set, ...readGoverned(state).validators].some((validator) => validator.account === account);
}

/** Genesis name: the chain id without `-` and 12 hex digits. */
export function networkOf(chain: string): string {
  return chain.slice(0, -13);
}

export const ready = rule<GovernanceReadyBody>('governance.ready', {
  question({ proposal }, { state }) {
    const found = readProposal(state, proposal);
    if (found === undefined) return refuse('PROPOSAL_UNKNOWN');
    return { resource: serviceUid('governance'), context: { kind: found.kind } };
  },
  apply({ proposal, height, proofs }, context) {
    const { state, block, tx } = context;
    const found = readPending(state, proposal);
    if (found === undefined) return refuse('PROPOSAL_CLOSED');
    if (!needsReadiness(found.kind)) return refuse('READINESS_NOT_NEEDED');
    // Policy lets everybody speak: what strangers ask for must cost little.
    if (!mayBeListed(state, found, tx.account)) return refuse('NOT_IN_SET');
    const outcome = outcomeOf(state, block, found.change);
    if ('refused' in outcome) return outcome;
    const validator = outcome.after.validators.find(({ account }) => account === tx.account);
    if (validator === undefined) return refuse('NOT_IN_SET');
    if (height > block.height || height < block.height - READY_HEIGHTS) return refuse('READY_HEIGHT');
    for (const role of nodeRoles) {
      const claim = {
        network: networkOf(block.chain),
        validator: validator.name,
        role,
        publicKey: fromBase64Url(validator[role]),
      };
      if (!verifyPossession(claim, fromBase64Url(proofs[role]))) return refuse('PROOF_INVALID');
    }
    const agenda = readAgenda(state);
    const others = readReady(state, validator.name).filter(
      (entry) => entry.proposal !== proposal && agenda.includes(entry.proposal),
    );
    const { ruleset } = outcome.after;
    const entry: ReadyEntry = { proposal, keys: keysDigest(validator), ruleset, height, time: block.time };
    const value: ReadyValue = { validator: validator.name, ready: [...others, entry] };
    const record = {
      ...recordHead('governance.ready', context),
      by: tx.account,
      proposal,
      validator: validator.name,
      at: height,
    };
    return { records: [record], changes: new Map([[readyPath(validator.name), asJson(value)]]) };
  },
});
