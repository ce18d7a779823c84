import { readFileSync } from 'node:fs';

function setting(name: string): string {
  try {
    return readFileSync(`/proc/sys/net/ipv4/${name}`, 'latin1').trim();
  } catch {
    return '';
  }
}

/**
 * Which of these ports the kernel may give to outgoing connections (of IPv4 and IPv6): answers to such a connection come in for
 * that port, and a gate would take them for calls. Reserve them: `sysctl net.ipv4.ip_local_reserved_ports`.
 * Both settings may be given, as /proc has them: `32768	60999`, and `8080,9000-9010`.
 */
export function ephemeralPorts(
  ports: readonly number[],
  range = setting('ip_local_port_range'),
  reserved = setting('ip_local_reserved_ports'),
): number[] {
  const [first = 0, last = 0] = range.split(/\s+/).map(Number);
  const kept = reserved
    .split(',')
    .filter((part) => part !== '')
    .map((part) => part.split('-').map(Number));
  const isKept = (port: number): boolean => kept.some(([from = 0, to = from]) => port >= from && port <= to);
  return ports.filter((port) => port >= first && port <= last && !isKept(port));
}
