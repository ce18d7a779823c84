// Real files, a real HTTP server, a real nats-server.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import t from 'tap';
import type { AgentEvent } from '../../../src/agent/telemetry/event.ts';
import { natsSink } from '../../../src/agent/telemetry/nats.ts';
import { fileSink, streamSink } from '../../../src/agent/telemetry/ndjson.ts';
import { otlpSink } from '../../../src/agent/telemetry/otlp.ts';
import { type Sink, SinkQueue } from '../../../src/agent/telemetry/sink.ts';
import { freePort } from '../../freePorts.ts';

const event: AgentEvent = {
  time: 1_763_712_300_123,
  host: 'web-3',
  kind: 'gate.drop',
  origin: 'kernel',
  process: { pid: 42, command: 'curl', uid: 0 },
  flow: { protocol: 'tcp', source: '10.0.0.1', sourcePort: 40000, destination: '10.0.0.2', destinationPort: 8443 },
  reason: 'no-grant',
};
const line = (i: number): string => JSON.stringify({ ...event, detail: `packet ${i}` });

function folder(t: { teardown(work: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-telemetry-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

t.test('a file: one object a line, and one file of the past', async (t) => {
  const path = join(folder(t), 'events.ndjson');
  const sink = fileSink(path, 600);
  await sink.write([line(1), line(2)]);
  await sink.write([line(3)]);
  await sink.write([line(4)]);
  await sink.close();
  const read = (at: string): string[] =>
    readFileSync(at, 'utf8')
      .trimEnd()
      .split('\n')
      .map((each) => (JSON.parse(each) as AgentEvent).detail ?? '');
  t.same([...read(`${path}.1`), ...read(path)], ['packet 1', 'packet 2', 'packet 3', 'packet 4']);
  t.equal(statSync(path).mode & 0o777, 0o640);
  const more = fileSink(path, 1e6);
  await more.write([line(5)]);
  await more.close();
  t.same(read(path).at(-1), 'packet 5', 'appended to what is there');
  // Killed, or out of room, in the middle of a line.
  appendFileSync(path, line(6).slice(0, 20));
  const third = fileSink(path, 1e6);
  await third.write([line(7)]);
  await third.close();
  t.match(readFileSync(path, 'utf8').trimEnd().split('\n').slice(-2), [line(6).slice(0, 20), line(7)]);
});

t.test('a stream', async (t) => {
  const stream = new PassThrough();
  await streamSink('stdout', stream).write([line(1), line(2)]);
  t.equal(String(stream.read()).split('\n').length, 3);
  const gone = new PassThrough();
  const sink = streamSink('stdout', gone);
  gone.destroy(new Error('EPIPE'));
  await t.rejects(sink.write([line(1)]), 'and nobody ends by that');
});

t.test('OTLP: log records that a collector takes', async (t) => {
  const bodies: { path: string; body: Record<string, unknown> }[] = [];
  let [status, answer] = [200, '{"partialSuccess":{}}'];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      bodies.push({ path: request.url ?? '', body: JSON.parse(text) });
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const sink = otlpSink({ url, host: 'web-3', version: '1', headers: { authorization: 'Bearer x' } });
  await sink.write([line(1), line(2)]);
  t.equal(bodies[0]?.path, '/v1/logs');
  t.match(bodies[0]?.body, {
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'weft-agent' } }] },
        scopeLogs: [
          {
            logRecords: [
              {
                timeUnixNano: '1763712300123000000',
                severityText: 'WARN',
                eventName: 'weft.gate.drop',
                body: { stringValue: 'packet 1' },
              },
              { body: { stringValue: 'packet 2' } },
            ],
          },
        ],
      },
    ],
  });
  t.match(JSON.stringify(bodies[0]?.body), '{"key":"destinationPort","value":{"intValue":"8443"}}');
  status = 503;
  await t.rejects(sink.write([line(3)]), { code: 'OTLP_REFUSED' });
  status = 302;
  await t.rejects(sink.write([line(3)]), 'no secret goes elsewhere');
  t.notOk(bodies.some(({ path }) => path === '/elsewhere'));
  // What it will never take is lost, and counted; it must not stand in the way of what comes after.
  const queue = new SinkQueue(sink, { linesMax: 10, bytesMax: 1e6, batchMax: 2, retryMs: 1, retryMsMax: 1 });
  [status, answer] = [200, '{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}'];
  queue.push(line(1));
  queue.push(line(2));
  while (queue.counters.waiting > 0) await sleep(5);
  t.match(queue.counters, { written: 1, lost: 1, failures: 0 });
  [status, answer] = [413, 'x'.repeat(1e6)];
  queue.push(line(3));
  while (queue.counters.waiting > 0) await sleep(5);
  t.match(queue.counters, { written: 1, lost: 2, failures: 0 });
  await queue.close(100);
});

