import { randomBytes, randomInt } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Connection } from '@libp2p/interface';
import t from 'tap';
import { gossipService } from '../../src/net/gossip.ts';
import { Host, laneProtocol } from '../../src/net/host.ts';
import {
  answerKind,
  decodeAnswer,
  decodePing,
  decodePreface,
  decodeRelay,
  decodeRelayed,
  decodeRequest,
  encodePing,
  encodePreface,
  encodeRelay,
  encodeRelayed,
  encodeRequest,
  FrameReader,
  frameBytesMax,
  headKind,
  partKind,
  pingKind,
  prefaceKind,
  relayedKind,
  requestKind,
  writeFrame,
} from '../../src/net/lanes/frame.ts';
import { LaneLink } from '../../src/net/lanes/link.ts';
import { defaultLimits } from '../../src/net/limits.ts';
import { PeerSet } from '../../src/net/peers.ts';
import type { DirectStream } from '../../src/net/yamux/stream.ts';
import { bytes, chain, closeAll, entry, introduce, orderedSeeds, startMember, until } from './harness.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const rounds = 10_000;

function frame(kind: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(5 + payload.length);
  writeFrame(out, 0, kind, payload);
  return out;
}

const preface = frame(prefaceKind, encodePreface({ messageBytesMax: 100_000, hello: new Uint8Array(0) }));

t.test('decoders take any bytes', async (t) => {
  for (let index = 0; index < rounds; index++) {
    const random = randomBytes(randomInt(0, 80));
    if (index % 2 === 0 && random.length > 0) random[0] = randomInt(0, 5);
    decodeAnswer(random);
    decodePing(random);
    decodePreface(random, 50);
    decodeRelay(random);
    decodeRelayed(random);
    decodeRequest(random);
    new FrameReader().push(random, () => true);
  }
  t.same(decodePing(encodePing(['a', 'ü'])), ['a', 'ü']);
  t.same(decodeRelay(encodeRelay({ to: 'v1', kind: 3, payload: bytes('x') })), {
    to: 'v1',
    kind: 3,
    payload: bytes('x'),
  });
  t.same(decodeRelayed(encodeRelayed(3, bytes('x'))), { kind: 3, payload: bytes('x') });
  t.same(decodeRequest(encodeRequest({ id: 0xfffffffe, kind: 3, payload: bytes('x') })), {
    id: 0xfffffffe,
    kind: 3,
    payload: bytes('x'),
  });
});

t.test('the reader finds the same frames however the bytes are cut', async (t) => {
  const sent = Array.from({ length: 300 }, (_, index) => ({
    kind: index % 192,
    payload: randomBytes(index % 7 === 0 ? randomInt(0, 60_000) : randomInt(0, 50)),
  }));
  const stream = Buffer.concat(sent.map(({ kind, payload }) => frame(kind, payload)));
  for (const cutMax of [1, 7, 1000, 300_000]) {
    if (cutMax === 1 && stream.length > 4_000_000) continue;
    const got: { kind: number; payload: Uint8Array }[] = [];
    const reader = new FrameReader();
    for (let offset = 0; offset < stream.length; ) {
      const end = offset + randomInt(1, cutMax + 1);
      if (!reader.push(stream.subarray(offset, end), (one) => got.push(one) > 0)) t.fail('malformed');
      offset = end;
    }
    t.equal(got.length, sent.length);
    t.ok(
      got.every(
        (one, index) => one.kind === sent[index]!.kind && Buffer.from(one.payload).equals(sent[index]!.payload),
      ),
    );
  }
  const tooLong = new Uint8Array(5);
  new DataView(tooLong.buffer).setUint32(0, frameBytesMax + 1);
  t.equal(
    new FrameReader().push(tooLong, () => true),
    false,
  );
  t.equal(
    new FrameReader().push(new Uint8Array(4), () => true),
    false,
    'a length of 0',
  );
});

t.test('a payload that is kept holds no more than a few times its size', async (t) => {
  for (const [length, others] of [
    [10, 3],
    [10, 2000],
    [5000, 2],
    [60_000, 2],
  ] as const) {
    const bytes = Buffer.concat(Array.from({ length: others }, () => frame(1, randomBytes(length))));
    const chunk = Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(chunk);
    const kept: Uint8Array[] = [];
    new FrameReader().push(chunk, ({ payload }) => kept.push(payload) > 0);
    t.equal(kept.length, others);
    t.ok(kept.every(({ buffer }) => buffer.byteLength <= Math.max(4096, 4 * length)));
  }
});

