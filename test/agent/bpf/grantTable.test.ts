import fc from 'fast-check';
import t from 'tap';
import { parsePrefix } from '../../../src/agent/bpf/address.ts';
import { Gate } from '../../../src/agent/bpf/gate.ts';
import { type Grant, grantKeyBytes, grantValueBytes, shapesBytes } from '../../../src/agent/bpf/grants.ts';
import { GrantTable } from '../../../src/agent/bpf/grantTable.ts';
import { Kernel } from '../../../src/agent/bpf/kernel.ts';
import { closeLoaded, descriptor, loadSkeleton } from '../../../src/agent/bpf/load.ts';
import { BpfMap } from '../../../src/agent/bpf/map.ts';
import { skeletons } from '../../../src/agent/bpf/programs.ts';
import { ipv4, ipv6, TCP, UDP } from './frames.ts';
import { skipUnless } from './rights.ts';

const skip = skipUnless('gate');
const far = 1n << 62n;
const id = (n: number): string => n.toString(16).padStart(64, '0');
const grant = (n: number, more: Partial<Grant> = {}): Grant => ({
  id: id(n),
  source: '10.0.0.1',
  destination: '10.0.0.2',
  port: 8080,
  protocol: 'tcp',
  expiresNs: far,
  ...more,
});

async function withGate(use: (gate: Gate) => void): Promise<void> {
  const gate = new Gate(await Kernel.open());
  try {
    gate.maps.configure({ mode: 'enforce', eventsPerSecond: 1 });
    gate.maps.guard([
      { port: 80, protocol: 'tcp' },
      { port: 80, protocol: 'udp' },
      { port: 8080, protocol: 'tcp' },
      { port: 8080, protocol: 'udp' },
    ]);
    use(gate);
  } finally {
    gate.close();
  }
}

/** A gate's table with room for `entries` keys. */
async function withTable(entries: number, use: (table: GrantTable, map: BpfMap) => void): Promise<void> {
  const kernel = await Kernel.open();
  const loaded = loadSkeleton(kernel, skeletons.gate, { weft_grants: entries });
  try {
    const open = (name: string, keyBytes: number, valueBytes: number) =>
      new BpfMap(kernel, name, descriptor(loaded.maps, name), keyBytes, valueBytes);
    const map = open('weft_grants', grantKeyBytes, grantValueBytes);
    use(new GrantTable(map, open('weft_shapes', 4, shapesBytes), 'in'), map);
  } finally {
    closeLoaded(kernel, loaded);
  }
}

function entries(map: BpfMap): number {
  let count = 0;
  map.each(() => {
    count += 1;
  }, 2);
  return count;
}

t.test('a grant that only ends later stays in place, and goes on counting', { skip }, async (t) => {
  await withTable(2, (table, map) => {
    const both = { protocol: 'any' } as const;
    table.put(grant(1, { ...both, expiresNs: 1000n }));
    const deleted: Buffer[] = [];
    const remove = map.delete.bind(map);
    map.delete = (key) => {
      deleted.push(Buffer.from(key));
      return remove(key);
    };
    table.put(grant(1, { ...both, expiresNs: 2000n }));
    t.same([deleted.length, entries(map)], [0, 2]);
    t.same(
      table.held(0n).map(({ endsInMs }) => endsInMs),
      [0, 0],
    );
    t.equal(table.sweep(1999n), 0);
    table.put(grant(1, { expiresNs: 3000n }));
    t.equal(entries(map), 1, 'other keys: made anew');
  });
  await withGate((gate) => {
    const { grants } = gate.maps;
    grants.put(grant(1));
    t.equal(gate.test(ipv4()).action, 'pass');
    grants.put(grant(1, { expiresNs: far + 1n }));
    t.equal(gate.test(ipv4()).action, 'pass');
    t.equal(grants.usage(id(1)).packets, 2n);
    grants.put(grant(2, { expiresNs: far + 2n }));
    t.equal(gate.test(ipv4()).action, 'pass');
    t.same([grants.usage(id(1)).packets, grants.usage(id(2)).packets], [0n, 1n], 'the later one is in the kernel');
    grants.put(grant(2, { expiresNs: 1n }));
    t.equal(gate.test(ipv4()).action, 'pass', 'the first again');
    t.equal(grants.usage(id(1)).packets, 1n);
    grants.put(grant(1, { expiresNs: 2n }));
    t.equal(gate.test(ipv4()).action, 'drop');
  });
});

