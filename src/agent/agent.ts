import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, messageOf } from '../codec/error.ts';
import { capabilities } from './bpf/capabilities.ts';
import { cgroupRoot } from './bpf/cgroup.ts';
import { ephemeralPorts } from './bpf/ephemeralPorts.ts';
import { bootNsAt } from './bpf/gate.ts';
import type { GateEvent, GateMode, GuardedPort } from './bpf/gateMaps.ts';
import { Kernel } from './bpf/kernel.ts';
import { explain } from './bpf/load.ts';
import type { ProbeEvent } from './bpf/probeEvent.ts';
import { Probe, type ProbeName } from './bpf/probes.ts';
import type { Usage } from './bpf/usage.ts';
import { type AgentConfig, type LedgerConfig, pinsOf } from './config.ts';
import { LedgerLink } from './ledgerLink.ts';
import { lockPins, lockState } from './lock.ts';
import { AgentMetrics } from './metrics.ts';
import { type OpenGate, openGateIn, openGateOut } from './openGates.ts';
import { ProcWatch } from './procWatch.ts';
import type { RouteCounts, RouteEvent } from './routes/routes.ts';
import { fromSources } from './routes/sources.ts';
import { sinksOf } from './sinks.ts';
import { Attributor } from './telemetry/attribution.ts';
import { type AgentEvent, type Attribution, type Flow, gateEvent, probeEvent } from './telemetry/event.ts';
import { defaultRedaction } from './telemetry/redact.ts';
import type { Sink, SinkCounters } from './telemetry/sink.ts';
import { defaultLimits, Telemetry } from './telemetry/telemetry.ts';

/** A probe, or a gate (`gate in`, `gate out`). */
export type ProgramStatus = Usage & {
  readonly name: string;
  /** What an event was due for: all that a probe watches, what a gate refused or would have. */
  readonly seen: number;
  readonly lost: number;
  readonly limited: number;
};

export type GateStatus = {
  readonly name: 'in' | 'out';
  readonly mode: GateMode;
  readonly adopted: boolean;
  /** With the mode in which it is attached: native or generic. */
  readonly interfaces: readonly { readonly interface: string; readonly mode: string }[];
  /** Interfaces, or the cgroup, of the configuration that it is not on: looked at again each second. */
  readonly missing: readonly string[];
  readonly guarded: readonly GuardedPort[];
  readonly counters: Readonly<Record<string, number>>;
};

/** What an agent does at the moment, for people and metrics. */
export type AgentStatus = {
  readonly host: string;
  /** Parts that do not work here, and why. */
  readonly unavailable: readonly { readonly part: string; readonly why: string }[];
  /** /proc is read instead of what a probe would say. */
  readonly fallback: boolean;
  readonly gates: readonly GateStatus[];
  /** Gates of the configuration, also such as cannot be had here. */
  readonly configured: readonly GateStatus['name'][];
  readonly routes: RouteCounts;
  readonly programs: readonly ProgramStatus[];
  readonly events: Readonly<Record<string, number>>;
  readonly limited: number;
  readonly sinks: readonly ({ readonly name: string } & SinkCounters)[];
  readonly alerts: number;
  /** Hints of nodes that found no room: they are told again by the next look at that node. */
  readonly hintsDropped: number;
};

export type AgentModules = {
  readonly version: string;
  /** Passphrase of the key file. */
  readonly passphrase: string | null;
  readonly say: (level: 'info' | 'warn' | 'error', message: string, details?: object) => void;
  /** Seam for tests: sinks besides those of the configuration. */
  readonly sinks?: readonly Sink[];
};

const lossEveryMs = 1000;
const reportEveryMs = 10_000;
const procEveryMs = 1000;
const complainEveryMs = 60_000;
const never: readonly GuardedPort[] = [{ port: 22, protocol: 'tcp' }];

/** The sidecar of a host: probes, gates, the routes that the ledger granted, and what is told of all that. */
export class Agent {
  readonly #config: AgentConfig;
  readonly #modules: AgentModules;
  readonly #telemetry: Telemetry;
  readonly #attributor = new Attributor({ cgroups: cgroupRoot() });
  readonly #unavailable: { part: string; why: string }[] = [];
  /** Of gates: why they are not where they should be. */
  readonly #unattached = new Map<string, { readonly part: string; readonly why: string }>();
  readonly #gates: OpenGate[] = [];
  readonly #probes: Probe[] = [];
  readonly #told = new Map<string, { lost: bigint; limited: bigint }>();
  readonly #refused = new Map<string, bigint>();
  readonly #modes = new Map<string, GateMode>();
  readonly #complainedMs = new Map<string, number>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #locks: (() => void | Promise<void>)[] = [];
  #kernel: Kernel | undefined;
  #proc: ProcWatch | undefined;
  #ledger: LedgerLink | undefined;
  #metrics: AgentMetrics | undefined;
  #interfaces: ReadonlyMap<number, string> = new Map();
  #interfacesMs = Number.NEGATIVE_INFINITY;

