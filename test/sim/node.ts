// The shell's upper half: blocks and their checks, builds, commits, catching up, and what comes in from others.

import { needs, statusOf } from '../../consensus/engine.ts';
import { liveRecords } from '../../consensus/journal.ts';
import type { State } from '../../consensus/state.ts';
import type { BlockFacts, Certificate, Finalization, Message } from '../../consensus/types.ts';
import { Host } from './host.ts';
import { Violation } from './oracle.ts';
import type { ToyBlock } from './toyLedger.ts';
import type { Wire } from './world.ts';

export class SimNode extends Host {
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

  protected override onCheck(type: 'verified' | 'certified', view: number, facts: BlockFacts): void {
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

  protected override retryChecks(): void {
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

  protected override onBuild(view: number, parent: BlockFacts, mayBeEmpty: boolean): void {
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

  override tellWork(): void {
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

  protected override onFinalized(certificate: Finalization, block: BlockFacts | undefined): void {
    this.target = { view: certificate.subject.view, id: certificate.subject.blockId, certificate };
    if (block !== undefined && this.disk.blocks.has(block.id) && !this.options.quirks.tellsEarly) {
      this.world.oracle.onFinalized(this.index, block.height, block.id);
    }
    this.catchUp();
  }

  protected override catchUp(): void {
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

  override receive(from: number, message: Wire): void {
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
