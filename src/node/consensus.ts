import { needs, statusOf, step } from '../../consensus/engine.ts';
import { liveRecords, replay } from '../../consensus/journal.ts';
import { answerView } from '../../consensus/resolver.ts';
import { createState, type State } from '../../consensus/state.ts';
import type {
  BlockFacts,
  Certificate,
  Effect,
  Config as EngineConfig,
  Event,
  Finalization,
  Floor,
  Message,
  Proposal,
  Round,
  Vote,
  VoteKind,
} from '../../consensus/types.ts';
import { WeftError } from '../codec/error.ts';
import type { Ed25519Signer } from '../crypto/ed25519.ts';
import { certificateBytesMax, decodeCertificate, encodeCertificate, verifyCertificate } from '../ledger/certificate.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock, Tip } from '../ledger/types.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { decodeVote, encodeVote, verifyVote, voteBytes, voteBytesMax } from '../ledger/votes.ts';
import type { Frame, FrameVerdict, Network, RelayVerdict, SendHint } from '../net/types.ts';
import type { BlockPool } from './blocks.ts';
import { buildBlock } from './builder.ts';
import type { Mempool } from './mempool.ts';
import { ConsensusShell, type InwardEffect, type OutwardEffect } from './shell.ts';
import {
  decodeNumbers,
  decodeProposal,
  decodeVotes,
  encodeNumbers,
  encodeProposal,
  encodeVotes,
  frameKinds,
  type Hello,
} from './wire.ts';

/**
 * One epoch's engine in its node: turns frames into verified events and effects into frames, blocks and commits.
 * The protocol's rules are in `consensus/`; here is only what they need from the world.
 */

export type LocalTimings = {
  readonly blockIntervalMs: number;
  readonly buildBudgetMs: number;
  readonly finalizeGraceMs: number;
  readonly leaderSilentMs: number;
  readonly maxClockDriftMs: number;
  /** W8: as many bytes waiting end the wait for `blockIntervalMs`. */
  readonly targetBlockBytes: number;
};

export type Log = {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
};

export type ConsensusOptions = {
  readonly epoch: Epoch;
  readonly genesisHash: string;
  readonly chain: string;
  /** Own index; absent for observers and for validators that must not vote. */
  readonly me: number | undefined;
  readonly signer: Ed25519Signer | undefined;
  readonly timings: LocalTimings;
};

