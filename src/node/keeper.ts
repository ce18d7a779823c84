import { performance } from 'node:perf_hooks';
import { WeftError } from '../codec/error.ts';
import { diskCodeOf } from '../ledger/diskError.ts';
import type { NodeApi, NodeStatus } from './api.ts';
import { DiskGuard, freeBytesOf, probeDisk } from './diskGuard.ts';
import { Fates } from './fates.ts';
import type { Log } from './log.ts';
import { Mempool } from './mempool.ts';
import { type Kept, type NodeOptions, WeftNode } from './node.ts';
import { Subscribers } from './subscribers.ts';

/**
 * Keeps a node running through what needs its data folder opened anew: a disk that was full or failed, a store that has come up
 * to its journal. Everything in the folder is read and checked again and the journal goes on in a fresh file (after a write that
 * failed the old one proves nothing), but the process, its RPC port, its subscribers and what waits in the mempool stay.
 */
export type KeeperModules = {
  readonly freeBytes?: (folder: string) => Promise<number>;
  readonly probe?: (folder: string) => Promise<void>;
  readonly diskEveryMs?: number;
  /** It cannot be opened again and waiting does not help: the process has to end and say why. */
  readonly fatal: (error: unknown) => void;
};

/** Full disks and failing ones may pass; the rest is for a person. */
const passing: ReadonlySet<string> = new Set(['DISK_FULL', 'DISK_FAILED']);
const diskEveryMs = 2000;

export class NodeKeeper {
  readonly api: NodeApi;
  readonly log: Log;
  readonly #options: NodeOptions;
  readonly #modules: KeeperModules;
  readonly #guard: DiskGuard;
  readonly #kept: Kept;
  #node: WeftNode | undefined;
  /** While no node is there. */
  #last: { readonly status: NodeStatus; readonly code: string } | undefined;
  #reopening: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** @throws as WeftNode.start */
  static async start(options: NodeOptions, modules: KeeperModules): Promise<NodeKeeper> {
    const keeper = new NodeKeeper(options, modules);
    keeper.#node = await keeper.#open();
    // A disk that is nearly full already: said before the first vote.
    await keeper.#guard.look();
    keeper.#guard.start();
    return keeper;
  }

  private constructor(options: NodeOptions, modules: KeeperModules) {
    this.#options = options;
    this.#modules = modules;
    this.log = options.log;
    this.#kept = { subscribers: new Subscribers(), fates: new Fates(), mempool: new Mempool(options.config.mempool) };
    this.#guard = new DiskGuard(
      {
        folder: options.config.data,
        minFreeBytes: options.config.minFreeBytes,
        everyMs: modules.diskEveryMs ?? diskEveryMs,
      },
      {
        freeBytes: modules.freeBytes ?? freeBytesOf,
        probe: modules.probe ?? probeDisk,
        stop: (code, detail) => this.#node?.halt(code, detail),
        resume: () => this.reopen('DISK_FULL'),
        log: options.log,
        monotonicMs: () => performance.now(),
      },
    );
    this.api = this.#makeApi();
  }

  /** Closes the node and starts it again from its data folder. Calls while one is under way share it. */
  reopen(why: string): Promise<void> {
    this.#reopening ??= this.#reopen(why).finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  /** Stops in order. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#guard.close();
    await this.#reopening?.catch(() => undefined);
    await this.#node?.close();
  }

  async #reopen(why: string): Promise<void> {
    if (this.#closed !== undefined) return;
    const old = this.#node;
    if (old !== undefined) {
      const status = old.api.status();
      this.#last = { status, code: status.notVoting === '' ? why : status.notVoting };
      this.#node = undefined;
      await old.close();
    }
    try {
      this.#node = await this.#open();
      this.#last = undefined;
    } catch (error) {
      const code = diskCodeOf(error);
      if (code === '') this.#modules.fatal(error);
      else {
        // For whatever reason it was closed, the disk is why there is none now, and the guard waits for it.
        if (this.#last !== undefined) this.#last = { ...this.#last, code };
        this.#guard.failed(code);
      }
      throw error;
    }
  }

  #open(): Promise<WeftNode> {
    return WeftNode.start({
      ...this.#options,
      kept: this.#kept,
      diskFreeBytes: () => this.#guard.freeBytes,
      stopped: (code) => {
        if (passing.has(code)) this.#guard.failed(code);
      },
      reopen: (why) => {
        this.reopen(why).catch((error: unknown) => {
          this.log.error({ error: String(error) }, 'the node could not be opened anew');
        });
      },
    });
  }

  #need(): NodeApi {
    if (this.#node !== undefined) return this.#node.api;
    throw new WeftError('NODE_REOPENING', 'this node opens its data folder anew; try again shortly', {
      retryAfterMs: 1000,
    });
  }

  #makeApi(): NodeApi {
    const need = (): NodeApi => this.#need();
    return {
      status: () => {
        const last = this.#last;
        return this.#node === undefined && last !== undefined
          ? { ...last.status, notVoting: last.code }
          : need().status();
      },
      submit: async (envelope) => need().submit(envelope),
      transaction: (id) => need().transaction(id),
      wait: async (id, timeoutMs) => need().wait(id, timeoutMs),
      block: (heightOrId) => need().block(heightOrId),
      entry: (index) => need().entry(index),
      warm: async (index, proof) => need().warm(index, proof),
      published: async (timeoutMs) => need().published(timeoutMs),
      checkpoint: () => need().checkpoint(),
      closing: (epoch) => need().closing(epoch),
      token: (which) => need().token(which),
      tokenStatus: (intent) => need().tokenStatus(intent),
      stateProof: (paths) => need().stateProof(paths),
      walk: (epoch) => need().walk(epoch),
      state: (path, withProof) => need().state(path, withProof),
      tile: (path) => need().tile(path),
      trust: () => need().trust(),
      genesis: () => need().genesis(),
      peers: () => need().peers(),
      governance: () => need().governance(),
      evidence: async () => need().evidence(),
      intent: (id) => need().intent(id),
      intents: async (asked) => need().intents(asked),
      waitingIntents: async (limit) => need().waitingIntents(limit),
      alerts: async () => need().alerts(),
      subscribe: (subscription, listener) => this.#kept.subscribers.add(subscription, listener),
      metrics: async () => (this.#node === undefined ? '' : need().metrics()),
      healthy: () => this.#node?.api.healthy() ?? true,
      ready: () => this.#node?.api.ready() ?? { ready: false, reason: this.#last?.code ?? 'NODE_REOPENING' },
    };
  }
}
