import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { frameKinds } from '../../../src/node/wire.ts';
import type { TestNetwork } from '../network.ts';
import type { Link } from '../relay.ts';
import { bringBack, forget, putAside } from '../validatorCopy.ts';
import { type Case, forMs, type World } from './run.ts';

/** What happens to real processes. Each must lose nothing; what may stand still meanwhile is the network without a quorum. */

const heal = async ({ network }: World): Promise<void> => network.relays.heal();

function everyLink(network: TestNetwork, change: Partial<Link>): void {
  for (const a of network.names) for (const b of network.names) if (a !== b) network.relays.set(a, b, change);
}

/** `groups` are cut from each other for `ms`. */
function partition(name: string, groups: string[][], state: 'held' | 'reset', ms: number, fast = false): Case {
  return {
    name: `${name}, ${state === 'held' ? 'nothing arrives' : 'connections reset'}`,
    fast,
    async harm({ network }) {
      network.relays.partition(groups, state);
      await forMs(ms);
    },
    heal,
  };
}

function slow(name: string, change: Partial<Link>): Case {
  return {
    name,
    async harm({ network, workload, note }) {
      everyLink(network, change);
      await forMs(5000);
      workload.takeLatencies();
      await forMs(20_000);
      const latencies = workload.takeLatencies().sort((a, b) => a - b);
      const at = (fraction: number): number =>
        Math.round(latencies[Math.floor(latencies.length * fraction)] ?? Number.NaN);
      note(`meanwhile ${latencies.length} final, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
      await workload.fresh();
    },
    heal,
  };
}

function wrongClock(name: string, clockMs: number): Case {
  return {
    name,
    async harm({ network, workload, note }) {
      await network.signal('v4', 'SIGTERM');
      network.start('v4', { clockMs });
      await forMs(20_000);
      await workload.fresh(5);
      const status = await network.status('v4');
      note(`v4 meanwhile: ${status?.behind ?? '?'} blocks behind, ${status?.notVoting || 'voting'}`);
    },
    async heal({ network }) {
      await network.signal('v4', 'SIGTERM');
      network.start('v4');
    },
  };
}

async function tear({ network, workload, note }: World, bytes: number): Promise<void> {
  await network.signal('v4', 'SIGKILL');
  const dir = dirname(network.logOf('v4'));
  putAside(dir);
  const journal = join(network.dataOf('v4'), 'journal');
  const path = join(journal, readdirSync(journal).sort().at(-1) ?? '');
  const { size } = statSync(path);
  truncateSync(path, Math.max(200, size - bytes));
  network.start('v4');
  const [status] = await network.until(([each]) => /^$|^JOURNAL_/.test(each?.notVoting ?? '?'), { names: ['v4'] });
  const said = status?.notVoting ?? '';
  note(`${Math.min(bytes, size - 200)} of ${size} bytes: ${said || 'votes'}`);
  await workload.fresh(20);
  if (said === '') {
    forget(dir);
    return;
  }
  // It has signed nothing since: the whole journal is still the truth, and the next tear finds a validator that votes.
  await network.signal('v4', 'SIGKILL');
  workload.watch.mayForget('v4');
  bringBack(dir);
  network.start('v4');
  await network.ready();
}

export const cases: readonly Case[] = [
  {
    name: 'kill -9 of one, 3 s down',
    async harm({ network, workload }) {
      await network.signal('v4', 'SIGKILL');
      await forMs(3000);
      await workload.fresh(5);
    },
    heal: async ({ network }) => network.start('v4'),
  },
  {
    name: 'kill -9 of all, at once',
    harm: ({ network }) => network.signalAll('SIGKILL'),
    heal: async ({ network }) => network.startAll(),
  },
  {
    name: 'one suspended for 30 s',
    async harm({ network, workload }) {
      await network.signal('v4', 'SIGSTOP');
      await forMs(30_000);
      await workload.fresh(5);
    },
    heal: ({ network }) => network.signal('v4', 'SIGCONT'),
  },
  {
    name: 'two suspended for 10 s',
    async harm({ network }) {
      await Promise.all([network.signal('v3', 'SIGSTOP'), network.signal('v4', 'SIGSTOP')]);
      await forMs(10_000);
    },
    async heal({ network }) {
      await Promise.all([network.signal('v3', 'SIGCONT'), network.signal('v4', 'SIGCONT')]);
    },
  },
  {
    name: 'each stopped and started, one after another',
    async harm({ network }) {
      for (const name of network.names) {
        await network.signal(name, 'SIGTERM');
        network.start(name);
        await network.ready();
      }
    },
    heal: async () => {},
  },
  partition(
    'partition 2|2 for 12 s',
    [
      ['v1', 'v2'],
      ['v3', 'v4'],
    ],
    'held',
    12_000,
  ),
  partition(
    'partition 2|2 for 6 s',
    [
      ['v1', 'v2'],
      ['v3', 'v4'],
    ],
    'reset',
    6000,
    true,
  ),
  partition('partition 3|1 for 10 s', [['v1', 'v2', 'v3'], ['v4']], 'held', 10_000),
  partition('partition 3|1 for 10 s', [['v1', 'v2', 'v3'], ['v4']], 'reset', 10_000),
  partition('all cut from all for 6 s', [['v1'], ['v2'], ['v3'], ['v4']], 'reset', 6000),
  {
    name: 'a ring: nobody reaches the one opposite, 10 s',
    fast: true,
    async harm({ network, workload }) {
      network.relays.setBoth('v1', 'v3', { state: 'held' });
      network.relays.setBoth('v2', 'v4', { state: 'held' });
      await forMs(10_000);
      await workload.fresh(20);
    },
    heal,
  },
  {
    name: 'one is heard by nobody, but hears all, 10 s',
    async harm({ network, workload }) {
      for (const other of ['v1', 'v2', 'v3']) network.relays.set('v4', other, { state: 'held' });
      await forMs(10_000);
      await workload.fresh(20);
    },
    heal,
  },
  {
    name: 'one hears nobody, but is heard by all, 10 s',
    async harm({ network, workload }) {
      for (const other of ['v1', 'v2', 'v3']) network.relays.set(other, 'v4', { state: 'held' });
      await forMs(10_000);
      await workload.fresh(20);
    },
    heal,
  },
  ...(['held', 'reset'] as const).map(
    (state): Case => ({
      name: `one dead and one link cut (${state}), 15 s, and a start at that link`,
      fast: state === 'reset',
      async harm({ network, workload }) {
        network.relays.setBoth('v1', 'v2', { state });
        await network.signal('v4', 'SIGKILL');
        await forMs(15_000);
        // v1, v2 and v3 are just a quorum, and v1 and v2 reach each other through v3 alone.
        await workload.fresh(20);
        // Who starts at the cut link needs the answer of both others before it votes (W11), and nothing is final without it.
        await network.signal('v1', 'SIGKILL');
        network.start('v1');
        await workload.fresh(20);
      },
      async heal({ network }) {
        network.relays.heal();
        network.start('v4');
      },
    }),
  ),
  slow('100 ms on every link, with stalls of 1 s', { delayMs: 100, stallEveryMs: 5000, stallMs: 1000 }),
  slow('300 ms on every link, with stalls of 1 s', { delayMs: 300, stallEveryMs: 5000, stallMs: 1000 }),
  slow('128 KB/s on every link', { bytesPerSecond: 128_000 }),
  {
    name: 'the journal loses its last 1, 100, 1,000, 10,000, 1,000,000 bytes',
    async harm(world) {
      for (const bytes of [1, 100, 1000, 10_000, 1_000_000]) await tear(world, bytes);
    },
    heal: async () => {},
  },
  {
    name: 'the data folder is wiped',
    lost: { name: 'v4', code: /^JOURNAL_/ },
    async harm({ network, workload }) {
      await network.signal('v4', 'SIGKILL');
      rmSync(network.dataOf('v4'), { recursive: true });
      workload.watch.mayForget('v4');
    },
    heal: async ({ network }) => network.start('v4'),
  },
  wrongClock('a clock 10 minutes ahead', 600_000),
  wrongClock('a clock 10 minutes behind', -600_000),
  {
    name: 'power off for all at once, un-synced writes lost, three times',
    options: { forgetfulDisk: true },
    async harm({ network, workload }) {
      for (let time = 1; time <= 3; time += 1) {
        await workload.fresh(20);
        await network.signalAll('SIGKILL');
        network.startAll();
        await network.ready();
      }
      await workload.fresh(20);
      await network.signalAll('SIGKILL');
    },
    heal: async ({ network }) => network.startAll(),
  },
  {
    name: 'half of all finalize votes are lost, and then the chain is idle',
    options: { env: { WEFT_TEST_LOSE: `${frameKinds.finalize}:0.5` } },
    async harm({ network, workload, note }) {
      const took: number[] = [];
      workload.paused = true;
      for (let i = 0; i < 5; i += 1) {
        await sleep(1500);
        const name = network.names[i % network.names.length] ?? '';
        const sinceMs = performance.now();
        // Nobody sends more, so no later block helps this one: votes have to be sent again.
        await workload.single(name);
        took.push(Math.round(performance.now() - sinceMs));
      }
      note(`single transactions final after ${took.join(', ')} ms`);
    },
    heal: async () => {},
  },
  {
    name: 'the leader is killed while the chain is idle',
    async harm({ network, workload, note }) {
      const took: number[] = [];
      for (let time = 1; time <= 3; time += 1) {
        workload.paused = true;
        await sleep(2500);
        const leader = (await network.status('v1'))?.leader ?? 'v1';
        await network.signal(leader, 'SIGKILL');
        // Longer than it takes to give up a silent leader with nothing to do (2 s).
        await sleep(4000);
        const sinceMs = performance.now();
        await workload.single(network.names.find((name) => name !== leader) ?? '');
        took.push(Math.round(performance.now() - sinceMs));
        network.start(leader);
        await network.ready();
      }
      note(`then single transactions final after ${took.join(', ')} ms`);
    },
    heal: async () => {},
  },
  {
    name: 'one votes but never proposes, 40 s',
    async harm({ network, workload, note }) {
      await network.signal('v4', 'SIGTERM');
      network.start('v4', { mute: [frameKinds.proposal] });
      await network.ready();
      const sinceMs = performance.now();
      await forMs(40_000);
      await workload.fresh(5);
      note(`longest pause meanwhile ${Math.round(workload.longestPauseMs(sinceMs, performance.now()))} ms`);
    },
    async heal({ network }) {
      await network.signal('v4', 'SIGTERM');
      network.start('v4');
    },
  },
];
