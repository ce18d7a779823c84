// The middle of a machine: blocks and their checks, builds, commits, and the way from one epoch's engine to the next.
import { statusOf } from '../../consensus/engine.ts';
import { liveRecords, replay } from '../../consensus/journal.ts';
import type { Modules, State } from '../../consensus/state.ts';
import type { BlockFacts, Config, Effect, Finalization, HaltCode } from '../../consensus/types.ts';
import { Host } from './host.ts';
import type { SimBlock } from './ledger.ts';

/** Between questions for one missing body or chain. */
const askMs = 50;

export abstract class ChainHost extends Host {
  readonly mempool = new Set<number>();
  /** Asked at each check: is the verdict not known yet, and when (after how many ms) will it be? */
  pends: () => number | undefined = () => undefined;
  protected checks: (() => boolean)[] = [];
  private target: { view: number; id: string; certificate: Finalization } | undefined;
  private committing = false;
  private askedChainAtMs = Number.NEGATIVE_INFINITY;
  private workTold = false;
  private reportedTip = '';

  // Epochs

  protected override booted(): void {
    this.world.oracle.onRestarted(this.index, (height, id) => this.holdsFinal(height, id));
    this.startEpoch(false);
  }

  /** W10: what comes after the store's last block. `fresh`: the machine went on living, its old engine is over. */
  protected startEpoch(fresh: boolean): void {
    const tip = this.tip.facts;
    const epoch = tip.closing ? tip.epoch + 1 : tip.epoch;
    const set = this.ledger.setOf(epoch);
    if (set === undefined) throw new Error(`machine ${this.index}: no set for epoch ${epoch}`);
    this.epoch = epoch;
    this.set = set;
    const at = set.validators.findIndex(({ machine, key }) => machine === this.index && !this.spentKeys.has(key));
    this.me = at < 0 ? undefined : at;
    this.checks = [];
    this.target = undefined;
    this.committing = false;
    this.askedChainAtMs = Number.NEGATIVE_INFINITY;
    this.workTold = false;
    this.reportedTip = '';
    this.wakeAtMs = undefined;
    for (let height = Math.max(0, tip.height - 1); height <= tip.height; height += 1) {
      const block = this.ledger.at(height);
      if (block !== undefined) this.bodies.set(block.facts.id, block);
    }
    const certificate = tip.closing ? undefined : this.ledger.certificate();
    const back = this.quirks.floorGoesBack === true && epoch === 1;
    const floor =
      certificate === undefined
        ? { view: 0, block: tip }
        : back
          ? { view: 0, block: this.ledger.at(0)!.facts }
          : { view: certificate.subject.view, block: tip, certificate };
    const config: Config = {
      epoch,
      validators: set.validators.length,
      ...(this.me !== undefined && { me: this.me }),
      leaderOrder: set.leaderOrder,
      floor,
      timings: { ...this.options.timings, ...this.quirks.timings },
      retentionViews: this.quirks.retentionViews ?? this.options.retentionViews,
    };
    const key = this.me === undefined ? undefined : set.validators[this.me]!.key;
    const modules: Modules = {
      ...(key !== undefined && { sign: (kind, subject) => this.world.crypto.sign(key, kind, subject) }),
      ...(this.quirks.rules !== undefined && { rules: this.quirks.rules }),
    };
    let records = this.disk.read(this.quirks.replaysOldEpoch && fresh ? epoch - 1 : epoch);
    // An observer keeps certificates; votes are those of a key that it may not use any more.
    if (this.me === undefined)
      records = records.filter((record) => record.kind !== 'vote' && record.kind !== 'notarized');
    if (back) records = records.filter((record) => record.kind !== 'floor');
    // W10: the new journal stands on the disk before anything of this epoch leaves.
    if (records.length === 0) this.disk.write({ restart: { epoch, record: { kind: 'floor', floor } } });
    this.world.trace(
      this.index,
      () =>
        `epoch ${epoch}: begins at height ${tip.height}, view ${floor.view}, as ${this.me === undefined ? 'an observer' : `validator ${this.me}`} with ${records.length} records`,
    );
    const state = replay(config, modules, records);
    this.state = state;
    if (this.quirks.votesUnasked && this.me !== undefined) {
      state.answered = undefined;
      state.voting = true;
    }
    this.tick();
    this.step({ type: 'start' });
    if (this.state === state) this.entered(state);
  }

