import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { bootNsAt, Gate } from '../../../src/agent/bpf/gate.ts';
import type { GateEvent, GateMode } from '../../../src/agent/bpf/gateMaps.ts';
import type { Grant } from '../../../src/agent/bpf/grants.ts';
import { Kernel } from '../../../src/agent/bpf/kernel.ts';
import { ethernet, type FrameOptions, ipv4, ipv6, TCP, UDP } from './frames.ts';
import { skipUnless } from './rights.ts';

const skip = skipUnless('gate');
const second = 1_000_000_000n;
const id = (n: number): string => n.toString(16).padStart(64, '0');

/** A gate that guards 8080 (TCP and UDP) and 9090 (TCP), with these grants. Not attached: frames come by `test`. */
async function withGate(
  use: (gate: Gate, kernel: Kernel) => void | Promise<void>,
  { mode = 'enforce', grants = [] }: { mode?: GateMode; grants?: readonly Omit<Grant, 'expiresNs'>[] } = {},
): Promise<void> {
  const kernel = await Kernel.open();
  const gate = new Gate(kernel);
  try {
    gate.maps.configure({ mode, eventsPerSecond: 0 });
    gate.maps.guard([
      { port: 8080, protocol: 'tcp' },
      { port: 8080, protocol: 'udp' },
      { port: 9090, protocol: 'tcp' },
    ]);
    for (const grant of grants) gate.maps.grants.put({ ...grant, expiresNs: kernel.bootNs() + 600n * second });
    await use(gate, kernel);
  } finally {
    gate.close();
  }
}

const grant = (from: string, to: string, more: Partial<Grant> = {}): Omit<Grant, 'expiresNs'> => ({
  id: id(1),
  source: from,
  destination: to,
  port: 8080,
  protocol: 'tcp',
  ...more,
});

function events(gate: Gate): GateEvent[] {
  const found: GateEvent[] = [];
  gate.maps.drain((event) => found.push(event));
  return found;
}

/** What the gate says to `frame`, and which one counter of the disjoint ones moved. */
function verdict(gate: Gate, frame: Buffer): string {
  const before = gate.maps.counters();
  const { action } = gate.test(frame);
  const after = gate.maps.counters();
  const names = [
    'granted',
    'unguarded',
    'other',
    'laterFragment',
    'noGrant',
    'expired',
    'fragment',
    'malformed',
  ] as const;
  const moved = names.filter((name) => after[name] !== before[name]);
  if (moved.length > 1) throw new Error(`${moved.join(' and ')} moved`);
  return `${action} ${moved[0] ?? 'uncounted'}`;
}

