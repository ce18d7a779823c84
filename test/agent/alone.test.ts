// An agent whose ledger does not answer, and agents that meet: the gate is up at once, nothing waits for ever, nothing is said without end.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Agent, type AgentModules } from '../../src/agent/agent.ts';
import { Alerts } from '../../src/agent/alerts.ts';
import { Gate } from '../../src/agent/bpf/gate.ts';
import { Kernel } from '../../src/agent/bpf/kernel.ts';
import { checkAgentConfig } from '../../src/agent/config.ts';
import { Feed } from '../../src/agent/feed.ts';
import { lockPins, lockState } from '../../src/agent/lock.ts';
import type { AgentEvent } from '../../src/agent/telemetry/event.ts';
import { ed25519TransactionSigner } from '../../src/client/index.ts';
import { WeftError } from '../../src/codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { sha256, sha256Hex } from '../../src/crypto/hash.ts';
import { writeKeyFile } from '../../src/crypto/keyfile.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { formatTrust } from '../../src/token/trust.ts';
import { sampleNetwork } from '../log/sample.ts';
import { fakeNode } from '../rpc/fakeNode.ts';
import { run, skipWithoutNamespaces } from './bpf/peers.ts';
import { skipUnless } from './bpf/rights.ts';

type Scope = { teardown(work: () => unknown): void };

function folder(t: Scope): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-alone-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A node that takes connections and says nothing (`silent`), or hangs up at once. */
async function badNode(t: Scope, silent: boolean): Promise<{ readonly url: string; calls(): number }> {
  const sockets = new Set<Socket>();
  let calls = 0;
  const server = createServer((socket) => {
    calls += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    if (!silent) socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls: () => calls };
}

async function until(test: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !test(); await sleep(20))
    if (performance.now() > deadline) throw new Error('it did not happen');
}

const seed = new Uint8Array(32).fill(7);
const account = { name: 'account', algorithm: 'ed25519', publicKey: publicKeyOf(seed), secret: seed } as const;
const modules: AgentModules = { version: '0', passphrase: null, say: () => undefined };

t.test('two agents on one state folder: the second is told so, and the folder is free after the first', async (t) => {
  const dir = folder(t);
  const config = checkAgentConfig({ host: 'web-3', probes: [], fallback: false }, join(dir, 'c.yaml'));
  const first = await Agent.start(config, modules);
  await t.rejects(Agent.start(config, modules), {
    code: 'AGENT_LOCKED',
    message: /another agent works on .*: stop it/,
  });
  await first.close();
  await (await lockState(config.state))();
});

t.test('two agents on one folder of pins', { skip: skipUnless('gate') || skipWithoutNamespaces() }, async (t) => {
  const mount = folder(t);
  const pins = join(mount, 'bpf', 'weft');
  mkdirSync(join(mount, 'bpf'));
  run(`mount -t bpf bpf ${join(mount, 'bpf')}`);
  t.teardown(() => run(`umount ${join(mount, 'bpf')}`));
  const kernel = await Kernel.open();
  const unlock = lockPins(kernel, pins);
  const gate = { interfaces: ['nowhere0'], guarded: [{ port: 8443, protocol: 'tcp' }], pins };
  const document = { host: 'web-3', gate, probes: [], fallback: false };
  const start = () => Agent.start(checkAgentConfig(document, join(mount, 'c.yaml')), modules);
  await t.rejects(start(), { code: 'AGENT_LOCKED', message: /gate\.pins/ });
  unlock();
  const left = new Gate(kernel, { pins });
  const grant = { source: '10.0.3.0/24', destination: '10.0.9.17/32', port: 8443, protocol: 'tcp' } as const;
  left.maps.grants.put({ ...grant, id: '1'.repeat(64), expiresNs: 1n << 60n });
  left.close();
  const agent = await start();
  const beside = new Gate(kernel, { pins });
  t.same(
    beside.maps.grants.held(kernel.bootNs()),
    [],
    'without a ledger nothing is granted, whatever an earlier agent left',
  );
  beside.close();
  t.throws(() => lockPins(kernel, pins), { code: 'AGENT_LOCKED' });
  await agent.close();
  lockPins(kernel, pins)();
  t.throws(() => lockPins(kernel, join(mount, 'other')), { code: 'BPF_NO_PINS' });
});

