// What an agent says it saw: one JSON object a line, the same for every sink. docs/agent.md has the table of members.
import type { GateEvent } from '../bpf/gateMaps.ts';
import type { ProbeEvent } from '../bpf/probeEvent.ts';

/** `kernel`: a program in the kernel saw it, while it happened. `proc`: read off /proc now and then: may have missed something, and enforces nothing. */
export type Origin = 'kernel' | 'proc';

export type EventKind =
  | 'process.exec'
  | 'process.exit'
  | 'process.exec-check'
  | 'net.tcp-state'
  | 'net.bind'
  | 'net.udp-send'
  | 'bpf.call'
  | 'gate.drop'
  | 'gate.observe'
  | 'grant.open'
  | 'grant.close'
  | 'grant.refused'
  | 'gate.mode'
  | 'gate.attach'
  | 'alert.raised'
  | 'telemetry.loss';

/** Who did it. What is not known is absent, and `unknown` says why: attribution is never silently empty. */
export type ProcessFacts = {
  readonly pid: number;
  /** Nanoseconds of CLOCK_BOOTTIME at its start: with the pid unique until the host starts anew. Decimal digits. */
  readonly start?: string;
  readonly uid?: number;
  readonly command?: string;
  readonly path?: string;
  readonly arguments?: string;
};

export type Attribution = {
  readonly process?: ProcessFacts;
  readonly parent?: ProcessFacts;
  /** Path in the cgroup tree. */
  readonly cgroup?: string;
  /** 64 hex digits, as container engines name theirs. */
  readonly container?: string;
  /** systemd unit. */
  readonly unit?: string;
  readonly unknown?: string;
};

export type Flow = {
  readonly protocol: string;
  readonly source?: string;
  readonly sourcePort?: number;
  readonly destination?: string;
  readonly destinationPort?: number;
  readonly interface?: string;
  readonly bytes?: number;
};

/** What of the ledger stands behind a decision of the gate. */
export type LedgerFacts = {
  /** Intent id of the grant. */
  readonly grant: string;
  /** Index of the grant's leaf in the log. */
  readonly index?: number;
  /** Milliseconds UTC. */
  readonly expires?: number;
};

export type AgentEvent = Attribution & {
  /** Milliseconds UTC. */
  readonly time: number;
  readonly host: string;
  readonly kind: EventKind;
  readonly origin: Origin;
  readonly flow?: Flow;
  readonly ledger?: LedgerFacts;
  /** In one word. */
  readonly reason?: string;
  /** For people. */
  readonly detail?: string;
  /** `telemetry.loss`: how many events this one stands for. */
  readonly count?: number;
  /** Exit status as of wait(2), or the command of bpf(2). */
  readonly code?: number;
};

const kinds: Readonly<Record<ProbeEvent['kind'], EventKind>> = {
  exec: 'process.exec',
  exit: 'process.exit',
  'exec-check': 'process.exec-check',
  'tcp-state': 'net.tcp-state',
  bind: 'net.bind',
  'udp-send': 'net.udp-send',
  'bpf-call': 'bpf.call',
};

/** linux/in.h; what else there is goes by its number. */
const protocols: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [1, 'icmp'],
  [58, 'icmpv6'],
]);

/** include/net/tcp_states.h, from 1. */
const tcpStates = [
  'established',
  'syn-sent',
  'syn-received',
  'fin-wait-1',
  'fin-wait-2',
  'time-wait',
  'closed',
  'close-wait',
  'last-ack',
  'listen',
  'closing',
  'new-syn-received',
];

export type EventContext = {
  readonly host: string;
  /** Milliseconds UTC of a moment of CLOCK_BOOTTIME. */
  readonly timeOf: (bootNs: bigint) => number;
};

export function probeEvent(event: ProbeEvent, who: Attribution, { host, timeOf }: EventContext): AgentEvent {
  const flow = flowOf(event);
  const { oldState, newState, code } = event;
  return {
    time: timeOf(event.timeNs),
    host,
    kind: kinds[event.kind],
    origin: 'kernel',
    ...who,
    ...(flow === undefined ? {} : { flow }),
    ...(oldState === undefined || newState === undefined
      ? {}
      : { detail: `${stateName(oldState)} to ${stateName(newState)}` }),
    ...(code === undefined ? {} : { code }),
  };
}

/** A packet, or a connect, that no grant covers. `ledger`: of the grant that covered it until a moment ago. */
export function gateEvent(
  event: GateEvent,
  who: Attribution,
  { host, timeOf }: EventContext,
  named: { readonly interface?: string; readonly ledger?: LedgerFacts } = {},
): AgentEvent {
  return {
    time: timeOf(event.timeNs),
    host,
    kind: event.refused ? 'gate.drop' : 'gate.observe',
    origin: 'kernel',
    ...who,
    flow: {
      protocol: protocolName(event.protocol),
      ...(event.reason === 'malformed'
        ? {}
        : {
            source: event.source,
            sourcePort: event.sourcePort,
            destination: event.destination,
            destinationPort: event.destinationPort,
          }),
      ...(named.interface === undefined ? {} : { interface: named.interface }),
      bytes: event.length,
    },
    ...(named.ledger === undefined ? {} : { ledger: named.ledger }),
    reason: event.reason,
  };
}

function flowOf(event: ProbeEvent): Flow | undefined {
  const { protocol, source, sourcePort, destination, destinationPort, bytes } = event;
  if (protocol === undefined) return undefined;
  return {
    protocol: protocolName(protocol),
    ...(source === undefined ? {} : { source }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destination === undefined ? {} : { destination }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(bytes === undefined ? {} : { bytes: Number(bytes) }),
  };
}

function protocolName(protocol: number): string {
  return protocols.get(protocol) ?? `ip-${protocol}`;
}

function stateName(state: number): string {
  return tcpStates[state - 1] ?? `state-${state}`;
}
