// The node's shell in miniature, as consensus/README.md demands it: journal and blocks in one sync, outward effects held
// back until then, verification on arrival, builds, checks, fetches, commits, catching up, W11's question.
import { needs, statusOf, step } from '../../consensus/engine.ts';
import { liveRecords, replay } from '../../consensus/journal.ts';
import type { Modules, State } from '../../consensus/state.ts';
import type {
  BlockFacts,
  Certificate,
  Config,
  Effect,
  Event,
  Finalization,
  Message,
  Timings,
  Vote,
} from '../../consensus/types.ts';
import { createDisk, type Disk } from './disk.ts';
import { type Oracle, Violation } from './oracle.ts';
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

type Outward = { after: number; release: () => void };

export class SimNode {
  readonly index: number;
  readonly world: World;
  readonly options: NodeOptions;
  readonly disk: Disk;
  up = false;
  ended: string | undefined;
  halted: string | undefined;
  state: State | undefined;
  mempool = new Set<number>();
  nullifiesSent = 0;
  proposalsSent = 0;
  /** Goes up with every crash: what was scheduled before is void. */
  private life = 0;
  private bootMs = 0;
  private wakeAtMs: number | undefined;
  private outbox: Outward[] = [];
  private syncing = false;
  private crashAfterSync = false;
  protected bodies = new Map<string, ToyBlock>();
  protected executed = new Set<string>();
  private checks: (() => boolean)[] = [];
  private target: { view: number; id: string; certificate: Finalization } | undefined;
  private committing = false;
  private askedChainAtMs = -1;
  private workTold = false;
  private reportedTip = '';
  private writes = 0;

  constructor(world: World, options: NodeOptions) {
    this.world = world;
    this.options = options;
    this.index = options.index;
    this.disk = createDisk(world.registry.genesis);
  }

  get tip(): ToyBlock {
    return this.disk.store[this.disk.store.length - 1]!;
  }

  // Life

  boot(): void {
    if (this.up || this.halted !== undefined) return;
    this.up = true;
    this.life += 1;
    this.bootMs = this.world.schedule.nowMs();
    this.outbox = [];
    this.syncing = false;
    this.crashAfterSync = false;
    this.wakeAtMs = undefined;
    this.checks = [];
    this.target = undefined;
    this.committing = false;
    this.askedChainAtMs = -1;
    this.workTold = false;
    this.reportedTip = '';
    this.bodies = new Map(this.disk.blocks);
    for (const block of this.disk.store) this.bodies.set(block.facts.id, block);
    this.executed = new Set(this.disk.store.map((block) => block.facts.id));
    const { quirks } = this.options;
    const back = quirks.floorGoesBack === true;
    const config: Config = {
      epoch: 1,
      validators: this.options.validators,
      me: this.index,
      leaderOrder: this.options.leaderOrder,
      floor: back
        ? { view: 0, block: this.world.registry.genesis.facts }
        : {
            view: this.disk.storeView,
            block: this.tip.facts,
            ...(this.disk.storeCertificate !== undefined && { certificate: this.disk.storeCertificate }),
          },
      timings: this.options.timings,
      retentionViews: this.options.retentionViews,
    };
    const modules: Modules = {
      sign: (kind, subject) => this.world.sign(this.index, kind, subject),
      ...(quirks.rules !== undefined && { rules: quirks.rules }),
    };
    const records = back ? this.disk.journal.filter((record) => record.kind !== 'floor') : this.disk.journal;
    this.world.trace(this.index, () => `boots at view ${this.disk.storeView} with ${records.length} records`);
    this.state = replay(config, modules, records);
    this.disk.written = 0;
    this.disk.durable = 0;
    this.disk.pending = [];
    this.world.oracle.onRestarted(
      this.index,
      (height, id) =>
        this.disk.store[height]?.facts.id === id || (this.disk.blocks.has(id) && this.journalFinalizes(height)),
    );
    this.tick();
    this.step({ type: 'start' });
    this.hello();
    this.pingLoop();
    this.askLoop();
  }

  /** Is some block at or above `height` finalized in the durable journal? */
  private journalFinalizes(height: number): boolean {
    return this.disk.journal.some(
      (record) =>
        record.kind === 'certificate' &&
        record.certificate.kind === 'finalize' &&
        (this.disk.blocks.get(record.certificate.subject.blockId)?.facts.height ?? -1) >= height,
    );
  }

