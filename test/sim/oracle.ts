// What must hold, written from the protocol's promises and not from the engine: it imports only message shapes, reads what
// leaves each node, what each node reports as finalized, and what is on its disk, and does its own arithmetic.
import type { Certificate, Message, Vote } from '../../consensus/types.ts';

export class Violation extends Error {
  override name = 'Violation';
}

export type DiskView = {
  /** Is this own vote in the durable journal, or below its floor? */
  holdsVote(vote: Vote): boolean;
  holdsBlock(id: string): boolean;
};

export type Oracle = {
  /** Every message that leaves a node, whether or not it arrives. */
  onSent(from: number, message: Message, disk: DiskView): void;
  /** A node tells a client that this block is final. */
  onFinalized(node: number, height: number, id: string): void;
  /** An accusation: two messages of one validator that no honest one sends. */
  onEvidence(node: number, a: Vote, b: Vote): void;
  onHalted(node: number, code: string, detail: string): void;
  /** After a restart: everything that was once told must still be there. */
  onRestarted(node: number, holds: (height: number, id: string) => boolean): void;
  /** Height → id of everything final anywhere. */
  chain(): ReadonlyMap<number, string>;
};

function describe(vote: Vote | Certificate): string {
  const { subject } = vote;
  return vote.kind === 'nullify' || !('blockId' in subject)
    ? `nullify v${subject.view}`
    : `${vote.kind} v${subject.view} parent v${subject.parentView} ${subject.blockId}`;
}

export function createOracle(options: {
  validators: number;
  honest: (node: number) => boolean;
  /** Does this block not execute to its roots? */
  bad: (id: string) => boolean;
  /** This node's disk lies: its journal may be found rolled back. */
  rolledBack: (node: number) => boolean;
  /** Even such a node may never be seen to sign two votes. */
  strict: boolean;
}): Oracle {
  const needed = options.validators - Math.floor((options.validators - 1) / 3);
  /** What honest validators sent: signer and view → kind → description. */
  const sent = new Map<string, Map<string, string>>();
  const certified = new Map<number, { notarize?: string; nullify?: string; finalize?: string }>();
  const finalized = new Map<number, string>();
  const told = new Map<number, Map<number, string>>();

  const onVote = (vote: Vote): void => {
    // A disk that lies makes its owner one of the f: W11 finds most of it, not what only a lost message or a restarted peer knew.
    if (!options.honest(vote.signer) || (options.rolledBack(vote.signer) && !options.strict)) return;
    const key = `${vote.signer} ${vote.subject.view}`;
    let kinds = sent.get(key);
    if (kinds === undefined) {
      kinds = new Map();
      sent.set(key, kinds);
    }
    const text = describe(vote);
    const before = kinds.get(vote.kind);
    if (before !== undefined && before !== text)
      throw new Violation(`honest ${vote.signer} signed ${before} and ${text}`);
    kinds.set(vote.kind, text);
    if (kinds.has('nullify') && kinds.has('finalize')) {
      throw new Violation(`honest ${vote.signer} signed ${kinds.get('nullify')} and ${kinds.get('finalize')}`);
    }
  };

  const checkDurable = (from: number, vote: Vote, disk: DiskView): void => {
    if (!options.honest(from) || options.rolledBack(from)) return;
    if (!disk.holdsVote(vote)) throw new Violation(`honest ${from} sent ${describe(vote)} before it was durable`);
    if (vote.kind === 'notarize' && !disk.holdsBlock(vote.subject.blockId)) {
      throw new Violation(`honest ${from} sent ${describe(vote)} before its block was durable`);
    }
  };

  const onCertificate = (from: number, certificate: Certificate, disk: DiskView): void => {
    // A vote may leave its signer for the first time within a certificate: after a crash between sync and sending.
    if (certificate.signers.includes(from)) {
      const { kind, subject } = certificate;
      const vote = { kind, subject, signer: from, signature: new Uint8Array() } as Vote;
      onVote(vote);
      checkDurable(from, vote, disk);
    }
    const text = describe(certificate);
    const { signers, signatures } = certificate;
    if (signers.length !== needed || signatures.length !== needed)
      throw new Violation(`${text} has ${signers.length} signers, ${needed} make a quorum`);
    for (let i = 0; i < signers.length; i += 1) {
      const signer = signers[i]!;
      if (i > 0 && signer <= signers[i - 1]!) throw new Violation(`${text} names signers ${signers.join(',')}`);
      if (signer < 0 || signer >= options.validators) throw new Violation(`${text} names signer ${signer}`);
      if (
        options.honest(signer) &&
        !options.rolledBack(signer) &&
        sent.get(`${signer} ${certificate.subject.view}`)?.get(certificate.kind) !== text
      ) {
        throw new Violation(`${text} names honest ${signer}, who never sent that vote`);
      }
    }
    if (certificate.kind !== 'nullify' && options.bad(certificate.subject.blockId))
      throw new Violation(`${text} certifies an invalid block`);
    const view = certificate.subject.view;
    let held = certified.get(view);
    if (held === undefined) {
      held = {};
      certified.set(view, held);
    }
    const before = held[certificate.kind];
    if (before !== undefined && before !== text) throw new Violation(`two certificates: ${before} and ${text}`);
    held[certificate.kind] = text;
    if (held.nullify !== undefined && held.finalize !== undefined)
      throw new Violation(`view ${view} is nullified, and finalized: ${held.finalize}`);
  };

  return {
    onSent(from, message, disk) {
      if (message.type === 'certificate') {
        onCertificate(from, message.certificate, disk);
        return;
      }
      if (message.type === 'yourVotes') return;
      const { vote } = message;
      onVote(vote);
      if (vote.signer === from) checkDurable(from, vote, disk);
    },
    onFinalized(node, height, id) {
      if (!options.honest(node)) return;
      const other = finalized.get(height);
      if (other !== undefined && other !== id)
        throw new Violation(`height ${height}: ${id} final at ${node}, ${other} elsewhere`);
      finalized.set(height, id);
      let mine = told.get(node);
      if (mine === undefined) {
        mine = new Map();
        told.set(node, mine);
      }
      mine.set(height, id);
    },
    onEvidence(node, a, b) {
      if (!options.honest(node)) return;
      const both = `${describe(a)} and ${describe(b)}`;
      const conflict = a.kind === b.kind ? describe(a) !== describe(b) : a.kind !== 'notarize' && b.kind !== 'notarize';
      if (a.signer !== b.signer || a.subject.view !== b.subject.view || !conflict)
        throw new Violation(`${node} accuses without reason: ${both}`);
      if (options.honest(a.signer) && !options.rolledBack(a.signer))
        throw new Violation(`${node} accuses honest ${a.signer} of ${both}`);
    },
    onHalted(node, code, detail) {
      if (code === 'JOURNAL_ROLLED_BACK' && options.rolledBack(node)) return;
      if (options.honest(node)) throw new Violation(`honest ${node} halted with ${code}: ${detail}`);
    },
    onRestarted(node, holds) {
      for (const [height, id] of told.get(node) ?? []) {
        if (options.honest(node) && !options.rolledBack(node) && !holds(height, id))
          throw new Violation(`${node} told that ${id} at height ${height} is final, and lost it`);
      }
    },
    chain: () => finalized,
  };
}
