import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { Grant } from '../../src/agent/bpf/grants.ts';
import { ipv4 } from '../agent/bpf/frames.ts';
import { Cable, Peer, run, skipWithoutNamespaces } from '../agent/bpf/peers.ts';
import { skipUnless } from '../agent/bpf/rights.ts';

const skip = skipUnless('gate') || skipWithoutNamespaces();
const port = 8080;
const guard = [
  { port, protocol: 'tcp' },
  { port, protocol: 'udp' },
] as const;
/** How long a packet that must not come is waited for; nothing is concluded from one that comes later. */
const silenceMs = 400;
const patienceMs = 15_000;

type Way = { readonly name: string; readonly host: string; readonly bytes?: number };
const allWays: readonly Way[] = [
  { name: 'TCP, IPv4', host: '10.77.0.2' },
  { name: 'TCP, IPv6', host: 'fd77:0::2' },
  { name: 'TCP, VLAN', host: '10.77.5.2' },
  { name: 'TCP, VLAN, IPv6', host: 'fd77:5::2' },
  { name: 'TCP, QinQ', host: '10.77.7.2' },
  { name: 'UDP, IPv4', host: '10.77.0.2', bytes: 100 },
  { name: 'UDP, IPv6', host: 'fd77:0::2', bytes: 100 },
  { name: 'UDP, VLAN', host: '10.77.5.2', bytes: 100 },
  { name: 'UDP, QinQ, IPv6', host: 'fd77:7::2', bytes: 100 },
  { name: 'UDP, a jumbo frame', host: '10.77.0.2', bytes: 8900 },
  { name: 'UDP, a jumbo frame, IPv6', host: 'fd77:0::2', bytes: 8900 },
  { name: 'UDP, fragments', host: '10.77.0.2', bytes: 20_000 },
  { name: 'UDP, fragments, IPv6', host: 'fd77:0::2', bytes: 20_000 },
  { name: 'UDP, fragments, VLAN', host: '10.77.5.2', bytes: 20_000 },
];

const grant = (n: number, source: string, destination: string): Omit<Grant, 'expiresNs'> => ({
  id: n.toString(16).padStart(64, '0'),
  source,
  destination,
  port,
  protocol: 'any',
});
/** For every way: some for hosts, some for prefixes. */
const all = [
  grant(1, '10.77.0.1', '10.77.0.2'),
  grant(2, 'fd77::1', 'fd77::2'),
  grant(3, '10.77.0.0/16', '10.77.5.0/24'),
  grant(4, 'fd77::/16', 'fd77:5::2/128'),
  grant(5, '0.0.0.0/0', '10.77.7.2/32'),
  grant(6, '::/0', 'fd77:7::2'),
];

/** Ways that carry something, tried side by side; patiently where it is expected. */
async function open(client: Peer, ways: readonly Way[], expected: readonly string[]): Promise<string[]> {
  const tried = await Promise.all(
    ways.map(async ({ name, host, bytes }) => {
      const ms = expected.includes(name) ? patienceMs : silenceMs;
      if (bytes !== undefined) return (await client.ask('datagram', host, port, bytes, ms)) === true ? [name] : [];
      const connection = await client.ask('connect', host, port, ms);
      // Enough bytes for several segments, whatever the driver makes of them.
      if (typeof connection !== 'number') return [];
      const came = await client.ask('echo', connection, 200_000, ms);
      await client.ask('hangUp', connection);
      return came ? [name] : [];
    }),
  );
  return tried.flat();
}

