// Clients of the nodes: they send signed transactions, ask again elsewhere until one is final, and remember what they were told.

import { decodeTransaction } from '../../../contracts/transaction.ts';
import { codeOf } from '../../../src/codec/error.ts';
import type { Genesis } from '../../../src/ledger/genesis.ts';
import { envelopeOfLeaf } from '../../../src/ledger/leaves.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { genesisTime, packetsTx, registerTx } from '../../ledger/fixtures.ts';
import type { Prng } from '../prng.ts';
import type { Clock } from './clock.ts';
import type { RealNode } from './node.ts';
import type { RealOracle } from './oracle.ts';

type Sent = {
  readonly envelope: Uint8Array;
  readonly txId: string;
  /** Milliseconds UTC. */
  readonly expires: number;
  /** Somebody was told that it is final, at this log index. */
  index: number | undefined;
  /** Somebody was told that it never will be. */
  expired: boolean;
  /** A node that knows nothing of it says that it is too late for it. */
  late: boolean;
  /** A node took it in. */
  taken: boolean;
};

export class Workload {
  readonly #genesis: Genesis;
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #oracle: RealOracle;
  readonly #nodes: readonly RealNode[];
  readonly #sent: Sent[] = [];

  constructor(genesis: Genesis, clock: Clock, prng: Prng, oracle: RealOracle, nodes: readonly RealNode[]) {
    this.#genesis = genesis;
    this.#clock = clock;
    this.#prng = prng;
    this.#oracle = oracle;
    this.#nodes = nodes;
  }

  get count(): number {
    return this.#sent.length;
  }

  get confirmed(): number {
    return this.#sent.filter(({ index }) => index !== undefined).length;
  }

  /** Taken in by a node, neither final nor expired for anybody yet. */
  get open(): number {
    return this.#sent.filter(({ index, expired, late, taken }) => taken && index === undefined && !expired && !late)
      .length;
  }

  /** One more transaction, to one node. */
  send(): void {
    const nonce = this.#sent.length + 1;
    const { chain } = this.#genesis;
    const prng = this.#prng;
    const lifeMs = prng.chance(0.2) ? prng.between(500, 4000) : 200_000;
    const expires = genesisTime + 1000 + Math.floor(this.#clock.nowMs()) + lifeMs;
    const kind = prng.int(4);
    const envelope =
      kind === 0
        ? registerTx(chain, `user${nonce}`, { nonce, expires })
        : kind === 1
          ? registerTx(chain, `user${nonce}`, { nonce, expires, by: 'bob' })
          : packetsTx(chain, prng.pick(['alice', 'bob']), { nonce, expires, ids: prng.between(1, 4) });
    this.bring(envelope, expires);
  }

  /** Brings somebody's transaction in, and follows it as the others. */
  bring(envelope: Uint8Array, expires: number): void {
    const prng = this.#prng;
    const { txId } = decodeTransaction(envelope, { chain: this.#genesis.chain });
    const sent: Sent = { envelope, txId, expires, index: undefined, expired: false, late: false, taken: false };
    this.#sent.push(sent);
    this.#submit(sent);
    if (prng.chance(0.3)) this.#submit(sent);
  }

  /** Asks about everything that is open, and brings it to another node. */
  ask(): void {
    for (const sent of this.#sent) {
      if (sent.index !== undefined || sent.expired) continue;
      const node = this.#pick();
      const status = node?.api?.transaction(sent.txId);
      if (status?.status === 'finalized') this.#final(sent, status.index);
      else if (status?.status === 'expired') sent.expired = true;
      else if (this.#prng.chance(0.3)) this.#submit(sent);
    }
  }

  #submit(sent: Sent): void {
    const node = this.#pick();
    if (node?.api === undefined) return;
    const { api } = node;
    void node.as(async () => {
      try {
        const status = await api.submit(sent.envelope);
        sent.taken = true;
        if (status.status === 'finalized') this.#final(sent, status.index);
      } catch (error) {
        const code = codeOf(error);
        if (code === 'TX_EXPIRED') sent.late = true;
        else if (
          !/^(NODE_|VALIDATORS_UNREACHABLE|KEY_INACTIVE|ACCOUNT_INACTIVE|TX_NOT_YET_VALID|MEMPOOL_|DISK_)/.test(code)
        )
          this.#oracle.violated(`${node.name} refused a good transaction: ${String(error)}`);
      }
    });
  }

  #final(sent: Sent, index: number): void {
    if (sent.index !== undefined && sent.index !== index)
      this.#oracle.violated(`${sent.txId} is final at ${sent.index} and at ${index}`);
    sent.index = index;
  }

  #pick(): RealNode | undefined {
    const there = this.#nodes.filter((node) => node.api !== undefined && this.#oracle.honest(node.name));
    return there.length === 0 ? undefined : this.#prng.pick(there);
  }

  /** Reads a whole log: everything acknowledged stands in it once, where the client was told, and nothing else does. */
  check(name: string, ledger: Ledger): void {
    const { logSize } = ledger.finalized.header;
    const { chain } = this.#genesis;
    const found = new Map<string, number>();
    const own = new Set<string>();
    for (let index = 0; index < logSize; index += 1) {
      const leaf = ledger.entry(index)?.leaf;
      if (leaf === undefined) this.#oracle.violated(`${name} has no entry ${index}`);
      const envelope = leaf && envelopeOfLeaf(leaf);
      if (envelope === undefined) continue;
      const { txId, type } = decodeTransaction(envelope, { chain });
      if (found.has(txId)) this.#oracle.violated(`${name} has ${txId} at ${found.get(txId)} and at ${index}`);
      found.set(txId, index);
      // Validators bring these in themselves.
      if (type === 'governance.evidence' || type === 'governance.ready') own.add(txId);
    }
    for (const { txId, index, expired } of this.#sent) {
      const at = found.get(txId);
      if (index !== undefined && at !== index)
        this.#oracle.violated(`${name} has ${txId} at ${at}, and a client was told ${index}`);
      if (expired && at !== undefined && index === undefined)
        this.#oracle.violated(`${name} has ${txId}, of which a client was told that it expired`);
      found.delete(txId);
    }
    for (const txId of found.keys())
      if (!own.has(txId)) this.#oracle.violated(`${name} has ${txId}, which nobody sent`);
  }
}
