import { WeftError } from '../../codec/error.ts';
import { formatAddress } from './address.ts';
import { grantKeyBytes, grantValueBytes, shapesBytes, type Transport } from './grants.ts';
import { GrantTable } from './grantTable.ts';
import type { Kernel } from './kernel.ts';
import { descriptor } from './load.ts';
import { BpfMap, CounterMap } from './map.ts';
import { Ring } from './ring.ts';
import { abiValues, Struct } from './struct.ts';

export type GateMode = 'off' | 'observe' | 'enforce';
const modes: readonly GateMode[] = ['off', 'observe', 'enforce'];

export type GuardedPort = { readonly port: number; readonly protocol: Transport };

export type GateSettings = {
  readonly mode: GateMode;
  /** At most so many events a second on each CPU; the others are counted. A new gate has 1000; 0: no limit. */
  readonly eventsPerSecond: number;
  /** Incoming: refuse every later IP fragment too. Otherwise the first fragment, which has the ports, decides. */
  readonly refuseFragments: boolean;
};

/** What became of packets (incoming) or calls (outgoing). The first eight are disjoint. */
export type GateCounters = Readonly<
  Record<
    | 'granted'
    | 'unguarded'
    | 'other'
    | 'laterFragment'
    | 'noGrant'
    | 'expired'
    | 'fragment'
    | 'malformed'
    | 'refused'
    | 'observed'
    | 'eventsLost'
    | 'eventsLimited',
    bigint
  >
>;

export type GateReason = 'no-grant' | 'expired' | 'fragment' | 'malformed';

/** A packet or call that had no running grant. Which members say something depends on direction and reason. */
export type GateEvent = {
  readonly timeNs: bigint;
  readonly reason: GateReason;
  /** False: it passed, because the gate observes. */
  readonly refused: boolean;
  readonly family: 'ipv4' | 'ipv6' | undefined;
  readonly protocol: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** The grant that is over, and when it ended (ns of CLOCK_BOOTTIME). */
  readonly grant?: { readonly id: string; readonly expiresNs: bigint };
  /** Incoming: where it came in, and its length. */
  readonly interfaceIndex: number;
  readonly length: number;
  /** Outgoing: who asked. */
  readonly pid: number;
  readonly uid: number;
  readonly cgroup: bigint;
  readonly command: string;
};

const config = new Struct('weft_config');
const configMode = config.u32('mode');
const configEvents = config.u32('events_per_second');
const configFlags = config.u32('flags');

const counterIndex = abiValues.weft_counter;
const counterNames: Readonly<Record<keyof GateCounters, number>> = {
  granted: counterIndex.WEFT_COUNT_GRANTED,
  unguarded: counterIndex.WEFT_COUNT_UNGUARDED,
  other: counterIndex.WEFT_COUNT_OTHER,
  laterFragment: counterIndex.WEFT_COUNT_LATER_FRAGMENT,
  noGrant: counterIndex.WEFT_COUNT_NO_GRANT,
  expired: counterIndex.WEFT_COUNT_EXPIRED,
  fragment: counterIndex.WEFT_COUNT_FRAGMENT,
  malformed: counterIndex.WEFT_COUNT_MALFORMED,
  refused: counterIndex.WEFT_COUNT_REFUSED,
  observed: counterIndex.WEFT_COUNT_OBSERVED,
  eventsLost: counterIndex.WEFT_COUNT_EVENT_LOST,
  eventsLimited: counterIndex.WEFT_COUNT_EVENT_LIMITED,
};

const reasons: ReadonlyMap<number, GateReason> = new Map([
  [abiValues.weft_reason.WEFT_NO_GRANT, 'no-grant'],
  [abiValues.weft_reason.WEFT_EXPIRED, 'expired'],
  [abiValues.weft_reason.WEFT_FRAGMENT, 'fragment'],
  [abiValues.weft_reason.WEFT_MALFORMED, 'malformed'],
]);

