import t from 'tap';
import { gossipService } from '../../src/net/gossip.ts';
import { Host } from '../../src/net/host.ts';
import { encodePreface, prefaceKind, writeFrame } from '../../src/net/lanes/frame.ts';
import { defaultLimits } from '../../src/net/limits.ts';
import { PeerSet } from '../../src/net/peers.ts';
import { chain, closeAll, entry, orderedSeeds, startMember, until } from './harness.ts';

t.test('a peer that does not read costs a bounded queue, then its lane', async (t) => {
  const seeds = orderedSeeds(2);
  const slow = await startMember('v0', 'validator', seeds[0]!, [], { listen: [] });
  await slow.network.close();
  const a = await startMember('v1', 'validator', seeds[1]!, [entry(slow, [])]);
  const host = await Host.start(
    { chain, peerSeed: seeds[0]!, listen: [], dialTimeoutMs: 2000 },
    { permits: () => true, onLaneStream: () => {}, gossip: gossipService(chain, defaultLimits) },
  );
  t.teardown(() => Promise.all([closeAll([a]), host.stop()]));
  const target = new PeerSet({ name: 'v0', role: 'validator', peerKey: slow.peerKey }, [entry(a)]).named('v1')!;
  const { stream, connection } = await host.dial(target, 'urgent');
  const preface = encodePreface({ messageBytesMax: 100_000, hello: new Uint8Array(0) });
  const frame = new Uint8Array(5 + preface.length);
  writeFrame(frame, 0, prefaceKind, preface);
  stream.addEventListener('message', () => {});
  stream.pause();
  stream.send(frame);
  await until('the lane is up', () => a.network.connected('v0'));
  for (let view = 0; view < 3000; view++) {
    a.network.send('v0', 'urgent', 1, new Uint8Array(4000), { class: 'vote', view });
    if (view % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const { queuedMessages, queuedBytes, overflowDropped } = a.network.stats().urgent;
  t.ok(overflowDropped > 2000, `${overflowDropped} dropped`);
  t.ok(queuedMessages <= 256 && queuedBytes <= 4 * 1024 * 1024, `${queuedMessages} queued`);
  t.equal(a.network.connected('v0'), true, 'the lane is not given up because of that');
  await until('its silence ends it', () => !a.network.connected('v0'), 4000);
  t.equal(a.network.stats().urgent.misbehaved, 0, 'slowness is no misbehaviour');
  connection.abort(new Error('done'));
});
