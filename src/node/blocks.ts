import type { BlockFacts } from '../../consensus/types.ts';
import { codeOf } from '../codec/error.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { decodeBody, encodeBody, txRootOf } from '../ledger/body.ts';
import { blockIdOfBytes, decodeHeader, type Header } from '../ledger/header.ts';
import { type Epoch, leaderOf } from '../ledger/validatorSet.ts';
import type { CompactProposal } from './wire.ts';

/**
 * Headers and bodies of blocks that are under way: put together from compact proposals, the mempool and what peers answer.
 * Missing means pending, never false; a body is kept while its block is unfinalized, whatever the mempool evicts.
 */

export type PooledBlock = {
  readonly blockId: string;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly facts: BlockFacts;
};

type Slot = PooledBlock & {
  readonly envelopeIds: readonly string[] | undefined;
  readonly envelopes: (Uint8Array | undefined)[];
  /** Of the envelopes that are here. */
  bytes: number;
  readonly bytesMax: number;
  missing: number;
  body: Uint8Array | undefined;
  fetching: boolean;
  readonly waiting: ((body: Uint8Array | undefined) => void)[];
};

export type BlockPoolModules = {
  /** A transaction's bytes by envelope id, if the mempool holds it. */
  readonly pooled: (envelopeId: string) => Uint8Array | undefined;
  readonly facts: (blockId: string, header: Header, transactions: number) => BlockFacts;
  /** Index of a validator → its name, for fetches. */
  readonly nameOf: (index: number) => string | undefined;
  /** Others that can be asked, without oneself. */
  readonly askable: () => readonly string[];
  readonly fetchEnvelopes: (
    peer: string,
    blockId: string,
    positions: readonly number[],
  ) => Promise<readonly Uint8Array[] | undefined>;
  readonly fetchBlock: (
    peer: string,
    blockId: string,
  ) => Promise<{ readonly header: Uint8Array; readonly body: Uint8Array } | undefined>;
  readonly sleep: (ms: number) => Promise<void>;
};

/** Unfinalized blocks held at a time: far more than the views that honest leaders can leave open. */
const blocksMax = 512;
/** An honest leader offers one block a view; a second one may still be what a certificate is about. */
const offersPerViewMax = 2;
/** After this the others are asked too. */
const leaderFirstMs = 50;

export class BlockPool {
  readonly #modules: BlockPoolModules;
  readonly #slots = new Map<string, Slot>();
  /** View → blocks that were offered in it. */
  readonly #offered = new Map<number, Set<string>>();
  /** Blocks that made room for others. */
  evicted = 0;

  constructor(modules: BlockPoolModules) {
    this.#modules = modules;
  }

  get size(): number {
    return this.#slots.size;
  }

  get(blockId: string): PooledBlock | undefined {
    return this.#slots.get(blockId);
  }

