import { PerformanceObserver } from 'node:perf_hooks';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { NetworkStats } from '../net/types.ts';
import { type QueueCounts, queueGauges } from './queueMetrics.ts';

/** What a node counts. Values that are known elsewhere are read when somebody asks (`sample`). */
export type Sample = {
  readonly height: number;
  readonly view: number;
  readonly epoch: number;
  readonly logSize: number;
  readonly behind: number;
  readonly voting: boolean;
  readonly mempoolTransactions: number;
  readonly mempoolBytes: number;
  readonly blocksUnderWay: number;
  readonly journalBytes: number;
  /** Epochs that are over and whose closing checkpoint is not here yet. */
  readonly closingMissing: number;
  /** Undefined where nobody watches it, or the system does not say. */
  readonly diskFreeBytes: number | undefined;
  readonly storedChecked: number;
  readonly cosignaturesDropped: number;
  readonly invalidSignatures: number;
  readonly slowPathVerifications: number;
  readonly admissionRefused: number;
  readonly overloadShare: number;
  readonly overloadRefused: number;
  readonly loopDelayMs: number;
  readonly spreadDropped: number;
  readonly evidenceFound: number;
  readonly evidenceRecorded: number;
  readonly network: NetworkStats;
  readonly queues: QueueCounts;
};

/**
 * What belongs to the process stands once, however often a node is opened anew in it: its observers never end. They begin with the first
 * question: watching the event loop wakes a process a hundred times a second, which of four idle nodes is a third of all they do.
 */
let processMetrics: Registry | undefined;

function defaultMetrics(): Registry {
  const register = new Registry();
  collectDefaultMetrics({ register });
  watchCollections(register);
  return register;
}

/** The default metrics sort pauses into buckets, none of which says how long the longest was. */
function watchCollections(register: Registry): void {
  let longestMs = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestMs = Math.max(longestMs, duration);
  }).observe({ entryTypes: ['gc'] });
  const longest: Gauge = new Gauge({
    name: 'weft_gc_pause_max_seconds',
    help: 'The longest garbage collection since this was last read.',
    registers: [register],
    collect: () => {
      longest.set(longestMs / 1000);
      longestMs = 0;
    },
  });
}

/** Upper ends, in seconds, of what is told of the time to finality. */
const finalityBuckets = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5];

export class NodeMetrics {
  readonly #registry = new Registry();
  /** Plain numbers: each block counts, and few ask for the sums. */
  readonly #finality = { byBucket: finalityBuckets.map(() => 0), sumSeconds: 0, blocks: 0, applied: 0, refused: 0 };