  crash(): void {
    if (!this.up) return;
    const kept = this.world.prng.chance(0.5) ? 0 : this.world.prng.int(this.disk.pending.length + 1);
    this.world.trace(this.index, () => `crashes; ${kept} of ${this.disk.pending.length} unsynced writes survive`);
    this.disk.crash(kept);
    if (this.options.rollsBackRecords > 0) {
      const lost = this.world.prng.int(this.options.rollsBackRecords + 1);
      this.disk.journal.splice(Math.max(0, this.disk.journal.length - lost), lost);
    }
    this.up = false;
    this.life += 1;
    this.state = undefined;
  }

  hello(): void {
    for (const peer of this.world.othersOf(this.index))
      this.transmit(peer, { kind: 'hello', finalizedView: this.disk.storeView, answer: true });
  }

  protected pingLoop(): void {
    const life = this.life;
    const loop = (): void => {
      if (this.life !== life) return;
      for (const peer of this.world.othersOf(this.index)) {
        this.transmit(peer, { kind: 'ping' });
        for (const tx of this.mempool) this.transmit(peer, { kind: 'tx', tx });
      }
      this.retryChecks();
      this.catchUp();
      this.world.schedule.after(this.options.timings.leaderSilentMs / 4, loop);
    };
    loop();
  }

  private askLoop(): void {
    const life = this.life;
    const loop = (): void => {
      if (
        this.life !== life ||
        this.state === undefined ||
        this.state.voting ||
        this.halted !== undefined ||
        this.ended !== undefined
      )
        return;
      for (const peer of this.world.othersOf(this.index)) this.transmit(peer, { kind: 'ask' });
      this.world.schedule.after(100, loop);
    };
    loop();
  }

  /** After `delayMs`, unless the node crashed meanwhile. */
  protected later(delayMs: number, action: () => void): void {
    const life = this.life;
    this.world.schedule.after(delayMs, () => {
      if (this.life === life) action();
    });
  }

  transmit(to: number, message: Wire): void {
    this.world.send(this.index, to, message);
  }

  // Engine

  protected wallMs(): number {
    return 1_000_000 + this.world.schedule.nowMs() + this.options.wallSkewMs;
  }

  private tick(): void {
    this.step({ type: 'tick', monotonicMs: this.world.schedule.nowMs() - this.bootMs, wallMs: this.wallMs() });
  }

  step(event: Event): void {
    const { state } = this;
    if (state === undefined || !this.up) return;
    this.options.quirks.beforeStep?.(state, event);
    const effects = step(state, event);
    const life = this.life;
    for (const effect of effects) {
      if (this.life !== life) return; // crashed at a journal write
      this.apply(effect);
    }
    this.startSync();
    const tip = statusOf(state).certifiedBlock?.id ?? '';
    if (tip !== this.reportedTip) {
      this.reportedTip = tip;
      this.tellWork();
    }
  }

  private apply(effect: Effect): void {
    const { world } = this;
    switch (effect.type) {
      case 'journal':
        this.disk.write({ record: effect.record });
        this.writes += 1;
        if (world.faulty() && this.writes === this.options.crashAt?.write) this.crashSoon(this.options.crashAt.when);
        else if (world.faulty() && world.prng.chance(this.options.crashPerWrite)) this.crashSoon(world.prng.int(3));
        return;
      case 'store': {
        if (this.options.quirks.skipsStore) return;
        const block = this.bodies.get(effect.block.id);
        if (block === undefined) throw new Error(`node ${this.index}: store of ${effect.block.id} without its body`);
        this.disk.write({ block });
        return;
      }
      case 'broadcast':
        this.outward(() => {
          this.sent(effect.message);
          for (const peer of world.othersOf(this.index)) this.transmitMessage(peer, effect.message);
        });
        return;
      case 'send':
        this.outward(() => {
          this.sent(effect.message);
          this.transmitMessage(effect.peer, effect.message);
        });
        return;
      case 'fetch':
        if (effect.what === 'block') {
          const held = this.bodies.get(effect.blockId);
          if (held !== undefined) {
            this.later(0, () => this.step({ type: 'fetched', block: held.facts }));
            return;
          }
        }
        this.outward(() => {
          for (const peer of effect.peers) {
            this.transmit(
              peer,
              effect.what === 'view'
                ? { kind: 'request', view: effect.view }
                : { kind: 'getBlock', id: effect.blockId },
            );
          }
        });
        return;
      case 'finalized':
        if (this.options.quirks.tellsEarly && effect.block !== undefined)
          world.oracle.onFinalized(this.index, effect.block.height, effect.block.id);
        this.outward(() => this.onFinalized(effect.certificate, effect.block));
        return;
      case 'epochEnded':
        this.outward(() => {
          this.ended = effect.block.id;
          world.trace(this.index, () => `epoch ended with ${effect.block.id}`);
        });
        return;
      case 'evidence':
        this.outward(() => {
          world.trace(this.index, () => `evidence against ${effect.offender}`);
          world.oracle.onEvidence(this.index, effect.a, effect.b);
        });
        return;
      case 'build':
        this.onBuild(effect.view, effect.parent, effect.mayBeEmpty);
        return;
      case 'verify':
        this.onCheck('verified', effect.view, effect.block);
        return;
      case 'certify':
        this.onCheck('certified', effect.view, effect.block);
        return;
      case 'wake':
        this.onWake(effect.atMs);
        return;
      case 'voting':
        world.trace(this.index, () => 'votes from now on');
        return;
      case 'halt':
        this.halted = effect.code;
        world.trace(this.index, () => `halts: ${effect.code} ${effect.detail}`);
        world.oracle.onHalted(this.index, effect.code, effect.detail);
        return;
    }
  }

