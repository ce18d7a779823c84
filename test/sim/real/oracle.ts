// What must hold of real nodes. Reads what leaves them and what they tell their clients; knows nothing of how they come to it.
import type { Certificate, Vote } from '../../../consensus/types.ts';
import { sha256Hex } from '../../../src/crypto/hash.ts';
import { decodeCertificate, verifyCertificate } from '../../../src/ledger/certificate.ts';
import type { Genesis } from '../../../src/ledger/genesis.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { decodeVote } from '../../../src/ledger/votes.ts';
import type { BlockSummary } from '../../../src/node/api.ts';
import { decodeProposal, frameKinds } from '../../../src/node/wire.ts';

type Chained = Pick<BlockSummary, 'height' | 'blockId' | 'stateRoot' | 'logRoot' | 'logSize'>;

export class RealOracle {
  readonly #genesis: Genesis;
  readonly violations: string[] = [];
  /** Liars, and who counts among them: their own words prove nothing. */
  readonly #liars: ReadonlySet<string>;
  readonly #chain = new Map<number, Chained>();
  /** Highest block that each node told somebody to be final. */
  readonly #told = new Map<string, number>();
  /** By signer, epoch, kind and view: what was signed. */
  readonly #signed = new Map<string, string>();
  readonly #certified = new Map<string, string>();
  readonly #seen = new Set<string>();

  constructor(genesis: Genesis, liars: ReadonlySet<string>) {
    this.#genesis = genesis;
    this.#liars = liars;
  }

  get height(): number {
    return this.#chain.size;
  }

  violated(what: string): void {
    if (this.violations.length < 20 && !this.violations.includes(what)) this.violations.push(what);
  }

  honest(name: string): boolean {
    return !this.#liars.has(name);
  }

  /** Before the network has it: also what is lost on the way was said. */
  left(from: string, kind: number, payload: Uint8Array, ledger: Ledger | undefined): void {
    if (!this.honest(from)) return;
    const { notarize, nullify, finalize, proposal, certificate } = frameKinds;
    if (kind === notarize || kind === nullify || kind === finalize) this.#vote(from, decodeVote(payload));
    else if (kind === proposal) this.#vote(from, decodeProposal(payload).vote);
    else if (kind === certificate && ledger !== undefined) this.#certificate(from, payload, ledger);
  }

  #vote(from: string, vote: Vote): void {
    const { epoch, view } = vote.subject;
    const subject = vote.kind === 'nullify' ? '-' : `${vote.subject.parentView} ${vote.subject.blockId}`;
    const key = (kind: string) => `${from} ${epoch} ${kind} ${view}`;
    const before = this.#signed.get(key(vote.kind));
    if (before !== undefined && before !== subject)
      this.violated(`${from} signed two ${vote.kind} votes in view ${view}: ${before} and ${subject}`);
    this.#signed.set(key(vote.kind), subject);
    const other = vote.kind === 'nullify' ? 'finalize' : vote.kind === 'finalize' ? 'nullify' : undefined;
    if (other !== undefined && this.#signed.has(key(other)))
      this.violated(`${from} signed nullify and finalize in view ${view}`);
  }

  #certificate(from: string, payload: Uint8Array, ledger: Ledger): void {
    const id = sha256Hex(payload);
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    const epoch = ledger.epoch;
    const certificate: Certificate = decodeCertificate(payload, epoch.validators.length);
    if (certificate.subject.epoch !== epoch.epoch) return;
    if (!verifyCertificate(certificate, this.#genesis.genesisHash, epoch.validators))
      this.violated(`${from} passed on a certificate that does not verify`);
    const { view } = certificate.subject;
    const at = `${certificate.subject.epoch} ${view}`;
    if (certificate.kind === 'nullify') {
      if (this.#certified.has(`finalize ${at}`)) this.violated(`view ${view} is finalized and nullified`);
      this.#certified.set(`nullify ${at}`, '-');
      return;
    }
    const { blockId } = certificate.subject;
    for (const kind of ['notarize', 'finalize']) {
      const other = this.#certified.get(`${kind} ${at}`);
      if (other !== undefined && other !== blockId) this.violated(`view ${view} has two certified blocks`);
    }
    if (certificate.kind === 'finalize' && this.#certified.has(`nullify ${at}`))
      this.violated(`view ${view} is nullified and finalized`);
    this.#certified.set(`${certificate.kind} ${at}`, blockId);
  }

  /** A node tells a client that this block is final. */
  told(name: string, block: Chained): void {
    if (!this.honest(name)) return;
    this.#told.set(name, Math.max(this.#told.get(name) ?? 0, block.height));
    this.#agrees(name, block);
  }

  /** A node stands here again: what it told before is still there, and it is the chain of all. */
  began(name: string, ledger: Ledger): void {
    if (!this.honest(name)) return;
    const { height } = ledger.finalized.header;
    const told = this.#told.get(name) ?? 0;
    if (height < told) this.violated(`${name} told that block ${told} is final and begins at ${height}`);
    for (let each = Math.max(1, height - 20); each <= height; each += 1) {
      const block = ledger.block(each);
      if (block === undefined) this.violated(`${name} has no block ${each}`);
      else this.#agrees(name, { ...block.header, height: each, blockId: block.blockId });
    }
  }

  #agrees(name: string, block: Chained): void {
    const known = this.#chain.get(block.height);
    if (known === undefined) {
      this.#chain.set(block.height, block);
      return;
    }
    for (const what of ['blockId', 'stateRoot', 'logRoot', 'logSize'] as const)
      if (known[what] !== block[what])
        this.violated(`${name} has another ${what} at height ${block.height}: ${block[what]}, not ${known[what]}`);
  }
}
