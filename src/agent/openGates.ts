import { messageOf, WeftError } from '../codec/error.ts';
import { Gate } from './bpf/gate.ts';
import type { GateMaps } from './bpf/gateMaps.ts';
import type { Kernel } from './bpf/kernel.ts';
import { OutgoingGate } from './bpf/outgoing.ts';
import type { Usage } from './bpf/usage.ts';
import type { AgentConfig } from './config.ts';

/** A gate of this host, for what comes in or for what goes out. */
export type OpenGate = {
  readonly name: 'in' | 'out';
  readonly maps: GateMaps;
  /** A former process had made it. */
  readonly adopted: boolean;
  readonly interfaces: () => readonly { readonly interface: string; readonly mode: string }[];
  readonly usage: () => Usage;
  /** Where the configuration says; where it is already it stays. @throws WeftError BPF_* */
  readonly attach: () => void;
  /** Interfaces, or the cgroup, of the configuration that it is not on now: they were made anew, or are not there. */
  readonly missing: () => readonly string[];
  readonly close: () => void;
};

/** @throws WeftError BPF_* */
export function openGateIn(
  kernel: Kernel,
  { interfaces, failOpen, pins }: NonNullable<AgentConfig['gate']>,
  attached: (interfaceName: string, mode: string) => void,
): OpenGate {
  const gate = new Gate(kernel, failOpen ? {} : { pins });
  const told = new Set<string>();
  return {
    name: 'in',
    maps: gate.maps,
    adopted: gate.adopted,
    interfaces: () => gate.interfaces(),
    usage: () => gate.usage(),
    missing: () => missingOf(gate, interfaces),
    attach: () => {
      const failures: unknown[] = [];
      // One that is there may have to be taken over from another build: each is attached once, by this process.
      for (const name of interfaces)
        try {
          if (!told.has(name) || missingOf(gate, [name]).length > 0) attached(name, gate.attach(name).mode);
          told.add(name);
        } catch (error) {
          failures.push(error);
        }
      // One that is not there leaves no other unguarded.
      if (failures.length === 1) throw failures[0];
      if (failures.length > 1) throw new WeftError('BPF_REFUSED', failures.map(messageOf).join('; '));
    },
    close: () => gate.close(),
  };
}

/** `pins`: undefined for a gate that goes with its process. @throws WeftError BPF_* */
export function openGateOut(kernel: Kernel, cgroup: string | undefined, pins: string | undefined): OpenGate {
  const gate = new OutgoingGate(kernel, pins === undefined ? {} : { pins });
  return {
    name: 'out',
    maps: gate.maps,
    adopted: gate.adopted,
    interfaces: () => [],
    usage: () => gate.usage(),
    missing: () => (gate.isOn(cgroup) ? [] : [cgroup ?? 'cgroup']),
    attach: () => gate.attach(cgroup),
    close: () => gate.close(),
  };
}

function missingOf(gate: Gate, interfaces: readonly string[]): readonly string[] {
  const on = new Set(gate.interfaces().map(({ interface: name }) => name));
  return interfaces.filter((name) => !on.has(name));
}
