// The end of each block: approved changes whose height has come take effect, and what can no longer do so leaves the agenda.
// A block that thereby changes set, parameters or ruleset is closing (W10).
import { asJson, type Refusal, refuse } from '../contract.ts';
import { Draft } from '../draft.ts';
import { putAccount } from '../identity/accounts.ts';
import { COUNCIL_ROLE, VALIDATOR_ROLE } from '../identity/roles.ts';
import { readAccount } from '../signatures.ts';
import type { Applied, BlockContext, Json, LedgerRecord, StateReader } from '../types.ts';
import { type Outcome, outcomeOf, reliesOn, touchedBy } from './changes.ts';
import { endsEpoch, epochRecord, epochValue } from './epochs.ts';
import { type NodeRole, type NodeSet, nodeRoles } from './nodeSet.ts';
import { writePolicy } from './policySet.ts';
import { forgetReady, isReady } from './ready.ts';
import {
  agendaPath,
  approvalsThatCount,
  consensusPath,
  councilPath,
  epochPath,
  type Governed,
  nodeKeyPath,
  type Pending,
  pausePath,
  proposalPath,
  readAgenda,
  readCouncil,
  readGoverned,
  readPending,
  readyPath,
  validatorsPath,
} from './state.ts';
import { releaseTexts, sweepTexts } from './texts.ts';

const nothing: Applied = { records: [], changes: new Map() };

/** Runs after the last transaction of a block, before its state root. In the order of the proposals. */
export function endBlock(state: StateReader, block: BlockContext): Applied {
  const draft = new Draft(state);
  sweepTexts(draft, block);
  const agenda = readAgenda(draft);
  if (agenda.length === 0) return draft.changes.size === 0 ? nothing : { records: [], changes: draft.changes };
  const before = readGoverned(state);
  const records: LedgerRecord[] = [];
  for (const id of agenda) {
    const pending = readPending(draft, id);
    // In conflict with one before it.
    if (pending === undefined) continue;
    if (pending.expires <= block.time) lapse(draft, block, pending, 'PROPOSAL_EXPIRED', records);
    else if (pending.status === 'approved' && block.height >= pending.notBefore) decide(draft, block, pending, records);
  }
  if (draft.changes.size === 0) return nothing;
  const after = readGoverned(draft);
  if (endsEpoch(before, after)) {
    draft.set(epochPath(block.epoch + 1), epochValue(block.epoch + 1, block.height + 1, after));
    records.push(epochRecord(block, after));
  }
  return { records, changes: draft.changes };
}

function decide(draft: Draft, block: BlockContext, pending: Pending, records: LedgerRecord[]): void {
  const outcome = effectOf(draft, block, pending);
  if ('refused' in outcome) {
    lapse(draft, block, pending, outcome.refused, records);
    return;
  }
  write(draft, block, outcome, pending);
  conclude(draft, block, pending, 'effective', null);
  records.push(effectiveRecord(block, pending, outcome));
  // Whoever proposed or approved another change of the same thing did not know of this one.
  const touched = new Set(touchedBy(pending.change));
  for (const id of readAgenda(draft)) {
    const other = readPending(draft, id);
    if (other !== undefined && reliesOn(other.change).some((each) => touched.has(each)))
      lapse(draft, block, other, 'GOVERNANCE_CONFLICT', records);
  }
}

function effectiveRecord(
  { height, time }: BlockContext,
  { proposal, kind }: Pending,
  { after }: Outcome,
): LedgerRecord {
  const { version, digest, minValid } = after.policy;
  return {
    type: 'governance.effective',
    height,
    time,
    proposal,
    kind,
    ...(kind === 'policy' ? { policy: { version, digest, minValid } } : {}),
    ...(kind === 'pause' ? { paused: after.paused } : {}),
  };
}

