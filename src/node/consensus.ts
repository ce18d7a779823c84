import { randomBytes } from 'node:crypto';
import { createState, liveRecords, needs, replay, type State, statusOf, step } from '../../consensus/engine.ts';
import { contradictions } from '../../consensus/evidence.ts';
import type {
  BlockFacts,
  Certificate,
  Effect,
  Event,
  Finalization,
  Message,
  Proposal,
  Round,
  Vote,
  VoteKind,
} from '../../consensus/types.ts';
import { WeftError } from '../codec/error.ts';
import type { Ed25519Signer } from '../crypto/ed25519.ts';
import { encodeCertificate } from '../ledger/certificate.ts';
import type { Header } from '../ledger/header.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock, ExecutedBlock } from '../ledger/types.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { encodeVote, verifyVote, voteBytes } from '../ledger/votes.ts';
import type { Frame, FrameVerdict, Network, RelayVerdict } from '../net/types.ts';
import { BlockChecks } from './blockChecks.ts';
import type { BlockPool } from './blocks.ts';
import { buildBlock } from './builder.ts';
import { Commits } from './commits.ts';
import { engineConfigOf, floorOf, type LocalTimings } from './engineConfig.ts';
import { Fetches } from './fetches.ts';
import { Inbox } from './inbox.ts';
import type { Log } from './log.ts';
import type { Mempool } from './mempool.ts';
import { type Answering, Outbox } from './outbox.ts';
import { ConsensusShell, type InwardEffect, type OutwardEffect } from './shell.ts';
import { encodeQuestion, nonceBytes } from './signOnceMessages.ts';
import { sleep } from './sleep.ts';
import { VotesQuestion } from './votesQuestion.ts';
import type { Hello } from './wire.ts';
import { Work } from './work.ts';

/**
 * One epoch's engine in its node: turns frames into verified events and effects into frames, blocks and commits.
 * The protocol's rules are in `consensus/`; here is only what they need from the world.
 */

export type ConsensusOptions = {
  readonly epoch: Epoch;
  readonly genesisHash: string;
  readonly chain: string;
  /** Own index; absent for observers and for validators that must not vote. */
  readonly me: number | undefined;
  readonly signer: Ed25519Signer | undefined;
  /** Who is listed answers the others about their votes (W11), also when it must not vote itself. */
  readonly listed: { readonly index: number; readonly signer: Ed25519Signer } | undefined;
  readonly timings: LocalTimings;
  /** W11: so long it only listens before answers about its own votes count for it. Default 0. */
  readonly listensMs?: number;
};