  private constructor(config: AgentConfig, modules: AgentModules) {
    const { host, telemetry } = config;
    this.#config = config;
    this.#modules = modules;
    this.#telemetry = new Telemetry({
      host,
      sinks: [...sinksOf(telemetry, host, modules.version), ...(modules.sinks ?? [])],
      redaction: telemetry.redact ?? defaultRedaction,
      limits: { ...defaultLimits, perSecond: telemetry.perSecond, burst: telemetry.burst },
      reportEveryMs,
      wallMs: Date.now,
      monotonicMs: () => performance.now(),
      failed: (sink, error) => this.#complain(`${sink} takes nothing at the moment`, error),
    });
  }

  /**
   * Starts all that works here. What does not is told of and left out; a gate that is configured and cannot be had is told of as an
   * error, and the rest goes on: somebody watches, at least. No node is waited for: the gate is up, with the leases that run, before the
   * ledger is asked for anything.
   * @throws WeftError AGENT_LOCKED, EXECUTOR_*, KEY_*, TRUST_INVALID, AGENT_STATE_DAMAGED, AGENT_METRICS, REDACTION_RULE, BPF_PORT
   */
  static async start(config: AgentConfig, modules: AgentModules): Promise<Agent> {
    const agent = new Agent(config, modules);
    try {
      await agent.#start();
      return agent;
    } catch (error) {
      await agent.close().catch((also: unknown) => modules.say('warn', messageOf(also)));
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { state, ledger, metrics } = this.#config;
    this.#locks.push(await lockState(state));
    try {
      this.#kernel = await Kernel.open();
    } catch (error) {
      this.#missing('eBPF', error);
    }
    if (this.#kernel !== undefined) this.#openGates(this.#kernel);
    // Grants are in place before anything is refused for want of one; who else should have one is asked afterwards.
    try {
      if (ledger !== undefined) await this.#openLedger(ledger);
      // Nobody grants anything any more: what an adopted gate still holds must not outlive that.
      else for (const { maps } of this.#gates) maps.grants.reconcile([]);
    } catch (error) {
      // A key file that is missing must not leave open what is to be guarded: with what is pinned, this host fails closed.
      if (pinsOf(this.#config) !== undefined) this.#guard();
      throw error;
    }
    this.#guard();
    this.#ledger?.follow();
    this.#openProbes();
    await this.#fallBack();
    if (metrics !== undefined)
      this.#metrics = await AgentMetrics.listen(metrics.host, metrics.port, () => this.status());
    this.#every(lossEveryMs, () => {
      this.#mend();
      this.#tellModes();
      this.#tellLosses();
    });
  }

  /** Where metrics are served, if they are. */
  get metricsUrl(): string | undefined {
    return this.#metrics?.url;
  }

  /** observe or enforce, from the next packet on. */
  setMode(mode: Exclude<GateMode, 'off'>): void {
    for (const gate of this.#gates) gate.maps.configure({ mode });
    this.#tellModes();
  }

  status(): AgentStatus {
    const { events, limited, sinks } = this.#telemetry.counters();
    return {
      host: this.#config.host,
      unavailable: [...this.#unavailable, ...this.#unattached.values()],
      fallback: this.#proc !== undefined,
      gates: this.#gates.map(({ name, maps, adopted, interfaces, missing }) => ({
        name,
        mode: maps.settings().mode,
        adopted,
        interfaces: interfaces(),
        missing: missing(),
        guarded: maps.guarded(),
        counters: numbers(maps.counters()),
      })),
      configured: [
        ...(this.#config.gate === undefined ? [] : (['in'] as const)),
        ...(this.#config.outgoing === undefined ? [] : (['out'] as const)),
      ],
      routes: this.#ledger?.routes.counts ?? { open: 0, lapsed: 0, opened: 0, closed: 0, refused: 0 },
      programs: [
        ...this.#probes.map((probe) => {
          const { seen, lost, limited: held } = probe.counters();
          const counted = { seen: Number(seen), lost: Number(lost), limited: Number(held) };
          return { name: probe.name, ...counted, ...probe.usage() };
        }),
        ...this.#gates.map(({ name, maps, usage }) => {
          const { refused, observed, eventsLost, eventsLimited } = maps.counters();
          const counted = {
            seen: Number(refused + observed),
            lost: Number(eventsLost),
            limited: Number(eventsLimited),
          };
          return { name: `gate ${name}`, ...counted, ...usage() };
        }),
      ],
      events: Object.fromEntries(events),
      limited,
      sinks,
      alerts: this.#ledger?.alerts.raised ?? 0,
      hintsDropped: this.#ledger?.hintsDropped ?? 0,
    };
  }

  /** What is pinned goes on in the kernel; what it granted ends with its lease. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#proc?.stop();
    for (const probe of this.#probes) probe.close();
    try {
      await this.#ledger?.close();
    } finally {
      for (const gate of this.#gates) gate.close();
      await this.#metrics?.close();
      await this.#telemetry.close();
      for (const unlock of this.#locks) await unlock();
    }
  }

  #openGates(kernel: Kernel): void {
    const { gate, outgoing } = this.#config;
    const pins = pinsOf(this.#config);
    if (pins !== undefined)
      try {
        this.#locks.push(lockPins(kernel, pins));
      } catch (error) {
        if (codeOf(error) === 'AGENT_LOCKED') throw error;
        if (gate !== undefined) this.#missing('gate', error);
        if (outgoing !== undefined) this.#missing('outgoing gate', error);
        return;
      }
    if (gate !== undefined)
      try {
        const attached = (name: string, mode: string): void =>
          this.#modules.say('info', `${name} is guarded (${mode} XDP)`, { interface: name, mode });
        this.#gates.push(openGateIn(kernel, gate, attached));
      } catch (error) {
        this.#missing('gate', error);
      }
    if (outgoing !== undefined)
      try {
        this.#gates.push(openGateOut(kernel, outgoing.cgroup, pins));
      } catch (error) {
        this.#missing('outgoing gate', error);
      }
  }

  /** Ports, mode, and only then interfaces. */
  #guard(): void {
    const { gate, outgoing, telemetry } = this.#config;
    for (const gateway of this.#gates) {
      const { name, maps } = gateway;
      // An adopted gate has counted before.
      this.#refused.set(name, maps.counters().refused);
      const settings = name === 'in' ? gate : outgoing;
      if (settings === undefined) continue;
      maps.guard(settings.guarded, [...never, ...settings.never]);
      if (name === 'in') this.#warnOfEphemeral(settings.guarded.map(({ port }) => port));
      if (gateway.adopted && maps.settings().mode === 'enforce' && settings.mode === 'observe')
        this.#modules.say(
          'warn',
          `gate ${name} enforced, and observes from now on: the configuration says so ('mode')`,
        );
      maps.configure({
        mode: settings.mode,
        eventsPerSecond: telemetry.kernelPerSecond,
        refuseFragments: name === 'in' && gate?.refuseFragments === true,
      });
      maps.watch((event) => this.#safely(`gate ${name}`, () => this.#onGate(name, event)));
      this.#attach(gateway);
    }
  }

  #warnOfEphemeral(ports: readonly number[]): void {
    const given = ephemeralPorts(ports);
    if (given.length === 0) return;
    const list = given.join(',');
    this.#modules.say(
      'warn',
      `port ${list} is one that the kernel gives to outgoing connections: answers to those would be refused; reserve it (sysctl net.ipv4.ip_local_reserved_ports=${list})`,
    );
  }

  #attach({ name, attach }: OpenGate): void {
    try {
      attach();
      this.#unattached.delete(name);
    } catch (error) {
      const part = name === 'in' ? 'gate' : 'outgoing gate';
      const why = explain(error, capabilities());
      // An interface that is away is tried each second.
      if (this.#unattached.get(name)?.why !== why) this.#modules.say('error', `${part} is unavailable: ${why}`);
      this.#unattached.set(name, { part, why });
    }
  }

  /** An interface, or a cgroup, that was made anew has no gate until somebody attaches it. */
  #mend(): void {
    for (const gateway of this.#gates) {
      const before = gateway.missing();
      if (before.length === 0) continue;
      this.#attach(gateway);
      const after = gateway.missing();
      for (const name of before.filter((each) => !after.includes(each)))
        this.#emit({ kind: 'gate.attach', reason: 'anew', detail: `gate ${gateway.name} on ${name}` });
    }
  }

  async #openLedger(ledger: LedgerConfig): Promise<void> {
    const { passphrase, say } = this.#modules;
    const kernel = this.#kernel;
    const sources = this.#config.outgoing?.sources;
    const link = await LedgerLink.open(this.#config, ledger, {
      passphrase,
      say,
      tables: this.#gates.map(({ name, maps }) =>
        name === 'out' && sources !== undefined ? fromSources(maps.grants, sources) : maps.grants,
      ),
      bootNsAt: (unixMs) => (kernel === undefined ? 0n : bootNsAt(kernel, unixMs)),
      routeHappened: (event) => this.#onRoute(event),
      alertRaised: (alert, count) => {
        const detail = `${count} refused packets are on the ledger`;
        this.#emit({ kind: 'alert.raised', reason: alert, count, detail });
      },
    });
    this.#ledger = link;
    const reconciled = await link.restore();
    if (reconciled !== undefined) say('info', 'the kernel holds the routes that were open', reconciled);
  }

  #openProbes(): void {
    const { probes, telemetry } = this.#config;
    const kernel = this.#kernel;
    if (kernel === undefined) return;
    /** Mostly all of them fail for one reason. */
    const failed = new Map<string, ProbeName[]>();
    const rights = capabilities();
    for (const name of probes)
      try {
        const probe = new Probe(kernel, name, { eventsPerSecond: telemetry.kernelPerSecond });
        this.#probes.push(probe);
        if (name !== 'drops') probe.watch((event) => this.#safely(`probe ${name}`, () => this.#onProbe(event)));
      } catch (error) {
        const why = explain(error, rights);
        failed.set(why, [...(failed.get(why) ?? []), name]);
        this.#unavailable.push({ part: `probe ${name}`, why });
      }
    for (const [why, names] of failed)
      this.#modules.say('warn', `${names.length === 1 ? 'probe' : 'probes'} ${names.join(', ')} unavailable: ${why}`);
  }

  /** /proc in the place of the probes that say who begins and ends. */
  async #fallBack(): Promise<void> {
    const { fallback, probes, host } = this.#config;
    const wanted = probes.includes('exec') && !this.#probes.some(({ name }) => name === 'exec');
    if (!fallback || !wanted) return;
    const proc = new ProcWatch({
      host,
      everyMs: procEveryMs,
      wallMs: Date.now,
      seen: (event) => {
        if (!this.#telemetry.holds(event.kind, String(event.process?.pid ?? ''))) this.#telemetry.emit(event);
      },
    });
    if (!(await proc.start())) return;
    this.#proc = proc;
    this.#modules.say(
      'warn',
      'processes and listeners are read off /proc every second: that enforces nothing and misses what is short',
    );
  }

  /** What one event is made of must not end the sidecar; it is missing, and told of. */
  #safely(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#telemetry.lost(what, 1, 'error');
      this.#complain(what, error);
    }
  }

  #onProbe(event: ProbeEvent): void {
    const source = String(event.cgroup);
    if (event.kind === 'exit') this.#attributor.ended(event.pid);
    if (this.#telemetry.holds(event.kind, source)) return;
    if (event.kind === 'exec') this.#attributor.began(event);
    this.#telemetry.emit(probeEvent(event, this.#who(event), this.#context));
  }

  #onGate(name: 'in' | 'out', event: GateEvent): void {
    const source = name === 'in' ? event.source : String(event.cgroup);
    // Evidence of an alert is a line that somebody has, however many more there are.
    const isEvidence = event.refused && this.#ledger?.alerts.wants === true;
    // Of a flood all that is left to do is to count.
    if (!isEvidence && this.#telemetry.holds(event.refused ? 'gate.drop' : 'gate.observe', source)) return;
    const route = event.grant === undefined ? undefined : this.#ledger?.routes.of(event.grant.id);
    const ledger =
      event.grant === undefined
        ? undefined
        : {
            grant: event.grant.id,
            ...(route === undefined
              ? {}
              : { expires: route.expires, ...(route.index === 0 ? {} : { index: route.index }) }),
          };
    const interfaceName = name === 'in' ? this.#interfaceOf(event.interfaceIndex) : undefined;
    const told = gateEvent(event, name === 'in' ? {} : this.#who(event), this.#context, {
      ...(interfaceName === undefined ? {} : { interface: interfaceName }),
      ...(ledger === undefined ? {} : { ledger }),
    });
    const line = this.#telemetry.emit(told);
    if (isEvidence) this.#ledger?.alerts.saw(line);
  }

  #onRoute({ kind, grant, reason, index, expires, effect, detail }: RouteEvent): void {
    const ledger = { grant, ...(index === undefined ? {} : { index }), ...(expires === undefined ? {} : { expires }) };
    const flow: Flow | undefined = effect && {
      protocol: effect.protocol,
      source: effect.source,
      destination: effect.destination,
      destinationPort: effect.port,
    };
    this.#emit({ kind, reason, detail, ledger, ...(flow === undefined ? {} : { flow }) });
  }

  #who(event: Parameters<Attributor['of']>[0]): Attribution {
    return this.#attributor.of(event, performance.now());
  }

  get #context() {
    return { host: this.#config.host, timeOf: (bootNs: bigint) => this.#timeOf(bootNs) };
  }

  #timeOf(bootNs: bigint): number {
    const now = this.#kernel?.bootNs() ?? bootNs;
    return Date.now() - Number((now - bootNs) / 1_000_000n);
  }

  /** Read anew for one that is not known, but not with each packet of one that is gone. */
  #interfaceOf(index: number): string | undefined {
    const now = performance.now();
    if (!this.#interfaces.has(index) && now - this.#interfacesMs >= lossEveryMs) {
      this.#interfaces = interfacesByIndex();
      this.#interfacesMs = now;
    }
    return this.#interfaces.get(index);
  }

  /** Whoever switches a gate, by `weft agent mode` or otherwise: it must not go unseen. */
  #tellModes(): void {
    for (const { name, maps } of this.#gates) {
      const { mode } = maps.settings();
      if (this.#modes.get(name) === mode) continue;
      this.#modes.set(name, mode);
      this.#emit({ kind: 'gate.mode', reason: mode, detail: `gate ${name}` });
    }
  }

  /** What the kernel could not hand over is told of as it grows. */
  #tellLosses(): void {
    const programs = [
      ...this.#probes.map((probe) => ({ name: `probe ${probe.name}`, ...probe.counters() })),
      ...this.#gates.map(({ name, maps }) => {
        const { eventsLost, eventsLimited, refused } = maps.counters();
        this.#ledger?.alerts.refused(Number(refused - (this.#refused.get(name) ?? refused)));
        this.#refused.set(name, refused);
        return { name: `gate ${name}`, lost: eventsLost, limited: eventsLimited };
      }),
    ];
    for (const { name, lost, limited } of programs) {
      const before = this.#told.get(name) ?? { lost: 0n, limited: 0n };
      if (lost > before.lost) this.#telemetry.lost(name, Number(lost - before.lost), 'ring');
      if (limited > before.limited) this.#telemetry.lost(name, Number(limited - before.limited), 'kernel-limit');
      this.#told.set(name, { lost, limited });
    }
  }

  /** Every try that fails would be a line each few seconds, for as long as somebody's collector is away. */
  #complain(about: string, error: unknown): void {
    const now = performance.now();
    if (now - (this.#complainedMs.get(about) ?? Number.NEGATIVE_INFINITY) < complainEveryMs) return;
    this.#complainedMs.set(about, now);
    this.#modules.say('warn', `${about}: ${messageOf(error)}`);
  }

  #missing(part: string, error: unknown): void {
    const why = explain(error, capabilities());
    this.#unavailable.push({ part, why });
    this.#modules.say(part.includes('gate') ? 'error' : 'warn', `${part} is unavailable: ${why}`);
  }

  #emit(event: Pick<AgentEvent, 'kind'> & Partial<AgentEvent>): void {
    this.#telemetry.emit({ time: Date.now(), host: this.#config.host, origin: 'kernel', ...event });
  }

  #every(ms: number, work: () => void): void {
    this.#timers.push(
      setInterval(() => {
        try {
          work();
        } catch (error) {
          // The kernel would not say, for once: the sidecar must not end by that.
          this.#complain('the kernel does not say what its programs do', error);
        }
      }, ms),
    );
  }
}

function numbers(counters: Readonly<Record<string, bigint>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).map(([name, value]) => [name, Number(value)]));
}

function interfacesByIndex(): ReadonlyMap<number, string> {
  const folder = '/sys/class/net';
  if (!existsSync(folder)) return new Map();
  const found = new Map<number, string>();
  for (const name of readdirSync(folder))
    try {
      found.set(Number(readFileSync(join(folder, name, 'ifindex'), 'utf8')), name);
    } catch {
      // It went while we looked.
    }
  return found;
}
