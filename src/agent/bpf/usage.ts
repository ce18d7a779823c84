import { readFileSync } from 'node:fs';
import type { Kernel } from './kernel.ts';
import type { Loaded } from './load.ts';

/** What programs and maps take, as the kernel tells; what it does not tell is left out. */
export type Usage = {
  /** Seconds that the programs ran since they were loaded. Counted while kernel.bpf_stats_enabled is 1 (or BPF_ENABLE_STATS is held). */
  readonly runSeconds?: number;
  /** Bytes of the maps in the kernel. */
  readonly mapBytes?: number;
};

/** Members of struct bpf_prog_info (linux/bpf.h). */
const [runTimeNs, runCount, infoBytes] = [192, 200, 208];
const statsSwitch = '/proc/sys/kernel/bpf_stats_enabled';

export function usageOf(kernel: Kernel, { programs, maps }: Loaded): Usage {
  const infos = [...programs.values()].map((fd) => kernel.info(fd, infoBytes));
  const runNs = infos.reduce((sum, info) => sum + info.readBigUInt64LE(runTimeNs), 0n);
  // A program that never ran, where nothing is counted, took an unknown time, not none.
  const isCounted = infos.some((info) => info.readBigUInt64LE(runCount) > 0n) || readText(statsSwitch).trim() === '1';
  const locked = [...maps.values()].map(lockedBytes);
  const known = locked.filter((bytes) => bytes !== undefined);
  return {
    ...(isCounted ? { runSeconds: Number(runNs) / 1e9 } : {}),
    ...(known.length === 0 ? {} : { mapBytes: known.reduce((sum, bytes) => sum + bytes, 0) }),
  };
}

function lockedBytes(fd: number): number | undefined {
  const bytes = /^memlock:\s*(\d+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`))?.[1];
  return bytes === undefined ? undefined : Number(bytes);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
