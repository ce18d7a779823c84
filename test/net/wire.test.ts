import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { MessageStream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import t from 'tap';
import { laneProtocol } from '../../src/net/host.ts';
import { bytes, chain, closeAll, entry, orderedSeeds, startMember, until } from './harness.ts';

const multistream = '\x13/multistream/1.0.0\n';
const tlsChosen = '\x0b/tls/1.0.0\n';

// Rubbish below the lanes: on the socket, and inside the encrypted connection of a permitted peer. Also peers that hang
// up at any moment, which is what once ended the process from within the muxer.
t.test('rubbish and hang-ups below the lanes do not end the process', async (t) => {
  const [evilSeed, ...seeds] = orderedSeeds(3);
  const [a, b] = await Promise.all([
    startMember('v1', 'validator', seeds[0]!, []),
    startMember('v2', 'validator', seeds[1]!, []),
  ]);
  const evil = await startMember('v0', 'validator', evilSeed!, [], { listen: [] });
  await evil.network.close();
  a.network.setPeers([entry(evil, []), entry(b)]);
  b.network.setPeers([entry(evil, []), entry(a)]);
  await until('the honest ones are connected', () => a.network.connected('v2'));
  const address = a.network.addresses()[0]!;

  const port = Number(address.split('/').at(-1));
  for (let index = 0; index < 50; index++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    const rubbish = randomBytes(randomInt(1, 3000));
    const beginnings = [
      '',
      multistream,
      `${multistream}${tlsChosen}`,
      `${multistream}${tlsChosen}\x16\x03\x01\x02\x00\x01`,
    ];
    socket.write(Buffer.concat([bytes(beginnings[index % 4]!), rubbish]));
    setTimeout(() => socket.destroy(), randomInt(0, 30));
  }

  let raw: MessageStream | undefined;
  const attacker = await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', evilSeed!),
    transports: [tcp()],
    connectionEncrypters: [tls()],
    connectionMonitor: { enabled: false },
    streamMuxers: [
      () => ({
        protocol: '/yamux/1.0.0',
        createStreamMuxer: (connection) => {
          raw = connection;
          return yamux()().createStreamMuxer(connection);
        },
      }),
    ],
  });
  t.teardown(() => Promise.all([closeAll([a, b]), attacker.stop()]));
  let connections = 0;
  for (let index = 0; index < 60; index++) {
    try {
      const connection = await attacker.dial(multiaddr(`${address}/p2p/${a.network.peerId}`), { force: true });
      connections++;
      if (index % 3 === 0) {
        // Yamux frames with a right version and random rest.
        for (let round = 0; round < 20; round++)
          raw?.send(Buffer.concat([Buffer.of(0, randomInt(0, 5)), randomBytes(randomInt(1, 60))]));
      } else {
        const opening = connection
          .newStream(laneProtocol(chain, index % 2 === 0 ? 'bulk' : 'urgent'))
          .catch(() => undefined);
        if (index % 3 === 1) {
          for (let turn = randomInt(0, 4); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
        } else await opening;
      }
      connection.abort(new Error('hang up'));
    } catch {
      // Refused: fine. The attacker's own muxer may throw too; that is its own business.
    }
  }
  t.ok(connections > 20, `${connections} connections`);
  t.equal(a.network.connected('v2'), true);
  t.same(
    a.events.filter((event) => event.endsWith('v2')),
    ['up v2'],
  );
  a.network.send('v2', 'urgent', 1, bytes('still here'));
  await until('it still talks', () => b.frames.length === 1);
});

// A dialler need not wait for the answers of multistream: what it sends behind its choice is the beginning of TLS.
t.test('a handshake that comes in one piece with the choice of TLS', async (t) => {
  const seeds = orderedSeeds(1);
  const a = await startMember('v0', 'validator', seeds[0]!, []);
  t.teardown(() => closeAll([a]));
  const raw = connect(Number(a.network.addresses()[0]!.split('/').at(-1)), '127.0.0.1').on('error', () => {});
  await once(raw, 'connect');
  let answers = (multistream + tlsChosen).length;
  const held: Uint8Array[] = [bytes(multistream + tlsChosen)];
  const below = new Duplex({
    read: () => {},
    write: (chunk, _, done) => {
      if (held.length === 0) raw.write(chunk);
      else raw.write(Buffer.concat([...held.splice(0), chunk]));
      done();
    },
  });
  raw.on('data', (chunk: Buffer) => {
    const rest = chunk.subarray(Math.min(answers, chunk.length));
    answers -= chunk.length - rest.length;
    if (rest.length > 0) below.push(rest);
  });
  const socket = connectTls({ socket: below, rejectUnauthorized: false, ALPNProtocols: ['/yamux/1.0.0'] });
  await once(socket, 'secureConnect');
  t.equal(socket.alpnProtocol, '/yamux/1.0.0');
  t.equal(socket.getProtocol(), 'TLSv1.3');
  // It has shown no certificate, so that is all.
  await once(raw, 'close');
  t.pass('cut off');
});

// The accepting side refuses at the moment at which the dialler opens its stream: the throw inside the muxer.
t.test('refusals while a stream is being opened', async (t) => {
  const seeds = orderedSeeds(2);
  const [a, b] = await Promise.all([
    startMember('v0', 'validator', seeds[0]!, [], { limits: {} }),
    startMember('v1', 'validator', seeds[1]!, [], { behaviour: { onFrame: () => 'invalid' } }),
  ]);
  t.teardown(() => closeAll([a, b]));
  a.network.setPeers([entry(b)]);
  b.network.setPeers([entry(a)]);
  for (let round = 0; round < 3; round++) {
    await until('up', () => a.network.connected('v1'), 5000);
    a.network.send('v1', 'urgent', 1, bytes('x'));
    await until('cut off', () => !a.network.connected('v1'), 5000);
  }
  t.equal(b.network.stats().urgent.misbehaved, 3);
});
