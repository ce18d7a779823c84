// What machines say to each other, what a machine is made from, and the world it stands in.
import type { Modules, State } from '../../consensus/state.ts';
import type { Certificate, Event, Finalization, Message, Timings, Vote } from '../../consensus/types.ts';
import type { SimCrypto } from './crypto.ts';
import type { EpochSet, SimBlock, SimLedger } from './ledger.ts';
import type { Network } from './network.ts';
import type { Oracle } from './oracle.ts';
import type { Prng } from './prng.ts';
import type { Schedule } from './schedule.ts';

/** UTC when a run begins. */
export const startMs = 1_000_000;

export type Wire =
  | { kind: 'consensus'; epoch: number; message: Message; body?: SimBlock }
  | { kind: 'ping'; epoch: number }
  | { kind: 'hello'; epoch: number; finalizedView: number; answer: boolean }
  /** Its sender has signed the log as it stood after the block of this height. */
  | { kind: 'cosigned'; epoch: number; height: number }
  /** W11's question. */
  | { kind: 'ask'; epoch: number }
  | { kind: 'request'; epoch: number; view: number }
  | { kind: 'getBlock'; id: string }
  | { kind: 'block'; block: SimBlock }
  | { kind: 'getChain'; id: string; aboveHeight: number }
  | { kind: 'chain'; blocks: readonly SimBlock[] }
  /** Sent to somebody in a later epoch; answered by `run`: the rest of that epoch, and what closed it. */
  | { kind: 'behind'; epoch: number; height: number }
  | { kind: 'run'; epoch: number; certificate: Finalization; blocks: readonly SimBlock[] }
  | { kind: 'tx'; tx: number }
  /** No lane from `from` to `to`: whoever gets this passes it on, once. */
  | { kind: 'relay'; from: number; to: number; inner: Wire };

/** What a canary breaks: in the engine's rule book, in its state before a step, in the shell, in the ledger. Nothing of it exists outside tests. */
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
  /** W1: the engine hears of a commit before the store has it. */
  commitsEarly?: boolean;
  /** S8: nothing is ever asked for. */
  neverFetches?: boolean;
  /** S8: a question is put once, to the peer that must know. */
  asksOnlyFirst?: boolean;
  /** W3, W7: signs of life are not told to the engine. */
  neverHears?: boolean;
  /** W4: what a verdict becomes on its way to the engine. */
  verdict?: (type: 'verified' | 'certified', valid: boolean) => boolean | 'pending';
  /** W5: the builder says "nothing" whenever there is no transaction. */
  declinesEmpty?: boolean;
  /** W5: there is always something to propose. */
  alwaysWorks?: boolean;
  /** W8, W13: other timings than everybody else's. */
  timings?: Partial<Timings>;
  retentionViews?: number;
  /** W13: the engine is not asked whether it needs a vote. */
  takesAll?: boolean;
  /** W10: the journal of the epoch before is replayed into this one. */
  replaysOldEpoch?: boolean;
  /** W10: goes on in the old epoch. */
  staysInEpoch?: boolean;
  /** W10: keeps nothing that a sleeper needs. */
  forgetsClosings?: boolean;
  /** W11: votes without having asked. */
  votesUnasked?: boolean;
  /** W12: accusations are dropped, or everybody is accused. */
  evidence?: 'drops' | 'invents';
  /** S3: of what others have shown, this is told to the engine instead. */
  cosigned?: (height: number) => number;
  /** The relay rule of the lanes. */
  neverRelays?: boolean;
  /** This machine only. */
  onlyMachine?: number;
  /** Executes wrongly. */
  bend?: (root: number, txs: readonly number[]) => number;
};

export type MachineOptions = {
  index: number;
  timings: Timings;
  retentionViews: number;
  /** Wall clock minus true time; jumps change it. */
  clockOffsetMs: number;
  syncMsMax: number;
  bodyApart: number;
  /** How often what waits is told to be a whole block (W8). */
  full: number;
  quirks: Quirks;
};

export type World = {
  schedule: Schedule;
  prng: Prng;
  crypto: SimCrypto;
  oracle: Oracle;
  network: Network<Wire>;
  /** All machines that ever validate or observe. */
  machines: number;
  /** The set of the first epoch; later ones come from the ledgers. */
  newLedger(machine: number): SimLedger;
  trace(machine: number, text: () => string): void;
  /** Counts that a fault or liar had an effect. */
  did(what: string): void;
  /** Faults by chance are on (phase 1). */
  faulty(): boolean;
};

export function quorumOfSet(set: EpochSet): number {
  const n = set.validators.length;
  return n - Math.floor((n - 1) / 3);
}

export function describeMessage(message: Message): string {
  if (message.type === 'yourVotes') return `${message.votes.length} of your votes`;
  const signed: Vote | Certificate = message.type === 'certificate' ? message.certificate : message.vote;
  const what = `${signed.kind} v${signed.subject.view}${signed.kind === 'nullify' ? '' : ` parent v${signed.subject.parentView} ${signed.subject.blockId}`}`;
  return message.type === 'certificate'
    ? `certificate: ${what} by ${message.certificate.signers.join(',')}`
    : `${message.type}: ${what}`;
}
