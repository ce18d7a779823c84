import { createState, liveRecords, needs, replay, type State, statusOf, step } from '../../consensus/engine.ts';
import type {
  BlockFacts,
  Certificate,
  Effect,
  Config as EngineConfig,
  Event,
  Finalization,
  Floor,
  Proposal,
  Round,
  Vote,
  VoteKind,
} from '../../consensus/types.ts';
import { WeftError } from '../codec/error.ts';
import type { Ed25519Signer } from '../crypto/ed25519.ts';
import { encodeCertificate } from '../ledger/certificate.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock, Tip } from '../ledger/types.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { encodeVote, voteBytes } from '../ledger/votes.ts';
import type { Frame, FrameVerdict, Network, RelayVerdict } from '../net/types.ts';
import { BlockChecks } from './blockChecks.ts';
import type { BlockPool } from './blocks.ts';
import { buildBlock, isTransient } from './builder.ts';
import { Inbox } from './inbox.ts';
import type { Log } from './log.ts';
import type { Mempool } from './mempool.ts';
import { Outbox } from './outbox.ts';
import { ConsensusShell, type InwardEffect, type OutwardEffect } from './shell.ts';
import { encodeNumbers, frameKinds, type Hello } from './wire.ts';

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
  /** The journal is durable: what else must be so before the first vote. */
  readonly journalReady?: () => Promise<void>;
  /** Durable, in height order. */
  readonly committed: (blocks: readonly CommittedBlock[]) => void;
  /** A finalization of a block that is not here: somebody has to fetch the blocks in between. */
  readonly behind: (certificate: Finalization) => void;
  readonly voting: () => void;
  /** Nothing is voted any more. `evidence`: the signed messages that show why, if any do. */
  readonly halted: (code: string, detail: string, evidence?: readonly Uint8Array[]) => void;
  readonly evidence: (offender: string, a: Uint8Array, b: Uint8Array, view: number) => void;
};

/** A journal of this size is rewritten behind the floor. */
const journalBytesMax = 16 * 1024 * 1024;

