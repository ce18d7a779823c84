import { WeftError } from '../../codec/error.ts';
import { type Family, formatAddress, type Prefix, parsePrefix } from './address.ts';
import { abiValues, Struct } from './struct.ts';

export type Transport = 'tcp' | 'udp';

/** What a granted intent lets through: `route.open` with its end on this host's clock. */
export type Grant = {
  /** Intent id, 64 hex digits. Several intents may grant the same; each is put and removed by itself. */
  readonly id: string;
  /** Address or CIDR, IPv4 or IPv6; both of one family. The gate for what goes out does not look at the source. */
  readonly source: string;
  readonly destination: string;
  /** Destination port; 0: every guarded one. */
  readonly port: number;
  readonly protocol: Transport | 'any';
  /** Nanoseconds of CLOCK_BOOTTIME (`bootNsAt` of gate.ts makes them of milliseconds UTC). From then on it is over. */
  readonly expiresNs: bigint;
};

const protocolNumbers = { tcp: 6, udp: 17 } as const;
const families = { ipv4: abiValues.weft_family.WEFT_IPV4, ipv6: abiValues.weft_family.WEFT_IPV6 } as const;

const keyStruct = new Struct('weft_grant_key');
const keySource = keyStruct.bytes('source', 16);
const keyDestination = keyStruct.bytes('destination', 16);
const keyPort = keyStruct.u16('port');
const keyProtocol = keyStruct.u8('protocol');
const keyFamily = keyStruct.u8('family');
const keySourceBits = keyStruct.u8('source_bits');
const keyDestinationBits = keyStruct.u8('destination_bits');
const keyAnyPort = keyStruct.u8('any_port');

const valueStruct = new Struct('weft_grant');
const valueExpires = valueStruct.u64('expires_ns');
const valuePackets = valueStruct.u64('packets');
const valueBytes = valueStruct.u64('bytes');
const valueToken = valueStruct.bytes('token', 32);

const shapeStruct = new Struct('weft_shape');
const shapeFamily = shapeStruct.u8('family');
const shapeSourceBits = shapeStruct.u8('source_bits');
const shapeDestinationBits = shapeStruct.u8('destination_bits');
const shapeAnyPort = shapeStruct.u8('any_port');

const shapesStruct = new Struct('weft_shapes');
const shapeCount = shapesStruct.u32('count');

export const shapesMax = abiValues.weft_limits.WEFT_SHAPES_MAX;
const shapesAt = shapesStruct.offsetOf('shape', shapesMax * shapeStruct.size);

export const grantKeyBytes = keyStruct.size;
export const grantValueBytes = valueStruct.size;
export const shapesBytes = shapesStruct.size;

/** What of a packet a grant looks at (bpf/abi.h), as text that tells shapes apart: `family/source bits/destination bits/any port`. */
export type Shape = string;
const shapeText = (family: number, source: number, destination: number, anyPort: number): Shape =>
  `${family}/${source}/${destination}/${anyPort}`;

/** A shape that the kernel tries before all listed ones. */
export function isExact(shape: Shape): boolean {
  return shape.endsWith('/128/128/0');
}

/** A key of the kernel's table; one string for each (latin1 of its bytes), to be found in a Map. */
export type GrantKey = string;
export const keyText = (bytes: Buffer): GrantKey => bytes.toString('latin1');
export const keyBytes = (key: GrantKey): Buffer => Buffer.from(key, 'latin1');

export function shapeOf(key: Buffer): Shape {
  return shapeText(
    keyFamily.read(key, 0),
    keySourceBits.read(key, 0),
    keyDestinationBits.read(key, 0),
    keyAnyPort.read(key, 0),
  );
}

function wrong(message: string): WeftError {
  return new WeftError('BPF_GRANT', message);
}

/** A source of no length, for the gate that does not look at it. */
function nowhere(family: Family): Prefix {
  return parsePrefix(family === 'ipv4' ? '0.0.0.0/0' : '::/0');
}

