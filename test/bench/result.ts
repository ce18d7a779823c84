import type { Pauses } from './pauses.ts';
import { mebibytes } from './processes.ts';
import type { Sent } from './submitter.ts';
import type { Used } from './watch.ts';

/** What became of a load, whoever took it. */

export type Point = {
  /** Transactions a second, over all validators. */
  readonly rate: number;
  /** Packet ids per transaction. */
  readonly records: number;
  readonly seconds: number;
};

export type Quantiles = { readonly p50: number; readonly p99: number; readonly max: number };

export type PointResult = Point & {
  readonly offeredPerSecond: number;
  readonly committedPerSecond: number;
  readonly sent: number;
  readonly committed: number;
  /** Code → how many. */
  readonly refused: Readonly<Record<string, number>>;
  /** From when a transaction was due until a subscriber of the validator that took it heard of its final block. */
  readonly finalityMs: Quantiles;
  /** From a block's own time until a subscriber hears that it is final, of blocks with transactions. What is no engine of ours has none. */
  readonly proposalMs?: Quantiles;
  /** From when it was due until the validator answered that it is in the mempool. */
  readonly admissionMs: Quantiles;
  readonly blocksPerSecond: number;
  readonly transactionsPerBlock: number;
  readonly validatorCpuSeconds: readonly number[];
  /** Of those, what the first thread used: where Node's event loop runs. */
  readonly mainThreadCpuSeconds?: readonly number[];
  readonly validatorPeakRssMiB: readonly number[];
  /** That a validator's store was given, per committed transaction, before it compresses; without the journal of consensus. */
  readonly diskBytesPerTransaction: number;
  /** That the validators sent each other over TCP, all together, per committed transaction; absent where nobody can say. */
  readonly wireBytesPerTransaction?: number;
  /** By validator, milliseconds; absent where it does not say. */
  readonly loopLagMaxMs?: readonly number[];
  readonly gcMaxMs?: readonly number[];
  readonly load: {
    readonly cpuSeconds: number;
    /** How late transactions were sent. */
    readonly lateMs: Quantiles;
    /** Share of the time in which its event loop was busy. */
    readonly busy: number;
  };
  /** Cores that other programs kept busy meanwhile. */
  readonly otherCores: number;
  /** What makes these figures say less than they seem to. */
  readonly notes: readonly string[];
};

/** CPU milliseconds of one validator per committed transaction. */
export function cpuPerTransaction({ validatorCpuSeconds, committed }: PointResult): number {
  return (1000 * sum(validatorCpuSeconds)) / validatorCpuSeconds.length / Math.max(1, committed);
}

/** CPU milliseconds of one validator per block with transactions. */
export function cpuPerBlock(point: PointResult): number {
  return cpuPerTransaction(point) * point.transactionsPerBlock;
}

/** A network that can be put under load: Weft's, or a rival's that does the same work. */
export type Engine = {
  readonly name: string;
  readonly version: string;
  run(point: Point): Promise<PointResult>;
  close(): Promise<void>;
};

export type Outcome = {
  readonly sent: readonly Sent[];
  /** When its final block was heard of at the validator that took it; undefined: never. */
  readonly heardMs: (each: Sent) => number | undefined;
  readonly filledBlocks: number;
  /** Milliseconds from a block's own time until somebody heard of it. */
  readonly proposals?: readonly number[];
  /** Bytes between the validators. */
  readonly wireBytes?: number | undefined;
  readonly pauses?: readonly Pauses[];
  readonly used: Used;
  /** Share of the time in which the load generator's event loop was busy. */
  readonly busy: number;
};

export function resultOf(point: Point, outcome: Outcome): PointResult {
  const { sent, filledBlocks, used, busy, proposals, wireBytes } = outcome;
  const { seconds } = point;
  const refused: Record<string, number> = {};
  for (const { refused: code } of sent) if (code !== '') refused[code] = (refused[code] ?? 0) + 1;
  const finality: number[] = [];
  const firstDueMs = sent[0]?.dueMs ?? 0;
  let lastMs = firstDueMs;
  for (const each of sent) {
    const heardMs = outcome.heardMs(each);
    if (heardMs === undefined) continue;
    finality.push(heardMs - each.dueMs);
    lastMs = Math.max(lastMs, heardMs);
  }
  const spanSeconds = Math.max(seconds, (lastMs - firstDueMs) / 1000);
  const late = quantiles(sent.map(({ sentMs, dueMs }) => sentMs - dueMs));
  const missing = sent.length - finality.length - sum(Object.values(refused));
  return {
    ...point,
    offeredPerSecond: round(sent.length / Math.max(seconds, ((sent.at(-1)?.sentMs ?? 0) - firstDueMs) / 1000)),
    committedPerSecond: round(finality.length / spanSeconds),
    sent: sent.length,
    committed: finality.length,
    refused,
    finalityMs: quantiles(finality),
    admissionMs: quantiles(sent.map(({ answeredMs, dueMs }) => answeredMs - dueMs).filter(Number.isFinite)),
    blocksPerSecond: round(filledBlocks / spanSeconds),
    transactionsPerBlock: round(finality.length / Math.max(1, filledBlocks)),
    validatorCpuSeconds: used.cpuSeconds.map(round),
    mainThreadCpuSeconds: used.mainThreadSeconds.map(round),
    validatorPeakRssMiB: used.peakRssBytes.map((bytes) => mebibytes(bytes)),
    diskBytesPerTransaction: Math.round(sum(used.diskBytes) / used.diskBytes.length / Math.max(1, finality.length)),
    ...(proposals === undefined ? {} : { proposalMs: quantiles(proposals) }),
    ...(wireBytes === undefined
      ? {}
      : { wireBytesPerTransaction: Math.round(wireBytes / Math.max(1, finality.length)) }),
    ...maxima(outcome.pauses),
    load: { cpuSeconds: round(used.ownSeconds), lateMs: late, busy: round(busy) },
    otherCores: round(used.otherCores),
    notes: notesOn({ late, busy, otherCores: used.otherCores, missing, spanSeconds, seconds }),
  };
}

function maxima(pauses: readonly Pauses[] = []): Pick<PointResult, 'loopLagMaxMs' | 'gcMaxMs'> {
  const lags = pauses.flatMap(({ loopLagMaxMs }) => loopLagMaxMs ?? []);
  const collections = pauses.flatMap(({ gcMaxMs }) => gcMaxMs ?? []);
  return {
    ...(lags.length === 0 ? {} : { loopLagMaxMs: lags }),
    ...(collections.length === 0 ? {} : { gcMaxMs: collections }),
  };
}

function notesOn(found: {
  late: Quantiles;
  busy: number;
  otherCores: number;
  missing: number;
  spanSeconds: number;
  seconds: number;
}): string[] {
  const notes: string[] = [];
  const busy = `${Math.round(100 * found.busy)} %`;
  if (found.busy > 0.9) notes.push(`the load generator was the bottleneck: its event loop was ${busy} busy`);
  else if (found.late.p99 > 20) {
    notes.push(
      `the load generator got its turn late (p99 ${found.late.p99} ms, with its event loop ${busy} busy): this machine had no core free for it`,
    );
  }
  if (found.otherCores > 0.2) notes.push(`other programs kept ${found.otherCores.toFixed(1)} cores busy`);
  if (found.missing > 0) notes.push(`${found.missing} transactions were neither refused nor committed`);
  if (found.spanSeconds > found.seconds + 1.5)
    notes.push(`not sustained: ${(found.spanSeconds - found.seconds).toFixed(1)} s more were needed to commit them`);
  return notes;
}

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (fraction: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Of an odd or even number of figures. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