t.test('no node answers: the gate is up, holds the lease that runs, and ends', { timeout: 60_000 }, async (t) => {
  const dir = folder(t);
  const [silent, rude] = [await badNode(t, true), await badNode(t, false)];
  await writeKeyFile(join(dir, 'keys.json'), [account], { passphrase: null });
  writeFileSync(join(dir, 'trust.txt'), formatTrust(sha256, sampleNetwork().trust));
  mkdirSync(join(dir, 'agent-state'));
  const grant = '1'.repeat(64);
  const effect = { host: 'web-3', source: '10.0.3.0/24', destination: '10.0.9.17/32', port: 8443, protocol: 'tcp' };
  const times = { expires: Date.now() + 3_600_000, leasedUntil: Date.now() + 3_600_000 };
  const routes = [{ grant, token: grant, effect, index: 0, ...times }];
  writeFileSync(
    join(dir, 'agent-state', 'routes.json'),
    JSON.stringify({ format: 'weft/routes/v1', closed: [], routes }),
  );
  const guarded = [{ port: 8443, protocol: 'tcp' }];
  const config = checkAgentConfig(
    {
      host: 'web-3',
      ledger: { account: 'keeper', keys: 'keys.json', trust: 'trust.txt', rpc: [silent.url, rude.url] },
      gate: { interfaces: ['nowhere0'], guarded, mode: 'enforce', failOpen: true },
      probes: [],
      fallback: false,
    },
    join(dir, 'c.yaml'),
  );
  const agent = await Agent.start(config, modules);
  const { gates, routes: counts } = agent.status();
  t.equal(counts.open, 1);
  if (skipUnless('gate') === false) {
    t.match(gates, [{ mode: 'enforce', guarded }]);
    agent.setMode('observe');
    await until(() => agent.status().events['gate.mode'] === 1);
    t.match(agent.status().gates, [{ mode: 'observe' }]);
  }
  await until(() => silent.calls() > 0 && rude.calls() > 0);
  await agent.close();
  t.match(readFileSync(join(dir, 'agent-state', 'routes.json'), 'utf8'), grant, 'nobody took it back');
});

t.test(
  'an agent that cannot start leaves its host guarded',
  { skip: skipUnless('gate') || skipWithoutNamespaces() },
  async (t) => {
    const mount = folder(t);
    run(`mount -t bpf bpf ${mount}`);
    const device = `weft-l${process.pid % 100_000}`;
    run(`ip link add ${device} type veth peer name ${device}p`);
    t.teardown(() => {
      run(`ip link del ${device}`);
      run(`umount ${mount}`);
    });
    const pins = join(mount, 'weft');
    const dir = folder(t);
    const document = {
      host: 'web-3',
      ledger: { account: 'keeper', keys: 'lost.json', trust: 'trust.txt', rpc: ['http://127.0.0.1:1'] },
      gate: { interfaces: [device], guarded: [{ port: 8443, protocol: 'tcp' }], mode: 'enforce', pins },
      probes: [],
      fallback: false,
    };
    await t.rejects(Agent.start(checkAgentConfig(document, join(dir, 'c.yaml')), modules), { code: /^(KEY|FILE)_/ });
    const gate = new Gate(await Kernel.open(), { pins, only: 'adopt' });
    t.same(gate.interfaces(), [{ interface: device, mode: 'native' }]);
    t.equal(gate.maps.settings().mode, 'enforce');
    gate.close();
  },
);

