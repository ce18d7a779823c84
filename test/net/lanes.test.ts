import t from 'tap';
import { bytes, closeAll, entry, introduce, startMember, startMesh, text, until } from './harness.ts';

t.test('two validators: two connections, hellos, order, large messages', async (t) => {
  const members = await startMesh(['validator', 'validator']);
  const [a, b] = members;
  t.teardown(() => closeAll(members));
  await until('both lanes are up', () =>
    members.every(({ network }) => network.stats().urgent.lanes === 1 && network.stats().bulk.lanes === 1),
  );
  t.equal(a!.network.connected('v1'), true);
  t.same(b!.hellos, [{ peer: 'v0', text: 'hello from v0 to v1' }]);
  t.same(a!.hellos, [{ peer: 'v1', text: 'hello from v1 to v0' }]);
  t.same([a!.events, b!.events], [['up v1'], ['up v0']]);
  t.same(a!.network.askable(), ['v1']);

  for (let index = 0; index < 200; index++) a!.network.send('v1', 'urgent', 7, bytes(`n${index}`));
  await until('all came', () => b!.frames.length === 200);
  t.same(
    b!.frames.map((frame) => text(frame.payload)),
    Array.from({ length: 200 }, (_, index) => `n${index}`),
  );
  t.match(b!.frames[0], { peer: 'v0', signer: 'v0', relayed: false, lane: 'urgent', kind: 7 });

  b!.frames.length = 0;
  const large = new Uint8Array(1024 * 1024 + 12345).map((_, index) => index * 31);
  const edge = new Uint8Array(64 * 1024).fill(5);
  t.equal(b!.network.send('v0', 'urgent', 9, large), true, 'too large for urgent: goes on bulk');
  t.equal(b!.network.send('v0', 'bulk', 10, edge), true);
  t.equal(b!.network.send('v0', 'urgent', 11, edge), true);
  t.equal(b!.network.send('v0', 'bulk', 12, new Uint8Array(0)), true);
  t.equal(b!.network.send('v0', 'bulk', 9, new Uint8Array(2 * 1024 * 1024)), false, 'above what the peer takes');
  t.equal(b!.network.send('nobody', 'bulk', 9, edge), false);
  t.equal(b!.network.send('v0', 'bulk', 192, edge), false, 'a kind of the network itself');
  await until('all came', () => a!.frames.length === 4);
  const of = (kind: number) => a!.frames.find((frame) => frame.kind === kind)!;
  t.equal(of(9).lane, 'bulk');
  t.ok(Buffer.from(of(9).payload).equals(large));
  t.equal(of(10).payload.length, edge.length);
  t.equal(of(11).lane, 'urgent');
  t.equal(of(12).payload.length, 0);
  t.equal(a!.network.stats().urgent.misbehaved + a!.network.stats().bulk.misbehaved, 0);
});

t.test('requests: answer, absence, failure of the handler, busy, timeout, no lane', async (t) => {
  const members = await startMesh(['validator', 'validator'], {
    limits: { requestsInFlightMax: 20, answersInFlightMax: 4 },
    behaviour: () => ({
      onRequest: async (peer, kind, payload) => {
        if (kind === 1) return bytes(`${peer} asked ${text(payload)}`);
        if (kind === 2) return new Uint8Array(1024 * 1024).fill(3);
        if (kind === 3) throw new Error('broken');
        if (kind === 4) return new Promise(() => {});
        return undefined;
      },
    }),
  });
  const [a, b] = members;
  t.teardown(() => closeAll(members));
  await t.rejects(a!.network.request('v1', 1, bytes('x'), { timeoutMs: 100 }), { code: 'NET_NO_LANE' });
  await until('bulk is up', () => members.every(({ network }) => network.askable().length === 1));
  t.equal(text((await a!.network.request('v1', 1, bytes('this'), { timeoutMs: 2000 }))!), 'v0 asked this');
  t.equal((await b!.network.request('v0', 2, bytes(''), { timeoutMs: 2000 }))?.length, 1024 * 1024);
  t.equal(await a!.network.request('v1', 3, bytes(''), { timeoutMs: 2000 }), undefined);
  t.equal(b!.network.stats().handlerErrors, 1);
  t.equal(await a!.network.request('v1', 9, bytes(''), { timeoutMs: 2000 }), undefined);
  await t.rejects(a!.network.request('v1', 1, new Uint8Array(70_000), { timeoutMs: 100 }), {
    code: 'NET_MESSAGE_TOO_LARGE',
  });
  const hanging = Array.from({ length: 4 }, () => a!.network.request('v1', 4, bytes(''), { timeoutMs: 300 }));
  const fifth = a!.network.request('v1', 1, bytes(''), { timeoutMs: 2000 });
  await t.rejects(fifth, { code: 'NET_BUSY' });
  for (const one of hanging) await t.rejects(one, { code: 'NET_TIMEOUT' });
  const last = a!.network.request('v1', 4, bytes(''), { timeoutMs: 5000 });
  const closed = t.rejects(last, { code: /NET_CLOSED|NET_NO_LANE|NET_BUSY/ });
  await a!.network.close();
  await closed;
});

