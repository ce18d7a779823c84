// Whatever takes a grant back shuts its route in the kernel: its end, a route.close, a cancellation, a suspended requester, a pause, a
// policy set that voids it. With traffic of every shape: TCP, UDP, jumbo frames, fragments, IPv6, and VLANs where the kernel has them.

import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Agent } from '../../src/agent/agent.ts';
import { Gate } from '../../src/agent/bpf/gate.ts';
import { Kernel } from '../../src/agent/bpf/kernel.ts';
import { removePins } from '../../src/agent/bpf/pins.ts';
import { checkAgentConfig } from '../../src/agent/config.ts';
import type { AgentEvent } from '../../src/agent/telemetry/event.ts';
import type { Sink } from '../../src/agent/telemetry/sink.ts';
import { proposeIntent } from '../../src/client/index.ts';
import { ipv4 } from '../agent/bpf/frames.ts';
import { Peer, run, skipWithoutNamespaces } from '../agent/bpf/peers.ts';
import { skipUnless } from '../agent/bpf/rights.ts';
import { weft } from '../cli/run.ts';
import { TestNetwork } from './network.ts';

const skip = skipUnless('gate') || skipWithoutNamespaces();
const [host, keeper, port] = ['gate-1', 'actuator-web-1', 8445] as const;
const here = { ipv4: '10.88.73.1', ipv6: 'fd88:73::1', vlan: '10.88.74.1' };
const there = { ipv4: '10.88.73.2', ipv6: 'fd88:73::2', vlan: '10.88.74.2' };
const device = `weft-s${process.pid % 100_000}`;
const space = `weft-shuts-${process.pid}`;
const [patienceMs, silenceMs, leaseMs] = [30_000, 500, 3000];

type Way = { readonly to: string; readonly protocol: 'tcp' | 'udp'; readonly bytes: number };

