// A log that is read over HTTP from a server that has others to serve, too.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { openLogSource } from '../../src/client/logSource.ts';

t.test('a server that says later is asked again; one that says so for ever is not', async (t) => {
  const asked: string[] = [];
  const server = createServer((request, answer) => {
    asked.push(request.url ?? '');
    if (request.url === '/tile/0/000' && asked.length > 2) {
      answer.end('bytes');
      return;
    }
    answer.writeHead(429, { 'retry-after': '0' }).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const source = openLogSource(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.teardown(() => source.close());
  t.equal(Buffer.from((await source.read('tile/0/000', 100)) ?? []).toString(), 'bytes');
  t.equal(asked.length, 3);
  await t.rejects(source.read('checkpoint', 100), { code: 'LOG_SOURCE_UNREADABLE' });
  t.equal(asked.length, 3 + 31);
});
