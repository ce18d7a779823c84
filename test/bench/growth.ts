// `node test/bench/growth.ts --dir DIR`: what becomes of a validator as its chain grows to ten million log entries, and of a network as
// it grows to ten. The chain is made offline in DIR, once. See docs/performance.md.
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openWeft } from './bench.ts';
import { type ChainGrowth, type DiskShare, diskShare, measureChain } from './growthCommit.ts';
import { grow } from './growthFolder.ts';
import { measureNetwork, type NetworkGrowth } from './growthNetwork.ts';
import { renderChain, renderDisk, renderNetworks } from './growthRender.ts';
import { machine } from './processes.ts';
import { place } from './render.ts';
import type { PointResult } from './result.ts';

const parts = ['chain', 'disk', 'networks'] as const;

const { values } = parseArgs({
  options: {
    dir: { type: 'string', default: join(tmpdir(), 'weft-growth') },
    sizes: { type: 'string', default: '10000,1000000,10000000' },
    models: { type: 'string', default: '50000' },
    validators: { type: 'string', default: '4' },
    networks: { type: 'string', default: '1,4,7,10' },
    rate: { type: 'string', default: '20' },
    only: { type: 'string' },
    'make-only': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const wanted = values.only === undefined ? parts : parts.filter((each) => values.only?.split(',').includes(each));
const dir = resolve(values.dir);
const started = performance.now();
const progress = (text: string): void =>
  void process.stderr.write(`${Math.round((performance.now() - started) / 1000)} s: ${text}\n`);

type Grown = {
  chain?: { readonly size: number; readonly commit: ChainGrowth; readonly network: NetworkGrowth }[];
  disk?: DiskShare[];
  networks?: { readonly validators: number; readonly point: PointResult }[];
};
const found: Grown = {};

if (wanted.includes('chain')) {
  const sizes = values.sizes.split(',').map(Number);
  const grown = await grow(dir, {
    validators: Number(values.validators),
    sizes,
    models: Number(values.models),
    progress,
  });
  progress(`chains of ${grown.sizes.map(({ entries }) => entries).join(', ')} entries are there`);
  if (!values['make-only']) {
    found.chain = [];
    for (const size of grown.sizes) {
      const commit = await measureChain(dir, grown, size, progress);
      const network = await measureNetwork(dir, grown, size, progress);
      found.chain.push({ size: size.size, commit, network });
    }
  }
}
if (wanted.includes('disk') && !values['make-only']) {
  found.disk = [];
  for (const transactions of [1, 10, 100]) {
    progress(`disk: blocks of ${transactions}`);
    const at = join(dir, 'disk');
    found.disk.push(await diskShare(at, transactions));
    rmSync(at, { recursive: true, force: true });
  }
}
if (wanted.includes('networks') && !values['make-only']) {
  found.networks = [];
  for (const validators of values.networks.split(',').map(Number)) {
    const engine = await openWeft({ validators, progress });
    try {
      await engine.run({ rate: Number(values.rate), records: 1, seconds: 3 });
      progress(`${validators} validators, ${values.rate} tx/s`);
      const point = await engine.run({ rate: Number(values.rate), records: 1, seconds: 10 });
      found.networks.push({ validators, point });
    } finally {
      await engine.close();
    }
  }
}

const text = `${JSON.stringify({ machine: machine(), ...found })}\n`;
if (values.out !== undefined) writeFileSync(values.out, text);
if (values.json) process.stdout.write(text);
else {
  process.stdout.write(
    [
      place(machine()),
      ...(found.chain === undefined ? [] : ['', renderChain(found.chain)]),
      ...(found.disk === undefined ? [] : ['', renderDisk(found.disk)]),
      ...(found.networks === undefined ? [] : ['', renderNetworks(found.networks)]),
      '',
    ].join('\n'),
  );
}