  private sent(message: Message): void {
    this.world.oracle.onSent(this.index, message, this.disk);
    this.world.trace(this.index, () => `sends ${describeMessage(message)}`);
    if (message.type === 'vote' && message.vote.kind === 'nullify') this.nullifiesSent += 1;
    if (message.type === 'proposal') this.proposalsSent += 1;
  }

  transmitMessage(peer: number, message: Message): void {
    const body =
      message.type === 'proposal' && !this.world.prng.chance(this.options.bodyApart)
        ? this.bodies.get(message.block.id)
        : undefined;
    this.transmit(peer, { kind: 'consensus', message, ...(body !== undefined && { body }) });
  }

  private onWake(atMs: number | undefined): void {
    this.wakeAtMs = atMs;
    if (atMs === undefined) return;
    this.later(this.bootMs + atMs - this.world.schedule.nowMs(), () => {
      if (this.wakeAtMs === atMs) this.tick();
    });
  }

  // Disk

  private outward(release: () => void): void {
    if (this.options.quirks.releasesEarly) {
      const life = this.life;
      this.world.schedule.after(0, () => {
        if (this.life === life) release();
      });
      return;
    }
    this.outbox.push({ after: this.disk.written, release });
    this.releaseDue();
  }

  private releaseDue(): void {
    const life = this.life;
    while (this.life === life && this.outbox.length > 0 && this.outbox[0]!.after <= this.disk.durable)
      this.outbox.shift()!.release();
  }

  private startSync(): void {
    if (!this.up || this.syncing || this.disk.written === this.disk.durable) return;
    this.syncing = true;
    const upTo = this.disk.written;
    this.later(this.world.prng.int(this.options.syncMsMax + 1), () => {
      this.syncing = false;
      this.disk.syncTo(upTo);
      if (this.crashAfterSync && this.world.faulty()) {
        this.crash();
        return;
      }
      this.releaseDue();
      if (!this.up) return;
      this.tick();
      // Sequence numbers count journal records only; every record up to here is durable with the blocks before it.
      this.step({
        type: 'journaled',
        seq: (this.state?.seq ?? 0) - this.disk.pending.filter((write) => 'record' in write).length,
      });
      this.startSync();
    });
  }

  /** At a journal write: before it is synced, just after the sync, or when what it held back has left. */
  private crashSoon(when: number): void {
    if (when === 0) this.crash();
    else if (when === 1) this.crashAfterSync = true;
    else this.later(this.world.prng.int(2 * this.options.syncMsMax + 2), () => this.world.faulty() && this.crash());
  }

  // Blocks

  /** The blocks from just above the store up to `id`, or the id of the first that is missing. */
  private chainTo(id: string): ToyBlock[] | string {
    const chain: ToyBlock[] = [];
    let at = id;
    for (;;) {
      const stored = this.tip.facts.id === at;
      if (stored) return chain.reverse();
      const block = this.bodies.get(at);
      if (block === undefined) return at;
      if (block.facts.height <= this.tip.facts.height) return chain.reverse();
      chain.push(block);
      at = block.facts.parent;
    }
  }

  private takeBlock(block: ToyBlock): void {
    if (this.bodies.has(block.facts.id)) return;
    this.bodies.set(block.facts.id, block);
    this.step({ type: 'fetched', block: block.facts });
    this.retryChecks();
    this.catchUp();
  }