t.test('a lane comes back after its peer was gone, and close is quick', async (t) => {
  const members = await startMesh(['validator', 'validator', 'validator']);
  const [a, b, c] = members;
  const all = [...members];
  t.teardown(() => closeAll(all));
  await until('the mesh is up', () => members.every(({ network }) => network.stats().urgent.lanes === 2));
  const address = c!.network.addresses();
  const started = performance.now();
  await c!.network.close();
  t.ok(performance.now() - started < 2000, `closed in ${Math.round(performance.now() - started)} ms`);
  await until('both see it', () => a!.events.includes('down v2') && b!.events.includes('down v2'));
  t.equal(a!.network.send('v2', 'urgent', 1, bytes('lost')), false);
  const again = await startMember('v2', 'validator', c!.seed, [entry(a!), entry(b!)], { listen: [...address] });
  all.push(again);
  await until('it is back', () => again.network.stats().urgent.lanes === 2 && again.network.stats().bulk.lanes === 2);
  t.equal(a!.events.filter((event) => event === 'up v2').length, 2);
  t.equal(a!.hellos.filter(({ peer }) => peer === 'v2').length, 2, 'a hello at each connect');
  a!.network.broadcast('urgent', 3, bytes('all'));
  await until('both got it', () => b!.frames.length === 1 && again.frames.length === 1);
});

t.test('pings tell who is alive', async (t) => {
  const members = await startMesh(['validator', 'validator', 'validator'], { cut: [['v0', 'v1']] });
  const [a, b, c] = members;
  t.teardown(() => closeAll(members));
  t.equal(a!.network.heardMs('v2'), Number.POSITIVE_INFINITY);
  t.equal(a!.network.heardMs('v0'), 0, 'ourselves');
  await until('both hear v2', () => a!.network.heardMs('v2') < 300 && b!.network.heardMs('v2') < 300);
  await until('v0 hears v1 through v2', () => a!.network.heardMs('v1') < 300 && b!.network.heardMs('v0') < 300);
  t.equal(a!.network.heardMs('v1', 'directly'), Number.POSITIVE_INFINITY);
  t.equal(a!.network.connected('v1'), false);
  t.ok(a!.heard.includes('v1'));
  await b!.network.close();
  await until('v2 no longer hears v1', () => c!.network.heardMs('v1') > 400);
  await until('nor does v0', () => a!.network.heardMs('v1') > 400);
});

