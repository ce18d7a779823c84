// The agent of agentFlood.ts: the real one, in a process of its own, and a ticker beside it that sees how long the event loop stood still.
import { readFileSync } from 'node:fs';
import { Agent } from '../../src/agent/agent.ts';
import { loadAgentConfig } from '../../src/agent/config.ts';

export type Stalls = {
  /** Longest time between two turns of the event loop, as it was, and in CPU time of its thread: others' work is not in that. */
  readonly longestMs: number;
  readonly longestCpuMs: number;
  /** Of the process. */
  readonly rssPeakBytes: number;
  readonly cpuSeconds: number;
};

const agent = await Agent.start(loadAgentConfig(process.argv[2] ?? ''), {
  version: '0',
  passphrase: null,
  say: () => undefined,
});

const tickMs = 1;
let [longestMs, longestCpuMs] = [0, 0];
let [at, cpu] = [performance.now(), threadCpuMs()];
const tick = (): void => {
  const [now, cpuNow] = [performance.now(), threadCpuMs()];
  longestMs = Math.max(longestMs, now - at - tickMs);
  longestCpuMs = Math.max(longestCpuMs, cpuNow - cpu);
  [at, cpu] = [now, cpuNow];
};
setInterval(tick, tickMs);

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

process.on('message', (question) => {
  if (question === 'status') process.send?.(agent.status());
  else if (question === 'begin') {
    [longestMs, longestCpuMs] = [0, 0];
    process.send?.(true);
  } else if (question === 'stalls') {
    const [, peak = '0'] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    const { user, system } = process.cpuUsage();
    const stalls = { longestMs, longestCpuMs, rssPeakBytes: Number(peak) * 1024, cpuSeconds: (user + system) / 1e6 };
    process.send?.(stalls satisfies Stalls);
  } else void agent.close().then(() => process.exit(0));
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
