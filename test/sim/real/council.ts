// Who governs the simulated network: proposes changes of parameters, of a validator's keys and of the set, asks for them to take
// effect until they do, and knows who is no validator any more.
import type { Change } from '../../../contracts/governance/state.ts';
import { decodeTransaction } from '../../../contracts/transaction.ts';
import type { JsonObject } from '../../../contracts/types.ts';
import type { Genesis } from '../../../src/ledger/genesis.ts';
import { genesisTime, makeTx } from '../../ledger/fixtures.ts';
import { entryOf, setChange } from '../../ledger/governed.ts';
import type { Prng } from '../prng.ts';
import type { Clock } from './clock.ts';
import type { RealNode } from './node.ts';
import type { Workload } from './workload.ts';

export class Council {
  readonly #genesis: Genesis;
  readonly #parameters: JsonObject;
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #workload: Workload;
  /** Honest ones whose keys or seats may change. */
  readonly #movable: string[];
  /** So many may leave before too few remain for the liars that are there. */
  #mayLeave: number;
  #open: { readonly id: string; asks: number } | undefined;
  /** Left, or about to. */
  readonly leaving = new Set<string>();
  #nonce = 1_000_000;

  constructor(
    genesis: Genesis,
    parameters: JsonObject,
    modules: { readonly clock: Clock; readonly prng: Prng; readonly workload: Workload },
    movable: readonly string[],
    mayLeave: number,
  ) {
    this.#genesis = genesis;
    this.#parameters = parameters;
    this.#clock = modules.clock;
    this.#prng = modules.prng;
    this.#workload = modules.workload;
    this.#movable = modules.prng.shuffle(movable);
    this.#mayLeave = mayLeave;
  }

  /** Call every second: one proposal at a time, approved again and again until it takes effect. */
  act(node: RealNode | undefined, mayPropose: boolean): void {
    const state = node?.ledger?.state;
    if (state === undefined) return;
    if (this.#open === undefined) {
      if (mayPropose && this.#prng.chance(0.3)) this.#propose();
      return;
    }
    const { id } = this.#open;
    const proposal = state.get(`governance/proposal/${id}`) as { status?: string } | undefined;
    if (proposal?.status !== undefined && !['open', 'approved'].includes(proposal.status)) {
      this.#open = undefined;
      return;
    }
    this.#open.asks += 1;
    if (this.#open.asks % 3 === 0 && proposal?.status === 'open') this.#send('governance.approve', { proposal: id });
  }

  #propose(): void {
    const change = this.#change();
    const expires = genesisTime + 3_600_000;
    const id = this.#send('governance.propose', { change: change as unknown as JsonObject, notBefore: 0, expires });
    this.#open = { id, asks: 0 };
  }

  #change(): Change {
    const prng = this.#prng;
    const name = prng.chance(0.6) ? this.#movable.pop() : undefined;
    if (name === undefined) {
      const idleBlockMs = prng.between(2000, 4000);
      return { kind: 'parameters', parameters: { ...this.#parameters, idleBlockMs } } as unknown as Change;
    }
    if (this.#mayLeave > 0 && prng.chance(0.5)) {
      this.#mayLeave -= 1;
      this.leaving.add(name);
      return setChange([], [name]);
    }
    // All keys but the one by which others know the way to it.
    return setChange([{ ...entryOf(name, 1), peer: entryOf(name).peer }]);
  }

  #send(type: string, body: JsonObject): string {
    this.#nonce += 1;
    const expires = genesisTime + 1000 + Math.floor(this.#clock.nowMs()) + 200_000;
    const envelope = makeTx(this.#genesis.chain, 'admin', type, body, { nonce: this.#nonce, expires });
    this.#workload.bring(envelope, expires);
    return decodeTransaction(envelope).txId;
  }
}
