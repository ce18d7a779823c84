import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { cgroupRoot } from '../../../src/agent/bpf/cgroup.ts';
import { Attributor, containerOf } from '../../../src/agent/telemetry/attribution.ts';
import { type AgentEvent, gateEvent, probeEvent } from '../../../src/agent/telemetry/event.ts';
import { Limiter } from '../../../src/agent/telemetry/limiter.ts';
import { defaultRedaction, Redactor, redacted } from '../../../src/agent/telemetry/redact.ts';
import type { Sink } from '../../../src/agent/telemetry/sink.ts';
import { Telemetry } from '../../../src/agent/telemetry/telemetry.ts';

const context = { host: 'web-3', timeOf: (ns: bigint) => Number(ns / 1_000_000n) };

t.test('events of probes and gates become one kind of object', async (t) => {
  const who = { process: { pid: 7, command: 'curl' }, cgroup: '/a.service', unit: 'a.service' };
  const exec = { kind: 'exec', timeNs: 5_000_000n, pid: 7, uid: 0, cgroup: 1n, command: 'curl', path: '/usr/bin/curl' };
  t.same(probeEvent(exec as Parameters<typeof probeEvent>[0], who, context), {
    time: 5,
    host: 'web-3',
    kind: 'process.exec',
    origin: 'kernel',
    ...who,
  });
  const tcp = { ...exec, kind: 'tcp-state', protocol: 6, source: '10.0.0.1', sourcePort: 1, oldState: 2, newState: 1 };
  t.match(probeEvent(tcp as Parameters<typeof probeEvent>[0], who, context), {
    kind: 'net.tcp-state',
    flow: { protocol: 'tcp', source: '10.0.0.1', sourcePort: 1 },
    detail: 'syn-sent to established',
  });
  const packet = {
    timeNs: 9_000_000n,
    reason: 'expired',
    refused: true,
    family: 'ipv4',
    protocol: 17,
    source: '10.0.0.1',
    sourcePort: 5,
    destination: '10.0.0.2',
    destinationPort: 53,
    interfaceIndex: 2,
    length: 90,
    pid: 0,
    uid: 0,
    cgroup: 0n,
    command: '',
  } as const;
  const ledger = { grant: 'ab'.repeat(32), index: 12 };
  t.match(gateEvent(packet, { unknown: 'no process' }, context, { ledger, interface: 'eth0' }), {
    kind: 'gate.drop',
    ledger,
    reason: 'expired',
    flow: { protocol: 'udp', destinationPort: 53, interface: 'eth0', bytes: 90 },
  });
  const broken = gateEvent({ ...packet, reason: 'malformed', refused: false }, {}, context);
  t.equal(broken.kind, 'gate.observe');
  t.notOk('source' in (broken.flow ?? {}), 'of a malformed packet no address is believed');
});

const skip = process.platform === 'linux' ? false : 'skipped: no /proc';

t.test('who did it: this very process, its parent, its cgroup', { skip }, async (t) => {
  const attributor = new Attributor({ cgroups: cgroupRoot() });
  const found = attributor.of({ pid: process.pid, cgroup: 0n }, 0);
  t.equal(found.process?.pid, process.pid);
  t.match(found.process?.arguments, /telemetry\.test/);
  t.equal(found.parent?.pid, process.ppid);
  const path = /^0::(.*)$/mu.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  t.equal(found.cgroup, path);
  if (path === undefined) t.match(found.unknown, /cgroup/);
  t.match(attributor.of({ pid: 0, cgroup: 0n }, 0), { unknown: /kernel/ });

  const child = spawn('sleep', ['30']);
  await once(child, 'spawn');
  attributor.began({ pid: child.pid ?? 0, parent: process.pid, cgroup: 0n, command: 'sleep', path: '/usr/bin/sleep' });
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  const after = attributor.of({ pid: child.pid ?? 0, cgroup: 99n }, 0);
  t.match(after.process, { command: 'sleep', path: '/usr/bin/sleep' }, 'what its exec said is remembered');
  t.equal(after.parent?.pid, process.pid);
  t.match(after.unknown, /cgroup/, 'and what is not known is said');
  attributor.ended(child.pid ?? 0);
  t.equal(attributor.of({ pid: child.pid ?? 0, cgroup: 99n, command: 'x' }, 0).process?.path, undefined);
});

t.test('processes that are remembered are bounded', async (t) => {
  const attributor = new Attributor({ proc: '/nowhere', cgroups: undefined, processesMax: 10 });
  for (let pid = 1; pid <= 100; pid += 1) attributor.began({ pid, cgroup: 0n, command: `c${pid}` });
  t.equal(attributor.size, 10);
  t.equal(attributor.of({ pid: 100, cgroup: 0n }, 0).process?.command, 'c100');
});

t.test('containers and units by their cgroup', async (t) => {
  const id = 'a1'.repeat(32);
  t.same(containerOf(`/system.slice/docker-${id}.scope`), { container: id });
  t.same(containerOf(`/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope`), { container: id });
  t.same(containerOf(`/docker/${id}`), { container: id });
  t.same(containerOf('/system.slice/nginx.service'), { unit: 'nginx.service' });
  t.same(containerOf('/'), {});
});

