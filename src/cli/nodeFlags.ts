/**
 * How Node is started for a process that runs for months. Most of what a node uses and forgets are buffers. They lie in the C heap, outside
 * of the JavaScript heap, and are given back when the small objects that name them are collected. V8 is in no hurry with those: at twenty
 * transactions a second it lets a hundred megabytes of buffers wait, and the C heap keeps the size that it once had.
 * Measured in docs/reliability.md: a third less memory, for no more CPU time.
 */
export type NodeStart = {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** `start`: a node. `audit`: a replay, which ends. `v8`: its version. A flag that V8 does not know ends the process, and these are no promise of V8, so only known ones get more than the first. */
export function nodeStart(what: 'start' | 'audit' = 'start', v8: string = process.versions.v8): NodeStart {
  return {
    flags: [
      // Young objects: 16 MiB instead of up to 64, so that they are collected sooner. A replay makes thousands of times as many as are in use
      // at a time: with three times the space from the beginning a third as many collections copy half a block each.
      ...(what === 'audit' ? ['--max-semi-space-size=24', '--min-semi-space-size=24'] : ['--max-semi-space-size=8']),
      ...(v8.startsWith('14.')
        ? [
            // Old ones: buffers count as what they are, heap; V8 would wait for 64 MiB of them.
            '--external-memory-accounted-in-global-limit',
            // Of 16 MiB young objects about one is still in use: copied in a millisecond by the thread that waits for it. Handing parts of it to
            // four more costs more than it saves, and where cores are busy, waiting for them costs votes their turn.
            '--no-parallel-scavenge',
            // A major collection when the old objects and buffers are half as much again as what was live, not up to four times: at a
            // thousand transactions a second 50 MiB less for one collection (20 ms, most of it beside) in five seconds.
            '--heap-growing-percent=50',
            // Cedar's functions are compiled anew, optimised, after ten times as much work as V8 would wait for. Else a start compiles for as long
            // as it takes to load a policy set, what is of no use to it, and leaves the C heap 25 MiB larger for good.
            '--wasm-tiering-budget=130000000',
          ]
        : []),
    ],
    // glibc: not one heap for each of a dozen threads, with holes of its own.
    env: { MALLOC_ARENA_MAX: '2' },
  };
}

type Process = Pick<NodeJS.Process, 'argv' | 'env' | 'execArgv' | 'execPath'> & {
  readonly channel?: unknown;
  execve?(file: string, args: readonly string[], env: NodeJS.ProcessEnv): never;
};

/**
 * Begins this program anew as `nodeStart` says: the same process, with the same id and the same files. Returns where that is so already,
 * where somebody chose flags of his own for it (also in NODE_OPTIONS), where a parent talks to it over a channel, which would be cut, and
 * on Windows.
 */
export function startAnew(what: 'start' | 'audit', own: Process = process): void {
  const { flags, env } = nodeStart(what);
  const said = [...own.execArgv, own.env['NODE_OPTIONS'] ?? ''].join(' ');
  const missing = flags.filter((flag) => !said.includes(flag.split('=', 1)[0] ?? flag));
  if (missing.length < flags.length || own.channel !== undefined || own.execve === undefined) return;
  const args = [own.execPath, ...missing, ...own.execArgv, ...own.argv.slice(1)];
  own.execve(own.execPath, args, { ...env, ...own.env });
}