t.test('all that takes a grant back shuts its route in the kernel', { skip, timeout: 300_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-shuts-'));
  const mount = join(dir, 'bpf');
  mkdirSync(mount);
  run(`mount -t bpf bpf ${mount}`);
  run(`ip netns add ${space}`);
  run(`ip link add ${device} mtu 9000 type veth peer name weft0 netns ${space} mtu 9000`);
  const network = await TestNetwork.make({ validators: 4, name: 'weft-shuts' });
  const peers: Peer[] = [];
  let agent: Agent | undefined;
  t.teardown(async () => {
    for (const peer of peers) await peer.kill();
    await agent?.close();
    removePins(join(mount, 'weft'), 'gate');
    spawnSync('ip', ['link', 'del', device]);
    spawnSync('ip', ['netns', 'del', space]);
    spawnSync('umount', [mount]);
    await network.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const ends = [
    ['ip', device, here],
    [`ip -n ${space}`, 'weft0', there],
  ] as const;
  for (const [ip, end, of] of ends) {
    run(`${ip} addr add ${of.ipv4}/24 dev ${end}`);
    run(`${ip} addr add ${of.ipv6}/64 dev ${end} nodad`);
    run(`${ip} link set ${end} up`);
  }
  const hasVlans = ends.every(([ip, end, of]) => {
    const [program = '', ...args] = `${ip} link add link ${end} name ${end}.5 type vlan id 5`.split(' ');
    if (spawnSync(program, args, { stdio: 'ignore' }).status !== 0) return false;
    run(`${ip} addr add ${of.vlan}/24 dev ${end}.5`);
    run(`${ip} link set ${end}.5 up`);
    return true;
  });
  if (!hasVlans)
    t.comment('skipped: traffic over VLAN devices, which this kernel has not; tagged frames are put to the gate');
  network.startAll();
  await network.ready();
  const [server, caller] = [await Peer.start(), await Peer.start(space)];
  peers.push(server, caller);
  await server.ask('serve', port);

  const rpc = network.net.validators.map((each) => each.rpc);
  const client = network.client('v1');
  writeFileSync(join(dir, 'trust.txt'), (await client.call('chain.trust', {})).trust);
  const config = checkAgentConfig(
    {
      host,
      ledger: { account: keeper, keys: network.net.accounts.get(keeper), trust: 'trust.txt', rpc, leaseMs },
      gate: {
        interfaces: [device],
        guarded: [
          { port, protocol: 'tcp' },
          { port, protocol: 'udp' },
        ],
        mode: 'enforce',
        pins: join(mount, 'weft'),
      },
      probes: [],
      fallback: false,
      alerts: { drops: 0 },
    },
    join(dir, 'agent.json'),
  );
  const events: AgentEvent[] = [];
  const sink: Sink = {
    name: 'memory',
    write: async (lines) => void events.push(...lines.map((line) => JSON.parse(line) as AgentEvent)),
    close: async () => undefined,
  };
  agent = await Agent.start(config, { version: '0', passphrase: null, say: () => undefined, sinks: [sink] });
  t.same(agent.status().unavailable, []);
  const gate = new Gate(await Kernel.open(), { pins: join(mount, 'weft') });
  t.teardown(() => gate.close());

  const ways: readonly Way[] = [
    { to: here.ipv4, protocol: 'tcp', bytes: 100_000 },
    { to: here.ipv4, protocol: 'udp', bytes: 100 },
    { to: here.ipv4, protocol: 'udp', bytes: 8900 },
    { to: here.ipv4, protocol: 'udp', bytes: 20_000 },
    { to: here.ipv6, protocol: 'udp', bytes: 8900 },
    { to: here.ipv6, protocol: 'udp', bytes: 20_000 },
    ...(hasVlans ? [{ to: here.vlan, protocol: 'tcp', bytes: 100_000 } as const] : []),
  ];
  const routes = [
    { source: `${there.ipv4}/32`, destination: `${here.ipv4}/32`, protocol: 'tcp' },
    { source: `${there.ipv4}/32`, destination: `${here.ipv4}/32`, protocol: 'udp' },
    { source: `${there.ipv6}/128`, destination: `${here.ipv6}/128`, protocol: 'udp' },
    ...(hasVlans ? [{ source: `${there.vlan}/32`, destination: `${here.vlan}/32`, protocol: 'tcp' }] : []),
  ];
  /** In two tags, as a trunk would bring it. */
  const tagged = ipv4({
    source: there.ipv4,
    destination: here.ipv4,
    port,
    vlans: [
      [0x88a8, 6],
      [0x8100, 7],
    ],
  });
  const carries = async ({ to, protocol, bytes }: Way, ms: number): Promise<boolean> => {
    if (protocol === 'udp') return (await caller.ask('datagram', to, port, bytes, ms)) === true;
    const connection = await caller.ask('connect', to, port, ms);
    if (typeof connection !== 'number') return false;
    const came = await caller.ask('echo', connection, bytes, ms);
    await caller.ask('hangUp', connection);
    return came;
  };
  /** Milliseconds until every way is so. */
  const until = async (wanted: boolean): Promise<number> => {
    const since = performance.now();
    for (;;) {
      const found = await Promise.all(ways.map((way) => carries(way, wanted ? 2000 : silenceMs)));
      const frame = gate.test(tagged).action === 'pass';
      if ([...found, frame].every((each) => each === wanted)) return Math.round(performance.now() - since);
      if (performance.now() - since > patienceMs) throw new Error(`${found}, ${frame} (tagged), not all ${wanted}`);
      await sleep(20);
    }
  };
  const send = async (account: string, type: string, body: object) =>
    client.submitAndWait(await network.signed(account, type, body as never));
  const grantAll = (ttlMs: number): Promise<string[]> =>
    Promise.all(
      routes.map(async (route) => {
        const effect = { host, ...route, port };
        const { type, body } = proposeIntent({ action: 'route.open', effect, audience: keeper, ttlMs });
        const { id } = await send('router-prime', type, body);
        for (const approver of ['steward', 'warden']) await send(approver, 'intents.approve', { intent: id });
        return id;
      }),
    );
  const govern = async (change: object): Promise<void> => {
    const expires = Date.now() + 600_000;
    const { id } = await send('council', 'governance.propose', { change, notBefore: 0, expires });
    await send('council', 'governance.approve', { proposal: id });
  };
  const voidByPolicy = async (): Promise<void> => {
    const folder = join(dir, 'policy');
    cpSync(join(import.meta.dirname, '..', '..', 'genesis', 'policy'), folder, { recursive: true });
    appendFileSync(
      join(folder, 'default.cedar'),
      '\n@id("zz.none")\nforbid (principal, action == Action::"cache.clear", resource);\n',
    );
    const who = ['--home', network.dir, '--account', 'council', '--rpc', rpc[0] ?? ''];
    const proposed = await weft(['governance', 'propose', 'policy', '--dir', folder, '--json', ...who]);
    if (proposed.code !== 0) throw new Error(proposed.err);
    await send('council', 'governance.approve', {
      proposal: (JSON.parse(proposed.out) as { proposal: string }).proposal,
    });
  };
  type Cause = {
    readonly what: string;
    readonly reason: string;
    readonly ttlMs?: number;
    readonly happens: (grants: readonly string[]) => Promise<unknown>;
    readonly isUndone?: () => Promise<unknown>;
  };
  const account = 'router-prime';
  const causes: readonly Cause[] = [
    { what: 'its end', reason: 'EXPIRED', ttlMs: 9000, happens: async () => undefined },
    {
      what: 'a route.close',
      reason: 'CLOSED',
      happens: (grants) =>
        Promise.all(
          grants.map((grant) => {
            const effect = { host, grant };
            const { type, body } = proposeIntent({ action: 'route.close', effect, audience: keeper, ttlMs: 60_000 });
            return send(account, type, body);
          }),
        ),
    },
    {
      what: 'a cancellation',
      reason: 'STATUS_CANCELLED',
      happens: (grants) => Promise.all(grants.map((intent) => send(account, 'intents.cancel', { intent }))),
    },
    {
      what: 'a suspended requester',
      reason: 'STATUS_SUSPENDED',
      happens: () => send('council', 'identity.suspend', { account, reason: 'stolen' }),
      isUndone: () => send('council', 'identity.resume', { account, reason: 'found' }),
    },
    {
      what: 'a pause',
      reason: 'STATUS_PAUSED',
      happens: () => govern({ kind: 'pause', paused: true }),
      isUndone: () => govern({ kind: 'pause', paused: false }),
    },
    { what: 'a policy set that voids it', reason: 'STATUS_POLICY_SUPERSEDED', happens: voidByPolicy },
  ];
  await until(false);
  t.pass('nothing passes without a grant');
  for (const { what, reason, ttlMs = 120_000, happens, isUndone } of causes) {
    const grants = await grantAll(ttlMs);
    await until(true);
    const since = performance.now();
    await happens(grants);
    const tookMs = Math.round(performance.now() - since);
    t.comment(`${what}: shut ${await until(false)} ms after it was final (${tookMs} ms)`);
    const closed = (): string[] =>
      events.flatMap(({ kind, ledger, reason }) =>
        kind === 'grant.close' && grants.includes(ledger?.grant ?? '') ? [reason ?? ''] : [],
      );
    for (const deadline = performance.now() + patienceMs; closed().length < grants.length; await sleep(20))
      if (performance.now() > deadline) throw new Error(`${what}: ${closed()}`);
    t.same(
      closed(),
      grants.map(() => reason),
      what,
    );
    await isUndone?.();
    t.equal(agent.status().routes.open, 0);
  }
  // What was closed by something that passed does not come back with it.
  await sleep(leaseMs);
  await until(false);
});