  protected override halted(code: HaltCode): void {
    if (code !== 'JOURNAL_ROLLED_BACK' || this.me === undefined) {
      this.state = undefined;
      return;
    }
    // It follows as an observer, until it is listed with another key.
    this.spentKeys.add(this.set.validators[this.me]!.key);
    this.world.did('stopped by W11');
    this.state = undefined;
    this.later(1, () => this.startEpoch(false));
  }

  /** Is what was told final still here, in the store or in block file and journal together? */
  private holdsFinal(height: number, id: string): boolean {
    if (this.ledger.at(height)?.facts.id === id) return true;
    if (!this.disk.blocks.has(id)) return false;
    return this.disk.journal.some(
      ({ record }) =>
        record.kind === 'certificate' &&
        record.certificate.kind === 'finalize' &&
        (this.disk.blocks.get(record.certificate.subject.blockId)?.facts.height ?? -1) >= height,
    );
  }

  // Blocks

  /** The blocks from just above the store up to `id`, or the id of the first that is missing. */
  private chainTo(id: string): SimBlock[] | string {
    const chain: SimBlock[] = [];
    for (let at = id; at !== this.tip.facts.id; ) {
      const block = this.bodies.get(at);
      if (block === undefined) return at;
      if (block.facts.height <= this.tip.facts.height) break;
      chain.push(block);
      at = block.facts.parent;
    }
    return chain.reverse();
  }

  /** Newest last, from just above `height` up to `id`; shorter if something is not here. */
  protected blocksAbove(height: number, id: string): SimBlock[] {
    const blocks: SimBlock[] = [];
    const held = (at: string): SimBlock | undefined => {
      const below = blocks[blocks.length - 1];
      const stored = below === undefined ? undefined : this.ledger.at(below.facts.height - 1);
      return this.bodies.get(at) ?? (stored?.facts.id === at ? stored : undefined);
    };
    for (let block = held(id); block !== undefined && block.facts.height > height; block = held(block.facts.parent))
      blocks.push(block);
    return blocks.reverse();
  }

  protected takeBlock(block: SimBlock): void {
    if (this.bodies.has(block.facts.id)) return;
    this.bodies.set(block.facts.id, block);
    this.step({ type: 'fetched', block: block.facts });
    this.retryChecks();
    this.catchUp();
  }

  /** Executes `id` after its ancestors, then answers; without them it answers what is missing. */
  protected execute(id: string, done: (fits: boolean) => void): string | undefined {
    const chain = this.chainTo(id);
    if (typeof chain === 'string') return chain;
    const todo = chain.filter((block) => !this.ledger.hasExecuted(block.facts.id));
    const { life } = this;
    const next = (fits: boolean): void => {
      if (this.life !== life) return;
      const block = todo.shift();
      if (block === undefined || !fits) done(fits);
      else this.ledger.execute(block, next);
    };
    next(true);
    return undefined;
  }

