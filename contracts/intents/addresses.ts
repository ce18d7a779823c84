// Networks in CIDR spelling. One network has one spelling, so that what policy and people read, what is hashed and what a gate
// does are the same thing.

/** Bits of an address: IPv4, IPv6. */
const IPV4_BITS = 32;
const IPV6_BITS = 128;
const IPV6_GROUPS = 8;

/**
 * The number of bits that may differ inside the network (0: one address, 8: an IPv4 /24), or undefined when the text is not the
 * one spelling of a network: host bits zero, IPv6 as RFC 5952 §4 writes it (dotted endings are not used). The schema has
 * checked the characters.
 */
export function hostBits(cidr: string): number | undefined {
  const slash = cidr.indexOf('/');
  const address = cidr.slice(0, slash);
  const prefix = Number(cidr.slice(slash + 1));
  const groups = address.includes(':') ? ipv6Groups(address) : ipv4Groups(address);
  if (groups === undefined) return undefined;
  const bits = address.includes(':') ? IPV6_BITS : IPV4_BITS;
  if (prefix > bits || !hasZeroHost(groups, prefix)) return undefined;
  return bits - prefix;
}

/** Two groups of 16 bits. */
function ipv4Groups(address: string): readonly number[] | undefined {
  const parts = address.split('.');
  const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
  return parts.length === 4 ? [a * 256 + b, c * 256 + d] : undefined;
}

function ipv6Groups(address: string): readonly number[] | undefined {
  const halves = address.split('::');
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = IPV6_GROUPS - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 1 ? missing !== 0 : missing < 1)) return undefined;
  const zeros = Array.from({ length: missing }, () => '0');
  const texts = [...head, ...zeros, ...tail];
  if (texts.some((text) => text === '' || text.length > 4)) return undefined;
  const groups = texts.map((text) => Number.parseInt(text, 16));
  return ipv6Text(groups) === address ? groups : undefined;
}

/** RFC 5952: no leading zeros; `::` for the longest run of two or more zero groups, the first of several. */
function ipv6Text(groups: readonly number[]): string {
  let start = -1;
  let length = 1;
  for (let at = 0; at < groups.length; at += 1) {
    let run = 0;
    while (groups[at + run] === 0) run += 1;
    if (run > length) {
      start = at;
      length = run;
    }
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (start < 0) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

function hasZeroHost(groups: readonly number[], prefix: number): boolean {
  return groups.every((group, at) => {
    const kept = Math.max(0, Math.min(16, prefix - at * 16));
    return (group & (0xffff >>> kept)) === 0;
  });
}