export type ConsensusModules = {
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly blocks: BlockPool;
  readonly network: () => Network;
  readonly fetchBlock: (
    peer: string,
    blockId: string,
  ) => Promise<{ readonly header: Uint8Array; readonly body: Uint8Array } | undefined>;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

export type ConsensusHooks = {
  /** The journal is durable: what else must be so before the first vote. */
  readonly journalReady?: () => Promise<void>;
  /** The log after this block, the next one to be committed, is about to be cosigned. */
  readonly cosigns?: (header: Header) => boolean;
  /** Durable, in height order. */
  readonly committed: (blocks: readonly CommittedBlock[]) => void;
  /** This node has built this block (`own`), or is about to send its vote for it. */
  readonly proposed: (block: ExecutedBlock, own: boolean) => void;
  /** A finalization of a block that is not here: somebody has to fetch the blocks in between. */
  readonly behind: (certificate: Finalization) => void;
  readonly voting: () => void;
  /** Nothing is voted any more. `evidence`: the signed messages that show why, if any do. */
  readonly halted: (code: string, detail: string, evidence?: readonly Uint8Array[]) => void;
  /** Two votes of one validator that no honest one signs (W12). */
  readonly evidence: (a: Uint8Array, b: Uint8Array) => void;
  /** A peer speaks of another epoch: one of the two is behind. */
  readonly otherEpoch: (peer: string, epoch: number) => void;
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
  readonly #work: Work;
  readonly #commits: Commits;
  readonly #fetches: Fetches;
  #voting = false;
  #compacting: Promise<void> | undefined;
  #stopped = false;
  readonly #question: VotesQuestion;

  constructor(options: ConsensusOptions, modules: ConsensusModules, hooks: ConsensusHooks) {
    this.#options = options;
    this.#modules = modules;
    this.#hooks = hooks;
    const [nonce, probe] = [randomBytes(nonceBytes), randomBytes(nonceBytes)];
    this.#question = new VotesQuestion({
      question: () => this.#questionBytes(nonce),
      probe: () => this.#questionBytes(probe),
      network: modules.network,
      monotonicMs: modules.monotonicMs,
      fromMs: modules.monotonicMs() + (options.listensMs ?? 0),
    });
    const { epoch, signer } = options;
    this.#names = epoch.validators.map(({ name }) => name);
    this.#indices = new Map(this.#names.map((name, index) => [name, index]));
    const config = engineConfigOf(epoch, options.me, options.timings, floorOf(modules.ledger.finalized, epoch));
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
      step: (event, at): readonly Effect[] => step(this.#state, event, at),
      appendRecord: (record) => {
        if (!votes) return;
        if (modules.ledger.journal.epoch !== epoch.epoch)
          throw new WeftError('JOURNAL_EPOCH', `an engine of epoch ${epoch.epoch} with the journal of another one`);
        modules.ledger.journal.appendRecord(record);
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
      turned: () => this.#work.followTip(),
      monotonicMs: modules.monotonicMs,
      wallMs: modules.wallMs,
    });
    this.#inbox = new Inbox(
      { ...options, nonce, probe },
      {
        state: this.#state,
        blocks: modules.blocks,
        handle: (event) => this.#shell.handle(event),
        voting: () => this.#voting,
        otherEpoch: (peer, other) => hooks.otherEpoch(peer, other),
        log: modules.log,
        monotonicMs: modules.monotonicMs,
      },
    );
    this.#outbox = new Outbox(epoch, { ...modules, answering: (asker) => this.#answering(asker) });
    this.#fetches = new Fetches(epoch, {
      ledger: modules.ledger,
      blocks: modules.blocks,
      network: modules.network,
      fetchBlock: modules.fetchBlock,
      handle: (event) => this.#shell.handle(event),
    });
    this.#checks = new BlockChecks({
      ledger: modules.ledger,
      blocks: modules.blocks,
      refetch: (blockId) => this.#fetches.again(blockId),
      failed: (error) => this.#failed(error),
      log: modules.log,
      sleep,
    });
    const handle = (event: Event): void => this.#shell.handle(event);
    const { ledger, mempool, blocks, wallMs } = modules;
    const { targetBlockBytes } = options.timings;
    this.#work = new Work({ state: this.#state, ledger, mempool, handle, wallMs, targetBlockBytes });
    this.#commits = new Commits({
      ledger,
      blocks,
      checks: this.#checks,
      handle,
      cosigns: (header) => hooks.cosigns?.(header) ?? false,
      committed: (committed) => {
        this.#afterCommit(committed);
        this.#hooks.committed(committed);
      },
      settled: () => {
        this.#work.changed();
        this.#compact();
      },
      behind: (certificate) => this.#hooks.behind(certificate),
      failed: (error) => this.#failed(error),
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
      this.#question.start();
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#checks.stop();
    this.#fetches.stop();
    this.#question.stop();
    await Promise.all([this.#shell.stop(), this.#commits.stop(), this.#compacting]);
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

  /** What waits for the disk, and what was dropped because too much does. */
  get outward(): { readonly held: number; readonly dropped: number } {
    return { held: this.#shell.held, dropped: this.#shell.dropped };
  }

  get invalidSignatures(): number {
    return this.#inbox.invalidSignatures;
  }

  connected(name: string, hello: Hello): void {
    const peer = this.#indices.get(name);
    if (peer === undefined || this.#stopped) return;
    const sameEpoch = hello.epoch === this.#options.epoch.epoch;
    this.#shell.handle({ type: 'connected', peer, finalizedView: sameEpoch ? hello.finalizedView : 0 });
    if (this.#options.me !== undefined && !this.#voting) this.#question.ask();
  }

  heard(name: string): void {
    const peer = this.#indices.get(name);
    if (peer !== undefined && peer !== this.#options.me) this.#shell.handle({ type: 'heard', peer });
  }

  /** This validator has cosigned the log as it stood after the block of this height: it has it as final. */
  cosigned(peer: number, height: number): void {
    if (peer !== this.#options.me) this.#shell.tell({ type: 'cosigned', peer, height });
  }

  /** Call after anything that may change whether the mempool holds work. */
  workChanged(): void {
    this.#work.changed();
  }

  /** After the builder found nothing: what is pending may fit later, so the engine is told again. */
  remindOfWork(): void {
    this.#work.foundNothing();
    this.#work.changed();
  }

  /** What no block of this epoch can take is no work. */
  dropInadmissible(): void {
    this.#work.dropInadmissible();
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
    this.#commits.retry();
  }

  #questionBytes(nonce: Uint8Array): Uint8Array {
    const { me, signer, epoch, genesisHash } = this.#options;
    if (me === undefined || signer === undefined)
      throw new WeftError('SIGNER_ABSENT', 'an observer asked for its votes');
    return encodeQuestion({ epoch: epoch.epoch, asker: me, nonce }, genesisHash, (bytes) => signer.sign(bytes));
  }

  #answering(name: string): Answering | undefined {
    const { listed, genesisHash } = this.#options;
    const asker = this.#indices.get(name);
    const nonce = asker === undefined ? undefined : this.#inbox.nonceOf(asker);
    if (listed === undefined || asker === undefined || nonce === undefined) return undefined;
    const { index: answerer, signer } = listed;
    return { genesisHash, asker, answerer, nonce, sign: (bytes) => signer.sign(bytes) };
  }

  #inward(effect: InwardEffect): void {
    switch (effect.type) {
      case 'build':
        // What came with the votes that let us build goes in, and what else the network has brought by now.
        setImmediate(() => {
          if (!this.#stopped) this.#build(effect);
        });
        break;
      case 'verify':
        void this.#verify(effect.view, effect.block);
        break;
      case 'certify':
        void this.#certify(effect.view, effect.block);
        break;
      case 'finalized':
        // The commit makes block and certificate durable before anybody is told.
        this.#commits.finalize(effect.certificate);
        break;
      case 'voting':
        this.#voting = true;
        this.#question.stop();
        this.#hooks.voting();
        break;
      case 'halt':
        this.#voting = false;
        this.#question.stop();
        this.#accuse(effect.evidence);
        this.#hooks.halted(
          effect.code,
          effect.detail,
          effect.evidence.map((each) => this.#encodeSigned(each)),
        );
        break;
    }
  }

  /** Certificates that exclude each other name those who signed both (W12). */
  #accuse(signed: readonly (Vote | Certificate)[]): void {
    const certificates = signed.filter((each) => 'signers' in each);
    for (const [i, first] of certificates.entries()) {
      for (const second of certificates.slice(i + 1)) {
        for (const [a, b] of contradictions(first, second)) this.#hooks.evidence(encodeVote(a), encodeVote(b));
      }
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
      this.#work.foundNothing();
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
    this.#commits.retry();
  }

  #outward(effect: OutwardEffect): void {
    switch (effect.type) {
      case 'broadcast':
        this.#beforeVote(effect.message);
        this.#outbox.broadcast(effect.message);
        break;
      case 'send': {
        const name = this.#names[effect.peer];
        if (name !== undefined) this.#outbox.send(name, effect.message);
        break;
      }
      case 'fetch':
        this.#fetches.fetch(effect);
        break;
      case 'epochEnded':
        this.#modules.log.info({ height: effect.block.height }, 'epoch ended');
        break;
      case 'evidence':
        this.#evidence(effect.a, effect.b);
        break;
    }
  }

  #beforeVote(message: Message): void {
    if (message.type !== 'proposal' && (message.type !== 'vote' || message.vote.kind !== 'notarize')) return;
    const { subject } = message.vote;
    const block = 'blockId' in subject ? this.#modules.ledger.executed(subject.blockId) : undefined;
    if (block !== undefined) this.#hooks.proposed(block, message.type === 'proposal');
  }

  /** A vote that came after its quorum was counted unverified (inbox.ts); what accuses somebody is not. */
  #evidence(a: Vote, b: Vote): void {
    const { genesisHash, epoch } = this.#options;
    if (![a, b].every((vote) => verifyVote(vote, genesisHash, epoch.validators))) return;
    this.#hooks.evidence(encodeVote(a), encodeVote(b));
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
    if (identities) this.#work.dropInadmissible();
    blocks.prune(header.height, header.epoch === this.#options.epoch.epoch ? header.view : 0);
    this.#work.recount();
    this.#work.changed();
  }

  #compact(): void {
    const { ledger } = this.#modules;
    if (this.#compacting !== undefined || this.#stopped) return;
    if (ledger.journal.bytes < journalBytesMax || this.#options.me === undefined) return;
    this.#compacting = ledger.journal
      .restart(this.#options.epoch.epoch, liveRecords(this.#state))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#compacting = undefined;
      });
  }

  #failed(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#voting = false;
    this.#checks.stop();
    this.#fetches.stop();
    this.#question.stop();
    void this.#shell.stop();
    const code = error instanceof WeftError ? error.code : 'INTERNAL';
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#hooks.halted(code, detail);
  }
}