  private check(type: 'verified' | 'certified', view: number, facts: BlockFacts, state: State): void {
    const { prng } = this.world;
    const answer = (verdict: 'valid' | 'invalid' | { pending: true; retryAtWallMs?: number }): void => {
      if (this.state !== state) return;
      this.tick();
      if (this.state === state) this.step({ type, view, blockId: facts.id, verdict });
    };
    let asked = 0;
    const check = (): boolean => {
      if (this.state !== state) return true;
      const missing = this.execute(facts.id, (fits) => {
        const told = this.quirks.verdict?.(type, fits) ?? fits;
        this.later(prng.int(3), () =>
          answer(
            told === 'pending' ? { pending: true, retryAtWallMs: this.wallMs() + 50 } : told ? 'valid' : 'invalid',
          ),
        );
      });
      if (missing === undefined) return true;
      // The leader first, then anybody.
      const proposer = this.set.validators[facts.proposer]?.machine;
      const others = this.others();
      const to = asked === 0 && proposer !== undefined && proposer !== this.index ? proposer : prng.pick(others);
      asked += 1;
      if (others.length > 0) this.transmit(to, { kind: 'getBlock', id: missing });
      return false;
    };
    const wait = this.pends();
    if (wait !== undefined) {
      this.world.did('pending verdict');
      this.later(0, () => answer({ pending: true, retryAtWallMs: this.wallMs() + wait }));
    } else if (!check()) this.keepChecking(check);
  }

  private keepChecking(check: () => boolean): void {
    this.checks.push(check);
    const again = (): void => {
      if (!this.checks.includes(check)) return;
      this.retryChecks();
      this.later(askMs, again);
    };
    this.later(askMs, again);
  }

  private retryChecks(): void {
    if (this.checks.length === 0) return;
    const open = this.checks;
    this.checks = [];
    for (const check of open) if (!check()) this.checks.push(check);
  }

  protected build(view: number, parent: BlockFacts, mayBeEmpty: boolean, state: State): void {
    const build = (): boolean => {
      if (this.state !== state) return true;
      return this.execute(parent.id, () => this.buildOn(view, parent, mayBeEmpty, state)) === undefined;
    };
    if (!build()) this.keepChecking(build);
  }

  private buildOn(view: number, parent: BlockFacts, mayBeEmpty: boolean, state: State): void {
    const on = this.bodies.get(parent.id) ?? this.tip;
    this.later(this.world.prng.int(4), () => {
      if (this.state !== state || this.me === undefined) return;
      const txs = [...this.mempool]
        .filter((tx) => tx > 0 || tx === -this.epoch)
        .filter((tx) => !this.ledger.includes(on, tx));
      this.tick();
      if (txs.length === 0 && (!mayBeEmpty || this.quirks.declinesEmpty) && !this.quirks.alwaysWorks) {
        this.workTold = false;
        this.step({ type: 'built', view });
        this.tellWork();
        return;
      }
      const draft = { epoch: this.epoch, view, proposer: this.me, timeMs: this.wallMs(), txs };
      this.ledger.build(on, draft, (block) => {
        if (this.state !== state) return;
        this.bodies.set(block.facts.id, block);
        this.step({ type: 'built', view, block: block.facts });
      });
    });
  }

  tellWork(): void {
    const { state } = this;
    if (state === undefined || !state.started) return;
    const tip = statusOf(state).certifiedBlock;
    const on = (tip === undefined ? undefined : this.bodies.get(tip.id)) ?? this.tip;
    let pending = this.quirks.alwaysWorks === true;
    for (const tx of this.mempool) {
      if ((tx > 0 || tx === -this.epoch) && !this.ledger.includes(on, tx)) {
        pending = true;
        break;
      }
    }
    if (pending === this.workTold) return;
    this.workTold = pending;
    this.step({ type: 'work', pending, full: pending && this.world.prng.chance(this.options.full) });
  }

  takeTx(tx: number): void {
    if (!this.up || this.state === undefined || this.mempool.has(tx) || this.ledger.includes(this.tip, tx)) return;
    this.mempool.add(tx);
    this.tick();
    this.tellWork();
  }

  protected override stepped(state: State): void {
    const tip = statusOf(state).certifiedBlock?.id ?? '';
    if (tip === this.reportedTip) return;
    this.reportedTip = tip;
    this.tellWork();
  }

  // Commits