/** name → frame → verdict without and with a grant for 10.0.0.1 > 10.0.0.2 and fd00::1 > fd00::2, TCP and UDP 8080. */
const flows: readonly (readonly [string, Buffer, string, string])[] = [
  ['TCP over IPv4', ipv4(), 'drop noGrant', 'pass granted'],
  ['UDP over IPv4', ipv4({ protocol: UDP }), 'drop noGrant', 'pass granted'],
  ['TCP over IPv6', ipv6(), 'drop noGrant', 'pass granted'],
  ['UDP over IPv6', ipv6({ protocol: UDP }), 'drop noGrant', 'pass granted'],
  ['IPv4 options', ipv4({ optionWords: 10 }), 'drop noGrant', 'pass granted'],
  ['802.1Q', ipv4({ vlans: [[0x8100, 5]] }), 'drop noGrant', 'pass granted'],
  ['802.1Q, IPv6', ipv6({ vlans: [[0x8100, 5]] }), 'drop noGrant', 'pass granted'],
  [
    'QinQ',
    ipv4({
      vlans: [
        [0x88a8, 5],
        [0x8100, 6],
      ],
    }),
    'drop noGrant',
    'pass granted',
  ],
  [
    'QinQ of 0x8100 twice',
    ipv6({
      vlans: [
        [0x8100, 5],
        [0x8100, 6],
      ],
    }),
    'drop noGrant',
    'pass granted',
  ],
  ['a jumbo frame', ipv4({ payload: 8900 }), 'drop noGrant', 'pass granted'],
  ['first fragment, IPv4', ipv4({ fragment: { offset: 0, more: true } }), 'drop noGrant', 'pass granted'],
  [
    'first fragment, IPv6',
    ipv6({ extensions: [44], fragment: { offset: 0, more: true } }),
    'drop noGrant',
    'pass granted',
  ],
  ['extension headers', ipv6({ extensions: [0, 60, 43, 60] }), 'drop noGrant', 'pass granted'],
  ['as many as we read', ipv6({ extensions: [0, 60, 60, 60, 60, 60, 60, 60] }), 'drop noGrant', 'pass granted'],
  ['authentication header', ipv6({ extensions: [51], protocol: UDP }), 'drop noGrant', 'pass granted'],
  [
    'later fragment, IPv4',
    ipv4({ fragment: { offset: 1480, more: false } }),
    'pass laterFragment',
    'pass laterFragment',
  ],
  [
    'later fragment, IPv6',
    ipv6({ extensions: [44], fragment: { offset: 1448, more: false } }),
    'pass laterFragment',
    'pass laterFragment',
  ],
  ['another guarded port', ipv4({ port: 9090 }), 'drop noGrant', 'drop noGrant'],
  ['another source', ipv4({ source: '10.0.0.3' }), 'drop noGrant', 'drop noGrant'],
  ['another destination', ipv6({ destination: 'fd00::3' }), 'drop noGrant', 'drop noGrant'],
  [
    'source and destination changed',
    ipv4({ source: '10.0.0.2', destination: '10.0.0.1' }),
    'drop noGrant',
    'drop noGrant',
  ],
  ['an unguarded port', ipv4({ port: 22 }), 'pass unguarded', 'pass unguarded'],
  ['a port that is guarded for TCP only', ipv4({ port: 9090, protocol: UDP }), 'pass unguarded', 'pass unguarded'],
  ['a guarded port as source', ipv4({ port: 40_000, sourcePort: 8080 }), 'pass unguarded', 'pass unguarded'],
  ['ICMP', ipv4({ protocol: 1 }), 'pass other', 'pass other'],
  ['ICMPv6', ipv6({ protocol: 58 }), 'pass other', 'pass other'],
  ['ARP', ethernet(0x0806, Buffer.alloc(46)), 'pass other', 'pass other'],
];

/** Nothing that a service could be handed; refused whatever is granted. */
const malformed: readonly (readonly [string, Buffer])[] = [
  ['cut in the IPv4 header', ipv4().subarray(0, 14 + 19)],
  ['cut in the IPv4 options', ipv4({ optionWords: 10, payload: 0 }).subarray(0, 14 + 40)],
  ['cut in the ports', ipv4({ protocol: UDP, payload: 0 }).subarray(0, 14 + 20 + 7)],
  ['an IPv4 header shorter than itself', patched(ipv4(), 14, 0x44)],
  ['IPv6 that says it is IPv4', patched(ipv4(), 14, 0x65)],
  ['IPv4 that says it is IPv6', patched(ipv6(), 14, 0x40)],
  ['cut in the IPv6 header', ipv6().subarray(0, 14 + 39)],
  ['cut in an extension header', ipv6({ extensions: [60] }).subarray(0, 14 + 40 + 7)],
  ['an extension header that points behind the end', patched(ipv6({ extensions: [60] }), 14 + 41, 255)],
  ['ports behind more headers than we read', ipv6({ extensions: [0, 60, 60, 60, 60, 60, 60, 60, 60] })],
  [
    'a first fragment without its ports',
    ipv6({ extensions: [44, 60], fragment: { offset: 0, more: true } }).subarray(0, 14 + 40 + 16),
  ],
  [
    'three VLAN tags',
    ipv4({
      vlans: [
        [0x88a8, 1],
        [0x8100, 2],
        [0x8100, 3],
      ],
    }),
  ],
  ['a VLAN tag and nothing else', Buffer.concat([Buffer.alloc(12), Buffer.from([0x81, 0])])],
  ['an IPv4 source in IPv6', ipv6({ source: '::ffff:10.0.0.1' })],
  ['IPv4 addresses in IPv6, as a grant has them', ipv6({ source: '::ffff:10.0.0.1', destination: '::ffff:10.0.0.2' })],
  ['an IPv4 destination in IPv6', ipv6({ destination: '::ffff:10.0.0.2' })],
];