/** Enough of a stream and a connection for a link: bytes go in by `receive`. */
function fakeLink(lane: 'urgent' | 'bulk') {
  let receive = (_: Uint8Array): void => {};
  const stream = Object.assign(new EventTarget(), {
    status: 'open',
    writableNeedsDrain: false,
    sendRoomy: () => true,
    takeBytes: (take: typeof receive) => {
      receive = take;
    },
  });
  let aborted = 0;
  const connection = Object.assign(new EventTarget(), { status: 'open', abort: () => aborted++ });
  const messages: { kind: number; length: number }[] = [];
  let ended: { reason: string; misbehaved: boolean } | undefined;
  const link = new LaneLink(
    {
      peer: 'v0',
      lane,
      limits: { ...defaultLimits, messageBytesMax: 100_000 },
      hello: new Uint8Array(0),
    },
    {
      stream: stream as unknown as DirectStream,
      connection: connection as unknown as Connection,
      counters: {
        bytesIn: 0,
        bytesOut: 0,
        messagesIn: 0,
        messagesOut: 0,
        overflowDropped: 0,
        budgetDropped: 0,
        misbehaved: 0,
      },
      nowMs: () => 0,
      onOpen: () => true,
      onMessage: (_, kind, payload) => {
        messages.push({ kind, length: payload.length });
        return kind < 192 || kind === answerKind;
      },
      onClosed: (_, reason, misbehaved) => {
        ended = { reason, misbehaved };
      },
    },
  );
  link.start();
  return {
    link,
    receive: (data: Uint8Array): void => receive(data),
    messages,
    ended: () => ended,
    aborted: () => aborted,
  };
}

t.test('a link takes any bytes: it delivers, waits or closes once', async (t) => {
  let closed = 0;
  for (let index = 0; index < rounds; index++) {
    const { link, receive, ended, aborted } = fakeLink(index % 2 === 0 ? 'urgent' : 'bulk');
    if (index % 4 > 0) receive(preface);
    if (index % 4 === 3) receive(frame(randomInt(0, 256), randomBytes(randomInt(0, 40))));
    else receive(randomBytes(randomInt(1, 100)));
    receive(randomBytes(10));
    if (link.isClosed) {
      closed++;
      if (ended()?.misbehaved !== true || aborted() !== 1) t.fail('closed without saying so');
    }
  }
  t.ok(closed > rounds / 2, `${closed} closed`);
});

t.test('messages in parts', async (t) => {
  const head = (total: number, kind: number, first: number): Uint8Array => {
    const payload = new Uint8Array(5 + first);
    new DataView(payload.buffer).setUint32(0, total);
    payload[4] = kind;
    return frame(headKind, payload);
  };
  const part = (length: number): Uint8Array => frame(partKind, new Uint8Array(length));
  const cases: [string, 'urgent' | 'bulk', Uint8Array[], boolean, number][] = [
    ['whole', 'bulk', [head(90_000, 3, 60_000), part(30_000)], true, 90_000],
    ['in one', 'bulk', [head(5, 3, 5)], true, 5],
    ['on the urgent lane', 'urgent', [head(90_000, 3, 60_000)], false, -1],
    ['above the announced bound', 'bulk', [head(100_001, 3, 60_000)], false, -1],
    ['empty', 'bulk', [head(0, 3, 0)], false, -1],
    ['more than announced', 'bulk', [head(10, 3, 5), part(6)], false, -1],
    ['an empty part', 'bulk', [head(10, 3, 5), part(0)], false, -1],
    ['a part without a head', 'bulk', [part(5)], false, -1],
    ['a head within', 'bulk', [head(10, 3, 5), head(10, 3, 5)], false, -1],
    ['something else within', 'bulk', [head(10, 3, 5), frame(3, new Uint8Array(1))], false, -1],
    ['of a kind that is never split', 'bulk', [head(10, relayedKind, 5)], false, -1],
    ['a second preface', 'bulk', [preface], false, -1],
  ];
  for (const [name, lane, frames, survives, length] of cases) {
    const { link, receive, messages } = fakeLink(lane);
    receive(preface);
    for (const one of frames) receive(one);
    t.equal(link.isOpen, survives, name);
    t.same(
      messages.map((message) => message.length),
      length < 0 ? [] : [length],
      name,
    );
  }
});

t.test('a message in parts of one byte costs its length, not an object a part', async (t) => {
  const { link, receive, messages } = fakeLink('bulk');
  receive(preface);
  const head = new Uint8Array(5);
  new DataView(head.buffer).setUint32(0, 100_000);
  head[4] = 3;
  receive(frame(headKind, head));
  const one = frame(partKind, new Uint8Array(1));
  collectGarbage();
  const before = process.memoryUsage();
  for (let at = 0; at < 99; at++) receive(Buffer.concat(Array.from({ length: 1000 }, () => one)));
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  const grown = heapUsed + external - before.heapUsed - before.external;
  t.ok(grown < 1_500_000, `${grown} bytes`);
  for (let at = 0; at < 1000; at++) receive(one);
  t.ok(link.isOpen);
  t.same(messages, [{ kind: 3, length: 100_000 }]);
});

