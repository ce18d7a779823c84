import { randomBytes, randomInt } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { multiaddr } from '@multiformats/multiaddr';
import t from 'tap';
import { gossipService } from '../../src/net/gossip.ts';
import { defaultLimits } from '../../src/net/limits.ts';
import { wholeMessages } from '../../src/net/wholeMessages.ts';
import { chain } from './harness.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function prefixed(message: Uint8Array): Buffer {
  const prefix: number[] = [];
  let left = message.length;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) prefix.push((left % 0x80) + 0x80);
  return Buffer.concat([Buffer.of(...prefix, left), message]);
}

async function* pieces(bytes: Uint8Array, next: () => number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const size = next();
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const each of source) all.push(Buffer.from(each));
  return all;
}

t.test('messages are found however they are cut', async (t) => {
  const messages = [0, 1, 127, 128, 300, 16_383, 16_384, 100_000].map((size) => prefixed(randomBytes(size)));
  const bytes = Buffer.concat(messages);
  for (const next of [() => 1, () => bytes.length, () => randomInt(1, 40_000), () => randomInt(1, 4)])
    t.ok(Buffer.concat(messages).equals(Buffer.concat(await collect(wholeMessages(pieces(bytes, next), 100_000)))));
  const one = await collect(
    wholeMessages(
      pieces(bytes, () => 7),
      100_000,
    ),
  );
  t.same(
    one.map(({ length }) => length),
    messages.map(({ length }) => length),
    'each by itself',
  );
  t.same(
    await collect(
      wholeMessages(
        pieces(bytes.subarray(0, -1), () => 1000),
        100_000,
      ),
    ),
    messages.slice(0, -1),
  );
});

t.test('bounds', async (t) => {
  const tooLarge = { code: 'NET_MESSAGE_TOO_LARGE' };
  await t.rejects(
    collect(
      wholeMessages(
        pieces(prefixed(new Uint8Array(101)), () => 1),
        100,
      ),
    ),
    tooLarge,
  );
  await t.rejects(
    collect(
      wholeMessages(
        pieces(Buffer.alloc(50, 0x80), () => 1),
        100,
      ),
    ),
    tooLarge,
    'no end of a prefix',
  );
  await t.rejects(
    collect(
      wholeMessages(
        pieces(Buffer.alloc(50, 0xff), () => 50),
        100,
      ),
    ),
    tooLarge,
  );
});

t.test('pieces of one byte cost their bytes', async (t) => {
  const bytes = prefixed(new Uint8Array(200_000)).subarray(0, 190_000);
  collectGarbage();
  const before = process.memoryUsage();
  let grown = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const byte of bytes) yield Buffer.from(Uint8Array.of(byte));
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    grown = heapUsed + external - before.heapUsed - before.external;
  }
  t.same(await collect(wholeMessages(source(), 1_000_000)), []);
  t.ok(grown > 0 && grown < 5_000_000, `${grown} bytes`);
});

t.test('what gossip reads of a stream is gathered', async (t) => {
  let handler: ((stream: unknown, connection: unknown) => void) | undefined;
  const service = gossipService(chain, defaultLimits);
  const log = Object.assign(() => {}, { error: () => {}, trace: () => {} });
  const gossip = service.factory({
    logger: { forComponent: () => log },
    registrar: {
      handle: async (_: string, given: typeof handler) => {
        handler = given;
      },
      register: async () => 'x',
      unregister: () => {},
      unhandle: async () => {},
    },
    peerId: { toString: () => 'me' },
    connectionManager: { getConnections: () => [] },
    peerStore: {},
  } as never) as unknown as { start(): Promise<void>; stop(): Promise<void> };
  await gossip.start();
  t.teardown(() => gossip.stop());
  const message = prefixed(randomBytes(1000));
  const stream = { [Symbol.asyncIterator]: () => pieces(message, () => 10), protocol: 'x', close: async () => {} };
  handler?.(stream, { remotePeer: { toString: () => 'other' }, remoteAddr: multiaddr('/ip4/1.1.1.1/tcp/1') });
  t.same(await collect(stream as unknown as AsyncIterable<Uint8Array>), [message]);
});
