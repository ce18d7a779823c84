import { WeftError } from '../codec/error.ts';

/** Said by the operating system, or by LevelDB in words. */
const fullCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);
const fullWords = /no space left on device|disk quota exceeded|\bENOSPC\b|\bEDQUOT\b/i;

/** A write, or what caused it, failed for want of room. */
export function isDiskFull(error: unknown): boolean {
  for (let each = error, depth = 0; each instanceof Error && depth < 8; each = each.cause, depth += 1) {
    const { code } = each as NodeJS.ErrnoException;
    if (code === 'DISK_FULL' || fullCodes.has(code ?? '') || fullWords.test(each.message)) return true;
  }
  return false;
}

/** A disk that cannot read or write, or that the system let nobody write to any more. */
const failedCodes: ReadonlySet<string> = new Set(['EIO', 'EROFS', 'ENXIO', 'ENODEV', 'ESTALE']);
const failedWords = /input\/output error|read-only file system/i;

/** DISK_FULL or DISK_FAILED when that is why something failed; '' for every other reason (rights, names, defects). */
export function diskCodeOf(error: unknown): '' | 'DISK_FULL' | 'DISK_FAILED' {
  if (isDiskFull(error)) return 'DISK_FULL';
  for (let each = error, depth = 0; each instanceof Error && depth < 8; each = each.cause, depth += 1) {
    const { code } = each as NodeJS.ErrnoException;
    if (code === 'DISK_FAILED' || failedCodes.has(code ?? '') || failedWords.test(each.message)) return 'DISK_FAILED';
  }
  return '';
}

/**
 * What a failed write means: DISK_FULL passes when there is room again, DISK_FAILED is the disk's own fault. After either nobody
 * knows what the disk holds, so nothing more is written through what failed until it was opened and read anew.
 */
export function diskError(what: string, error: unknown): WeftError {
  const why = error instanceof Error ? error.message : String(error);
  return isDiskFull(error)
    ? new WeftError('DISK_FULL', `${what} cannot be written, the disk is full: ${why}. Make room on it.`)
    : new WeftError(
        'DISK_FAILED',
        `${what} cannot be written: ${why}. Look at the disk (dmesg) and replace it if need be.`,
      );
}
