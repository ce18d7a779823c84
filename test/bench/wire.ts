import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Bytes that processes have sent each other over TCP since their connections began, as the kernel counts them: what is encrypted, framed
 * and repeated is in it, what clients send and get is not. The same for every engine. Undefined where `ss` (iproute2) is not there.
 */
export async function wireBytes(pids: readonly number[]): Promise<number | undefined> {
  try {
    // One line a socket: state, queues, local and remote address, users:((name,pid=…)), and what the kernel knows.
    const { stdout } = await run('ss', ['-tinHpO'], { maxBuffer: 64 * 1024 * 1024 });
    return sumBetween(stdout, new Set(pids));
  } catch {
    return undefined;
  }
}

/** @internal for its test */
export function sumBetween(text: string, pids: ReadonlySet<number>): number {
  const sent = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, , , local, remote] = line.split(/\s+/);
    const pid = Number(/pid=(\d+)/.exec(line)?.[1] ?? 0);
    if (local === undefined || remote === undefined || !pids.has(pid)) continue;
    sent.set(`${local} ${remote}`, Number(/\bbytes_sent:(\d+)/.exec(line)?.[1] ?? 0));
  }
  let sum = 0;
  for (const [pair, bytes] of sent) {
    const [local, remote] = pair.split(' ');
    // The other end is one of these processes, too.
    if (sent.has(`${remote} ${local}`)) sum += bytes;
  }
  return sum;
}
