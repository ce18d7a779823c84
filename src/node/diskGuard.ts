import { open, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { isDiskFull } from '../ledger/diskError.ts';
import type { Log } from './log.ts';

/**
 * Watches the disk of the data folder. Below `minFreeBytes` the node is told to stop before a write fails; once it has stopped, for
 * that or for a write that did fail, the guard waits until there is room and a probe can be written and synced, and then has the
 * node opened anew. Each attempt that fails doubles the wait.
 */
export type DiskGuardOptions = {
  readonly folder: string;
  /** 0: only a write that fails stops the node. */
  readonly minFreeBytes: number;
  readonly everyMs: number;
};

export type DiskGuardModules = {
  /** Bytes that this process may still write to the disk of `folder`. */
  readonly freeBytes: (folder: string) => Promise<number>;
  /** Writes, syncs and removes a file in `folder`. Rejects as the disk does. */
  readonly probe: (folder: string) => Promise<void>;
  readonly stop: (code: 'DISK_FULL', detail: string) => void;
  /** Opens the node anew. Rejects when that fails; it is tried again. */
  readonly resume: () => Promise<void>;
  readonly log: Log;
  readonly monotonicMs: () => number;
};

const waitMsMax = 60_000;
/** A disk that holds for so long after a resumption is trusted again. */
const steadyMs = 60_000;
const probeBytes = 1024 * 1024;

export class DiskGuard {
  readonly #options: DiskGuardOptions;
  readonly #modules: DiskGuardModules;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #waiting: { code: string; sinceMs: number } | undefined;
  #pauseMs: number;
  #nextTryMs = 0;
  #resumedMs = Number.NEGATIVE_INFINITY;
  #closed = false;
  #toldUnknown = false;
  /** While it resumes: the node that was opened has stopped for the disk already. */
  #failedAgain = '';
  /** At the last look; undefined before the first, and when the system does not say. */
  freeBytes: number | undefined;
  /** How often the node was stopped for the disk. */
  stops = 0;

  constructor(options: DiskGuardOptions, modules: DiskGuardModules) {
    this.#options = options;
    this.#modules = modules;
    this.#pauseMs = options.everyMs;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#options.everyMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** A write failed and the node has stopped: DISK_FULL or DISK_FAILED. */
  failed(code: string): void {
    if (this.#waiting !== undefined) this.#failedAgain = code;
    if (this.#waiting !== undefined || this.#closed) return;
    const now = this.#modules.monotonicMs();
    // A disk that fails again soon after it was trusted is trusted more slowly.
    this.#pauseMs = now - this.#resumedMs < steadyMs ? Math.min(waitMsMax, this.#pauseMs * 2) : this.#options.everyMs;
    this.#waiting = { code, sinceMs: now };
    this.#nextTryMs = now + this.#pauseMs;
    this.stops += 1;
    const { folder, minFreeBytes } = this.#options;
    this.#modules.log.error(
      { code, folder, freeBytes: this.freeBytes, needsBytes: this.#enough, minFreeBytes },
      code === 'DISK_FULL'
        ? 'the disk is full: this node has stopped voting; make room, and it goes on by itself'
        : 'the disk fails: this node has stopped voting; look at the disk (dmesg), it goes on by itself when writing works again',
    );
  }

  /** One look at the disk; a call while one is under way shares it. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** A little more than what stops it, so that it does not stop and go with every block. */
  get #enough(): number {
    return Math.ceil(this.#options.minFreeBytes * 1.25);
  }

  async #look(): Promise<void> {
    const { folder, minFreeBytes } = this.#options;
    const { freeBytes, log, monotonicMs, stop } = this.#modules;
    try {
      this.freeBytes = await freeBytes(folder);
    } catch (error) {
      this.freeBytes = undefined;
      if (!this.#toldUnknown) log.warn({ folder, error: String(error) }, 'how full the disk is cannot be asked');
      this.#toldUnknown = true;
    }
    if (this.#closed) return;
    if (this.#waiting === undefined) {
      if (this.freeBytes === undefined || this.freeBytes >= minFreeBytes) return;
      stop(
        'DISK_FULL',
        `${this.freeBytes} bytes are free in ${folder}, fewer than minFreeBytes (${minFreeBytes}); make room for ${this.#enough}`,
      );
      this.failed('DISK_FULL');
      return;
    }
    if (monotonicMs() < this.#nextTryMs || (this.freeBytes ?? this.#enough) < this.#enough) return;
    await this.#resume(this.#waiting);
  }

  async #resume(waiting: { code: string; sinceMs: number }): Promise<void> {
    const { probe, resume, log, monotonicMs } = this.#modules;
    try {
      await probe(this.#options.folder);
      if (this.#closed) return;
      this.#failedAgain = '';
      await resume();
      // What was opened may fail while this waits for it, and stops for good then: it is opened once more.
      if (this.#failedAgain !== '')
        throw new WeftError(this.#failedAgain, 'a write failed as soon as the node was back');
    } catch (error) {
      this.#pauseMs = Math.min(waitMsMax, this.#pauseMs * 2);
      this.#nextTryMs = monotonicMs() + this.#pauseMs;
      const code = error instanceof WeftError ? error.code : isDiskFull(error) ? 'DISK_FULL' : 'DISK_FAILED';
      log.warn({ code, error: String(error), againMs: this.#pauseMs }, 'the disk is not ready yet');
      return;
    }
    this.#waiting = undefined;
    this.#resumedMs = monotonicMs();
    log.info(
      { freeBytes: this.freeBytes, stoppedMs: Math.round(this.#resumedMs - waiting.sinceMs) },
      'the disk is ready again',
    );
  }
}

/** What an ordinary process may still write; a file system that counts no blocks has no bound. */
export async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize, blocks } = await statfs(folder);
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

export async function probeDisk(folder: string): Promise<void> {
  const path = join(folder, 'probe.tmp');
  try {
    const file = await open(path, 'w', 0o600);
    try {
      const bytes = new Uint8Array(probeBytes).fill(0xa5);
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await unlink(path).catch(() => undefined);
  }
}