t.test('two intents may grant the same: the later end counts, and the other remains', { skip }, async (t) => {
  await withGate((gate) => {
    const { grants } = gate.maps;
    const passes = () => gate.test(ipv4()).action === 'pass';
    grants.put(grant(1, { expiresNs: far }));
    grants.put(grant(2, { expiresNs: 1n }));
    t.ok(passes(), 'a shorter one changes nothing');
    t.ok(grants.remove(id(1)));
    t.notOk(passes(), 'only the one that is over is left');
    grants.put(grant(3, { expiresNs: far }));
    t.ok(passes());
    grants.put(grant(3, { expiresNs: 2n }));
    t.notOk(passes(), 'the same id again replaces');
    t.equal(grants.size, 2);
    t.notOk(grants.remove(id(9)), 'what is not there');
  });
});

t.test('what is no grant is refused, and leaves nothing', { skip }, async (t) => {
  await withTable(8, (table, map) => {
    const wrong: Partial<Grant>[] = [
      { id: 'A'.repeat(64) },
      { id: '' },
      { port: -1 },
      { port: 65536 },
      { port: 1.5 },
      { expiresNs: -1n },
      { expiresNs: 1n << 63n },
      { destination: 'fd00::1' },
    ];
    for (const more of wrong)
      t.throws(() => table.put(grant(1, more)), { code: 'BPF_GRANT' }, JSON.stringify(Object.keys(more)));
    t.throws(() => table.put(grant(1, { source: '10.0.0.1/8' })), { code: 'BPF_ADDRESS' });
    t.same([table.size, entries(map)], [0, 0]);
  });
});

t.test('a full table says so, and half a grant is none', { skip }, async (t) => {
  await withTable(3, (table, map) => {
    table.put(grant(1, { protocol: 'any' }));
    t.throws(() => table.put(grant(2, { port: 80, protocol: 'any' })), { code: 'BPF_GRANTS_FULL' });
    t.same([table.size, entries(map)], [1, 2], 'the first of its two keys went out again');
    table.put(grant(3, { port: 81 }));
    t.throws(() => table.reconcile([1, 2, 3, 4].map((n) => grant(n, { port: n }))), { code: 'BPF_GRANTS_FULL' });
    t.same(table.reconcile([grant(1, { protocol: 'any' })]), {
      added: 2,
      changed: 0,
      removed: 3,
      kept: 0,
    });
  });
});

t.test('shapes are few, and are given back', { skip }, async (t) => {
  await withTable(100, (table) => {
    const shaped = (n: number) =>
      grant(n, { source: `0.0.0.0/${n % 32}`, destination: `0.0.0.0/${Math.floor(n / 32)}` });
    for (let n = 0; n < 32; n++) table.put(shaped(n));
    t.throws(() => table.put(shaped(32)), { code: 'BPF_SHAPES_FULL' });
    table.put(grant(100));
    t.equal(table.size, 33, 'an exact pair needs none');
    table.put(grant(101, { source: '128.0.0.0/1', destination: '0.0.0.0/0' }));
    t.equal(table.size, 34, 'nor does one more of a shape');
    table.remove(id(5));
    table.put(shaped(32));
    t.throws(() => table.reconcile(Array.from({ length: 33 }, (_, n) => shaped(n))), { code: 'BPF_SHAPES_FULL' });
    t.equal(table.size, 34, 'refused before anything changed');
  });
});

t.test('reconcile: a new process makes an unknown table right', { skip }, async (t) => {
  await withTable(1 << 14, (table, map) => {
    const many = Array.from({ length: 5000 }, (_, n) =>
      grant(n, { destination: `10.${n >> 8}.${n & 255}.0/24`, expiresNs: far + BigInt(n) }),
    );
    t.same(table.reconcile(many), { added: 5000, changed: 0, removed: 0, kept: 0 });
    t.equal(entries(map), 5000);
    const wanted = [
      ...many.slice(100, 4000),
      ...many.slice(4000).map((each) => ({ ...each, expiresNs: 5n })),
      grant(9999),
    ];
    t.same(table.reconcile(wanted), { added: 1, changed: 1000, removed: 100, kept: 3900 });
    t.equal(entries(map), 4901);
    t.same(table.reconcile(wanted), { added: 0, changed: 0, removed: 0, kept: 4901 });
    t.equal(table.sweep(5n), 1000);
    t.equal(entries(map), 3901);
    t.same(table.reconcile([]), { added: 0, changed: 0, removed: 3901, kept: 0 });
  });
});

