import { readFileSync } from 'node:fs';
import { WeftError } from '../../codec/error.ts';
import { type Kernel, refused } from './kernel.ts';

const [ENOENT, ENOSPC] = [2, 28];

/** What the kernel says of a map; the sizes that everything below relies on. */
function mapInfo(kernel: Kernel, fd: number): { keyBytes: number; valueBytes: number; entries: number } {
  const info = kernel.info(fd, 32);
  return { keyBytes: info.readUInt32LE(8), valueBytes: info.readUInt32LE(12), entries: info.readUInt32LE(16) };
}

function checkSizes(kernel: Kernel, name: string, fd: number, keyBytes: number, valueBytes: number): void {
  const info = mapInfo(kernel, fd);
  if (info.keyBytes === keyBytes && info.valueBytes === valueBytes) return;
  throw new WeftError(
    'BPF_ABI',
    `map ${name} has keys of ${info.keyBytes} and values of ${info.valueBytes} bytes, this build takes ${keyBytes} and ${valueBytes}; ` +
      'it was made by another build',
    { map: name },
  );
}

/** A hash or array map. The kernel is handed our own buffers only, so a wrong size never reaches it. */
export class BpfMap {
  readonly fd: number;
  readonly #kernel: Kernel;
  readonly #name: string;
  readonly #key: Buffer;
  readonly #value: Buffer;
  readonly #one: Buffer;
  readonly #delete: Buffer;

  /** @throws BPF_ABI when the map has other sizes */
  constructor(kernel: Kernel, name: string, fd: number, keyBytes: number, valueBytes: number) {
    checkSizes(kernel, name, fd, keyBytes, valueBytes);
    this.fd = fd;
    this.#kernel = kernel;
    this.#name = name;
    this.#key = Buffer.alloc(keyBytes);
    this.#value = Buffer.alloc(valueBytes);
    this.#one = kernel.attr(32, [0, 4, fd], [8, 8, this.#key], [16, 8, this.#value]);
    this.#delete = kernel.attr(16, [0, 4, fd], [8, 8, this.#key]);
  }

  #take(name: 'key' | 'value', bytes: Buffer, into: Buffer): void {
    if (bytes.length !== into.length)
      throw new WeftError('BPF_ABI', `a ${name} of ${this.#name} has ${into.length} bytes, not ${bytes.length}`);
    bytes.copy(into);
  }

  /** @returns a copy of the value, or undefined */
  get(key: Buffer): Buffer | undefined {
    this.#take('key', key, this.#key);
    const result = this.#kernel.try('mapLookup', this.#one);
    if (result === -ENOENT) return undefined;
    if (result < 0) throw refused(`look up in ${this.#name}`, -result);
    return Buffer.from(this.#value);
  }

  /** @throws BPF_REFUSED; errno E2BIG (7) when a hash is full */
  set(key: Buffer, value: Buffer): void {
    this.#take('key', key, this.#key);
    this.#take('value', value, this.#value);
    this.#kernel.call('mapUpdate', this.#one, `write to ${this.#name}`);
  }

  /** @returns whether it was there */
  delete(key: Buffer): boolean {
    this.#take('key', key, this.#key);
    const result = this.#kernel.try('mapDelete', this.#delete);
    if (result < 0 && result !== -ENOENT) throw refused(`delete from ${this.#name}`, -result);
    return result >= 0;
  }

  /** Keys and values one behind the other, `count` of each. @throws BPF_REFUSED, when some are in already */
  setMany(keys: Buffer, values: Buffer, count: number): void {
    if (count === 0) return;
    if (keys.length !== count * this.#key.length || values.length !== count * this.#value.length)
      throw new WeftError('BPF_ABI', `a batch of ${count} for ${this.#name} has other sizes than the map`);
    const batch = this.#kernel.attr(56, [16, 8, keys], [24, 8, values], [32, 4, count], [36, 4, this.fd]);
    this.#kernel.call('mapUpdateBatch', batch, `write ${count} to ${this.#name}`);
  }

  /** Calls back with each entry; the buffers are valid only in the callback. `batch`: entries asked for at once. */
  each(onEntry: (key: Buffer, value: Buffer) => void, batch = 4096): void {
    const [keyBytes, valueBytes] = [this.#key.length, this.#value.length];
    // The position is 4 bytes for a hash and a key for an array.
    const position = Buffer.alloc(Math.max(8, keyBytes));
    let started = false;
    for (;;) {
      const keys = Buffer.alloc(batch * keyBytes);
      const values = Buffer.alloc(batch * valueBytes);
      const argument = this.#kernel.attr(
        56,
        [0, 8, started ? position : 0],
        [8, 8, position],
        [16, 8, keys],
        [24, 8, values],
        [32, 4, batch],
        [36, 4, this.fd],
      );
      const result = this.#kernel.try('mapLookupBatch', argument);
      if (result === -ENOSPC) {
        batch *= 2; // one bucket of the hash holds more than was asked for
        continue;
      }
      if (result < 0 && result !== -ENOENT) throw refused(`read ${this.#name}`, -result);
      const count = argument.readUInt32LE(32);
      for (let i = 0; i < count; i++)
        onEntry(keys.subarray(i * keyBytes, (i + 1) * keyBytes), values.subarray(i * valueBytes, (i + 1) * valueBytes));
      if (result === -ENOENT) return;
      started = true;
    }
  }
}

/** How many CPUs the kernel keeps a copy for (`0-3` → 4). */
function possibleCpus(): number {
  const text = readFileSync('/sys/devices/system/cpu/possible', 'latin1').trim();
  return Number(/(\d+)$/.exec(text)?.[1] ?? 0) + 1;
}

/** An array of counters, one copy for each CPU. */
export class CounterMap {
  readonly #kernel: Kernel;
  readonly #fd: number;
  readonly #name: string;
  readonly #cpus = possibleCpus();

  /** @throws BPF_ABI when the map has other sizes */
  constructor(kernel: Kernel, name: string, fd: number) {
    checkSizes(kernel, name, fd, 4, 8);
    this.#kernel = kernel;
    this.#name = name;
    this.#fd = fd;
  }

  /** Sum over the CPUs. */
  read(index: number): bigint {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(index);
    const values = Buffer.alloc(8 * this.#cpus);
    const argument = this.#kernel.attr(32, [0, 4, this.#fd], [8, 8, key], [16, 8, values]);
    this.#kernel.call('mapLookup', argument, `read ${this.#name}`);
    let sum = 0n;
    for (let cpu = 0; cpu < this.#cpus; cpu++) sum += values.readBigUInt64LE(8 * cpu);
    return sum;
  }
}
