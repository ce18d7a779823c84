import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { nodeStart } from './nodeFlags.ts';

/** Four validators are four processes. One that dies is started again; what it said last is kept for people. */

export type Member = {
  readonly name: string;
  readonly config: string;
  readonly logFile: string;
};

type Running = { readonly member: Member; child: ChildProcess | undefined; deaths: number; tail: string };

const main = join(import.meta.dirname, `main.${import.meta.filename.endsWith('.ts') ? 'ts' : 'js'}`);
const restartAfterMs = 1000;
const stopWithinMs = 5000;
/** A process that dies so often has a reason that starting again does not mend. */
const deathsMax = 20;

export class DevProcesses {
  readonly #running: Running[];
  readonly #note: (text: string) => void;
  #stopping = false;

  constructor(members: readonly Member[], note: (text: string) => void) {
    this.#running = members.map((member) => ({ member, child: undefined, deaths: 0, tail: '' }));
    this.#note = note;
  }

  start(): void {
    for (const each of this.#running) this.#spawn(each);
  }

  /** Process ids in order; 0 for one that is not running at the moment. */
  get pids(): number[] {
    return this.#running.map(({ child }) => child?.pid ?? 0);
  }

  /** What a member said last on standard error. */
  tailOf(name: string): string {
    return this.#running.find(({ member }) => member.name === name)?.tail ?? '';
  }

  /** True when a member has died too often and stays dead. */
  get givenUp(): string | undefined {
    return this.#running.find(({ deaths }) => deaths > deathsMax)?.member.name;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#running.map(({ child }) => {
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return undefined;
        return new Promise<void>((resolve) => {
          const kill = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
          child.once('exit', () => {
            clearTimeout(kill);
            resolve();
          });
          child.kill('SIGTERM');
        });
      }),
    );
  }

  #spawn(each: Running): void {
    // The channel (ipc) is how a member learns that this process is gone, however it went.
    const { flags, env } = nodeStart();
    const args = [...process.execArgv, ...flags, main, 'start', '--config', each.member.config];
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...env, ...process.env, WEFT_LOG_FILE: each.member.logFile },
      // Ctrl-C is for us: we stop the members in order.
      detached: true,
    });
    each.child = child;
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => {
      each.tail = (each.tail + text).slice(-4000);
    });
    child.on('error', (error) => {
      each.tail = error.message;
    });
    child.on('exit', (code, signal) => {
      each.child = undefined;
      if (this.#stopping) return;
      each.deaths += 1;
      const why = each.tail.trim().split('\n').at(-1) ?? '';
      this.#note(`${each.member.name} ended (${signal ?? `exit ${code}`})${why === '' ? '' : `: ${why}`}`);
      if (each.deaths > deathsMax) return;
      setTimeout(() => {
        if (!this.#stopping) this.#spawn(each);
      }, restartAfterMs);
    });
  }
}