/** What was true at the last approval must still be. */
function effectOf(state: StateReader, block: BlockContext, pending: Pending): Outcome | Refusal {
  const outcome = outcomeOf(state, block, pending.change);
  if ('refused' in outcome) return outcome;
  if (approvalsThatCount(state, pending) < readCouncil(state).threshold) return refuse('GOVERNANCE_NOT_APPROVED');
  return isReady(state, block, pending, outcome) ? outcome : refuse('GOVERNANCE_NOT_READY');
}

function lapse(draft: Draft, block: BlockContext, pending: Pending, code: string, records: LedgerRecord[]): void {
  conclude(draft, block, pending, 'lapsed', code);
  const { proposal, kind } = pending;
  records.push({ type: 'governance.lapsed', height: block.height, time: block.time, proposal, kind, code });
}

/** Takes a proposal off the agenda. */
export function conclude(
  draft: Draft,
  block: BlockContext,
  pending: Pending,
  status: 'effective' | 'lapsed' | 'withdrawn',
  code: string | null,
): void {
  const concluded = { height: block.height, code };
  draft.set(proposalPath(pending.proposal), asJson({ ...pending, change: null, status, concluded }));
  draft.set(agendaPath, { proposals: readAgenda(draft).filter((id) => id !== pending.proposal) });
  const named = pending.change.kind === 'validators' ? pending.change.set.map(({ name }) => name) : [];
  releaseTexts(draft, block, pending.change);
  forgetReady(draft, pending.proposal, new Set([...readGoverned(draft).validators.map(({ name }) => name), ...named]));
}

function write(draft: Draft, block: BlockContext, { before, after }: Outcome, { change }: Pending): void {
  if (change.kind === 'policy') {
    writePolicy(draft, block, change, after.policy);
    return;
  }
  if (change.kind === 'pause') {
    draft.set(pausePath, { paused: after.paused, height: block.height });
    return;
  }
  draft.set(validatorsPath, {
    validators: after.validators.map(asJson),
    observers: after.observers.map(asJson),
  });
  draft.set(consensusPath, { ruleset: after.ruleset, parameters: asJson(after.parameters) });
  draft.set(councilPath, { threshold: after.council.threshold, members: after.council.members });
  const [gone, come] = [nodeKeys(before, 'retired', block.height), nodeKeys(after, 'active', block.height)];
  for (const [publicKey, value] of gone) if (!come.has(publicKey)) draft.set(nodeKeyPath(publicKey), value);
  for (const [publicKey, value] of come) if (!gone.has(publicKey)) draft.set(nodeKeyPath(publicKey), value);
  const names = new Set(after.validators.map(({ name }) => name));
  for (const { name } of before.validators)
    if (!names.has(name) && draft.get(readyPath(name)) !== undefined) draft.set(readyPath(name), null);
  moveRole(draft, VALIDATOR_ROLE, speakers(before), speakers(after));
  moveRole(draft, COUNCIL_ROLE, before.council.members, after.council.members);
}

const speakers = ({ validators }: Governed): string[] => validators.map(({ account }) => account);

/** Public key → value at `governance/key/<public key>`, of every key in a set. */
export function nodeKeys(set: NodeSet, status: 'active' | 'retired', height: number): Map<string, Json> {
  const value = (name: string, role: NodeRole): Json => ({ name, role, status, height });
  const keys = new Map<string, Json>();
  for (const validator of set.validators)
    for (const role of nodeRoles) keys.set(validator[role], value(validator.name, role));
  for (const { name, peer } of set.observers) keys.set(peer, value(name, 'peer'));
  return keys;
}

function moveRole(draft: Draft, role: string, from: readonly string[], to: readonly string[]): void {
  for (const account of new Set([...from, ...to])) {
    if (from.includes(account) === to.includes(account)) continue;
    const present = readAccount(draft, account);
    if (present === undefined) continue;
    const others = present.roles.filter((each) => each !== role);
    const roles = to.includes(account) ? [...others, role].sort() : others;
    putAccount(draft.changes, { ...present, roles });
  }
}
