import t from 'tap';
import { Gate } from '../../../src/agent/bpf/gate.ts';
import { Kernel } from '../../../src/agent/bpf/kernel.ts';
import { ipv4 } from './frames.ts';
import { skipUnless } from './rights.ts';

const skip = skipUnless('gate');

async function gateWithEvents(count: number): Promise<Gate> {
  const gate = new Gate(await Kernel.open());
  gate.maps.configure({ mode: 'enforce', eventsPerSecond: 0 });
  gate.maps.guard([{ port: 8080, protocol: 'tcp' }]);
  for (let i = 0; i < count; i++) gate.test(ipv4({ sourcePort: 1000 + i }));
  return gate;
}

t.test('events come in order, in portions, once, and round the end of the ring', { skip }, async (t) => {
  const gate = await gateWithEvents(0);
  let next = 0;
  for (let round = 0; round < 30; round++) {
    gate.test(ipv4(), 1000);
    for (let i = 0; i < 10; i++) gate.test(ipv4({ sourcePort: 1000 + i }));
    let ports: number[] = [];
    while (gate.maps.drain(({ sourcePort }) => ports.push(sourcePort), 97) > 0);
    ports = ports.filter((port) => port !== 40_000);
    t.same(ports, [1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009]);
    next += ports.length;
  }
  t.equal(next, 300);
  gate.close();
});

t.test('a turn has its time; what is left is there for the next', { skip }, async (t) => {
  const gate = await gateWithEvents(100);
  const ports: number[] = [];
  let turns = 0;
  while (gate.maps.drain(({ sourcePort }) => ports.push(sourcePort), 1000, 0) > 0) turns += 1;
  t.same(
    ports,
    Array.from({ length: 100 }, (_, n) => 1000 + n),
  );
  t.equal(turns, 7, 'fifteen at a time without any time at all');
  gate.close();
});

t.test('what a callback throws takes its own record only', { skip }, async (t) => {
  const gate = await gateWithEvents(3);
  t.throws(
    () =>
      gate.maps.drain(({ sourcePort }) => {
        if (sourcePort === 1001) throw new RangeError('mine');
      }),
    RangeError,
  );
  const left: number[] = [];
  gate.maps.drain(({ sourcePort }) => left.push(sourcePort));
  t.same(left, [1002]);
  gate.close();
});

t.test('a callback may close the gate; nothing is read afterwards', { skip }, async (t) => {
  const gate = await gateWithEvents(5);
  let seen = 0;
  gate.maps.drain(() => {
    seen += 1;
    gate.close();
  });
  t.equal(seen, 1);
  t.throws(() => gate.maps.drain(() => undefined), { code: 'BPF_CLOSED' });
});

t.test('watching: events come by themselves', { skip }, async (t) => {
  const gate = await gateWithEvents(0);
  const came = Promise.withResolvers<number>();
  gate.maps.watch(({ sourcePort }) => came.resolve(sourcePort));
  gate.test(ipv4({ sourcePort: 4711 }));
  t.equal(await came.promise, 4711);
  gate.close();
});
