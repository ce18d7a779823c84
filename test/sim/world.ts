// What nodes say to each other, what a node is made from, and the world it stands in.
import type { Modules, State } from '../../consensus/state.ts';
import type { Certificate, Event, Message, Timings, Vote } from '../../consensus/types.ts';
import type { Oracle } from './oracle.ts';
import type { Prng } from './prng.ts';
import type { Schedule } from './schedule.ts';
import type { Registry, ToyBlock } from './toyLedger.ts';

export type Wire =
  | { kind: 'consensus'; message: Message; body?: ToyBlock }
  | { kind: 'ping' }
  | { kind: 'hello'; finalizedView: number; answer: boolean }
  | { kind: 'ask' }
  | { kind: 'request'; view: number }
  | { kind: 'getBlock'; id: string }
  | { kind: 'block'; block: ToyBlock }
  | { kind: 'getChain'; id: string; aboveHeight: number }
  | { kind: 'chain'; blocks: ToyBlock[] }
  | { kind: 'tx'; tx: number };

/** What a canary breaks in the shell, or in the engine before a step. Nothing of it exists outside tests. */
export type Quirks = {
  rules?: NonNullable<Modules['rules']>;
  beforeStep?: (state: State, event: Event) => void;
  /** W1: outward effects leave without waiting for the sync. */
  releasesEarly?: boolean;
  /** W1: after a restart the engine starts at the epoch's first floor again. */
  floorGoesBack?: boolean;
  /** W1: blocks never reach the block file. */
  skipsStore?: boolean;
  /** W1: blocks are told final before anything is durable. */
  tellsEarly?: boolean;
};

export type NodeOptions = {
  index: number;
  validators: number;
  leaderOrder: readonly number[];
  timings: Timings;
  retentionViews: number;
  wallSkewMs: number;
  syncMsMax: number;
  crashPerWrite: number;
  bodyApart: number;
  /** A power loss takes up to so many durable journal records too: a disk that lies (W11). */
  rollsBackRecords: number;
  /** Crash at exactly this journal write of this node's life, once: before the sync, after it, or when all has left. */
  crashAt?: { write: number; when: number };
  quirks: Quirks;
};

export type World = {
  schedule: Schedule;
  prng: Prng;
  registry: Registry;
  oracle: Oracle;
  send(from: number, to: number, message: Wire): void;
  sign(signer: number, kind: Vote['kind'], subject: Vote['subject']): Uint8Array;
  verify(vote: { kind: Vote['kind']; subject: Vote['subject'] }, signer: number): boolean;
  trace(node: number, text: () => string): void;
  /** Faults by chance are on (phase 1). */
  faulty(): boolean;
  /** All validators but one. */
  othersOf(index: number): readonly number[];
};

export function describeMessage(message: Message): string {
  if (message.type === 'yourVotes') return `${message.votes.length} of your votes`;
  const signed: Vote | Certificate = message.type === 'certificate' ? message.certificate : message.vote;
  const what = `${signed.kind} v${signed.subject.view}${signed.kind === 'nullify' ? '' : ` parent v${signed.subject.parentView} ${signed.subject.blockId}`}`;
  return message.type === 'certificate'
    ? `certificate: ${what} by ${message.certificate.signers.join(',')}`
    : `${message.type}: ${what}`;
}
