// Builds and runs the Go verifier of test/interop/go, for any test that has a log to show.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const source = join(import.meta.dirname, 'go');

export type Verifier =
  | { readonly binary: string }
  /** Why there is none on this machine: tests that need it are skipped with this text. */
  | { readonly reason: string };

/** Compiles it once per state of its sources; modules come through the Go module proxy, pinned by go.sum. */
export async function buildVerifier(): Promise<Verifier> {
  const digest = createHash('sha256');
  for (const file of readdirSync(source).sort()) digest.update(file).update(readFileSync(join(source, file)));
  const folder = join(tmpdir(), `weft-verifylog-${digest.digest('hex').slice(0, 16)}`);
  const binary = join(folder, 'verifylog');
  if (existsSync(binary)) return { binary };
  const options = { cwd: source, timeout: 300_000, env: { ...process.env, GOFLAGS: '-mod=readonly' } };
  try {
    await run('go', ['version'], options);
  } catch {
    return { reason: 'Go is not installed' };
  }
  try {
    await run('go', ['mod', 'download'], options);
  } catch (error) {
    return { reason: `Go modules cannot be downloaded: ${firstLine(error)}` };
  }
  mkdirSync(folder, { recursive: true });
  const fresh = `${binary}.${process.pid}`;
  await run('go', ['build', '-o', fresh, '.'], options);
  renameSync(fresh, binary);
  return { binary };
}

/** What it printed, and whether everything held. Asynchronous: `-url` may point at a server in this very process. */
export async function verifyLog(
  binary: string,
  args: readonly string[],
): Promise<{ readonly ok: boolean; readonly output: string }> {
  try {
    const { stdout, stderr } = await run(binary, [...args], { timeout: 120_000 });
    return { ok: true, output: stdout + stderr };
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return { ok: false, output: `${stdout}${stderr}` };
  }
}

function firstLine(error: unknown): string {
  const { stderr } = error as { stderr?: string };
  return (stderr || String(error)).trim().split('\n')[0] ?? '';
}
