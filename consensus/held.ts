// S3: a certificate goes only to those who have not shown, a little later, that they need none.
import { broadcast, emit, type State } from './state.ts';
import type { Finalization, Message, Notarization, ValidatorIndex, Vote } from './types.ts';

/**
 * Votes go to all, so that where nothing is lost each forms each certificate itself, and n · (n − 1) more of them a view would tell nobody
 * anything. So a certificate waits for this part of the leader timeout. Who has lost a vote gets it then, long before any timer of that view
 * runs out, and a vote that everybody lacks is sent again as before.
 */
const holdPart = 10;
/**
 * Who lacked a notarization when it was due gets so many of the next ones at once. A liar that keeps its votes from one validator makes
 * it wait in every view otherwise, and all with it whose quorum needs that validator; so it does once in so many.
 */
const eagerViews = 16;

export type Held = {
  readonly certificate: Notarization | Finalization;
  readonly height: number | undefined;
  readonly atMs: number;
  /** Who was sent it at once. */
  readonly told: readonly ValidatorIndex[];
};

/** What each validator has shown by its own votes, hello and cosignatures. It can lie only about itself, and to its own loss. */
export type Shown = {
  /** Highest view that it has certified. */
  readonly certified: number[];
  /** Highest view and height that it knows to be final. */
  readonly finalView: number[];
  readonly finalHeight: number[];
  /** How many of the next notarizations go to it at once. */
  readonly eager: number[];
};

export function createShown(validators: number): Shown {
  const nothing = (): number[] => new Array<number>(validators).fill(-1);
  const eager = new Array<number>(validators).fill(0);
  return { certified: nothing(), finalView: nothing(), finalHeight: nothing(), eager };
}

function raise(values: number[], index: ValidatorIndex, value: number): void {
  if (value > (values[index] ?? Number.POSITIVE_INFINITY)) values[index] = value;
}

/** Who votes to finalize a view has certified it, and who votes for a block its parent. */
export function showVote(state: State, { kind, subject, signer }: Vote): void {
  if (kind === 'finalize') raise(state.shown.certified, signer, subject.view);
  else if (kind === 'notarize') raise(state.shown.certified, signer, subject.parentView);
}

/** By its hello, and nothing else counts any more: it may have come back with less than it had. */
export function showHello({ shown }: State, peer: ValidatorIndex, finalizedView: number): void {
  shown.certified[peer] = -1;
  shown.finalHeight[peer] = -1;
  shown.finalView[peer] = finalizedView;
}

/** By its signature under the log as it stood after that block. */
export function showFinalHeight(state: State, peer: ValidatorIndex, height: number): void {
  raise(state.shown.finalHeight, peer, height);
}

export function hold(state: State, certificate: Notarization | Finalization): void {
  const height = state.blocks.get(certificate.subject.blockId)?.facts.height;
  const atMs = state.nowMs + Math.floor(state.config.timings.leaderTimeoutMs / holdPart);
  const told = certificate.kind === 'notarize' ? sendEagerly(state, certificate, height) : [];
  state.held.push({ certificate, height, atMs, told });
}

function sendEagerly(state: State, certificate: Notarization, height: number | undefined): ValidatorIndex[] {
  const { eager } = state.shown;
  const told: ValidatorIndex[] = [];
  for (let peer = 0; peer < eager.length; peer += 1) {
    const left = eager[peer] ?? 0;
    if (left === 0) continue;
    eager[peer] = left - 1;
    if (lacks(state, peer, certificate, height)) told.push(peer);
  }
  for (const peer of told) emit(state, { type: 'send', peer, message: { type: 'certificate', certificate } });
  return told;
}

/** When the first one is due. */
export function heldAtMs(state: State): number {
  return state.held[0]?.atMs ?? Number.POSITIVE_INFINITY;
}

/** Sends what is due to those who may lack it. `now`: all of it, nothing comes after. */
export function releaseHeld(state: State, now = false): void {
  for (let first = state.held[0]; first !== undefined && (now || first.atMs <= state.nowMs); first = state.held[0]) {
    state.held.shift();
    release(state, first);
  }
}

function release(state: State, held: Held): void {
  const { certificate, height, told } = held;
  const { kind, subject } = certificate;
  // The finalization that came after it says more, and is held itself.
  if (kind === 'notarize' && subject.view <= state.finalizedView) return;
  const { validators, me } = state.config;
  const lacking: ValidatorIndex[] = [];
  for (let peer = 0; peer < validators; peer += 1)
    if (peer !== me && !told.includes(peer) && lacks(state, peer, certificate, height)) lacking.push(peer);
  if (lacking.length === 0) return;
  if (kind === 'notarize') for (const peer of lacking) state.shown.eager[peer] = eagerViews;
  const newest = kind === 'finalize' ? (state.finalization ?? certificate) : certificate;
  const message: Message = { type: 'certificate', certificate: newest };
  if (lacking.length === validators - (me === undefined ? 0 : 1)) {
    broadcast(state, message);
    return;
  }
  for (const peer of lacking) emit(state, { type: 'send', peer, message });
}

function lacks(
  { shown }: State,
  peer: ValidatorIndex,
  { kind, subject: { view } }: Held['certificate'],
  height: number | undefined,
): boolean {
  if ((shown.finalView[peer] ?? -1) >= view) return false;
  if (height !== undefined && (shown.finalHeight[peer] ?? -1) >= height) return false;
  return kind === 'finalize' || (shown.certified[peer] ?? -1) < view;
}
