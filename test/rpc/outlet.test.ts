// What leaves in one write, and what waits for the next turn.
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { rpcConfig } from '../../src/node/config.ts';
import { textFrame } from '../../src/rpc/frames.ts';
import { Outlet } from '../../src/rpc/outlet.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { fakeBlock, fakeNode } from './fakeNode.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class FakeSocket {
  readonly said: string[];
  readonly name: string;
  constructor(said: string[], name: string) {
    this.said = said;
    this.name = name;
  }
  cork(): void {
    this.said.push(`cork ${this.name}`);
  }
  uncork(): void {
    this.said.push(`uncork ${this.name}`);
  }
}

t.test('a socket is held once a turn, and let go at its end', async (t) => {
  const said: string[] = [];
  const outlet = new Outlet(() => 0);
  const [a, b] = [new FakeSocket(said, 'a'), new FakeSocket(said, 'b')];
  for (const socket of [a, b, a, a]) outlet.hold(socket);
  t.same(said, ['cork a', 'cork b']);
  await turn();
  t.same(said.slice(2), ['uncork a', 'uncork b']);
  outlet.hold(b);
  await turn();
  t.same(said.slice(4), ['cork b', 'uncork b']);
});

t.test('many sockets take several turns, and others have theirs in between', async (t) => {
  const said: string[] = [];
  let now = 0;
  // Every look at the clock is a third of what a turn may take.
  const outlet = new Outlet(() => {
    now += 0.7;
    return now;
  });
  for (let i = 0; i < 10; i += 1) outlet.hold(new FakeSocket(said, String(i)));
  let turns = 0;
  while (said.length < 20) {
    await turn();
    said.push('turn');
    turns += 1;
    if (turns === 1) outlet.hold(new FakeSocket(said, 'late'));
    if (turns > 50) break;
  }
  const uncorked = said.filter((each) => each.startsWith('uncork'));
  t.ok(turns > 2, `${turns} turns`);
  while (said.filter((each) => each.startsWith('uncork')).length < 11) await turn();
  t.same(uncorked.slice(0, 3), ['uncork 0', 'uncork 1', 'uncork 2'], 'in the order of asking');
});

t.test('frames of each length', (t) => {
  for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
    const frame = textFrame('x'.repeat(length));
    const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    t.equal(frame.length, head + length);
    t.equal(frame[0], 0x81);
    const said = head === 2 ? frame[1] : head === 4 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
    t.equal(said, length);
  }
  t.equal(textFrame('é€').subarray(2).toString(), 'é€', 'bytes are counted, not characters');
  t.end();
});

/** A client that can do nothing but shake hands, ask and count: a thousand of them are cheap. */
async function rawClient(port: number): Promise<{ socket: Socket; bytes: () => number; chunks: () => number }> {
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(
    'GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await new Promise((resolve) => socket.once('data', resolve));
  let bytes = 0;
  let chunks = 0;
  socket.on('data', (data) => {
    bytes += data.length;
    chunks += 1;
  });
  const text = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topic":"blocks"}}');
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  while (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  return { socket, bytes: () => bytes, chunks: () => chunks };
}

t.test('a thousand subscribers hear of every block, and other work goes on meanwhile', async (t) => {
  const count = 1000;
  const api = fakeNode();
  const config = rpcConfig({
    port: 0,
    connectionsMax: 2 * count,
    webSocketsMax: count,
    webSocketsPerAddressMax: count,
    requestsPerSecond: 0,
  });
  const server = await createRpcServer({ api, config });
  const clients: Awaited<ReturnType<typeof rawClient>>[] = [];
  while (clients.length < count) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => rawClient(server.port)))));
  }
  t.equal(api.subscribers(), 1);
  const before = clients.map(({ bytes }) => bytes());
  const heights = [13, 14, 15, 16, 17, 18, 19, 20];
  const expected = heights
    .map((height) => JSON.stringify({ topic: 'blocks', block: fakeBlock(height) }))
    .map((json) => `{"jsonrpc":"2.0","method":"subscription","params":{"subscription":"s1","event":${json}}}`)
    .reduce((sum, text) => sum + textFrame(text).length, 0);
  for (const height of heights) api.fire({ topic: 'blocks', block: fakeBlock(height) });
  const done = (): boolean => clients.every(({ bytes }, i) => bytes() - (before[i] ?? 0) >= expected);
  let turns = 0;
  while (!done() && turns < 100_000) {
    await turn();
    turns += 1;
  }
  t.same(
    new Set(clients.map(({ bytes }, i) => bytes() - (before[i] ?? 0))),
    new Set([expected]),
    'each got each, once',
  );
  t.ok(turns > 3, `${turns} turns of the event loop for others`);
  // Eight blocks of one turn are one write, and on loopback one write of this size is read at once.
  const chunks = clients.reduce((sum, each) => sum + each.chunks(), 0);
  t.ok(chunks < 4 * count, `${chunks} pieces, the answer to each included`);
  for (const { socket } of clients) socket.destroy();
  await server.close();
});
