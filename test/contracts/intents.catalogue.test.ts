// What can be asked for, how it is named, and how far annotations let it go.
import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { hostBits } from '../../contracts/intents/addresses.ts';
import { actionNames, resolve } from '../../contracts/intents/catalogue.ts';
import { termsOf } from '../../contracts/intents/terms.ts';
import { schemaDocuments } from '../../schemas/types/catalogue.ts';
import { validate } from '../../schemas/validators.ts';
import type { Decision } from '../../src/policy/types.ts';
import { Intents, intentSamples, restart, sha } from './intents.samples.ts';

const nothing = { get: () => undefined };

t.test('one entry, one schema, one form of a proposal for each action', async (t) => {
  const schemas = [...schemaDocuments.keys()]
    .filter((name) => name.startsWith('actions/'))
    .map((name) => name.slice(8));
  t.strictSame(actionNames, schemas);
  t.strictSame(Object.keys(intentSamples), schemas);
  for (const sample of Object.values(intentSamples)) {
    t.equal(validate(`actions/${sample.action}`, sample.effect), undefined);
    const resolved = resolve(sample, nothing);
    t.match(resolved, { resource: sample.resource, host: sample.effect.host });
    t.ok(sample.resource.startsWith(`${(resolved as { resourceKind: string }).resourceKind}/`));
  }
});

t.test('an effect has the form of its own action, and nothing else', async (t) => {
  const said = (changed: object) => validate('tx/intents.propose', { ...restart, ...changed });
  t.equal(said({}), undefined);
  t.match(said({ effect: { host: 'web-3', service: 'nginx', command: 'rm -rf /' } }), /unknown member "command"/);
  t.match(said({ effect: { host: 'web-3', service: 'nginx; reboot' } }), /effect.service does not have the form/);
  t.match(said({ effect: { host: 'web-3', cache: 'x' } }), /effect/);
  t.match(said({ action: 'shell.run' }), /action/);
  t.match(said({ maxUses: 33 }), /maxUses must be at most 32/);
});

t.test('the longest names that schemas allow make a resource that state and grants can hold', async (t) => {
  for (const [action, effect] of [
    ['service.restart', { host: 'h'.repeat(56), service: 's'.repeat(63) }],
    ['sysctl.set', { host: 'h'.repeat(56), key: `${'a.'.repeat(31)}ab`, value: '1' }],
    ['model.deploy', { host: 'h'.repeat(56), model: 'm'.repeat(63), sha256: sha }],
    ['config.restore', { host: 'h'.repeat(56), config: 'c'.repeat(63), sha256: sha }],
    [
      'route.open',
      {
        host: 'h',
        source: '2001:db8:1111:2222:3333:4444:5555:6666/128',
        destination: '2001:db8:1111:2222:3333:4444:5555:6666/128',
        port: 65535,
        protocol: 'any',
      },
    ],
  ] as const) {
    t.equal(validate(`actions/${action}`, effect), undefined, action);
    const resolved = resolve({ action, effect } as never, nothing) as { resource: string };
    t.ok(resolved.resource.length <= 128, `${resolved.resource.length}`);
    t.equal(validate('tx/intents.propose', { ...restart, action, effect, resource: resolved.resource }), undefined);
  }
});

t.test('policy is told what the ledger knows of a model', async (t) => {
  const effect = { host: 'gpu-2', model: 'm', sha256: sha };
  const told = (status: string, sha256 = sha) => {
    const network = new Intents();
    network.state.set('models/model/m', { model: 'm', status, sha256 });
    network.propose({ action: 'model.deploy', resource: 'model/gpu-2/m', effect });
    return (network.asked.at(-1)!.context['effect'] as { authorised: boolean }).authorised;
  };
  t.equal(told('authorised'), true);
  t.equal(told('registered'), false);
  t.equal(told('revoked'), false);
  t.equal(told('authorised', 'cd'.repeat(32)), false, 'another file');
});