t.test('a node that is away is told of once, however often it is tried', async (t) => {
  const node = await badNode(t, false);
  const lost: string[] = [];
  const feed = new Feed([node.url], 'keeper', {
    intent: async () => undefined,
    changed: () => undefined,
    lost: (url) => lost.push(url),
  });
  t.teardown(() => feed.close());
  // Five subscriptions, each more than twice.
  await until(() => node.calls() > 15);
  t.same(lost, [node.url]);
});

t.test('alerts count what the kernel counted, and wait for no node at the end', async (t) => {
  const node = await badNode(t, true);
  const failures: unknown[] = [];
  let nowMs = 1_000_000;
  const alerts = new Alerts({
    chain: 'weft-x-0123456789ab',
    account: 'keeper',
    host: 'web-3',
    signers: [ed25519TransactionSigner(seed)],
    rpc: [node.url],
    drops: 20,
    everyMs: 60_000,
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    raised: () => t.fail('nobody took it'),
    failed: (error) => failures.push(error),
  });
  const drop: AgentEvent = { time: nowMs, host: 'web-3', kind: 'gate.drop', origin: 'kernel' };
  for (let i = 0; i < 100; i++) alerts.saw(JSON.stringify(drop));
  alerts.refused(0);
  alerts.refused(19);
  nowMs += 61_000;
  alerts.refused(19);
  await sleep(50);
  t.equal(node.calls(), 0, 'too few within a period, and events alone count nothing');
  alerts.refused(1);
  await until(() => node.calls() > 0);
  await alerts.close(10);
  t.match(failures, [{ code: 'RPC_UNREACHABLE' }]);
  t.equal(alerts.raised, 0);
});

t.test(
  'an alert that nobody took is offered again, whatever the clocks do; evidence is the line as it was written',
  async (t) => {
    const api = fakeNode();
    const bodies: { window: { from: number; to: number }; count: number; evidence: string[] }[] = [];
    let isAway = true;
    api.submit = async (text) => {
      if (isAway) throw new WeftError('ALERTS_FULL', 'no');
      const { payload } = JSON.parse(decodeUtf8(text)) as { payload: string };
      bodies.push((JSON.parse(String(Buffer.from(payload, 'base64'))) as { body: (typeof bodies)[number] }).body);
      throw new WeftError('ALERT_RATE', 'so many');
    };
    const server = await createRpcServer({ api, config: rpcConfig({ port: 0, requestsPerSecond: 0 }) });
    t.teardown(() => server.close());
    let [wallMs, monotonicMs] = [1_763_000_000_000, 0];
    const failures: unknown[] = [];
    const alerts = new Alerts({
      chain: 'weft-x-0123456789ab',
      account: 'keeper',
      host: 'web-3',
      signers: [ed25519TransactionSigner(seed)],
      rpc: [server.url],
      drops: 20,
      everyMs: 60_000,
      wallMs: () => wallMs,
      monotonicMs: () => monotonicMs,
      raised: () => t.fail('nobody took it'),
      failed: (error) => failures.push(error),
    });
    alerts.saw('{"a":1}');
    alerts.refused(30);
    await until(() => failures.length === 1);
    isAway = false;
    // Set back by a day: a period is a period all the same.
    wallMs -= 86_400_000;
    monotonicMs += 59_000;
    alerts.refused(0);
    await sleep(20);
    t.same(bodies, []);
    monotonicMs += 1_000;
    alerts.refused(0);
    await until(() => failures.length === 2);
    t.match(bodies, [{ count: 30, evidence: [sha256Hex(encodeUtf8('{"a":1}'))] }]);
    monotonicMs += 60_000;
    alerts.refused(2);
    await until(() => bodies.length === 2);
    t.match(
      bodies[1],
      { count: 32, window: { from: wallMs, to: wallMs + 86_400_000 } },
      'of a clock that was set back',
    );
    await alerts.close(10);
  },
);