t.test('real traffic between two namespaces', { skip, timeout: 600_000 }, async (t) => {
  const cable = new Cable();
  const ways = allWays.filter(({ host }) => cable.noVlans === undefined || /^(10.77.0|fd77:0:)/.test(host));
  if (cable.noVlans !== undefined) t.comment(`skipped: traffic over VLANs: ${cable.noVlans}`);
  const every = ways.map(({ name }) => name);
  const mount = mkdtempSync(join(tmpdir(), 'weft-bpf-'));
  run(`mount -t bpf bpf ${mount}`);
  const pins = join(mount, 'weft');
  const peers: Peer[] = [];
  const start = async (namespace: string): Promise<Peer> => {
    const peer = await Peer.start(namespace);
    peers.push(peer);
    return peer;
  };
  t.teardown(async () => {
    for (const peer of peers) await peer.kill();
    cable.remove();
    run(`umount ${mount}`);
    rmdirSync(mount);
  });
  const client = await start(cable.left);
  const server = await start(cable.right);
  await server.ask('serve', port);
  await server.ask('serve', 9090);
  t.same(await open(client, ways, every), every, 'everything passes without a gate');

  const none: string[] = [];
  for (const mode of ['native', 'generic'] as const) {
    const gate = await start(cable.right);
    t.same(await gate.ask('openGate', undefined), { adopted: false, interfaces: [] });
    await gate.ask('set', 'enforce', guard);
    t.same(await gate.ask('attach', cable.interface, mode), { interface: cable.interface, mode });

    t.same(await open(client, ways, none), none, `${mode}: nothing without a grant`);
    t.equal(await client.ask('datagram', '10.77.0.2', 9090, 100, patienceMs), true, `${mode}: other ports are open`);
    const { refused = 0n, noGrant } = await gate.ask('counters');
    t.ok(refused >= BigInt(ways.length) && refused === noGrant, `${mode}: each counted`);
    const told = await gate.ask('events');
    t.ok(
      ['10.77.0.2', 'fd77::2'].every((host) =>
        told.some(({ destination, refused, reason }) => destination === host && refused && reason === 'no-grant'),
      ),
      `${mode}: each reported`,
    );

    await gate.ask('reconcile', all, 600_000);
    t.same(await open(client, ways, every), every, `${mode}: everything with its grant`);
    const connection = await client.ask('connect', '10.77.0.2', port, patienceMs);
    if (typeof connection !== 'number') throw new Error('not connected');
    t.ok(await client.ask('echo', connection, 10, patienceMs));

    const tagged = {
      source: '10.77.5.1',
      destination: '10.77.5.2',
      vlans: [
        [0x88a8, 6],
        [0x8100, 7],
      ],
    } as const;
    const before = (await gate.ask('counters'))['granted'] ?? 0n;
    if (!cable.sendRaw(ipv4(tagged), 50)) t.comment('skipped: tagged frames: python3 is not here');
    else {
      t.ok(cable.sendRaw(ipv4({ ...tagged, destination: '10.77.4.2' }), 50));
      const { granted, noGrant } = await gate.ask('counters');
      t.equal(granted, before + 50n, `${mode}: the gate reads behind the tags of frames on a wire`);
      t.equal(noGrant, refused + 50n, `${mode}: and refuses there`);
    }

    await gate.ask('reconcile', all, 50);
    await sleep(60);
    t.same(await open(client, ways, none), none, `${mode}: nothing once they are over, with nobody taking them out`);
    t.notOk(await client.ask('echo', connection, 10, silenceMs), `${mode}: nor on a connection from before`);
    t.ok(((await gate.ask('counters'))['expired'] ?? 0n) > 0n);
    await gate.ask('reconcile', all, 600_000);
    t.ok(await client.ask('echo', connection, 1, patienceMs), `${mode}: it goes on with a new grant`);
    await client.ask('hangUp', connection);

    await gate.ask('reconcile', [], 0);
    await gate.ask('events');
    await gate.ask('set', 'observe', guard);
    t.same(await open(client, ways, every), every, `${mode}: observing refuses nothing`);
    const observed = await gate.ask('events');
    t.ok(observed.length > 0 && observed.every((event) => !event.refused), `${mode}: and reports`);
    await gate.ask('set', 'enforce', guard);
    t.same(await open(client, ways, none), none, `${mode}: switched while it runs`);

    await gate.kill();
    t.same(await open(client, ways, every), every, `${mode}: without pins it fails open when its process is killed`);
  }

  let gate = await start(cable.right);
  await gate.ask('openGate', pins);
  await gate.ask('reconcile', all.slice(0, 1), 600_000);
  await gate.ask('set', 'enforce', guard);
  await gate.ask('attach', cable.interface, undefined);
  const some = ['TCP, IPv4', 'UDP, IPv4', 'UDP, a jumbo frame', 'UDP, fragments'];
  await gate.kill();
  t.same(await open(client, ways, some), some, 'pinned, it outlives its process, grants and all');

  gate = await start(cable.right);
  t.same(await gate.ask('openGate', pins), {
    adopted: true,
    interfaces: [{ interface: cable.interface, mode: 'native' }],
  });
  t.match(await gate.ask('reconcile', [all[1] ?? grant(0, '', '')], 600_000), { added: 2, removed: 2 });
  const others = ['TCP, IPv6', 'UDP, IPv6', 'UDP, a jumbo frame, IPv6', 'UDP, fragments, IPv6'];
  t.same(await open(client, ways, others), others, 'adopted, it lets through what it is told now');
  await gate.ask('reconcile', all, 100);
  await gate.kill();
  await sleep(110);
  t.same(await open(client, ways, none), none, 'grants end in the kernel when nobody is left to end them');

  // Another build: its pins lie in another folder.
  const [build = ''] = readdirSync(join(pins, 'gate'));
  renameSync(join(pins, 'gate', build), join(pins, 'gate', '0123456789abcdef'));
  gate = await start(cable.right);
  t.same(await gate.ask('openGate', pins), { adopted: false, interfaces: [] });
  await gate.ask('reconcile', all, 600_000);
  t.same(await open(client, ways, none), none, 'the old build holds until the new one takes over');
  await gate.ask('set', 'enforce', guard);
  t.same(await gate.ask('attach', cable.interface, undefined), { interface: cable.interface, mode: 'native' });
  t.same(await open(client, ways, every), every, 'then the new one decides');
  t.same(readdirSync(join(pins, 'gate')), [build], 'and the old one is gone');
  await gate.ask('reconcile', [], 0);
  await gate.ask('closeGate');
  t.same(await open(client, ways, none), none, 'closed, it goes on');
  const release = ['src/cli/main.ts', 'agent', 'release', '--pins', pins, '--json'];
  const released = execFileSync(process.execPath, release, {
    cwd: join(import.meta.dirname, '..', '..'),
    encoding: 'utf8',
  });
  t.same(JSON.parse(released), { released: { gate: 1, outgoing: 0 } });
  t.same(await open(client, ways, every), every, 'removed, it is off');
});
