import { setTimeout as sleep } from 'node:timers/promises';
import { TestNetwork, type TestNetworkOptions } from '../network.ts';
import { chainsDiffer, wireOf } from '../together.ts';
import { Workload } from '../workload.ts';

/** One fault on a network of four real processes under load: what it does, how it ends, and what must hold then. */
export type Case = {
  readonly name: string;
  /** In `npm test` too; the others run in `npm run test:faults`. */
  readonly fast?: boolean;
  readonly options?: TestNetworkOptions;
  /** Who does not vote any more in the end, and why, as codes of `notVoting`. */
  readonly lost?: { readonly name: string; readonly code: RegExp };
  /** What is done, and for how long. */
  readonly harm: (world: World) => Promise<void>;
  /** Takes the fault away. */
  readonly heal: (world: World) => Promise<void>;
  /** Runs on a machine like this one? Else the reason why not. */
  readonly impossible?: () => string | undefined;
};

export type World = {
  readonly network: TestNetwork;
  readonly workload: Workload;
  /** For the table. */
  readonly note: (words: string) => void;
};

export type CaseResult = {
  readonly name: string;
  readonly submitted: number;
  readonly final: number;
  readonly expired: number;
  /** Longest time without a transaction becoming final, from the beginning of the fault until all were back. */
  readonly pauseMs: number;
  /** From the end of the fault until a transaction was final that was sent after it. */
  readonly finalAgainMs: number;
  /** From the end of the fault until nobody is behind and all that may vote do. */
  readonly allBackMs: number;
  readonly votes: number;
  readonly notes: readonly string[];
  /** Everything that is wrong; empty is what must be. */
  readonly wrong: readonly string[];
};

/** Shorter than the defaults, by the same inequalities. */
const consensus = { idleBlockMs: 5000, skipMs: 15_000 };
const rate = 15;
const lifetimeMs = 10_000;

export async function runCase({ name, options, lost, harm, heal }: Case): Promise<CaseResult> {
  const notes: string[] = [];
  const wrong: string[] = [];
  const network = await TestNetwork.make({
    relays: true,
    record: true,
    consensus,
    config: { rpc: { requestsPerSecond: 0, submitsPerSecond: 0 } },
    ...options,
  });
  let workload: Workload | undefined;
  const times = { pauseMs: Number.NaN, finalAgainMs: Number.NaN, allBackMs: Number.NaN };
  try {
    network.startAll();
    workload = await Workload.start(network, { rate, random: Math.random, lifetimeMs });
    await workload.fresh(5);
    const world: World = { network, workload, note: (words) => notes.push(words) };
    const beganMs = performance.now();
    await harm(world);
    await heal(world);
    const healedMs = performance.now();
    workload.paused = false;
    times.finalAgainMs = Math.round(await workload.fresh());
    const voters = network.names.filter((each) => each !== lost?.name);
    await network.ready(voters);
    if (lost !== undefined) {
      await network.until(
        ([status]) => status !== undefined && !status.catchingUp && lost.code.test(status.notVoting),
        {
          names: [lost.name],
        },
      );
    }
    times.allBackMs = Math.round(performance.now() - healedMs);
    times.pauseMs = Math.round(workload.longestPauseMs(beganMs, performance.now()));
    await workload.fresh(5);
    await workload.finish();
    await network.signalAll('SIGTERM');
    wrong.push(...(await chainsDiffer(network)));
  } catch (error) {
    wrong.push(String(error));
    await workload?.stop();
  } finally {
    wrong.push(...(workload?.watch.words ?? []));
    await network.signalAll('SIGKILL');
  }
  const wire = wireOf(network);
  wrong.push(...wire.conflicts, ...network.complaints().filter((line) => !/JOURNAL_|KEY_HAS_SIGNED/.test(line)));
  await network.remove();
  const { submitted = 0, finalized: final = 0, expired = 0 } = workload?.watch.figures ?? {};
  return { name, submitted, final, expired, ...times, votes: wire.votes, notes, wrong };
}

/** Lets a fault act; transactions go on being sent meanwhile. */
export const forMs = (ms: number): Promise<void> => sleep(ms);
