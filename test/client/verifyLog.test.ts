import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { openLogSource } from '../../src/client/logSource.ts';
import { verifyLog } from '../../src/client/verifyLog.ts';
import { writeLog } from './logFiles.ts';

const file = (dir: string, path: string): string => join(dir, path);

t.test('logs of many sizes hold, from a folder', async (t) => {
  for (const size of [2, 3, 255, 256, 257, 600]) {
    const dir = t.testdir({});
    const trust = writeLog(dir, size);
    const progress: number[] = [];
    const log = await verifyLog(openLogSource(dir), { trust, onProgress: (entries) => progress.push(entries) });
    t.equal(log.size, size);
    t.same(log.cosigners, ['v1', 'v2', 'v3']);
    t.equal(log.time, 1_763_712_000_000);
    t.equal(progress.at(-1), size);
  }
});

t.test('from a server, where the last tile has grown full since', async (t) => {
  const dir = t.testdir({});
  const trust = writeLog(dir, 300);
  const checkpoint = readFileSync(file(dir, 'checkpoint'));
  writeLog(dir, 600);
  writeFileSync(file(dir, 'checkpoint'), checkpoint);
  // The partial files of size 300 are gone: C2SP lets a server drop them once the full ones are there.
  rmSync(file(dir, 'tile/entries/001.p'), { recursive: true, force: true });
  rmSync(file(dir, 'tile/0/001.p'), { recursive: true, force: true });
  const server = createServer((request, response) => {
    const path = file(dir, request.url ?? '');
    if (existsSync(path)) response.end(readFileSync(path));
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const source = openLogSource(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  t.teardown(() => source.close());
  t.equal((await verifyLog(source, { trust })).size, 300);
});

t.test('what is wrong is found and named', async (t) => {
  const wrong = async (code: string, spoil: (dir: string) => void, size = 300, signers = 3): Promise<void> => {
    const dir = t.testdir({});
    const trust = writeLog(dir, size, signers);
    spoil(dir);
    await t.rejects(verifyLog(openLogSource(dir), { trust }), { code }, code);
  };
  const flip = (path: string, at: number) => (dir: string) => {
    const bytes = readFileSync(file(dir, path));
    bytes[at]! ^= 1;
    writeFileSync(file(dir, path), bytes);
  };
  await wrong('LOG_SIGNATURES', () => {}, 300, 2);
  await wrong('LOG_CHECKPOINT_MISSING', (dir) => rmSync(file(dir, 'checkpoint')));
  await wrong('LOG_TILE_WRONG', flip('tile/0/000', 5000));
  await wrong('LOG_TILE_WRONG', flip('tile/1/000.p/1', 3));
  await wrong('LOG_TILE_WRONG', flip('tile/entries/000', 400));
  await wrong('LOG_TILE_WRONG', flip('tile/entries/001.p/44', 8));
  await wrong('LOG_TILE_MISSING', (dir) => rmSync(file(dir, 'tile/0/001.p/44')));
  await wrong('LOG_BUNDLE_MISSING', (dir) => rmSync(file(dir, 'tile/entries/000')));
  await wrong('LOG_BUNDLE_INVALID', (dir) => appendFileSync(file(dir, 'tile/entries/000'), 'x'));
  await wrong('LOG_GENESIS_WRONG', flip('tile/entries/000', 12));
  const edit = (from: string, to: string) => (dir: string) => {
    const text = readFileSync(file(dir, 'checkpoint'), 'utf8');
    t.ok(text.includes(from));
    writeFileSync(file(dir, 'checkpoint'), text.replace(from, to));
  };
  await wrong('LOG_ORIGIN', edit('weft-test', 'weft-best'));
  await wrong('LOG_SIGNATURES', edit('\n300\n', '\n299\n'));
  await t.rejects(verifyLog(openLogSource('/nonexistent'), { trust: 'x' }), { code: 'TRUST_INVALID' });
});
