// CometBFT under the same load: real processes (test/bench/cometbft, Go), transactions through its RPC, the same clock.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { WebSocket } from 'ws';
import { freeBase } from '../e2e/network.ts';
import { type Engine, type Point, type PointResult, resultOf } from './bench.ts';
import type { RivalSigned, RivalTask } from './cometbftSigner.ts';
import type { Sent } from './load.ts';
import { Watch } from './watch.ts';

const run = promisify(execFile);
const source = join(import.meta.dirname, 'cometbft');
/** As many as for Weft: an overloaded server has room on several. */
const socketsPerValidator = 4;
/** As main.go has it: of each ten the first three. */
const portsPerValidator = 10;
const startMs = 60_000;
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

export async function openCometBft(options: {
  readonly binary: string;
  readonly validators: number;
  readonly progress: (text: string) => void;
}): Promise<Engine> {
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
  const close = async (): Promise<void> => {
    await Promise.all(processes.map(stop));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const rpc = homes.map((_, i) => `127.0.0.1:${portOf(i) + 1}`);
    await connected(rpc, options.validators - 1);
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
async function connected(rpc: readonly string[], peers: number): Promise<void> {
  const deadline = performance.now() + startMs;
  for (const address of rpc) {
    for (;;) {
      const found = await fetch(`http://${address}/net_info`)
        .then((answer) => answer.json() as Promise<NetInfo>)
        .catch(() => undefined);
      if (Number(found?.result?.n_peers ?? -1) >= peers) break;
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
  const signed = await signAll(Math.round(point.rate * point.seconds), point.records);
  const watch = new Watch(
    processes.map(({ pid }) => pid ?? 0),
    homes.map((home) => join(home, 'data')),
  );
  const blocksBefore = load.blocks;
  const loopBefore = performance.eventLoopUtilization();
  const sent = await load.run(signed, point.rate);
  const loop = performance.eventLoopUtilization(loopBefore);
  await load.drain(sent);
  const used = watch.stop();
  const finality: number[] = [];
  let lastMs = sent[0]?.dueMs ?? 0;
  for (const each of sent) {
    const heardMs = load.heard.get(`${each.validator} ${each.envelopeId}`);
    if (heardMs === undefined) continue;
    finality.push(heardMs - each.dueMs);
    lastMs = Math.max(lastMs, heardMs);
  }
  load.heard.clear();
  return resultOf(point, {
    sent,
    finality,
    lastMs,
    filledBlocks: load.blocks - blocksBefore,
    used,
    busy: loop.utilization,
  });
}

async function signAll(count: number, records: number): Promise<RivalSigned[]> {
  const half = Math.ceil(count / 2);
  const parts = await Promise.all(
    [half, count - half].map(
      (each) =>
        new Promise<RivalSigned[]>((resolve, reject) => {
          const workerData: RivalTask = { count: each, records };
          const worker = new Worker(new URL('./cometbftSigner.ts', import.meta.url), { workerData });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  return parts.flat();
}

/** As `Load`, in CometBFT's words. What is final is told by the application itself (ledger.go, `tell`). */
class RivalLoad {
  readonly #submit: readonly (readonly WebSocket[])[];
  readonly #listen: readonly Socket[];
  /** `<validator> <first 8 bytes of the record>` → when it was heard of. */
  readonly heard = new Map<string, number>();
  /** With transactions, as the first validator told. */
  blocks = 0;
  readonly #waiting = new Map<number, Sent>();
  #nextId = 1;

  private constructor(submit: readonly (readonly WebSocket[])[], listen: readonly Socket[]) {
    this.#submit = submit;
    this.#listen = listen;
    for (const socket of submit.flat()) socket.on('message', (data) => this.#answered(String(data)));
    for (const [i, socket] of listen.entries()) this.#follow(i, socket);
  }

  static async open(rpc: readonly string[], notify: readonly number[]): Promise<RivalLoad> {
    const open = (address: string): Promise<WebSocket> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://${address}/websocket`, { perMessageDeflate: false });
        socket.once('open', () => resolve(socket));
        socket.once('error', reject);
      });
    const submit = await Promise.all(
      rpc.map((address) => Promise.all(Array.from({ length: socketsPerValidator }, () => open(address)))),
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
    return new RivalLoad(submit, listen);
  }

  run(signed: readonly RivalSigned[], rate: number): Promise<Sent[]> {
    const sent: Sent[] = [];
    const startMs = performance.now() + 5;
    return new Promise((resolve) => {
      const turn = (): void => {
        const nowMs = performance.now();
        for (let next = signed[sent.length]; next !== undefined; next = signed[sent.length]) {
          const dueMs = startMs + (sent.length * 1000) / rate;
          if (dueMs > nowMs) break;
          sent.push(this.#send(next, sent.length % this.#submit.length, dueMs));
        }
        if (sent.length < signed.length) setTimeout(turn, 1);
        else resolve(sent);
      };
      turn();
    });
  }

  /** Until every admitted transaction was heard of at the validator that took it, or nothing moves any more. */
  async drain(sent: readonly Sent[]): Promise<void> {
    const deadline = performance.now() + drainMs;
    while (performance.now() < deadline) {
      const admitted = sent.filter(({ refused, answeredMs }) => refused === '' && !Number.isNaN(answeredMs));
      const done = admitted.every(({ validator, envelopeId }) => this.heard.has(`${validator} ${envelopeId}`));
      if (this.#waiting.size === 0 && done) return;
      await sleep(50);
    }
  }

  close(): void {
    for (const socket of this.#submit.flat()) socket.terminate();
    for (const socket of this.#listen) socket.destroy();
  }

  #send({ id: record, request }: RivalSigned, validator: number, dueMs: number): Sent {
    const id = this.#nextId++;
    const sockets = this.#submit[validator] ?? [];
    const each: Sent = {
      envelopeId: record,
      validator,
      dueMs,
      sentMs: performance.now(),
      answeredMs: Number.NaN,
      refused: '',
    };
    this.#waiting.set(id, each);
    sockets[id % sockets.length]?.send(`${request}${id}}`);
    return each;
  }

  #answered(text: string): void {
    const answer = JSON.parse(text) as {
      id?: number;
      error?: { data?: string; message?: string };
      result?: { code?: number };
    };
    const each = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
    if (each === undefined || answer.id === undefined) return;
    this.#waiting.delete(answer.id);
    each.answeredMs = performance.now();
    if (answer.error !== undefined) each.refused = answer.error.data ?? answer.error.message ?? 'UNKNOWN';
    else if ((answer.result?.code ?? 0) !== 0) each.refused = `CODE_${answer.result?.code}`;
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
