import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProbeEvent } from '../bpf/probeEvent.ts';
import type { Attribution, ProcessFacts } from './event.ts';

/**
 * Who did it: process, parent, cgroup, container. The kernel's events name a pid, a command and a cgroup's number; the rest is
 * what an exec event said before, or /proc says now. What cannot be known is said to be unknown, with the reason.
 */
export type AttributionOptions = {
  /** `/proc`, or what stands in its place. */
  readonly proc?: string;
  /** Root of the cgroup 2 tree; undefined: there is none. */
  readonly cgroups: string | undefined;
  readonly processesMax?: number;
};

/** What of the arguments is kept. */
const argumentsMax = 256;
const containerPattern = /(?:^|[/-])([0-9a-f]{64})(?:\.scope)?(?:\/|$)/u;
const unitPattern = /([A-Za-z0-9:_.\\@-]{1,128}\.(?:service|scope))(?:\/|$)/gu;
/** A tree of cgroups is walked at most so often and so deep: a host with churn must not make the agent read all day. */
const walkEveryMs = 1000;
const cgroupsMax = 20_000;

type Subject = Pick<ProbeEvent, 'pid' | 'cgroup'> &
  Partial<Pick<ProbeEvent, 'parent' | 'uid' | 'command' | 'path'>> & {
    readonly startNs?: bigint;
  };

export class Attributor {
  readonly #proc: string;
  readonly #cgroups: string | undefined;
  readonly #processesMax: number;
  /** By pid, in the order of last use. */
  readonly #processes = new Map<number, ProcessFacts & { readonly parentPid?: number }>();
  readonly #paths = new Map<bigint, string>();
  #walkedMs = Number.NEGATIVE_INFINITY;
  #walking: Promise<void> | undefined;

  constructor({ proc = '/proc', cgroups, processesMax = 16_384 }: AttributionOptions) {
    this.#proc = proc;
    this.#cgroups = cgroups;
    this.#processesMax = processesMax;
  }

