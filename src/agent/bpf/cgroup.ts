import { closeSync, openSync, readFileSync } from 'node:fs';
import { WeftError } from '../../codec/error.ts';

/** Where the one tree of cgroup 2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside the old ones. */
export function cgroupRoot(): string | undefined {
  try {
    for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
      const [, at, type] = line.split(' ');
      if (type === 'cgroup2' && at !== undefined) return at;
    }
  } catch {
    return undefined; // no /proc: no cgroups that we could name
  }
  return undefined;
}

/** Calls back with a descriptor of the cgroup at `path`, or of all processes. @throws BPF_NO_CGROUP */
export function withCgroup<T>(path: string | undefined, use: (fd: number) => T): T {
  const folder = path ?? cgroupRoot();
  if (folder === undefined)
    throw new WeftError('BPF_NO_CGROUP', 'no cgroup 2 tree is mounted here: mount -t cgroup2 none /sys/fs/cgroup');
  let fd: number;
  try {
    fd = openSync(folder, 'r');
  } catch (error) {
    throw new WeftError(
      'BPF_NO_CGROUP',
      `cannot open cgroup ${folder}: ${error instanceof Error ? error.message : error}`,
    );
  }
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
