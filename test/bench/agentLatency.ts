// `node test/bench/agentLatency.ts [--count 50] [--json]`: from "final on the ledger" to "so in the kernel", for grants and for cancellations, each
// alone: four validator processes on this machine, an agent with its gate on a veth pair, frames put to the pinned program every two
// milliseconds (BPF_PROG_TEST_RUN). Final is when a client that waits at one node hears of it. As root. See docs/performance.md.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Agent } from '../../src/agent/agent.ts';
import { Gate } from '../../src/agent/bpf/gate.ts';
import { Kernel } from '../../src/agent/bpf/kernel.ts';
import { removePins } from '../../src/agent/bpf/pins.ts';
import { checkAgentConfig } from '../../src/agent/config.ts';
import { proposeIntent } from '../../src/client/index.ts';
import { ipv4 } from '../agent/bpf/frames.ts';
import { run } from '../agent/bpf/peers.ts';
import { TestNetwork } from '../e2e/network.ts';

const { values } = parseArgs({
  options: { count: { type: 'string', default: '50' }, json: { type: 'boolean', default: false } },
});
const count = Number(values.count);
const [host, keeper, port, destination] = ['gate-1', 'actuator-web-1', 8443, '10.90.1.1'] as const;
const [pollMs, patienceMs] = [2, 30_000];
const sourceOf = (n: number): string => `10.90.2.${n + 1}`;

const dir = mkdtempSync(join(tmpdir(), 'weft-latency-'));
const mount = join(dir, 'bpf');
const device = `weft-l${process.pid % 100_000}`;
mkdirSync(mount);
run(`mount -t bpf bpf ${mount}`);
run(`ip link add ${device} type veth peer name ${device}p`);
run(`ip link set ${device} up`);
const network = await TestNetwork.make({ validators: 4, name: 'weft-latency' });
let agent: Agent | undefined;
try {
  network.startAll();
  await network.ready();
  const rpc = network.net.validators.map((each) => each.rpc);
  writeFileSync(join(dir, 'trust.txt'), (await network.client('v1').call('chain.trust', {})).trust);
  const config = checkAgentConfig(
    {
      host,
      ledger: { account: keeper, keys: network.net.accounts.get(keeper), trust: 'trust.txt', rpc },
      gate: {
        interfaces: [device],
        guarded: [{ port, protocol: 'tcp' }],
        mode: 'enforce',
        pins: join(mount, 'weft'),
      },
      probes: [],
      fallback: false,
      alerts: { drops: 0 },
    },
    join(dir, 'agent.json'),
  );
  agent = await Agent.start(config, { version: '0', passphrase: null, say: () => undefined });
  const gate = new Gate(await Kernel.open(), { pins: join(mount, 'weft') });
  const passes = (n: number): boolean => gate.test(ipv4({ source: sourceOf(n), destination, port })).action === 'pass';
  const send = async (account: string, type: string, body: object) =>
    network.client('v1').submitAndWait(await network.signed(account, type, body as never));
  /** Milliseconds from the end of `change` until the gate decides so. */
  const effectOf = async (n: number, wanted: boolean, change: Promise<unknown>): Promise<number> => {
    let finalAt = Number.NaN;
    const final = change.then(() => {
      finalAt = performance.now();
    });
    const deadline = performance.now() + patienceMs;
    while (passes(n) !== wanted) {
      if (performance.now() > deadline) throw new Error(`the gate does not ${wanted ? 'open' : 'shut'}`);
      await sleep(pollMs);
    }
    const effectAt = performance.now();
    await final;
    return effectAt - finalAt;
  };

  const ids = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const effect = { host, source: `${sourceOf(n)}/32`, destination: `${destination}/32`, port, protocol: 'tcp' };
      const { type, body } = proposeIntent({ action: 'route.open', effect, audience: keeper, ttlMs: 600_000 });
      const { id } = await send('router-prime', type, body);
      await send('steward', 'intents.approve', { intent: id });
      return id;
    }),
  );
  const granted: number[] = [];
  const cancelled: number[] = [];
  for (const [n, intent] of ids.entries()) {
    if (passes(n)) throw new Error('it passes without a grant');
    granted.push(await effectOf(n, true, send('warden', 'intents.approve', { intent })));
  }
  for (const [n, intent] of ids.entries())
    cancelled.push(await effectOf(n, false, send('router-prime', 'intents.cancel', { intent })));
  gate.close();
  const result = { count, granted: summary(granted), cancelled: summary(cancelled) };
  if (values.json) console.log(JSON.stringify(result));
  else console.table({ granted: result.granted, cancelled: result.cancelled });
} finally {
  await agent?.close();
  removePins(join(mount, 'weft'), 'gate');
  spawnSync('ip', ['link', 'del', device]);
  spawnSync('umount', [mount]);
  await network.remove();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);

function summary(ms: readonly number[]): Record<'p50' | 'p99' | 'max', number> {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
