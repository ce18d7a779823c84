import { formatAddress } from './address.ts';
import { abiValues, Struct } from './struct.ts';

/** What a probe saw. Times in ns of CLOCK_BOOTTIME; ports in host order; what a kind does not know is left out. */
export type ProbeEvent = {
  readonly kind: ProbeKind;
  readonly timeNs: bigint;
  /** Process that ran when it happened; with `startNs` (exec, exit) unique for ever. */
  readonly pid: number;
  readonly parent?: number;
  readonly startNs?: bigint;
  readonly uid: number;
  /** Id of the process's cgroup (inode of its folder): leads to container and unit. */
  readonly cgroup: bigint;
  readonly command: string;
  /** exec, exec-check: the file, at most 127 bytes of its path. */
  readonly path?: string;
  /** exit: status as of wait(2) (code × 256, or a signal). bpf-call: its command. */
  readonly code?: number;
  /** tcp-state: states of include/net/tcp_states.h, 1 = ESTABLISHED … 12. */
  readonly oldState?: number;
  readonly newState?: number;
  readonly protocol?: number;
  readonly source?: string;
  readonly sourcePort?: number;
  readonly destination?: string;
  readonly destinationPort?: number;
  /** udp-send: length of the datagram. */
  readonly bytes?: bigint;
};

const values = abiValues.weft_probe_kind;
const kinds = {
  exec: values.WEFT_PROBE_EXEC,
  exit: values.WEFT_PROBE_EXIT,
  'tcp-state': values.WEFT_PROBE_TCP_STATE,
  bind: values.WEFT_PROBE_BIND,
  'bpf-call': values.WEFT_PROBE_BPF_CALL,
  'exec-check': values.WEFT_PROBE_EXEC_CHECK,
  'udp-send': values.WEFT_PROBE_UDP_SEND,
} as const;
export type ProbeKind = keyof typeof kinds;
const kindNames: ReadonlyMap<number, ProbeKind> = new Map(
  (Object.keys(kinds) as ProbeKind[]).map((name) => [kinds[name], name]),
);

const struct = new Struct('weft_probe_event');
const kind = struct.u32('kind');
const timeNs = struct.u64('time_ns');
const startNs = struct.u64('start_ns');
const cgroup = struct.u64('cgroup');
const byteCount = struct.u64('bytes');
const pid = struct.u32('pid');
const parent = struct.u32('parent');
const uid = struct.u32('uid');
const code = struct.i32('code');
const oldState = struct.u16('old_state');
const newState = struct.u16('new_state');
const sourcePort = struct.u16('source_port');
const destinationPort = struct.u16('destination_port');
const protocol = struct.u8('protocol');
const source = struct.offsetOf('source', 16);
const destination = struct.offsetOf('destination', 16);
const command = struct.text('command', 16);
const path = struct.text('path', 128);

export const probeEventBytes = struct.size;

/** @returns undefined for a kind that this build does not know */
export function readProbeEvent(bytes: Buffer, at: number): ProbeEvent | undefined {
  const name = kindNames.get(kind.read(bytes, at));
  if (name === undefined) return undefined;
  const common = {
    kind: name,
    timeNs: timeNs.read(bytes, at),
    pid: pid.read(bytes, at),
    uid: uid.read(bytes, at),
    cgroup: cgroup.read(bytes, at),
    command: command.read(bytes, at),
  };
  const local = () => ({
    protocol: protocol.read(bytes, at),
    source: formatAddress(bytes, at + source),
    sourcePort: sourcePort.read(bytes, at),
  });
  switch (name) {
    case 'exec':
      return {
        ...common,
        parent: parent.read(bytes, at),
        startNs: startNs.read(bytes, at),
        path: path.read(bytes, at),
      };
    case 'exit':
      return {
        ...common,
        parent: parent.read(bytes, at),
        startNs: startNs.read(bytes, at),
        code: code.read(bytes, at),
      };
    case 'tcp-state':
      return {
        ...common,
        ...local(),
        destination: formatAddress(bytes, at + destination),
        destinationPort: destinationPort.read(bytes, at),
        oldState: oldState.read(bytes, at),
        newState: newState.read(bytes, at),
      };
    case 'bind':
      return { ...common, ...local() };
    case 'bpf-call':
      return { ...common, code: code.read(bytes, at) };
    case 'exec-check':
      return { ...common, path: path.read(bytes, at) };
    case 'udp-send':
      return {
        ...common,
        protocol: protocol.read(bytes, at),
        sourcePort: sourcePort.read(bytes, at),
        destinationPort: destinationPort.read(bytes, at),
        bytes: byteCount.read(bytes, at),
      };
  }
}
