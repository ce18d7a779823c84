import type { ChainGrowth, DiskShare } from './growthCommit.ts';
import type { NetworkGrowth } from './growthNetwork.ts';
import { mebibytes } from './processes.ts';
import { cpuPerBlock, cpuPerTransaction, type PointResult } from './result.ts';
import { table } from './table.ts';

/** Tables for docs/performance.md, with what was promised beside what was found. */

const commitLimit = 1.3;
const liveLimitSeconds = 3;
const tokenLimitMs = 2;
const diskLimit = 2.5;

type Grown = { readonly size: number; readonly commit: ChainGrowth; readonly network: NetworkGrowth };

export function renderChain(grown: readonly Grown[]): string {
  const [first] = grown;
  const row = (what: string, of: (each: Grown) => string, limit = ''): string[] => [what, ...grown.map(of), limit];
  const ratio = (of: (each: Grown) => number) => (each: Grown) =>
    `${of(each)} ms (${(of(each) / (first === undefined ? Number.NaN : of(first))).toFixed(2)} ×)`;
  const readAhead = first?.network.readAheadKiB;
  return table(
    row('log entries', ({ commit }) => commit.entries.toLocaleString('en'), 'limit'),
    [
      row('blocks, keys of state', ({ commit }) => `${commit.blocks}, ${commit.stateKeys}`),
      row('making it', ({ commit }) => `${commit.madeSeconds} s`),
      row(
        'CPU of a block of 10',
        ratio(({ commit }) => commit.blockCpuMs),
        `${commitLimit} ×`,
      ),
      row(
        'its commit, p50',
        ratio(({ commit }) => commit.commitMs.p50),
        `${commitLimit} ×`,
      ),
      row('its commit, p99', ({ commit }) => `${commit.commitMs.p99} ms`),
      row('finality p50, p99 at 50/s', ({ network }) => {
        const { p50, p99 } = network.point.finalityMs;
        return `${p50}, ${p99} ms`;
      }),
      row(
        'CPU of a validator per transaction at 50/s',
        ratio(({ network }) => Number(cpuPerTransaction(network.point).toFixed(2))),
      ),
      row(
        'start to vote',
        ({ network }) => `${network.liveSeconds} s (CPU ${network.liveCpuSeconds} s)`,
        `${liveLimitSeconds} s`,
      ),
      row(
        'resident, of that no mapped file',
        ({ network }) => `${Math.max(...network.rssMiB)}, ${Math.max(...network.anonymousMiB)} MiB`,
      ),
      row('disk', ({ network }) => `${mebibytes(network.diskBytes)} MiB`),
      row(
        'token by index, p50, p99',
        ({ network }) => `${network.tokenMs.p50}, ${network.tokenMs.p99} ms (CPU ${network.tokenCpuMs} ms)`,
        `${tokenLimitMs} ms`,
      ),
      row(
        `the same from the disk${readAhead === undefined ? '' : `, which reads ${readAhead} KiB ahead`}`,
        ({ network }) =>
          `${network.coldTokenMs.p50}, ${network.coldTokenMs.p99} ms (CPU ${network.coldTokenCpuMs} ms, ${network.coldReads} reads)`,
        `${tokenLimitMs} ms`,
      ),
      row('query entry, p50', ({ network }) => `${network.entryMs.p50} ms`),
      row('query state, p50', ({ network }) => `${network.stateMs.p50} ms`),
    ],
  );
}

export function renderDisk(shares: readonly DiskShare[]): string {
  return table(
    ['one group of 3 ids a transaction, blocks of', 'its two log entries', 'in the store', 'ratio', 'limit'],
    shares.map(({ transactionsPerBlock, leafBytes, storeBytes }) => [
      transactionsPerBlock,
      `${leafBytes} bytes`,
      `${storeBytes} bytes`,
      `${(storeBytes / leafBytes).toFixed(2)} ×`,
      `${diskLimit} ×`,
    ]),
  );
}

export function renderNetworks(
  networks: readonly { readonly validators: number; readonly point: PointResult }[],
): string {
  const rows = table(
    [
      'validators',
      'committed',
      'finality p50, p99',
      'from proposal p50',
      'CPU of a validator per tx',
      'of a block',
      'peak RSS',
      'wire, bytes per tx, of a validator',
    ],
    networks.map(({ validators, point }) => {
      const wire = point.wireBytesPerTransaction;
      return [
        validators,
        `${point.committedPerSecond}/s`,
        `${point.finalityMs.p50}, ${point.finalityMs.p99} ms`,
        `${point.proposalMs?.p50 ?? '–'} ms`,
        `${cpuPerTransaction(point).toFixed(2)} ms`,
        `${cpuPerBlock(point).toFixed(1)} ms`,
        `${Math.max(...point.validatorPeakRssMiB)} MiB`,
        wire === undefined ? '–' : Math.round(wire / validators),
      ];
    }),
  );
  const notes = networks.flatMap(({ validators, point }) =>
    point.notes.map((note) => `${validators} validators: ${note}`),
  );
  return [rows, '', ...notes].join('\n');
}