  private onCheck(type: 'verified' | 'certified', view: number, facts: BlockFacts): void {
    const { prng } = this.world;
    let lastAskMs = -1;
    const check = (): boolean => {
      const missing = this.execute(facts.id);
      if (missing !== undefined) {
        const now = this.world.schedule.nowMs();
        if (now - lastAskMs >= 50) {
          // The leader first, after 50 ms anybody.
          const others = this.world.othersOf(this.index);
          const leader = lastAskMs < 0 && facts.proposer !== this.index;
          if (others.length > 0)
            this.transmit(leader ? facts.proposer : prng.pick(others), { kind: 'getBlock', id: missing });
          lastAskMs = now;
          this.later(50, () => this.retryChecks());
        }
        return false;
      }
      const verdict = this.bodies.get(facts.id)?.bad ? 'invalid' : 'valid';
      this.later(prng.int(3), () => {
        this.tick();
        this.step({ type, view, blockId: facts.id, verdict });
      });
      return true;
    };
    if (this.world.faulty() && prng.chance(0.05)) {
      this.later(0, () =>
        this.step({
          type,
          view,
          blockId: facts.id,
          verdict: { pending: true, retryAtWallMs: this.wallMs() + prng.int(30) },
        }),
      );
      return;
    }
    if (!check()) this.checks.push(check);
  }

  protected retryChecks(): void {
    if (this.checks.length === 0) return;
    const open = this.checks;
    this.checks = [];
    for (const check of open) if (!check()) this.checks.push(check);
  }

  /** Executes `id` and its ancestors; answers what is missing. */
  private execute(id: string): string | undefined {
    if (this.executed.has(id)) return undefined;
    const chain = this.chainTo(id);
    if (typeof chain === 'string') return chain;
    for (const block of chain) this.executed.add(block.facts.id);
    this.executed.add(id);
    return undefined;
  }

  protected includedTxs(id: string): Set<number> {
    const included = new Set<number>();
    let at: ToyBlock | undefined = this.bodies.get(id);
    while (at !== undefined && at.facts.height > 0) {
      for (const tx of at.txs) included.add(tx);
      at = this.bodies.get(at.facts.parent);
    }
    return included;
  }

  protected onBuild(view: number, parent: BlockFacts, mayBeEmpty: boolean): void {
    const build = (): boolean => {
      if (this.execute(parent.id) !== undefined) return false;
      this.later(this.world.prng.int(4), () => {
        const included = this.includedTxs(parent.id);
        const txs = [...this.mempool].filter((tx) => !included.has(tx)).slice(0, 5);
        this.tick();
        if (txs.length === 0 && !mayBeEmpty) {
          this.workTold = false;
          this.step({ type: 'built', view });
          this.tellWork();
          return;
        }
        const time = Math.max(this.wallMs(), parent.time + 1);
        const block = this.world.registry.make(
          { parent: parent.id, height: parent.height + 1, epoch: 1, view, proposer: this.index, time },
          txs,
        );
        this.bodies.set(block.facts.id, block);
        this.executed.add(block.facts.id);
        this.step({ type: 'built', view, block: block.facts });
      });
      return true;
    };
    if (!build()) this.checks.push(build);
  }

  tellWork(): void {
    if (this.state === undefined || !this.state.started) return;
    const tip = statusOf(this.state).certifiedBlock;
    let pending = this.mempool.size > 0;
    if (pending && tip !== undefined) {
      const included = this.includedTxs(tip.id);
      pending = [...this.mempool].some((tx) => !included.has(tx));
    }
    if (pending === this.workTold) return;
    this.workTold = pending;
    this.step({ type: 'work', pending, full: pending && this.world.prng.chance(0.1) });
  }

  takeTx(tx: number): void {
    if (!this.up || this.mempool.has(tx)) return;
    for (const block of this.disk.store) if (block.txs.includes(tx)) return;
    this.mempool.add(tx);
    this.tick();
    this.tellWork();
  }

  // Commits

  private onFinalized(certificate: Finalization, block: BlockFacts | undefined): void {
    this.target = { view: certificate.subject.view, id: certificate.subject.blockId, certificate };
    if (block !== undefined && this.disk.blocks.has(block.id) && !this.options.quirks.tellsEarly) {
      this.world.oracle.onFinalized(this.index, block.height, block.id);
    }
    this.catchUp();
  }

