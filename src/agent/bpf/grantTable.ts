import { WeftError } from '../../codec/error.ts';
import {
  describeKey,
  type Grant,
  type GrantKey,
  type GrantValue,
  grantKeyBytes,
  grantValueBytes,
  isExact,
  keyBytes,
  keysOf,
  keyText,
  readValue,
  type Shape,
  shapeOf,
  shapesMax,
  writeShapes,
  writeValue,
} from './grants.ts';
import type { BpfMap } from './map.ts';

/** How many keys go to the kernel in one call. */
const batchMax = 1024;

/** Who grants a key, and until when. Mostly one; the one that ends last is in the kernel. */
type Holder = { readonly id: string; readonly expiresNs: bigint };

/** A key of the kernel's table. `endsInMs`: below 0 it is over. */
export type HeldGrant = Pick<Grant, 'id' | 'source' | 'destination' | 'port' | 'protocol'> & {
  readonly packets: number;
  readonly bytes: number;
  readonly endsInMs: number;
};

export type Reconciled = {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly kept: number;
};

/**
 * The grants of one gate: what intents want, and what of it the kernel holds. A key may be granted by several intents; the
 * kernel knows the one that ends last, and the next one when that is removed. Begin with `reconcile`: what a former process left
 * in a pinned table is unknown here until then.
 */
export class GrantTable {
  readonly #map: BpfMap;
  readonly #shapesMap: BpfMap;
  readonly #direction: 'in' | 'out';
  readonly #holders = new Map<GrantKey, readonly Holder[]>();
  readonly #keys = new Map<string, readonly GrantKey[]>();
  /** Shape → keys of it. */
  readonly #shapes = new Map<Shape, number>();

  constructor(map: BpfMap, shapesMap: BpfMap, direction: 'in' | 'out') {
    this.#map = map;
    this.#shapesMap = shapesMap;
    this.#direction = direction;
  }

  /** Grants, by intent. */
  get size(): number {
    return this.#keys.size;
  }

  ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /**
   * Lets a grant in; a grant of the same id goes out. One that only ends at another time stays in place, with its counts: no packet meets a
   * table without it.
   * @throws BPF_ADDRESS, BPF_GRANT; BPF_SHAPES_FULL, BPF_GRANTS_FULL, and then nothing of it is in; one in place keeps what it had
   */
  put(grant: Grant): void {
    const keys = keysOf(grant, this.#direction);
    const there = this.#keys.get(grant.id);
    if (there?.length === keys.length && keys.every((key, n) => there[n] === key)) {
      for (const key of keys) this.#move(key, { id: grant.id, expiresNs: grant.expiresNs });
      return;
    }
    this.remove(grant.id);
    this.#keys.set(grant.id, []);
    const done: GrantKey[] = [];
    try {
      for (const key of keys) {
        this.#hold(key, { id: grant.id, expiresNs: grant.expiresNs });
        done.push(key);
        this.#keys.set(grant.id, [...done]);
      }
    } catch (error) {
      this.remove(grant.id);
      throw error;
    }
  }

  /** @returns whether it was there */
  remove(id: string): boolean {
    const keys = this.#keys.get(id);
    if (keys === undefined) return false;
    for (const key of keys) this.#release(key, id);
    this.#keys.delete(id);
    return true;
  }

  /** Takes out what was over at `nowNs`, say a while ago: until then the gate can say which grant is over. @returns how many */
  sweep(nowNs: bigint): number {
    const over = [...this.#keys].filter(([id, keys]) => {
      const holder = this.#holders.get(keys[0] ?? '')?.find((each) => each.id === id);
      return holder !== undefined && holder.expiresNs <= nowNs;
    });
    for (const [id] of over) this.remove(id);
    return over.length;
  }

