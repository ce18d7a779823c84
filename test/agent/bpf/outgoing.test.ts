import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { cgroupRoot } from '../../../src/agent/bpf/cgroup.ts';
import { bootNsAt } from '../../../src/agent/bpf/gate.ts';
import type { GateEvent } from '../../../src/agent/bpf/gateMaps.ts';
import type { Grant } from '../../../src/agent/bpf/grants.ts';
import { Kernel } from '../../../src/agent/bpf/kernel.ts';
import { OutgoingGate } from '../../../src/agent/bpf/outgoing.ts';
import { removePins } from '../../../src/agent/bpf/pins.ts';
import { Peer, run, skipWithoutNamespaces } from './peers.ts';
import { skipUnless } from './rights.ts';

const skip = skipUnless('outgoing') || skipWithoutNamespaces();
const port = 20_000 + (process.pid % 10_000);
const ms = 10_000;
const grant = (n: number, destination: string, more: Partial<Grant> = {}): Omit<Grant, 'expiresNs'> => ({
  id: n.toString(16).padStart(64, '0'),
  source: destination.includes(':') ? 'fd00::9' : '10.9.9.9',
  destination,
  port,
  protocol: 'any',
  ...more,
});

/** A process in a cgroup of its own, and a server that is in none of ours. */
async function withPeers(use: (client: Peer, cgroup: string) => Promise<void>): Promise<void> {
  const cgroup = join(cgroupRoot() ?? '', `weft-test-${process.pid}`);
  mkdirSync(cgroup);
  const [client, server] = await Promise.all([Peer.start(), Peer.start()]);
  try {
    writeFileSync(join(cgroup, 'cgroup.procs'), String(client.pid));
    await server.ask('serve', port);
    await use(client, cgroup);
  } finally {
    await Promise.all([client.kill(), server.kill()]);
    // The kernel needs a moment until the cgroup of a dead process is empty.
    for (let tries = 0; tries < 100; tries++)
      try {
        rmdirSync(cgroup);
        break;
      } catch {
        await sleep(20);
      }
  }
}

const answers = async (client: Peer, host: string): Promise<unknown[]> => {
  const tcp = await client.ask('connect', host, port, ms);
  return [typeof tcp === 'number' ? 'open' : tcp, await client.ask('datagram', host, port, 10, ms)];
};
const refused = ['EPERM', 'EPERM'];
const open = ['open', true];

t.test('processes of a cgroup reach guarded ports with a grant only', { skip }, async (t) => {
  const kernel = await Kernel.open();
  const gate = new OutgoingGate(kernel);
  t.teardown(() => gate.close());
  await withPeers(async (client, cgroup) => {
    gate.maps.guard([
      { port, protocol: 'tcp' },
      { port, protocol: 'udp' },
    ]);
    gate.maps.configure({ mode: 'enforce', eventsPerSecond: 0 });
    gate.attach(cgroup);
    const hosts = ['127.0.0.1', '::1'];
    for (const host of hosts) t.same(await answers(client, host), refused, `${host} without a grant`);
    t.same(await client.ask('connect', '::ffff:127.0.0.1', port, ms), 'EPERM', 'a mapped address is the same host');
    const told: GateEvent[] = [];
    gate.maps.drain((event) => told.push(event));
    t.match(told[0], {
      reason: 'no-grant',
      refused: true,
      pid: client.pid,
      uid: process.getuid?.(),
      destination: '127.0.0.1',
      destinationPort: port,
      protocol: 6,
    });
    t.ok((told[0]?.cgroup ?? 0n) > 0n && told[0]?.command !== '', 'who asked');

    const far = kernel.bootNs() + 600_000_000_000n;
    gate.maps.grants.reconcile([grant(1, '127.0.0.0/8'), grant(2, '::1')].map((each) => ({ ...each, expiresNs: far })));
    for (const host of hosts) t.same(await answers(client, host), open, `${host}, granted; the source plays no part`);
    t.type(await client.ask('connect', '::ffff:127.0.0.1', port, ms), 'number');

    const soon = bootNsAt(kernel, Date.now() + 50);
    gate.maps.grants.reconcile([{ ...grant(1, '127.0.0.1'), expiresNs: soon }]);
    while (kernel.bootNs() <= soon) await sleep(10);
    t.same(await answers(client, '127.0.0.1'), refused, 'over');
    gate.maps.configure({ mode: 'observe' });
    t.same(await answers(client, '127.0.0.1'), open, 'observed');
    t.ok(gate.maps.counters().observed >= 2n);
    gate.maps.configure({ mode: 'off' });
    t.same(await answers(client, '127.0.0.1'), open);
  });
});

t.test('other processes are asked nothing; pinned, it outlives who made it', { skip }, async (t) => {
  const kernel = await Kernel.open();
  const mount = mkdtempSync(join(tmpdir(), 'weft-bpf-'));
  run(`mount -t bpf bpf ${mount}`);
  t.teardown(() => {
    run(`umount ${mount}`);
    rmdirSync(mount);
  });
  const pins = join(mount, 'weft');
  await withPeers(async (client, cgroup) => {
    const free = await Peer.start();
    t.teardown(() => free.kill());
    let gate = new OutgoingGate(kernel, { pins });
    t.equal(gate.adopted, false);
    gate.maps.guard([{ port, protocol: 'tcp' }]);
    gate.maps.configure({ mode: 'enforce' });
    gate.attach(cgroup);
    gate.close();
    t.same(await answers(client, '127.0.0.1'), ['EPERM', true], 'the maker is gone, the gate is not');
    t.same(await answers(free, '127.0.0.1'), open, 'another cgroup');
    gate = new OutgoingGate(kernel, { pins });
    t.equal(gate.adopted, true);
    gate.attach(cgroup);
    t.equal(gate.maps.settings().mode, 'enforce');
    gate.maps.guard([]);
    t.same(await answers(client, '127.0.0.1'), open);
    gate.maps.guard([{ port, protocol: 'tcp' }]);
    gate.close();
    t.equal(removePins(pins, 'outgoing'), 4);
    // The kernel takes what nothing holds any more away in its own time.
    for (let tries = 0; tries < 200 && (await answers(client, '127.0.0.1'))[0] !== 'open'; tries++) await sleep(20);
    t.same(await answers(client, '127.0.0.1'), open, 'removed, it is off');
  });
});