const event = new Struct('weft_gate_event');
const eventTime = event.u64('time_ns');
const eventExpires = event.u64('expires_ns');
const eventCgroup = event.u64('cgroup');
const eventInterface = event.u32('interface');
const eventLength = event.u32('length');
const eventPid = event.u32('pid');
const eventUid = event.u32('uid');
const eventSourcePort = event.u16('source_port');
const eventDestinationPort = event.u16('destination_port');
const eventProtocol = event.u8('protocol');
const eventFamily = event.u8('family');
const eventVerdict = event.u8('verdict');
const eventReason = event.u8('reason');
const eventSource = event.offsetOf('source', 16);
const eventDestination = event.offsetOf('destination', 16);
const eventToken = event.bytes('token', 32);
const eventCommand = event.text('command', 16);

function readEvent(bytes: Buffer, at: number): GateEvent {
  const expiresNs = eventExpires.read(bytes, at);
  const family = eventFamily.read(bytes, at);
  const reason = reasons.get(eventReason.read(bytes, at)) ?? 'malformed';
  return {
    timeNs: eventTime.read(bytes, at),
    reason,
    refused: eventVerdict.read(bytes, at) === abiValues.weft_verdict.WEFT_REFUSED,
    family: family === 4 ? 'ipv4' : family === 6 ? 'ipv6' : undefined,
    protocol: eventProtocol.read(bytes, at),
    source: formatAddress(bytes, at + eventSource),
    sourcePort: eventSourcePort.read(bytes, at),
    destination: formatAddress(bytes, at + eventDestination),
    destinationPort: eventDestinationPort.read(bytes, at),
    ...(reason === 'expired' ? { grant: { id: eventToken.read(bytes, at).toString('hex'), expiresNs } } : {}),
    interfaceIndex: eventInterface.read(bytes, at),
    length: eventLength.read(bytes, at),
    pid: eventPid.read(bytes, at),
    uid: eventUid.read(bytes, at),
    cgroup: eventCgroup.read(bytes, at),
    command: eventCommand.read(bytes, at),
  };
}

/** A flood must not become one of events because nobody said a limit. */
const eventsPerSecondDefault = 1000;

/** Without these a host cuts itself off: nobody could repair it from outside. */
const neverByDefault: readonly GuardedPort[] = [{ port: 22, protocol: 'tcp' }];

/**
 * What both gates are made of: settings, guarded ports, grants, counters, events. It all lies in maps of the kernel, so that
 * a pinned gate that a former process made is the same as a new one.
 */
export class GateMaps {
  readonly grants: GrantTable;
  readonly #config: BpfMap;
  readonly #guarded: BpfMap;
  readonly #counters: CounterMap;
  readonly #ring: Ring;

  /** `adopted`: a former process has configured it. @throws BPF_ABI, BPF_REFUSED */
  constructor(kernel: Kernel, maps: ReadonlyMap<string, number>, direction: 'in' | 'out', adopted: boolean) {
    const map = (name: string, keyBytes: number, valueBytes: number): BpfMap =>
      new BpfMap(kernel, name, descriptor(maps, name), keyBytes, valueBytes);
    this.#config = map('weft_config', 4, config.size);
    this.#guarded = map('weft_guarded', 4, 1);
    this.grants = new GrantTable(
      map('weft_grants', grantKeyBytes, grantValueBytes),
      map('weft_shapes', 4, shapesBytes),
      direction,
    );
    this.#counters = new CounterMap(kernel, 'weft_counters', descriptor(maps, 'weft_counters'));
    this.#ring = new Ring(kernel, descriptor(maps, 'weft_events'), abiValues.weft_limits.WEFT_RING_BYTES);
    if (!adopted) this.configure({ eventsPerSecond: eventsPerSecondDefault });
  }

