// The relay itself: what it holds, delays and cuts, and that it loses and reorders nothing.
import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Relays } from './relay.ts';

type World = {
  readonly relays: Relays;
  readonly port: number;
  readonly open: () => Promise<{ near: Socket; far: Socket }>;
};

async function world(t: Test): Promise<World> {
  const relays = new Relays();
  const waiting: Socket[] = [];
  const server: Server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    waiting.push(socket);
    server.emit('taken');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const port = await relays.add('a', 'b', address.port);
  t.teardown(async () => {
    await relays.close();
    for (const socket of waiting) socket.destroy();
    server.close();
  });
  const open = async (): Promise<{ near: Socket; far: Socket }> => {
    const before = waiting.length;
    const near = dial(port, '127.0.0.1');
    near.on('error', () => {});
    await once(near, 'connect');
    while (waiting.length === before) await once(server, 'taken');
    return { near, far: waiting[before] as Socket };
  };
  return { relays, port, open };
}

/** However it ends. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Resolves with all bytes once there are `length`. */
async function receive(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let got = 0;
  while (got < length) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) await once(socket, 'readable');
    else {
      chunks.push(chunk);
      got += chunk.length;
    }
  }
  return Buffer.concat(chunks);
}

t.test('bytes arrive whole and in order, under delay, throttle and stalls, in both directions', async (t) => {
  const { relays, open } = await world(t);
  relays.set('a', 'b', { delayMs: 5, stallEveryMs: 20, stallMs: 30, bytesPerSecond: 20_000_000 });
  const { near, far } = await open();
  const sent = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
  for (let at = 0; at < sent.length; at += 50_000) near.write(sent.subarray(at, at + 50_000));
  far.write('back');
  t.equal((await receive(near, 4)).toString(), 'back');
  t.ok((await receive(far, sent.length)).equals(sent));
});

t.test('a delay is at least as long as asked, in its direction alone', async (t) => {
  const { relays, open } = await world(t);
  relays.set('a', 'b', { delayMs: 200 });
  const { near, far } = await open();
  const since = performance.now();
  near.write('x');
  await receive(far, 1);
  t.ok(performance.now() - since >= 199);
});

t.test('more than it may hold: the sender has to wait, and in the end all arrives', async (t) => {
  const { relays, open } = await world(t);
  const { near, far } = await open();
  relays.set('a', 'b', { state: 'held' });
  const sent = Buffer.alloc(64 * 1024 * 1024, 7);
  let taken = false;
  near.write(sent, () => {
    taken = true;
  });
  await sleep(300);
  t.notOk(taken, 'the sender feels it');
  relays.heal();
  t.equal((await receive(far, sent.length)).length, sent.length);
});

t.test('held: nothing arrives, the other direction is free, and later it arrives after all', async (t) => {
  const { relays, open } = await world(t);
  const { near, far } = await open();
  relays.set('a', 'b', { state: 'held' });
  near.write('late');
  far.write('free');
  t.equal((await receive(near, 4)).toString(), 'free');
  await sleep(50);
  t.equal(far.readableLength, 0);
  relays.set('a', 'b', { state: 'open' });
  t.equal((await receive(far, 4)).toString(), 'late');
});

t.test('reset: both ends learn it, new connections too, and after the healing they live', async (t) => {
  const { relays, port, open } = await world(t);
  const first = await open();
  const gone = Promise.all([closed(first.near), closed(first.far)]);
  relays.partition([['a'], ['b']], 'reset');
  await gone;
  const near = dial(port, '127.0.0.1');
  near.on('error', () => {});
  await closed(near);
  relays.heal();
  const second = await open();
  second.near.write('again');
  t.equal((await receive(second.far, 5)).toString(), 'again');
});

t.test('an end and a broken end are passed on', async (t) => {
  const { open } = await world(t);
  const half = await open();
  half.near.end('bye');
  t.equal((await receive(half.far, 3)).toString(), 'bye');
  half.far.resume();
  await once(half.far, 'end');
  const broken = await open();
  const gone = closed(broken.far);
  broken.near.destroy();
  await gone;
  t.pass('closed');
});
