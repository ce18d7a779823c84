// `node test/bench/agentFlood.ts [--seconds 10] [--json]`: more events than anybody can take. Frames without a grant are put to the agent's own pinned
// gate as fast as the kernel runs it (BPF_PROG_TEST_RUN, in large repeats), each of which is an event that the agent is due; the agent runs in
// a process of its own as it would on a host. Once with the limits that it has by default, once without the kernel's. As root.
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { AgentStatus } from '../../src/agent/agent.ts';
import { Gate } from '../../src/agent/bpf/gate.ts';
import { Kernel } from '../../src/agent/bpf/kernel.ts';
import { removePins } from '../../src/agent/bpf/pins.ts';
import { ipv4 } from '../agent/bpf/frames.ts';
import { run } from '../agent/bpf/peers.ts';
import type { Stalls } from './floodedAgent.ts';

export type FloodResult = Stalls & {
  readonly limits: 'default' | 'none in the kernel';
  readonly seconds: number;
  /** Frames that were put to the gate. */
  readonly asked: number;
  /** Events that were due, by the gate's own count of what it refused. */
  readonly offered: number;
  readonly offeredPerSecond: number;
  /** The same for each second of CPU that offering took. */
  readonly offeredPerCpuSecond: number;
  /** Held back by the kernel's limit. */
  readonly limitedInKernel: number;
  /** The ring was full. */
  readonly lost: number;
  /** Held back by the limit of their source. */
  readonly limited: number;
  readonly delivered: number;
};

export type FloodOptions = {
  /** Goes on until both are reached. */
  readonly seconds: number;
  readonly events: number;
  /** Frames a call. */
  readonly repeat: number;
};

const [port, sources, patienceMs] = [8443, 64, 60_000];

/** @throws where this machine has no rights for it, or where something is missing from the count for a minute */
export async function flood({ seconds, events, repeat }: FloodOptions): Promise<readonly FloodResult[]> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-flood-'));
  const mount = join(dir, 'bpf');
  const pins = join(mount, 'weft');
  const device = `weft-x${process.pid % 100_000}`;
  let child: ChildProcess | undefined;
  mkdirSync(mount);
  try {
    run(`mount -t bpf bpf ${mount}`);
    run(`ip link add ${device} type veth peer name ${device}p`);
    run(`ip link set ${device} up`);
    const config = join(dir, 'agent.json');
    const document = {
      host: 'gate-1',
      gate: { interfaces: [device], guarded: [{ port, protocol: 'tcp' }], mode: 'enforce', pins },
      probes: [],
      fallback: false,
      telemetry: { file: { path: join(dir, 'events.ndjson') } },
    };
    writeFileSync(config, JSON.stringify(document));
    child = fork(join(import.meta.dirname, 'floodedAgent.ts'), [config], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(child, 'message');
    const agent = child;
    const ask = async <Answer>(question: string): Promise<Answer> => {
      const answer = once(agent, 'message');
      agent.send(question);
      return (await answer)[0] as Answer;
    };
    const gate = new Gate(await Kernel.open(), { pins });
    const frames = Array.from({ length: sources }, (_, n) =>
      ipv4({ source: `10.91.0.${n + 1}`, destination: '10.91.1.1', port }),
    );
    const results: FloodResult[] = [];
    for (const limits of ['default', 'none in the kernel'] as const) {
      if (limits !== 'default') gate.maps.configure({ eventsPerSecond: 0 });
      const before = countsOf(await ask<AgentStatus>('status'));
      await ask('begin');
      const began = performance.now();
      const cpu = process.cpuUsage();
      let asked = 0;
      for (let n = 0; asked < events || performance.now() - began < seconds * 1000; n += 1) {
        gate.test(frames[n % sources] ?? Buffer.alloc(0), repeat);
        asked += repeat;
      }
      const took = (performance.now() - began) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      const counts = await allCounted(asked, async () => minus(countsOf(await ask<AgentStatus>('status')), before));
      const offeredPerSecond = Math.round(counts.offered / took);
      const offeredPerCpuSecond = Math.round(counts.offered / ((user + system) / 1e6));
      const stalls = await ask<Stalls>('stalls');
      results.push({ limits, seconds: took, asked, offeredPerSecond, offeredPerCpuSecond, ...counts, ...stalls });
    }
    gate.close();
    return results;
  } finally {
    child?.kill('SIGKILL');
    removePins(pins, 'gate');
    spawnSync('ip', ['link', 'del', device]);
    spawnSync('umount', [mount]);
    rmSync(dir, { recursive: true, force: true });
  }
}

type Counts = Pick<FloodResult, 'offered' | 'limitedInKernel' | 'lost' | 'limited' | 'delivered'>;

function countsOf({ gates, limited, events }: AgentStatus): Counts {
  const { refused = 0, eventsLimited = 0, eventsLost = 0 } = gates[0]?.counters ?? {};
  const delivered = events['gate.drop'] ?? 0;
  return { offered: refused, limitedInKernel: eventsLimited, lost: eventsLost, limited, delivered };
}

function minus(now: Counts, before: Counts): Counts {
  const names = Object.keys(now) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, now[name] - before[name]])) as Counts;
}

/** The ring has to be read to its end first. */
async function allCounted(asked: number, look: () => Promise<Counts>): Promise<Counts> {
  for (const deadline = performance.now() + patienceMs; ; await sleep(50)) {
    const counts = await look();
    const { offered, limitedInKernel, lost, limited, delivered } = counts;
    if (offered === asked && offered === limitedInKernel + lost + limited + delivered) return counts;
    if (performance.now() > deadline) throw new Error(`of ${asked} events some are missing: ${JSON.stringify(counts)}`);
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '10' }, json: { type: 'boolean', default: false } },
  });
  const results = await flood({ seconds: Number(values.seconds), events: 0, repeat: 20_000 });
  if (values.json) console.log(JSON.stringify(results));
  else
    for (const { limits, ...rest } of results) {
      console.log(`limits: ${limits}`);
      console.table({
        'offered events': rest.offered,
        '  a second': rest.offeredPerSecond,
        '  a second of CPU': rest.offeredPerCpuSecond,
        'limited in the kernel': rest.limitedInKernel,
        'lost (full ring)': rest.lost,
        'limited by source': rest.limited,
        delivered: rest.delivered,
        'longest turn, ms of CPU': Math.round(rest.longestCpuMs * 10) / 10,
        'longest stall, ms': Math.round(rest.longestMs * 10) / 10,
        'peak RSS, MiB': Math.round(rest.rssPeakBytes / 2 ** 20),
        'CPU of the agent, s': Math.round(rest.cpuSeconds * 10) / 10,
      });
    }
}
