// `node test/bench/silent.ts [--rate 100] [--seconds 95] [--json]`: finality with all four validators, with one stopped, and with one
// that votes but never proposes; and how often the others waited for it in vain. See docs/reliability.md.
import { parseArgs } from 'node:util';
import { frameKinds } from '../../src/node/wire.ts';
import { TestNetwork } from '../e2e/network.ts';
import { drain, heardOf, oneSenderConfig, prepareRoutes, signAll } from './bench.ts';
import { placesOf } from './leaves.ts';
import { Load } from './load.ts';
import { type Quantiles, quantiles } from './result.ts';
import { Watch } from './watch.ts';

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '95' },
    json: { type: 'boolean', default: false },
  },
});
const rate = Number(values.rate);
const seconds = Number(values.seconds);

/** Defaults of a new chain. */
const leaderTimeoutMs = 1000;
const skipMs = 30_000;

type Result = {
  readonly what: string;
  readonly committedPerSecond: number;
  readonly finalityMs: Quantiles;
  readonly blocksPerSecond: number;
  /** Views without a block. */
  readonly skippedViews: number;
  /** Seconds from the beginning at which a leader's whole timeout ran out. */
  readonly timeoutsAtS: readonly number[];
  readonly otherCores: number;
};

async function measure(what: string, harm: (network: TestNetwork) => Promise<void>): Promise<Result> {
  const network = await TestNetwork.make({ name: 'weft-bench', config: oneSenderConfig });
  try {
    network.startAll();
    await network.ready();
    await prepareRoutes(network);
    await harm(network);
    const asked = network.net.validators.slice(0, 3);
    const load = await Load.open(asked.map(({ rpc }) => rpc));
    const [status] = await network.until(() => true, { names: asked.map(({ name }) => name) });
    const before = status?.finalized.logSize ?? 0;
    const signed = await signAll(network, Math.round(rate * seconds), 1);
    const blocksBefore = load.blocks.map(({ length }) => length);
    const pids = asked.map(({ name }) => network.pid(name));
    const watch = new Watch(pids, []);
    const startedMs = performance.now();
    const sent = await load.run(signed, rate);
    const { tookSeconds, otherCores } = watch.stop();
    await drain(load, sent, blocksBefore);
    const blocks = load.blocks.map((each, i) => each.slice(blocksBefore[i]));
    const places = await placesOf(asked[0]?.rpc ?? '', before, blocks[0]?.at(-1)?.logSize ?? before);
    const heard = sent.flatMap((each) => {
      const atMs = heardOf(places.get(each.envelopeId), blocks[each.validator] ?? []);
      return atMs === undefined ? [] : [{ tookMs: atMs - each.dueMs, atMs }];
    });
    const lastMs = Math.max(...heard.map(({ atMs }) => atMs));
    const first = (blocks[0] ?? []).filter(({ atMs }) => atMs <= lastMs);
    load.close();
    return {
      what,
      committedPerSecond: Math.round((10 * heard.length) / ((lastMs - startedMs) / 1000)) / 10,
      finalityMs: quantiles(heard.map(({ tookMs }) => tookMs)),
      blocksPerSecond: Math.round((10 * first.length) / tookSeconds) / 10,
      skippedViews: first.slice(1).reduce((sum, { view }, i) => sum + view - (first[i]?.view ?? view) - 1, 0),
      timeoutsAtS: first
        .slice(1)
        // There is always work, so only a timeout that ran out in full makes such a gap.
        .filter(
          ({ atMs, view }, i) =>
            atMs - (first[i]?.atMs ?? atMs) >= 0.9 * leaderTimeoutMs && view > (first[i]?.view ?? 0) + 1,
        )
        .map(({ atMs }) => Math.round((atMs - startedMs) / 100) / 10),
      otherCores: Math.round(10 * otherCores) / 10,
    };
  } finally {
    await network.remove();
  }
}

const results = [
  await measure('all four', async () => {}),
  await measure('one stopped', (network) => network.signal('v4', 'SIGSTOP')),
  await measure('one votes but never proposes', async (network) => {
    await network.signal('v4', 'SIGTERM');
    network.start('v4', { mute: [frameKinds.proposal] });
    await network.ready();
  }),
];

if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
else {
  process.stdout.write(
    `${rate} transactions/s for ${seconds} s, to three of four validators; skip period ${skipMs / 1000} s\n`,
  );
  for (const {
    what,
    committedPerSecond,
    finalityMs,
    blocksPerSecond,
    skippedViews,
    timeoutsAtS,
    otherCores,
  } of results) {
    const { p50, p99, max } = finalityMs;
    const timeouts = `${timeoutsAtS.length} timeouts${timeoutsAtS.length > 0 ? ` (at ${timeoutsAtS.join(', ')} s)` : ''}`;
    process.stdout.write(
      `${what.padEnd(30)} ${committedPerSecond}/s   finality p50 ${p50} p99 ${p99} max ${max} ms   ${blocksPerSecond} blocks/s   ${skippedViews} views skipped   ${timeouts}   other programs: ${otherCores} cores\n`,
    );
  }
}
