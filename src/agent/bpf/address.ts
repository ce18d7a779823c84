import { isIPv4, isIPv6 } from 'node:net';
import { WeftError } from '../../codec/error.ts';

export type Family = 'ipv4' | 'ipv6';

/** Addresses as kernel programs have them (bpf/abi.h): 16 bytes, IPv4 as ::ffff:a.b.c.d, prefix lengths of 128. */
export type Prefix = { readonly family: Family; readonly address: Buffer; readonly bits: number };

const mappedStart = Buffer.from('00000000000000000000ffff', 'hex');

function bytesOf4(text: string): Buffer {
  return Buffer.concat([mappedStart, Buffer.from(text.split('.').map(Number))]);
}

function bytesOf6(text: string): Buffer {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const tail = bytesOf4(dotted[2] ?? '').subarray(12);
    text = `${dotted[1]}${tail.readUInt16BE(0).toString(16)}:${tail.readUInt16BE(2).toString(16)}`;
  }
  const [left = '', right] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(left), groups(right ?? '')];
  const bytes = Buffer.alloc(16);
  first.forEach((group, index) => {
    bytes.writeUInt16BE(group, 2 * index);
  });
  last.forEach((group, index) => {
    bytes.writeUInt16BE(group, 16 - 2 * (last.length - index));
  });
  return bytes;
}

/** The first `bits` of `address`. */
function cut(address: Buffer, bits: number): Buffer {
  const bytes = Buffer.from(address);
  for (let i = 0; i < 16; i++) {
    const left = Math.min(8, Math.max(0, bits - 8 * i));
    bytes[i] = (bytes[i] ?? 0) & (0xff << (8 - left));
  }
  return bytes;
}

/**
 * `10.0.0.0/8`, `2001:db8::/32`; an address alone is the whole of it.
 * @throws BPF_ADDRESS when it is neither, or has bits behind its prefix (it may not mean what its writer thinks), or is an IPv4 address
 * written as IPv6, which nothing on a wire has
 */
export function parsePrefix(text: string): Prefix {
  const wrong = (why: string): WeftError =>
    new WeftError('BPF_ADDRESS', `'${text.slice(0, 60)}' is no address or CIDR: ${why}`, {});
  const [address = '', length, ...rest] = text.split('/');
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) && !address.includes('%') ? 'ipv6' : undefined;
  if (family === undefined || rest.length > 0) throw wrong('it takes IPv4 or IPv6, with or without /length');
  const whole = family === 'ipv4' ? 32 : 128;
  if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) throw wrong('the length is a whole number');
  const given = length === undefined ? whole : Number(length);
  if (given > whole) throw wrong(`the length is at most ${whole}`);
  const bytes = family === 'ipv4' ? bytesOf4(address) : bytesOf6(address);
  if (family === 'ipv6' && bytes.subarray(0, 12).equals(mappedStart)) throw wrong('write the IPv4 address');
  const bits = family === 'ipv4' ? 96 + given : given;
  if (!cut(bytes, bits).equals(bytes)) throw wrong('there are bits behind its prefix');
  return { family, address: bytes, bits };
}

/** Whether some address is in both. */
export function overlap(a: Prefix, b: Prefix): boolean {
  const bits = Math.min(a.bits, b.bits);
  return a.family === b.family && cut(a.address, bits).equals(cut(b.address, bits));
}

/** Text of 16 bytes at `at`: dotted for IPv4, RFC 5952 for IPv6. */
export function formatAddress(bytes: Buffer, at = 0): string {
  if (bytes.subarray(at, at + 12).equals(mappedStart)) return [...bytes.subarray(at + 12, at + 16)].join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + 2 * index));
  // The longest run of at least two zero groups, the first of equals.
  let [best, bestLength] = [-1, 1];
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > bestLength) [best, bestLength] = [start, length];
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return best < 0 ? hex(groups) : `${hex(groups.slice(0, best))}::${hex(groups.slice(best + bestLength))}`;
}
