import { mkdtempSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Gate } from '../../../src/agent/bpf/gate.ts';
import { Kernel } from '../../../src/agent/bpf/kernel.ts';
import { Peer, run, skipWithoutNamespaces } from './peers.ts';
import { skipUnless } from './rights.ts';

const skip = skipUnless('gate') || skipWithoutNamespaces();

t.test('what cannot be pinned or attached says why', { skip }, async (t) => {
  const kernel = await Kernel.open();
  t.throws(() => new Gate(kernel, { pins: join(tmpdir(), 'weft-no-bpf') }), { code: 'BPF_NO_PINS' });
  t.throws(() => new Gate(kernel, { pins: '/proc/1/weft' }), { code: 'BPF_NO_PINS' });
  const gate = new Gate(kernel);
  t.throws(() => gate.attach('weft-none'), { code: 'BPF_NO_INTERFACE' });
  t.throws(() => gate.attach('../../etc'), { code: 'BPF_NO_INTERFACE' });
  t.notOk(gate.detach('lo'));
  gate.close();
});

t.test('interfaces that come back, pins that are torn', { skip, timeout: 60_000 }, async (t) => {
  const space = `weft-p-${process.pid}`;
  const mount = mkdtempSync(join(tmpdir(), 'weft-bpf-'));
  const pins = join(mount, 'weft');
  run(`mount -t bpf bpf ${mount}`);
  run(`ip netns add ${space}`);
  const cable = () => run(`ip -n ${space} link add eth0.x type veth peer name far`);
  let peer = await Peer.start(space);
  t.teardown(async () => {
    await peer.kill();
    run(`ip netns del ${space}`);
    run(`umount ${mount}`);
    rmdirSync(mount);
  });
  cable();
  const native = { interface: 'eth0.x', mode: 'native' } as const;
  await peer.ask('openGate', pins);
  t.same(
    await peer.ask('attach', 'eth0.x', undefined),
    native,
    'a name with a dot, which bpf file systems do not take',
  );
  t.same(await peer.ask('attach', 'eth0.x', undefined), native, 'again: it is on');
  run(`ip -n ${space} link del eth0.x`);
  cable();
  t.same(await peer.ask('interfaces'), [], 'an interface made anew has no gate');
  t.same(await peer.ask('attach', 'eth0.x', undefined), native);
  await peer.kill();

  run(`ip -n ${space} link del eth0.x`);
  cable();
  peer = await Peer.start(space);
  t.same(await peer.ask('openGate', pins), { adopted: true, interfaces: [] }, 'likewise while nobody looked');
  t.same(await peer.ask('attach', 'eth0.x', undefined), native);
  await peer.kill();

  const [build = ''] = readdirSync(join(pins, 'gate'));
  unlinkSync(join(pins, 'gate', build, 'weft_grants'));
  peer = await Peer.start(space);
  t.same(await peer.ask('openGate', pins), { adopted: false, interfaces: [] }, 'a map is missing: made anew');
  t.equal(readdirSync(join(pins, 'gate')).length, 2, 'what the torn one guards goes on');
  t.same(await peer.ask('attach', 'eth0.x', undefined), native, 'until it is taken over');
  t.same(readdirSync(join(pins, 'gate')), [build]);
  t.ok(await peer.ask('detach', 'eth0.x'));
  t.notOk(readdirSync(join(pins, 'gate', build)).some((name) => name.startsWith('link')));
  await peer.kill();
  peer = await Peer.start(space);
  t.equal(await peer.ask('removeGate', pins), 0);
  t.same(readdirSync(pins), []);
});
