// S8: asking for what is missing, and answering who asks. The key of a question is the view alone (or a block).
import { askFirst, type Missing } from './ancestry.ts';
import { broadcast, emit, type State } from './state.ts';
import type { BlockId, Certificate, ValidatorIndex } from './types.ts';

const asksMax = 256;
const attemptPeers = 2;

function ask(
  state: State,
  key: string,
  view: number,
  want: 'notarize' | 'nullify' | 'block',
  first: ValidatorIndex,
  blockId?: BlockId,
): void {
  const old = state.asks.get(key);
  if (old !== undefined) {
    old.want = want;
    return;
  }
  if (state.asks.size >= asksMax) {
    state.counters.asksRefused += 1;
    return;
  }
  const fresh = { view, blockId, want, first, attempt: 0, nextAtMs: state.nowMs };
  state.asks.set(key, fresh);
  send(state, fresh);
}

/** Attempt 0 goes to the one who must know; later ones to two others each, in turn, so that one dead or lying peer delays only once. */
function peersFor(state: State, first: ValidatorIndex, attempt: number): ValidatorIndex[] {
  const { validators, me } = state.config;
  const peers: ValidatorIndex[] = [];
  if (attempt === 0 && first !== me) return [first];
  const start = first + 1 + Math.max(0, attempt - 1) * attemptPeers;
  for (let i = 0; i < validators && peers.length < attemptPeers; i += 1) {
    const peer = (start + i) % validators;
    if (peer !== me) peers.push(peer);
  }
  return peers;
}

function send(
  state: State,
  open: { view: number; blockId: BlockId | undefined; first: ValidatorIndex; attempt: number; nextAtMs: number },
): void {
  const peers = peersFor(state, open.first, open.attempt);
  open.attempt += 1;
  open.nextAtMs = state.nowMs + state.config.timings.fetchMs;
  if (peers.length === 0) return;
  if (open.blockId === undefined) emit(state, { type: 'fetch', what: 'view', view: open.view, peers });
  else emit(state, { type: 'fetch', what: 'block', view: open.view, blockId: open.blockId, peers });
}

/** `proposedIn`: the view whose proposal needs it; its leader is asked first. */
export function askViews(state: State, missing: readonly Missing[], proposedIn: number): void {
  for (const { view, want } of missing) {
    if (view > state.finalizedView) ask(state, `view ${view}`, view, want, askFirst(state, proposedIn));
  }
}

export function askBlock(state: State, blockId: BlockId, view: number): void {
  ask(state, `block ${blockId}`, view, 'block', askFirst(state, view), blockId);
}

/** A certificate of `view` has come. One that was not the one wanted leaves the question open, without blame. */
export function settleView(state: State, view: number, kind: Certificate['kind']): void {
  const open = state.asks.get(`view ${view}`);
  if (open !== undefined && (open.want === kind || kind === 'finalize')) state.asks.delete(`view ${view}`);
}

export function settleBlock(state: State, blockId: BlockId): boolean {
  return state.asks.delete(`block ${blockId}`);
}

/** A finalization retires every question at or below it. */
export function retireAsks(state: State): void {
  for (const [key, open] of state.asks) if (open.view <= state.finalizedView) state.asks.delete(key);
}

export function retryAsks(state: State): void {
  for (const open of state.asks.values()) if (open.nextAtMs <= state.nowMs) send(state, open);
}

export function nextAskAtMs(state: State): number {
  let next = Number.POSITIVE_INFINITY;
  for (const open of state.asks.values()) if (open.nextAtMs < next) next = open.nextAtMs;
  return next;
}

/**
 * What a question about `view` is answered with: the last finalization if it covers the view, else the view's notarization
 * and nullification (both, if both exist: the one asked for is then among them), else the last finalization.
 */
export function answerView(state: State, view: number): Certificate[] {
  if (view > state.finalizedView) {
    const record = state.views.get(view);
    const held = [record?.notarization, record?.nullification].filter((each) => each !== undefined);
    if (held.length > 0) return held;
  }
  return state.finalization === undefined ? [] : [state.finalization];
}

/** S9: the certificates that let a validator enter the view after `view`. */
export function exitsOf(state: State, view: number): Certificate[] {
  if (view <= state.finalizedView || state.ended) return state.finalization === undefined ? [] : [state.finalization];
  const record = state.views.get(view);
  return [record?.notarization, record?.nullification].filter((each) => each !== undefined);
}

/**
 * S9: `peer` votes in a view that we have left behind: send it the way out, at most once per half retryMs, so that a
 * finalize that is sent again is answered with the finalization (W6) and late votes of a healthy view cost nothing.
 */
export function helpOut(state: State, peer: ValidatorIndex, view: number): void {
  if (!mayHelp(state, peer)) return;
  const exits = exitsOf(state, view);
  if (exits.length === 0) return;
  state.helpedAtMs[peer] = state.nowMs;
  for (const certificate of exits) emit(state, { type: 'send', peer, message: { type: 'certificate', certificate } });
}

export function mayHelp(state: State, peer: ValidatorIndex): boolean {
  const last = state.helpedAtMs[peer];
  return peer !== state.config.me && (last === undefined || state.nowMs - last >= state.config.timings.retryMs / 2);
}

/** What brings the others into our view: sent with every repeated nullify (S6). */
export function broadcastEntry(state: State): void {
  const view = state.view - 1;
  const record = state.views.get(view);
  const best =
    view === state.finalizedView
      ? state.finalization
      : (record?.nullification ?? record?.notarization ?? state.finalization);
  if (best !== undefined) broadcast(state, { type: 'certificate', certificate: best });
}
