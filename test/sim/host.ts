// The lower half of a machine, as consensus/README.md demands it of a shell: life and death, its clocks, journal and blocks in
// one sync, outward effects held back until then.
import { step } from '../../consensus/engine.ts';
import type { State } from '../../consensus/state.ts';
import type { Effect, Event, HaltCode, Message, ValidatorIndex } from '../../consensus/types.ts';
import { createDisk, type Disk } from './disk.ts';
import type { EpochSet, SimBlock, SimLedger } from './ledger.ts';
import { describeMessage, type MachineOptions, type Quirks, startMs, type Wire, type World } from './world.ts';

/** Where a machine may lose power: before a write is synced, just after, or when what it held back has left. */
export type CrashPoint = 'before' | 'after' | 'later';
export const crashPoints: readonly CrashPoint[] = ['before', 'after', 'later'];

/** A lane that has been gone so long is gone round (the relay rule). */
const relayAfterMs = 100;

function machineOf(set: EpochSet, validator: ValidatorIndex): number {
  return set.validators[validator]!.machine;
}

export abstract class Host {
  readonly index: number;
  readonly world: World;
  readonly options: MachineOptions;
  readonly quirks: Quirks;
  readonly disk: Disk;
  readonly ledger: SimLedger;
  up = false;
  frozen = false;
  state: State | undefined;
  epoch = 1;
  set: EpochSet;
  /** Own index in this epoch; undefined: an observer. */
  me: ValidatorIndex | undefined;
  /** Vote keys that may never sign again (W11). */
  readonly spentKeys = new Set<string>();
  /** Asked at each journal write and each commit: does the machine lose power here? */
  crashAt: (what: 'journal' | 'commit') => CrashPoint | undefined = () => undefined;
  /** Asked at each power loss: is the record after the last whole one torn, and how many durable ones are gone? */
  tears = (): boolean => false;
  rollsBack = (): number => 0;
  extraSyncMs = 0;
  /** Goes up with every crash: what was scheduled before is void. */
  protected life = 0;
  protected bootMs = 0;
  protected wakeAtMs: number | undefined;
  protected outbox: { after: number; release: () => void }[] = [];
  protected syncing = false;
  /** Something was written that does not wait for company: all but certificates and floors, as in src/node/shell.ts. */
  private urgent = false;
  protected crashAfterSync = false;
  protected bodies = new Map<string, SimBlock>();
  private backlog: (() => void)[] = [];

  constructor(world: World, options: MachineOptions) {
    this.world = world;
    this.options = options;
    this.index = options.index;
    const { onlyMachine } = options.quirks;
    this.quirks = onlyMachine === undefined || onlyMachine === options.index ? options.quirks : {};
    this.disk = createDisk();
    this.ledger = world.newLedger(options.index);
    this.set = this.ledger.setOf(1)!;
  }

  get tip(): SimBlock {
    return this.ledger.tip();
  }

  // Life

  boot(): void {
    if (this.up) return;
    this.up = true;
    this.life += 1;
    this.bootMs = this.world.schedule.nowMs();
    this.outbox = [];
    this.backlog = [];
    this.frozen = false;
    this.syncing = false;
    this.urgent = false;
    this.crashAfterSync = false;
    this.bodies = new Map(this.disk.blocks);
    this.booted();
  }

  crash(): void {
    if (!this.up) return;
    const { prng } = this.world;
    const { pending } = this.disk;
    const kept = prng.chance(0.5) ? 0 : prng.int(pending.length + 1);
    const torn = this.tears();
    this.world.trace(
      this.index,
      () => `loses power; ${kept} of ${pending.length} unsynced writes survive${torn ? ', the next is torn' : ''}`,
    );
    if (kept < pending.length) this.world.did('lost writes');
    if (torn && pending[kept] !== undefined && 'frame' in pending[kept]!) this.world.did('torn record');
    this.disk.crash(kept, torn);
    const lost = this.rollsBack();
    if (lost > 0) {
      this.disk.rollBack(lost);
      this.world.did('rolled back');
    }
    this.ledger.crash();
    this.up = false;
    this.life += 1;
    this.state = undefined;
  }