function patched(frame: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(frame);
  copy[at] = value;
  return copy;
}

const both = [
  grant('10.0.0.1', '10.0.0.2', { id: id(1), protocol: 'any' }),
  grant('fd00::1', 'fd00::2', { id: id(2), protocol: 'any' }),
];

t.test('each kind of packet, without and with a grant', { skip }, async (t) => {
  await withGate((gate) => {
    for (const [name, frame, without] of flows) t.equal(verdict(gate, frame), without, name);
    for (const [name, frame] of malformed) t.equal(verdict(gate, frame), 'drop malformed', name);
  });
  await withGate(
    (gate) => {
      for (const [name, frame, , granted] of flows) t.equal(verdict(gate, frame), granted, `${name}, granted`);
      for (const [name, frame] of malformed) t.equal(verdict(gate, frame), 'drop malformed', name);
    },
    { grants: both },
  );
});

t.test('off lets all pass uncounted, observe lets all pass and reports', { skip }, async (t) => {
  await withGate(
    (gate) => {
      for (const [name, frame] of [...flows, ...malformed]) t.equal(verdict(gate, frame), 'pass uncounted', name);
      t.same(events(gate), []);
      gate.maps.configure({ mode: 'observe' });
      for (const [name, frame, without] of flows)
        t.equal(verdict(gate, frame), without.replace('drop', 'pass'), `${name}, observed`);
      for (const [name, frame] of malformed) t.equal(verdict(gate, frame), 'pass malformed', name);
      const { observed, refused } = gate.maps.counters();
      const told = events(gate);
      t.equal(refused, 0n);
      t.equal(observed, BigInt(told.length));
      t.ok(told.length > 20 && told.every((event) => !event.refused));
      t.equal(gate.maps.settings().mode, 'observe');
    },
    { mode: 'off' },
  );
});

t.test('a strict gate takes no later fragments', { skip }, async (t) => {
  await withGate(
    (gate) => {
      gate.maps.configure({ refuseFragments: true });
      t.equal(verdict(gate, ipv4({ fragment: { offset: 8, more: true } })), 'drop fragment');
      t.equal(verdict(gate, ipv6({ extensions: [44], fragment: { offset: 8, more: true } })), 'drop fragment');
      t.equal(verdict(gate, ipv4({ fragment: { offset: 0, more: true } })), 'pass granted', 'the first is a packet');
      t.equal(verdict(gate, ipv4({ protocol: 1, fragment: { offset: 8, more: true } })), 'pass other', 'ICMP');
      t.same(
        events(gate).map(({ reason }) => reason),
        ['fragment', 'fragment'],
      );
    },
    { grants: both },
  );
});

t.test('the kernel ends a grant by itself', { skip }, async (t) => {
  await withGate(async (gate, kernel) => {
    const expiresNs = bootNsAt(kernel, Date.now() + 300);
    gate.maps.grants.put({ ...grant('10.0.0.1', '10.0.0.2', { id: id(0xabc) }), expiresNs });
    t.equal(verdict(gate, ipv4()), 'pass granted');
    while (kernel.bootNs() <= expiresNs) await sleep(20);
    t.equal(verdict(gate, ipv4()), 'drop expired');
    const [event] = events(gate);
    t.same(event?.grant, { id: id(0xabc), expiresNs });
    t.equal(event?.reason, 'expired');
    t.equal(gate.maps.grants.sweep(expiresNs - 1n), 0, 'not over yet then');
    t.equal(gate.maps.grants.sweep(kernel.bootNs()), 1);
    t.equal(verdict(gate, ipv4()), 'drop noGrant');
  });
});

