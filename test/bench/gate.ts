// `node test/bench/gate.ts [--json]`: what the gate costs a packet, with 1 to 1,000,000 grants, beside a program that does
// nothing, both run by the kernel on the same frames in the same minute (BPF_PROG_TEST_RUN). As root, or with the capabilities
// of `weft agent probe`. Attaches to nothing. See docs/performance.md.
import { parseArgs } from 'node:util';
import { formatAddress } from '../../src/agent/bpf/address.ts';
import { Gate } from '../../src/agent/bpf/gate.ts';
import type { Grant } from '../../src/agent/bpf/grants.ts';
import { Kernel } from '../../src/agent/bpf/kernel.ts';
import { closeLoaded, descriptor, loadSkeleton } from '../../src/agent/bpf/load.ts';
import { skeletons } from '../../src/agent/bpf/programs.ts';
import { ipv4 } from '../agent/bpf/frames.ts';
import { median } from './result.ts';
import { table } from './table.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const [rounds, repeat, coldFrames] = [7, 200_000, 4096];

const address = (n: number): string =>
  formatAddress(Buffer.from(`00000000000000000000ffff${(0x0a000000 + n).toString(16).padStart(8, '0')}`, 'hex'));
/** Grant n is for source n; neighbours lie anywhere in the table. */
const grantOf = (n: number): Grant => ({
  id: n.toString(16).padStart(64, '0'),
  source: address(n),
  destination: '192.168.0.1',
  port: 8080,
  protocol: 'tcp',
  expiresNs: 1n << 62n,
});
const frameOf = (n: number, port = 8080): Buffer => ipv4({ source: address(n), destination: '192.168.0.1', port });

const kernel = await Kernel.open();
const empty = loadSkeleton(kernel, skeletons.empty);
const nothing = descriptor(empty.programs, 'weft_empty');
const gate = new Gate(kernel);
gate.maps.guard([{ port: 8080, protocol: 'tcp' }]);
gate.maps.configure({ mode: 'enforce', eventsPerSecond: 1 });

type Cost = { readonly ns: number; readonly emptyNs: number; readonly ratio: number };

/** The same frame over and over, gate and empty program in turns: caches are warm. */
function warm(frame: Buffer): Cost {
  const [gated, empties]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    gated.push(gate.test(frame, repeat).ns);
    empties.push(kernel.testRun(nothing, frame, repeat).ns);
  }
  return cost(gated, empties);
}

/** Each frame of another flow, once: the grant is not in any cache when the table is large. The clock's own reading is in both. */
function cold(frames: readonly Buffer[]): Cost {
  const [gated, empties]: [number[], number[]] = [[], []];
  for (const frame of frames) {
    gated.push(gate.test(frame).ns);
    empties.push(kernel.testRun(nothing, frame).ns);
  }
  return cost(gated, empties);
}

function cost(gated: readonly number[], empties: readonly number[]): Cost {
  const [ns, emptyNs] = [Math.round(median(gated)), Math.round(median(empties))];
  return { ns, emptyNs, ratio: Math.round((10 * ns) / Math.max(1, emptyNs)) / 10 };
}

const rows: { what: string; grants: number; shapes: number; warm?: Cost; cold?: Cost }[] = [];
const inserts: { grants: number; perSecond: number }[] = [];
for (const grants of [1, 10_000, 100_000, 1_000_000]) {
  const wanted = Array.from({ length: grants }, (_, n) => grantOf(n));
  const started = performance.now();
  const { added } = gate.maps.grants.reconcile(wanted);
  inserts.push({ grants, perSecond: Math.round((1000 * added) / (performance.now() - started)) });
  const scattered = Array.from({ length: Math.min(grants, coldFrames) }, (_, i) => frameOf((i * 7_368_787) % grants));
  const strangers = Array.from({ length: coldFrames }, (_, i) => frameOf(grants + ((i * 7_368_787) % 4_000_000)));
  rows.push({
    what: 'granted',
    grants,
    shapes: 0,
    warm: warm(frameOf(0)),
    ...(grants > 1 ? { cold: cold(scattered) } : {}),
  });
  rows.push({ what: 'refused', grants, shapes: 0, warm: warm(frameOf(grants)), cold: cold(strangers) });
  rows.push({ what: 'unguarded port', grants, shapes: 0, warm: warm(frameOf(0, 80)) });
}
for (const shapes of [1, 8, 32]) {
  // Shapes that never match: what a refused packet has to go through.
  const others = Array.from({ length: shapes }, (_, n) => ({
    ...grantOf(n),
    source: n % 2 === 0 ? '0.0.0.0/0' : '128.0.0.0/1',
    destination: `172.16.0.0/${12 + (n >> 1)}`,
  }));
  gate.maps.grants.reconcile([...others, ...Array.from({ length: 10_000 }, (_, n) => grantOf(n + 100))]);
  rows.push({ what: 'granted', grants: 10_000, shapes, warm: warm(frameOf(100)) });
  rows.push({ what: 'refused', grants: 10_000, shapes, warm: warm(frameOf(0)) });
}
gate.close();
closeLoaded(kernel, empty);

if (values.json) process.stdout.write(`${JSON.stringify({ rows, inserts })}\n`);
else {
  const cell = (cost: Cost | undefined): string =>
    cost === undefined ? '–' : `${cost.ns} ns (${cost.ratio} × ${cost.emptyNs})`;
  const head = ['grants', 'shapes', 'packet', 'the same flow', 'each packet of another flow'];
  const cells = rows.map((row) => [row.grants, row.shapes, row.what, cell(row.warm), cell(row.cold)]);
  process.stdout.write(`${table(head, cells)}\n`);
  for (const { grants, perSecond } of inserts) process.stdout.write(`${grants} grants: ${perSecond} put a second\n`);
}
