// The shell's lower half, as consensus/README.md demands it: life and death, time, the journal and blocks in one sync, outward
// effects held back until then.
import { statusOf, step } from '../../consensus/engine.ts';
import { replay } from '../../consensus/journal.ts';
import type { Modules, State } from '../../consensus/state.ts';
import type { BlockFacts, Config, Effect, Event, Finalization, Message } from '../../consensus/types.ts';
import { createDisk, type Disk } from './disk.ts';
import type { ToyBlock } from './toyLedger.ts';
import { describeMessage, type NodeOptions, type Wire, type World } from './world.ts';

type Outward = { after: number; release: () => void };

export abstract class Host {
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
  protected life = 0;
  protected bootMs = 0;
  protected wakeAtMs: number | undefined;
  protected outbox: Outward[] = [];
  protected syncing = false;
  protected crashAfterSync = false;
  protected bodies = new Map<string, ToyBlock>();
  protected executed = new Set<string>();
  protected checks: (() => boolean)[] = [];
  protected target: { view: number; id: string; certificate: Finalization } | undefined;
  protected committing = false;
  protected askedChainAtMs = -1;
  protected workTold = false;
  protected reportedTip = '';
  protected writes = 0;

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
  protected journalFinalizes(height: number): boolean {
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

  protected askLoop(): void {
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

  protected tick(): void {
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

  protected apply(effect: Effect): void {
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

  protected sent(message: Message): void {
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

  protected onWake(atMs: number | undefined): void {
    this.wakeAtMs = atMs;
    if (atMs === undefined) return;
    this.later(this.bootMs + atMs - this.world.schedule.nowMs(), () => {
      if (this.wakeAtMs === atMs) this.tick();
    });
  }

  // Disk

  protected outward(release: () => void): void {
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

  protected releaseDue(): void {
    const life = this.life;
    while (this.life === life && this.outbox.length > 0 && this.outbox[0]!.after <= this.disk.durable)
      this.outbox.shift()!.release();
  }

  protected startSync(): void {
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
  protected crashSoon(when: number): void {
    if (when === 0) this.crash();
    else if (when === 1) this.crashAfterSync = true;
    else this.later(this.world.prng.int(2 * this.options.syncMsMax + 2), () => this.world.faulty() && this.crash());
  }

  // The upper half: node.ts

  /** Answers `verify` or `certify`, at once or when ancestors are here. */
  protected abstract onCheck(type: 'verified' | 'certified', view: number, facts: BlockFacts): void;
  protected abstract onBuild(view: number, parent: BlockFacts, mayBeEmpty: boolean): void;
  protected abstract onFinalized(certificate: Finalization, block: BlockFacts | undefined): void;
  protected abstract retryChecks(): void;
  protected abstract catchUp(): void;
  abstract tellWork(): void;
  abstract receive(from: number, message: Wire): void;
}