t.test('CIDR grants: each shape is found, and matches nothing beside it', { skip }, async (t) => {
  const cases: readonly (readonly [Omit<Grant, 'expiresNs'>, FrameOptions[], FrameOptions[]])[] = [
    [
      grant('10.0.0.0/8', '10.0.0.2/32'),
      [{ source: '10.0.0.0' }, { source: '10.255.255.255' }],
      [{ source: '9.255.255.255' }, { source: '11.0.0.0' }, { source: '10.0.0.1', destination: '10.0.0.3' }],
    ],
    [
      grant('0.0.0.0/0', '10.0.0.0/30'),
      [{ source: '255.1.2.3', destination: '10.0.0.3' }],
      [{ destination: '10.0.0.4' }],
    ],
    [grant('10.0.0.1/32', '0.0.0.0/0'), [{ destination: '8.8.8.8' }], [{ source: '10.0.0.2', destination: '8.8.8.8' }]],
    [grant('10.0.0.0/31', '10.0.0.2/31'), [{ destination: '10.0.0.3' }], [{ source: '10.0.0.2' }]],
    [
      grant('fd00::/63', 'fd00::2'),
      [{ source: 'fd00:0:0:1:ffff::1' }, { source: 'fd00::1' }],
      [{ source: 'fd00:0:0:2::1' }, { source: 'fe00::1' }],
    ],
    [grant('fd00::/65', 'fd00::2'), [{ source: 'fd00::7fff:ffff:ffff:ffff' }], [{ source: 'fd00::8000:0:0:0' }]],
    [grant('::/0', 'fd00::/127'), [{ source: '1::', destination: 'fd00::1' }], [{ destination: 'fd00::2' }]],
    [
      grant('10.0.0.1', '10.0.0.2', { port: 0 }),
      [{ port: 8080 }, { port: 9090 }],
      [{ port: 8080, protocol: UDP }, { source: '10.0.0.3' }],
    ],
  ];
  await withGate((gate) => {
    for (const [given, pass, drop] of cases) {
      const six = given.destination.includes(':');
      const name = `${given.source} > ${given.destination}`;
      const frame = (options: FrameOptions): Buffer => (six ? ipv6(options) : ipv4(options));
      gate.maps.grants.put({ ...given, expiresNs: 1n << 62n });
      for (const options of pass)
        t.equal(verdict(gate, frame(options)), 'pass granted', `${name} ${JSON.stringify(options)}`);
      for (const options of drop)
        t.equal(verdict(gate, frame(options)), 'drop noGrant', `${name} ${JSON.stringify(options)}`);
      t.equal(verdict(gate, six ? ipv4() : ipv6()), 'drop noGrant', `${name}: nothing of the other family`);
      t.ok(gate.maps.grants.remove(given.id));
      for (const options of pass) t.equal(verdict(gate, frame(options)), 'drop noGrant', `${name}, removed`);
    }
  });
});

t.test('an expired grant hides no other that still runs', { skip }, async (t) => {
  await withGate((gate, kernel) => {
    const now = kernel.bootNs();
    gate.maps.grants.put({ ...grant('10.0.0.1', '10.0.0.2'), expiresNs: now - second });
    t.equal(verdict(gate, ipv4()), 'drop expired');
    gate.maps.grants.put({ ...grant('10.0.0.0/24', '10.0.0.2', { id: id(2) }), expiresNs: now - second });
    t.equal(verdict(gate, ipv4()), 'drop expired');
    gate.maps.grants.put({ ...grant('10.0.0.0/8', '10.0.0.2', { id: id(3) }), expiresNs: now + 600n * second });
    t.equal(verdict(gate, ipv4()), 'pass granted');
  });
});

