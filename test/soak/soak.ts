import { setTimeout as sleep } from 'node:timers/promises';
import { machine, residentBytes } from '../bench/processes.ts';
import { mixedLoad } from '../e2e/mixedLoad.ts';
import { TestNetwork } from '../e2e/network.ts';
import { seededRandom } from '../e2e/random.ts';
import { chainsDiffer } from '../e2e/together.ts';
import { WireWatch } from '../e2e/wireWatch.ts';
import { Workload } from '../e2e/workload.ts';
import { anyFault, type World } from './faults.ts';
import { quantile } from './fit.ts';
import type { ClientSample, FaultRecord, Run } from './report.ts';
import { type ProcessSample, Sampler } from './samples.ts';

/** Hours of a network in an hour: a mixed load, a fault at a time, and everything checked while it runs. */
export type SoakOptions = {
  readonly minutes: number;
  readonly everySeconds: number;
  readonly rate: number;
  readonly progress: (words: string) => void;
  /** Now and then, with all that is known so far. */
  readonly soFar: (run: Run) => void;
};

const sampleMs = 5000;
const soFarMs = 60_000;

export async function soak(options: SoakOptions): Promise<Run> {
  const { minutes, everySeconds, rate, progress, soFar } = options;
  const random = seededRandom();
  progress(`WEFT_TEST_SEED=${random.seed}`);
  const network = await TestNetwork.make({
    name: 'weft-soak',
    relays: true,
    record: true,
    forgetfulDisk: (name) => name === 'v4',
    env: { WEFT_TEST_RECORD_BYTES: String(1024 * 1024) },
    // All clients share one address.
    config: { rpc: { requestsPerSecond: 0, submitsPerSecond: 0 }, log: { level: 'info' } },
  });
  try {
    network.startAll();
    const workload = await Workload.start(network, { rate, random: random.next, next: mixedLoad(network.net.chain) });
    const [status] = await network.ready();
    const sampler = new Sampler(network);
    const samples: ProcessSample[] = [];
    const clients: ClientSample[] = [];
    const faults: FaultRecord[] = [];
    const wire = new WireWatch();
    const wires = new Map(network.names.map((name) => [name, network.wireOf(name)]));
    const words: string[] = [];
    const ownMiB = (): number => Math.round(residentBytes(process.pid) / 1024 ** 2);
    const ownFirst = ownMiB();
    const run = (): Run => ({
      seed: random.seed,
      version: status?.version ?? '',
      machine: machine(),
      minutes: Math.round((sampler.seconds / 60) * 10) / 10,
      everySeconds,
      rate,
      samples,
      clients,
      faults,
      log: workload.watch.figures,
      votes: wire.votes,
      words: [...words, ...workload.watch.words, ...wire.conflicts],
      ownRssMiB: [ownFirst, ownMiB()],
    });
    let ended = false;
    const sampling = (async () => {
      let toldMs = performance.now();
      while (!ended) {
        await sleep(sampleMs);
        samples.push(...(await sampler.take()));
        const latencies = workload.takeLatencies();
        clients.push({
          atS: Math.round(sampler.seconds * 10) / 10,
          final: latencies.length,
          p50Ms: Math.round(quantile(latencies, 0.5)),
          p99Ms: Math.round(quantile(latencies, 0.99)),
        });
        wire.read(wires);
        if (performance.now() - toldMs > soFarMs) {
          toldMs = performance.now();
          soFar(run());
        }
      }
    })();

    const world: World = { network, workload, random: random.next };
    try {
      for (let turn = 1; turn * everySeconds < minutes * 60; turn += 1) {
        await sleep(Math.max(0, (turn * everySeconds - sampler.seconds) * 1000));
        if (sampler.seconds >= minutes * 60) break;
        faults.push(await oneFault(world, sampler, progress));
        if (run().words.length > 0) {
          words.push('stopped here, for a look at it');
          break;
        }
      }
      await sleep(Math.max(0, minutes * 60 - sampler.seconds) * 1000);
      progress('the load ends; waiting until every transaction is settled everywhere');
      await workload.finish();
    } catch (error) {
      words.push(String(error));
    } finally {
      ended = true;
      await sampling;
      await workload.stop();
    }
    await network.signalAll('SIGTERM');
    wire.read(wires, true);
    progress('comparing the chains, block by block');
    words.push(...(await chainsDiffer(network)), ...network.complaints().filter((line) => !/JOURNAL_/.test(line)));
    return run();
  } finally {
    await network.remove();
  }
}

async function oneFault(world: World, sampler: Sampler, progress: (words: string) => void): Promise<FaultRecord> {
  const { network, workload, random } = world;
  const fault = anyFault(random);
  const atS = Math.round(sampler.seconds * 10) / 10;
  const beganMs = performance.now();
  const what = await fault.run(world);
  const endedMs = performance.now();
  const finalAgainMs = Math.round(await workload.fresh());
  await network.ready();
  const allBackMs = Math.round(performance.now() - endedMs);
  const pauseMs = Math.round(workload.longestPauseMs(beganMs, performance.now()));
  progress(
    `${atS.toFixed(0).padStart(5)} s  ${fault.name}: ${what}; final again after ${finalAgainMs} ms, all back after ${allBackMs} ms`,
  );
  return { atS, name: fault.name, what, finalAgainMs, allBackMs, pauseMs };
}
