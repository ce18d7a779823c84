import { readFileSync } from 'node:fs';

/** Bits of linux/capability.h. CAP_SYS_ADMIN stood for CAP_BPF and CAP_PERFMON before Linux 5.8, and still does. */
const bits = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21, CAP_PERFMON: 38, CAP_BPF: 39 } as const;

/** Which of the capabilities that BPF takes this process has; none where that cannot be read. */
export function capabilities(): string[] {
  let status: string;
  try {
    status = readFileSync('/proc/self/status', 'latin1');
  } catch {
    return [];
  }
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit: number): boolean => ((effective >> BigInt(bit)) & 1n) === 1n;
  return Object.entries(bits)
    .filter(([name, bit]) => has(bit) || (name !== 'CAP_NET_ADMIN' && has(bits.CAP_SYS_ADMIN)))
    .map(([name]) => name);
}