function startNats(port: number, dir: string): ChildProcess {
  return spawn('nats-server', ['-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd', dir], { stdio: 'ignore' });
}

const noNats = spawnSync('nats-server', ['--version']).error !== undefined;
const skip = noNats ? 'skipped: nats-server is not installed (apt-get install nats-server)' : false;

t.test('NATS JetStream: stored once, over a restart of the server', { skip, timeout: 60_000 }, async (t) => {
  const dir = folder(t);
  const port = await freePort();
  let server = startNats(port, dir);
  t.teardown(() => server.kill('SIGKILL'));
  const servers = [`127.0.0.1:${port}`];
  const sink = natsSink({ servers, subject: 'weft', stream: 'WEFT', host: 'web.3', run: 'r1', timeoutMs: 1000 });
  const errors: unknown[] = [];
  const options = { linesMax: 1000, bytesMax: 1e6, batchMax: 4, retryMs: 50, retryMsMax: 200 };
  const queue = new SinkQueue(sink, options, (error) => errors.push(error));
  const writtenBy = async (count: number): Promise<void> => {
    while (queue.counters.written < count) await sleep(20);
  };
  for (let i = 0; i < 10; i += 1) queue.push(line(i));
  await writtenBy(10);
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await gone;
  for (let i = 10; i < 20; i += 1) queue.push(line(i));
  while (queue.counters.failures === 0) await sleep(20);
  t.equal(queue.counters.written, 10, 'nothing counts as written that no server has stored');
  server = startNats(port, dir);
  await writtenBy(20);
  t.equal(queue.counters.lost, 0);
  t.ok(errors.length > 0);
  const connection = await connect({ servers });
  t.teardown(() => connection.close());
  const manager = await jetstreamManager(connection);
  const { state, config } = await manager.streams.info('WEFT');
  t.equal(state.messages, 20);
  t.same(config.subjects, ['weft.>']);
  const consumer = await jetstream(connection).consumers.get('WEFT');
  const seen: string[] = [];
  for await (const message of await consumer.fetch({ max_messages: 20, expires: 2000 })) {
    t.equal(message.subject, 'weft.web_3.gate.drop');
    seen.push((message.json() as AgentEvent).detail ?? '');
  }
  t.same(seen.sort(), Array.from({ length: 20 }, (_, i) => `packet ${i}`).sort());
  await queue.close(1000);
});

t.test('a batch that failed is tried again as it was', async (t) => {
  const tried: string[][] = [];
  const sink: Sink = {
    name: 'flaky',
    write: async (lines) => {
      tried.push([...lines]);
      if (tried.length < 3) throw new Error('not now');
    },
    close: async () => undefined,
  };
  const queue = new SinkQueue(sink, { linesMax: 9, bytesMax: 100, batchMax: 10, retryMs: 20, retryMsMax: 20 });
  queue.push('a');
  while (tried.length < 1) await sleep(1);
  queue.push('b');
  while (queue.counters.written < 2) await sleep(5);
  t.same(tried, [['a'], ['a'], ['a'], ['b']]);
  await queue.close(10);
});

t.test('a queue is bounded, and says what it lost', async (t) => {
  let release: () => void = () => undefined;
  const written: string[] = [];
  const slow: Sink = {
    name: 'slow',
    write: async (lines) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      written.push(...lines);
    },
    close: async () => undefined,
  };
  const queue = new SinkQueue(slow, { linesMax: 3, bytesMax: 100, batchMax: 10, retryMs: 1, retryMsMax: 1 });
  for (const each of ['a', 'b', 'c', 'd']) queue.push(each);
  t.same(queue.counters, { written: 0, lost: 1, failures: 0, waiting: 3, waitingBytes: 3 });
  await sleep(10);
  release();
  await sleep(10);
  t.same(written, ['a', 'b', 'c']);
  queue.push('x'.repeat(101));
  t.equal(queue.counters.lost, 2, 'one that is too long by itself');
  queue.push('e');
  await queue.close(10);
  t.equal(queue.counters.lost, 3, 'a sink that hangs does not keep the agent');
  queue.push('late');
  t.equal(queue.counters.lost, 4);
});

t.test('no secret is in the name of a sink', async (t) => {
  const url = 'https://me:hunter2@example.com/otlp?key=hunter2';
  t.equal(otlpSink({ url, host: 'h', version: '1' }).name, 'otlp https://example.com/otlp');
  const servers = ['nats://me:hunter2@a:4222', 'b:4222'];
  t.equal(natsSink({ servers, subject: 's', stream: 'S', host: 'h', run: 'r' }).name, 'nats nats://a:4222,b:4222');
});