export type ConsensusModules = {
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly blocks: BlockPool;
  readonly network: () => Network;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

export type ConsensusHooks = {
  /** Durable, in height order. */
  readonly committed: (blocks: readonly CommittedBlock[]) => void;
  /** A finalization of a block that is not here: somebody has to fetch the blocks in between. */
  readonly behind: (certificate: Finalization) => void;
  readonly voting: () => void;
  readonly halted: (code: string, detail: string) => void;
  readonly evidence: (offender: string, a: Uint8Array, b: Uint8Array, view: number) => void;
};

/** A journal of this size is rewritten behind the floor. */
const journalBytesMax = 16 * 1024 * 1024;
/** W5: bodies that came in less than this ago may not have reached the others yet. */
const youngMs = 20;
/** Bodies sent along with a proposal, so that it stays an urgent frame. */
const bodiesBytesMax = 40 * 1024;

export class Consensus {
  readonly #options: ConsensusOptions;
  readonly #modules: ConsensusModules;
  readonly #hooks: ConsensusHooks;
  readonly #state: State;
  readonly #shell: ConsensusShell;
  readonly #names: readonly string[];
  readonly #indices: ReadonlyMap<string, number>;
  /** Transactions in blocks that are certified and not finalized: they are in the mempool and are no work any more. */
  readonly #certified = new Map<string, readonly string[]>();
  #certifiedTxs = 0;
  #told = { pending: false, full: false };
  #voting = false;
  #commits: Promise<void> = Promise.resolve();
  #pendingFinalization: Finalization | undefined;
  #compacting = false;
  #stopped = false;
  #votesTimer: NodeJS.Timeout | undefined;
  /** Signatures that did not verify, by what they were on. */
  invalidSignatures = 0;

  constructor(options: ConsensusOptions, modules: ConsensusModules, hooks: ConsensusHooks) {
    this.#options = options;
    this.#modules = modules;
    this.#hooks = hooks;
    const { epoch, signer } = options;
    this.#names = epoch.validators.map(({ name }) => name);
    this.#indices = new Map(this.#names.map((name, index) => [name, index]));
    const config: EngineConfig = {
      epoch: epoch.epoch,
      validators: epoch.validators.length,
      ...(options.me === undefined ? {} : { me: options.me }),
      leaderOrder: epoch.leaderOrder,
      floor: floorOf(modules.ledger.finalized, epoch),
      timings: {
        leaderTimeoutMs: epoch.consensus.leaderTimeoutMs,
        certificationTimeoutMs: epoch.consensus.certificationTimeoutMs,
        retryMs: epoch.consensus.retryMs,
        fetchMs: epoch.consensus.fetchMs,
        skipMs: epoch.consensus.skipMs,
        idleBlockMs: epoch.consensus.idleBlockMs,
        finalizeGraceMs: options.timings.finalizeGraceMs,
        leaderSilentMs: options.timings.leaderSilentMs,
        blockIntervalMs: options.timings.blockIntervalMs,
        maxClockDriftMs: options.timings.maxClockDriftMs,
      },
      retentionViews: epoch.consensus.retentionViews,
    };
    const sign = (kind: VoteKind, subject: Proposal | Round): Uint8Array => {
      if (signer === undefined) throw new WeftError('SIGNER_ABSENT', 'an observer was asked for a vote');
      return signer.sign(voteBytes(kind, options.genesisHash, subject));
    };
    const engineModules = signer === undefined ? {} : { sign };
    const journal = modules.ledger.journal.replay;
    const resumes = options.me !== undefined && journal.state === 'complete' && journal.epoch === epoch.epoch;
    this.#state = resumes ? replay(config, engineModules, journal.records) : createState(config, engineModules);
    // The journal is the memory of a vote key: who does not vote has nothing to remember, and writes none.
    const votes = options.me !== undefined;
    this.#shell = new ConsensusShell({
      step: (event: Event): readonly Effect[] => step(this.#state, event),
      appendRecord: (record) => {
        if (votes) modules.ledger.journal.appendRecord(record);
      },
      appendBlock: (blockId) => {
        // A finalization may be faster than its block (a body or an ancestor is on its way): the commit keeps that one. A vote
        // for a block that is not kept is refused by the journal.
        if (votes && modules.ledger.executed(blockId) !== undefined) modules.ledger.journal.appendBlock(blockId);
      },
      sync: () => (votes ? modules.ledger.journal.sync() : Promise.resolve()),
      outward: (effect) => this.#outward(effect),
      inward: (effect) => this.#inward(effect),
      failed: (error) => this.#failed(error),
      monotonicMs: modules.monotonicMs,
      wallMs: modules.wallMs,
    });
  }

  /** Makes the journal fit this epoch and starts. Resolves when the engine runs; voting begins once W11 is settled. */
  async start(): Promise<void> {
    if (this.#options.me !== undefined) {
      await this.#modules.ledger.journal.restart(this.#options.epoch.epoch, liveRecords(this.#state));
    }
    this.#shell.begin();
    this.workChanged();
    if (this.#options.me !== undefined && !this.#voting) {
      this.#askForVotes();
      this.#votesTimer = setInterval(() => this.#askForVotes(), 500);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#votesTimer);
    await this.#shell.stop();
    await this.#commits;
  }

  status(): ReturnType<typeof statusOf> {
    return statusOf(this.#state);
  }

  get voting(): boolean {
    return this.#voting;
  }

  nameOf(index: number): string | undefined {
    return this.#names[index];
  }

  /** Frames of consensus, after the lane told who sent them. */
  onFrame(frame: Frame): FrameVerdict {
    try {
      return this.#receive(frame);
    } catch (error) {
      if (error instanceof WeftError) return 'invalid';
      throw error;
    }
  }

  /** Checked before a message is forwarded, and when one came through a relay. */
  verifyRelayed(kind: number, payload: Uint8Array): RelayVerdict {
    try {
      if (kind === frameKinds.certificate) {
        const certificate = decodeCertificate(payload, this.#names.length);
        if (certificate.subject.epoch !== this.#options.epoch.epoch) return 'unknown';
        return this.#verifyCertificate(certificate) ? {} : 'invalid';
      }
      const vote = kind === frameKinds.proposal ? decodeProposal(payload).vote : decodeVote(payload);
      if (vote.subject.epoch !== this.#options.epoch.epoch) return 'unknown';
      const signer = this.#names[vote.signer];
      return signer !== undefined && this.#verifyVote(vote) ? { signer } : 'invalid';
    } catch {
      return 'invalid';
    }
  }

  connected(name: string, hello: Hello): void {
    const peer = this.#indices.get(name);
    if (peer === undefined) return;
    const sameEpoch = hello.epoch === this.#options.epoch.epoch;
    this.#shell.handle({ type: 'connected', peer, finalizedView: sameEpoch ? hello.finalizedView : 0 });
    if (this.#options.me !== undefined && !this.#voting) this.#askForVotes();
  }

  heard(name: string): void {
    const peer = this.#indices.get(name);
    if (peer !== undefined && peer !== this.#options.me) this.#shell.handle({ type: 'heard', peer });
  }

  /** Call after anything that may change whether the mempool holds work. */
  workChanged(): void {
    const { mempool } = this.#modules;
    const pending = mempool.size > this.#certifiedTxs;
    const full = pending && mempool.bytes >= this.#options.timings.targetBlockBytes;
    if (pending === this.#told.pending && full === this.#told.full) return;
    this.#told = { pending, full };
    this.#shell.handle({ type: 'work', pending, full });
  }

  /** After the builder found nothing: what is pending may fit later, so the engine is told again. */
  remindOfWork(): void {
    this.#told = { pending: false, full: false };
    this.workChanged();
  }

  /** A certificate from gossip or sync, already verified. */
  certificate(certificate: Certificate): void {
    if (needs(this.#state, certificate)) this.#shell.handle({ type: 'certificate', certificate });
  }

  /** Blocks that came in runs are in the store: the engine's floor rises, and it jumps to where the chain is. */
  imported(blocks: readonly CommittedBlock[]): void {
    const last = blocks.at(-1);
    if (last === undefined || this.#stopped) return;
    const certificate = last.certificate;
    if (certificate !== undefined && certificate.subject.epoch === this.#options.epoch.epoch) {
      this.#shell.handle({ type: 'certificate', certificate });
      this.#shell.handle({ type: 'committed', view: certificate.subject.view, block: last.facts });
    }
    this.#afterCommit(blocks);
    this.#retryFinalization();
  }

  /** For observers, who have no index: the certificates that answer "what happened in this view". */
  certificatesOf(view: number): readonly Uint8Array[] {
    return answerView(this.#state, view).map((certificate) => encodeCertificate(certificate, this.#names.length));
  }

  #receive(frame: Frame): FrameVerdict {
    const { kind, payload } = frame;
    const peer = this.#indices.get(frame.peer);
    const { epoch } = this.#options;
    switch (kind) {
      case frameKinds.notarize:
      case frameKinds.nullify:
      case frameKinds.finalize: {
        if (payload.length > voteBytesMax) return 'invalid';
        const vote = decodeVote(payload);
        if (vote.subject.epoch !== epoch.epoch) return undefined;
        if (this.#names[vote.signer] !== frame.signer) return 'invalid';
        if (!needs(this.#state, vote)) return undefined;
        if (!frame.relayed && !this.#verifyVote(vote)) return 'invalid';
        this.#shell.handle({ type: 'vote', vote });
        return undefined;
      }
      case frameKinds.certificate: {
        if (payload.length > certificateBytesMax) return 'invalid';
        const certificate = decodeCertificate(payload, this.#names.length);
        if (certificate.subject.epoch !== epoch.epoch || !needs(this.#state, certificate)) return undefined;
        if (!frame.relayed && !this.#verifyCertificate(certificate)) return 'invalid';
        this.#shell.handle({ type: 'certificate', certificate });
        return undefined;
      }
      case frameKinds.proposal: {
        const proposal = decodeProposal(payload);
        const { vote } = proposal;
        if (vote.subject.epoch !== epoch.epoch) return undefined;
        if (this.#names[vote.signer] !== frame.signer) return 'invalid';
        if (!this.#wantsProposal(vote)) return undefined;
        if (!frame.relayed && !this.#verifyVote(vote)) return 'invalid';
        const block = this.#modules.blocks.offer(proposal, epoch, this.#options.chain);
        if ('code' in block) {
          // Signed by its leader, so the vote still counts as a vote; the block behind it is none.
          this.#modules.log.warn({ from: frame.signer, code: block.code }, 'proposal refused');
          this.#shell.handle({ type: 'vote', vote });
          return 'invalid';
        }
        this.#shell.handle({ type: 'proposal', vote, block: block.facts });
        return undefined;
      }
      case frameKinds.view: {
        const [wanted = 0, view = 0] = decodeNumbers(payload, 2);
        if (wanted !== epoch.epoch) return undefined;
        if (peer !== undefined) this.#shell.handle({ type: 'request', peer, view });
        return undefined;
      }
      case frameKinds.myVotes: {
        const [wanted = 0] = decodeNumbers(payload, 1);
        if (wanted === epoch.epoch && peer !== undefined) this.#shell.handle({ type: 'asked', peer });
        return undefined;
      }
      case frameKinds.yourVotes: {
        const me = this.#options.me;
        if (me === undefined || peer === undefined) return undefined;
        const votes = decodeVotes(payload).filter((vote) => vote.subject.epoch === epoch.epoch);
        if (votes.some((vote) => vote.signer !== me || !this.#verifyVote(vote))) return 'invalid';
        this.#shell.handle({ type: 'answered', peer, votes });
        return undefined;
      }
      default:
        return 'invalid';
    }
  }

  /** The vote may have come before the proposal that carries it: then the block is still wanted. */
  #wantsProposal(vote: Vote): boolean {
    if (needs(this.#state, vote)) return true;
    const { view } = vote.subject;
    const { finalizedView, view: current } = statusOf(this.#state);
    const blockId = 'blockId' in vote.subject ? vote.subject.blockId : '';
    return view > finalizedView && view <= current + 1 && this.#modules.blocks.get(blockId) === undefined;
  }

  #verifyVote(vote: Vote): boolean {
    const good = verifyVote(vote, this.#options.genesisHash, this.#options.epoch.validators);
    if (!good) this.invalidSignatures += 1;
    return good;
  }

  #verifyCertificate(certificate: Certificate): boolean {
    const good = verifyCertificate(certificate, this.#options.genesisHash, this.#options.epoch.validators);
    if (!good) this.invalidSignatures += 1;
    return good;
  }

  #inward(effect: InwardEffect): void {
    switch (effect.type) {
      case 'build':
        this.#build(effect);
        break;
      case 'verify':
        void this.#verify(effect.view, effect.block);
        break;
      case 'certify':
        void this.#certify(effect.view, effect.block);
        break;
      case 'voting':
        this.#voting = true;
        clearInterval(this.#votesTimer);
        this.#hooks.voting();
        break;
      case 'halt':
        this.#voting = false;
        clearInterval(this.#votesTimer);
        this.#hooks.halted(effect.code, effect.detail);
        break;
    }
  }

  #build(effect: Extract<Effect, { type: 'build' }>): void {
    const { ledger, mempool, blocks, monotonicMs, wallMs } = this.#modules;
    const me = this.#options.me;
    if (me === undefined) return;
    const context = { epoch: this.#options.epoch.epoch, view: effect.view, proposer: me, time: wallMs() };
    const limits = this.#options.timings;
    // A finalization may have dropped the parent since the engine asked; it learns of that next, and asks again.
    const block = ledger.canExtend(effect.parent.id)
      ? buildBlock(ledger, mempool, effect.parent.id, context, effect.mayBeEmpty, limits, monotonicMs)
      : undefined;
    if (block === undefined) {
      this.#told = { pending: false, full: false };
      this.#shell.handle({ type: 'built', view: effect.view });
      return;
    }
    blocks.addWhole(block.blockId, block.headerBytes, block.body, this.#options.epoch);
    this.#shell.handle({ type: 'built', view: effect.view, block: block.facts });
  }

  async #verify(view: number, facts: BlockFacts): Promise<void> {
    const verdict = await this.#check(facts.id);
    if (verdict === undefined || this.#stopped) return;
    this.#shell.handle({ type: 'verified', view, blockId: facts.id, verdict: verdict ? 'valid' : 'invalid' });
  }

  async #certify(view: number, facts: BlockFacts): Promise<void> {
    const valid = this.#modules.ledger.canExtend(facts.id) || (await this.#check(facts.id));
    if (valid === undefined || this.#stopped) return;
    if (valid) this.#markCertified(facts.id);
    this.#shell.handle({ type: 'certified', view, blockId: facts.id, verdict: valid ? 'valid' : 'invalid' });
    this.#retryFinalization();
  }

  /**
   * All of W4 but the clock. Waits for the body and for the parent: missing is pending, never false. Undefined when the
   * question is over (stopped, or the block is finalized).
   */
  async #check(blockId: string): Promise<boolean | undefined> {
    const { ledger, blocks, log } = this.#modules;
    try {
      for (;;) {
        if (this.#stopped) return undefined;
        if (ledger.canExtend(blockId)) return true;
        const pooled = blocks.get(blockId);
        if (pooled === undefined || pooled.header.height <= ledger.finalized.header.height) return undefined;
        const body = blocks.bodyNow(blockId) ?? (await blocks.body(blockId));
        const checked = await ledger.check(pooled.header, body);
        if (checked.verdict === 'valid') return true;
        if (checked.verdict === 'invalid') {
          log.warn(
            { blockId, code: checked.code, reason: checked.message, height: pooled.header.height },
            'invalid block',
          );
          return false;
        }
        const parent = blocks.get(pooled.header.parent);
        if (parent !== undefined && (await this.#check(parent.blockId)) === true) continue;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #markCertified(blockId: string): void {
    const block = this.#modules.ledger.executed(blockId);
    if (block === undefined || this.#certified.has(blockId)) return;
    const ids = block.transactions.map(({ tx }) => tx.txId).filter((txId) => this.#modules.mempool.hasTx(txId));
    this.#certified.set(blockId, ids);
    this.#recount();
    this.workChanged();
  }

  #recount(): void {
    const ids = new Set<string>();
    for (const each of this.#certified.values()) {
      for (const txId of each) if (this.#modules.mempool.hasTx(txId)) ids.add(txId);
    }
    this.#certifiedTxs = ids.size;
  }

  #outward(effect: OutwardEffect): void {
    switch (effect.type) {
      case 'broadcast':
        this.#broadcast(effect.message);
        break;
      case 'send': {
        const name = this.#names[effect.peer];
        if (name !== undefined) this.#send(name, effect.message);
        break;
      }
      case 'fetch':
        this.#fetch(effect);
        break;
      case 'finalized':
        this.#finalize(effect.certificate);
        break;
      case 'epochEnded':
        this.#modules.log.info({ height: effect.block.height }, 'epoch ended');
        break;
      case 'evidence': {
        const offender = this.#names[effect.offender] ?? String(effect.offender);
        this.#hooks.evidence(offender, encodeVote(effect.a), encodeVote(effect.b), effect.a.subject.view);
        break;
      }
    }
  }

  #broadcast(message: Message): void {
    const frame = this.#encode(message);
    if (frame !== undefined) this.#modules.network().broadcast('urgent', frame.kind, frame.payload, frame.hint);
  }

  #send(name: string, message: Message): void {
    const frame = this.#encode(message);
    if (frame !== undefined) this.#modules.network().send(name, 'urgent', frame.kind, frame.payload, frame.hint);
  }

  #encode(message: Message): { kind: number; payload: Uint8Array; hint: SendHint } | undefined {
    switch (message.type) {
      case 'vote': {
        const { vote } = message;
        const hint: SendHint = { class: 'vote', view: vote.subject.view };
        return { kind: frameKinds[vote.kind], payload: encodeVote(vote), hint };
      }
      case 'certificate': {
        const { certificate } = message;
        const payload = encodeCertificate(certificate, this.#names.length);
        const hint: SendHint = {
          class: 'certificate',
          view: certificate.subject.view,
          displaces: frameKinds[certificate.kind],
        };
        return { kind: frameKinds.certificate, payload, hint };
      }
      case 'proposal': {
        const { ledger, mempool, monotonicMs } = this.#modules;
        const executed = ledger.executed(message.block.id);
        if (executed === undefined) return undefined;
        const young = monotonicMs() - youngMs;
        const bodies: { position: number; envelope: Uint8Array }[] = [];
        let bytes = 0;
        for (const [position, { tx }] of executed.transactions.entries()) {
          const arrived = mempool.get(tx.envelopeId)?.arrivedMs ?? Number.POSITIVE_INFINITY;
          if (arrived < young || bytes + tx.envelope.length > bodiesBytesMax) continue;
          bytes += tx.envelope.length;
          bodies.push({ position, envelope: tx.envelope });
        }
        const envelopeIds = executed.transactions.map(({ tx }) => tx.envelopeId);
        const payload = encodeProposal({ vote: message.vote, header: executed.headerBytes, envelopeIds, bodies });
        return { kind: frameKinds.proposal, payload, hint: { class: 'proposal', view: message.vote.subject.view } };
      }
      case 'yourVotes':
        return { kind: frameKinds.yourVotes, payload: encodeVotes(message.votes), hint: { class: 'other' } };
    }
  }

  #fetch(effect: Extract<Effect, { type: 'fetch' }>): void {
    const network = this.#modules.network();
    for (const index of effect.peers) {
      const name = this.#names[index];
      if (name === undefined) continue;
      if (effect.what === 'view') {
        const payload = encodeNumbers(this.#options.epoch.epoch, effect.view);
        network.send(name, 'urgent', frameKinds.view, payload, { class: 'other' });
      } else void this.#fetchBlock(name, effect.blockId);
    }
  }

  async #fetchBlock(name: string, blockId: string): Promise<void> {
    const { blocks, ledger } = this.#modules;
    // After a restart the journal's blocks are executed and not in the pool.
    const here = blocks.bodyNow(blockId) === undefined ? ledger.blockBytes(blockId) : undefined;
    if (here !== undefined) blocks.addWhole(blockId, here.header, here.body, this.#options.epoch);
    const pooled = blocks.bodyNow(blockId) === undefined ? await this.#askForBlock(name, blockId) : blocks.get(blockId);
    if (pooled !== undefined && !this.#stopped) this.#shell.handle({ type: 'fetched', block: pooled.facts });
  }

  async #askForBlock(name: string, blockId: string): Promise<{ facts: BlockFacts } | undefined> {
    const answer = await this.fetchWhole(name, blockId);
    return answer === undefined
      ? undefined
      : this.#modules.blocks.addWhole(blockId, answer.header, answer.body, this.#options.epoch);
  }

  /** Set by the node, which owns requests. */
  fetchWhole: (peer: string, blockId: string) => Promise<{ header: Uint8Array; body: Uint8Array } | undefined> = () =>
    Promise.resolve(undefined);

  #askForVotes(): void {
    if (this.#voting || this.#stopped) return;
    const payload = encodeNumbers(this.#options.epoch.epoch);
    this.#modules.network().broadcast('urgent', frameKinds.myVotes, payload, { class: 'other' });
  }

  /** Commits what a finalization proves, as soon as its block is executed here; a block that never came is caught up with. */
  #finalize(certificate: Finalization): void {
    const pending = this.#pendingFinalization;
    if (pending === undefined || pending.subject.view < certificate.subject.view)
      this.#pendingFinalization = certificate;
    this.#retryFinalization();
  }

  #retryFinalization(): void {
    const certificate = this.#pendingFinalization;
    if (certificate === undefined || this.#stopped) return;
    this.#commits = this.#commits.then(() => this.#commit(certificate)).catch((error: unknown) => this.#failed(error));
  }

  async #commit(certificate: Finalization): Promise<void> {
    const { ledger, blocks } = this.#modules;
    if (this.#stopped || this.#pendingFinalization !== certificate) return;
    const { blockId, view } = certificate.subject;
    if (ledger.executed(blockId) === undefined && ledger.block(blockId) === undefined) {
      if (blocks.get(blockId) !== undefined && (await this.#withinReach(blockId))) return;
      this.#hooks.behind(certificate);
      return;
    }
    this.#pendingFinalization = undefined;
    const committed = await ledger.commit(blockId, certificate);
    const facts = committed.at(-1)?.facts ?? ledger.finalized.facts;
    if (committed.length > 0) {
      this.#afterCommit(committed);
      this.#hooks.committed(committed);
    }
    if (facts.id === blockId) this.#shell.handle({ type: 'committed', view, block: facts });
    this.workChanged();
    this.#compact();
  }

  /** The block is here but not executed yet: executing it brings the finalization back. False when an ancestor is missing. */
  async #withinReach(blockId: string): Promise<boolean> {
    const { ledger, blocks } = this.#modules;
    for (let id = blockId; !ledger.canExtend(id); ) {
      const pooled = blocks.get(id);
      if (pooled === undefined) return false;
      id = pooled.header.parent;
    }
    void this.#check(blockId).then((valid) => {
      if (valid === true) this.#retryFinalization();
    });
    return true;
  }

  #afterCommit(committed: readonly CommittedBlock[]): void {
    const height = committed.at(-1)?.header.height ?? 0;
    const { ledger, mempool, blocks } = this.#modules;
    for (const block of committed) {
      for (const { txId } of block.transactions) mempool.removeTx(txId);
      this.#certified.delete(block.blockId);
    }
    for (const blockId of this.#certified.keys()) {
      if (ledger.executed(blockId) === undefined) this.#certified.delete(blockId);
    }
    mempool.expire(ledger.finalized.header.time);
    blocks.prune(height);
    this.#recount();
    this.workChanged();
  }

  #compact(): void {
    const { ledger } = this.#modules;
    if (this.#compacting || ledger.journal.bytes < journalBytesMax || this.#options.me === undefined) return;
    this.#compacting = true;
    ledger.journal
      .restart(this.#options.epoch.epoch, liveRecords(this.#state))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#compacting = false;
      });
  }

  #failed(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#voting = false;
    clearInterval(this.#votesTimer);
    const code = error instanceof WeftError ? error.code : 'INTERNAL';
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#hooks.halted(code, detail);
  }
}

/** Where the engine starts: the finalized tip; a tip of an epoch before is this epoch's view 0 (W10). */
export function floorOf(tip: Tip, epoch: Epoch): Floor {
  const { certificate } = tip;
  if (certificate === undefined || certificate.subject.epoch !== epoch.epoch) return { view: 0, block: tip.facts };
  return { view: certificate.subject.view, block: tip.facts, certificate };
}