  /** SIGSTOP: nothing runs; what arrives and falls due waits. */
  freeze(): void {
    this.frozen = this.up;
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    const waiting = this.backlog;
    this.backlog = [];
    this.world.trace(this.index, () => `thaws; ${waiting.length} things waited`);
    for (const action of waiting) this.run(action);
  }

  /** After `delayMs`, unless the machine crashed meanwhile. */
  protected later(delayMs: number, action: () => void): void {
    const life = this.life;
    this.world.schedule.after(delayMs, () => {
      if (this.life === life) this.run(action);
    });
  }

  protected run(action: () => void): void {
    if (!this.frozen) action();
    else if (this.backlog.length < 20_000) {
      const life = this.life;
      this.backlog.push(() => this.life === life && action());
    }
  }

  // Messages

  deliver(from: number, message: Wire): void {
    if (this.up) this.run(() => this.up && this.receive(from, message));
  }

  others(): number[] {
    const others: number[] = [];
    for (let machine = 0; machine < this.world.machines; machine += 1) if (machine !== this.index) others.push(machine);
    return others;
  }

  transmit(to: number, message: Wire): void {
    const { network, schedule } = this.world;
    network.send(this.index, to, message);
    if ((message.kind !== 'consensus' && message.kind !== 'ask') || this.quirks.neverRelays) return;
    const downMs = network.laneDownSinceMs(this.index, to);
    if (downMs === undefined || schedule.nowMs() - downMs < relayAfterMs) return;
    for (const helper of this.others()) {
      if (helper !== to && network.laneDownSinceMs(this.index, helper) === undefined)
        network.send(this.index, helper, { kind: 'relay', from: this.index, to, inner: message });
    }
  }

  transmitMessage(to: number, message: Message, epoch: number): void {
    const apart = message.type !== 'proposal' || this.world.prng.chance(this.options.bodyApart);
    const body = apart ? undefined : this.bodies.get(message.block.id);
    this.transmit(to, { kind: 'consensus', epoch, message, ...(body !== undefined && { body }) });
  }

  // Engine

  protected wallMs(): number {
    return startMs + this.world.schedule.nowMs() + this.options.clockOffsetMs;
  }

  tick(): void {
    const monotonicMs = this.world.schedule.nowMs() - this.bootMs;
    const wallMs = this.wallMs();
    const { state } = this;
    if (state?.started && state.nowMs === monotonicMs && state.wallMs === wallMs) return;
    this.step({ type: 'tick', monotonicMs, wallMs });
  }

  step(event: Event): void {
    const { state } = this;
    if (state === undefined || !this.up) return;
    if (this.quirks.neverHears && event.type === 'heard') return;
    this.quirks.beforeStep?.(state, event);
    const effects = step(state, event);
    const life = this.life;
    for (const effect of effects) {
      if (this.life !== life || this.state !== state) return;
      this.apply(effect, state);
    }
    if (this.state !== state) return;
    this.startSync();
    this.stepped(state);
  }