t.test('a source that floods holds back its own events', async (t) => {
  const limiter = new Limiter({ perSecond: 10, burst: 5, sourcesMax: 2 });
  const passed = (source: string, atMs: number, times: number): number =>
    Array.from({ length: times }, () => limiter.take(source, atMs)).filter(Boolean).length;
  t.equal(passed('loud', 0, 100), 5);
  t.equal(passed('quiet', 0, 1), 1);
  t.equal(passed('loud', 1000, 100), 5, 'a second later: no more than a burst');
  t.equal(passed('loud', 1200, 100), 2);
  t.equal(limiter.limited, 95 + 95 + 98);
  t.same(limiter.collect(1), [{ source: 'loud', count: 288 }]);
  t.same(limiter.collect(1), [], 'told once');
  passed('loud', 1200, 3);
  passed('b', 1200, 1);
  passed('c', 1200, 1);
  t.same(limiter.collect(5), [{ source: 'others', count: 3 }], 'also of one that was forgotten meanwhile');
  t.ok(new Limiter({ perSecond: 0, burst: 0, sourcesMax: 1 }).take('x', 0));
});

t.test('what must not leave the host does not', async (t) => {
  const event: AgentEvent = {
    time: 1,
    host: 'h',
    kind: 'process.exec',
    origin: 'kernel',
    process: { pid: 1, uid: 1000, arguments: 'mysql --password=hunter2 --host db --token abc' },
    flow: { protocol: 'tcp', source: '10.1.2.3' },
  };
  const usual = new Redactor(defaultRedaction).apply(event);
  t.equal(usual.process?.arguments, `mysql --password=${redacted} --host db --token ${redacted}`);
  const hidden = (text: string): string | undefined =>
    new Redactor(defaultRedaction).apply({ ...event, process: { pid: 1, arguments: text } }).process?.arguments;
  t.equal(hidden('curl -H Authorization: Bearer abc.def x'), `curl -H Authorization: Bearer ${redacted} x`);
  t.equal(hidden('git clone https://me:hunter2@example.com/a'), `git clone https://me:${redacted}@example.com/a`);
  t.equal(hidden('curl https://example.com:8443/@me'), 'curl https://example.com:8443/@me');
  const strict = new Redactor([
    { member: 'arguments' },
    { member: 'uid' },
    { member: 'source', pattern: '\\d+$' },
    { member: 'path', kinds: ['gate.'] },
  ]).apply(event);
  t.same(strict.process, { pid: 1, arguments: redacted });
  t.equal(strict.flow?.source, `10.1.2.${redacted}`);
  const route = { ...event, detail: '10.1.2.3 may reach it', kind: 'grant.open' as const };
  t.equal(new Redactor([{ member: 'source' }]).apply(route).detail, `${redacted} may reach it`, 'nor by way of words');
  t.throws(() => new Redactor([{ member: 'arguments', pattern: '(' }]), { code: 'REDACTION_RULE' });
  t.throws(() => new Redactor([{ member: 'host' as 'path' }]), { code: 'REDACTION_RULE' });
});

t.test('what was held back is told of without what must not leave', async (t) => {
  const lines: string[] = [];
  const telemetry = new Telemetry({
    host: 'h',
    sinks: [{ name: 'memory', write: async (batch) => void lines.push(...batch), close: async () => undefined }],
    redaction: [{ member: 'source', kinds: ['gate.'], pattern: '\\d+$' }],
    limits: { perSecond: 1, burst: 1, sourcesMax: 10 },
    reportEveryMs: 60_000,
    wallMs: () => 1,
    monotonicMs: () => 1,
    failed: () => undefined,
  });
  for (const source of ['10.1.2.3', '10.1.2.3']) telemetry.holds('gate.drop', source);
  for (const source of ['77', '77']) telemetry.holds('process.exec', source);
  await telemetry.close();
  t.same(
    lines.map((line) => (JSON.parse(line) as AgentEvent).detail).sort(),
    [`gate.drop 10.1.2.${redacted}`, 'process.exec 77'].sort(),
  );
});

t.test('what is limited or lost is told of, once, and counted', async (t) => {
  const lines: AgentEvent[] = [];
  const sink: Sink = {
    name: 'memory',
    write: async (batch) => void lines.push(...batch.map((each) => JSON.parse(each) as AgentEvent)),
    close: async () => undefined,
  };
  let nowMs = 0;
  const telemetry = new Telemetry({
    host: 'h',
    sinks: [sink],
    redaction: defaultRedaction,
    limits: { perSecond: 1, burst: 2, sourcesMax: 10 },
    reportEveryMs: 60_000,
    wallMs: () => 1000 + nowMs,
    monotonicMs: () => nowMs,
    failed: () => undefined,
  });
  for (let i = 0; i < 5; i += 1) {
    nowMs += 1;
    if (telemetry.holds('process.exec', 'cgroup 7')) continue;
    telemetry.emit({ time: nowMs, host: 'h', kind: 'process.exec', origin: 'kernel' });
  }
  telemetry.lost('exec', 12, 'ring');
  await telemetry.close();
  t.same(
    lines.map(({ kind, reason, detail, count }) => ({ kind, reason, detail, count })),
    [
      { kind: 'process.exec', reason: undefined, detail: undefined, count: undefined },
      { kind: 'process.exec', reason: undefined, detail: undefined, count: undefined },
      { kind: 'telemetry.loss', reason: 'ring', detail: 'exec', count: 12 },
      { kind: 'telemetry.loss', reason: 'limited', detail: 'process.exec cgroup 7', count: 3 },
    ],
  );
  t.equal(telemetry.counters().limited, 3);
  t.equal(telemetry.counters().sinks[0]?.written, 4);
});
