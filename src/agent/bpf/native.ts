import { readFileSync } from 'node:fs';
import { endianness, constants as os } from 'node:os';
import { WeftError } from '../../codec/error.ts';

/** A part of memory that the kernel writes too. After `unmap` nobody may touch what was made of `bytes`. */
export type Mapping = { readonly bytes: ArrayBuffer; unmap(): void };

/** Everything that we ask of native code. Nothing else of the project knows of it. */
export type Native = {
  /** bpf(2). `attr` holds addresses of other buffers, which must live until it returns (Kernel.attr sees to it). @returns result or −errno */
  bpf(command: number, attr: Buffer): number;
  /** Where the bytes of `buffer` lie. */
  addressOf(buffer: Buffer): bigint;
  /** mmap(2) of `length` bytes at `offset` of `fd`, shared. @throws BPF_REFUSED */
  map(fd: number, offset: number, length: number, writable: boolean): Mapping;
  /** Index of a network interface in the network namespace of this process, 0 when there is none. */
  interfaceIndex(name: string): number;
  readonly pageBytes: number;
  /** Nanoseconds of CLOCK_BOOTTIME: the clock that grants end by. */
  bootNs(): bigint;
  /** Calls back while `fd` is readable, from the event loop, without a thread. */
  watch(fd: number, onReadable: () => void): { close(): void };
  /** flock(2), exclusive, without waiting. It holds until `fd` is closed. @returns 0 or −errno */
  lock(fd: number): number;
};

const bpfCallNumbers: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 321, arm64: 280 };
const [clockBootTime, sysconfPageSize] = [7, 30];
const lockExclusiveNow = 2 | 4;
const [protectionRead, protectionReadWrite, mapShared] = [1, 3, 1];

/** `ENOENT` for 2. */
export function errnoName(errno: number): string {
  return Object.entries(os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}

function unavailable(reason: string): WeftError {
  return new WeftError('BPF_UNAVAILABLE', `eBPF is not available here: ${reason}`, { reason });
}

/**
 * How far CLOCK_BOOTTIME of this process is ahead of the kernel's own, which ends grants: in a time namespace (time_namespaces(7)) a lease
 * would outlive its grant by as much.
 */
function bootOffsetNs(): bigint {
  let text: string;
  try {
    text = readFileSync('/proc/self/timens_offsets', 'latin1');
  } catch {
    return 0n; // a kernel without time namespaces
  }
  const [, seconds = '0', nanoseconds = '0'] = /^boottime\s+(-?\d+)\s+(\d+)$/m.exec(text) ?? [];
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

/**
 * The native functions, from the C library that this process already has, through koffi (an optional dependency).
 * @throws BPF_UNAVAILABLE with the reason: another system, another machine, no koffi
 */
export async function loadNative(): Promise<Native> {
  if (process.platform !== 'linux') throw unavailable(`it is a part of Linux, this is ${process.platform}`);
  const callNumber = bpfCallNumbers[process.arch];
  if (callNumber === undefined || endianness() !== 'LE')
    throw unavailable(`kernel programs are built for x64 and arm64, this is ${process.arch}`);
  let koffi: typeof import('koffi').default;
  try {
    koffi = (await import('koffi')).default;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw unavailable(`the optional package koffi cannot be loaded (npm install koffi): ${why}`);
  }
  const libc = koffi.load(null);
  const syscall = libc.func('long syscall(long number, long command, void *attr, long size)');
  const mmap = libc.func('void *mmap(void *at, size_t length, int protection, int flags, int fd, int64_t offset)');
  const munmap = libc.func('int munmap(void *at, size_t length)');
  const index = libc.func('unsigned int if_nametoindex(const char *name)');
  const sysconf = libc.func('long sysconf(int name)');
  const clock = libc.func('int clock_gettime(int clock, _Out_ uint8_t *time)');
  const offsetNs = bootOffsetNs();
  const flock = libc.func('int flock(int fd, int operation)');
  return {
    bpf: (command, attr) => {
      const result = Number(syscall(callNumber, command, attr, attr.length));
      return result < 0 ? -koffi.errno() : result;
    },
    addressOf: (buffer) => koffi.address(buffer),
    map: (fd, offset, length, writable) => {
      const at: unknown = mmap(null, length, writable ? protectionReadWrite : protectionRead, mapShared, fd, offset);
      if (typeof at !== 'bigint' || BigInt.asIntN(64, at) === -1n) {
        const errno = koffi.errno();
        throw new WeftError('BPF_REFUSED', `mmap of ${length} bytes: ${errnoName(errno)}`, { call: 'mmap', errno });
      }
      return { bytes: koffi.view(at, length), unmap: () => munmap(at, length) };
    },
    interfaceIndex: (name) => Number(index(name)),
    pageBytes: Number(sysconf(sysconfPageSize)),
    bootNs: () => {
      const time = Buffer.alloc(16);
      clock(clockBootTime, time);
      return time.readBigInt64LE(0) * 1_000_000_000n + time.readBigInt64LE(8) - offsetNs;
    },
    lock: (fd) => (flock(fd, lockExclusiveNow) === 0 ? 0 : -koffi.errno()),
    watch: (fd, onReadable) => koffi.node.poll(fd, { readable: true }, onReadable),
  };
}
