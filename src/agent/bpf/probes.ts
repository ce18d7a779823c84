import { capabilities } from './capabilities.ts';
import { withCgroup } from './cgroup.ts';
import { attachTypes, Kernel } from './kernel.ts';
import { closeLoaded, descriptor, explain, type Loaded, loadSkeleton } from './load.ts';
import { BpfMap, CounterMap } from './map.ts';
import { type ProbeEvent, probeEventBytes, readProbeEvent } from './probeEvent.ts';
import { type SkeletonName, skeletons } from './programs.ts';
import { Ring } from './ring.ts';
import { abiValues, Struct } from './struct.ts';
import { type Usage, usageOf } from './usage.ts';

export type ProbeName = 'exec' | 'exit' | 'tcp' | 'bind' | 'drops' | 'bpf-calls' | 'exec-check' | 'udp';

type ProbeDescription = {
  readonly name: ProbeName;
  readonly skeleton: SkeletonName;
  /** Section of the program: how the kernel calls it. */
  readonly hook: string;
  readonly about: string;
  /** Program → attach type of a cgroup; others name their own target. */
  readonly cgroup?: Readonly<Record<string, number>>;
};

export const probeCatalogue: readonly ProbeDescription[] = [
  { name: 'exec', skeleton: 'exec', hook: 'tp_btf/sched_process_exec', about: 'programs that begin' },
  { name: 'exit', skeleton: 'exit', hook: 'tp_btf/sched_process_exit', about: 'processes that end' },
  { name: 'tcp', skeleton: 'tcp', hook: 'tp_btf/inet_sock_set_state', about: 'TCP connections, state by state' },
  {
    name: 'bind',
    skeleton: 'bind',
    hook: 'cgroup/post_bind4,6',
    about: 'sockets that took a port',
    cgroup: { weft_bind4: attachTypes.postBind4, weft_bind6: attachTypes.postBind6 },
  },
  { name: 'drops', skeleton: 'drops', hook: 'tp_btf/kfree_skb', about: 'packets the kernel threw away, by reason' },
  { name: 'bpf-calls', skeleton: 'bpfCalls', hook: 'lsm/bpf', about: 'who else changes BPF on this host' },
  {
    name: 'exec-check',
    skeleton: 'execCheck',
    hook: 'lsm/bprm_check_security',
    about: 'programs about to begin, refused ones too',
  },
  { name: 'udp', skeleton: 'udp', hook: 'fentry/udp_sendmsg', about: 'datagrams sent, by process' },
];

const config = new Struct('weft_probe_config');
const eventsPerSecond = config.u32('events_per_second');
const counterIndex = abiValues.weft_probe_counter;

export type ProbeCounters = {
  /** What happened. */
  readonly seen: bigint;
  /** Events that the full ring could not take. */
  readonly lost: bigint;
  /** Events above the limit. */
  readonly limited: bigint;
};

/** A probe that is on. It is off as soon as it is closed, or its process is gone: probes are never pinned. */
export class Probe {
  readonly name: ProbeName;
  readonly #kernel: Kernel;
  readonly #loaded: Loaded;
  readonly #links: readonly number[];
  readonly #counters: CounterMap;
  readonly #reasons: CounterMap | undefined;
  readonly #ring: Ring;
  #closed = false;

