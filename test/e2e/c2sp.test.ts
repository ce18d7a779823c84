// The log of running nodes in the hands of libraries that know nothing of Weft, over HTTP as they are.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { decodeBundle } from '../../src/log/bundles.ts';
import { formatBundlePath, formatTilePath, tilesOfSize } from '../../src/log/tiles.ts';
import { formatVkey } from '../../src/log/vkey.ts';
import { readTrust } from '../../src/token/node.ts';
import { buildVerifier, verifyLog } from '../interop/verifylog.ts';
import { TestNetwork } from './network.ts';

t.setTimeout(180_000);
const verifier = await buildVerifier();
const noGo = 'reason' in verifier ? verifier.reason : false;
const binary = 'binary' in verifier ? verifier.binary : '';
const network = await TestNetwork.make();
const folder = mkdtempSync(join(tmpdir(), 'weft-c2sp-'));
t.teardown(async () => {
  await network.remove();
  rmSync(folder, { recursive: true, force: true });
});
network.startAll();
await network.ready();
const client = network.client('v1');
const urls = network.net.validators.map(({ rpc }) => rpc);

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const sizeOf = (checkpoint: string): number => Number(checkpoint.split('\n')[1]);

/** Sixteen groups, so seventeen leaves and the block's own. */
async function grow(): Promise<{ id: string; height: number }> {
  const groups = Array.from(
    { length: 16 },
    (): JsonObject => ({
      source: 'misty.weave',
      target: 'oracle.weave',
      expires: Date.now() + 30_000,
      ids: toBase64Url(randomBytes(32)),
    }),
  );
  return client.submitAndWait(await network.signed('router-prime', 'packets.commit', { groups }));
}

async function covered(logSize: number): Promise<void> {
  for (const url of urls) {
    for (const until = Date.now() + 15_000; Date.now() < until; await sleep(50)) {
      const response = await fetch(`${url}/checkpoint`);
      if (response.status === 200 && sizeOf(await response.text()) >= logSize) break;
    }
  }
}

/** Every checkpoint that v1 published while the log grew. */
const checkpoints = new Map<number, string>();
let last = { id: '', height: 0 };
for (let i = 0; i < 20; i++) {
  last = await grow();
  const checkpoint = await client.checkpoint().catch(() => '');
  if (checkpoint !== '') checkpoints.set(sizeOf(checkpoint), checkpoint);
}
await covered((await client.block(last.height)).logSize);
const policy = write('trust.txt', await client.trust());
const trust = readTrust(await client.trust());
const trustArgs = [
  ...trust.logs.flatMap((key) => ['-log', formatVkey(key)]),
  ...trust.cosigners.flatMap(({ key }) => ['-cosigner', formatVkey(key)]),
  ...['-quorum', String(trust.quorum), '-policy', policy],
];

for (const [i, url] of urls.entries()) {
  t.test(
    `v${i + 1}: checkpoint, all tiles and entries, and what v1 had published long before`,
    { skip: noGo },
    async (t) => {
      const sizes = [...checkpoints.keys()].sort((a, b) => a - b);
      const oldSize = sizes[i]!;
      const old = write(`old-${i}`, checkpoints.get(oldSize)!);
      const { ok, output } = await verifyLog(binary, [...trustArgs, '-url', url, '-old', old]);
      t.ok(ok, output);
      t.match(output, /policy: satisfied/);
      t.match(output, /all \d+ entries give the root/);
      t.match(output, new RegExp(`consistency: ${oldSize} to \\d+ holds by the tiles`));
    },
  );
}

t.test('tokens are proofs that others read', { skip: noGo }, async (t) => {
  const size = sizeOf(await client.checkpoint());
  const indices = [0, 1, 255, 256, size - 1];
  const files = await Promise.all(
    indices.map(async (index) => write(`token-${index}`, await network.client('v2').fetchToken({ index }))),
  );
  const { ok, output } = await verifyLog(binary, [...trustArgs, ...files.flatMap((file) => ['-proof', file])]);
  t.ok(ok, output);
  for (const index of indices) t.match(output, new RegExp(`proof: leaf ${index} of \\d+ holds`));
});

