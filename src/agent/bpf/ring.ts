import { WeftError } from '../../codec/error.ts';
import type { Kernel } from './kernel.ts';
import type { Mapping } from './native.ts';

/** Bits of a record's length (linux/bpf.h): still being written; thrown away by the program. */
const [busyBit, discardBit, headerBytes] = [0x80000000, 0x40000000, 8];

/** Up to this many records at once, and for so long, so that a flood leaves the event loop some air: several rings may be full. */
const recordsAtOnceMax = 8192;
const turnMs = 4;
/** Asking for the time costs as much as a small record. */
const recordsPerLook = 16;

/**
 * The ring buffer of a program, read in place (Documentation/bpf/ringbuf.rst): a page with our position, a page with the
 * kernel's, the data twice in a row so that no record is ever cut in two.
 */
export class Ring {
  readonly #kernel: Kernel;
  readonly #fd: number;
  readonly #size: bigint;
  readonly #ours: Mapping;
  readonly #theirs: Mapping;
  readonly #consumed: BigUint64Array;
  readonly #produced: BigUint64Array;
  readonly #headers: Int32Array;
  readonly #data: Buffer;
  #watch: { close(): void } | undefined;
  #closed = false;
  #draining = false;

  /** `size`: bytes of the ring (its max_entries). @throws BPF_REFUSED */
  constructor(kernel: Kernel, fd: number, size: number) {
    const { pageBytes } = kernel.native;
    this.#kernel = kernel;
    this.#fd = fd;
    this.#size = BigInt(size);
    this.#ours = kernel.native.map(fd, 0, pageBytes, true);
    try {
      this.#theirs = kernel.native.map(fd, pageBytes, pageBytes + 2 * size, false);
    } catch (error) {
      this.#ours.unmap();
      throw error;
    }
    this.#consumed = new BigUint64Array(this.#ours.bytes, 0, 1);
    this.#produced = new BigUint64Array(this.#theirs.bytes, 0, 1);
    this.#headers = new Int32Array(this.#theirs.bytes, pageBytes, size / 2);
    this.#data = Buffer.from(this.#theirs.bytes, pageBytes, 2 * size);
  }

  /**
   * Hands over what is there, at most `max` records, and none begun after `withinMs`, oldest first. The bytes are valid only in the
   * callback. A record whose callback throws is taken all the same, and the error goes on to the caller.
   * @returns how many
   */
  drain(
    onRecord: (bytes: Buffer, at: number, length: number) => void,
    max = recordsAtOnceMax,
    withinMs = Number.POSITIVE_INFINITY,
  ): number {
    if (this.#closed) throw new WeftError('BPF_CLOSED', 'the ring buffer is closed');
    if (this.#draining) throw new WeftError('BPF_CLOSED', 'the ring buffer is being drained already');
    let position = Atomics.load(this.#consumed, 0);
    const end = Atomics.load(this.#produced, 0);
    const until = performance.now() + withinMs;
    let taken = 0;
    let looked = 0;
    this.#draining = true;
    while (position < end && taken < max && !this.#closed) {
      looked += 1;
      if (looked % recordsPerLook === 0 && performance.now() >= until) break;
      const at = Number(position & (this.#size - 1n));
      const header = Atomics.load(this.#headers, at >> 2);
      if ((header & busyBit) !== 0) break;
      const length = header & 0x3fffffff;
      position += BigInt((length + headerBytes + 7) & ~7);
      try {
        if ((header & discardBit) === 0) {
          taken += 1;
          onRecord(this.#data, at + headerBytes, length);
        }
      } catch (error) {
        this.#release(position);
        throw error;
      }
      Atomics.store(this.#consumed, 0, position);
    }
    this.#release(position);
    return taken;
  }

  /** After the last record of a turn: a callback may have closed the ring, whose memory was still being read then. */
  #release(position: bigint): void {
    this.#draining = false;
    Atomics.store(this.#consumed, 0, position);
    if (this.#closed) this.#unmap();
  }

  /** Drains whenever there is something, until `close`. What a callback throws is an uncaught exception. */
  watch(onRecord: (bytes: Buffer, at: number, length: number) => void): void {
    this.#watch?.close();
    this.#watch = this.#kernel.native.watch(this.#fd, () => {
      // It is readable still while anything is left: the next turn goes on.
      if (!this.#closed) this.drain(onRecord, recordsAtOnceMax, turnMs);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch?.close();
    if (!this.#draining) this.#unmap();
  }

  #unmap(): void {
    this.#ours.unmap();
    this.#theirs.unmap();
  }
}
