// `node test/bench/wanNodes.ts [--sizes 4,7] [--delay MS] [--rate N] [--seconds S] [--json] [--out FILE]`: as wan.ts, but whole nodes (ledger,
// mempool, signatures, disk) on virtual time: what of theirs waits for an answer over the network shows here as delays, whatever the machine.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { genesisTime, makeGenesis, packetsTx, validatorNames } from '../ledger/fixtures.ts';
import { createPrng } from '../sim/prng.ts';
import { startClock } from '../sim/real/clock.ts';
import { SimDisk } from '../sim/real/disk.ts';
import { SimNetwork } from '../sim/real/network.ts';
import { RealNode } from '../sim/real/node.ts';
import { type Quantiles, quantiles } from './result.ts';
import { type Cell, table } from './table.ts';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '4,7' },
    delay: { type: 'string', default: '50' },
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const delayMs = Number(values.delay);
const rate = Number(values.rate);
const seconds = Number(values.seconds);
/** Starting, the first questions, and what comes of them. */
const settleMs = 5000;

export type WanNodes = {
  readonly validators: number;
  readonly blocksPerSecond: number;
  readonly sent: number;
  readonly committed: number;
  /** In one-way delays: from a block's own time, and from when a transaction was given to a node until that one has it final. */
  readonly toFinal: Quantiles;
  readonly givenToFinal: Quantiles;
};

async function measure(validators: number): Promise<WanNodes> {
  const clock = startClock();
  const prng = createPrng(7);
  const { genesis } = makeGenesis(validators);
  const links = { latencyMsMin: delayMs, latencyMsMax: delayMs, slow: 0, slowMsMax: 0, loss: 0, breaks: 0 };
  const network = new SimNetwork(clock, prng, links, {
    leaving: (_from, _to, kind, payload) => [{ kind, payload }],
    threw: (at, what, error) => process.stderr.write(`${at.name} threw in ${what}: ${String(error)}\n`),
    blamed: (at, peer) => process.stderr.write(`${at.name} blames ${peer}\n`),
  });
  const wallMs = (): number => genesisTime + 1000 + Math.floor(clock.nowMs());
  const toFinal: number[] = [];
  const givenToFinal: number[] = [];
  const given = new Map<string, { readonly node: RealNode; readonly atMs: number }>();
  let blocks = 0;
  let counts = false;
  const nodes: RealNode[] = validatorNames(validators).map((name, slot) => {
    const node: RealNode = new RealNode(slot, name, 0, {
      clock,
      network,
      disk: new SimDisk(clock, prng, { syncMsMax: 1, lies: false }),
      genesis: genesis.bytes,
      trace: () => undefined,
      gaveUp: (_, code, detail) => process.stderr.write(`${name} gave up: ${code} ${detail}\n`),
      began: (_, ledger, api) =>
        void api.subscribe({ topic: 'blocks' }, (event) => {
          if (event.topic !== 'blocks' || event.block.transactions === 0 || !counts) return;
          toFinal.push((wallMs() - event.block.time) / delayMs);
          if (slot === 0) blocks += 1;
          for (const [txId, each] of given) {
            if (each.node !== node || !ledger.seen(txId)) continue;
            givenToFinal.push((clock.nowMs() - each.atMs) / delayMs);
            given.delete(txId);
          }
        }),
    });
    return node;
  });
  for (const node of nodes) node.start();
  await clock.pass(settleMs);
  let sent = 0;
  const send = (): void => {
    if (!counts) return;
    const node = nodes[sent % validators];
    sent += 1;
    const envelope = packetsTx(genesis.chain, 'alice', { nonce: sent, expires: wallMs() + 60_000, ids: 1 });
    const atMs = clock.nowMs();
    node?.as(() =>
      node.api?.submit(envelope).then(
        ({ id }) => given.set(id, { node, atMs }),
        (error: unknown) => process.stderr.write(`refused: ${String(error)}\n`),
      ),
    );
    // Not in step with anything.
    clock.after(Math.max(1, Math.round((1000 / rate) * (0.8 + 0.4 * prng.next()))), send);
  };
  counts = true;
  send();
  await clock.pass(1000 * seconds);
  const result = {
    validators,
    blocksPerSecond: Math.round((10 * blocks) / seconds) / 10,
    sent,
    committed: givenToFinal.length,
    toFinal: quantiles(toFinal),
    givenToFinal: quantiles(givenToFinal),
  };
  counts = false;
  for (const node of nodes) node.powerLoss();
  await clock.end();
  return result;
}

const results: WanNodes[] = [];
const rows: Cell[][] = [];
for (const validators of values.sizes.split(',').map(Number)) {
  const result = await measure(validators);
  results.push(result);
  const { toFinal, givenToFinal, blocksPerSecond } = result;
  const limits = [(3.3 * delayMs + 15) / delayMs, (5 * delayMs + 15) / delayMs] as const;
  const holds = toFinal.p50 <= limits[0] && givenToFinal.p50 <= limits[1];
  const verdict = `${limits.map((limit) => limit.toFixed(2)).join(', ')}: ${holds ? 'hold' : '**missed**'}`;
  const delays = [toFinal.p50, toFinal.p99, givenToFinal.p50, givenToFinal.p99];
  rows.push([validators, blocksPerSecond, ...delays, verdict]);
}
const text = `${JSON.stringify({ delayMs, rate, results })}\n`;
if (values.out !== undefined) writeFileSync(values.out, text);
const head = ['validators', 'blocks/s', 'proposal to finalization p50', 'p99', 'given to final p50', 'p99', 'limits'];
const about = `whole nodes, one-way delay ${delayMs} ms, ${rate} tx/s; in one-way delays`;
process.stdout.write(values.json ? text : `${about}\n\n${table(head, rows)}\n`);