  /** What the kernel holds, whoever put it there; at most `max`. `nowNs`: of CLOCK_BOOTTIME. */
  held(nowNs: bigint, max = 10_000): readonly HeldGrant[] {
    const found: HeldGrant[] = [];
    this.#map.each((key, value) => {
      if (found.length >= max) return;
      const { id, expiresNs, packets, bytes } = readValue(value);
      const endsInMs = Number((expiresNs - nowNs) / 1_000_000n);
      found.push({ id, ...describeKey(key), packets: Number(packets), bytes: Number(bytes), endsInMs });
    });
    return found;
  }

  /** Packets and bytes that passed by a grant while it was the one in the kernel; since the last change of its key. */
  usage(id: string): { readonly packets: bigint; readonly bytes: bigint } {
    let [packets, bytes] = [0n, 0n];
    for (const key of this.#keys.get(id) ?? []) {
      const value = this.#map.get(keyBytes(key));
      if (value === undefined) continue;
      const read = readValue(value);
      if (read.id !== id) continue;
      packets += read.packets;
      bytes += read.bytes;
    }
    return { packets, bytes };
  }

  /**
   * Makes the kernel's table hold exactly these grants. What is right stays untouched, and an intent keeps its counts when only
   * its end changes; what is wrong goes before anything new comes, so that at no time more passes than both old and new state
   * let through. One turn of the event loop, about 10 µs a grant.
   * @throws as `put`; then the table holds a part, and reconciling again completes it
   */
  reconcile(grants: readonly Grant[]): Reconciled {
    const wanted = this.#plan(grants);
    let [changed, removed, kept] = [0, 0, 0];
    const wrong: Buffer[] = [];
    const fresh = new Map(wanted);
    const rewritten = new Map<GrantKey, GrantValue>();
    this.#map.each((key, value) => {
      const text = keyText(key);
      const holder = wanted.get(text);
      if (holder === undefined) {
        wrong.push(Buffer.from(key));
        return;
      }
      fresh.delete(text);
      const there = readValue(value);
      if (there.id === holder.id && there.expiresNs === holder.expiresNs) kept += 1;
      else
        rewritten.set(text, there.id === holder.id ? { ...there, ...holder } : { ...holder, packets: 0n, bytes: 0n });
    });
    for (const key of wrong) if (this.#map.delete(key)) removed += 1;
    for (const [key, value] of rewritten) {
      this.#write(key, value);
      changed += 1;
    }
    this.#writeShapes();
    this.#writeMany([...fresh]);
    return { added: fresh.size, changed, removed, kept };
  }

  /** Our own view, made anew. @returns key → the holder that the kernel is to know */
  #plan(grants: readonly Grant[]): Map<GrantKey, Holder> {
    const keys = new Map(grants.map((grant) => [grant.id, keysOf(grant, this.#direction)] as const));
    const ends = new Map(grants.map(({ id, expiresNs }) => [id, expiresNs]));
    const holders = new Map<GrantKey, Holder[]>();
    for (const [id, list] of keys)
      for (const key of list) {
        const entry = { id, expiresNs: ends.get(id) ?? 0n };
        const there = holders.get(key);
        if (there === undefined) holders.set(key, [entry]);
        else there.push(entry);
      }
    const shapes = new Map<Shape, number>();
    for (const key of holders.keys()) {
      const shape = shapeOf(keyBytes(key));
      if (!isExact(shape)) shapes.set(shape, (shapes.get(shape) ?? 0) + 1);
    }
    if (shapes.size > shapesMax) throw shapesFull();
    replaceAll(this.#keys, keys);
    replaceAll(this.#holders, holders);
    replaceAll(this.#shapes, shapes);
    return new Map([...holders].map(([key, list]) => [key, last(list)]));
  }

  #hold(key: GrantKey, holder: Holder): void {
    const before = this.#holders.get(key) ?? [];
    if (before.length === 0) this.#addShape(key);
    const after = [...before, holder];
    try {
      if (last(after) === holder) this.#write(key, { ...holder, packets: 0n, bytes: 0n });
    } catch (error) {
      if (before.length === 0) this.#dropShape(key);
      throw error;
    }
    this.#holders.set(key, after);
  }

  /** A holder of a key ends at another time. */
  #move(key: GrantKey, holder: Holder): void {
    const before = this.#holders.get(key) ?? [];
    const after = before.map((each) => (each.id === holder.id ? holder : each));
    const [was, is] = [last(before), last(after)];
    if (was.id !== is.id) this.#write(key, { ...is, packets: 0n, bytes: 0n });
    else if (was.expiresNs !== is.expiresNs) {
      const value = this.#map.get(keyBytes(key));
      const counted = value === undefined ? undefined : readValue(value);
      this.#write(key, { packets: 0n, bytes: 0n, ...(counted?.id === is.id ? counted : {}), ...is });
    }
    this.#holders.set(key, after);
  }

  #release(key: GrantKey, id: string): void {
    const before = this.#holders.get(key) ?? [];
    const after = before.filter((holder) => holder.id !== id);
    if (after.length === before.length) return;
    if (after.length === 0) {
      this.#map.delete(keyBytes(key));
      this.#holders.delete(key);
      this.#dropShape(key);
      return;
    }
    if (last(before).id === id) this.#write(key, { ...last(after), packets: 0n, bytes: 0n });
    this.#holders.set(key, after);
  }

  /** A shape is listed before its first grant is in, and until its last one is out. */
  #addShape(key: GrantKey): void {
    const shape = shapeOf(keyBytes(key));
    if (isExact(shape)) return;
    const keys = this.#shapes.get(shape) ?? 0;
    if (keys === 0 && this.#shapes.size === shapesMax) throw shapesFull();
    this.#shapes.set(shape, keys + 1);
    if (keys === 0) this.#writeShapes();
  }

  #dropShape(key: GrantKey): void {
    const shape = shapeOf(keyBytes(key));
    const keys = this.#shapes.get(shape);
    if (keys === undefined) return;
    if (keys > 1) this.#shapes.set(shape, keys - 1);
    else {
      this.#shapes.delete(shape);
      this.#writeShapes();
    }
  }

  #writeShapes(): void {
    this.#shapesMap.set(Buffer.alloc(4), writeShapes([...this.#shapes.keys()]));
  }

  #write(key: GrantKey, value: GrantValue): void {
    const bytes = Buffer.alloc(grantValueBytes);
    writeValue(bytes, 0, value);
    fullAs(() => this.#map.set(keyBytes(key), bytes));
  }

  #writeMany(entries: readonly (readonly [GrantKey, Holder])[]): void {
    for (let start = 0; start < entries.length; start += batchMax) {
      const part = entries.slice(start, start + batchMax);
      const keys = Buffer.alloc(part.length * grantKeyBytes);
      const values = Buffer.alloc(part.length * grantValueBytes);
      part.forEach(([key, holder], index) => {
        keys.write(key, index * grantKeyBytes, 'latin1');
        writeValue(values, index * grantValueBytes, { ...holder, packets: 0n, bytes: 0n });
      });
      fullAs(() => this.#map.setMany(keys, values, part.length));
    }
  }
}

/** The one that ends last; of equals the first. */
function last(holders: readonly Holder[]): Holder {
  const [first, ...rest] = holders;
  if (first === undefined) throw new WeftError('BPF_GRANT', 'a key without a grant');
  return rest.reduce((best, each) => (each.expiresNs > best.expiresNs ? each : best), first);
}

function replaceAll<Key, Value>(map: Map<Key, Value>, by: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of by) map.set(key, value);
}

function shapesFull(): WeftError {
  return new WeftError(
    'BPF_SHAPES_FULL',
    `grants of more than ${shapesMax} shapes (pairs of prefix lengths, with or without a port): use fewer different lengths`,
    { max: shapesMax },
  );
}

/** The kernel's E2BIG in our words. */
function fullAs(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (error instanceof WeftError && error.details['errno'] === 7)
      throw new WeftError('BPF_GRANTS_FULL', 'the table of grants is full: close some, or wait until they are over');
    throw error;
  }
}