  /** @throws BPF_REFUSED */
  constructor(
    kernel: Kernel,
    name: ProbeName,
    options: {
      /** At most so many events a second on each CPU; the others are counted. Default 1000; 0: no limit. */
      readonly eventsPerSecond?: number;
      /** Folder of the cgroup for probes of a cgroup (bind). Default: all processes. */
      readonly cgroup?: string;
    } = {},
  ) {
    const description = probeCatalogue.find((probe) => probe.name === name) ?? unknownProbe(name);
    this.name = name;
    this.#kernel = kernel;
    this.#loaded = loadSkeleton(kernel, skeletons[description.skeleton]);
    const links: number[] = [];
    try {
      const { maps } = this.#loaded;
      const settings = config.alloc();
      eventsPerSecond.write(settings, 0, options.eventsPerSecond ?? 1000);
      new BpfMap(kernel, 'weft_config', descriptor(maps, 'weft_config'), 4, config.size).set(Buffer.alloc(4), settings);
      this.#counters = new CounterMap(kernel, 'weft_counters', descriptor(maps, 'weft_counters'));
      const reasons = maps.get('weft_reasons');
      this.#reasons = reasons === undefined ? undefined : new CounterMap(kernel, 'weft_reasons', reasons);
      attach(kernel, description, this.#loaded, options.cgroup, links);
      this.#ring = new Ring(kernel, descriptor(maps, 'weft_events'), abiValues.weft_limits.WEFT_RING_BYTES);
    } catch (error) {
      for (const link of links) kernel.close(link);
      closeLoaded(kernel, this.#loaded);
      throw error;
    }
    this.#links = links;
  }

  counters(): ProbeCounters {
    return {
      seen: this.#counters.read(counterIndex.WEFT_PROBE_COUNT_SEEN),
      lost: this.#counters.read(counterIndex.WEFT_PROBE_COUNT_LOST),
      limited: this.#counters.read(counterIndex.WEFT_PROBE_COUNT_LIMITED),
    };
  }

  usage(): Usage {
    return usageOf(this.#kernel, this.#loaded);
  }

  /** drops only: number of enum skb_drop_reason of the running kernel → packets, without zeros. 255: all above. */
  dropReasons(): ReadonlyMap<number, bigint> {
    const found = new Map<number, bigint>();
    for (let reason = 0; this.#reasons !== undefined && reason < abiValues.weft_limits.WEFT_DROP_REASONS; reason++) {
      const count = this.#reasons.read(reason);
      if (count > 0n) found.set(reason, count);
    }
    return found;
  }

  /** Hands over what is there, at most `max` events. @returns how many records were taken */
  drain(onEvent: (event: ProbeEvent) => void, max?: number): number {
    return this.#ring.drain(decoder(onEvent), max);
  }

  /** Hands over events as they come, from the event loop, until `close`. */
  watch(onEvent: (event: ProbeEvent) => void): void {
    this.#ring.watch(decoder(onEvent));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const link of this.#links) this.#kernel.close(link);
    this.#ring.close();
    closeLoaded(this.#kernel, this.#loaded);
  }
}

function unknownProbe(name: never | string): never {
  throw new RangeError(`no probe is called ${name}`);
}

function decoder(onEvent: (event: ProbeEvent) => void): (bytes: Buffer, at: number, length: number) => void {
  return (bytes, at, length) => {
    const event = length >= probeEventBytes ? readProbeEvent(bytes, at) : undefined;
    if (event !== undefined) onEvent(event);
  };
}

function attach(
  kernel: Kernel,
  description: ProbeDescription,
  loaded: Loaded,
  cgroup: string | undefined,
  links: number[],
): void {
  for (const [name, program] of loaded.programs) {
    const type = description.cgroup?.[name];
    links.push(
      type === undefined ? kernel.linkTracing(program) : withCgroup(cgroup, (fd) => kernel.link(program, fd, type)),
    );
  }
}

export type Ability = {
  readonly name: ProbeName | 'gate' | 'outgoing';
  readonly hook: string;
  readonly about: string;
  readonly works: boolean;
  /** Why it does not work, and what to do. */
  readonly why?: string;
};

/**
 * What of this build works on this host, found out by loading (and for probes attaching) each part: neither the kernel's
 * configuration nor its list of LSMs says it reliably. Never throws: without rights or off Linux each row says why.
 */
export async function detectAbilities(): Promise<readonly Ability[]> {
  const gates = [
    { name: 'gate', hook: 'xdp.frags', about: 'lets guarded ports be reached only with a grant' },
    { name: 'outgoing', hook: 'cgroup/connect4,6 sendmsg4,6', about: 'the same for what leaves this host' },
  ] as const;
  const all = [...gates, ...probeCatalogue.map(({ name, hook, about }) => ({ name, hook, about }))];
  let kernel: Kernel;
  try {
    kernel = await Kernel.open();
  } catch (error) {
    return all.map((part) => ({ ...part, works: false, why: explain(error, []) }));
  }
  const rights = capabilities();
  return all.map((part) => {
    try {
      if (part.name === 'gate' || part.name === 'outgoing')
        closeLoaded(kernel, loadSkeleton(kernel, skeletons[part.name]));
      else new Probe(kernel, part.name).close();
      return { ...part, works: true };
    } catch (error) {
      return { ...part, works: false, why: explain(error, rights) };
    }
  });
}
