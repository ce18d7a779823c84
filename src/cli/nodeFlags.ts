/**
 * How Node is started for a process that runs for months. Buffers lie outside of the JavaScript heap and are given back when the small
 * objects that name them are collected. V8 lets the space of young objects grow to 64 MiB, and at a few transactions a second it is full
 * once in minutes: by then a hundred megabytes of buffers that nobody needs lie in the C heap, which keeps what it once had.
 * With 16 MiB they are collected sooner, a node needs a quarter less memory, and no more CPU time (docs/reliability.md).
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=8'];

type Process = Pick<NodeJS.Process, 'argv' | 'env' | 'execArgv' | 'execPath'> & {
  readonly channel?: unknown;
  execve?(file: string, args: readonly string[], env: NodeJS.ProcessEnv): never;
};

/**
 * Begins this program anew with `nodeFlags`: the same process, with the same id and the same files. Returns where it has them, where
 * somebody chose others (also in NODE_OPTIONS), where a parent talks to it over a channel, which would be cut, and on Windows.
 */
export function takeNodeFlags(own: Process = process): void {
  const said = [...own.execArgv, own.env['NODE_OPTIONS'] ?? ''].join(' ');
  const missing = nodeFlags.filter((flag) => !said.includes(flag.split('=', 1)[0] ?? flag));
  if (missing.length === 0 || own.channel !== undefined || own.execve === undefined) return;
  own.execve(own.execPath, [own.execPath, ...missing, ...own.execArgv, ...own.argv.slice(1)], own.env);
}