  /** A program began: from now on that is what the pid is. */
  began(event: Subject): void {
    const facts = {
      ...factsOf(event),
      ...argumentsOf(this.#proc, event.pid),
      ...(event.parent === undefined ? {} : { parentPid: event.parent }),
    };
    this.#remember(event.pid, facts);
  }

  ended(pid: number): void {
    this.#processes.delete(pid);
  }

  /** `nowMs`: monotonic. Synchronous and cheap: what has to be searched for is there for the events after this one. */
  of(event: Subject, nowMs: number): Attribution {
    // The kernel itself, or a packet that came in: no process was running for it.
    if (event.pid === 0) return { unknown: 'no process: the kernel handled a packet' };
    const known = this.#processes.get(event.pid) ?? this.#read(event);
    const parentPid = event.parent ?? known.parentPid;
    const parent = parentPid === undefined || parentPid === 0 ? undefined : this.#parent(parentPid);
    const { parentPid: _, ...process } = { ...known, ...factsOf(event) };
    const path = this.#pathOf(event, nowMs);
    return {
      process,
      ...(parent === undefined ? {} : { parent }),
      ...(path === undefined ? {} : { cgroup: path, ...containerOf(path) }),
      ...(path === undefined ? { unknown: this.#whyNoCgroup() } : {}),
    };
  }

  get size(): number {
    return this.#processes.size;
  }

  #parent(pid: number): ProcessFacts {
    const { parentPid: _, ...facts } = this.#processes.get(pid) ?? this.#read({ pid, cgroup: 0n });
    return facts;
  }

  #whyNoCgroup(): string {
    return this.#cgroups === undefined
      ? 'cgroup: no cgroup 2 tree is mounted'
      : 'cgroup: it is gone, or in a tree that is not seen from here';
  }

  /** A process that began before the agent, or whose exec event was lost. */
  #read(event: Subject): ProcessFacts & { readonly parentPid?: number } {
    const { pid } = event;
    const stat = textOf(join(this.#proc, String(pid), 'stat'));
    // `pid (command) state ppid …`: the command may hold brackets and spaces.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    const parent = Number(fields?.[1] ?? 0);
    const command = stat?.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const path = linkOf(join(this.#proc, String(pid), 'exe'));
    const facts = {
      ...factsOf(event),
      ...(command === undefined || event.command !== undefined ? {} : { command }),
      ...(path === undefined ? {} : { path }),
      ...argumentsOf(this.#proc, pid),
      ...(parent > 0 ? { parentPid: parent } : {}),
    };
    if (stat !== undefined) this.#remember(pid, facts);
    return facts;
  }

  #remember(pid: number, facts: ProcessFacts & { readonly parentPid?: number }): void {
    this.#processes.delete(pid);
    this.#processes.set(pid, facts);
    if (this.#processes.size <= this.#processesMax) return;
    const oldest = this.#processes.keys().next();
    if (!oldest.done) this.#processes.delete(oldest.value);
  }

  /** The path of a cgroup of which the kernel gave the number (the inode of its folder). */
  #pathOf({ pid, cgroup }: Subject, nowMs: number): string | undefined {
    const known = this.#paths.get(cgroup);
    if (known !== undefined) return known;
    // While the process is there, it says so itself.
    const own = cgroupOf(this.#proc, pid);
    if (own !== undefined) {
      if (this.#cgroups !== undefined && inodeOf(join(this.#cgroups, own)) === cgroup) this.#learn(cgroup, own);
      if (cgroup === 0n || this.#paths.get(cgroup) === own) return own;
    }
    this.#walk(nowMs);
    return undefined;
  }

  #learn(cgroup: bigint, path: string): void {
    if (this.#paths.size >= cgroupsMax) this.#paths.clear();
    this.#paths.set(cgroup, path);
  }

  /** Finds the numbers of all cgroups, in the background. */
  #walk(nowMs: number): void {
    const root = this.#cgroups;
    if (root === undefined || this.#walking !== undefined || nowMs - this.#walkedMs < walkEveryMs) return;
    this.#walkedMs = nowMs;
    this.#walking = this.#walkFrom(root).finally(() => {
      this.#walking = undefined;
    });
  }

  async #walkFrom(root: string): Promise<void> {
    const waiting = ['/'];
    for (let path = waiting.pop(); path !== undefined && this.#paths.size < cgroupsMax; path = waiting.pop()) {
      const folder = join(root, path);
      const inode = inodeOf(folder);
      if (inode === undefined) continue;
      this.#learn(inode, path);
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) if (entry.isDirectory()) waiting.push(join(path, entry.name));
    }
  }
}

function factsOf({ pid, startNs, uid, command, path }: Subject): ProcessFacts {
  return {
    pid,
    ...(startNs === undefined ? {} : { start: String(startNs) }),
    ...(uid === undefined ? {} : { uid }),
    ...(command === undefined ? {} : { command }),
    ...(path === undefined ? {} : { path }),
  };
}

export function containerOf(path: string): Pick<Attribution, 'container' | 'unit'> {
  const container = containerPattern.exec(path)?.[1];
  const unit = [...path.matchAll(unitPattern)].at(-1)?.[1];
  return {
    ...(container === undefined ? {} : { container }),
    ...(unit === undefined || container !== undefined ? {} : { unit }),
  };
}

/** `0::/path` is the line of cgroup 2. */
function cgroupOf(proc: string, pid: number): string | undefined {
  return /^0::(\/.*)$/mu.exec(textOf(join(proc, String(pid), 'cgroup')) ?? '')?.[1];
}

function argumentsOf(proc: string, pid: number): Pick<ProcessFacts, 'arguments'> {
  const text = textOf(join(proc, String(pid), 'cmdline'));
  if (text === undefined || text === '') return {};
  return { arguments: text.replaceAll('\0', ' ').trim().slice(0, argumentsMax) };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // the process is gone, or is not ours to look at
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function inodeOf(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
  } catch {
    return undefined; // not ours to look at, or going
  }
}
