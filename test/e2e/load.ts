import { setTimeout as sleep } from 'node:timers/promises';
import type { SubscriptionHandle } from '../../src/client/index.ts';
import type { TestNetwork } from './network.ts';

/** What a client was told to be final: it has to stay so, everywhere, whatever happens. */
export type Told = { readonly id: string; readonly height: number; readonly index: number; readonly by: string };

/** Clients that keep submitting and waiting, and subscriptions to the blocks of every validator. */
export class Load {
  readonly #network: TestNetwork;
  readonly #told: Told[] = [];
  /** Height → what subscriptions and answers said about it. */
  readonly blocks = new Map<number, string>();
  readonly contradictions: string[] = [];
  readonly #subscriptions: SubscriptionHandle[] = [];
  #stopped = false;
  #clients: Promise<void>[] = [];

  constructor(network: TestNetwork) {
    this.#network = network;
  }

  get told(): readonly Told[] {
    return this.#told;
  }

  start(clients = 6): void {
    for (const name of this.#network.names) {
      const onEvent: Parameters<ReturnType<TestNetwork['client']>['subscribe']>[1]['onEvent'] = (event) => {
        if (event.topic !== 'blocks') return;
        const { height, blockId, logRoot, stateRoot } = event.block;
        this.saw(name, height, `${blockId} ${logRoot} ${stateRoot}`);
      };
      this.#subscriptions.push(this.#network.client(name).subscribe({ topic: 'blocks' }, { onEvent }));
    }
    this.#clients = Array.from({ length: clients }, (_, i) => this.#run(i));
  }

  /** Block id and roots at a height, as somebody reported them. */
  saw(by: string, height: number, what: string): void {
    const before = this.blocks.get(height);
    if (before !== undefined && before !== what)
      this.contradictions.push(`height ${height}: ${by} says ${what}, before it was ${before}`);
    this.blocks.set(height, what);
  }

  /** Resolves once `count` more transactions were reported final than now. */
  async more(count: number, withinMs = 120_000): Promise<void> {
    const goal = this.#told.length + count;
    const deadline = Date.now() + withinMs;
    while (this.#told.length < goal) {
      if (Date.now() > deadline)
        throw new Error(`${goal - this.#told.length} of ${count} transactions not final\n${this.#network.logTails()}`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const subscription of this.#subscriptions) subscription.close();
    await Promise.all(this.#clients);
  }

  async #run(place: number): Promise<void> {
    const { names } = this.#network;
    for (let turn = place; !this.#stopped; turn += 1) {
      const name = names[turn % names.length] ?? '';
      const client = this.#network.client(name);
      if (!this.#network.running(name)) {
        await sleep(20);
        continue;
      }
      try {
        const tx = await this.#network.packet();
        await client.call('tx.submit', { envelope: tx.text }, 3000);
        const status = await client.call('tx.wait', { id: tx.id, timeoutMs: 3000 }, 4000);
        if (status.status === 'finalized')
          this.#told.push({ id: tx.id, height: status.height, index: status.index, by: name });
      } catch {
        // Killed, stopped or not yet up: nothing was promised.
        await sleep(50);
      }
    }
  }
}