t.test('networks have one spelling', async (t) => {
  for (const [cidr, bits] of [
    ['10.0.0.1/32', 0],
    ['10.0.0.0/24', 8],
    ['0.0.0.0/0', 32],
    ['255.255.255.255/32', 0],
    ['128.0.0.0/1', 31],
    ['::/0', 128],
    ['::1/128', 0],
    ['2001:db8::/32', 96],
    ['2001:db8::1:0:0:1/128', 0],
    ['2001:0:0:1::/64', 64],
    ['fe80::/10', 118],
    ['::ffff:a00:1/128', 0],
  ] as const) {
    t.equal(hostBits(cidr), bits, cidr);
    t.equal(
      validate('actions/policy.emergency-block', { host: 'g', policy: 'p', block: cidr, durationMs: 1000 }),
      undefined,
    );
  }
  for (const cidr of [
    '10.0.0.1/24',
    '10.0.0.0/33',
    '10.0.0.0.0/8',
    '10.0.0/8',
    '2001:db8:0:0:0:0:0:1/128',
    '2001:0db8::/32',
    '2001:db8::1:0:0:0/128',
    '2001:db8:0::/48',
    '1::2::3/128',
    '1:2:3:4:5:6:7/128',
    '1:2:3:4:5:6:7:8:9/128',
    '1:2:3:4:5:6:7::/128',
    '2001:db8::1/64',
    ':/0',
    ':::/0',
    '12345::/16',
    '::/129',
  ])
    t.equal(hostBits(cidr), undefined, cidr);
});

t.test('what the one spelling is, other software knows too', async (t) => {
  t.equal(new URL('http://[2001:DB8:0:0:0:0:0:1]').hostname, '[2001:db8::1]');
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const is4 = isIPv4(address);
      if (!is4 && !isIPv6(address)) return;
      const url = new URL(is4 ? `http://${address}` : `http://[${address}]`).hostname;
      const canonical = is4 ? url : url.slice(1, -1);
      const cidr = (text: string) => `${text}/${is4 ? 32 : 128}`;
      if (hostBits(cidr(canonical)) !== 0) throw new Error(`refuses ${canonical}`);
      if (
        address !== canonical &&
        !address.includes('.') &&
        hostBits(cidr(address.toLowerCase())) !== undefined &&
        address.toLowerCase() !== canonical
      )
        throw new Error(`takes ${address}, which is ${canonical}`);
    }),
    { numRuns: 2000 },
  );
});

const decided = (...annotations: Record<string, string>[]): Decision => ({
  decision: 'allow',
  reasons: annotations.map((_, i) => `p${i}`),
  errors: false,
  annotations: Object.fromEntries(annotations.map((each, i) => [`p${i}`, each])),
});

t.test('of several permits the strictest terms hold', async (t) => {
  t.match(termsOf(decided({})), {
    ttlMs: 86_400_000,
    maxUses: 32,
    approvals: 0,
    approverKey: 'any',
    dryRunOnly: false,
    cooldownMs: 0,
  });
  t.match(
    termsOf(
      decided(
        {
          ttl: '90s',
          approvals: '1',
          cooldown: '1500ms',
          max_targets: '7',
          max_uses: '4',
          id: 'whatever',
          critical: '',
        },
        {
          ttl: '1h',
          approvals: '3',
          cooldown: '2m',
          max_targets: '5',
          max_uses: '9',
          approver_key: 'webauthn',
          dry_run: 'true',
        },
        { approver_key: 'any', dry_run: 'false', approvals: '0', unreported: 'alert' },
      ),
    ),
    {
      ttlMs: 90_000,
      maxUses: 4,
      maxTargets: 5,
      approvals: 3,
      approverKey: 'webauthn',
      dryRunOnly: true,
      cooldownMs: 120_000,
    },
  );
  const other = { ...decided({ ttl: 'soon' }), reasons: ['somebody.else'] };
  t.not(termsOf(other), undefined, 'only policies that decided have terms');
});

t.test('a term that does not read permits nothing', async (t) => {
  const bad: Record<string, readonly string[]> = {
    ttl: [
      '',
      '60',
      's',
      '60 s',
      ' 60s',
      '-1s',
      '1.5s',
      '060s',
      '60S',
      '999ms',
      '0s',
      '25h',
      '1e3s',
      '９s',
      '99999999999s',
    ],
    cooldown: ['', '5', '721h', 'x'],
    approvals: ['', '6', '-1', 'two', '01', '1.0'],
    max_targets: ['', '0', '1000000000', 'all'],
    max_uses: ['0', '33', ''],
    approver_key: ['', 'WebAuthn', 'fido', 'toString'],
    dry_run: ['', 'yes', 'True'],
    unreported: ['', 'ignore'],
  };
  for (const [name, values] of Object.entries(bad))
    for (const value of values)
      t.equal(termsOf(decided({ ttl: '60s' }, { [name]: value })), undefined, `@${name}("${value}")`);
});
