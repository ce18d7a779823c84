// `node test/bench/wan.ts [--sizes 4,7,…] [--delay MS] [--jitter 0.2] [--blocks N] [--json] [--out FILE]`: proposal to finalization in units of the
// one-way delay, in the simulator: the real engine, virtual time, every message under way for the same time, everything else taking none.
// So it says what the protocol needs, and nothing of any machine.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { consensusDefaults } from '../../src/ledger/consensusDefaults.ts';
import { createCluster } from '../sim/cluster.ts';
import type { Plan } from '../sim/plan.ts';
import { type Quantiles, quantiles } from './result.ts';

/** Three hops (proposal, notarize, finalize) and 5 %. */
const limit = 3 * 1.05;

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '4,5,7,10,13,16,22,32,48,64' },
    delay: { type: 'string', default: '50' },
    jitter: { type: 'string', default: '0' },
    blocks: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const delayMs = Number(values.delay);
const jitter = Number(values.jitter);

export type WanResult = {
  readonly validators: number;
  readonly blocks: number;
  /** At each validator, in one-way delays. */
  readonly toFinal: Quantiles;
  /** From when a transaction was told to one validator, and by it to all, until that one had it final. */
  readonly dueToFinal: Quantiles;
};

function measure(validators: number, blocks: number): WanResult {
  const members = Array.from({ length: validators }, (_, machine) => ({ machine, key: `m${machine}.1` }));
  const plan: Plan = {
    seed: 1,
    kind: 'quiet',
    machines: validators,
    sets: [{ epoch: 1, validators: members, leaderOrder: [...members.keys()] }],
    closeAtMs: [],
    profile: 0,
    latency: 'lan',
    phase1Ms: 0,
    txEveryMs: 0,
    liars: [],
    faults: [],
    down: [],
    cutLane: [],
  };
  const proposed = new Map<string, number>();
  let nowMs = (): number => 0;
  const cluster = createCluster(plan, {
    listeners: [
      {
        onSent(_machine, _set, message) {
          if (message.type === 'proposal' && !proposed.has(message.block.id)) proposed.set(message.block.id, nowMs());
        },
      },
    ],
  });
  const { schedule, oracle, prng, network } = cluster;
  nowMs = schedule.nowMs;
  // What checking, building and syncing take is drawn with this; links draw otherwise.
  prng.int = () => 0;
  network.links = {
    ...network.links,
    latencyMsMin: Math.round(delayMs * (1 - jitter)),
    latencyMsMax: Math.round(delayMs * (1 + jitter)),
  };
  for (const { options } of cluster.all) {
    Object.assign(options, {
      timings: {
        ...options.timings,
        leaderTimeoutMs: consensusDefaults.leaderTimeoutMs,
        certificationTimeoutMs: consensusDefaults.certificationTimeoutMs,
        retryMs: consensusDefaults.retryMs,
        fetchMs: consensusDefaults.fetchMs,
        skipMs: consensusDefaults.skipMs,
        idleBlockMs: consensusDefaults.idleBlockMs,
        finalizeGraceMs: 50,
        leaderSilentMs: 2000,
        blockIntervalMs: 20,
      },
      retentionViews: consensusDefaults.retentionViews,
      clockOffsetMs: 0,
      syncMsMax: 0,
      full: 0,
    });
  }
  const toFinal: number[] = [];
  const dueToFinal: number[] = [];
  const told = oracle.onTold.bind(oracle);
  oracle.onTold = (machine, height, id) => {
    told(machine, height, id);
    const atMs = proposed.get(id);
    if (atMs !== undefined) toFinal.push((nowMs() - atMs) / delayMs);
  };
  const given = new Map<number, { readonly machine: number; readonly atMs: number }>();
  const committed = oracle.onCommitted.bind(oracle);
  oracle.onCommitted = (machine, set, block, txs) => {
    committed(machine, set, block, txs);
    for (const tx of txs) {
      const found = given.get(tx);
      if (found?.machine === machine) dueToFinal.push((nowMs() - found.atMs) / delayMs);
    }
  };
  for (const node of cluster.all) node.boot();
  // The questions of the beginning, and a first turn of every leader.
  schedule.runUntil(20 * delayMs);
  let tx = 1;
  const give = (): void => {
    const node = cluster.all[tx % validators];
    if (node === undefined) return;
    given.set(tx, { machine: node.index, atMs: nowMs() });
    node.takeTx(tx);
    for (const machine of node.others()) node.transmit(machine, { kind: 'tx', tx });
    tx += 1;
  };
  const height = (): number => Math.min(...cluster.all.map(({ tip }) => tip.facts.height));
  // Not in step with the blocks, and never more than one of the simulator's blocks takes.
  const everyMs = 0.73 * delayMs;
  for (let atMs = nowMs(); height() < blocks + 10; atMs += everyMs) {
    schedule.runUntil(Math.round(atMs));
    if (height() === 10) {
      toFinal.length = 0;
      dueToFinal.length = 0;
    }
    give();
    if (atMs > 1000 * delayMs + blocks * 20 * delayMs) throw new Error(`${validators} validators came to ${height()}`);
  }
  return { validators, blocks: height() - 10, toFinal: quantiles(toFinal), dueToFinal: quantiles(dueToFinal) };
}

const results: WanResult[] = [];
if (!values.json) {
  process.stdout.write(
    `one-way delay ${delayMs} ms${jitter > 0 ? ` ± ${Math.round(100 * jitter)} %` : ''}; all in one-way delays; limit ${limit.toFixed(2)}\n\n| validators | proposal to finalization p50 | p99 | given to final p50 | p99 | |\n|---|---|---|---|---|---|\n`,
  );
}
for (const validators of values.sizes.split(',').map(Number)) {
  const result = measure(validators, Number(values.blocks));
  results.push(result);
  if (values.json) continue;
  const { toFinal, dueToFinal } = result;
  process.stdout.write(
    `| ${validators} | ${toFinal.p50.toFixed(2)} | ${toFinal.p99.toFixed(2)} | ${dueToFinal.p50.toFixed(2)} | ${dueToFinal.p99.toFixed(2)} | ${toFinal.p50 <= limit ? 'holds' : '**above the limit**'} |\n`,
  );
}
const text = `${JSON.stringify({ delayMs, jitter, limit, results })}\n`;
if (values.json) process.stdout.write(text);
if (values.out !== undefined) writeFileSync(values.out, text);
