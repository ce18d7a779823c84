// An executor that can die at any moment: a life is cut at a numbered point, and the next one begins with what was on the disk.
import type { JsonObject } from '../../contracts/types.ts';
import { type ExecutorOptions, type ExecutorSeams, openExecutor } from '../../src/executor/create.ts';
import type { Executor } from '../../src/executor/executor.ts';
import type { LedgerNode } from '../../src/executor/nodes.ts';
import type { Permission } from '../../src/executor/permission.ts';
import { MemoryDisk } from '../ledger/fixtures.ts';
import { account, effect, TestLedger } from './ledger.ts';

/** What an act did, as the world sees it. */
export type Done = { readonly attempt: string; readonly use: number; readonly at: number; finished: boolean };

export class World {
  readonly ledger = new TestLedger();
  disk = new MemoryDisk();
  readonly acts: Done[] = [];
  /** Changes the nodes of lives that begin from here on. */
  nodes: () => readonly LedgerNode[] = () => [this.ledger.node()];
  /** What the wall clock of executors says; their monotonic one is the ledger's. */
  wallMs: () => number = () => this.ledger.now;
  /** How often somebody wanted the trust file held against the chain. */
  advanced = 0;
  /** Whatever the world does meanwhile: called at each point of each life. */
  meanwhile: (point: string) => void = () => undefined;
  readonly options: Partial<ExecutorOptions>;

  constructor(options: Partial<ExecutorOptions> = {}) {
    this.options = options;
  }

  /** Begins a life that ends at its `cutAt`-th point (0: never). */
  async life(cutAt = 0): Promise<Life> {
    return Life.begin(this, cutAt);
  }
}

export class Life {
  readonly world: World;
  readonly #cutAt: number;
  #points = 0;
  /** Where it ended. */
  cut = '';
  readonly trail: string[] = [];
  #executor: Executor | undefined;

  private constructor(world: World, cutAt: number) {
    this.world = world;
    this.#cutAt = cutAt;
  }

  static async begin(world: World, cutAt: number): Promise<Life> {
    const life = new Life(world, cutAt);
    const { ledger, disk } = world;
    disk.before = (operation) => life.#pointOrThrow(`disk ${operation}`);
    const seams: Partial<ExecutorSeams> = {
      files: disk.files,
      clock: { now: () => world.wallMs(), monotonic: () => ledger.now, sleep: (_ms, signal) => life.#sleep(signal) },
      step: (name) => life.#point(name),
      trust: {
        current: ledger.network.trust,
        advance: async () => {
          world.advanced += 1;
          return false;
        },
      },
      nodes: world.nodes().map((node) => life.#mortal(node)),
      sign: (type, body, expires) => ledger.tx(type, account, body, expires),
      lock: async () => async () => undefined,
    };
    const opening = openExecutor(
      { account, signers: [], trust: '', rpc: [], stateDir: '/executor', ...world.options },
      seams,
    );
    life.#executor = await life.#until(opening);
    return life;
  }

  get dead(): boolean {
    return this.cut !== '';
  }

  get executor(): Executor {
    if (this.#executor === undefined) throw new Error('it died before it was open');
    return this.#executor;
  }

  /** What a supervisor does at each start: settle, then try the grant again. Resolves when done, refused or dead. */
  async work(intent: string, document: JsonObject = effect, outcome: 'done' | 'failed' = 'done'): Promise<unknown> {
    if (this.#executor === undefined) return undefined;
    await this.#until(this.#executor.resume());
    return this.run(intent, document, outcome);
  }

  run(target: string, document: JsonObject = effect, outcome: 'done' | 'failed' = 'done'): Promise<unknown> {
    const running = this.executor.run(target, document, (permission) => this.act(permission, outcome));
    return this.#until(running.catch((error: unknown) => error));
  }

  readonly act = async (permission: Permission, outcome: 'done' | 'failed' = 'done') => {
    await this.#point('act begins');
    const { ledger, acts } = this.world;
    const done: Done = { attempt: permission.attempt, use: permission.use, at: ledger.now, finished: false };
    acts.push(done);
    await this.#point('act is half done');
    done.finished = true;
    return { outcome, result: 'as it was' };
  };

  /** Undefined when the life ends before the promise does. */
  async #until<T>(promise: Promise<T>): Promise<T | undefined> {
    promise.catch(() => undefined);
    return Promise.race([promise, this.#death.promise]).catch((error: unknown) => {
      if (this.dead) return undefined;
      throw error;
    });
  }

  readonly #death = Promise.withResolvers<undefined>();

  /** The dead do nothing: whoever waits here waits for ever. */
  async #point(name: string): Promise<void> {
    this.#count(name);
    if (this.dead) await new Promise(() => undefined);
  }

  #pointOrThrow(name: string): void {
    this.#count(name);
    if (this.dead) throw new Error('dead');
  }

  #count(name: string): void {
    if (this.dead) return;
    this.#points += 1;
    this.trail.push(name);
    this.world.meanwhile(name);
    if (this.#points !== this.#cutAt) return;
    this.cut = name;
    this.#death.resolve(undefined);
  }

  /** Each call can be the last before, or after, it has had its effect. */
  #mortal(node: LedgerNode): LedgerNode {
    const around = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
      await this.#point(`before ${name}`);
      try {
        return await call();
      } finally {
        await this.#point(`after ${name}`);
      }
    };
    return {
      ...node,
      token: (wanted, ms) => around('token', () => node.token(wanted, ms)),
      status: (grant) => around('status', () => node.status(grant)),
      submit: (text, ms) =>
        around(`submit ${(JSON.parse(text) as { type: string }).type}`, () => node.submit(text, ms)),
    };
  }

  /** Time passes when the test says so: the loop in the background never wakes by itself. */
  #sleep(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) resolve();
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
