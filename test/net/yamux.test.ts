import { randomBytes, randomInt } from 'node:crypto';
import type { MessageStream, StreamMuxer } from '@libp2p/interface';
import t from 'tap';
import {
  ackFlag,
  dataType,
  finFlag,
  goAwayType,
  headBytes,
  initialWindowBytes,
  lone,
  pingType,
  protocolError,
  rstFlag,
  synFlag,
  windowType,
  writeHead,
} from '../../src/net/yamux/frame.ts';
import { weftYamux } from '../../src/net/yamux/muxer.ts';
import { receiveWindowBytes, roomBytes, type YamuxStream } from '../../src/net/yamux/stream.ts';

// The muxer alone, on a connection that is only pretended: what it says to each frame, and that every bound holds. That it
// understands libp2p's own muxer in both roles is shown in interop.test.ts.

type Sent = { type: number; flags: number; stream: number; length: number; body: Uint8Array };

function pretend(direction: 'inbound' | 'outbound', streamsMax = 4) {
  const sent: Sent[] = [];
  let aborted: Error | undefined;
  const connection = Object.assign(new EventTarget(), {
    direction,
    status: 'open',
    writableNeedsDrain: false,
    writeBufferLength: 0,
    log: Object.assign(() => {}, { error: () => {}, trace: () => {}, newScope: () => connection.log }),
    send: (bytes: Uint8Array) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      sent.push({
        type: view.getUint8(1),
        flags: view.getUint16(2),
        stream: view.getUint32(4),
        length: view.getUint32(8),
        body: bytes.subarray(headBytes),
      });
      return !connection.writableNeedsDrain;
    },
    abort: (error: Error) => {
      aborted = error;
    },
  });
  const muxer = weftYamux(streamsMax)().createStreamMuxer(
    connection as unknown as MessageStream,
  ) as StreamMuxer<YamuxStream>;
  const opened: YamuxStream[] = [];
  const receive = (...frames: Uint8Array[]): void => {
    for (const data of frames) connection.dispatchEvent(Object.assign(new Event('message'), { data }));
  };
  const listen = (): void => muxer.addEventListener('stream', ({ detail }) => opened.push(detail));
  return { connection, muxer, sent, opened, receive, listen, aborted: () => aborted };
}

function data(stream: number, body: Uint8Array, flags = 0): Uint8Array {
  const frame = new Uint8Array(headBytes + body.length);
  writeHead(frame, 0, dataType, flags, stream, body.length);
  frame.set(body, headBytes);
  return frame;
}

