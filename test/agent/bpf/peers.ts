import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { calls } from './peer.ts';

type Calls = typeof calls;
type Answer = { number: number; value?: unknown; error?: string };

/** peer.ts in a process, and its calls as functions of ours. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #next = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', ({ number, value, error }: Answer) => {
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    });
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the peer is gone'));
    });
  }

  /** `namespace`: name of a network namespace. The mounts stay ours: `ip netns exec` would hide a bpf file system. */
  static async start(namespace?: string): Promise<Peer> {
    const node = [process.execPath, join(import.meta.dirname, 'peer.ts')];
    const [program = '', ...args] =
      namespace === undefined ? node : ['nsenter', `--net=/run/netns/${namespace}`, ...node];
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
    await once(child, 'message');
    return new Peer(child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  ask<Name extends keyof Calls>(call: Name, ...given: Parameters<Calls[Name]>): ReturnType<Calls[Name]> {
    this.#next += 1;
    const number = this.#next;
    const answer = new Promise((resolve, reject) => this.#waiting.set(number, { resolve, reject }));
    this.#child.send({ number, call, arguments: given });
    return answer as ReturnType<Calls[Name]>;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

export function run(line: string): void {
  const [program = '', ...args] = line.split(' ');
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Why namespaces and mounts cannot be made here; false where they can. */
export function skipWithoutNamespaces(): string | false {
  const name = `weft-try-${process.pid}`;
  try {
    run(`ip netns add ${name}`);
    run(`nsenter --net=/run/netns/${name} true`);
    return false;
  } catch (error) {
    return `no network namespaces: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  } finally {
    try {
      run(`ip netns del ${name}`);
    } catch {
      // it was never made
    }
  }
}

/** Two namespaces with one jumbo cable between them; where the kernel has VLANs also with VLAN 5, and VLAN 7 within service VLAN 6. */
export class Cable {
  readonly left: string;
  readonly right: string;
  /** The right end, where gates are attached. */
  readonly interface = 'weft1';
  /** Why there are no VLANs. */
  readonly noVlans: string | undefined;

  constructor() {
    this.left = `weft-l-${process.pid}`;
    this.right = `weft-r-${process.pid}`;
    try {
      for (const name of [this.left, this.right]) run(`ip netns add ${name}`);
      run(`ip link add weft0 netns ${this.left} mtu 9000 type veth peer name weft1 netns ${this.right} mtu 9000`);
      this.#up('', 0);
      this.noVlans = this.#vlans();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #ends(): readonly (readonly [ip: string, end: string, host: number])[] {
    return [
      [`ip -n ${this.left}`, 'weft0', 1],
      [`ip -n ${this.right}`, 'weft1', 2],
    ];
  }

  #up(suffix: string, net: number): void {
    for (const [ip, end, host] of this.#ends()) {
      run(`${ip} addr add 10.77.${net}.${host}/24 dev ${end}${suffix}`);
      run(`${ip} addr add fd77:${net}::${host}/64 dev ${end}${suffix} nodad`);
      for (const name of ['lo', `${end}${suffix}`]) run(`${ip} link set ${name} up`);
    }
  }

  #vlans(): string | undefined {
    try {
      for (const [ip, end] of this.#ends()) {
        run(`${ip} link add link ${end} name ${end}.5 type vlan id 5`);
        run(`${ip} link add link ${end} name ${end}.6 type vlan proto 802.1ad id 6`);
        run(`${ip} link set ${end}.6 up`);
        run(`${ip} link add link ${end}.6 name ${end}.7 type vlan id 7`);
      }
    } catch (error) {
      return `this kernel has no VLAN devices (${error instanceof Error ? error.message.split('\n')[1] : error})`;
    }
    this.#up('.5', 5);
    this.#up('.7', 7);
    return undefined;
  }

  /** Puts a frame on the cable at its left end. @returns false without Python, which has raw sockets where Node has none */
  sendRaw(frame: Buffer, times: number): boolean {
    const program = `
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('weft0', 0))
for _ in range(${times}): s.send(bytes.fromhex('${frame.toString('hex')}'))`;
    const args = [`--net=/run/netns/${this.left}`, 'python3', '-c', program];
    return spawnSync('nsenter', args, { stdio: 'ignore' }).status === 0;
  }

  remove(): void {
    for (const name of [this.left, this.right]) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
  }
}
