// `node test/bench/absence.ts [--blocks 100000] [--json]`: a validator that was absent for a whole chain comes back to three that have
// it: once by blocks, once from a snapshot. Prints how long until it votes. See docs/performance.md.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TestNetwork } from '../e2e/network.ts';
import { wholeFrom } from '../options.ts';
import { buildLongChain, snapshotPath } from './longChain.ts';
import { cpuSeconds, machine, residentBytes } from './processes.ts';

const { values } = parseArgs({
  options: {
    blocks: { type: 'string', default: '100000' },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const blocks = wholeFrom('blocks', values.blocks, 100);
const spacingMs = 1000;
const time = Date.now() - (blocks + 120) * spacingMs;
const tell = (text: string): void => void process.stderr.write(`${text}\n`);

const network = await TestNetwork.make({
  name: 'weft-absence',
  time,
  ...(values.profile === undefined
    ? {}
    : { nodeArgs: (name) => (name === 'v4' ? ['--cpu-prof', `--cpu-prof-dir=${values.profile}`] : []) }),
});
const [absent = 'v4', ...others] = [...network.names].reverse();
const chainDir = join(network.dir, 'chain');
const snapshotFile = join(network.dir, 'chain.snapshot');
const began = performance.now();
const chain = await buildLongChain({
  net: network.net,
  dir: chainDir,
  blocks,
  time,
  spacingMs,
  snapshot: snapshotFile,
  progress: (height) => {
    if (height % 10_000 === 0) tell(`${height} blocks made, ${Math.round((performance.now() - began) / 1000)} s`);
  },
});
tell(
  `${chain.height} blocks, ${chain.transactions} transactions, epoch ${chain.epoch}, snapshot ${chain.snapshotBytes} bytes`,
);

type Return = {
  readonly liveSeconds: number;
  readonly catchUpSeconds: number;
  readonly blocksPerSecond: number;
  readonly transactionsPerSecond: number;
  readonly cpuSeconds: number;
  readonly residentMiB: number;
};

async function comeBack(args: readonly string[]): Promise<Return> {
  const started = performance.now();
  network.start(absent, { args });
  let first: { height: number; at: number } | undefined;
  let caughtUp = 0;
  let resident = 0;
  for (;;) {
    await sleep(100);
    const status = await network.status(absent);
    if (!network.running(absent)) throw new Error(`the node ended\n${network.logTails()}`);
    resident = Math.max(resident, residentBytes(network.pid(absent)));
    if (status === undefined) continue;
    const { height } = status.finalized;
    if (first === undefined && height > 0) first = { height, at: performance.now() };
    if (caughtUp === 0 && height >= chain.height) caughtUp = performance.now();
    if (status.notVoting === '' && !status.catchingUp && caughtUp > 0) break;
    if (performance.now() - started > 1_200_000) throw new Error(JSON.stringify(status));
  }
  const live = performance.now();
  const from = first ?? { height: 0, at: started };
  const seconds = Math.max(0.001, (caughtUp - from.at) / 1000);
  const share = Math.max(0, chain.height - from.height) / chain.height;
  return {
    liveSeconds: (live - started) / 1000,
    catchUpSeconds: (caughtUp - started) / 1000,
    blocksPerSecond: (share * chain.height) / seconds,
    transactionsPerSecond: (share * chain.transactions) / seconds,
    cpuSeconds: cpuSeconds(network.pid(absent)),
    residentMiB: resident / 1024 / 1024,
  };
}

const results: Record<string, Return> = {};
try {
  for (const name of others) {
    cpSync(join(chainDir, 'store'), join(network.dataOf(name), 'store'), { recursive: true });
    cpSync(snapshotFile, snapshotPath(network.dataOf(name), chain.height));
    network.start(name);
  }
  await network.ready(others);
  tell('three validators run on it');
  for (const [what, args] of [
    ['blocks', []],
    ['snapshot', ['--snapshot']],
  ] as const) {
    results[what] = await comeBack(args);
    const { liveSeconds, blocksPerSecond, transactionsPerSecond, cpuSeconds: cpu, residentMiB } = results[what];
    tell(
      `${what}: live after ${liveSeconds.toFixed(1)} s; ${Math.round(blocksPerSecond)} blocks/s, ${Math.round(transactionsPerSecond)} tx/s; CPU ${cpu.toFixed(1)} s, RSS ${Math.round(residentMiB)} MiB`,
    );
    await network.signal(absent, 'SIGTERM');
    rmSync(network.dataOf(absent), { recursive: true });
    // A fresh key file would be another validator: what says that this one has signed goes too, for a test of the way back only.
    const { keys = '' } = network.net.validators.find(({ name }) => name === absent) ?? {};
    rmSync(`${keys}.sign-state`, { force: true });
  }
} finally {
  await network.remove();
}
process.stdout.write(values.json ? `${JSON.stringify({ machine: machine(), chain, results })}\n` : '');
