import { closeSync } from 'node:fs';
import { WeftError } from '../../codec/error.ts';
import { errnoName, loadNative, type Native } from './native.ts';

/** Numbers of linux/bpf.h that we use: commands, and what a program is attached as. */
const commands = {
  mapCreate: 0,
  mapLookup: 1,
  mapUpdate: 2,
  mapDelete: 3,
  progLoad: 5,
  pin: 6,
  get: 7,
  testRun: 10,
  info: 15,
  rawTracepointOpen: 17,
  mapLookupBatch: 24,
  mapUpdateBatch: 26,
  linkCreate: 28,
  linkUpdate: 29,
} as const;
export type BpfCommand = keyof typeof commands;

export const attachTypes = {
  connect4: 10,
  connect6: 11,
  postBind4: 12,
  postBind6: 13,
  sendmsg4: 14,
  sendmsg6: 15,
  xdp: 37,
} as const;

/** [offset, bytes, value]; a Buffer stands for the address of its bytes. */
export type AttrField = readonly [offset: number, size: 4 | 8, value: number | bigint | Buffer];

/** What a call of bpf(2) was refused with. `details`: call, errno. */
export function refused(call: string, errno: number, more = ''): WeftError {
  return new WeftError('BPF_REFUSED', `${call}: ${errnoName(errno)}${more}`, { call, errno });
}

/** bpf(2), with words for its commands. One for a process is enough; it holds nothing open. */
export class Kernel {
  readonly native: Native;
  /** An address keeps nothing alive: without this the collector may take a buffer that the kernel is about to read. */
  readonly #held = new WeakMap<Buffer, readonly Buffer[]>();

  constructor(native: Native) {
    this.native = native;
  }

  /** @throws BPF_UNAVAILABLE with the reason (native.ts) */
  static async open(): Promise<Kernel> {
    return new Kernel(await loadNative());
  }

  /** @returns the result, or −errno */
  try(command: BpfCommand, argument: Buffer): number {
    return this.native.bpf(commands[command], argument);
  }

  /** @throws BPF_REFUSED */
  call(command: BpfCommand, argument: Buffer, what: string = command): number {
    const result = this.try(command, argument);
    if (result < 0) throw refused(what, -result);
    return result;
  }

  /** The argument of bpf(2): `size` zeroed bytes with these fields. Buffers that it points to live as long as it does. */
  attr(size: number, ...fields: readonly AttrField[]): Buffer {
    const bytes = Buffer.alloc(size);
    const held: Buffer[] = [];
    for (const [offset, width, value] of fields) {
      if (typeof value === 'object') held.push(value);
      if (width === 8)
        bytes.writeBigUInt64LE(typeof value === 'object' ? this.native.addressOf(value) : BigInt(value), offset);
      else bytes.writeInt32LE(Number(value) | 0, offset);
    }
    this.#held.set(bytes, held);
    return bytes;
  }

  bootNs(): bigint {
    return this.native.bootNs();
  }

  /** Files of bpf(2) are file descriptors like others. */
  close(fd: number): void {
    closeSync(fd);
  }

  /** Gives `fd` (map, program or link) a name on a bpf file system; it lives on there without us. */
  pin(fd: number, path: string): void {
    const name = Buffer.from(`${path}\0`);
    this.call('pin', this.attr(16, [0, 8, name], [8, 4, fd]), `pin ${path}`);
  }

  /** @returns a file descriptor for what is pinned at `path`; undefined when nothing is */
  get(path: string): number | undefined {
    const name = Buffer.from(`${path}\0`);
    const fd = this.try('get', this.attr(16, [0, 8, name]));
    if (fd === -2) return undefined;
    if (fd < 0) throw refused(`get ${path}`, -fd);
    return fd;
  }

  /** The first `size` bytes of what the kernel tells about `fd` (struct bpf_map_info, bpf_link_info). */
  info(fd: number, size: number): Buffer {
    const answer = Buffer.alloc(size);
    this.call('info', this.attr(16, [0, 4, fd], [4, 4, size], [8, 8, answer]));
    return answer;
  }

  /** @returns file descriptor of the link; what it attaches is off as soon as the last of its descriptors and pins is gone */
  link(program: number, target: number, type: number, flags = 0): number {
    const argument = this.attr(64, [0, 4, program], [4, 4, target], [8, 4, type], [12, 4, flags]);
    return this.call('linkCreate', argument, 'attach');
  }

  /** For programs that name their own target: tp_btf, fentry, lsm. */
  linkTracing(program: number): number {
    return this.call('rawTracepointOpen', this.attr(16, [8, 4, program]), 'attach');
  }

  /** Another program in place of the one that `link` runs, with no packet between them. @returns 0 or −errno */
  replace(link: number, program: number): number {
    return this.try('linkUpdate', this.attr(16, [0, 4, link], [4, 4, program]));
  }

  /** BPF_PROG_TEST_RUN: `program` on `packet`, `repeat` times. @returns what it answered, and ns of one run (mean) */
  testRun(program: number, packet: Buffer, repeat = 1): { readonly answer: number; readonly ns: number } {
    const argument = this.attr(80, [0, 4, program], [8, 4, packet.length], [16, 8, packet], [32, 4, repeat]);
    this.call('testRun', argument, 'test run');
    return { answer: argument.readUInt32LE(4), ns: argument.readUInt32LE(36) };
  }
}
