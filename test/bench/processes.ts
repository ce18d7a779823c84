import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

/** What Linux says about processes and this machine: `/proc`, folder sizes. */

/** Linux counts CPU time in hundredths of a second (USER_HZ). */
const tickSeconds = 0.01;

/** CPU seconds that a process has used, all threads together; 0 once it is gone. */
export function cpuSeconds(pid: number): number {
  return secondsIn(`/proc/${pid}/stat`);
}

/** Of `cpuSeconds`, what the first thread has used: the one that runs a node's event loop. */
export function mainThreadCpuSeconds(pid: number): number {
  return secondsIn(`/proc/${pid}/task/${pid}/stat`);
}

function secondsIn(path: string): number {
  const fields = statFields(path);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * tickSeconds;
}

/** From the third on. */
function statFields(path: string): string[] {
  const text = readOrEmpty(path);
  // The command name, second field, may hold spaces and brackets.
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Times that a process waited for a disk because a page of a mapped file was not in memory. */
export function majorFaults(pid: number): number {
  return Number(statFields(`/proc/${pid}/stat`)[9] ?? 0);
}

/** Resident bytes at the moment. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readOrEmpty(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** Of `residentBytes`, what is no mapped file (those pages are the system's file cache, and go when others need the room). */
export function anonymousBytes(pid: number): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readOrEmpty(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** CPU seconds that all of the machine has been busy since it started, whoever used them. */
export function machineBusySeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    readOrEmpty('/proc/stat').split('\n', 1)[0] ?? ''
  )
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq) * tickSeconds;
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** Bytes of all files under a folder. */
export function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    // Level removes files while we look.
    if (entry.isDirectory()) bytes += folderBytes(path);
    else bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
};

export function machine(): Machine {
  const found = cpus();
  return {
    cpu: found[0]?.model.trim() ?? 'unknown',
    cores: found.length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
  };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
