import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Agent, type AgentModules } from '../../src/agent/agent.ts';
import { cgroupRoot } from '../../src/agent/bpf/cgroup.ts';
import { Kernel } from '../../src/agent/bpf/kernel.ts';
import { checkAgentConfig, loadAgentConfig, pinsOf } from '../../src/agent/config.ts';
import { ProcWatch } from '../../src/agent/procWatch.ts';
import type { AgentEvent } from '../../src/agent/telemetry/event.ts';
import type { Sink } from '../../src/agent/telemetry/sink.ts';
import { run, skipWithoutNamespaces } from './bpf/peers.ts';
import { skipUnless } from './bpf/rights.ts';

function folder(t: { teardown(work: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-agent-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function memory(): { readonly sink: Sink; readonly events: AgentEvent[] } {
  const events: AgentEvent[] = [];
  return {
    events,
    sink: {
      name: 'memory',
      write: async (lines) => void events.push(...lines.map((line) => JSON.parse(line) as AgentEvent)),
      close: async () => undefined,
    },
  };
}

async function until(test: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; !(await test()); await sleep(20))
    if (performance.now() > deadline) throw new Error('it did not happen');
}

t.test('a configuration: defaults, paths, and what is wrong with it by name', async (t) => {
  const dir = folder(t);
  const path = join(dir, 'agent.yaml');
  writeFileSync(
    path,
    [
      'host: gate-1',
      'ledger: { account: keeper, keys: keys.json, trust: trust.txt, rpc: ["http://127.0.0.1:7611"] }',
      'gate: { interfaces: [eth0], guarded: [{ port: 443, protocol: tcp }] }',
      'telemetry: { file: { path: events.ndjson } }',
    ].join('\n'),
  );
  const config = loadAgentConfig(path);
  t.match(config, {
    state: join(dir, 'agent-state'),
    ledger: { keys: join(dir, 'keys.json'), leaseMs: 6000, maxStalenessMs: 10_000 },
    gate: { mode: 'observe', failOpen: false, pins: '/sys/fs/bpf/weft', never: [] },
    probes: ['exec', 'exit', 'tcp', 'bind', 'drops'],
    telemetry: { file: { path: join(dir, 'events.ndjson') }, perSecond: 200 },
    alerts: { drops: 20 },
  });
  const refused = (document: object, key: string, said: RegExp): void => {
    t.throws(() => checkAgentConfig(document, path), { code: 'CONFIG_INVALID', message: said, details: { key } });
  };
  const ledger = { account: 'a', keys: 'k', trust: 't', rpc: ['http://x'] };
  refused({}, '', /host/);
  refused({ host: 'gate-1', gates: {} }, '', /'gates'/);
  refused(
    { host: 'gate-1', gate: { interfaces: ['eth0'], guarded: [{ port: 0, protocol: 'tcp' }] } },
    'gate.guarded.0.port',
    /port/,
  );
  refused({ host: 'gate-1', ledger: { ...ledger, leaseMs: 20_000 } }, 'ledger.leaseMs', /outlive/);
  const guarded = [{ port: 443, protocol: 'tcp' }];
  refused(
    { host: 'gate-1', outgoing: { guarded, sources: ['10.0.0.1/24'] } },
    'outgoing.sources.0',
    /behind its prefix/,
  );
  const pinned = (document: object) => pinsOf(checkAgentConfig({ host: 'gate-1', ...document }, path));
  t.equal(pinned({}), undefined);
  t.equal(pinned({ outgoing: { guarded } }), '/sys/fs/bpf/weft', 'alone, it stays as well');
  t.equal(pinned({ outgoing: { guarded, failOpen: true } }), undefined);
  t.equal(pinned({ gate: { interfaces: ['eth0'], guarded, failOpen: true }, outgoing: { guarded } }), undefined);
  t.throws(() => loadAgentConfig(join(dir, 'none.yaml')), { code: 'CONFIG_UNREADABLE' });
  writeFileSync(path, 'host: [');
  t.throws(() => loadAgentConfig(path), { code: 'CONFIG_SYNTAX' });
});

const modules = (sink: Sink, said: string[] = []): AgentModules => ({
  version: '0',
  passphrase: null,
  say: (level, message) => void said.push(`${level} ${message}`),
  sinks: [sink],
});

t.test(
  'an agent without a ledger watches what begins, and says how it does',
  {
    skip: skipUnless('exec', 'exit'),
  },
  async (t) => {
    const { sink, events } = memory();
    const config = checkAgentConfig(
      { host: 'web-3', probes: ['exec', 'exit'], metrics: { port: 0 } },
      join(folder(t), 'c.yaml'),
    );
    const agent = await Agent.start(config, modules(sink));
    t.teardown(() => agent.close());
    const child = spawn('sh', ['-c', 'exit 3']);
    await once(child, 'exit');
    const mine = (kind: string) => events.find((event) => event.kind === kind && event.process?.pid === child.pid);
    await until(() => mine('process.exec') !== undefined && mine('process.exit') !== undefined);
    t.match(mine('process.exec'), {
      origin: 'kernel',
      host: 'web-3',
      process: { path: /sh$/ },
      parent: { pid: process.pid },
    });
    t.equal(mine('process.exit')?.code, 3 << 8);
    const mapBytes = /^weft_agent_map_bytes\{program="exec"\} (\d+)$/m;
    const seconds = /^weft_agent_program_seconds_total\{program="exec"\} ([\d.e-]+)$/m;
    const text = await (await fetch(`${agent.metricsUrl}/metrics`)).text();
    // Its ring alone is a mebibyte.
    t.ok(Number(mapBytes.exec(text)?.[1]) > 2 ** 20);
    // Time is counted while somebody holds this (BPF_ENABLE_STATS), or by sysctl.
    const { native } = await Kernel.open();
    const counting = native.bpf(32, Buffer.alloc(16));
    t.ok(counting > 0);
    await once(spawn('true'), 'exit');
    await until(async () => Number(seconds.exec(await (await fetch(`${agent.metricsUrl}/metrics`)).text())?.[1]) > 0);
    closeSync(counting);
    t.match(text, /^weft_agent_events_total\{kind="process.exec"\} [1-9]/m);
    t.match(text, /^weft_agent_program_events_total\{program="exec",fate="lost"\} 0$/m);
    t.match(await (await fetch(`${agent.metricsUrl}/status`)).json(), {
      host: 'web-3',
      unavailable: [],
      fallback: false,
    });
    t.match(await (await fetch(`${agent.metricsUrl}/metrics`)).text(), /^weft_agent_hints_dropped_total 0$/m);
    t.equal((await fetch(`${agent.metricsUrl}/other`)).status, 404);
  },
);

t.test(
  'an interface that is not there is told of by name, and leaves no other unguarded',
  { skip: skipUnless('gate') || skipWithoutNamespaces() },
  async (t) => {
    const device = `weft-i${process.pid % 100_000}`;
    run(`ip link add ${device} type veth peer name ${device}p`);
    t.teardown(() => run(`ip link del ${device}`));
    const guarded = [{ port: 8443, protocol: 'tcp' }];
    const gate = { interfaces: ['nowhere0', device, 'nowhere1'], guarded, failOpen: true };
    const config = checkAgentConfig({ host: 'web-3', gate, probes: [], fallback: false }, join(folder(t), 'c.yaml'));
    const agent = await Agent.start(config, modules(memory().sink));
    t.teardown(() => agent.close());
    t.match(agent.status(), {
      unavailable: [{ part: 'gate', why: /'nowhere0'.*'nowhere1'/ }],
      gates: [{ interfaces: [{ interface: device }] }],
    });
  },
);

t.test(
  'an interface, or a cgroup, that is made anew is guarded again, and that is told',
  { skip: skipUnless('gate', 'outgoing') || skipWithoutNamespaces() },
  async (t) => {
    const device = `weft-a${process.pid % 100_000}`;
    const cgroup = join(cgroupRoot() ?? '', `weft-anew-${process.pid}`);
    const cable = () => run(`ip link add ${device} type veth peer name ${device}p`);
    cable();
    mkdirSync(cgroup);
    t.teardown(() => {
      run(`ip link del ${device}`);
      rmdirSync(cgroup);
    });
    const { sink, events } = memory();
    const guarded = [{ port: 8443, protocol: 'tcp' }];
    const gate = { interfaces: [device], guarded, failOpen: true, mode: 'enforce' };
    const outgoing = { cgroup, guarded, mode: 'enforce' };
    const document = { host: 'web-3', gate, outgoing, probes: [], fallback: false, metrics: { port: 0 } };
    const agent = await Agent.start(checkAgentConfig(document, join(folder(t), 'c.yaml')), modules(sink));
    t.teardown(() => agent.close());
    t.match(agent.status().gates, [{ missing: [] }, { missing: [] }]);
    run(`ip link del ${device}`);
    rmdirSync(cgroup);
    t.match(agent.status().gates, [{ missing: [device] }, { missing: [cgroup] }]);
    const text = await (await fetch(`${agent.metricsUrl}/metrics`)).text();
    for (const name of ['in', 'out'])
      t.match(text, new RegExp(`^weft_agent_gate_enforces\\{gate="${name}"\\} 0$`, 'm'), 'it enforces nothing');
    await until(() => agent.status().unavailable.length === 2);
    cable();
    mkdirSync(cgroup);
    await until(() => agent.status().gates.every(({ missing }) => missing.length === 0));
    t.same(agent.status().unavailable, []);
    await until(() => events.filter(({ kind }) => kind === 'gate.attach').length === 2);
    // It is on: a connection from there is refused at once.
    const refused = spawn('bash', ['-c', `echo $$ > ${cgroup}/cgroup.procs && exec 3<>/dev/tcp/127.0.0.1/8443`]);
    let said = '';
    refused.stderr.on('data', (bytes) => {
      said += String(bytes);
    });
    await once(refused, 'close');
    t.match(said, /not permitted/);
  },
);

t.test(
  'a flood: the sidecar keeps its loop, its memory and its count',
  {
    skip: skipUnless('exec'),
    timeout: 60_000,
  },
  async (t) => {
    const { sink, events } = memory();
    const document = { host: 'web-3', probes: ['tcp'], telemetry: { kernelPerSecond: 0, perSecond: 50, burst: 50 } };
    const agent = await Agent.start(checkAgentConfig(document, join(folder(t), 'c.yaml')), modules(sink));
    t.teardown(() => agent.close());
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as { port: number };
    // Connections of another process: their states are events, several each.
    const flood = spawn(process.execPath, [
      '-e',
      `const net=require('node:net');let n=0;const go=()=>{if(n++<3000)net.connect(${port},'127.0.0.1').on('error',()=>0).on('close',go)};for(let i=0;i<20;i++)go()`,
    ]);
    await once(flood, 'exit');
    const { programs, limited } = agent.status();
    const seen = programs.find(({ name }) => name === 'tcp')?.seen ?? 0;
    t.ok(seen > 5000, `${seen} state changes`);
    await until(() => agent.status().programs.every(({ seen: all, lost }) => all - lost >= seen));
    await until(() => {
      const status = agent.status();
      const told = (status.events['net.tcp-state'] ?? 0) + status.limited;
      const [probe] = status.programs;
      return probe !== undefined && told + probe.lost >= seen;
    });
    t.ok(limited > 0 && events.length < seen / 2, 'most of it was held back, and counted');
  },
);

t.test('a gate that cannot be had is told of, and the rest goes on', async (t) => {
  const { sink } = memory();
  const said: string[] = [];
  const dir = folder(t);
  const guarded = [{ port: 8443, protocol: 'tcp' }];
  const gate = { interfaces: ['nowhere0'], guarded, mode: 'enforce', failOpen: true };
  const outgoing = { cgroup: '/nowhere', guarded, mode: 'enforce' };
  const document = { host: 'web-3', gate, outgoing, probes: [], metrics: { port: 0 } };
  const agent = await Agent.start(checkAgentConfig(document, join(dir, 'c.yaml')), modules(sink, said));
  t.match(agent.status().unavailable, [{ part: /gate|eBPF/ }]);
  const text = await (await fetch(`${agent.metricsUrl}/metrics`)).text();
  for (const name of ['in', 'out'])
    t.match(text, new RegExp(`^weft_agent_gate_enforces\\{gate="${name}"\\} 0$`, 'm'), 'also where none could be had');
  t.ok(
    said.some((line) => /unavailable/.test(line)),
    said.join('\n'),
  );
  await agent.close();
});

t.test(
  '/proc in the place of probes: what began and ended, and who is new to listen',
  {
    skip: process.platform === 'linux' ? false : 'skipped: no /proc',
  },
  async (t) => {
    const seen: AgentEvent[] = [];
    const watch = new ProcWatch({ host: 'h', everyMs: 60_000, wallMs: () => 1, seen: (event) => seen.push(event) });
    t.ok(await watch.look());
    t.same(seen, [], 'what is there already did not begin');
    const child = spawn('sleep', ['30']);
    await once(child, 'spawn');
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    await until(() => child.pid !== undefined);
    await sleep(50);
    await watch.look();
    const began = seen.find(({ kind, process: who }) => kind === 'process.exec' && who?.pid === child.pid);
    t.match(began, { origin: 'proc', process: { arguments: 'sleep 30' } });
    const { port } = server.address() as { port: number };
    t.match(
      seen.find(({ kind, flow }) => kind === 'net.bind' && flow?.sourcePort === port),
      { origin: 'proc', unknown: /process/ },
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    server.close();
    await watch.look();
    t.ok(seen.some(({ kind, process: who }) => kind === 'process.exit' && who?.pid === child.pid));
    const nowhere = join(folder(t), 'proc');
    mkdirSync(nowhere);
    const none = new ProcWatch({ host: 'h', everyMs: 1, wallMs: () => 1, seen: () => undefined, proc: nowhere });
    t.equal(await none.start(), false, 'no /proc, no events');
  },
);