  settings(): GateSettings {
    const bytes = this.#config.get(Buffer.alloc(4)) ?? config.alloc();
    return {
      mode: modes[configMode.read(bytes, 0)] ?? 'off',
      eventsPerSecond: configEvents.read(bytes, 0),
      refuseFragments: (configFlags.read(bytes, 0) & abiValues.weft_config_flags.WEFT_REFUSE_FRAGMENTS) !== 0,
    };
  }

  /** Changes take effect with the next packet. */
  configure(change: Partial<GateSettings>): GateSettings {
    const settings = { ...this.settings(), ...change };
    const bytes = config.alloc();
    configMode.write(bytes, 0, modes.indexOf(settings.mode));
    configEvents.write(bytes, 0, settings.eventsPerSecond);
    configFlags.write(bytes, 0, settings.refuseFragments ? abiValues.weft_config_flags.WEFT_REFUSE_FRAGMENTS : 0);
    this.#config.set(Buffer.alloc(4), bytes);
    return settings;
  }

  /** Ports that need a grant. All others pass unasked. */
  guarded(): GuardedPort[] {
    const ports: GuardedPort[] = [];
    this.#eachGuard((port, bits) => {
      if (bits & abiValues.weft_guard.WEFT_GUARD_TCP) ports.push({ port, protocol: 'tcp' });
      if (bits & abiValues.weft_guard.WEFT_GUARD_UDP) ports.push({ port, protocol: 'udp' });
    });
    return ports;
  }

  /**
   * Guards exactly these ports. `never`: what must stay reachable, besides ssh: the ledger's nodes, above all; pass [] to let
   * even ssh be guarded.
   * @throws BPF_PORT for a port that is none or that must never be guarded; then nothing changes
   */
  guard(ports: readonly GuardedPort[], never: readonly GuardedPort[] = neverByDefault): void {
    const wanted = new Map<number, number>();
    for (const { port, protocol } of ports) {
      if (!Number.isInteger(port) || port < 1 || port > 65535)
        throw new WeftError('BPF_PORT', `port ${port} is none: 1 to 65535`, { port });
      if (never.some((each) => each.port === port && each.protocol === protocol))
        throw new WeftError(
          'BPF_PORT',
          `${protocol} port ${port} must stay reachable: guarding it could cut this host off`,
          {
            port,
          },
        );
      const bit = protocol === 'tcp' ? abiValues.weft_guard.WEFT_GUARD_TCP : abiValues.weft_guard.WEFT_GUARD_UDP;
      wanted.set(port, (wanted.get(port) ?? 0) | bit);
    }
    this.#eachGuard((port, bits) => {
      if (!wanted.has(port) && bits !== 0) wanted.set(port, 0);
      else if (wanted.get(port) === bits) wanted.delete(port);
    });
    const key = Buffer.alloc(4);
    for (const [port, bits] of wanted) {
      key.writeUInt32LE(port);
      this.#guarded.set(key, Buffer.from([bits]));
    }
  }

  #eachGuard(onPort: (port: number, bits: number) => void): void {
    this.#guarded.each((key, value) => onPort(key.readUInt32LE(0), value.readUInt8(0)), 1 << 14);
  }

  counters(): GateCounters {
    const entries = Object.entries(counterNames).map(([name, index]) => [name, this.#counters.read(index)] as const);
    return Object.fromEntries(entries) as GateCounters;
  }

  /** Hands over events that are there, at most `max`, none begun after `withinMs`, oldest first. @returns how many */
  drain(onEvent: (event: GateEvent) => void, max?: number, withinMs?: number): number {
    return this.#ring.drain(decoder(onEvent), max, withinMs);
  }

  /** Hands over events as they come, from the event loop, until `close`. */
  watch(onEvent: (event: GateEvent) => void): void {
    this.#ring.watch(decoder(onEvent));
  }

  close(): void {
    this.#ring.close();
  }
}

function decoder(onEvent: (event: GateEvent) => void): (bytes: Buffer, at: number, length: number) => void {
  return (bytes, at, length) => {
    if (length >= event.size) onEvent(readEvent(bytes, at));
  };
}
