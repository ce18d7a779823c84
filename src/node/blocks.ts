import type { BlockFacts } from '../../consensus/types.ts';
import { codeOf } from '../codec/error.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { decodeBody, encodeBody, txRootOf } from '../ledger/body.ts';
import { blockIdOfBytes, decodeHeader, type Header } from '../ledger/header.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
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
  missing: number;
  body: Uint8Array | undefined;
  fetching: boolean;
  readonly waiting: ((body: Uint8Array) => void)[];
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
/** After this the others are asked too. */
const leaderFirstMs = 50;

export class BlockPool {
  readonly #modules: BlockPoolModules;
  readonly #slots = new Map<string, Slot>();

  constructor(modules: BlockPoolModules) {
    this.#modules = modules;
  }

  get size(): number {
    return this.#slots.size;
  }

  get(blockId: string): PooledBlock | undefined {
    return this.#slots.get(blockId);
  }

  /** Takes up a compact proposal whose vote was verified. Returns the block, or the code that no honest leader earns. */
  offer(proposal: CompactProposal, epoch: Epoch, chain: string): PooledBlock | { readonly code: string } {
    const { blockId } = proposal.vote.subject;
    const known = this.#slots.get(blockId);
    if (known !== undefined) return known;
    if (blockIdOfBytes(proposal.header) !== blockId) return { code: 'PROPOSAL_HEADER_MISMATCH' };
    let header: Header;
    try {
      header = decodeHeader(proposal.header);
    } catch (error) {
      return { code: codeOf(error) };
    }
    if (header.chain !== chain) return { code: 'PROPOSAL_CHAIN_FOREIGN' };
    if (header.epoch !== epoch.epoch) return { code: 'PROPOSAL_EPOCH_OTHER' };
    if (proposal.envelopeIds.length > epoch.consensus.maxBlockTxs) return { code: 'BLOCK_TOO_LARGE' };
    if (txRootOf(proposal.envelopeIds) !== header.txRoot) return { code: 'PROPOSAL_ROOT_MISMATCH' };
    const slot: Slot = {
      blockId,
      header,
      headerBytes: proposal.header,
      facts: this.#modules.facts(blockId, header, proposal.envelopeIds.length),
      envelopeIds: proposal.envelopeIds,
      envelopes: new Array<Uint8Array | undefined>(proposal.envelopeIds.length).fill(undefined),
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
      envelopes = decodeBody(body, epoch.consensus);
    } catch {
      return undefined;
    }
    if (known === undefined && txRootOf(envelopes.map((envelope) => sha256Hex(envelope))) !== header.txRoot)
      return undefined;
    if (known !== undefined) {
      const ids = envelopes.map((envelope) => sha256Hex(envelope));
      if (txRootOf(ids) !== known.header.txRoot) return undefined;
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
      missing: 0,
      body,
      fetching: false,
      waiting: [],
    };
    this.#insert(slot);
    return slot;
  }

  /** The encoded body once it is complete; fetches what is missing meanwhile. Never resolves for a block that is dropped. */
  body(blockId: string): Promise<Uint8Array> {
    const slot = this.#slots.get(blockId);
    if (slot?.body !== undefined) return Promise.resolve(slot.body);
    return new Promise((resolve) => {
      if (slot === undefined) return;
      slot.waiting.push(resolve);
      void this.#fetch(slot);
    });
  }

  /** The body if it is complete now. */
  bodyNow(blockId: string): Uint8Array | undefined {
    return this.#slots.get(blockId)?.body;
  }

  /** Drops every block at or below a finalized height. */
  prune(height: number): void {
    for (const [blockId, slot] of this.#slots) if (slot.header.height <= height) this.#slots.delete(blockId);
  }

  clear(): void {
    this.#slots.clear();
  }

  #insert(slot: Slot): void {
    this.#slots.set(slot.blockId, slot);
    if (this.#slots.size <= blocksMax) return;
    const oldest = this.#slots.keys().next();
    if (oldest.done !== true) this.#slots.delete(oldest.value);
  }

  #place(slot: Slot, position: number, envelope: Uint8Array): boolean {
    const id = slot.envelopeIds?.[position];
    if (id === undefined || slot.envelopes[position] !== undefined || sha256Hex(envelope) !== id) return false;
    this.#placeKnown(slot, position, envelope);
    return true;
  }

  #placeKnown(slot: Slot, position: number, envelope: Uint8Array): void {
    slot.envelopes[position] = envelope;
    slot.missing -= 1;
  }

  #finish(slot: Slot): void {
    if (slot.missing > 0 || slot.body !== undefined) return;
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
    for (let round = 0; slot.body === undefined && this.#slots.get(slot.blockId) === slot; round += 1) {
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

function splitBody(body: Uint8Array, count: number): readonly Uint8Array[] | undefined {
  try {
    return decodeBody(body, { maxBlockBytes: body.length, maxBlockTxs: count });
  } catch {
    return undefined;
  }
}
