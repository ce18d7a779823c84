// A host with its agent, a network of four validators, and somebody in another namespace who wants in: nothing passes that the ledger
// did not grant, and what it takes back is closed in the kernel, also when the agent is dead.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { AgentEvent } from '../../src/agent/telemetry/event.ts';
import { proposeIntent } from '../../src/client/index.ts';
import { Peer, run, skipWithoutNamespaces } from '../agent/bpf/peers.ts';
import { skipUnless } from '../agent/bpf/rights.ts';
import { TestNetwork } from './network.ts';

const skip = skipUnless('gate') || skipWithoutNamespaces();
const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const port = 8443;
const [here, there] = ['10.88.71.1', '10.88.71.2'];
const device = `weft-a${process.pid % 100_000}`;
const space = `weft-agent-${process.pid}`;
const patienceMs = 30_000;
const silenceMs = 700;
const leaseMs = 3000;

t.test('traffic under grants of the ledger', { skip, timeout: 300_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-agent-'));
  const mount = join(dir, 'bpf');
  run(`mkdir ${mount}`);
  run(`mount -t bpf bpf ${mount}`);
  run(`ip netns add ${space}`);
  run(`ip link add ${device} type veth peer name weft0 netns ${space}`);
  run(`ip addr add ${here}/24 dev ${device}`);
  run(`ip link set ${device} up`);
  for (const line of [`addr add ${there}/24 dev weft0`, 'link set weft0 up', 'link set lo up'])
    run(`ip -n ${space} ${line}`);
  const network = await TestNetwork.make({ validators: 4, name: 'weft-agent' });
  const peers: Peer[] = [];
  let agent: ChildProcess | undefined;
  t.teardown(async () => {
    agent?.kill('SIGKILL');
    for (const peer of peers) await peer.kill();
    spawnSync(process.execPath, [main, 'agent', 'release', '--pins', join(mount, 'weft')]);
    spawnSync('ip', ['link', 'del', device]);
    spawnSync('ip', ['netns', 'del', space]);
    spawnSync('umount', [mount]);
    await network.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  network.startAll();
  await network.ready();
  const [server, client] = [await Peer.start(), await Peer.start(space)];
  peers.push(server, client);
  await server.ask('serve', port);

  const rpc = network.net.validators.map((each) => each.rpc);
  const trust = join(dir, 'trust.txt');
  const made = spawnSync(process.execPath, [main, 'trust', '--rpc', rpc[0] ?? ''], { encoding: 'utf8' });
  writeFileSync(trust, made.stdout);
  const config = join(dir, 'agent.json');
  const events = join(dir, 'events.ndjson');
  writeFileSync(
    config,
    JSON.stringify({
      host: 'gate-1',
      ledger: { account: 'actuator-web-1', keys: network.net.accounts.get('actuator-web-1'), trust, rpc, leaseMs },
      gate: { interfaces: [device], guarded: [{ port, protocol: 'tcp' }], mode: 'enforce', pins: join(mount, 'weft') },
      probes: ['exec'],
      telemetry: { file: { path: events } },
      alerts: { drops: 3, everyMs: 60_000 },
      metrics: { port: 0 },
    }),
  );

  let metrics = '';
  const startAgent = async (): Promise<void> => {
    const child = spawn(process.execPath, [main, 'agent', 'run', '--config', config, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    agent = child;
    let said = '';
    child.stderr.on('data', (data) => {
      said += String(data);
      if (process.env['WEFT_TEST_VERBOSE'] !== undefined) process.stderr.write(data);
    });
    const line = await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => undefined)]);
    if (line === undefined) throw new Error(`the agent did not start: ${said}`);
    metrics = (JSON.parse(String(line[0])) as { metrics: string }).metrics;
  };
  const passes = async (ms: number): Promise<boolean> => {
    const number = await client.ask('connect', here, port, ms);
    if (typeof number !== 'number') return false;
    await client.ask('hangUp', number);
    return true;
  };
  /** Milliseconds until it is so. */
  const until = async (wanted: boolean): Promise<number> => {
    const since = performance.now();
    for (;;) {
      if ((await passes(wanted ? 2000 : silenceMs)) === wanted) return Math.round(performance.now() - since);
      if (performance.now() - since > patienceMs)
        throw new Error(`not ${wanted ? 'open' : 'shut'} in ${patienceMs} ms`);
      await sleep(20);
    }
  };
  const send = async (account: string, type: string, body: object) =>
    network.client('v1').submitAndWait(await network.signed(account, type, body as never));
  /** A route for the peer, granted; `approved`: by two people, as the default policy wants it. */
  const grant = async (ttlMs: number): Promise<string> => {
    const effect = { host: 'gate-1', source: `${there}/32`, destination: `${here}/32`, port, protocol: 'tcp' };
    const { type, body } = proposeIntent({ action: 'route.open', effect, audience: 'actuator-web-1', ttlMs });
    const { id } = await send('router-prime', type, body);
    for (const approver of ['steward', 'warden']) await send(approver, 'intents.approve', { intent: id });
    return id;
  };
  const seen = (): AgentEvent[] =>
    readFileSync(events, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AgentEvent);
  const told = async (kind: AgentEvent['kind'], test: (event: AgentEvent) => boolean): Promise<AgentEvent> => {
    for (const deadline = performance.now() + patienceMs; ; await sleep(50)) {
      const found = existsSync(events) ? seen().find((event) => event.kind === kind && test(event)) : undefined;
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`no ${kind} was told of`);
    }
  };

  t.ok(await passes(2000), 'before the agent runs nothing is guarded');
  await startAgent();
  t.notOk(await passes(silenceMs), 'from then on nothing passes without a grant');
  t.match(await told('gate.drop', () => true), {
    reason: 'no-grant',
    flow: { protocol: 'tcp', source: there, destination: here, destinationPort: port, interface: device },
  });

  const first = await grant(120_000);
  t.comment(`open ${await until(true)} ms after the last approval was final`);
  t.match(await told('grant.open', ({ ledger }) => ledger?.grant === first), { reason: 'GRANTED' });

  const close = { host: 'gate-1', grant: first };
  await send(
    'router-prime',
    ...shaped(proposeIntent({ action: 'route.close', effect: close, audience: 'actuator-web-1', ttlMs: 60_000 })),
  );
  t.comment(`shut ${await until(false)} ms after its route.close was final`);
  t.match(await told('grant.close', ({ ledger }) => ledger?.grant === first), { reason: 'CLOSED' });

  const second = await grant(120_000);
  await until(true);
  await send('router-prime', 'intents.cancel', { intent: second });
  t.comment(`shut ${await until(false)} ms after it was cancelled`);
  t.match(await told('grant.close', ({ ledger }) => ledger?.grant === second), { reason: 'STATUS_CANCELLED' });

  const third = await grant(7000);
  await until(true);
  await until(false);
  const expired = await told('gate.drop', ({ reason, ledger }) => reason === 'expired' && ledger?.grant === third);
  t.ok(
    (expired.ledger?.index ?? 0) > 0 && (expired.ledger?.expires ?? 0) > 0,
    'the drop names the grant that was over, and its place',
  );

  const fourth = await grant(120_000);
  await until(true);
  const gone = once(agent as unknown as ChildProcess, 'exit');
  agent?.kill('SIGKILL');
  await gone;
  t.ok(await passes(2000), 'a dead agent takes nothing away at once');
  t.ok((await until(false)) > 0, 'and leaves nothing open beyond the lease');
  await startAgent();
  await until(true);
  const text = await (await fetch(`${metrics}/metrics`)).text();
  t.match(text, /^weft_agent_routes 1$/m);
  t.match(text, /^weft_agent_gate_enforces\{gate="in"\} 1$/m);
  const listed = spawnSync(process.execPath, [main, 'agent', 'routes', '--config', config, '--json'], {
    encoding: 'utf8',
  });
  t.match(JSON.parse(listed.stdout), { routes: [{ id: fourth, source: `${there}/32`, port, protocol: 'tcp' }] });
  t.equal((JSON.parse(listed.stdout) as { routes: unknown[] }).routes.length, 1, 'reconciled: this one and no other');

  const switched = spawnSync(process.execPath, [main, 'agent', 'mode', 'observe', '--config', config]);
  t.equal(switched.status, 0);
  await told('gate.mode', ({ reason }) => reason === 'observe');
  await send('router-prime', 'intents.cancel', { intent: fourth });
  await told('grant.close', ({ ledger }) => ledger?.grant === fourth);
  t.ok(await passes(2000), 'an observing gate lets it pass');
  await told('gate.observe', () => true);

  const { count } = await told('alert.raised', () => true);
  t.ok((count ?? 0) >= 3);
  const { alerts } = await network.client('v1').call('alerts.list', {});
  t.match(
    alerts.find(({ kind }) => kind === 'gate-drops'),
    { by: 'actuator-web-1', source: 'gate-1' },
  );
});

function shaped({ type, body }: { readonly type: string; readonly body: object }): [string, object] {
  return [type, body];
}