t.test('with one cosigner more than there are signatures they say no', { skip: noGo }, async (t) => {
  const args = trustArgs.map((each, i) => (trustArgs[i - 1] === '-quorum' ? '4' : each));
  t.notOk((await verifyLog(binary, [...args, '-url', urls[0]!])).ok);
});

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${urls[0]}/${path}`, { redirect: 'manual', headers });
}

t.test('how it is served: types, caching, no redirects', async (t) => {
  const checkpoint = await get('checkpoint');
  t.equal(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8');
  t.equal(checkpoint.headers.get('cache-control'), 'no-cache');
  const text = await checkpoint.text();
  const lines = text.split('\n');
  t.equal(lines[0], trust.origin);
  t.equal(lines[3], '', 'no extension lines');
  const signers = lines.slice(4, -1).map((line) => line.split(' ')[1]);
  t.equal(signers[0], trust.origin, 'the log line first');
  const names = trust.cosigners.map(({ key }) => key.name);
  t.same(
    signers.slice(1),
    names.filter((name) => signers.includes(name)),
    'then q cosigners in policy order',
  );
  t.equal(signers.length, 1 + trust.quorum);
  t.match(text, `— ${trust.origin} `);

  const full = await get('tile/0/000');
  t.equal(full.status, 200);
  t.equal(full.headers.get('content-type'), 'application/octet-stream');
  t.equal(full.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  t.equal((await full.arrayBuffer()).byteLength, 256 * 32);
  const partial = await get('tile/0/000.p/3');
  t.equal(partial.status, 200);
  t.notMatch(partial.headers.get('cache-control'), /immutable/);

  const plain = await get('tile/entries/000', { 'accept-encoding': 'identity' });
  t.equal(plain.headers.get('content-encoding'), null);
  t.equal(plain.headers.get('content-type'), 'application/octet-stream');
  const bundle = Buffer.from(await plain.arrayBuffer());
  const leaves = decodeBundle(bundle, 256);
  t.equal(Buffer.from(leaves[7]!).toString(), (await client.entry(7)).leaf);
  const zipped = await get('tile/entries/000', { 'accept-encoding': 'gzip' });
  t.equal(zipped.headers.get('content-encoding'), 'gzip');
  t.equal(zipped.headers.get('vary'), 'accept-encoding');
  // (fetch has unpacked it.)
  t.same(Buffer.from(await zipped.arrayBuffer()), bundle);
});

t.test('what is not there is 404, and not for long', async (t) => {
  const paths = [
    'tile/0/999',
    'tile/0/001.p/255',
    'tile/1/000',
    'tile/5/000.p/1',
    'tile/63/000',
    'tile/64/000',
    'tile/0/00',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/entries/x001/000',
    'tile/0/000/',
    'tile/0/000.p/03',
    'tile/-1/000',
    'tile/0/%30%30%30',
  ];
  for (const path of paths) {
    const response = await get(path);
    t.equal(response.status, 404, path);
    t.notMatch(response.headers.get('cache-control') ?? '', /max-age|immutable/, path);
  }
});

t.test('a partial tile is there for every size that had a checkpoint, on every node', async (t) => {
  t.ok(checkpoints.size > 10, `${checkpoints.size} sizes`);
  for (const [i, size] of [...checkpoints.keys()].entries()) {
    const url = urls[i % urls.length]!;
    for (const tile of tilesOfSize(size)) {
      const paths = [formatTilePath(tile), ...(tile.level === 0 ? [formatBundlePath(tile.n, tile.width)] : [])];
      for (const path of paths) {
        const response = await fetch(`${url}/${path}`);
        if (response.status !== 200) t.fail(`size ${size}: ${path} is ${response.status}`);
        const { byteLength } = await response.arrayBuffer();
        if (!path.includes('entries') && byteLength !== 32 * tile.width) t.fail(`${path} has ${byteLength} bytes`);
      }
    }
  }
});

t.test('with no transactions the checkpoint is cosigned anew, at the same size or a block later', async (t) => {
  const first = await client.checkpoint();
  const until = Date.now() + 15_000;
  let next = first;
  while (next === first && Date.now() < until) {
    await sleep(100);
    next = await client.checkpoint();
  }
  t.not(next, first);
  t.ok(sizeOf(next) >= sizeOf(first));
});
