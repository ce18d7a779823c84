import { closeSync, constants, openSync } from 'node:fs';
import { codeOf, messageOf, WeftError } from '../codec/error.ts';
import { lockFolder } from '../ledger/folderLock.ts';
import type { Kernel } from './bpf/kernel.ts';
import { errnoName } from './bpf/native.ts';
import { makePinFolder } from './bpf/pins.ts';

// Two agents on one host would each make the kernel's table what its own book says: routes would open and close in turns. Both locks are the
// operating system's, so that they go with the process, however it dies; no stale file stands in the way of the next one.

/** One agent on one state folder. @throws WeftError AGENT_LOCKED, AGENT_STATE_UNUSABLE, DATA_DAMAGED, DISK_* */
export async function lockState(folder: string): Promise<() => Promise<void>> {
  try {
    return await lockFolder(folder, () => locked(folder, `stop it, or give this one a folder of its own ('state')`));
  } catch (error) {
    if (codeOf(error) !== 'DATA_UNREADABLE') throw error;
    throw new WeftError(
      'AGENT_STATE_UNUSABLE',
      `the state folder ${folder} cannot be used (${messageOf(error)}): give it to the user of the agent, or name another ('state')`,
      { folder },
    );
  }
}

/**
 * One agent on one folder of pins: flock(2) of the folder itself, which nobody else may open. `release`, `mode` and `routes` do not take it:
 * they work beside a running agent.
 * @throws WeftError AGENT_LOCKED, BPF_NO_PINS, BPF_REFUSED
 */
export function lockPins(kernel: Kernel, root: string): () => void {
  makePinFolder(root);
  let fd: number;
  try {
    fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw new WeftError('BPF_NO_PINS', `the folder of pins ${root} cannot be used: ${messageOf(error)}`);
  }
  const result = kernel.native.lock(fd);
  if (result === 0) return () => closeSync(fd);
  closeSync(fd);
  if (errnoName(-result) === 'EAGAIN' || errnoName(-result) === 'EWOULDBLOCK')
    throw locked(root, `stop it, or give this one pins of its own ('gate.pins') and other interfaces`);
  throw new WeftError('BPF_REFUSED', `cannot lock ${root}: ${errnoName(-result)}`, { call: 'flock', errno: -result });
}

function locked(folder: string, remedy: string): WeftError {
  return new WeftError('AGENT_LOCKED', `another agent works on ${folder}: ${remedy}`, { folder });
}
