// A real node with its real ledger, in lives that end by a stop or a power loss, on a disk that stays.
import { keyPairOf, type ValidatorKeys } from '../../../src/crypto/validatorKeys.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { inlineVerifier } from '../../../src/ledger/prepare.ts';
import type { NodeApi } from '../../../src/node/api.ts';
import type { Config } from '../../../src/node/config.ts';
import { WeftNode } from '../../../src/node/node.ts';
import { genesisTime, nodeSeed, seedOf } from '../../ledger/fixtures.ts';
import type { Clock, Life } from './clock.ts';
import type { SimDisk } from './disk.ts';
import type { Seat, SimNetwork } from './network.ts';

export type RealNodeModules = {
  readonly clock: Clock;
  readonly network: SimNetwork;
  readonly disk: SimDisk;
  readonly genesis: Uint8Array;
  readonly trace: (text: () => string) => void;
  /** A life has begun: what was promised before is there, or it is not. */
  readonly began: (node: RealNode, ledger: Ledger, api: NodeApi) => void;
  /** The node gave something up: a start, its votes. */
  readonly gaveUp: (node: RealNode, code: string, detail: string) => void;
};

export class RealNode {
  readonly slot: number;
  readonly name: string;
  readonly disk: SimDisk;
  readonly #modules: RealNodeModules;
  readonly #skewMs: number;
  #life: Life | undefined;
  #ledger: Ledger | undefined;
  #node: WeftNode | undefined;

  constructor(slot: number, name: string, skewMs: number, modules: RealNodeModules) {
    this.slot = slot;
    this.name = name;
    this.#skewMs = skewMs;
    this.#modules = modules;
    this.disk = modules.disk;
  }

  get up(): boolean {
    return this.#life !== undefined;
  }

  /** Undefined while it starts, stops or is down. */
  get api(): NodeApi | undefined {
    return this.#node?.api;
  }

  get ledger(): Ledger | undefined {
    return this.#node === undefined ? undefined : this.#ledger;
  }

  /** Runs code of a client of this node. */
  as<T>(action: () => T): T {
    return this.#life === undefined ? action() : this.#modules.clock.as(this.#life, action);
  }

  start(): void {
    if (this.#life !== undefined) return;
    const life: Life = { name: this.name, over: false };
    this.#life = life;
    this.#modules.trace(() => 'starts');
    void this.#modules.clock.as(life, () => this.#start(life));
  }

  async #start(life: Life): Promise<void> {
    const { clock, network, genesis, began, gaveUp, trace } = this.#modules;
    const { files, database } = this.disk.open(life);
    const seat: Seat = { slot: this.slot, name: this.name, life };
    const say = (level: string) => (details: object, message: string) =>
      trace(() => `${level}: ${message} ${JSON.stringify(details)}`);
    try {
      const node = await WeftNode.start({
        config: configOf(this.name),
        genesis,
        keys: keysOf(this.name, 0),
        nextKeys: keysOf(this.name, 1),
        version: 'sim',
        log: { debug: () => undefined, info: say('info'), warn: say('warn'), error: say('error') },
        openLedger: async (options) => {
          const ledger = await Ledger.open({ ...options, files, database, verifier: inlineVerifier });
          this.#ledger = ledger;
          return ledger;
        },
        createNetwork: network.of(seat),
        files,
        // As Date.now() counts.
        wallMs: () => Math.floor(genesisTime + 1000 + clock.nowMs() + this.#skewMs),
        monotonicMs: () => clock.nowMs(),
        stopped: (code) => gaveUp(this, code, 'stopped'),
        reopen: (why) => {
          trace(() => `asks to be opened anew: ${why}`);
          this.stop(() => this.start());
        },
      });
      if (life.over || this.#ledger === undefined) return;
      this.#node = node;
      began(this, this.#ledger, node.api);
    } catch (error) {
      if (life.over) return;
      this.#end(life);
      gaveUp(this, (error as { code?: string }).code ?? 'START', String(error instanceof Error ? error.stack : error));
    }
  }

  /** In order: what it was doing is done first. */
  stop(then: () => void = () => undefined): void {
    const node = this.#node;
    const life = this.#life;
    if (node === undefined || life === undefined) return;
    this.#modules.trace(() => 'stops');
    this.#node = undefined;
    void this.#modules.clock.as(life, async () => {
      await node.close();
      if (life.over) return;
      this.#end(life);
      then();
    });
  }

  powerLoss(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#modules.trace(() => 'loses power');
    this.#end(life);
    this.disk.powerLoss();
  }

  #end(life: Life): void {
    life.over = true;
    this.#life = undefined;
    this.#node = undefined;
    this.#modules.network.gone(this.slot);
  }
}

const roles = ['peer', 'vote', 'log', 'cosigner', 'account'] as const;
const keys = new Map<string, ValidatorKeys>();

/** Generation 0 is that of genesis. Peer and account stay the same. */
function keysOf(name: string, generation: number): ValidatorKeys {
  const id = `${name} ${generation}`;
  let made = keys.get(id);
  if (made === undefined) {
    const pairs = roles.map((role) => {
      const seed = role === 'account' ? seedOf(name) : nodeSeed(name, role, role === 'peer' ? 0 : generation);
      return [role, keyPairOf(seed)];
    });
    made = Object.fromEntries(pairs) as ValidatorKeys;
    keys.set(id, made);
  }
  return made;
}

function configOf(name: string): Config {
  return {
    name,
    role: 'validator',
    genesis: '/genesis.json',
    keys: '/weft-sim/keys/keys.json',
    data: '/weft-sim/data',
    minFreeBytes: 0,
    snapshotEveryBlocks: 0,
    keepBlocks: 0,
    keepLog: 0,
    peer: { listen: [], peers: [] },
    rpc: {} as Config['rpc'],
    log: { level: 'silent' },
    mempool: { transactionsMax: 5000, bytesMax: 16 * 1024 * 1024, transactionsPerAccountMax: 2000 },
    consensus: {
      blockIntervalMs: 20,
      targetBlockBytes: 262_144,
      buildBudgetMs: 40,
      finalizeGraceMs: 50,
      leaderSilentMs: 2000,
      maxClockDriftMs: 500,
    },
  };
}