t.test('a newcomer whose address the others do not know comes by itself, whatever the order of the keys', async (t) => {
  const members = await startMesh(['validator', 'validator', 'validator'], { introduce: false });
  const [a, b, c] = members;
  t.teardown(() => closeAll(members));
  // v1 is the newcomer: by the order of the keys v0 would have to dial it, and it v2.
  a!.network.setPeers([entry(b!, []), entry(c!)]);
  b!.network.setPeers([entry(a!), entry(c!)]);
  c!.network.setPeers([entry(a!), entry(b!, [])]);
  await until('all lanes are up', () => members.every(({ network }) => network.stats().urgent.lanes === 2));
  const before = b!.hellos.length;
  a!.network.setPeers([entry(b!), entry(c!)]);
  await until('v0 has learnt the address', () => b!.hellos.length > before && a!.network.connected('v1'));
  t.same(
    [a, b, c].map((each) => each!.warnings),
    [[], [], []],
  );
  t.same(
    [a, b, c].map((each) => each!.network.stats().strangers),
    [0, 0, 0],
  );
});

t.test('two processes with one peer key: both sides say so, and the first stays connected', async (t) => {
  const members = await startMesh(['validator', 'validator']);
  const [a, b] = members;
  t.teardown(() => closeAll(members));
  await until('both lanes are up', () =>
    members.every(({ network }) => network.stats().urgent.lanes === 1 && network.stats().bulk.lanes === 1),
  );
  t.same([a!.warnings, b!.warnings], [[], []]);
  // It is for v0 to dial, and v0 dials the one that it knows.
  const twin = await startMember('v1', 'validator', b!.seed, [entry(a!)]);
  t.teardown(() => twin.network.close());
  await until('v0 says it', () => a!.warnings.length > 0, 20_000);
  await until('the second says it', () => twin.warnings.length > 0, 20_000);
  t.match(a!.warnings, [/two processes.*"peer":"v1"/]);
  t.match(twin.warnings, [/peer key of this node.*"peer":"v0"/]);
  t.same(b!.warnings, []);
  t.equal(b!.network.stats().urgent.lanes, 1);
  t.equal(twin.network.connected('v0'), false);
});

t.test('the permitted set', async (t) => {
  const members = await startMesh(['validator', 'validator', 'validator', 'observer'], { introduce: false });
  const [a, b, c, d] = members;
  t.teardown(() => closeAll(members));
  // v2 knows the others, they do not know it; and the other way round for v1.
  c!.network.setPeers([entry(a!), entry(b!)]);
  a!.network.setPeers([entry(b!)]);
  b!.network.setPeers([entry(a!), entry(c!)]);
  await until('v0 and v1 found each other', () => a!.network.connected('v1') && b!.network.connected('v0'));
  await until('v1 and v2 too', () => b!.network.connected('v2') && c!.network.connected('v1'));
  t.equal(a!.network.connected('v2'), false);
  t.equal(c!.network.connected('v0'), false);
  t.throws(() => a!.network.setPeers([{ ...entry(b!), peerKey: new Uint8Array(31) }]), { code: 'NET_PEER_INVALID' });
  t.throws(() => a!.network.setPeers([{ ...entry(b!), addresses: ['nonsense'] }]), { code: 'NET_PEER_INVALID' });
  t.throws(() => a!.network.setPeers([entry(b!), { ...entry(c!), peerKey: b!.peerKey }]), { code: 'NET_PEER_INVALID' });
  t.equal(a!.network.connected('v1'), true, 'a refused list changes nothing');

  // An observer dials; a stranger is cut off by the gater.
  d!.network.setPeers([entry(a!), entry(b!), entry(c!)]);
  await until('v0 has refused the stranger', () => a!.network.stats().strangers > 0);
  t.equal(d!.network.connected('v0'), false);
  introduce(members);
  await until('all are up', () => members.every(({ network }) => network.askable().length === 3));
  await until('urgent lanes too', () => a!.network.stats().urgent.lanes === 2);
  t.equal(d!.network.stats().urgent.lanes, 0, 'no urgent lane for an observer');
  d!.network.send('v0', 'urgent', 5, bytes('from the observer'));
  await until('it came on bulk', () => a!.frames.some(({ lane, peer }) => lane === 'bulk' && peer === 'o3'));

  a!.network.setPeers([entry(b!), entry(d!)]);
  await until('v2 is cut off', () => !c!.network.connected('v0') && !a!.network.connected('v2'));
  t.equal(a!.network.connected('o3'), true);
  t.equal(a!.network.connected('v1'), true);
});
