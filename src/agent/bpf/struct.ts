import abi from '../../../bpf/dist/abi.json' with { type: 'json' };
import { WeftError } from '../../codec/error.ts';

/** What bpf/abi.h says, read from its BTF when the programs were built. */
type Structs = typeof abi.structs;
export type StructName = keyof Structs;
type FieldOf<Name extends StructName> = keyof Structs[Name]['fields'] & string;

export const abiValues = abi.enums;

export type Field<Value> = {
  readonly offset: number;
  read(bytes: Buffer, at: number): Value;
  write(bytes: Buffer, at: number, value: Value): void;
};

/**
 * One struct of the kernel programs. Each accessor is made once and checked then: a field that has another size than the code
 * believes is a defect that shows when the module is loaded, never a byte read from beside it.
 */
export class Struct<Name extends StructName> {
  readonly name: Name;
  readonly size: number;
  readonly #fields: Readonly<Record<string, { offset: number; size: number }>>;

  constructor(name: Name) {
    this.name = name;
    this.size = abi.structs[name].size;
    this.#fields = abi.structs[name].fields;
  }

  /** Zeroed, and of exactly this size. */
  alloc(): Buffer {
    return Buffer.alloc(this.size);
  }

  u8(field: FieldOf<Name>): Field<number> {
    const offset = this.#offset(field, 1);
    return {
      offset,
      read: (bytes, at) => bytes.readUInt8(at + offset),
      write: (bytes, at, value) => void bytes.writeUInt8(value, at + offset),
    };
  }

  u16(field: FieldOf<Name>): Field<number> {
    const offset = this.#offset(field, 2);
    return {
      offset,
      read: (bytes, at) => bytes.readUInt16LE(at + offset),
      write: (bytes, at, value) => void bytes.writeUInt16LE(value, at + offset),
    };
  }

  u32(field: FieldOf<Name>): Field<number> {
    const offset = this.#offset(field, 4);
    return {
      offset,
      read: (bytes, at) => bytes.readUInt32LE(at + offset),
      write: (bytes, at, value) => void bytes.writeUInt32LE(value, at + offset),
    };
  }

  i32(field: FieldOf<Name>): Field<number> {
    const offset = this.#offset(field, 4);
    return {
      offset,
      read: (bytes, at) => bytes.readInt32LE(at + offset),
      write: (bytes, at, value) => void bytes.writeInt32LE(value, at + offset),
    };
  }

  u64(field: FieldOf<Name>): Field<bigint> {
    const offset = this.#offset(field, 8);
    return {
      offset,
      read: (bytes, at) => bytes.readBigUInt64LE(at + offset),
      write: (bytes, at, value) => void bytes.writeBigUInt64LE(value, at + offset),
    };
  }

  /** `read` copies. */
  bytes(field: FieldOf<Name>, size: number): Field<Buffer> {
    const offset = this.#offset(field, size);
    return {
      offset,
      read: (bytes, at) => Buffer.from(bytes.subarray(at + offset, at + offset + size)),
      write: (bytes, at, value) => {
        if (value.length !== size) throw this.#wrong(`${field} takes ${size} bytes, not ${value.length}`);
        value.copy(bytes, at + offset);
      },
    };
  }

  /** A C string of at most `size` bytes; bytes that are not UTF-8 become replacement characters. */
  text(field: FieldOf<Name>, size: number): Field<string> {
    const offset = this.#offset(field, size);
    return {
      offset,
      read: (bytes, at) => {
        const end = bytes.indexOf(0, at + offset);
        const stop = at + offset + size;
        return bytes.toString('utf8', at + offset, end === -1 || end > stop ? stop : end);
      },
      write: () => {
        throw this.#wrong(`${field} is written by the kernel only`);
      },
    };
  }

  /** A field of an inner struct or array, whose accessors its own Struct has. */
  offsetOf(field: FieldOf<Name>, size: number): number {
    return this.#offset(field, size);
  }

  #offset(field: string, size: number): number {
    const found = this.#fields[field];
    if (found === undefined || found.size !== size)
      throw this.#wrong(`${field} has ${found?.size ?? 'no'} bytes in bpf/dist/abi.json, the code takes ${size}`);
    return found.offset;
  }

  #wrong(what: string): WeftError {
    return new WeftError('BPF_ABI', `struct ${this.name}: ${what}`, { struct: this.name });
  }
}
