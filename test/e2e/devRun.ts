import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** `npm start` as somebody who has just cloned the repository runs it, in a folder of its own. */

export const root = join(import.meta.dirname, '..', '..');

/** What `weft dev --json` prints once it is ready (README.md). */
export type Ready = {
  readonly ready: true;
  readonly chain: string;
  readonly origin: string;
  readonly home: string;
  readonly rpc: readonly string[];
  readonly logKeys: readonly string[];
  readonly cosigners: readonly string[];
  readonly quorum: number;
  readonly trust: string;
  readonly pids: readonly number[];
};

export type BlockLine = { readonly block: { readonly height: number; readonly blockId: string } };

export class DevRun {
  readonly dir: string;
  readonly basePort: number;
  readonly lines: unknown[] = [];
  said = '';
  #child: ChildProcess | undefined;

  constructor(dir: string, basePort: number) {
    this.dir = dir;
    this.basePort = basePort;
  }

  static folder(): string {
    return mkdtempSync(join(tmpdir(), 'weft-dev-'));
  }

  /** Environment in which commands of a clone work on `dir` instead of the clone. */
  get env(): NodeJS.ProcessEnv {
    return { ...process.env, WEFT_CWD: this.dir };
  }

  /** Resolves with the ready line. */
  async start(...args: string[]): Promise<Ready> {
    const all = ['start', '-s', '--prefix', root, '--', '--json', '--base-port', String(this.basePort), ...args];
    const child = spawn('npm', all, { cwd: root, env: this.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    this.lines.length = 0;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(JSON.parse(line)));
    for (const until = Date.now() + 90_000; Date.now() < until; await sleep(50)) {
      if (this.lines.length > 0) return this.lines[0] as Ready;
      if (child.exitCode !== null) break;
    }
    throw new Error(`no ready line; it said: ${this.said}`);
  }

  get blocks(): readonly BlockLine[] {
    return this.lines.slice(1) as BlockLine[];
  }

  /** Ctrl-C: the terminal sends SIGINT to the whole group. Resolves with the exit code of `npm`. */
  async interrupt(): Promise<number | null> {
    const child = this.#child;
    if (child?.pid === undefined) throw new Error('not started');
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    process.kill(-child.pid, 'SIGINT');
    return gone;
  }

  /** Every process of the group dies at once, without a word. */
  async killParent(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-child.pid, 'SIGKILL');
    await gone;
  }

  async remove(pids: readonly number[]): Promise<void> {
    await this.killParent();
    for (const pid of pids) if (isOurs(pid, this.dir)) process.kill(pid, 'SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The process runs, and works on this folder: a number alone may belong to somebody else by now. */
function isOurs(pid: number, dir: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dir);
  } catch {
    return false;
  }
}

/** Every process whose command line names this folder. */
export function processesOf(dir: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isOurs(pid, dir));
}
