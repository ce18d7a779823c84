import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentEvent } from './telemetry/event.ts';

/**
 * What can be seen without the kernel's help: /proc, read every so often. What begins and ends between two looks is missed, nothing is
 * enforced, and every event says so by its origin.
 */
export type ProcWatchOptions = {
  readonly host: string;
  readonly everyMs: number;
  readonly wallMs: () => number;
  readonly seen: (event: AgentEvent) => void;
  /** `/proc`, or what stands in its place. */
  readonly proc?: string;
};

/** Of one look. A host with more is looked at in part, and says so. */
const processesMax = 32_768;
const listenersMax = 16_384;
/** state of /proc/net/tcp: 0A is LISTEN (include/net/tcp_states.h). */
const listening = '0A';

export class ProcWatch {
  readonly #options: ProcWatchOptions;
  readonly #proc: string;
  #processes: Map<string, string> | undefined;
  #listeners: Set<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ProcWatchOptions) {
    this.#options = options;
    this.#proc = options.proc ?? '/proc';
  }

  /** The first look only learns what is there. False where there is no /proc. */
  async start(): Promise<boolean> {
    if (!(await this.look())) return false;
    this.#next();
    return true;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #next(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      void this.look().finally(() => this.#next());
    }, this.#options.everyMs);
  }

  async look(): Promise<boolean> {
    const processes = await this.#lookAtProcesses();
    if (processes === undefined) return false;
    const before = this.#processes;
    this.#processes = processes;
    for (const [key, command] of processes)
      if (before !== undefined && !before.has(key)) await this.#began(key, command);
    for (const [key, command] of before ?? []) if (!processes.has(key)) this.#tell('process.exit', key, command);
    await this.#lookAtListeners();
    return true;
  }

  /** `pid/start` → command: a pid that is used again is another process. */
  async #lookAtProcesses(): Promise<Map<string, string> | undefined> {
    const names = await readdir(this.#proc).catch(() => undefined);
    if (names === undefined || !names.includes('self')) return undefined;
    const all = names.filter((name) => /^[1-9][0-9]*$/u.test(name));
    const pids = all.slice(0, processesMax);
    if (all.length > pids.length) this.#tellUnseen(all.length - pids.length);
    const found = new Map<string, string>();
    for (const pid of pids) {
      const stat = await readFile(join(this.#proc, pid, 'stat'), 'utf8').catch(() => undefined);
      if (stat === undefined) continue;
      const end = stat.lastIndexOf(')');
      const start = stat.slice(end + 2).split(' ')[19] ?? '';
      found.set(`${pid}/${start}`, stat.slice(stat.indexOf('(') + 1, end));
    }
    return found;
  }

  #tellUnseen(count: number): void {
    const { host, wallMs, seen } = this.#options;
    seen({ time: wallMs(), host, kind: 'telemetry.loss', origin: 'proc', reason: 'proc', detail: 'processes', count });
  }

  async #began(key: string, command: string): Promise<void> {
    const [pid = ''] = key.split('/');
    const path = await readlink(join(this.#proc, pid, 'exe')).catch(() => undefined);
    const text = await readFile(join(this.#proc, pid, 'cmdline'), 'utf8').catch(() => '');
    this.#tell('process.exec', key, command, {
      ...(path === undefined ? {} : { path }),
      ...(text === '' ? {} : { arguments: text.replaceAll('\0', ' ').trim().slice(0, 256) }),
    });
  }

  #tell(kind: 'process.exec' | 'process.exit', key: string, command: string, more: object = {}): void {
    const { host, wallMs, seen } = this.#options;
    const process = { pid: Number(key.split('/')[0]), command, ...more };
    seen({ time: wallMs(), host, kind, origin: 'proc', process });
  }

  async #lookAtListeners(): Promise<void> {
    const found = new Set<string>();
    for (const file of ['tcp', 'tcp6']) {
      const text = await readFile(join(this.#proc, 'net', file), 'utf8').catch(() => '');
      for (const line of text.split('\n').slice(1, listenersMax)) {
        const [, local = '', , state] = line.trim().split(/\s+/u);
        if (state === listening) found.add(`${file} ${Number.parseInt(local.split(':')[1] ?? '0', 16)}`);
      }
    }
    const before = this.#listeners;
    this.#listeners = found;
    if (before === undefined) return;
    const { host, wallMs, seen } = this.#options;
    for (const each of found) {
      if (before.has(each)) continue;
      const [family, port] = each.split(' ');
      const source = family === 'tcp6' ? '::' : '0.0.0.0';
      seen({
        time: wallMs(),
        host,
        kind: 'net.bind',
        origin: 'proc',
        flow: { protocol: 'tcp', source, sourcePort: Number(port) },
        unknown: 'process: /proc does not say who listens',
      });
    }
  }
}
