// One run of real nodes from one seed. Phase 1: faults of every kind, and work. Phase 2: all is healed, and every transaction that a
// node took in becomes final, or expires. Then the logs are read, and an archive of one is audited.
import { type Rules, rules } from '../../../consensus/rules.ts';
import { auditArchive } from '../../../src/audit/audit.ts';
import { concat } from '../../../src/codec/utf8.ts';
import { archiveBytes } from '../../../src/ledger/archive.ts';
import { closingCheckpoint } from '../../../src/ledger/closingNote.ts';
import type { Genesis } from '../../../src/ledger/genesis.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { makeGenesis, validatorNames } from '../../ledger/fixtures.ts';
import { createPrng, type Prng } from '../prng.ts';
import { type Clock, startClock } from './clock.ts';
import { Council } from './council.ts';
import { type DiskFaults, SimDisk } from './disk.ts';
import { Liar, type Lie, lies } from './liars.ts';
import { SimNetwork } from './network.ts';
import { RealNode } from './node.ts';
import { RealOracle } from './oracle.ts';
import { Workload } from './workload.ts';

export type RealOptions = {
  readonly seed: number;
  readonly validators?: number;
  readonly lies?: readonly Lie[];
  readonly phase1Ms?: number;
  /** For canaries: liars are held to what honest ones promise; no disk keeps what it says that it keeps. */
  readonly trusted?: boolean;
  readonly disksLie?: boolean;
  /** Rules of the engine replaced in every node. */
  readonly broken?: Partial<Rules>;
  /** The network is changed while it runs; default: the seed decides. */
  readonly governs?: boolean;
  /** Within so long after all healed everything is decided. */
  readonly phase2Ms?: number;
  readonly onTrace?: (line: string) => void;
};

export type RealOutcome = {
  readonly ok: boolean;
  readonly error: string;
  /** What the seed made of it, for people. */
  readonly facts: string;
  readonly blocks: number;
  readonly transactions: number;
  readonly restarts: number;
  readonly epochs: number;
};

const consensus = {
  leaderTimeoutMs: 500,
  certificationTimeoutMs: 1000,
  retryMs: 1000,
  fetchMs: 500,
  skipMs: 9000,
  idleBlockMs: 3000,
  recosignMs: 2000,
};

