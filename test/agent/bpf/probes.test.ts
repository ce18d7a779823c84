import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Kernel } from '../../../src/agent/bpf/kernel.ts';
import type { ProbeEvent } from '../../../src/agent/bpf/probeEvent.ts';
import { detectAbilities, Probe, type ProbeName, probeCatalogue } from '../../../src/agent/bpf/probes.ts';
import { skipUnless } from './rights.ts';

/** The probe sees the whole machine; the test asks for its own events only. */
async function seen(probe: Probe, wanted: (event: ProbeEvent) => boolean): Promise<ProbeEvent> {
  for (let tries = 0; tries < 200; tries++) {
    const found: ProbeEvent[] = [];
    probe.drain((event) => {
      if (wanted(event)) found.push(event);
    });
    if (found[0] !== undefined) return found[0];
    await sleep(20);
  }
  throw new Error('the event did not come');
}

async function withProbe(name: ProbeName, use: (probe: Probe) => Promise<void>): Promise<void> {
  const probe = new Probe(await Kernel.open(), name, { eventsPerSecond: 0 });
  try {
    await use(probe);
  } finally {
    probe.close();
  }
}

t.test('each part is tried, and says why when it does not work', async (t) => {
  const abilities = await detectAbilities();
  t.same(
    abilities.map(({ name }) => name),
    ['gate', 'outgoing', ...probeCatalogue.map(({ name }) => name)],
  );
  for (const { name, works, why } of abilities) t.equal(works, why === undefined, `${name}: ${why ?? 'works'}`);
});

t.test('without rights the table says which are missing', async (t) => {
  if (process.getuid?.() !== 0) return void t.comment('skipped: needs root to give up rights');
  const { stdout, status } = spawnSync(
    'setpriv',
    [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      'src/cli/main.ts',
      'agent',
      'probe',
      '--json',
    ],
    { cwd: `${import.meta.dirname}/../../..`, encoding: 'utf8' },
  );
  if (status === null) return void t.comment('skipped: setpriv is not here');
  const { abilities } = JSON.parse(stdout) as { abilities: { works: boolean; why: string }[] };
  t.ok(abilities.length > 5);
  for (const { works, why } of abilities) {
    t.equal(works, false);
    t.match(why, /lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN/);
  }
});

t.test('exec: file, process, parent', { skip: skipUnless('exec') }, async (t) => {
  await withProbe('exec', async (probe) => {
    execFileSync('/usr/bin/env', ['true']);
    const event = await seen(probe, ({ path, parent }) => path === '/usr/bin/env' && parent === process.pid);
    t.equal(event.kind, 'exec');
    t.ok(event.startNs !== undefined && event.startNs > 0n && event.startNs <= event.timeNs);
    t.ok(event.cgroup > 0n, 'its cgroup');
    t.equal(event.uid, process.getuid?.());
    t.ok(probe.counters().seen > 0n);
  });
});

t.test('exit: code and parent', { skip: skipUnless('exit') }, async (t) => {
  await withProbe('exit', async (probe) => {
    const { pid } = spawnSync('/bin/sh', ['-c', 'exit 7']);
    const event = await seen(probe, (event) => event.pid === pid);
    t.equal(event.code, 7 << 8);
    t.equal(event.parent, process.pid);
    t.equal(event.command, 'sh');
  });
});

t.test('tcp and bind: who listens, who connects, in both families', { skip: skipUnless('tcp', 'bind') }, async (t) => {
  for (const host of ['127.0.0.1', '::1']) {
    await withProbe('bind', (bind) =>
      withProbe('tcp', async (tcp) => {
        const server = createServer((socket) => socket.end()).listen(0, host);
        await once(server, 'listening');
        const { port } = server.address() as { port: number };
        const socket = connect(port, host).resume();
        await once(socket, 'close');
        server.close();
        const bound = await seen(bind, ({ sourcePort, pid }) => sourcePort === port && pid === process.pid);
        t.same([bound.kind, bound.source, bound.protocol], ['bind', host, 6]);
        const opened = await seen(tcp, ({ destinationPort, newState }) => destinationPort === port && newState === 2);
        t.same([opened.destination, opened.pid, opened.oldState], [host, process.pid, 7]);
        t.equal(opened.command, bound.command);
      }),
    );
  }
});

t.test('a limit counts what it leaves out', { skip: skipUnless('exec') }, async (t) => {
  const probe = new Probe(await Kernel.open(), 'exec', { eventsPerSecond: 1 });
  for (let i = 0; i < 20; i++) execFileSync('/bin/true');
  let events = 0;
  probe.drain(() => {
    events += 1;
  });
  const { seen, limited, lost } = probe.counters();
  probe.close();
  t.ok(limited > 0n);
  t.equal(seen, BigInt(events) + limited + lost, 'nothing gets lost uncounted');
  probe.close();
  t.throws(() => probe.drain(() => undefined), { code: 'BPF_CLOSED' });
});

t.test('drops: a packet for a closed port is counted under some reason', { skip: skipUnless('drops') }, async (t) => {
  await withProbe('drops', async (probe) => {
    const before = probe.counters().seen;
    const socket = connect(1, '127.0.0.1');
    await once(socket, 'error');
    t.ok(probe.counters().seen > before);
    t.ok([...probe.dropReasons().values()].some((count) => count > 0n));
  });
});

t.test('exec-check: a program before the kernel agrees', { skip: skipUnless('exec-check') }, async (t) => {
  await withProbe('exec-check', async (probe) => {
    execFileSync('/usr/bin/env', ['true']);
    const event = await seen(probe, ({ path }) => path === '/usr/bin/env');
    t.equal(event.kind, 'exec-check');
    t.ok(event.pid > 0 && event.pid !== process.pid);
  });
});

t.test('bpf-calls: who speaks to BPF', { skip: skipUnless('bpf-calls') }, async (t) => {
  await withProbe('bpf-calls', async (probe) => {
    new Probe(await Kernel.open(), 'exit').close();
    const event = await seen(probe, ({ code }) => code === 5); // BPF_PROG_LOAD
    t.same([event.kind, event.pid], ['bpf-call', process.pid]);
  });
});

t.test('udp: datagrams by process', { skip: skipUnless('udp') }, async (t) => {
  await withProbe('udp', async (probe) => {
    for (const [kind, host] of [
      ['udp4', '127.0.0.1'],
      ['udp6', '::1'],
    ] as const) {
      const socket = createSocket(kind);
      socket.send(Buffer.alloc(321), 9, host);
      const event = await seen(probe, ({ pid, bytes }) => pid === process.pid && bytes === 321n);
      t.same([event.kind, event.protocol], ['udp-send', 17]);
      t.equal(event.sourcePort, socket.address().port);
      socket.close();
    }
  });
});