/**
 * The keys under which the kernel finds `grant`: one for each protocol.
 * @throws BPF_ADDRESS, BPF_GRANT
 */
export function keysOf(grant: Grant, direction: 'in' | 'out'): readonly GrantKey[] {
  if (!/^[0-9a-f]{64}$/.test(grant.id)) throw wrong('the id of a grant has 64 hex digits');
  if (!Number.isInteger(grant.port) || grant.port < 0 || grant.port > 65535)
    throw wrong(`port ${grant.port} is none: 1 to 65535, or 0 for every guarded one`);
  if (grant.expiresNs < 0n || grant.expiresNs >= 1n << 63n) throw wrong('the end of a grant is a time since boot');
  const destination = parsePrefix(grant.destination);
  const given = parsePrefix(grant.source);
  if (given.family !== destination.family) throw wrong('source and destination are of one family');
  const source = direction === 'in' ? given : nowhere(destination.family);
  const protocols: readonly Transport[] = grant.protocol === 'any' ? ['tcp', 'udp'] : [grant.protocol];
  return protocols.map((protocol) => {
    const key = keyStruct.alloc();
    keySource.write(key, 0, source.address);
    keyDestination.write(key, 0, destination.address);
    keyPort.write(key, 0, grant.port);
    keyProtocol.write(key, 0, protocolNumbers[protocol]);
    keyFamily.write(key, 0, families[destination.family]);
    keySourceBits.write(key, 0, source.bits);
    keyDestinationBits.write(key, 0, destination.bits);
    keyAnyPort.write(key, 0, grant.port === 0 ? 1 : 0);
    return keyText(key);
  });
}

export type GrantValue = {
  readonly id: string;
  readonly expiresNs: bigint;
  readonly packets: bigint;
  readonly bytes: bigint;
};

/** A key of the kernel's table as people read it; the opposite of `keysOf`. */
export function describeKey(key: Buffer): Pick<Grant, 'source' | 'destination' | 'port' | 'protocol'> {
  const ipv4 = keyFamily.read(key, 0) === families.ipv4;
  // IPv4 lies in the last 32 of 128 bits.
  const bits = (each: number): number => (ipv4 ? each - 96 : each);
  const prefix = (at: number, length: number): string => `${formatAddress(key, at)}/${bits(length)}`;
  return {
    source: prefix(keyStruct.offsetOf('source', 16), keySourceBits.read(key, 0)),
    destination: prefix(keyStruct.offsetOf('destination', 16), keyDestinationBits.read(key, 0)),
    port: keyPort.read(key, 0),
    protocol: keyProtocol.read(key, 0) === protocolNumbers.tcp ? 'tcp' : 'udp',
  };
}

export function writeValue(into: Buffer, at: number, value: GrantValue): void {
  valueExpires.write(into, at, value.expiresNs);
  valuePackets.write(into, at, value.packets);
  valueBytes.write(into, at, value.bytes);
  valueToken.write(into, at, Buffer.from(value.id, 'hex'));
}

export function readValue(from: Buffer, at = 0): GrantValue {
  return {
    expiresNs: valueExpires.read(from, at),
    packets: valuePackets.read(from, at),
    bytes: valueBytes.read(from, at),
    id: valueToken.read(from, at).toString('hex'),
  };
}

/** The kernel's list of shapes. Exact ones are not listed: they are tried anyway. */
export function writeShapes(shapes: readonly Shape[]): Buffer {
  const bytes = shapesStruct.alloc();
  shapeCount.write(bytes, 0, shapes.length);
  shapes.forEach((shape, index) => {
    const at = shapesAt + index * shapeStruct.size;
    const [family = 0, source = 0, destination = 0, anyPort = 0] = shape.split('/').map(Number);
    shapeFamily.write(bytes, at, family);
    shapeSourceBits.write(bytes, at, source);
    shapeDestinationBits.write(bytes, at, destination);
    shapeAnyPort.write(bytes, at, anyPort);
  });
  return bytes;
}
