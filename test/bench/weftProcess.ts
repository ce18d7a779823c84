import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A command as a user runs it: a process of its own, and what that used. */
export type RunOfWeft = {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** What the kernel saw at most. */
  readonly residentMiB: number;
  /** The last line of what it said. */
  readonly last: string;
};

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** `weft` with these arguments. `onLine` hears each line of its output. @throws where its exit code is not 0 */
export async function runWeft(args: readonly string[], onLine: (line: string) => void = () => {}): Promise<RunOfWeft> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-usage-'));
  try {
    const usage = join(dir, 'usage.json');
    const hook = `import{writeFileSync}from'node:fs';process.once('exit',()=>writeFileSync(${JSON.stringify(usage)},JSON.stringify(process.resourceUsage())))`;
    const began = performance.now();
    const child = spawn(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, main, ...args],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exited = new Promise((resolve) => child.once('close', resolve));
    let last = '';
    for await (const line of createInterface({ input: child.stdout })) {
      last = line;
      onLine(line);
    }
    const code = await exited;
    const seconds = (performance.now() - began) / 1000;
    if (code !== 0) throw new Error(`weft ${args[0]} ended with ${code}: ${last}`);
    const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(readFileSync(usage, 'utf8')) as NodeJS.ResourceUsage;
    return { seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, residentMiB: maxRSS / 1024, last };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
