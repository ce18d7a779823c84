// Something to restart: a real process with a web page, which can hang as real ones do.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const program = `
  const server = require('node:http').createServer((_, answer) => answer.end('open'));
  server.listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port) + '\\n'));
`;
const answerWithinMs = 1_000;

export class Shop {
  #child: ChildProcess | undefined;
  #port = 0;

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
    this.#child = child;
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    this.#port = Number(line.toString());
  }

  /** It is there, and answers nobody. */
  hang(): void {
    this.#child?.kill('SIGSTOP');
  }

  async answers(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}`, { signal: AbortSignal.timeout(answerWithinMs) }).catch(
      () => undefined,
    );
    return answer?.ok === true;
  }

  /** What the grant is for. Answers what it saw. */
  async restart(): Promise<string> {
    const before = this.pid;
    await this.stop();
    await this.start();
    return `process ${before} ended, process ${this.pid} ${(await this.answers()) ? 'answers' : 'is silent'}`;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}
