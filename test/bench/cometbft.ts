// CometBFT under the same load: real processes (test/bench/cometbft, Go), transactions through its RPC, the same clock.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freeBase } from '../freePorts.ts';
import type { RivalTask } from './cometbftSigner.ts';
import { type Engine, type Point, type PointResult, resultOf } from './result.ts';
import { inTwoThreads } from './signing.ts';
import { type Sent, type Signed, Submitter } from './submitter.ts';
import { Watch } from './watch.ts';
import { wireBytes } from './wire.ts';

const run = promisify(execFile);
const source = join(import.meta.dirname, 'cometbft');
/** As main.go has it: of each ten the first three. */
const portsPerValidator = 10;
const startMs = 30_000;
const attemptsMax = 3;
const drainMs = 60_000;

/** Builds the validator; undefined without Go. `~/.cache/go-build` makes the second time quick. */
export async function buildCometBft(dir: string, progress: (text: string) => void): Promise<string | undefined> {
  try {
    await run('go', ['version']);
  } catch {
    return undefined;
  }
  progress('building CometBFT');
  const path = join(dir, 'cometbft-validator');
  await run('go', ['build', '-trimpath', '-o', path, '.'], { cwd: source, maxBuffer: 16 * 1024 * 1024 });
  return path;
}

type Options = {
  readonly binary: string;
  readonly validators: number;
  readonly progress: (text: string) => void;
};

/** A port that was free may be taken a moment later, by a connection of anybody's: then once more, with others. */
export async function openCometBft(options: Options): Promise<Engine> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await openOnce(options);
    } catch (error) {
      if (attempt === attemptsMax) throw error;
      options.progress(`CometBFT did not start (${String(error)}): once more`);
    }
  }
}

async function openOnce(options: Options): Promise<Engine> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-cometbft-'));
  const port = (await freeBase(options.validators)) + portsPerValidator;
  const homes = Array.from({ length: options.validators }, (_, i) => join(dir, `node${i}`));
  const portOf = (i: number): number => port + i * portsPerValidator;
  options.progress(`starting ${options.validators} validators of CometBFT`);
  await run(options.binary, ['init', '--dir', dir, '--validators', `${options.validators}`, '--port', `${port}`]);
  const processes = homes.map((home, i) => {
    const log = openSync(logOf(home), 'w');
    const args = ['run', '--home', home, '--port', `${portOf(i)}`];
    const child = spawn(options.binary, args, { stdio: ['ignore', 'ignore', log] });
    closeSync(log);
    return child;
  });
  // Whoever ends the measurement ends them, too: they have no channel on which they would notice.
  const killAll = (): void => {
    for (const child of processes) child.kill('SIGKILL');
  };
  process.once('exit', killAll);
  const close = async (): Promise<void> => {
    await Promise.all(processes.map(stop));
    process.off('exit', killAll);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const rpc = homes.map((_, i) => `127.0.0.1:${portOf(i) + 1}`);
    await connected(rpc, options.validators - 1, processes);
    const load = await RivalLoad.open(
      rpc,
      homes.map((_, i) => portOf(i) + 2),
    );
    return {
      name: 'cometbft',
      version: pinnedVersion(),
      run: (point) => runPoint(load, processes, homes, point),
      close: async () => {
        load.close();
        await close();
      },
    };
  } catch (error) {
    options.progress(readFileSync(logOf(homes[0] ?? ''), 'utf8').slice(-4000));
    await close();
    throw error;
  }
}

function logOf(home: string): string {
  return join(home, 'log');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(timer);
}

type NetInfo = { readonly result?: { readonly n_peers?: string } };

/** Waits until each has all others as peers. */
async function connected(rpc: readonly string[], peers: number, processes: readonly ChildProcess[]): Promise<void> {
  const deadline = performance.now() + startMs;
  for (const address of rpc) {
    for (;;) {
      const found = await fetch(`http://${address}/net_info`)
        .then((answer) => answer.json() as Promise<NetInfo>)
        .catch(() => undefined);
      if (Number(found?.result?.n_peers ?? -1) >= peers) break;
      if (processes.some(({ exitCode }) => exitCode !== null)) throw new Error('a validator ended by itself');
      if (performance.now() > deadline)
        throw new Error(`CometBFT at ${address} did not find its peers in ${startMs} ms`);
      await sleep(100);
    }
  }
}

