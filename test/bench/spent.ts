import { type ComponentKey, componentKeys, componentOf, components } from './components.ts';
import type { Profile } from './profile.ts';
import type { PointResult } from './result.ts';
import { table } from './table.ts';

/** What a validator's main thread did with its time, by component: shares, and µs per block and transaction. */

export type Spent = Readonly<Record<ComponentKey, number>>;

/** Seconds of CPU, and what they were for. */
export type Account = {
  readonly cpuSeconds: number;
  readonly transactions?: number;
  readonly blocks?: number;
};

/** Shares of the busy time, 1 in all. */
export function sharesOf({ stacks, busyMicros }: Profile): Spent {
  const shares = Object.fromEntries(componentKeys.map((key) => [key, 0])) as Record<ComponentKey, number>;
  for (const { frames, micros } of stacks) shares[componentOf(frames)] += micros / busyMicros;
  return shares;
}

/**
 * A run's figures for the window that was looked at: its rates, and the CPU time of the first validator's main thread. A
 * profile counts as busy also the time in which a thread waits for a core, so it says shares and not seconds where the machine is full.
 */
export function accountOf(point: PointResult, profile: Profile): Account {
  const window = profile.micros / 1e6;
  const ran = Math.max(point.seconds, point.committed / Math.max(1, point.committedPerSecond));
  const used = point.mainThreadCpuSeconds?.[0];
  return {
    cpuSeconds: used === undefined ? profile.busyMicros / 1e6 : (used * window) / ran,
    transactions: point.committedPerSecond * window,
    blocks: point.blocksPerSecond * window,
  };
}

export function spentTable(shares: Spent, { cpuSeconds, transactions, blocks }: Account): string {
  const counts = [
    { name: 'µs per block', of: blocks },
    { name: 'µs per transaction', of: transactions },
  ].flatMap(({ name, of }) => (of === undefined || of === 0 ? [] : [{ name, of }]));
  const row = (name: string, what: string, share: number): string[] => [
    name,
    what,
    percent(share),
    ...counts.map(({ of }) => figure((1e6 * share * cpuSeconds) / of)),
  ];
  return table(
    ['component', 'what', 'main thread', ...counts.map(({ name }) => name)],
    [
      ...componentKeys.map((key) => row(components[key].name, components[key].what, shares[key])),
      row('**all**', `${cpuSeconds.toFixed(2)} s`, 1),
    ],
    { figures: 1 + counts.length },
  );
}

export type Costs = { readonly block: number; readonly transaction: number; readonly clamped: boolean };

/**
 * Two loads give two equations: seconds = blocks × a + transactions × b. A part below 0 (noise, or work that grows otherwise)
 * counts as 0, and the other is then what the load that has most of it says.
 */
export function solve(
  a: { readonly micros: number; readonly blocks: number; readonly transactions: number },
  b: { readonly micros: number; readonly blocks: number; readonly transactions: number },
): Costs {
  const determinant = a.blocks * b.transactions - b.blocks * a.transactions;
  const block = (a.micros * b.transactions - b.micros * a.transactions) / determinant;
  const transaction = (a.blocks * b.micros - b.blocks * a.micros) / determinant;
  const most = (key: 'blocks' | 'transactions'): number => {
    const load = a[key] > b[key] ? a : b;
    return load.micros / load[key];
  };
  if (block < 0) return { block: 0, transaction: most('transactions'), clamped: true };
  if (transaction < 0) return { block: most('blocks'), transaction: 0, clamped: true };
  return { block, transaction, clamped: false };
}

type Load = { readonly shares: Spent; readonly account: Account };

export function twoTable(a: Load, b: Load): string {
  const of = ({ shares, account }: Load, key: ComponentKey) => ({
    micros: 1e6 * shares[key] * account.cpuSeconds,
    blocks: account.blocks ?? 0,
    transactions: account.transactions ?? 0,
  });
  const costs = componentKeys.map((key) => ({ key, ...solve(of(a, key), of(b, key)) }));
  const total = (part: 'block' | 'transaction'): string => figure(costs.reduce((all, each) => all + each[part], 0));
  const rows = costs.map(({ key, block, transaction, clamped }) => {
    const mark = clamped ? ' *' : '';
    return [components[key].name, components[key].what, figure(block) + mark, figure(transaction) + mark];
  });
  const found = table(
    ['component', 'what', 'µs per block', 'µs per transaction'],
    [...rows, ['**all**', '', total('block'), total('transaction')]],
    { figures: 2 },
  );
  return costs.some(({ clamped }) => clamped)
    ? `${found}\n\n\\* One of the two came out below 0 and counts as 0; the other is what the load that has most of it says.`
    : found;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function figure(micros: number): string {
  return micros >= 100 ? micros.toFixed(0) : micros.toFixed(1);
}
