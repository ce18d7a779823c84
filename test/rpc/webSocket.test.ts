// biome-ignore-all lint/suspicious/noExplicitAny: answers of a server under test are looked into freely
import { connect } from 'node:net';
import t from 'tap';
import { WebSocket } from 'ws';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { fakeBlock, fakeNode, hash } from './fakeNode.ts';

type Client = {
  socket: WebSocket;
  messages: any[];
  ask(method: string, params?: unknown): Promise<any>;
  until(test: (message: any) => boolean): Promise<any>;
  closed: Promise<{ code: number; reason: string }>;
};

async function connectTo(url: string, headers: Record<string, string> = {}): Promise<Client> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers });
  const messages: any[] = [];
  const watchers = new Set<() => void>();
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    for (const each of watchers) each();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  let next = 1;
  const until = (test: (message: any) => boolean): Promise<any> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = messages.find(test);
        if (found === undefined) return;
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
    });
  return {
    socket,
    messages,
    until,
    closed,
    ask: (method, params = {}) => {
      const id = next++;
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      return until((each) => each.id === id);
    },
  };
}

t.test('the same methods, and subscriptions', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0, subscriptionsMax: 3 }) });
  t.teardown(() => server.close());
  const client = await connectTo(server.url);
  t.equal((await client.ask('node.status')).result.name, 'v1');
  const blocks = (await client.ask('subscribe', { topic: 'blocks' })).result.subscription;
  const tx = (await client.ask('subscribe', { topic: 'tx', id: hash('a') })).result.subscription;
  api.fire({ topic: 'blocks', block: fakeBlock(13) });
  const event = await client.until((each) => each.method === 'subscription' && each.params.subscription === blocks);
  t.same(event.params.event, { topic: 'blocks', block: fakeBlock(13) });
  api.finalize(hash('a'));
  const final = await client.until((each) => each.params?.subscription === tx);
  t.equal(final.params.event.status.status, 'finalized');
  t.same((await client.ask('unsubscribe', { subscription: tx })).result, { removed: false }, 'a final status ended it');
  const late = (await client.ask('subscribe', { topic: 'tx', id: hash('a') })).result.subscription;
  const known = await client.until((each) => each.params?.subscription === late);
  t.equal(known.params.event.status.height, 13, 'what is final already is told at once');

  const bad = await client.ask('subscribe', { topic: 'weather' });
  t.equal(bad.error.data.code, 'RPC_PARAMS_INVALID');
  await client.ask('subscribe', { topic: 'records', type: 'packets.committed' });
  await client.ask('subscribe', { topic: 'records', type: 'packets.committed', account: 'misty.weave' });
  t.equal((await client.ask('subscribe', { topic: 'records' })).error.data.code, 'RPC_SUBSCRIPTIONS_FULL');
  t.equal(api.subscribers(), 3);

  const other = await connectTo(server.url);
  await other.ask('subscribe', { topic: 'blocks' });
  t.equal(api.subscribers(), 3, 'equal wishes share one subscription at the node');
  t.same((await client.ask('unsubscribe', { subscription: blocks })).result, { removed: true });
  const before = client.messages.length;
  api.fire({ topic: 'blocks', block: fakeBlock(14) });
  await other.until((each) => each.params?.event?.block?.height === 14);
  await client.ask('node.status');
  t.equal(client.messages.length, before + 1, 'nothing after unsubscribe');
  client.socket.close();
  other.socket.close();
  await Promise.all([client.closed, other.closed]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(api.subscribers(), 0, 'nothing is left behind');
});

