import type { Machine } from './processes.ts';
import { isSustained, type Ramp } from './ramp.ts';
import { cpuPerBlock, cpuPerTransaction, type PointResult } from './result.ts';
import { table } from './table.ts';

/** Results for people. */

export function place({ cores, cpu, memoryGiB, kernel, node }: Machine): string {
  return `${cores} × ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}; load and validators share it`;
}

export function renderPoint(point: PointResult): string {
  const { finalityMs, proposalMs, admissionMs, load } = point;
  const refused = Object.entries(point.refused).map(([code, count]) => `${count} ${code}`);
  const pauses = [
    ...(point.loopLagMaxMs === undefined ? [] : [`event loop ${point.loopLagMaxMs.join(' ')} ms`]),
    ...(point.gcMaxMs === undefined ? [] : [`garbage collection ${point.gcMaxMs.join(' ')} ms`]),
  ];
  return [
    '',
    `${point.rate} tx/s × ${point.records} packets, ${point.seconds} s`,
    `  offered        ${point.offeredPerSecond} tx/s`,
    `  committed      ${point.committedPerSecond} tx/s   (${point.committed} of ${point.sent}${refused.length > 0 ? `; refused: ${refused.join(', ')}` : ''})`,
    `  finality       p50 ${finalityMs.p50} ms   p99 ${finalityMs.p99} ms   max ${finalityMs.max} ms`,
    ...(proposalMs === undefined
      ? []
      : [`  from proposal  p50 ${proposalMs.p50} ms   p99 ${proposalMs.p99} ms   max ${proposalMs.max} ms`]),
    `  admission      p50 ${admissionMs.p50} ms   p99 ${admissionMs.p99} ms`,
    `  blocks         ${point.blocksPerSecond}/s, ${point.transactionsPerBlock} transactions each`,
    `  validators     CPU ${point.validatorCpuSeconds.join(' ')} s   peak RSS ${point.validatorPeakRssMiB.join(' ')} MiB`,
    ...(pauses.length === 0 ? [] : [`  longest pause  ${pauses.join('   ')}`]),
    `  disk           ${point.diskBytesPerTransaction} bytes per transaction and validator, before the store compresses them`,
    ...(point.wireBytesPerTransaction === undefined
      ? []
      : [`  wire           ${point.wireBytesPerTransaction} bytes per transaction between validators, all together`]),
    `  load generator CPU ${load.cpuSeconds} s, busy ${Math.round(100 * load.busy)} %, late p99 ${load.lateMs.p99} ms`,
    ...point.notes.map((note) => `  note: ${note}`),
  ].join('\n');
}

/** A row of docs/performance.md for each. */
export function pointTable(points: readonly PointResult[]): string {
  const rows = points.map((point) => [
    `${point.rate} tx/s × ${point.records} ${point.records === 1 ? 'packet' : 'packets'}`,
    `${Math.round(point.committedPerSecond)}/s${isSustained(point) ? '' : ', not sustained'}`,
    `${point.finalityMs.p50}, ${point.finalityMs.p99}, ${point.finalityMs.max} ms`,
    point.blocksPerSecond,
    `${cpuPerTransaction(point).toFixed(2)} ms (${cpuPerBlock(point).toFixed(1)} ms)`,
    `${Math.max(...point.validatorPeakRssMiB)} MiB`,
    point.wireBytesPerTransaction ?? '–',
    point.diskBytesPerTransaction,
    `${maximum(point.gcMaxMs)}, ${maximum(point.loopLagMaxMs)} ms`,
  ]);
  return table(
    [
      'load',
      'committed',
      'finality p50, p99, max',
      'blocks/s',
      'CPU per tx (block) and validator',
      'peak RSS',
      'wire, bytes per tx',
      'disk, bytes per tx',
      'longest GC, loop lag',
    ],
    rows,
  );
}

export function renderRamp({ records, steps, sustained }: Ramp): string {
  const tried = [...steps]
    .sort((a, b) => a.rate - b.rate)
    .map(
      (step) =>
        `  ${String(step.rate).padStart(6)}/s  ${isSustained(step) ? 'sustained    ' : 'not sustained'}  ${step.committedPerSecond}/s  p50 ${step.finalityMs.p50} ms  p99 ${step.finalityMs.p99} ms`,
    );
  const ids = records === 1 ? '' : ` = ${Math.round(sustained * records)} ids/s`;
  return [
    '',
    `highest rate sustained × ${records} packets (all committed, p99 below 1 s): ${sustained} tx/s${ids}`,
    ...tried,
  ].join('\n');
}

function maximum(values: readonly number[] | undefined): number | string {
  return values === undefined ? '–' : Math.max(...values);
}
