import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { ConnectionEncrypter, MessageStream, Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { tcp } from '@libp2p/tcp';
import { type TLSComponents, tls } from '@libp2p/tls';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import t from 'tap';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { socketTls, takeSocket } from '../../src/net/encryption.ts';
import { laneProtocol } from '../../src/net/host.ts';
import { encodePreface, FrameReader, frameLength, prefaceKind, writeFrame } from '../../src/net/lanes/frame.ts';
import type { NetworkPeer } from '../../src/net/types.ts';
import { bytes, chain, closeAll, orderedSeeds, startMember, text, until } from './harness.ts';

// The lanes run on parts of our own below libp2p. A libp2p host as it comes out of the box, with a permitted key, must not
// notice: it dials, it is dialled, and what it says arrives whole in both directions, larger than any window.

type Encrypters = ((components: TLSComponents) => ConnectionEncrypter)[];

/** libp2p as it comes, at most with another encrypter. */
async function plainHost(seed: Uint8Array, encrypters: Encrypters): Promise<Libp2p> {
  return createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seed),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: encrypters,
    connectionMonitor: { enabled: false },
    streamMuxers: [yamux()],
  });
}

function frame(kind: number, payload: Uint8Array): Uint8Array {
  const target = new Uint8Array(frameLength(payload.length));
  writeFrame(target, 0, kind, payload);
  return target;
}

/** One lane spoken by hand: says the preface, collects what comes. */
function speak(stream: Stream): {
  send: (data: Uint8Array) => Promise<void>;
  got: { kind: number; payload: Uint8Array }[];
} {
  const got: { kind: number; payload: Uint8Array }[] = [];
  const reader = new FrameReader();
  stream.addEventListener('message', ({ data }) => {
    reader.push(data.subarray(), (frame) => got.push({ ...frame }) > 0);
  });
  const send = async (data: Uint8Array): Promise<void> => {
    if (!stream.send(data)) await stream.onDrain();
  };
  void send(frame(prefaceKind, encodePreface({ messageBytesMax: 4 << 20, hello: bytes('plain') })));
  return { send, got };
}

for (const [name, encrypters] of [
  ['tls', [tls()]],
  ['noise', [noise() as unknown as Encrypters[number]]],
] as const) {
  t.test(`an unmodified libp2p host over ${name}`, async (t) => {
    const [lower, higher] = orderedSeeds(2) as [Uint8Array, Uint8Array];
    for (const role of ['dials', 'is dialled'] as const) {
      await t.test(role, async (t) => {
        // The lower key dials.
        const [ourSeed, plainSeed] = role === 'dials' ? [higher, lower] : [lower, higher];
        const plain = await plainHost(plainSeed, [...encrypters]);
        const inbound: Stream[] = [];
        for (const lane of ['urgent', 'bulk'] as const)
          await plain.handle(laneProtocol(chain, lane), (stream) => {
            if (stream.protocol.includes('bulk')) inbound.push(stream);
            else speak(stream);
          });
        const peer: NetworkPeer = {
          name: 'plain',
          role: 'validator',
          peerKey: publicKeyOf(plainSeed),
          addresses: role === 'dials' ? [] : plain.getMultiaddrs().map((a) => a.toString().replace(/\/p2p\/.*/, '')),
        };
        const ours = await startMember('ours', 'validator', ourSeed, [peer]);
        t.teardown(() => Promise.all([closeAll([ours]), plain.stop()]));
        let stream: Stream | undefined;
        if (role === 'dials') {
          const address = multiaddr(`${ours.network.addresses()[0]}/p2p/${ours.network.peerId}`);
          stream = await (await plain.dial(address, { force: true })).newStream(laneProtocol(chain, 'bulk'));
        } else {
          await until('the bulk lane is dialled', () => inbound.length > 0);
          stream = inbound[0];
        }
        if (stream === undefined) throw new Error('no stream');
        const { send, got } = speak(stream);
        await until('the lane is open', () => ours.network.askable().includes('plain'));
        await until('the preface has come', () => got.length > 0);
        t.equal(got[0]?.kind, prefaceKind);

        const count = 40;
        for (let index = 0; index < count; index++) {
          const payload = new Uint8Array(60_000).fill(index);
          await send(frame(7, payload));
          if (index % 10 === 0) await send(frame(8, bytes(`small ${index}`)));
        }
        const large = (): readonly { payload: Uint8Array }[] => ours.frames.filter(({ kind }) => kind === 7);
        await until('everything has come', () => large().length === count);
        t.ok(large().every(({ payload }, index) => payload.length === 60_000 && payload.every((b) => b === index)));
        t.same(
          ours.frames.filter(({ kind }) => kind === 8).map(({ payload }) => text(payload)),
          ['small 0', 'small 10', 'small 20', 'small 30'],
        );

        for (let index = 0; index < count; index++) {
          t.ok(ours.network.send('plain', 'bulk', 9, new Uint8Array(60_000).fill(index)));
          ours.network.send('plain', 'bulk', 10, bytes(`answer ${index}`));
        }
        const back = (): { kind: number; payload: Uint8Array }[] => got.filter(({ kind }) => kind === 9);
        await until('everything has gone back', () => got.filter(({ kind }) => kind === 10).length === count);
        t.ok(back().every(({ payload }, index) => payload.length === 60_000 && payload.every((b) => b === index)));
        t.equal(back().length, count);
        await stream.close();
        await until('a closed stream ends the lane', () => !ours.network.askable().includes('plain'));
      });
    }
  });
}

t.test('the encrypted bytes run on the socket itself', async (t) => {
  const [a, b] = orderedSeeds(2) as [Uint8Array, Uint8Array];
  const streams: MessageStream[] = [];
  const spy = () => {
    const factory = yamux()();
    return {
      protocol: factory.protocol,
      createStreamMuxer: (stream: MessageStream) => {
        streams.push(stream);
        return factory.createStreamMuxer(stream);
      },
    };
  };
  const hosts = await Promise.all(
    [a, b].map(async (seed) =>
      createLibp2p({
        privateKey: await generateKeyPairFromSeed('Ed25519', seed),
        addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
        transports: [tcp()],
        connectionEncrypters: [socketTls()],
        connectionMonitor: { enabled: false },
        streamMuxers: [spy],
      }),
    ),
  );
  t.teardown(() => Promise.all(hosts.map((host) => host.stop())));
  const connection = await hosts[0]!.dial(hosts[1]!.getMultiaddrs()[0]!);
  t.equal(connection.encryption, '/tls/1.0.0');
  await until('both sides have it', () => streams.length === 2);
  for (const stream of streams) t.ok(takeSocket(stream)?.socket.encrypted, 'no stream of the library lies between');
});

t.test('who cannot show the key of the peer id that was dialled is refused', async (t) => {
  const [a, b] = orderedSeeds(2) as [Uint8Array, Uint8Array];
  const stranger = await plainHost(b, [tls()]);
  const ours = await plainHost(a, [socketTls()]);
  t.teardown(() => Promise.all([stranger.stop(), ours.stop()]));
  const address = stranger
    .getMultiaddrs()[0]!
    .toString()
    .replace(/\/p2p\/.*/, '');
  await t.rejects(ours.dial(multiaddr(`${address}/p2p/${ours.peerId}`)));
  const other = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(9));
  await t.rejects(ours.dial(multiaddr(`${address}/p2p/${peerIdFromPrivateKey(other)}`)));
  t.equal(ours.getConnections().length, 0);
});