  protected override applyBlocks(effect: Effect, state: State): void {
    switch (effect.type) {
      case 'build':
        this.build(effect.view, effect.parent, effect.mayBeEmpty, state);
        return;
      case 'verify':
        this.check('verified', effect.view, effect.block, state);
        return;
      case 'certify':
        this.check('certified', effect.view, effect.block, state);
        return;
      case 'finalized': {
        const { block, certificate } = effect;
        if (this.quirks.tellsEarly && block !== undefined) this.tell(block.height, block.id);
        // At once: the commit makes block and certificate durable, and only then is anybody told.
        this.later(0, () => {
          if (this.state !== state) return;
          this.target = { view: certificate.subject.view, id: certificate.subject.blockId, certificate };
          if (this.quirks.commitsEarly && block !== undefined)
            this.step({ type: 'committed', view: this.target.view, block });
          this.catchUp();
        });
        return;
      }
      case 'epochEnded':
        this.outward(() =>
          this.world.trace(this.index, () => `epoch ${effect.block.epoch} ended with ${effect.block.id}`),
        );
        return;
    }
  }

  private tell(height: number, id: string): void {
    this.world.oracle.onTold(this.index, height, id);
  }

  protected catchUp(): void {
    const { target, state } = this;
    if (target === undefined || this.committing || state === undefined) return;
    const chain = this.chainTo(target.id);
    const { schedule, prng } = this.world;
    if (typeof chain === 'string') {
      if (schedule.nowMs() - this.askedChainAtMs < askMs) return;
      this.askedChainAtMs = schedule.nowMs();
      const others = this.others();
      if (others.length > 0)
        this.transmit(prng.pick(others), { kind: 'getChain', id: chain, aboveHeight: this.tip.facts.height });
      this.later(askMs + 10, () => this.catchUp());
      return;
    }
    const first = chain[0];
    if (first !== undefined && first.facts.parent !== this.tip.facts.id)
      this.world.oracle.onForked(this.index, first.facts.id, this.tip.facts.id);
    this.committing = true;
    const stop = (): void => {
      this.committing = false;
    };
    this.later(1 + prng.int(3), () => {
      if (this.state !== state) return stop();
      const refused = this.execute(target.id, (fits) => {
        if (this.state !== state) return;
        if (!fits) this.world.oracle.onRefusedFinal(this.index, target.id);
        const point = this.crashAt('commit');
        if (point !== undefined) this.world.did('crash at a commit');
        if (point === 'before') this.crash();
        else
          this.ledger.commit(chain, target.certificate, () =>
            this.committed(chain, target, state, point !== undefined),
          );
      });
      if (refused !== undefined) stop();
    });
  }

  private committed(
    chain: readonly SimBlock[],
    target: { view: number; certificate: Finalization },
    state: State,
    crashes: boolean,
  ): void {
    for (const block of chain) {
      this.world.oracle.onCommitted(this.index, this.set, block, this.ledger.txsOf(block));
      this.tell(block.facts.height, block.facts.id);
      for (const tx of this.ledger.txsOf(block)) this.mempool.delete(tx);
    }
    this.world.oracle.onRoot(this.index, this.tip.facts.height, this.ledger.root());
    this.world.trace(this.index, () => `commits up to ${this.tip.facts.id} (view ${target.view})`);
    if (crashes) {
      this.crash();
      return;
    }
    this.committing = false;
    if (this.target === target) this.target = undefined;
    this.tick();
    if (this.state !== state) return;
    this.step({ type: 'committed', view: target.view, block: this.tip.facts });
    if (this.state !== state) return;
    this.cosign(target.certificate);
    if (this.tip.facts.closing && this.tip.facts.epoch === this.epoch && !this.quirks.staysInEpoch) {
      this.startEpoch(true);
      return;
    }
    if (this.disk.pending.length === 0 && this.me !== undefined && this.world.prng.chance(0.2))
      this.disk.compact(this.epoch, liveRecords(state));
    this.tellWork();
    this.retryChecks();
    this.catchUp();
  }

  /** The store holds what its tip says, for ever: others are told. */
  protected abstract cosign(certificate: Finalization): void;
  /** A new engine runs: say so to the others, and ask them (W11). */
  protected abstract entered(state: State): void;
}