function collect(stream: YamuxStream): Uint8Array[] {
  const got: Uint8Array[] = [];
  stream.addEventListener('message', ({ data }) => got.push(Uint8Array.from(data.subarray())));
  return got;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('frames cut anywhere arrive as they were', async (t) => {
  const body = randomBytes(40);
  const bytes = Buffer.concat([
    lone(windowType, synFlag, 1, 0),
    data(1, body),
    lone(pingType, synFlag, 0, 77),
    data(1, body),
  ]);
  t.equal(bytes.length, 4 * headBytes + 80);
  for (let first = 1; first < bytes.length; first++) {
    for (const second of [first, Math.min(bytes.length, first + 5)]) {
      const { receive, listen, opened, sent } = pretend('inbound');
      listen();
      const got: Uint8Array[] = [];
      receive(bytes.subarray(0, first));
      receive(bytes.subarray(first, second));
      receive(bytes.subarray(second));
      opened[0]?.takeBytes((piece) => got.push(piece));
      await turn();
      if (!Buffer.concat(got).equals(Buffer.concat([body, body]))) t.fail(`cut at ${first} and ${second}`);
      if (!sent.some(({ type, flags, length }) => type === pingType && flags === ackFlag && length === 77))
        t.fail('ping');
    }
  }
});

t.test('what breaks the protocol ends the connection', async (t) => {
  const breaches: [string, Uint8Array[]][] = [
    ['another version', [Uint8Array.from([1, ...lone(windowType, synFlag, 1, 0).subarray(1)])]],
    ['unknown type', [lone(4, 0, 0, 0)]],
    ['data for no stream', [data(0, randomBytes(3))]],
    ['a ping for a stream', [lone(pingType, synFlag, 1, 0)]],
    ['an answer to no ping', [lone(pingType, ackFlag, 0, 1)]],
    ['a stream id of ours', [lone(windowType, synFlag, 2, 0)]],
    [
      'more data than granted, for a stream',
      [lone(windowType, synFlag, 1, 0), lone(dataType, 0, 1, receiveWindowBytes + 1)],
    ],
    ['more data than granted, for none', [lone(dataType, 0, 9, receiveWindowBytes + 1)]],
    [
      'early streams without end',
      Array.from({ length: 11 }, (_, index) => lone(windowType, synFlag, 1 + 2 * index, 0)),
    ],
  ];
  for (const [what, frames] of breaches) {
    const { receive, aborted, sent, muxer } = pretend('inbound', 32);
    receive(...frames);
    t.ok(aborted(), what);
    t.equal(muxer.status, 'closed');
    t.match(sent.at(-1), { type: goAwayType, length: protocolError });
    const before = sent.length;
    receive(lone(pingType, synFlag, 0, 1));
    t.equal(sent.length, before, 'and nothing is answered any more');
  }
});

t.test('streams are bounded in both directions', async (t) => {
  const { receive, listen, opened, sent, muxer, aborted } = pretend('inbound', 2);
  listen();
  receive(...[1, 3, 5].map((id) => lone(windowType, synFlag, id, 0)));
  t.equal(opened.length, 2);
  t.match(sent.at(-1), { type: windowType, flags: rstFlag, stream: 5 });
  receive(lone(windowType, rstFlag, 1, 0), lone(windowType, synFlag, 7, 0));
  t.equal(opened.length, 3, 'room again');
  t.equal(opened[0]?.status, 'reset');
  await muxer.createStream();
  await muxer.createStream();
  await t.rejects(muxer.createStream());
  t.notOk(aborted());
});

t.test('nothing is granted before it is read', async (t) => {
  const { receive, listen, opened, sent, aborted } = pretend('inbound');
  listen();
  receive(lone(windowType, synFlag, 1, 0));
  const [stream] = opened as [YamuxStream];
  t.match(sent[0], { type: windowType, flags: ackFlag, length: receiveWindowBytes - initialWindowBytes });
  stream.protocol = '/x';
  const piece = data(1, new Uint8Array(64 * 1024));
  for (let index = 0; index < 16; index++) receive(piece);
  t.equal(stream.readBufferLength, receiveWindowBytes);
  t.equal(sent.length, 1, 'no grant');
  const got = collect(stream);
  await turn();
  t.equal(Buffer.concat(got).length, receiveWindowBytes);
  t.match(sent.at(-1), { type: windowType, flags: 0, stream: 1, length: receiveWindowBytes });
  stream.pause();
  for (let index = 0; index < 16; index++) receive(piece);
  t.notOk(aborted());
  receive(piece);
  t.ok(aborted(), 'the window is a bound');
});

t.test('what was put back is not granted twice', async (t) => {
  const { receive, listen, opened, sent } = pretend('inbound');
  listen();
  receive(lone(windowType, synFlag, 1, 0));
  const [stream] = opened as [YamuxStream];
  stream.protocol = '/x';
  const all: Uint8Array[] = [];
  let first = true;
  stream.addEventListener('message', ({ data }) => {
    if (first) stream.unshift(data);
    else all.push(data.subarray());
    first = false;
  });
  receive(data(1, new Uint8Array(200 * 1024)));
  await turn();
  t.equal(Buffer.concat(all).length, 200 * 1024);
  t.equal(sent.length, 1);
});

t.test('sending stops at the window, goes on with a grant, and keeps the order', async (t) => {
  const { receive, sent, muxer } = pretend('outbound');
  const stream = await muxer.createStream();
  t.match(sent[0], { type: windowType, flags: synFlag, stream: 1 });
  const all = randomBytes(initialWindowBytes + 50_000);
  let drains = 0;
  stream.addEventListener('drain', () => drains++);
  for (let offset = 0; offset < all.length; offset += 10_000) {
    const piece = all.subarray(offset, offset + 10_000);
    if (offset % 20_000 === 0) stream.send(piece);
    else stream.sendRoomy(Buffer.concat([Buffer.alloc(roomBytes), piece]));
  }
  const body = (): Buffer => Buffer.concat(sent.filter(({ type }) => type === dataType).map((one) => one.body));
  t.equal(body().length, initialWindowBytes);
  t.equal(stream.writableNeedsDrain, true);
  t.equal(stream.writeBufferLength, 50_000);
  const closing = stream.close();
  receive(lone(windowType, 0, 1, 20_000));
  t.equal(drains, 0);
  receive(lone(windowType, 0, 1, 40_000));
  await closing;
  t.equal(drains, 1);
  t.ok(body().equals(all));
  t.ok(sent.every(({ type, length, body }) => type !== dataType || length === body.length));
  t.match(sent.at(-1), { type: windowType, flags: finFlag, stream: 1 });
});

t.test('who asks and does not read is not answered', async (t) => {
  const { receive, sent, connection, aborted } = pretend('inbound');
  connection.writableNeedsDrain = true;
  for (let index = 0; index < 1000; index++) receive(lone(pingType, synFlag, 0, index));
  t.equal(sent.length, 0);
  connection.writeBufferLength = 64 * 1024 * 1024;
  receive(lone(pingType, synFlag, 0, 1));
  t.ok(aborted(), 'and is cut off in the end');
});

t.test('ends', async (t) => {
  await t.test('of one side, of both', async (t) => {
    const { receive, listen, opened, muxer } = pretend('inbound');
    listen();
    receive(lone(windowType, synFlag, 1, 0));
    const [stream] = opened as [YamuxStream];
    const got = collect(stream);
    let ended = false;
    let closed = false;
    stream.addEventListener('remoteCloseWrite', () => (ended = true));
    stream.addEventListener('close', () => (closed = true));
    receive(data(1, Buffer.from('last'), finFlag));
    t.equal(Buffer.concat(got).toString(), 'last', 'data comes before the end that travels with it');
    t.same([ended, closed, stream.remoteWriteStatus], [true, false, 'closed']);
    await stream.close();
    t.same([closed, stream.status, muxer.streams.length], [true, 'closed', 0]);
    t.throws(() => stream.send(Buffer.from('x')));
    receive(data(1, Buffer.from('nobody')), lone(windowType, 0, 1, 5), lone(windowType, finFlag, 1, 0));
  });
  await t.test('of the connection', async (t) => {
    for (const how of ['goAway', 'error', 'close'] as const) {
      const { receive, connection, muxer } = pretend('outbound');
      const stream = await muxer.createStream();
      let error: Error | undefined;
      let closes = 0;
      stream.addEventListener('close', (event) => {
        closes++;
        error = event.error;
      });
      if (how === 'close') connection.dispatchEvent(new Event('close'));
      else receive(lone(goAwayType, 0, 0, how === 'goAway' ? 0 : 2));
      t.equal(closes, 1);
      t.equal(error !== undefined, how === 'error');
      t.equal(muxer.status, 'closed');
      await t.rejects(muxer.createStream());
    }
  });
  await t.test('iteration', async (t) => {
    const { receive, muxer } = pretend('outbound');
    const stream = await muxer.createStream();
    setImmediate(() => receive(data(1, Buffer.from('ab')), data(1, Buffer.from('c')), lone(windowType, finFlag, 1, 0)));
    let all = '';
    for await (const bytes of stream) all += Buffer.from(bytes.subarray()).toString();
    t.equal(all, 'abc');
    const other = await muxer.createStream();
    setImmediate(() => receive(lone(windowType, rstFlag, 3, 0)));
    await t.rejects(async () => {
      for await (const _ of other);
    });
  });
  await t.test('patience', async (t) => {
    const { muxer } = pretend('outbound');
    const stream = await muxer.createStream();
    stream.send(new Uint8Array(initialWindowBytes + 1));
    const patience = new AbortController();
    const closing = muxer.close({ signal: patience.signal });
    patience.abort(new Error('late'));
    await t.rejects(closing);
    await t.rejects(stream.onDrain({ signal: AbortSignal.abort() }));
    muxer.abort(new Error('enough'));
    t.equal(stream.status, 'aborted');
  });
  await t.test('a buffer that gossip bounds', async (t) => {
    const { muxer } = pretend('outbound');
    const stream = await muxer.createStream();
    stream.maxWriteBufferLength = 1000;
    stream.send(new Uint8Array(initialWindowBytes + 1000));
    t.equal(stream.status, 'open');
    stream.send(new Uint8Array(1));
    t.equal(stream.status, 'aborted');
  });
});

t.test('any bytes: answered, ignored or the end, never a throw', async (t) => {
  let ends = 0;
  for (let round = 0; round < 2000; round++) {
    const { receive, listen, opened, aborted } = pretend(round % 2 === 0 ? 'inbound' : 'outbound');
    if (round % 3 === 0) listen();
    for (let index = 0; index < 20; index++) {
      const id = randomInt(0, 6);
      receive(
        round % 5 === 0
          ? randomBytes(randomInt(1, 40))
          : index % 4 === 3
            ? data(id, randomBytes(randomInt(0, 30)), randomInt(0, 16))
            : lone(randomInt(0, 4), randomInt(0, 16), id, randomInt(0, 300)),
      );
      const stream = opened.at(-1);
      if (index % 5 === 0 && stream?.writeStatus === 'writable') stream.send(randomBytes(10));
      if (index % 7 === 0) stream?.abort(new Error('own end'));
    }
    if (aborted() !== undefined) ends++;
  }
  t.ok(ends > 100, `${ends} ends`);
});
