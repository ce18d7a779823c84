import { registerHooks } from 'node:module';
import t from 'tap';
import { ephemeralPorts } from '../../../src/agent/bpf/ephemeralPorts.ts';
import { loadNative } from '../../../src/agent/bpf/native.ts';
import { detectAbilities } from '../../../src/agent/bpf/probes.ts';

async function pretend(name: 'platform' | 'arch', value: string, use: () => Promise<void>): Promise<void> {
  const real = Object.getOwnPropertyDescriptor(process, name);
  Object.defineProperty(process, name, { ...real, value });
  try {
    await use();
  } finally {
    if (real !== undefined) Object.defineProperty(process, name, real);
  }
}

t.test('without koffi every part says so', async (t) => {
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === 'koffi') throw new Error("Cannot find package 'koffi'");
      return next(specifier, context);
    },
  });
  await t.rejects(loadNative(), { code: 'BPF_UNAVAILABLE', message: /npm install koffi/ });
  for (const { works, why } of await detectAbilities()) t.match([works, why], [false, /npm install koffi/]);
  hooks.deregister();
});

t.test('another system, another machine', async (t) => {
  await pretend('platform', 'darwin', async () => {
    for (const { works, why } of await detectAbilities())
      t.match([works, why], [false, /part of Linux, this is darwin/]);
  });
  await pretend('arch', 'riscv64', async () => {
    await t.rejects(loadNative(), { code: 'BPF_UNAVAILABLE', message: /x64 and arm64, this is riscv64/ });
  });
});

t.test('ports that outgoing connections may get', async (t) => {
  const ports = [80, 32768, 40_000, 50_000, 60_999, 61_000];
  t.same(ephemeralPorts(ports, '32768\t60999', ''), [32768, 40_000, 50_000, 60_999]);
  t.same(ephemeralPorts(ports, '32768\t60999', '80,40000,49000-51000'), [32768, 60_999]);
  t.same(ephemeralPorts(ports, '', ''), [], 'nothing is known');
});
