// A process of its own for the tests: in a network namespace or cgroup it talks and listens; or it holds a gate, to be killed.
// Asked over the channel of child_process: {call, arguments} → {value} or {error}.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Gate } from '../../../src/agent/bpf/gate.ts';
import type { GateEvent, GateMode, GuardedPort } from '../../../src/agent/bpf/gateMaps.ts';
import type { Grant } from '../../../src/agent/bpf/grants.ts';
import { Kernel } from '../../../src/agent/bpf/kernel.ts';
import { removePins } from '../../../src/agent/bpf/pins.ts';

const sockets = new Map<number, Socket>();
let nextSocket = 0;
let gate: Gate | undefined;

function held(): Gate {
  if (gate === undefined) throw new Error('no gate is open');
  return gate;
}

function udp(host: string): UdpSocket {
  return createSocket(host.includes(':') ? 'udp6' : 'udp4');
}

/** Settles with the first of both; the timer keeps nothing alive. */
async function within(ms: number, wait: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = await Promise.race([wait.then(() => true), over]);
  clearTimeout(timer);
  return done;
}

export const calls = {
  /** Echo servers for TCP and UDP on all addresses of both families. */
  async serve(port: number): Promise<void> {
    const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(port, '::');
    await once(server, 'listening');
    const datagrams = createSocket('udp6');
    // The answer says only how much came: it need not be fragmented itself.
    datagrams.on('message', (message, from) => datagrams.send(String(message.length), from.port, from.address));
    datagrams.bind(port, '::');
    await once(datagrams, 'listening');
  },
  /** Whether a datagram of `bytes` arrives whole at an echo server; it is sent again each 50 ms. An error of sending is told. */
  async datagram(host: string, port: number, bytes: number, ms: number): Promise<boolean | string> {
    const socket = udp(host);
    const answer = Promise.withResolvers<void>();
    let failed: string | undefined;
    socket.on('message', (message) => message.toString() === String(bytes) && answer.resolve());
    const send = (): void =>
      socket.send(Buffer.alloc(bytes, 1), port, host, (error) => {
        if (error !== null) {
          failed = (error as NodeJS.ErrnoException).code;
          answer.resolve();
        }
      });
    const again = setInterval(send, 50);
    send();
    const came = await within(ms, answer.promise);
    clearInterval(again);
    socket.close();
    return failed ?? came;
  },
  /** @returns number of an open connection, undefined when it does not open in time, or the error's code */
  async connect(host: string, port: number, ms: number): Promise<number | string | undefined> {
    const socket = connect(port, host);
    const opened = Promise.withResolvers<string | undefined>();
    socket.on('error', (error: NodeJS.ErrnoException) => opened.resolve(error.code));
    socket.on('connect', () => opened.resolve(undefined));
    if (!(await within(ms, opened.promise))) {
      socket.destroy();
      return undefined;
    }
    const failed = await opened.promise;
    if (failed !== undefined) return failed;
    nextSocket += 1;
    sockets.set(nextSocket, socket);
    return nextSocket;
  },
  /** Whether bytes come back through an open connection. */
  async echo(number: number, bytes: number, ms: number): Promise<boolean> {
    const socket = sockets.get(number);
    if (socket === undefined) throw new Error('no such connection');
    let left = bytes;
    const answer = Promise.withResolvers<void>();
    const take = (data: Buffer): void => {
      left -= data.length;
      if (left <= 0) answer.resolve();
    };
    socket.on('data', take);
    socket.write(Buffer.alloc(bytes, 1));
    const came = await within(ms, answer.promise);
    socket.off('data', take);
    return came;
  },
  async hangUp(number: number): Promise<void> {
    sockets.get(number)?.destroy();
    sockets.delete(number);
  },
  async openGate(pins: string | undefined): Promise<{ adopted: boolean; interfaces: unknown }> {
    gate = new Gate(await Kernel.open(), pins === undefined ? {} : { pins });
    return { adopted: gate.adopted, interfaces: gate.interfaces() };
  },
  async set(mode: GateMode, guard: readonly GuardedPort[]): Promise<void> {
    held().maps.guard(guard);
    held().maps.configure({ mode, eventsPerSecond: 0 });
  },
  async attach(name: string, mode: 'native' | 'generic' | undefined): Promise<unknown> {
    return held().attach(name, mode);
  },
  async interfaces(): Promise<unknown> {
    return held().interfaces();
  },
  async detach(name: string): Promise<boolean> {
    return held().detach(name);
  },
  /** Grants that end `ms` from now. */
  async reconcile(grants: readonly Omit<Grant, 'expiresNs'>[], ms: number): Promise<unknown> {
    const expiresNs = (await Kernel.open()).bootNs() + BigInt(ms) * 1_000_000n;
    return held().maps.grants.reconcile(grants.map((each) => ({ ...each, expiresNs })));
  },
  async counters(): Promise<Record<string, bigint>> {
    return held().maps.counters();
  },
  async events(): Promise<GateEvent[]> {
    const found: GateEvent[] = [];
    while (held().maps.drain((event) => found.push(event)) > 0);
    return found;
  },
  async closeGate(): Promise<void> {
    gate?.close();
    gate = undefined;
  },
  async removeGate(pins: string): Promise<number> {
    return removePins(pins, 'gate');
  },
} as const;

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  process.on('message', async (message: { number: number; call: keyof typeof calls; arguments: unknown[] }) => {
    try {
      const call = calls[message.call] as (...given: unknown[]) => Promise<unknown>;
      process.send?.({ number: message.number, value: await call(...message.arguments) });
    } catch (error) {
      process.send?.({ number: message.number, error: error instanceof Error ? error.message : String(error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
  process.send({ number: 0 });
}
