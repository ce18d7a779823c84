import { encodeCertificate } from '../ledger/certificate.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock } from '../ledger/types.ts';
import type { Network } from '../net/types.ts';
import type { Fates } from './fates.ts';
import type { FinalityWindow, NodeMetrics } from './metrics.ts';
import type { Overload } from './overload.ts';
import { finalizedTx, summaryOf } from './queries.ts';
import type { Subscribers } from './subscribers.ts';
import { encodeBlock } from './wire.ts';

/** What a block that has become final here is told to: those who wait, those who subscribed, observers, metrics. */
export type NewsModules = {
  readonly ledger: Ledger;
  readonly fates: Fates;
  readonly subscribers: Subscribers;
  readonly finality: FinalityWindow;
  readonly metrics: NodeMetrics;
  readonly overload: Pick<Overload, 'finalized'>;
  readonly network: () => Network;
  /** This node's name on the ledger. */
  readonly name: string;
  readonly wallMs: () => number;
};

export class News {
  readonly #modules: NewsModules;

  constructor(modules: NewsModules) {
    this.#modules = modules;
  }

  /** Durable, in height order. */
  committed(block: CommittedBlock): void {
    const { ledger, fates, subscribers, finality, metrics, overload, wallMs } = this.#modules;
    const { header, blockId, transactions } = block;
    const tookMs = Math.max(0, wallMs() - header.time);
    finality.add(tookMs);
    overload.finalized(transactions.length);
    let applied = 0;
    for (const { txId, refused } of transactions) {
      if (refused === undefined) applied += 1;
      fates.finalized(txId);
      if (!subscribers.wants(txId)) continue;
      const status = finalizedTx(ledger, txId);
      if (status !== undefined) subscribers.transaction(status);
    }
    metrics.finalized(tookMs / 1000, applied, transactions.length - applied);
    fates.passed(header.time);
    const stored = {
      blockId,
      header,
      headerBytes: new Uint8Array(),
      transactions: transactions.length,
      certificate: undefined,
    };
    subscribers.committed(block, summaryOf(stored, ledger.epochOf(header.epoch)));
    this.#gossip(block);
  }

  /** The proposer tells observers; validators have it already. */
  #gossip(block: CommittedBlock): void {
    const { ledger, network, name } = this.#modules;
    const { header, certificate, blockId } = block;
    if (certificate === undefined || (ledger.observers.length === 0 && ledger.candidates.length === 0)) return;
    const epoch = ledger.epochOf(header.epoch);
    const stored = ledger.block(blockId);
    if (stored === undefined || epoch?.validators[header.proposer]?.name !== name) return;
    const encoded = encodeCertificate(certificate, epoch.validators.length);
    void network().publish('headers', encodeBlock(stored.headerBytes, encoded));
  }
}
