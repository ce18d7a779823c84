import { readdirSync, statSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestNetwork } from '../e2e/network.ts';
import { bringBack, forget, putAside } from '../e2e/validatorCopy.ts';
import type { Workload } from '../e2e/workload.ts';

/**
 * What may happen to a network of four, one thing at a time. v1 and v2 are never killed, so that their memory can be followed over
 * the whole run; v4 sits on a disk that forgets what was not synced.
 */
export type World = {
  readonly network: TestNetwork;
  readonly workload: Workload;
  readonly random: () => number;
};

/** Does its harm and ends it; resolves with what it did, in words. */
type Fault = { readonly name: string; readonly weight: number; readonly run: (world: World) => Promise<string> };

const killable = ['v3', 'v4'];

function pick<Item>(random: () => number, items: readonly Item[]): Item {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

const seconds = (random: () => number, from: number, to: number): number =>
  Math.round(1000 * (from + random() * (to - from)));

const faults: readonly Fault[] = [
  {
    name: 'kill',
    weight: 3,
    async run({ network, random }) {
      const name = pick(random, killable);
      const downMs = seconds(random, 0, 6);
      await network.signal(name, 'SIGKILL');
      await sleep(downMs);
      network.start(name);
      return `${name} down for ${downMs} ms${name === 'v4' ? ', its un-synced writes lost' : ''}`;
    },
  },
  {
    name: 'restart',
    weight: 1,
    async run({ network, random }) {
      const name = pick(random, killable);
      await network.signal(name, 'SIGTERM');
      network.start(name);
      return name;
    },
  },
  {
    name: 'suspend',
    weight: 2,
    async run({ network, random }) {
      const name = pick(random, network.names);
      const ms = seconds(random, 1, 12);
      await network.signal(name, 'SIGSTOP');
      await sleep(ms);
      await network.signal(name, 'SIGCONT');
      return `${name} for ${ms} ms`;
    },
  },
  {
    name: 'cut off',
    weight: 2,
    async run({ network, random }) {
      const name = pick(random, network.names);
      const ms = seconds(random, 2, 10);
      const how = pick(random, ['held', 'reset'] as const);
      network.relays.partition([[name], network.names.filter((each) => each !== name)], how);
      await sleep(ms);
      network.relays.heal();
      return `${name} from all others for ${ms} ms, connections ${how}`;
    },
  },
  {
    name: 'split',
    weight: 1,
    async run({ network, random }) {
      const other = pick(random, ['v2', 'v3', 'v4']);
      const ms = seconds(random, 2, 6);
      const how = pick(random, ['held', 'reset'] as const);
      const side = ['v1', other];
      network.relays.partition([side, network.names.filter((each) => !side.includes(each))], how);
      await sleep(ms);
      network.relays.heal();
      return `v1 and ${other} from the rest for ${ms} ms, connections ${how}`;
    },
  },
  {
    name: 'slow',
    weight: 1,
    async run({ network, random }) {
      const delayMs = Math.round(20 + random() * 180);
      for (const a of network.names)
        for (const b of network.names) if (a !== b) network.relays.set(a, b, { delayMs, stallEveryMs: 5000 });
      const ms = seconds(random, 4, 10);
      await sleep(ms);
      network.relays.heal();
      return `${delayMs} ms on every link, with stalls of 1 s, for ${ms} ms`;
    },
  },
  {
    name: 'tear',
    weight: 1,
    async run({ network, workload, random }) {
      const name = pick(random, killable);
      await network.signal(name, 'SIGKILL');
      const dir = dirname(network.logOf(name));
      putAside(dir);
      const journal = join(network.dataOf(name), 'journal');
      const path = join(journal, readdirSync(journal).sort().at(-1) ?? '');
      const bytes = Math.min(statSync(path).size, Math.ceil(1_000_000 ** random()));
      truncateSync(path, statSync(path).size - bytes);
      network.start(name);
      const [status] = await network.until(([each]) => /^$|^JOURNAL_/.test(each?.notVoting ?? '?'), { names: [name] });
      const said = status?.notVoting ?? '';
      if (said === '') {
        forget(dir);
        return `${name}'s journal lost its last ${bytes} bytes: no vote was in them that the others do not know, it votes`;
      }
      // It has signed nothing since: the whole journal is still the truth.
      await network.signal(name, 'SIGKILL');
      workload.watch.mayForget(name);
      bringBack(dir);
      network.start(name);
      return `${name}'s journal lost its last ${bytes} bytes: ${said}; then it got its whole data back`;
    },
  },
];

/** A fault, by weight. */
export function anyFault(random: () => number): Fault {
  let at = random() * faults.reduce((sum, { weight }) => sum + weight, 0);
  for (const fault of faults) {
    at -= fault.weight;
    if (at < 0) return fault;
  }
  return pick(random, faults);
}