  /**
   * Takes up a compact proposal whose vote was verified and whose form holds (`checkProposal`). Refused: a code that no honest
   * leader earns.
   */
  offer(proposal: CompactProposal, header: Header, epoch: Epoch): PooledBlock | { readonly code: string } {
    const { blockId, view } = proposal.vote.subject;
    const known = this.#slots.get(blockId);
    if (known !== undefined) return known;
    if ((this.#offered.get(view)?.size ?? 0) >= offersPerViewMax) return { code: 'PROPOSAL_ONE_TOO_MANY' };
    const slot: Slot = {
      blockId,
      header,
      headerBytes: proposal.header,
      facts: this.#modules.facts(blockId, header, proposal.envelopeIds.length),
      envelopeIds: proposal.envelopeIds,
      envelopes: new Array<Uint8Array | undefined>(proposal.envelopeIds.length).fill(undefined),
      bytes: 0,
      bytesMax: epoch.consensus.maxBlockBytes,
      missing: proposal.envelopeIds.length,
      body: undefined,
      fetching: false,
      waiting: [],
    };
    for (const { position, envelope } of proposal.bodies) this.#place(slot, position, envelope);
    for (const [position, id] of proposal.envelopeIds.entries()) {
      if (slot.envelopes[position] !== undefined) continue;
      const envelope = this.#modules.pooled(id);
      if (envelope !== undefined) this.#placeKnown(slot, position, envelope);
    }
    if (slot.bytes > slot.bytesMax) return { code: 'BLOCK_TOO_LARGE' };
    const offered = this.#offered.get(view) ?? new Set<string>();
    this.#offered.set(view, offered.add(blockId));
    this.#insert(slot);
    this.#finish(slot);
    return slot;
  }

  /** Takes up a whole block: our own, or one that a peer answered with. Undefined when the bytes are not that block. */
  addWhole(blockId: string, headerBytes: Uint8Array, body: Uint8Array, epoch: Epoch): PooledBlock | undefined {
    const known = this.#slots.get(blockId);
    if (known?.body !== undefined) return known;
    if (blockIdOfBytes(headerBytes) !== blockId) return undefined;
    let header: Header;
    let envelopes: Uint8Array[];
    try {
      header = decodeHeader(headerBytes);
      envelopes = decodeBody(body, epoch.consensus, true);
    } catch {
      return undefined;
    }
    if (txRootOf(envelopes.map((envelope) => sha256Hex(envelope))) !== header.txRoot) return undefined;
    if (known !== undefined) {
      known.missing = 0;
      this.#complete(known, body);
      return known;
    }
    const slot: Slot = {
      blockId,
      header,
      headerBytes,
      facts: this.#modules.facts(blockId, header, envelopes.length),
      envelopeIds: undefined,
      envelopes: [],
      bytes: body.length,
      bytesMax: epoch.consensus.maxBlockBytes,
      missing: 0,
      body,
      fetching: false,
      waiting: [],
    };
    this.#insert(slot);
    return slot;
  }

  /** The encoded body once it is complete; fetches what is missing meanwhile. Undefined when the block is dropped. */
  body(blockId: string): Promise<Uint8Array | undefined> {
    const slot = this.#slots.get(blockId);
    if (slot === undefined || slot.body !== undefined || slot.bytes > slot.bytesMax) return Promise.resolve(slot?.body);
    return new Promise((resolve) => {
      slot.waiting.push(resolve);
      void this.#fetch(slot);
    });
  }

  /** Its envelopes that are here are more than a block may hold: invalid, whatever the rest says. */
  tooLarge(blockId: string): boolean {
    const slot = this.#slots.get(blockId);
    return slot !== undefined && slot.bytes > slot.bytesMax;
  }

  /** The body if it is complete now. */
  bodyNow(blockId: string): Uint8Array | undefined {
    return this.#slots.get(blockId)?.body;
  }

  /** Drops what a finalization decided: blocks at or below its height, and those of views before its own. */
  prune(height: number, view: number): void {
    for (const slot of this.#slots.values()) {
      if (slot.header.height <= height || slot.header.view < view) this.#drop(slot);
    }
    for (const each of this.#offered.keys()) if (each <= view) this.#offered.delete(each);
  }

  clear(): void {
    for (const slot of this.#slots.values()) this.#drop(slot);
    this.#offered.clear();
  }

  #insert(slot: Slot): void {
    this.#slots.set(slot.blockId, slot);
    if (this.#slots.size <= blocksMax) return;
    const oldest = this.#slots.values().next();
    this.evicted += 1;
    if (oldest.done !== true) this.#drop(oldest.value);
  }

  #drop(slot: Slot): void {
    this.#slots.delete(slot.blockId);
    for (const resolve of slot.waiting.splice(0)) resolve(undefined);
  }

  #place(slot: Slot, position: number, envelope: Uint8Array): boolean {
    const id = slot.envelopeIds?.[position];
    if (id === undefined || slot.envelopes[position] !== undefined || sha256Hex(envelope) !== id) return false;
    this.#placeKnown(slot, position, envelope);
    return true;
  }

  #placeKnown(slot: Slot, position: number, envelope: Uint8Array): void {
    slot.envelopes[position] = envelope;
    slot.bytes += envelope.length;
    slot.missing -= 1;
    if (slot.bytes > slot.bytesMax) for (const resolve of slot.waiting.splice(0)) resolve(undefined);
  }

  #finish(slot: Slot): void {
    // What is too large is invalid by its bytes alone: it is never put together, and never voted for.
    if (slot.missing > 0 || slot.body !== undefined || slot.bytes > slot.bytesMax) return;
    this.#complete(slot, encodeBody(slot.envelopes.filter((envelope) => envelope !== undefined)));
  }