  private apply(effect: Effect, state: State): void {
    // What waits for a sync may leave in the next epoch.
    const { world, epoch, set } = this;
    switch (effect.type) {
      case 'journal': {
        this.disk.write({ frame: { epoch, record: effect.record } });
        if (effect.record.kind !== 'certificate' && effect.record.kind !== 'floor') this.urgent = true;
        const point = this.crashAt('journal');
        if (point !== undefined) this.crashSoon(point);
        return;
      }
      case 'store': {
        if (this.quirks.skipsStore) return;
        const block = this.bodies.get(effect.block.id);
        if (block === undefined) throw new Error(`machine ${this.index}: store of ${effect.block.id} without its body`);
        this.disk.write({ block });
        return;
      }
      case 'broadcast':
        this.outward(() => {
          this.sent(effect.message, set);
          for (const machine of this.others()) this.transmitMessage(machine, effect.message, epoch);
        });
        return;
      case 'send':
        this.outward(() => {
          this.sent(effect.message, set);
          this.transmitMessage(machineOf(set, effect.peer), effect.message, epoch);
        });
        return;
      case 'fetch': {
        if (this.quirks.neverFetches || (this.quirks.asksOnlyFirst && effect.peers.length > 1)) return;
        if (effect.what === 'block') {
          const held = this.bodies.get(effect.blockId);
          if (held !== undefined) {
            this.later(0, () => this.state === state && this.step({ type: 'fetched', block: held.facts }));
            return;
          }
        }
        this.outward(() => {
          for (const peer of effect.peers) {
            this.transmit(
              machineOf(set, peer),
              effect.what === 'view'
                ? { kind: 'request', epoch, view: effect.view }
                : { kind: 'getBlock', id: effect.blockId },
            );
          }
        });
        return;
      }
      case 'evidence':
        if (this.quirks.evidence === 'drops') return;
        this.outward(() => {
          world.trace(this.index, () => `evidence against ${effect.offender}`);
          world.oracle.onEvidence(this.index, set, effect.a, effect.b);
        });
        return;
      case 'wake':
        this.onWake(effect.atMs);
        return;
      case 'voting':
        world.trace(this.index, () => 'votes from now on');
        return;
      case 'halt':
        world.trace(this.index, () => `halts: ${effect.code} ${effect.detail}`);
        world.oracle.onHalted(this.index, effect.code, effect.detail);
        this.halted(effect.code);
        return;
      default:
        this.applyBlocks(effect, state);
    }
  }

  private sent(message: Message, set: EpochSet): void {
    this.world.trace(this.index, () => `sends ${describeMessage(message)}`);
    this.world.oracle.onSent(this.index, set, message, this.disk);
  }

  private onWake(atMs: number | undefined): void {
    this.wakeAtMs = atMs;
    if (atMs === undefined) return;
    this.later(this.bootMs + atMs - this.world.schedule.nowMs(), () => {
      if (this.wakeAtMs === atMs) this.tick();
    });
  }

  // Disk

  protected outward(release: () => void): void {
    if (this.quirks.releasesEarly) {
      this.later(0, release);
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

  protected startSync(): void {
    if (!this.up || this.syncing || this.disk.written === this.disk.durable) return;
    if (!this.urgent && this.outbox.length === 0) return;
    this.syncing = true;
    this.urgent = false;
    const upTo = this.disk.written;
    if (this.extraSyncMs > 0) this.world.did('slow disk');
    this.later(this.extraSyncMs + this.world.prng.int(this.options.syncMsMax + 1), () => {
      this.syncing = false;
      this.disk.syncTo(upTo);
      if (this.crashAfterSync && this.world.faulty()) {
        this.crash();
        return;
      }
      this.releaseDue();
      if (!this.up) return;
      this.tick();
      // Sequence numbers count this engine's journal records only; all but the last pending ones are durable.
      const open = this.disk.pending.filter((write) => 'frame' in write && write.frame.epoch === this.epoch).length;
      this.step({ type: 'journaled', seq: Math.max(0, (this.state?.seq ?? 0) - open) });
      this.startSync();
    });
  }

  protected crashSoon(point: CrashPoint): void {
    this.world.did('crash at a journal write');
    if (point === 'before') this.crash();
    else if (point === 'after') this.crashAfterSync = true;
    else this.later(this.world.prng.int(2 * this.options.syncMsMax + 2), () => this.world.faulty() && this.crash());
  }

  // The upper half: chain.ts and node.ts

  protected abstract booted(): void;
  protected abstract halted(code: HaltCode): void;
  /** After each step. */
  protected abstract stepped(state: State): void;
  /** `build`, `verify`, `certify`, `finalized`, `epochEnded`. */
  protected abstract applyBlocks(effect: Effect, state: State): void;
  protected abstract receive(from: number, message: Wire): void;
}
