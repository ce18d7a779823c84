import fc from 'fast-check';
import t from 'tap';
import { formatAddress } from '../../../src/agent/bpf/address.ts';
import { Gate } from '../../../src/agent/bpf/gate.ts';
import type { GateEvent } from '../../../src/agent/bpf/gateMaps.ts';
import { Kernel } from '../../../src/agent/bpf/kernel.ts';
import { type FrameOptions, ipv4, ipv6, TCP, UDP } from './frames.ts';
import { skipUnless } from './rights.ts';

const skip = skipUnless('gate');

/** What a frame is, read a second time: slowly, from the standards, by code that throws where a byte is missing. */
type Reading =
  | { kind: 'other' | 'malformed' | 'fragment' }
  | { kind: 'flow'; protocol: number; source: string; destination: string; sourcePort: number; port: number };

class Malformed extends Error {}

function readFrame(frame: Buffer): Reading {
  try {
    return frameAt(frame, 12, 0);
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed' };
    throw error;
  }
}

function need(frame: Buffer, at: number, bytes: number): Buffer {
  if (at + bytes > frame.length) throw new Malformed();
  return frame.subarray(at, at + bytes);
}

function frameAt(frame: Buffer, at: number, tags: number): Reading {
  const type = need(frame, at, 2).readUInt16BE();
  if (type === 0x8100 || type === 0x88a8) {
    if (tags === 2) throw new Malformed();
    need(frame, at + 2, 4);
    return frameAt(frame, at + 4, tags + 1);
  }
  if (type === 0x0800) return readV4(frame, at + 2);
  return type === 0x86dd ? readV6(frame, at + 2) : { kind: 'other' };
}

function readV4(frame: Buffer, at: number): Reading {
  const header = need(frame, at, 20);
  const words = header.readUInt8(0) & 15;
  if (header.readUInt8(0) >> 4 !== 4 || words < 5) throw new Malformed();
  const protocol = header.readUInt8(9);
  if ((header.readUInt16BE(6) & 0x1fff) !== 0) return { kind: [TCP, UDP].includes(protocol) ? 'fragment' : 'other' };
  const [source, destination] = [12, 16].map((from) => [...header.subarray(from, from + 4)].join('.'));
  const names = { source: source ?? '', destination: destination ?? '' };
  if (protocol !== 51) return readPorts(frame, at + 4 * words, protocol, names);
  const authentication = need(frame, at + 4 * words, 8);
  return readPorts(frame, at + 4 * words + 4 * (authentication.readUInt8(1) + 2), authentication.readUInt8(0), names);
}

function readV6(frame: Buffer, at: number): Reading {
  const header = need(frame, at, 40);
  if (header.readUInt8(0) >> 4 !== 6) throw new Malformed();
  const [source = '', destination = ''] = [8, 24].map((from) => formatAddress(header, from));
  if (source.includes('.') || destination.includes('.')) throw new Malformed();
  let next = header.readUInt8(6);
  let position = at + 40;
  for (let headers = 0; [0, 43, 44, 51, 60].includes(next); headers++) {
    if (headers === 8) throw new Malformed();
    const extension = need(frame, position, 8);
    if (next === 44 && extension.readUInt16BE(2) >> 3 !== 0) return { kind: 'fragment' };
    const length = extension.readUInt8(1);
    position += next === 44 ? 8 : next === 51 ? 4 * length + 8 : 8 * length + 8;
    next = extension.readUInt8(0);
  }
  return readPorts(frame, position, next, { source, destination });
}

function readPorts(
  frame: Buffer,
  at: number,
  protocol: number,
  names: { source: string; destination: string },
): Reading {
  if (protocol !== TCP && protocol !== UDP) return { kind: 'other' };
  const ports = need(frame, at, 8);
  return { kind: 'flow', protocol, ...names, sourcePort: ports.readUInt16BE(0), port: ports.readUInt16BE(2) };
}

const counted = {
  other: 'other',
  malformed: 'malformed',
  fragment: 'laterFragment',
  flow: 'noGrant',
} as const;

const options: fc.Arbitrary<FrameOptions> = fc.record({
  protocol: fc.constantFrom(TCP, UDP, 1, 58, 51, 47),
  port: fc.integer({ min: 1, max: 65535 }),
  sourcePort: fc.nat(65535),
  vlans: fc.array(fc.tuple(fc.constantFrom(0x8100, 0x88a8), fc.nat(4095)), { maxLength: 3 }),
  payload: fc.nat(60),
  optionWords: fc.nat(10),
  extensions: fc.array(fc.constantFrom(0, 43, 44, 51, 60), { maxLength: 9 }),
  fragment: fc.record({ offset: fc.constantFrom(0, 0, 8, 1480), more: fc.boolean() }),
});
/** Made right, then cut and with some bytes changed: near what attackers send. */
const frames = fc
  .record({
    six: fc.boolean(),
    options,
    cut: fc.option(fc.nat(120), { freq: 3 }),
    changes: fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 3 }),
  })
  .map(({ six, options, cut, changes }) => {
    const whole = six ? ipv6(options) : ipv4(options);
    for (const [at, value] of changes) if (at < whole.length) whole[at] = value;
    return cut === null ? whole : whole.subarray(0, Math.max(14, whole.length - cut));
  });

t.test('gate and a second reading agree on every frame, to the last port', { skip }, async (t) => {
  const gate = new Gate(await Kernel.open());
  gate.maps.configure({ mode: 'observe', eventsPerSecond: 0 });
  gate.maps.guard(
    Array.from({ length: 65535 }, (_, n) => n + 1).flatMap((port) => [
      { port, protocol: 'tcp' as const },
      { port, protocol: 'udp' as const },
    ]),
    [],
  );
  const kinds = new Set<string>();
  fc.assert(
    fc.property(frames, (frame) => {
      const expected = readFrame(frame);
      kinds.add(expected.kind);
      const before = gate.maps.counters();
      gate.test(frame);
      const after = gate.maps.counters();
      const told: GateEvent[] = [];
      gate.maps.drain((event) => told.push(event));
      const unguarded = expected.kind === 'flow' && expected.port === 0;
      const counter = unguarded ? 'unguarded' : counted[expected.kind];
      if (after[counter] !== before[counter] + 1n) return false;
      if (expected.kind !== 'flow' || unguarded) return true;
      const [event] = told;
      return (
        event?.protocol === expected.protocol &&
        event.source === expected.source &&
        event.destination === expected.destination &&
        event.sourcePort === expected.sourcePort &&
        event.destinationPort === expected.port &&
        event.length === frame.length
      );
    }),
    { numRuns: 2000 },
  );
  t.same([...kinds].sort(), ['flow', 'fragment', 'malformed', 'other'], 'all kinds were met');
  gate.close();
});