/** Of go.mod: what the node says of itself is a constant that releases forget. */
function pinnedVersion(): string {
  const text = readFileSync(join(source, 'go.mod'), 'utf8');
  return /github\.com\/cometbft\/cometbft (v\S+)/.exec(text)?.[1] ?? 'unknown';
}

async function runPoint(
  load: RivalLoad,
  processes: readonly ChildProcess[],
  homes: readonly string[],
  point: Point,
): Promise<PointResult> {
  const task: RivalTask = { count: Math.round(point.rate * point.seconds), records: point.records };
  const signed = await inTwoThreads(new URL('./cometbftSigner.ts', import.meta.url), task);
  const pids = processes.map(({ pid }) => pid ?? 0);
  const wireBefore = await wireBytes(pids);
  const watch = new Watch(pids, homes.map(databasesOf));
  const blocksBefore = load.blocks;
  const loopBefore = performance.eventLoopUtilization();
  const sent = await load.run(signed, point.rate);
  const loop = performance.eventLoopUtilization(loopBefore);
  await load.drain(sent);
  const used = watch.stop();
  const wireAfter = await wireBytes(pids);
  const result = resultOf(point, {
    sent,
    heardMs: ({ validator, envelopeId }) => load.heard.get(`${validator} ${envelopeId}`),
    filledBlocks: load.blocks - blocksBefore,
    wireBytes: wireBefore === undefined || wireAfter === undefined ? undefined : wireAfter - wireBefore,
    used,
    busy: loop.utilization,
  });
  load.heard.clear();
  return result;
}

/** Without the write-ahead log of consensus, as with Weft its journal does not count. */
function databasesOf(home: string): string[] {
  const data = join(home, 'data');
  return readdirSync(data)
    .filter((name) => name.endsWith('.db'))
    .map((name) => join(data, name));
}

/** As `Load`, in CometBFT's words. What is final is told by the application itself (ledger.go, `tell`). */
class RivalLoad {
  readonly #submitter: Submitter;
  readonly #listen: readonly Socket[];
  /** `<validator> <first 8 bytes of the record>` → when it was heard of. */
  readonly heard = new Map<string, number>();
  /** With transactions, as the first validator told. */
  blocks = 0;

  private constructor(submitter: Submitter, listen: readonly Socket[]) {
    this.#submitter = submitter;
    this.#listen = listen;
    for (const [i, socket] of listen.entries()) this.#follow(i, socket);
  }

  static async open(rpc: readonly string[], notify: readonly number[]): Promise<RivalLoad> {
    const submitter = await Submitter.open(
      rpc.map((address) => `ws://${address}/websocket`),
      refusalOf,
    );
    const listen = await Promise.all(
      notify.map(
        (port) =>
          new Promise<Socket>((resolve, reject) => {
            const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket));
            socket.once('error', reject);
          }),
      ),
    );
    return new RivalLoad(submitter, listen);
  }

  run(signed: readonly Signed[], rate: number): Promise<Sent[]> {
    return this.#submitter.run(signed, rate);
  }

  /** Until every admitted transaction was heard of at the validator that took it, or nothing moves any more. */
  async drain(sent: readonly Sent[]): Promise<void> {
    const deadline = performance.now() + drainMs;
    while (performance.now() < deadline) {
      const admitted = sent.filter(({ refused, answeredMs }) => refused === '' && !Number.isNaN(answeredMs));
      const done = admitted.every(({ validator, envelopeId }) => this.heard.has(`${validator} ${envelopeId}`));
      if (this.#submitter.unanswered === 0 && done) return;
      await sleep(50);
    }
  }

  close(): void {
    this.#submitter.close();
    for (const socket of this.#listen) socket.destroy();
  }

  #follow(validator: number, socket: Socket): void {
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      const atMs = performance.now();
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 16) {
        const count = Number(rest.readBigUInt64BE(8));
        const end = 16 + 8 * count;
        if (rest.length < end) return;
        for (let at = 16; at < end; at += 8) this.heard.set(`${validator} ${rest.toString('hex', at, at + 8)}`, atMs);
        if (validator === 0) this.blocks += 1;
        rest = rest.subarray(end);
      }
    });
    socket.on('error', () => undefined);
  }
}

function refusalOf(answer: object): string {
  const { error, result } = answer as { error?: { data?: string; message?: string }; result?: { code?: number } };
  if (error !== undefined) return error.data ?? error.message ?? 'UNKNOWN';
  return (result?.code ?? 0) === 0 ? '' : `CODE_${result?.code}`;
}
