import { release } from 'node:os';
import { WeftError } from '../../codec/error.ts';
import { type Kernel, refused } from './kernel.ts';
import { errnoName } from './native.ts';
import type { Skeleton } from './programs.ts';

/** File descriptors of what was loaded, by name. The caller closes them. */
export type Loaded = {
  readonly maps: ReadonlyMap<string, number>;
  readonly programs: ReadonlyMap<string, number>;
};

const [mapTypeArray, programTypeSyscall, sleepable] = [2, 31, 16];
const [contextBytes, mapBytes, programBytes] = [24, 16, 4];
const logBytes = 1 << 20;
const EAGAIN = 11;

/** The verifier gives up when a signal comes, a profiler's for example; libbpf, too, tries this often. */
const attemptsMax = 5;

/** The last words of the verifier say what it minds. */
function lastWords(log: Buffer): string {
  const end = log.indexOf(0);
  const lines = log
    .toString('latin1', 0, end === -1 ? log.length : end)
    .trim()
    .split('\n');
  return lines.slice(-3).join(' | ').slice(-400);
}

/**
 * Loads a skeleton: its loader program runs in the kernel, finds kernel types and members there (CO-RE), makes the maps and
 * loads the programs. Needs CAP_BPF with CAP_PERFMON, CAP_NET_ADMIN for programs that see packets, and Linux 5.18.
 * `entriesMax`: other sizes of maps, by name.
 * @throws BPF_REFUSED with errno and the verifier's last words
 */
export function loadSkeleton(
  kernel: Kernel,
  skeleton: Skeleton,
  entriesMax: Readonly<Record<string, number>> = {},
): Loaded {
  // Without a log first: the kernel refuses a program whose log does not fit, however good it is.
  const first = runLoader(kernel, skeleton, entriesMax, undefined);
  if (typeof first !== 'number') return first;
  const log = Buffer.alloc(logBytes);
  const second = runLoader(kernel, skeleton, entriesMax, log);
  if (typeof second !== 'number') return second;
  const words = lastWords(log);
  throw refused('load', first, words === '' ? '' : `: ${words}`);
}

/** @returns what was loaded, or the errno */
function runLoader(
  kernel: Kernel,
  skeleton: Skeleton,
  entriesMax: Readonly<Record<string, number>>,
  log: Buffer | undefined,
): Loaded | number {
  for (let attempt = 1; ; attempt++) {
    const result = runOnce(kernel, skeleton, entriesMax, log);
    if (result !== EAGAIN || attempt === attemptsMax) return result;
  }
}

function runOnce(
  kernel: Kernel,
  skeleton: Skeleton,
  entriesMax: Readonly<Record<string, number>>,
  log: Buffer | undefined,
): Loaded | number {
  const data = Buffer.from(skeleton.data, 'base64');
  const insns = Buffer.from(skeleton.insns, 'base64');
  const programsAt = contextBytes + mapBytes * skeleton.maps.length;
  const size = programsAt + programBytes * skeleton.programs.length;
  const logFields =
    log === undefined ? [] : ([[8, 4, 1] as const, [12, 4, log.length] as const, [16, 8, log] as const] as const);
  const context = kernel.attr((size + 7) & ~7, [0, 4, size], ...logFields);
  skeleton.maps.forEach((name, index) => {
    context.writeUInt32LE(entriesMax[name] ?? 0, contextBytes + mapBytes * index + 4);
  });
  const key = Buffer.alloc(4);
  const license = Buffer.from('Dual BSD/GPL\0'); // of the loader, as bpftool makes it; each program states its own
  const dataMap = kernel.call(
    'mapCreate',
    kernel.attr(72, [0, 4, mapTypeArray], [4, 4, 4], [8, 4, data.length], [12, 4, 1]),
    'make a map (needs CAP_BPF)',
  );
  const descriptors = kernel.attr(4, [0, 4, dataMap]);
  let loader = -1;
  try {
    kernel.call('mapUpdate', kernel.attr(32, [0, 4, dataMap], [8, 8, key], [16, 8, data]));
    const load = kernel.try(
      'progLoad',
      kernel.attr(
        128,
        [0, 4, programTypeSyscall],
        [4, 4, insns.length / 8],
        [8, 8, insns],
        [16, 8, license],
        [44, 4, sleepable],
        [120, 8, descriptors],
      ),
    );
    if (load === -EAGAIN) return EAGAIN;
    if (load < 0) throw refused('load the loader (needs CAP_BPF and CAP_PERFMON)', -load);
    loader = load;
    const run = kernel.attr(80, [0, 4, loader], [40, 4, context.length], [48, 8, context]);
    kernel.call('testRun', run, 'run the loader');
    const result = run.readInt32LE(4);
    if (result < 0) return -result;
  } finally {
    kernel.close(dataMap);
    if (loader >= 0) kernel.close(loader);
  }
  const fds = (names: readonly string[], start: number, stride: number): ReadonlyMap<string, number> =>
    new Map(names.map((name, index) => [name, context.readInt32LE(start + stride * index)]));
  return {
    maps: fds(skeleton.maps, contextBytes, mapBytes),
    programs: fds(skeleton.programs, programsAt, programBytes),
  };
}

/** The descriptor that goes by `name`. @throws BPF_ABI */
export function descriptor(of: ReadonlyMap<string, number>, name: string): number {
  const fd = of.get(name);
  if (fd === undefined || fd <= 0) throw new WeftError('BPF_ABI', `the kernel programs have no ${name}`, { name });
  return fd;
}

export function closeLoaded(kernel: Kernel, loaded: Loaded): void {
  for (const fd of [...loaded.maps.values(), ...loaded.programs.values()]) if (fd > 0) kernel.close(fd);
}

/** A refusal in words that say what to do about it. */
export function explain(error: unknown, capabilities: readonly string[]): string {
  if (!(error instanceof WeftError)) return error instanceof Error ? error.message : String(error);
  if (error.code !== 'BPF_REFUSED') return error.message;
  const { errno, call } = error.details;
  const missing = ['CAP_BPF', 'CAP_PERFMON', 'CAP_NET_ADMIN'].filter((name) => !capabilities.includes(name));
  const name = errnoName(Number(errno));
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 5 || (major === 5 && minor < 18)) return `Linux 5.18 is needed, this is ${release()} (${error.message})`;
  if (name === 'EPERM' || name === 'EACCES' || (name === 'EINVAL' && missing.length > 0))
    return missing.length > 0
      ? `this process lacks ${missing.join(', ')} (${error.message})`
      : `the kernel refuses this kind of program (${call}: ${name}): locked down, or built without it`;
  if (name === 'EAGAIN') return `signals interrupted the kernel each time (a profiler?): try again (${error.message})`;
  if (name === 'ESRCH' || name === 'ENOENT') return `this kernel does not have what it attaches to (${error.message})`;
  return error.message;
}
