// TCP and UDP, IPv4 and IPv6, in and out: what the ledger grants passes both gates of a host, and nothing once it is taken back.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Agent } from '../../src/agent/agent.ts';
import { cgroupRoot } from '../../src/agent/bpf/cgroup.ts';
import { checkAgentConfig } from '../../src/agent/config.ts';
import { proposeIntent } from '../../src/client/index.ts';
import { Peer, run, skipWithoutNamespaces } from '../agent/bpf/peers.ts';
import { skipUnless } from '../agent/bpf/rights.ts';
import { TestNetwork } from './network.ts';

const skip = skipUnless('gate', 'outgoing') || skipWithoutNamespaces();
const [host, keeper, port] = ['gate-1', 'actuator-web-1', 8444] as const;
const here = { ipv4: '10.88.72.1', ipv6: 'fd88:72::1' };
const there = { ipv4: '10.88.72.2', ipv6: 'fd88:72::2' };
const device = `weft-f${process.pid % 100_000}`;
const space = `weft-families-${process.pid}`;
const [patienceMs, silenceMs] = [30_000, 500];

t.test('both families, both protocols, both directions', { skip, timeout: 200_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-families-'));
  const cgroup = join(cgroupRoot() ?? '', `weft-families-${process.pid}`);
  mkdirSync(cgroup);
  run(`ip netns add ${space}`);
  run(`ip link add ${device} type veth peer name weft0 netns ${space}`);
  for (const [ip, end, of] of [
    ['ip', device, here],
    [`ip -n ${space}`, 'weft0', there],
  ] as const) {
    run(`${ip} addr add ${of.ipv4}/24 dev ${end}`);
    run(`${ip} addr add ${of.ipv6}/64 dev ${end} nodad`);
    run(`${ip} link set ${end} up`);
  }
  const network = await TestNetwork.make({ validators: 4, name: 'weft-families' });
  const peers: Peer[] = [];
  let agent: Agent | undefined;
  t.teardown(async () => {
    for (const peer of peers) await peer.kill();
    await agent?.close();
    spawnSync('ip', ['link', 'del', device]);
    spawnSync('ip', ['netns', 'del', space]);
    await network.remove();
    rmSync(dir, { recursive: true, force: true });
    rmdirSync(cgroup);
  });
  network.startAll();
  await network.ready();
  const [local, remote, caller, inCgroup] = [
    await Peer.start(),
    await Peer.start(space),
    await Peer.start(space),
    await Peer.start(),
  ] as const;
  peers.push(local, remote, caller, inCgroup);
  writeFileSync(join(cgroup, 'cgroup.procs'), String(inCgroup.pid));
  for (const server of [local, remote]) await server.ask('serve', port);

  const rpc = network.net.validators.map((each) => each.rpc);
  const client = network.client('v1');
  writeFileSync(join(dir, 'trust.txt'), (await client.call('chain.trust', {})).trust);
  const guarded = [
    { port, protocol: 'tcp' },
    { port, protocol: 'udp' },
  ];
  const config = checkAgentConfig(
    {
      host,
      ledger: { account: keeper, keys: network.net.accounts.get(keeper), trust: 'trust.txt', rpc, leaseMs: 3000 },
      gate: { interfaces: [device], guarded, mode: 'enforce', failOpen: true },
      outgoing: { cgroup, guarded, mode: 'enforce' },
      probes: [],
      fallback: false,
      alerts: { drops: 0 },
    },
    join(dir, 'agent.json'),
  );
  agent = await Agent.start(config, { version: '0', passphrase: null, say: () => undefined });
  t.same(agent.status().unavailable, []);

  const ways = [
    { from: caller, source: `${there.ipv4}/32`, to: here.ipv4, bits: 32 },
    { from: caller, source: `${there.ipv6}/128`, to: here.ipv6, bits: 128 },
    { from: inCgroup, source: `${here.ipv4}/32`, to: there.ipv4, bits: 32 },
    { from: inCgroup, source: `${here.ipv6}/128`, to: there.ipv6, bits: 128 },
  ];
  const passes = async (way: (typeof ways)[number], ms: number): Promise<readonly [boolean, boolean]> => {
    const tcp = await way.from.ask('connect', way.to, port, ms);
    if (typeof tcp === 'number') await way.from.ask('hangUp', tcp);
    return [typeof tcp === 'number', (await way.from.ask('datagram', way.to, port, 10, ms)) === true];
  };
  const until = async (way: (typeof ways)[number], wanted: boolean): Promise<void> => {
    for (const deadline = performance.now() + patienceMs; ; await sleep(50)) {
      const found = await passes(way, wanted ? 2000 : silenceMs);
      if (found.every((each) => each === wanted)) return;
      if (performance.now() > deadline) throw new Error(`${way.to} is ${found} (tcp, udp), not ${wanted}`);
    }
  };
  const send = async (account: string, type: string, body: object) =>
    client.submitAndWait(await network.signed(account, type, body as never));

  for (const way of ways) t.same(await passes(way, silenceMs), [false, false], `nothing reaches ${way.to}`);
  // The default policy grants one protocol at a time.
  const wanted = ways.flatMap((way) => ['tcp', 'udp'].map((protocol) => ({ ...way, protocol })));
  const intents = await Promise.all(
    wanted.map(async ({ source, to, bits, protocol }) => {
      const effect = { host, source, destination: `${to}/${bits}`, port, protocol };
      const { type, body } = proposeIntent({ action: 'route.open', effect, audience: keeper, ttlMs: 120_000 });
      const { id } = await send('router-prime', type, body);
      for (const approver of ['steward', 'warden']) await send(approver, 'intents.approve', { intent: id });
      return id;
    }),
  );
  for (const way of ways) await until(way, true);
  t.pass('tcp and udp reach what was granted');
  await Promise.all(intents.map((intent) => send('router-prime', 'intents.cancel', { intent })));
  for (const way of ways) await until(way, false);
  t.equal(agent.status().routes.open, 0);
});
