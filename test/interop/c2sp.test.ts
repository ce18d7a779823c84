// Our log in the hands of Go's checksum database client and the transparency-dev libraries.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { toBase64 } from '../../src/codec/base64.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { formatBundlePath, formatTilePath, parseTilePath } from '../../src/log/tiles.ts';
import { formatTlogProof } from '../../src/log/tlogProof.ts';
import { formatVkey } from '../../src/log/vkey.ts';
import { formatTrust } from '../../src/token/trust.ts';
import { SampleLog, type SampleNetwork, sampleNetwork } from '../log/sample.ts';
import { grantText } from '../token/leaves.ts';
import { logWith, tokenOf } from '../token/makeVectors.ts';
import { buildVerifier, verifyLog } from './verifylog.ts';

const verifier = await buildVerifier();
const skip = 'reason' in verifier ? verifier.reason : false;
const binary = 'binary' in verifier ? verifier.binary : '';
const root = mkdtempSync(join(tmpdir(), 'weft-c2sp-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

const network = sampleNetwork();
const policy = join(root, 'trust');
writeFileSync(policy, formatTrust(sha256, network.trust));

function trustArgs({ trust }: SampleNetwork): string[] {
  return [
    ...trust.logs.flatMap((key) => ['-log', formatVkey(key)]),
    ...trust.cosigners.flatMap(({ key }) => ['-cosigner', formatVkey(key)]),
    '-quorum',
    String(trust.quorum),
  ];
}

function write(path: string, data: Uint8Array | string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, data);
  return path;
}

/** The layout of C2SP tlog-tiles for one size. */
function writeLog(folder: string, log: SampleLog, size: number): string {
  for (const { level, n, width, bytes } of log.files(size)) {
    write(join(folder, level === 'entries' ? formatBundlePath(n, width) : formatTilePath({ level, n, width })), bytes);
  }
  return write(join(folder, 'checkpoint'), log.checkpoint(network, size));
}

const log = SampleLog.ofSize(70_000);

for (const size of [1, 2, 255, 256, 257, 70_000]) {
  t.test(`a log of ${size} leaves: checkpoint, tiles, bundles, proofs`, { skip }, async (t) => {
    const folder = join(root, `size-${size}`);
    writeLog(folder, log, size);
    const oldSize = Math.max(1, Math.floor(size * 0.7));
    const index = Math.floor(size / 3);
    const checkpoint = log.checkpoint(network, size);
    const args = [
      ...[...trustArgs(network), '-policy', policy, '-dir', folder],
      ...['-old', write(join(root, `old-${size}`), log.checkpoint(network, oldSize))],
      ...[
        '-consistency',
        write(join(root, `consistency-${size}`), log.consistency(oldSize, size).map(toBase64).join('\n')),
      ],
      ...[
        '-proof',
        write(
          join(root, `${size}.tlog-proof`),
          formatTlogProof({ index, hashes: log.inclusion(index, size), checkpoint }),
        ),
      ],
      ...['-leaf', write(join(root, `leaf-${size}`), log.entries[index]!)],
    ];
    const { ok, output } = await verifyLog(binary, args);
    t.ok(ok, output);
    t.match(output, new RegExp(`all ${size} entries give the root`));
    t.match(output, /policy: satisfied/);
    t.match(output, new RegExp(`consistency: ${oldSize} to ${size} holds by the tiles`));
    t.match(output, /consistency: .*consistency-\d+ holds/);
    t.match(output, new RegExp(`proof: leaf ${index} of ${size} holds`));
  });
}

t.test('a token is a proof that others read', { skip }, async (t) => {
  const token = tokenOf(logWith([grantText], 5, 9), network, 5);
  const file = write(join(root, 'token'), token);
  const { ok, output } = await verifyLog(binary, [...trustArgs(network), '-policy', policy, '-proof', file]);
  t.ok(ok, output);
  t.match(output, /proof: leaf 5 of 9 holds/);
});

t.test('at the largest number of validators that is promised to others', { skip }, async (t) => {
  const many = sampleNetwork(22);
  const trust = write(join(root, 'trust-22'), formatTrust(sha256, many.trust));
  const file = write(join(root, 'token-22'), tokenOf(logWith([grantText], 5, 9), many, 5));
  const { ok, output } = await verifyLog(binary, [...trustArgs(many), '-policy', trust, '-proof', file]);
  t.ok(ok, output);
});

t.test('served over HTTP, partial tiles cut on demand', { skip }, async (t) => {
  const size = 300;
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    if (path === 'checkpoint') return response.end(log.checkpoint(network, size));
    const id = parseTilePath(path);
    for (const file of log.files(size)) {
      const matches = id !== undefined && file.n === id.n && file.width === id.width;
      if (matches && file.level === (id.kind === 'entries' ? 'entries' : id.level)) return response.end(file.bytes);
    }
    response.statusCode = 404;
    return response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { ok, output } = await verifyLog(binary, [...trustArgs(network), '-url', url]);
  t.ok(ok, output);
});

t.test('the verifier can say no', { skip }, async (t) => {
  const size = 257;
  const folder = join(root, 'bad');
  const paths = [
    'checkpoint',
    'tile/0/000',
    'tile/0/001.p/1',
    'tile/1/000.p/1',
    'tile/entries/000',
    'tile/entries/001.p/1',
  ];
  writeLog(folder, log, size);
  const args = [...trustArgs(network), '-dir', folder];
  t.ok((await verifyLog(binary, args)).ok);
  for (const path of paths) {
    const good = readFileSync(join(folder, path));
    const changed = Uint8Array.from(good);
    changed[good.length - 20]! ^= 1;
    writeFileSync(join(folder, path), changed);
    t.notOk((await verifyLog(binary, args)).ok, `${path} changed`);
    writeFileSync(join(folder, path), good);
  }
  const { trust } = network;
  const fewer = sampleNetwork(4, network.chain, (i) => `w${i}`);
  t.notOk((await verifyLog(binary, [...trustArgs(fewer), '-dir', folder])).ok, 'other keys');
  t.notOk(
    (await verifyLog(binary, [...trustArgs({ ...network, trust: { ...trust, quorum: 4 } }), '-dir', folder])).ok,
    'a higher quorum',
  );
  const fork = logWith([grantText], 5, 9);
  const old = write(join(root, 'fork'), fork.checkpoint(network));
  t.notOk((await verifyLog(binary, [...args, '-old', old])).ok, 'a checkpoint of another history');
});
