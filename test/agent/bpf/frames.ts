import { parsePrefix } from '../../../src/agent/bpf/address.ts';

/** Ethernet frames by hand, right and wrong. Checksums are left 0: the gate does not read them. */
export type FrameOptions = {
  source?: string;
  destination?: string;
  sourcePort?: number;
  port?: number;
  protocol?: number;
  /** Outer to inner: [type, id]. */
  vlans?: readonly (readonly [number, number])[];
  /** Bytes of payload after the TCP or UDP header. */
  payload?: number;
  /** IPv4 options, in words of 4 bytes. */
  optionWords?: number;
  /** Offset in bytes and whether more follow: makes it a fragment. */
  fragment?: { offset: number; more: boolean };
  /** IPv6 extension headers before the transport: next-header values; 44 takes `fragment`. */
  extensions?: readonly number[];
};

export const TCP = 6;
export const UDP = 17;

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

export function ethernet(type: number, rest: Buffer, vlans: FrameOptions['vlans'] = []): Buffer {
  const tags = vlans.map(([tpid, id]) => Buffer.concat([u16(tpid), u16(id)]));
  return Buffer.concat([Buffer.alloc(12, 2), ...tags, u16(type), rest]);
}

function transport({ protocol = TCP, sourcePort = 40_000, port = 8080, payload = 20, fragment }: FrameOptions): Buffer {
  if (fragment !== undefined && fragment.offset > 0) return Buffer.alloc(payload, 0x5a);
  const header = Buffer.alloc(protocol === TCP ? 20 : 8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(port, 2);
  if (protocol === TCP) header.writeUInt8(5 << 4, 12);
  else header.writeUInt16BE(8 + payload, 4);
  return Buffer.concat([header, Buffer.alloc(payload, 0x5a)]);
}

export function ipv4(options: FrameOptions = {}): Buffer {
  const { source = '10.0.0.1', destination = '10.0.0.2', protocol = TCP, optionWords = 0, fragment } = options;
  const body = transport(options);
  const header = Buffer.alloc(20 + 4 * optionWords, 1);
  header.writeUInt8(0x45 + optionWords, 0);
  header.writeUInt8(0, 1);
  header.writeUInt16BE(header.length + body.length, 2);
  header.writeUInt16BE(7, 4);
  header.writeUInt16BE(fragment === undefined ? 0 : (fragment.more ? 0x2000 : 0) | (fragment.offset >> 3), 6);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  header.writeUInt16BE(0, 10);
  parsePrefix(source).address.copy(header, 12, 12);
  parsePrefix(destination).address.copy(header, 16, 12);
  return ethernet(0x0800, Buffer.concat([header, body]), options.vlans);
}

export function ipv6(options: FrameOptions = {}): Buffer {
  const { source = 'fd00::1', destination = 'fd00::2', protocol = TCP, extensions = [], fragment } = options;
  const chain = [...extensions, protocol];
  const headers = extensions.map((kind, index) => {
    const next = chain[index + 1] ?? protocol;
    const header = Buffer.alloc(kind === 51 ? 12 : 8);
    header.writeUInt8(next, 0);
    if (kind === 51) header.writeUInt8(1, 1);
    if (kind === 44 && fragment !== undefined) header.writeUInt16BE(fragment.offset | (fragment.more ? 1 : 0), 2);
    return header;
  });
  const body = Buffer.concat([...headers, transport(options)]);
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(body.length, 4);
  header.writeUInt8(chain[0] ?? protocol, 6);
  header.writeUInt8(64, 7);
  rawAddress(source).copy(header, 8);
  rawAddress(destination).copy(header, 24);
  return ethernet(0x86dd, Buffer.concat([header, body]), options.vlans);
}

/** Also IPv4-mapped ones, which no honest IPv6 packet has. */
function rawAddress(text: string): Buffer {
  return parsePrefix(text.startsWith('::ffff:') ? text.slice(7) : text).address;
}