/** What a grant means, said a second time and slowly. */
function lets(grants: Iterable<Grant>, packet: Packet): boolean {
  const inside = (cidr: string, address: string): boolean => {
    const [prefix, host] = [parsePrefix(cidr), parsePrefix(address)];
    if (prefix.family !== host.family) return false;
    const number = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`) >> BigInt(128 - prefix.bits);
    return number(prefix.address) === number(host.address);
  };
  for (const each of grants)
    if (
      each.expiresNs === far &&
      (each.port === 0 || each.port === packet.port) &&
      (each.protocol === 'any' || (each.protocol === 'tcp') === (packet.protocol === TCP)) &&
      inside(each.source, packet.source) &&
      inside(each.destination, packet.destination)
    )
      return true;
  return false;
}

type Packet = { source: string; destination: string; port: number; protocol: number };

t.test('whatever is put, removed and reconciled: the kernel lets through what the grants say', { skip }, async () => {
  const v4 = fc.nat(7).map((n) => `10.0.0.${n}`);
  const v6 = fc.nat(7).map((n) => (n === 0 ? 'fd00::' : `fd00::${n}`));
  const cidr = (host: string, cut: number): string => {
    const whole = host.includes(':') ? 128 : 32;
    const last = Number(/(\d*)$/.exec(host)?.[1] || 0);
    if (cut > 3) return host.includes(':') ? '::/0' : '0.0.0.0/0';
    const masked = (last >> cut) << cut;
    return host.includes(':')
      ? `fd00::${masked === 0 ? '' : masked}/${whole - cut}`
      : `10.0.0.${masked}/${whole - cut}`;
  };
  const pair = fc.oneof(fc.tuple(v4, v4), fc.tuple(v6, v6));
  const anyGrant = fc
    .record({
      n: fc.nat(9),
      pair,
      cuts: fc.tuple(fc.nat(4), fc.nat(4)),
      port: fc.constantFrom(80, 8080, 0),
      protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'any' as const),
      expiresNs: fc.constantFrom(far, far, far, 1n),
    })
    .map(({ n, pair: [source, destination], cuts, ...rest }) => ({
      ...rest,
      id: id(n),
      source: cidr(source, cuts[0]),
      destination: cidr(destination, cuts[1]),
    }));
  const step = fc.oneof(
    { weight: 6, arbitrary: anyGrant.map((each) => ({ put: each })) },
    { weight: 3, arbitrary: fc.nat(9).map((n) => ({ remove: id(n) })) },
    { weight: 1, arbitrary: fc.array(anyGrant, { maxLength: 12 }).map((all) => ({ reconcile: all })) },
  );
  const packet = fc
    .record({ pair, port: fc.constantFrom(80, 8080), protocol: fc.constantFrom(TCP, UDP) })
    .map(({ pair: [source, destination], ...rest }) => ({ ...rest, source, destination }));
  await withGate((gate) => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 25 }),
        fc.array(packet, { minLength: 12, maxLength: 12 }),
        (steps, packets) => {
          gate.maps.grants.reconcile([]);
          let model = new Map<string, Grant>();
          for (const each of steps) {
            if ('put' in each) {
              gate.maps.grants.put(each.put);
              model.set(each.put.id, each.put);
            } else if ('remove' in each) {
              gate.maps.grants.remove(each.remove);
              model.delete(each.remove);
            } else {
              model = new Map(each.reconcile.map((one) => [one.id, one]));
              gate.maps.grants.reconcile([...model.values()]);
            }
          }
          return packets.every((one) => {
            const frame = one.source.includes(':') ? ipv6(one) : ipv4(one);
            return (gate.test(frame).action === 'pass') === lets(model.values(), one);
          });
        },
      ),
      { numRuns: 300 },
    );
  });
});
