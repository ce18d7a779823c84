import t from 'tap';
import { WebSocket } from 'ws';
import { rpcConfig } from '../../src/node/config.ts';
import { Gate } from '../../src/rpc/gate.ts';
import { answerMessage } from '../../src/rpc/jsonRpc.ts';
import { methodNames } from '../../src/rpc/methods.ts';
import { RpcMetrics } from '../../src/rpc/metrics.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { fakeNode, post } from './fakeNode.ts';

/** xorshift32: the same garbage on each run, so that what it finds can be found again. */
function randomOf(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const names = [...methodNames, '__proto__', 'constructor', 'toString', ''];
const members = [
  'envelope',
  'id',
  'timeoutMs',
  'height',
  'index',
  'tx',
  'record',
  'path',
  'proof',
  'topic',
  'type',
  '__proto__',
  'constructor',
];
const leaves: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1e308,
  1.5,
  2 ** 53,
  '',
  'blocks',
  'records',
  'tx',
  'a/b/c',
  '../../etc/passwd',
  '\u0000',
  '\ud800',
  'f'.repeat(64),
  'F'.repeat(64),
  'x'.repeat(300),
  '{"payload":"AAAA"}',
  '{"payload":{}}',
];

/** JSON that looks like a request more or less, or bytes that do not. */
function garbage(random: (below: number) => number): string {
  const value = (depth: number): unknown => {
    const kind = random(depth > 3 ? 4 : 8);
    if (kind < 4) return leaves[random(leaves.length)];
    if (kind < 6) return Array.from({ length: random(4) }, () => value(depth + 1));
    return Object.fromEntries(
      Array.from({ length: random(4) }, () => [members[random(members.length)], value(depth + 1)]),
    );
  };
  const request = (): unknown => ({
    ...(random(8) === 0 ? {} : { jsonrpc: '2.0' }),
    ...(random(6) === 0 ? {} : { id: random(3) === 0 ? value(2) : random(1000) }),
    method: random(10) === 0 ? value(2) : names[random(names.length)],
    ...(random(6) === 0
      ? {}
      : {
          params:
            random(4) === 0
              ? value(0)
              : Object.fromEntries(
                  Array.from({ length: random(3) }, () => [
                    members[random(members.length)],
                    leaves[random(leaves.length)],
                  ]),
                ),
        }),
  });
  const kind = random(10);
  let text =
    JSON.stringify(kind < 7 ? request() : kind < 9 ? Array.from({ length: random(5) }, request) : value(0)) ?? '';
  // Broken in places: cut, doubled, with other bytes.
  if (random(4) === 0) text = text.slice(0, random(text.length + 1));
  if (random(6) === 0) text = `${text.slice(0, random(text.length + 1))}${String.fromCharCode(random(0xd800))}${text}`;
  return text;
}

t.test('10,000 pieces of garbage get an answer each, and never an internal error', async (t) => {
  const random = randomOf(0x5eed);
  const config = rpcConfig({ port: 0, waitMsMax: 1, requestsPerSecond: 0, submitsPerSecond: 0 });
  const failures: string[] = [];
  const logger = { info: () => {}, warn: () => {}, error: () => failures.push('logged') };
  const gate = new Gate(config, { api: fakeNode(), logger, metrics: new RpcMetrics() });
  const codes = new Map<string, number>();
  // The fake's waits do not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(alive));
  for (let i = 0; i < 10_000; i++) {
    const text = garbage(random);
    const answer = await answerMessage(text, gate.dispatchFor('a'));
    if (answer === undefined) continue;
    const parsed = JSON.parse(answer);
    for (const each of Array.isArray(parsed) ? parsed : [parsed]) {
      if (each.jsonrpc !== '2.0' || (each.error === undefined) === (each.result === undefined)) failures.push(text);
      const code = each.error?.data?.code ?? 'ok';
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  }
  t.same(failures.slice(0, 3), []);
  t.equal(codes.get('INTERNAL') ?? 0, 0);
  for (const code of ['ok', 'RPC_PARSE', 'RPC_INVALID_REQUEST', 'RPC_METHOD_UNKNOWN', 'RPC_PARAMS_INVALID']) {
    t.ok((codes.get(code) ?? 0) > 50, `${code}: the garbage reaches this far`);
  }
});

t.test('a running server outlives it, over HTTP and WebSocket', async (t) => {
  const random = randomOf(0xbad);
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0, waitMsMax: 1, requestsPerSecond: 0 }) });
  t.teardown(() => server.close());
  for (let i = 0; i < 300; i += 10) {
    const sent = Array.from({ length: 10 }, () => post(server.url, garbage(random)));
    for (const { status } of await Promise.all(sent)) if (status >= 500) t.fail(`status ${status}`);
  }
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`);
  await new Promise((resolve) => socket.once('open', resolve));
  let answers = 0;
  socket.on('message', () => answers++);
  for (let i = 0; i < 500; i++) {
    socket.send(garbage(random));
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const alive = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      if (String(data).includes('"last"')) resolve();
    });
  });
  socket.send('{"jsonrpc":"2.0","id":"last","method":"node.status"}');
  await alive;
  t.ok(answers > 300);
  socket.send(Uint8Array.from({ length: 64 }, () => random(256) | 0x80));
  await new Promise((resolve) => socket.once('close', resolve));
  const { result } = await post(server.url, '{"jsonrpc":"2.0","id":1,"method":"node.status"}');
  t.equal(result.name, 'v1', 'still there');
});