  #complete(slot: Slot, body: Uint8Array): void {
    slot.body = body;
    for (const resolve of slot.waiting.splice(0)) resolve(body);
  }

  async #fetch(slot: Slot): Promise<void> {
    if (slot.fetching) return;
    slot.fetching = true;
    const leader = this.#modules.nameOf(slot.header.proposer);
    for (let round = 0; this.#wanted(slot); round += 1) {
      const askable = this.#modules.askable();
      const others = askable.filter((name) => name !== leader);
      const peer =
        round === 0 && leader !== undefined && askable.includes(leader)
          ? leader
          : others[round % Math.max(1, others.length)];
      if (peer !== undefined) {
        const asked = this.#ask(slot, peer);
        await (round === 0 ? Promise.race([asked, this.#modules.sleep(leaderFirstMs)]) : asked);
      }
      if (slot.body === undefined && round > 0) await this.#modules.sleep(leaderFirstMs * Math.min(20, round));
    }
    slot.fetching = false;
  }

  #wanted(slot: Slot): boolean {
    return slot.body === undefined && slot.bytes <= slot.bytesMax && this.#slots.get(slot.blockId) === slot;
  }

  /** Above a quarter missing the whole body is cheaper than its parts. */
  async #ask(slot: Slot, peer: string): Promise<void> {
    const ids = slot.envelopeIds;
    if (ids === undefined || slot.missing * 4 > ids.length) {
      const whole = await this.#modules.fetchBlock(peer, slot.blockId);
      if (whole === undefined || slot.body !== undefined) return;
      const envelopes = ids === undefined ? undefined : splitBody(whole.body, ids.length);
      for (const [position, envelope] of (envelopes ?? []).entries()) this.#place(slot, position, envelope);
      this.#finish(slot);
      return;
    }
    for (const [position, id] of ids.entries()) {
      const envelope = slot.envelopes[position] === undefined ? this.#modules.pooled(id) : undefined;
      if (envelope !== undefined) this.#placeKnown(slot, position, envelope);
    }
    this.#finish(slot);
    const positions = [...ids.keys()].filter((position) => slot.envelopes[position] === undefined);
    if (positions.length === 0) return;
    const answered = await this.#modules.fetchEnvelopes(peer, slot.blockId, positions);
    for (const [i, envelope] of (answered ?? []).entries()) {
      const position = positions[i];
      if (position !== undefined) this.#place(slot, position, envelope);
    }
    this.#finish(slot);
  }
}

/**
 * What a proposal must be before anybody looks at its transactions: the header of that block, of this chain and epoch, by the
 * leader of its view, over exactly these ids, none twice. A peer that passes on anything else is at fault.
 */
export function checkProposal(
  proposal: CompactProposal,
  epoch: Epoch,
  chain: string,
): Header | { readonly code: string } {
  const { vote, envelopeIds } = proposal;
  if (blockIdOfBytes(proposal.header) !== vote.subject.blockId) return { code: 'PROPOSAL_HEADER_MISMATCH' };
  let header: Header;
  try {
    header = decodeHeader(proposal.header);
  } catch (error) {
    return { code: codeOf(error) };
  }
  if (header.chain !== chain) return { code: 'PROPOSAL_CHAIN_FOREIGN' };
  if (header.epoch !== epoch.epoch) return { code: 'PROPOSAL_EPOCH_OTHER' };
  if (vote.signer !== leaderOf(epoch, vote.subject.view)) return { code: 'PROPOSAL_NOT_BY_LEADER' };
  if (header.view > vote.subject.view || header.proposer !== leaderOf(epoch, header.view)) {
    return { code: 'PROPOSAL_PROPOSER_MISMATCH' };
  }
  if (envelopeIds.length > epoch.consensus.maxBlockTxs) return { code: 'BLOCK_TOO_LARGE' };
  if (new Set(envelopeIds).size !== envelopeIds.length) return { code: 'PROPOSAL_ID_TWICE' };
  if (txRootOf(envelopeIds) !== header.txRoot) return { code: 'PROPOSAL_ROOT_MISMATCH' };
  return header;
}

function splitBody(body: Uint8Array, count: number): readonly Uint8Array[] | undefined {
  try {
    return decodeBody(body, { maxBlockBytes: body.length, maxBlockTxs: count });
  } catch {
    return undefined;
  }
}