export class Consensus {
  readonly #options: ConsensusOptions;
  readonly #modules: ConsensusModules;
  readonly #hooks: ConsensusHooks;
  readonly #state: State;
  readonly #shell: ConsensusShell;
  readonly #names: readonly string[];
  readonly #indices: ReadonlyMap<string, number>;
  readonly #checks: BlockChecks;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  /** Pending transactions that stand in certified, unfinalized blocks: in the mempool, and no work any more. */
  #certifiedTxs = 0;
  #tipView = 0;
  #told = { pending: false, full: false };
  #voting = false;
  #commits: Promise<void> = Promise.resolve();
  #pendingFinalization: Finalization | undefined;
  #compacting = false;
  #stopped = false;
  #votesTimer: NodeJS.Timeout | undefined;

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
      turned: () => this.#followTip(),
      monotonicMs: modules.monotonicMs,
      wallMs: modules.wallMs,
    });
    this.#inbox = new Inbox(options, {
      state: this.#state,
      blocks: modules.blocks,
      handle: (event) => this.#shell.handle(event),
      voting: () => this.#voting,
      log: modules.log,
      monotonicMs: modules.monotonicMs,
    });
    this.#outbox = new Outbox(this.#names.length, modules);
    this.#checks = new BlockChecks({
      ledger: modules.ledger,
      blocks: modules.blocks,
      refetch: (blockId) => this.#refetch(blockId),
      failed: (error) => this.#failed(error),
      log: modules.log,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    });
  }

  /** Makes the journal fit this epoch and starts. Resolves when the engine runs; voting begins once W11 is settled. */
  async start(): Promise<void> {
    if (this.#options.me !== undefined) {
      await this.#modules.ledger.journal.restart(this.#options.epoch.epoch, liveRecords(this.#state));
      await this.#hooks.journalReady?.();
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
    this.#checks.stop();
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
    return this.#stopped ? undefined : this.#inbox.onFrame(frame);
  }

  /** Checked before a message is forwarded, and when one came through a relay. */
  verifyRelayed(kind: number, payload: Uint8Array): RelayVerdict {
    return this.#inbox.verifyRelayed(kind, payload);
  }

  get invalidSignatures(): number {
    return this.#inbox.invalidSignatures;
  }

  connected(name: string, hello: Hello): void {
    const peer = this.#indices.get(name);
    if (peer === undefined || this.#stopped) return;
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
        this.#hooks.halted(
          effect.code,
          effect.detail,
          effect.evidence.map((each) => this.#encodeSigned(each)),
        );
        break;
    }
  }

  #encodeSigned(signed: Vote | Certificate): Uint8Array {
    return 'signer' in signed ? encodeVote(signed) : encodeCertificate(signed, this.#names.length);
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
    const verdict = await this.#checks.check(facts.id);
    if (verdict === undefined || this.#stopped) return;
    this.#shell.handle({ type: 'verified', view, blockId: facts.id, verdict: verdict ? 'valid' : 'invalid' });
  }

  async #certify(view: number, facts: BlockFacts): Promise<void> {
    const valid = await this.#checks.check(facts.id);
    if (valid === undefined || this.#stopped) return;
    this.#shell.handle({ type: 'certified', view, blockId: facts.id, verdict: valid ? 'valid' : 'invalid' });
    this.#retryFinalization();
  }

  /** A block that fell out of the pool before it was executed: whoever has it sends it again. */
  async #refetch(blockId: string): Promise<boolean> {
    for (const name of this.#modules.network().askable()) {
      if (this.#stopped) return false;
      if (this.#indices.has(name) && (await this.#askForBlock(name, blockId)) !== undefined) return true;
    }
    return false;
  }

  /** W5: work is what is valid against the certified tip, so what that tip's chain holds is none. */
  #followTip(): void {
    if (this.#state.certifiedView === this.#tipView) return;
    this.#tipView = this.#state.certifiedView;
    this.#recount();
    this.workChanged();
  }

  #recount(): void {
    const { ledger, mempool } = this.#modules;
    const finalized = ledger.finalized.header.height;
    const ids = new Set<string>();
    let block = ledger.executed(statusOf(this.#state).certifiedBlock?.id ?? '');
    while (block !== undefined && block.header.height > finalized) {
      for (const { tx } of block.transactions) if (mempool.hasTx(tx.txId)) ids.add(tx.txId);
      block = ledger.executed(block.header.parent);
    }
    this.#certifiedTxs = ids.size;
  }

  #outward(effect: OutwardEffect): void {
    switch (effect.type) {
      case 'broadcast':
        this.#outbox.broadcast(effect.message);
        break;
      case 'send': {
        const name = this.#names[effect.peer];
        if (name !== undefined) this.#outbox.send(name, effect.message);
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
    void this.#checks.check(blockId).then((valid) => {
      if (valid === true) this.#retryFinalization();
      // Finalized by q, and it does not execute here (W4): it is our state that is wrong.
      if (valid === false)
        this.#failed(new WeftError('STATE_DIVERGED', `block ${blockId} is final and does not hold here`));
    });
    return true;
  }

  #afterCommit(committed: readonly CommittedBlock[]): void {
    const { ledger, mempool, blocks } = this.#modules;
    let identities = false;
    for (const block of committed) {
      for (const { txId, type } of block.transactions) {
        mempool.removeTx(txId);
        identities ||= type.startsWith('identity.');
      }
    }
    const { header } = ledger.finalized;
    mempool.expire(header.time);
    if (identities) this.#dropInadmissible();
    blocks.prune(header.height, header.epoch === this.#options.epoch.epoch ? header.view : 0);
    this.#recount();
    this.workChanged();
  }

  /** Keys or accounts changed: what can enter no block any more is no work, or an idle chain would wait for it. */
  #dropInadmissible(): void {
    const { ledger, mempool, wallMs } = this.#modules;
    const time = Math.max(wallMs(), ledger.finalized.header.time + 1);
    for (const { prepared } of [...mempool.entries()]) {
      const code = ledger.admissible(prepared, time);
      if (code !== undefined && !isTransient(code)) mempool.remove(prepared.tx.envelopeId);
    }
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
    this.#checks.stop();
    clearInterval(this.#votesTimer);
    void this.#shell.stop();
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