export async function runReal(options: RealOptions): Promise<RealOutcome> {
  const run = new Run(options);
  try {
    await run.play();
  } catch (error) {
    run.oracle.violated(`the run itself failed: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    await run.end();
  }
  if (run.oracle.violations.length === 0) await run.audit();
  const { violations } = run.oracle;
  return {
    ok: violations.length === 0,
    error: violations.join('\n  '),
    facts: run.facts,
    blocks: run.oracle.height,
    transactions: run.workload.confirmed,
    restarts: run.restarts,
    epochs: run.epochs,
  };
}

class Run {
  readonly clock: Clock = startClock();
  readonly oracle: RealOracle;
  readonly workload: Workload;
  readonly facts: string;
  restarts = 0;
  epochs = 1;
  readonly #prng: Prng;
  readonly #genesis: Genesis;
  readonly #network: SimNetwork;
  readonly #nodes: RealNode[] = [];
  readonly #ruleBook: Rules = { ...rules };
  readonly #liars = new Map<string, { readonly lie: Lie; readonly liar: Liar }>();
  readonly #phase1Ms: number;
  readonly #phase2Ms: number;
  readonly #trace: (who: string, text: () => string) => void;
  /** Chances of a cut of the power: per operation of the disk, per second. */
  readonly #cutPerOperation: number;
  readonly #cutPerSecond: number;
  #partitions = 0;
  readonly #council: Council | undefined;
  #faulty = true;

  constructor(options: RealOptions) {
    const prng = createPrng(options.seed);
    this.#prng = prng;
    const { onTrace } = options;
    this.#trace = (who, text) => onTrace?.(`${(this.clock.nowMs() / 1000).toFixed(3)} ${who} ${text()}`);
    const validators = options.validators ?? prng.pick([1, 4, 4, 4, 4, 4, 7]);
    const faults = Math.floor((validators - 1) / 3);
    const drawn = Array.from({ length: prng.int(faults + 1) }, () => prng.pick(lies));
    const chosen = options.lies ?? drawn;
    this.#phase1Ms = options.phase1Ms ?? prng.between(8000, 25_000);
    this.#phase2Ms = options.phase2Ms ?? 120_000;
    this.#genesis = makeGenesis(validators, { consensus }).genesis;
    const names = validatorNames(validators);
    for (const [i, name] of prng.shuffle(names).slice(0, chosen.length).entries()) {
      const lie = chosen[i] as Lie;
      this.#liars.set(name, { lie, liar: new Liar(lie, name, this.#genesis.genesisHash, prng) });
    }
    this.oracle = new RealOracle(this.#genesis, new Set(options.trusted ? [] : this.#liars.keys()));
    const calm = prng.chance(0.2);
    this.#cutPerOperation = calm ? 0 : prng.pick([0, 0.001, 0.01]);
    this.#cutPerSecond = calm ? 0 : prng.pick([0, 0.02, 0.1]);
    this.#partitions = calm ? 0 : prng.pick([0, 0.1, 0.2]);
    // A twin that nobody talks to is no twin.
    if ([...this.#liars.values()].some(({ lie }) => lie === 'twins')) this.#partitions = 0.4;
    const linkFaults = {
      latencyMsMin: 1,
      latencyMsMax: prng.pick([2, 20, 100]),
      slow: prng.pick([0, 0.02]),
      slowMsMax: 800,
      loss: calm ? 0 : prng.pick([0, 0.01, 0.05]),
      breaks: calm ? 0 : prng.pick([0, 0.01]),
    };
    this.#network = new SimNetwork(this.clock, prng, linkFaults, {
      leaving: (from, to, kind, payload) => {
        const node = this.#nodes[from.slot];
        const sent = this.#liars.get(from.name)?.liar.leaving(to, kind, payload) ?? [{ kind, payload }];
        for (const each of sent) this.oracle.left(from.name, each.kind, each.payload, node?.ledger);
        return sent;
      },
      threw: (at, what, error) =>
        this.oracle.violated(`${at.name} threw in ${what}: ${error instanceof Error ? error.stack : String(error)}`),
      blamed: (at, peer, kind) => {
        this.#trace(at.name, () => `says of ${peer} that it sent an impossible frame of kind ${kind}`);
        if (this.oracle.honest(at.name) && this.oracle.honest(peer))
          this.oracle.violated(`${at.name} blames the honest ${peer} for a frame of kind ${kind}`);
      },
    });
    const syncMsMax = prng.pick([1, 5, 30]);
    for (const name of names) {
      const lie = this.#liars.get(name)?.lie;
      for (let twin = 0; twin < (lie === 'twins' ? 2 : 1); twin += 1)
        this.#addNode(name, { syncMsMax, lies: options.disksLie === true }, prng);
    }
    this.#layRules(options.broken ?? {});
    this.workload = new Workload(this.#genesis, this.clock, prng, this.oracle, this.#nodes);
    const governs = options.governs ?? prng.chance(0.6);
    const movable = names.filter((name) => !this.#liars.has(name));
    const mayLeave = Math.floor((validators - 2) / 3) >= this.#liars.size && validators > 1 ? 1 : 0;
    const modules = { clock: this.clock, prng, workload: this.workload };
    const parameters = this.#genesis.epoch.consensus;
    this.#council = governs ? new Council(this.#genesis, parameters, modules, movable, mayLeave) : undefined;
    const told = [...this.#liars].map(([name, { lie }]) => `${name} ${lie}`).join(', ');
    this.facts = `n = ${validators}${told === '' ? '' : `, ${told}`}, ${this.#phase1Ms} ms${calm ? ', calm' : ''}`;
  }

  /** The rule book is one for all nodes of the process. A twin has no eye for what its other half signed. */
  #layRules(broken: Partial<Rules>): void {
    const { isForeign } = rules;
    Object.assign(rules, broken);
    rules.isForeign = (vote, own) =>
      this.#liars.get(this.clock.life()?.name ?? '')?.lie !== 'twins' && isForeign(vote, own);
  }

  /** Gives the process back what it had. No life goes on after it: on real timers it would never end. */
  async end(): Promise<void> {
    for (const node of this.#nodes) node.powerLoss();
    Object.assign(rules, this.#ruleBook);
    await this.clock.end();
  }

  #addNode(name: string, faults: DiskFaults, prng: Prng): void {
    const slot = this.#nodes.length;
    const disk = new SimDisk(this.clock, prng, faults);
    const node = new RealNode(slot, name, prng.between(-150, 150), {
      clock: this.clock,
      network: this.#network,
      disk,
      genesis: this.#genesis.bytes,
      trace: (text) => this.#trace(`${name}${slot}`, text),
      began: (_, ledger, api) => {
        this.restarts += 1;
        this.oracle.began(name, ledger);
        api.subscribe({ topic: 'blocks' }, (event) => {
          if (event.topic !== 'blocks') return;
          this.#trace(`${name}${slot}`, () => `finalizes ${event.block.height} ${event.block.blockId.slice(0, 8)}`);
          this.oracle.told(name, event.block);
        });
      },
      gaveUp: (_, code, detail) => {
        this.#trace(`${name}${slot}`, () => `gives up: ${code}`);
        if (this.oracle.honest(name)) this.oracle.violated(`${name} gave up: ${code} ${detail}`);
      },
    });
    disk.cut = (operation) => {
      if (!this.#faulty || this.#cutPerOperation === 0 || !prng.chance(this.#cutPerOperation)) return false;
      this.#trace(`${name}${slot}`, () => `cut at ${operation}`);
      this.clock.after(0, () => this.#powerLoss(node));
      return true;
    };
    this.#nodes.push(node);
  }

  #lieOf(node: RealNode): Lie | undefined {
    return this.#liars.get(node.name)?.lie;
  }

  #start(node: RealNode): void {
    if (this.#lieOf(node) !== 'silent') node.start();
  }

  #powerLoss(node: RealNode): void {
    if (!node.up) return;
    const old = this.#lieOf(node) === 'rolledBack' && this.#prng.chance(0.7);
    node.powerLoss();
    if (old) node.disk.rollBack();
    this.clock.after(this.#prng.between(10, 5000), () => this.#start(node));
  }

  async play(): Promise<void> {
    const prng = this.#prng;
    for (const node of this.#nodes) this.clock.after(prng.int(300), () => this.#start(node));
    this.#work();
    this.#disturb();
    await this.clock.pass(this.#phase1Ms);
    this.#heal();
    await this.#finish();
  }

  #work(): void {
    const again = (): void => {
      if (!this.#faulty) return;
      for (let i = this.#prng.int(4); i > 0; i -= 1) this.workload.send();
      this.clock.after(this.#prng.between(50, 900), again);
    };
    const ask = (): void => {
      this.workload.ask();
      for (const { name, api } of this.#staying) {
        const why = api?.status().notVoting ?? '';
        if (/^(JOURNAL|STATE|DISK|CERT|FINALITY)_/.test(why)) this.oracle.violated(`${name} does not vote: ${why}`);
      }
      this.clock.after(500, ask);
    };
    const govern = (): void => {
      const there = this.#honest.filter(({ ledger }) => ledger !== undefined);
      this.#council?.act(there.length === 0 ? undefined : this.#prng.pick(there), this.#faulty);
      this.clock.after(1000, govern);
    };
    this.clock.after(600, again);
    this.clock.after(1500, govern);
    this.clock.after(700, ask);
  }

  #disturb(): void {
    const prng = this.#prng;
    const second = (): void => {
      if (!this.#faulty) return;
      for (const node of this.#nodes) {
        if (this.#lieOf(node) === 'rolledBack' && prng.chance(0.1)) node.disk.keepCopy();
        const chance = this.#lieOf(node) === 'rolledBack' ? 0.2 : this.#cutPerSecond;
        if (!prng.chance(chance)) continue;
        if (prng.chance(0.3)) node.stop(() => this.clock.after(prng.between(10, 3000), () => this.#start(node)));
        else this.#powerLoss(node);
      }
      if (prng.chance(this.#partitions)) this.#partition();
      this.clock.after(1000, second);
    };
    this.clock.after(1000, second);
  }

  #partition(): void {
    const prng = this.#prng;
    // Twins stand on both sides, or wherever chance puts them.
    const apart = prng.chance(0.7);
    const hard = prng.chance(0.5);
    const first = new Set<string>();
    const side = new Set<number>();
    for (const { slot, name } of this.#nodes) {
      const twin = this.#liars.get(name)?.lie === 'twins' && apart;
      if (twin ? !first.has(name) : prng.chance(0.5)) side.add(slot);
      first.add(name);
    }
    this.#trace('world', () => `cuts off ${[...side].join(' ')}`);
    for (const { slot: a } of this.#nodes)
      for (const { slot: b } of this.#nodes) if (side.has(a) && !side.has(b)) this.#network.cut(a, b, hard);
    this.clock.after(prng.between(500, 8000), () => this.#network.heal());
  }

  #heal(): void {
    this.#trace('world', () => 'heals');
    this.#faulty = false;
    this.#network.faults = { ...this.#network.faults, latencyMsMax: 20, slow: 0, loss: 0, breaks: 0 };
    this.#network.heal();
    for (const node of this.#nodes) this.clock.after(this.#prng.int(1000), () => this.#start(node));
  }

  get #honest(): RealNode[] {
    return this.#nodes.filter(({ name }) => this.oracle.honest(name));
  }

  /** Of whom more than safety is demanded. */
  get #staying(): RealNode[] {
    return this.#honest.filter(({ name }) => this.#council?.leaving.has(name) !== true);
  }

  /** Liveness: within the bound everything is decided, everywhere, and a checkpoint stands for it. */
  async #finish(): Promise<void> {
    for (let sent = 0; sent < 3; sent += 1) {
      await this.clock.pass(700);
      this.workload.send();
    }
    for (let passedMs = 0; passedMs < this.#phase2Ms && this.oracle.violations.length === 0; passedMs += 500) {
      await this.clock.pass(500);
      if (this.workload.open === 0 && this.#level()) {
        this.#close();
        await this.clock.pass(5000);
        return;
      }
    }
    if (this.oracle.violations.length > 0) return;
    const states = this.#honest.map(({ name, api }) => {
      const status = api?.status();
      return `${name} height ${status?.finalized.height} view ${status?.view} ${status?.notVoting}`;
    });
    this.oracle.violated(
      `not done ${this.#phase2Ms} ms after all healed: ${this.workload.open} open; ${states.join(', ')}`,
    );
  }

  /** Every honest node has the same blocks and a checkpoint of most of them, and votes. */
  #level(): boolean {
    const heights = new Set(this.#staying.map(({ ledger }) => ledger?.finalized.header.height ?? -1));
    if (heights.size !== 1 || heights.has(-1)) return false;
    return this.#staying.every(({ api }) => api?.checkpoint() !== undefined && api.status().notVoting === '');
  }

  #close(): void {
    this.#archives = [];
    for (const node of this.#staying) {
      const { ledger, api } = node;
      if (ledger === undefined || api === undefined) continue;
      this.workload.check(node.name, ledger);
      const checkpoint = api.checkpoint();
      if (checkpoint !== undefined) this.#archives.push({ ledger, checkpoint });
    }
    for (const node of this.#nodes) node.stop();
  }

  #archives: { readonly ledger: Ledger; readonly checkpoint: string }[] = [];

  /** On the process's own time again. */
  async audit(): Promise<void> {
    const kept = this.#archives[0];
    if (kept === undefined) {
      this.oracle.violated('no log was read');
      return;
    }
    const { ledger, checkpoint } = kept;
    const source = {
      genesis: this.#genesis.bytes,
      run: (from: number, bytesMax: number) => ledger.exportRun(from, bytesMax),
      transactions: (height: number) => ledger.block(height)?.transactions ?? 0,
      closing: (epoch: number) => closingCheckpoint(ledger, epoch),
      checkpoint,
    };
    const archive = concat(...archiveBytes(source, {}));
    const report = await auditArchive(archive, { genesis: this.#genesis.bytes });
    if (!report.ok) this.oracle.violated(`the audit does not hold: ${JSON.stringify(report.error)}`);
    this.epochs = report.epochs;
    if (report.height !== ledger.finalized.header.height)
      this.oracle.violated(`the audit ends at ${report.height}, the ledger at ${ledger.finalized.header.height}`);
  }
}
