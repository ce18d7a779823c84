import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Certificate, Vote } from '../../consensus/types.ts';
import { certificateEpoch, decodeCertificate, verifyCertificate } from '../../src/ledger/certificate.ts';
import type { Validator } from '../../src/ledger/validatorSet.ts';
import { decodeVote, verifyVote } from '../../src/ledger/votes.ts';
import { decodeProposal, frameKinds } from '../../src/node/wire.ts';

/**
 * The oracle over what real validators sent in all their lives. It knows the rules of Simplex and nothing of the engine:
 * no two notarize votes of one signer in a view, never nullify and finalize, one finalized block a view, no view both
 * finalized and nullified.
 */
export type WireReport = {
  readonly votes: number;
  readonly certificates: number;
  /** In words; empty is what must be. */
  readonly conflicts: readonly string[];
};

export type WireContext = {
  readonly genesisHash: string;
  /** Of epoch 1, and where there are more, of each. */
  readonly validators: readonly Validator[];
  readonly validatorsOf?: (epoch: number) => readonly Validator[] | undefined;
};

export function checkWire(paths: readonly string[], context: WireContext): WireReport {
  const { validatorsOf = () => context.validators } = context;
  const votes = new Map<string, Vote>();
  const certificates = new Map<string, Certificate>();
  const conflicts: string[] = [];
  const addVote = (vote: Vote, verify: boolean): void => {
    const key = `${subjectKey(vote)} ${vote.signer}`;
    if (votes.has(key)) return;
    votes.set(key, vote);
    const validators = validatorsOf(vote.subject.epoch) ?? [];
    if (verify && !verifyVote(vote, context.genesisHash, validators)) conflicts.push(`does not verify: ${key}`);
  };
  for (const path of paths) {
    for (const [kind, payload] of linesOf(path)) {
      if (kind === frameKinds.certificate) {
        const validators = validatorsOf(certificateEpoch(payload)) ?? [];
        const certificate = decodeCertificate(payload, validators.length);
        const key = subjectKey(certificate);
        if (!certificates.has(key) && !verifyCertificate(certificate, context.genesisHash, validators))
          conflicts.push(`does not verify: certificate ${key}`);
        certificates.set(key, certificate);
        for (const vote of votesIn(certificate)) addVote(vote, false);
      } else addVote(kind === frameKinds.proposal ? decodeProposal(payload).vote : decodeVote(payload), true);
    }
  }
  conflicts.push(
    ...voteConflicts([...votes.values()], (epoch, signer) => validatorsOf(epoch)?.[signer]?.name),
    ...certificateConflicts([...certificates.values()]),
  );
  return { votes: votes.size, certificates: certificates.size, conflicts };
}

export function voteConflicts(
  votes: readonly Vote[],
  nameOf: (epoch: number, signer: number) => string | undefined,
): string[] {
  const conflicts: string[] = [];
  const seen = new Map<string, Vote>();
  for (const vote of votes) {
    const { epoch, view } = vote.subject;
    const who = `${nameOf(epoch, vote.signer)} in epoch ${epoch} view ${view}`;
    const own = `${epoch}/${view}/${vote.signer}`;
    const other = seen.get(`${own}/${vote.kind}`);
    if (other !== undefined && subjectKey(other) !== subjectKey(vote))
      conflicts.push(`two ${vote.kind} votes by ${who}`);
    seen.set(`${own}/${vote.kind}`, vote);
    if (vote.kind !== 'notarize' && seen.has(`${own}/nullify`) && seen.has(`${own}/finalize`))
      conflicts.push(`nullify and finalize by ${who}`);
  }
  return conflicts;
}

function certificateConflicts(certificates: readonly Certificate[]): string[] {
  const conflicts: string[] = [];
  const seen = new Map<string, string>();
  for (const certificate of certificates) {
    const { epoch, view } = certificate.subject;
    const at = `${epoch}/${view}`;
    const key = subjectKey(certificate);
    const other = seen.get(`${at}/${certificate.kind}`);
    if (other !== undefined && other !== key) conflicts.push(`two certificates in ${at}: ${other}, ${key}`);
    seen.set(`${at}/${certificate.kind}`, key);
    if (seen.has(`${at}/nullify`) && seen.has(`${at}/finalize`)) conflicts.push(`${at} is finalized and nullified`);
  }
  return conflicts;
}

function votesIn({ kind, subject, signers, signatures }: Certificate): Vote[] {
  return signers.map((signer, i) => ({ kind, subject, signer, signature: signatures[i] }) as Vote);
}

export function subjectKey({ kind, subject }: Vote | Certificate): string {
  const block = 'blockId' in subject ? ` parent ${subject.parentView} ${subject.blockId}` : '';
  return `${kind} ${subject.epoch}/${subject.view}${block}`;
}

/** Bytes written down so far: a moment to look back to. */
export function wireBytes(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

/** Votes that a validator signed after that moment: what it sent for the first time, not counting certificates. */
export function newVotes(path: string, fromBytes: number): Vote[] {
  const before = new Set(votesBetween(path, 0, fromBytes).map(subjectKey));
  return votesBetween(path, fromBytes).filter((vote) => !before.has(subjectKey(vote)));
}

function votesBetween(path: string, fromBytes: number, toBytes?: number): Vote[] {
  const votes: Vote[] = [];
  for (const [kind, payload] of linesOf(path, fromBytes, toBytes)) {
    if (kind === frameKinds.proposal) votes.push(decodeProposal(payload).vote);
    else if (kind !== frameKinds.certificate) votes.push(decodeVote(payload));
  }
  return votes;
}

function linesOf(path: string, fromBytes = 0, toBytes?: number): Iterable<[kind: number, payload: Uint8Array]> {
  return existsSync(path) ? wireLines(readFileSync(path, 'latin1').slice(fromBytes, toBytes)) : [];
}

/** Frames as they were written down. A last line without its end is what a kill cut off: it was not sent. */
export function* wireLines(text: string): Iterable<[kind: number, payload: Uint8Array]> {
  for (const line of text.split('\n').slice(0, -1)) {
    const space = line.indexOf(' ');
    yield [Number(line.slice(0, space)), new Uint8Array(Buffer.from(line.slice(space + 1), 'base64'))];
  }
}