t.test('a permitted peer that sends rubbish on every protocol does not hurt the node', async (t) => {
  const [evilSeed, ...seeds] = orderedSeeds(3);
  const good = await Promise.all(
    seeds.map((seed, index) =>
      startMember(`v${index + 1}`, 'validator', seed, [], {
        behaviour: { onGossip: () => 'reject', verifyRelayed: () => 'unknown', onRequest: async () => undefined },
      }),
    ),
  );
  introduce(good);
  const [a, b] = good;
  const evil = await startMember('v0', 'validator', evilSeed!, [], { listen: [] });
  const evilEntry = entry(evil, []);
  await evil.network.close();
  a!.network.setPeers([evilEntry, entry(b!)]);
  const gossip = gossipService(chain, defaultLimits);
  const host = await Host.start(
    { chain, peerSeed: evilSeed!, listen: [], dialTimeoutMs: 2000 },
    { permits: () => true, onLaneStream: () => {}, gossip },
  );
  t.teardown(() => Promise.all([closeAll(good), host.stop()]));
  await until('the honest ones are connected', () => a!.network.connected('v2'));
  const target = new PeerSet({ name: 'v0', role: 'validator', peerKey: evilEntry.peerKey }, [entry(a!)]).named('v1')!;

  // Raw bytes on fresh streams. Most dials are refused while the penalty runs: that is its purpose.
  let opened = 0;
  for (let index = 0; index < 60; index++) {
    try {
      const { stream, connection } = await host.dial(target, index % 2 === 0 ? 'urgent' : 'bulk');
      opened++;
      if (index % 3 > 0) stream.send(preface);
      stream.send(randomBytes(randomInt(1, 2000)));
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (index % 5 === 0) connection.abort(new Error('gone'));
    } catch {
      // Refused: fine.
    }
  }
  t.ok(opened > 0);
  await until('it was noticed', () => a!.network.stats().urgent.misbehaved + a!.network.stats().bulk.misbehaved > 1);

  // Well-formed frames with random content, far above the budget.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const flood = await host.dial(target, 'bulk');
  const { stream } = flood;
  stream.send(preface);
  let sent = 0;
  for (; sent < rounds && stream.status === 'open'; sent++) {
    const which = sent % 4;
    const random = randomBytes(randomInt(0, 60));
    const one =
      which === 0
        ? frame(randomInt(0, 192), random)
        : which === 1
          ? frame(
              requestKind,
              encodeRequest({ id: randomInt(0, 2 ** 32 - 1), kind: randomInt(0, 192), payload: random }),
            )
          : which === 2
            ? frame(pingKind, encodePing([]))
            : frame(answerKind, Buffer.concat([randomBytes(4), Buffer.of(randomInt(0, 1)), random]));
    if (!stream.send(one)) await stream.onDrain({ signal: AbortSignal.timeout(5000) });
  }
  t.equal(sent, rounds, 'no frame of these closes a lane');
  await until('the surplus was dropped', () => a!.network.stats().bulk.budgetDropped > 1000);

  // Gossip: random messages, then random bytes on the gossip stream itself.
  flood.connection.abort(new Error('enough'));
  await until('the flooded lane is gone', () => host.gossip.getPeers().length === 0);
  for (const topic of ['headers', 'transactions']) host.gossip.subscribe(`/weft/${chain}/${topic}`);
  const lane = await host.dial(target, 'bulk');
  lane.stream.send(preface);
  gossip.meet(lane.connection);
  await until('gossip has met', () => {
    void host.gossip.publish(`/weft/${chain}/headers`, randomBytes(30));
    return a!.network.stats().gossip.rejected > 0;
  });
  for (let index = 0; index < 2000; index++) {
    await host.gossip.publish(
      `/weft/${chain}/${index % 2 === 0 ? 'headers' : 'transactions'}`,
      randomBytes(randomInt(1, 200)),
    );
  }
  for (let index = 0; index < 4; index++) {
    try {
      const raw = await lane.connection.newStream(['/meshsub/1.1.0', '/weft/id/1.0.0', laneProtocol(chain, 'urgent')]);
      for (let round = 0; round < 500; round++) raw.send(randomBytes(randomInt(1, 100)));
    } catch {
      // Refused: fine.
    }
  }

  t.equal(a!.network.connected('v2'), true, 'the honest pair never lost its lanes');
  t.same(
    a!.events.filter((event) => event.includes('v2')),
    ['up v2'],
  );
  const before = b!.frames.length;
  a!.network.send('v2', 'urgent', 1, bytes('still here'));
  await until('and still talks', () => b!.frames.length > before);
  t.equal(await a!.network.request('v2', 1, bytes('?'), { timeoutMs: 2000 }), undefined);
});