  constructor(sample: () => Sample) {
    const registers = [this.#registry];
    const blocks: Counter = new Counter({
      name: 'weft_blocks_finalized_total',
      help: 'Blocks finalized here.',
      registers,
      collect: () => {
        blocks.reset();
        blocks.inc(this.#finality.blocks);
      },
    });
    const transactions: Counter<'outcome'> = new Counter({
      name: 'weft_transactions_finalized_total',
      help: 'Transactions in finalized blocks, by outcome.',
      labelNames: ['outcome'],
      registers,
      collect: () => {
        transactions.reset();
        transactions.inc({ outcome: 'applied' }, this.#finality.applied);
        transactions.inc({ outcome: 'refused' }, this.#finality.refused);
      },
    });
    const gauge = (name: string, help: string, read: (sample: Sample) => number): void => {
      const made: Gauge = new Gauge({ name, help, registers, collect: () => made.set(read(sample())) });
    };
    for (const [name, help, read] of queueGauges) gauge(name, help, (s) => read(s.queues));
    gauge('weft_finalized_height', 'Height of the last finalized block.', (s) => s.height);
    gauge('weft_view', 'Current view.', (s) => s.view);
    gauge('weft_epoch', 'Current epoch.', (s) => s.epoch);
    gauge('weft_log_size', 'Leaves in the log.', (s) => s.logSize);
    gauge('weft_blocks_behind', 'Blocks that a peer has finalized and this node has not.', (s) => s.behind);
    gauge('weft_voting', '1 when this node votes.', (s) => (s.voting ? 1 : 0));
    gauge('weft_mempool_transactions', 'Pending transactions.', (s) => s.mempoolTransactions);
    gauge('weft_mempool_bytes', 'Bytes of pending transactions.', (s) => s.mempoolBytes);
    gauge('weft_blocks_under_way', 'Unfinalized blocks held.', (s) => s.blocksUnderWay);
    gauge('weft_journal_bytes', 'Bytes of the journal since it was last rewritten.', (s) => s.journalBytes);
    gauge(
      'weft_closing_checkpoints_missing',
      'Epochs that are over and whose closing checkpoint is not here yet.',
      (s) => s.closingMissing,
    );
    gauge('weft_disk_free_bytes', 'Free bytes on the disk of the data folder.', (s) => s.diskFreeBytes ?? Number.NaN);
    gauge('weft_stored_blocks_checked_total', 'Stored blocks that were read again and held.', (s) => s.storedChecked);
    gauge('weft_cosignatures_dropped_total', 'Cosignatures that were not counted.', (s) => s.cosignaturesDropped);
    gauge('weft_signatures_invalid_total', 'Votes and certificates that did not verify.', (s) => s.invalidSignatures);
    gauge(
      'weft_slow_verifications_total',
      'Signatures that had to be judged by the reference path.',
      (s) => s.slowPathVerifications,
    );
    gauge('weft_admission_refused_total', 'Transactions refused before the mempool.', (s) => s.admissionRefused);
    gauge('weft_overload_share', 'Share of what clients send that is refused at present.', (s) => s.overloadShare);
    gauge('weft_overload_refused_total', 'Transactions of clients refused for an overload.', (s) => s.overloadRefused);
    gauge(
      'weft_loop_delay_seconds',
      'How late the event loop is, smoothed; 0 while no client sends anything.',
      (s) => s.loopDelayMs / 1000,
    );
    gauge(
      'weft_spread_dropped_total',
      'Transactions dropped from the outgoing queues of peers.',
      (s) => s.spreadDropped,
    );
    gauge(
      'weft_evidence_found',
      'Offences of validators that this node keeps evidence of: two messages that no honest one signs.',
      (s) => s.evidenceFound,
    );
    gauge('weft_evidence_recorded', 'Those of them that the ledger has recorded.', (s) => s.evidenceRecorded);
    for (const lane of ['urgent', 'bulk'] as const) {
      gauge(
        `weft_lane_${lane}_received_bytes_total`,
        `Bytes received on ${lane} lanes.`,
        (s) => s.network[lane].bytesIn,
      );
      gauge(`weft_lane_${lane}_sent_bytes_total`, `Bytes sent on ${lane} lanes.`, (s) => s.network[lane].bytesOut);
      gauge(
        `weft_lane_${lane}_queued_messages`,
        `Messages queued on ${lane} lanes.`,
        (s) => s.network[lane].queuedMessages,
      );
      gauge(
        `weft_lane_${lane}_dropped_total`,
        `Messages dropped on ${lane} lanes.`,
        (s) => s.network[lane].overflowDropped,
      );
      gauge(
        `weft_lane_${lane}_misbehaved_total`,
        `Times a ${lane} lane was closed on a misbehaving peer.`,
        (s) => s.network[lane].misbehaved,
      );
    }
    gauge(
      'weft_strangers_refused_total',
      'Connections of peers that the ledger does not list.',
      (s) => s.network.strangers,
    );
    gauge(
      'weft_handler_errors_total',
      'Times that the code for a message of a peer failed: defects.',
      (s) => s.network.handlerErrors,
    );
  }

  /** A block became final here `seconds` after its own time. */
  finalized(seconds: number, applied: number, refused: number): void {
    const finality = this.#finality;
    let at = 0;
    while (seconds > (finalityBuckets[at] ?? Number.POSITIVE_INFINITY)) at += 1;
    if (at < finalityBuckets.length) finality.byBucket[at] = (finality.byBucket[at] ?? 0) + 1;
    finality.sumSeconds += seconds;
    finality.blocks += 1;
    finality.applied += applied;
    finality.refused += refused;
  }

  async text(): Promise<string> {
    processMetrics ??= defaultMetrics();
    return [await this.#registry.metrics(), this.#finalityText(), await processMetrics.metrics()].join('\n');
  }

  #finalityText(): string {
    const { byBucket, sumSeconds, blocks } = this.#finality;
    const name = 'weft_finality_seconds';
    const lines = [`# HELP ${name} From a block's own time to its finalization here.`, `# TYPE ${name} histogram`];
    let below = 0;
    for (const [i, end] of finalityBuckets.entries()) {
      below += byBucket[i] ?? 0;
      lines.push(`${name}_bucket{le="${end}"} ${below}`);
    }
    lines.push(`${name}_bucket{le="+Inf"} ${blocks}`, `${name}_sum ${sumSeconds}`, `${name}_count ${blocks}`);
    return `${lines.join('\n')}\n`;
  }
}

const windowBlocks = 512;

/** Finality of the newest blocks, for people: median and 99th percentile over a sliding window. */
export class FinalityWindow {
  readonly #values: number[] = [];
  /** Where the next one goes, once the window is full. */
  #next = 0;

  add(ms: number): void {
    if (this.#values.length < windowBlocks) {
      this.#values.push(ms);
      return;
    }
    this.#values[this.#next] = ms;
    this.#next = (this.#next + 1) % windowBlocks;
  }

  quantile(fraction: number): number | null {
    if (this.#values.length === 0) return null;
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? null;
  }
}