t.test('events tell the flow', { skip }, async (t) => {
  await withGate((gate) => {
    gate.test(ipv4({ source: '10.9.8.7', sourcePort: 1234, port: 9090 }));
    gate.test(ipv6({ protocol: UDP, payload: 100 }));
    const [first, second] = events(gate);
    t.match(first, {
      reason: 'no-grant',
      refused: true,
      family: 'ipv4',
      protocol: TCP,
      source: '10.9.8.7',
      sourcePort: 1234,
      destination: '10.0.0.2',
      destinationPort: 9090,
    });
    t.match(second, { family: 'ipv6', protocol: UDP, source: 'fd00::1', length: 14 + 40 + 8 + 100 });
    t.equal(first?.grant, undefined);
  });
});

t.test('a flood costs events, each of them counted', { skip }, async (t) => {
  await withGate((gate) => {
    gate.test(ipv4(), 20_000);
    const { refused, eventsLost } = gate.maps.counters();
    t.equal(refused, 20_000n);
    let told = 0;
    while (gate.maps.drain(() => (told += 1)) > 0);
    t.ok(eventsLost > 0n, 'the ring holds fewer');
    t.equal(BigInt(told) + eventsLost, refused);
    gate.maps.configure({ eventsPerSecond: 5 });
    gate.test(ipv4(), 1000);
    const after = gate.maps.counters();
    told = 0;
    gate.maps.drain(() => (told += 1));
    t.ok(after.eventsLimited > 0n);
    t.equal(BigInt(told) + after.eventsLimited, 1000n);
  });
});

t.test('usage is counted by grant', { skip }, async (t) => {
  await withGate(
    (gate) => {
      const frame = ipv4({ payload: 100 });
      gate.test(frame, 10);
      gate.test(ipv6());
      t.same(gate.maps.grants.usage(id(1)), { packets: 10n, bytes: BigInt(10 * frame.length) });
      t.equal(gate.maps.grants.usage(id(2)).packets, 1n);
      t.equal(gate.maps.grants.usage(id(3)).packets, 0n);
      const [first = grant('', ''), second = grant('', '')] = both;
      gate.maps.grants.reconcile([
        { ...first, expiresNs: 1n << 61n },
        { ...second, id: id(3), expiresNs: 1n << 61n },
      ]);
      t.equal(gate.maps.grants.usage(id(1)).packets, 10n, 'another end is the same grant');
      t.equal(gate.maps.grants.usage(id(3)).packets, 0n, 'another intent is not');
    },
    { grants: both },
  );
});

t.test('a new gate is off, guards nothing, and limits its events', { skip }, async (t) => {
  const gate = new Gate(await Kernel.open());
  t.same(gate.maps.settings(), { mode: 'off', eventsPerSecond: 1000, refuseFragments: false });
  t.same([gate.maps.guarded(), gate.interfaces(), gate.adopted], [[], [], false]);
  gate.close();
});

t.test('guarded ports', { skip }, async (t) => {
  await withGate((gate) => {
    t.throws(() => gate.maps.guard([{ port: 22, protocol: 'tcp' }]), { code: 'BPF_PORT' }, 'ssh');
    t.throws(() => gate.maps.guard([{ port: 7611, protocol: 'tcp' }], [{ port: 7611, protocol: 'tcp' }]), {
      code: 'BPF_PORT',
    });
    for (const port of [0, 65536, 1.5, Number.NaN])
      t.throws(() => gate.maps.guard([{ port, protocol: 'tcp' }]), { code: 'BPF_PORT' });
    t.equal(gate.maps.guarded().length, 3, 'a refusal changes nothing');
    gate.maps.guard([
      { port: 65535, protocol: 'udp' },
      { port: 9090, protocol: 'tcp' },
    ]);
    t.same(gate.maps.guarded(), [
      { port: 9090, protocol: 'tcp' },
      { port: 65535, protocol: 'udp' },
    ]);
    t.equal(verdict(gate, ipv4()), 'pass unguarded');
    t.equal(verdict(gate, ipv4({ protocol: UDP, port: 65535 })), 'drop noGrant');
    gate.maps.guard([]);
    t.same(gate.maps.guarded(), []);
  });
});
