import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

/** Runs the command line as a user does: a process of its own, without a terminal. */
export function weft(
  args: readonly string[],
  options: { readonly input?: string; readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Promise<Ran> {
  // Many starts of one program: what was compiled once is not compiled again.
  const compiled = { NODE_COMPILE_CACHE: join(tmpdir(), 'weft-cli-compiled') };
  const env: NodeJS.ProcessEnv = { ...process.env, ...compiled, ...options.env };
  if (options.env?.['WEFT_PASSPHRASE'] === undefined) delete env['WEFT_PASSPHRASE'];
  const child = spawn(process.execPath, [main, ...args], {
    env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  child.stdin.end(options.input ?? '');
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}
