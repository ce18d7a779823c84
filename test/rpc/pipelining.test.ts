import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { fakeNode } from './fakeNode.ts';

const body = '{"jsonrpc":"2.0","id":1,"method":"node.status"}';
const one = `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

t.test('of a connection that asks without waiting for answers no more is read than can wait', async (t) => {
  const api = fakeNode();
  const { status } = api;
  let begun = 0;
  let answered = 0;
  let finished = 0;
  let most = 0;
  Object.assign(api, {
    status: () => {
      const endMs = performance.now() + 0.5;
      while (performance.now() < endMs);
      most = Math.max(most, begun - finished);
      answered += 1;
      return status();
    },
  });
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0, requestsPerSecond: 0 }) });
  const onBegun = (): void => {
    begun += 1;
  };
  const onFinished = (): void => {
    finished += 1;
  };
  subscribe('http.server.request.start', onBegun);
  subscribe('http.server.response.finish', onFinished);
  const count = 3000;
  const socket = connect(server.port, '127.0.0.1');
  let answers = 0;
  let busy = 0;
  let rest = '';
  socket.on('data', (data: Buffer) => {
    rest += data.toString('latin1');
    const found = rest.match(/HTTP\/1\.1 (200|503)/g) ?? [];
    answers += found.length;
    busy += found.filter((each) => each.endsWith('503')).length;
    rest = rest.slice(rest.lastIndexOf('HTTP/1.1') + 12).slice(-12);
  });
  await once(socket, 'connect');
  socket.write(one.repeat(count));
  while (answers < count && !socket.destroyed) await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(answered + busy, count, 'each is answered');
  t.ok(answered > 0);
  t.ok(most < 1500, `${most} at a time`);
  unsubscribe('http.server.request.start', onBegun);
  unsubscribe('http.server.response.finish', onFinished);
  socket.destroy();
  await server.close();
});