t.test('no notification comes before the answer that names its subscription', async (t) => {
  const api = fakeNode();
  const subscribe = api.subscribe;
  const eager = {
    ...api,
    subscribe: (subscription: any, listener: any) => {
      const stop = subscribe(subscription, listener);
      listener({ topic: 'blocks', block: fakeBlock(1) });
      return stop;
    },
  };
  const server = await createRpcServer({ api: eager, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const client = await connectTo(server.url);
  client.socket.send(
    `[{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topic":"blocks"}},{"jsonrpc":"2.0","id":2,"method":"tx.wait","params":{"id":"${hash('w')}","timeoutMs":60}}]`,
  );
  await client.until((each) => each.method === 'subscription');
  t.ok(Array.isArray(client.messages[0]), 'the answer first');
  t.equal(client.messages[1].params.event.block.height, 1, 'and nothing was lost');
  client.socket.close();
});

t.test('a slow subscriber is closed with a code, and stalls nobody', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0, bufferedBytesMax: 64 * 1024 }) });
  t.teardown(() => server.close());
  const slow = await connectTo(server.url);
  const quick = await connectTo(server.url);
  await slow.ask('subscribe', { topic: 'records' });
  await quick.ask('subscribe', { topic: 'records' });
  slow.socket.pause();
  const record = { type: 'big', text: 'x'.repeat(60_000) };
  // Past what the kernel buffers for a reader that does not read.
  for (let index = 0; index < 400; index++) {
    api.fire({ topic: 'records', height: 1, index, record });
    if (index % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    await quick.until((each) => each.params?.event?.index === index);
  }
  t.equal(quick.messages.filter((each) => each.method === 'subscription').length, 400, 'the other got all');
  slow.socket.resume();
  t.same(await slow.closed, { code: 4008, reason: 'SLOW_SUBSCRIBER' });
  t.ok(slow.messages.length < 400);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  t.match(metrics, 'weft_rpc_slow_subscribers_total 1');
  quick.socket.close();
});

t.test('heartbeats: the client sees them, and who does not answer is cut off', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0, heartbeatMs: 50 }) });
  t.teardown(() => server.close());
  const client = await connectTo(server.url);
  await client.ask('subscribe', { topic: 'blocks' });
  await client.until((each) => each.method === 'heartbeat');
  t.equal(client.socket.readyState, WebSocket.OPEN);

  // A raw socket that shakes hands and then never answers a ping.
  const dead = connect(server.port, '127.0.0.1');
  dead.write(
    'GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  dead.resume();
  await new Promise((resolve) => dead.once('close', resolve));
  t.pass('cut off');
  client.socket.close();
});

t.test('bounds on sockets, message size, requests in flight; other origins', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({
    api,
    config: rpcConfig({ port: 0, webSocketsPerAddressMax: 2, bodyBytesMax: 2048, batchMax: 2 }),
  });
  t.teardown(() => server.close());
  const first = await connectTo(server.url);
  await t.rejects(connectTo(server.url, { origin: 'https://evil.example' }), /403/);
  const second = await connectTo(server.url);
  await t.rejects(connectTo(server.url), /503/);
  second.socket.send('x'.repeat(4096));
  t.equal((await second.closed).code, 1009);
  first.socket.send('[1,2,3]');
  t.equal((await first.until((each) => each.id === null)).error.data.code, 'RPC_BATCH_TOO_LARGE');
  for (let i = 0; i < 257; i++) {
    first.socket.send(
      `{"jsonrpc":"2.0","id":${1000 + i},"method":"tx.wait","params":{"id":"${hash('w')}","timeoutMs":60000}}`,
    );
  }
  t.equal((await first.until((each) => each.id === 1256)).error.data.code, 'RPC_BUSY');
  const third = await connectTo(server.url);
  third.socket.send(new Uint8Array([0xff]));
  t.equal((await third.closed).code, 1007);
  first.socket.close();
});

t.test('a stopping node says goodbye', async (t) => {
  const server = await createRpcServer({ api: fakeNode(), config: rpcConfig({ port: 0 }) });
  const client = await connectTo(server.url);
  await client.ask('subscribe', { topic: 'blocks' });
  await server.close();
  t.same(await client.closed, { code: 1001, reason: 'NODE_STOPPING' });
});