  protected catchUp(): void {
    const { target } = this;
    if (target === undefined || this.committing) return;
    const chain = this.chainTo(target.id);
    const { schedule, prng } = this.world;
    if (typeof chain === 'string') {
      if (schedule.nowMs() - this.askedChainAtMs < 50 && this.askedChainAtMs >= 0) return;
      this.askedChainAtMs = schedule.nowMs();
      const others = this.world.othersOf(this.index);
      if (others.length > 0)
        this.transmit(prng.pick(others), { kind: 'getChain', id: chain, aboveHeight: this.tip.facts.height });
      this.later(60, () => this.catchUp());
      return;
    }
    this.committing = true;
    this.later(1 + prng.int(3), () => {
      this.committing = false;
      for (const block of chain) {
        if (block.facts.height !== this.tip.facts.height + 1 || block.facts.parent !== this.tip.facts.id) {
          throw new Violation(`${this.index} is told that ${block.facts.id} is final after ${this.tip.facts.id}`);
        }
        this.disk.store.push(block);
        this.executed.add(block.facts.id);
        this.world.oracle.onFinalized(this.index, block.facts.height, block.facts.id);
        for (const tx of block.txs) this.mempool.delete(tx);
      }
      this.disk.storeView = target.view;
      this.disk.storeCertificate = target.certificate;
      this.world.trace(this.index, () => `commits up to ${this.tip.facts.id} (view ${target.view})`);
      if (this.target === target) this.target = undefined;
      this.tick();
      this.step({ type: 'committed', view: target.view, block: this.tip.facts });
      if (this.up && this.disk.pending.length === 0 && prng.chance(0.2) && this.state !== undefined)
        this.compact(this.state);
      this.tellWork();
      this.retryChecks();
      this.catchUp();
    });
  }

  /** A compacted journal replaces the old one when nothing is unsynced. */
  private compact(state: State): void {
    this.disk.journal = liveRecords(state);
  }

  // Messages

  receive(from: number, message: Wire): void {
    if (!this.up || this.state === undefined) return;
    this.tick();
    if (!this.up) return;
    this.step({ type: 'heard', peer: from });
    switch (message.kind) {
      case 'ping':
        return;
      case 'hello':
        this.step({ type: 'connected', peer: from, finalizedView: message.finalizedView });
        if (message.answer) this.transmit(from, { kind: 'hello', finalizedView: this.disk.storeView, answer: false });
        return;
      case 'ask':
        this.step({ type: 'asked', peer: from });
        return;
      case 'request':
        this.step({ type: 'request', peer: from, view: message.view });
        return;
      case 'getBlock': {
        const block = this.bodies.get(message.id);
        if (block !== undefined) this.transmit(from, { kind: 'block', block });
        return;
      }
      case 'block':
        this.takeBlock(message.block);
        return;
      case 'getChain': {
        const blocks: ToyBlock[] = [];
        let at = this.bodies.get(message.id);
        while (at !== undefined && at.facts.height > message.aboveHeight) {
          blocks.push(at);
          at = this.bodies.get(at.facts.parent);
        }
        if (blocks.length > 0) this.transmit(from, { kind: 'chain', blocks });
        return;
      }
      case 'chain':
        for (const block of message.blocks) this.takeBlock(block);
        return;
      case 'tx':
        this.takeTx(message.tx);
        return;
      case 'consensus':
        if (message.body !== undefined && !this.bodies.has(message.body.facts.id)) this.takeBlock(message.body);
        this.receiveMessage(from, message.message);
        return;
    }
  }

  private receiveMessage(from: number, message: Message): void {
    const { world, state } = this;
    if (state === undefined) return;
    if (message.type === 'yourVotes') {
      const votes = message.votes.filter((vote) => vote.signer === this.index && world.verify(vote, vote.signer));
      this.step({ type: 'answered', peer: from, votes });
      return;
    }
    if (message.type === 'certificate') {
      if (needs(state, message.certificate) && this.certificateHolds(message.certificate))
        this.step({ type: 'certificate', certificate: message.certificate });
      return;
    }
    const { vote } = message;
    if (!world.verify(vote, vote.signer)) return;
    if (message.type === 'proposal') this.step({ type: 'proposal', vote: message.vote, block: message.block });
    else if (needs(state, vote)) this.step({ type: 'vote', vote });
  }

  /** The shell's own check: exactly a quorum of ascending signers, every signature good. */
  private certificateHolds(certificate: Certificate): boolean {
    const n = this.options.validators;
    const quorum = n - Math.floor((n - 1) / 3);
    const { signers } = certificate;
    return (
      signers.length === quorum &&
      signers.every((signer, i) => (i === 0 || signer > signers[i - 1]!) && this.world.verify(certificate, signer))
    );
  }
}

export function describeMessage(message: Message): string {
  if (message.type === 'yourVotes') return `${message.votes.length} of your votes`;
  const signed: Vote | Certificate = message.type === 'certificate' ? message.certificate : message.vote;
  const what = `${signed.kind} v${signed.subject.view}${signed.kind === 'nullify' ? '' : ` parent v${signed.subject.parentView} ${signed.subject.blockId}`}`;
  return message.type === 'certificate'
    ? `certificate: ${what} by ${message.certificate.signers.join(',')}`
    : `${message.type}: ${what}`;
}
