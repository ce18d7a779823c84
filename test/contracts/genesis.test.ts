import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkGenesis } from '../../contracts/genesis.ts';
import { ruleset } from '../../contracts/rulesets.ts';
import type { Json } from '../../contracts/types.ts';
import { validate } from '../../schemas/validators.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { WeftError } from '../../src/codec/error.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { provePossession } from '../../src/crypto/validatorKeys.ts';
import { parseVkey } from '../../src/log/vkey.ts';
import { genesisDocument, hashOfGenesis, NAME, Network, plainKey, seedOf } from './network.ts';

type Document = ReturnType<typeof genesisDocument>;

/** Why a changed document is refused. */
function why(change: (document: Document) => void): string {
  const document = structuredClone(genesisDocument());
  change(document);
  try {
    checkGenesis(document as unknown as Json, `${NAME}-000000000000`);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof WeftError) || error.code !== 'GENESIS_INVALID') throw error;
    return error.message;
  }
}

t.test('what must hold in a genesis document', async (t) => {
  t.equal(
    why(() => {}),
    'accepted',
  );
  t.match(
    why((d) => Object.assign(d, { extra: 1 })),
    /unknown member "extra"/,
  );
  t.match(
    why((d) => d.validators.reverse()),
    /validators are not sorted/,
  );
  t.match(
    why((d) => d.accounts.reverse()),
    /accounts are not sorted/,
  );
  t.match(
    why((d) => d.accounts.splice(1, 0, d.accounts[0]!)),
    /accounts are not sorted by name, none twice/,
  );
  t.match(
    why((d) => d.policy.policies.unshift({ id: 'zz', text: '' })),
    /policies are not sorted/,
  );
  t.match(
    why((d) => (d.council.threshold = 2)),
    /threshold/,
  );
  t.match(
    why((d) => (d.council.members = ['nobody'])),
    /council member nobody/,
  );
  t.match(
    why((d) => (d.council.members = ['scanner', 'admin'])),
    /council.members are not sorted/,
  );
  t.match(
    why((d) => (d.consensus.certificationTimeoutMs = 500)),
    /certificationTimeoutMs/,
  );
  t.match(
    why((d) => (d.validators[0]!.account = 'nobody')),
    /account nobody is not among/,
  );
  t.match(
    why((d) => (d.validators[0]!.account = 'v2')),
    /speaks for two validators/,
  );
  t.match(
    why((d) => (d.validators[0]!.name = 'quorum')),
    /validators\[0\]\.name/,
  );
  t.match(
    why((d) => (d.validators[0]!.proofs.vote = d.validators[0]!.proofs.log)),
    /proof of possession of its vote key/,
  );
  t.match(
    why((d) => (d.name = 'weft-other')),
    /proof of possession/,
    'proofs are for one network',
  );
  t.match(
    why((d) => (d.validators[1]!.peer = d.validators[0]!.peer)),
    /the peer key of validator v2 is also the peer key of validator v1/,
  );
  t.match(
    why((d) => (d.accounts[0]!.keys = [{ alg: 'ed25519', publicKey: d.validators[0]!.vote }])),
    /is also a key of account/,
  );
  t.match(
    why((d) => (d.accounts[0]!.keys = [{ alg: 'ed25519', publicKey: toBase64Url(new Uint8Array(32)) }])),
    /KEY_INVALID/,
  );
  t.match(
    why((d) => (d.accounts[0]!.keys = [{ alg: 'x25519', publicKey: plainKey('x').publicKey }])),
    /no key that signs/,
  );
  t.match(
    why((d) => (d.accounts[0]!.roles = ['council'])),
    /role council/,
  );
  t.match(
    why((d) => (d.accounts[0]!.roles = ['b', 'a'])),
    /roles of account/,
  );
  t.match(
    why((d) => (d.observers = [{ name: 'v1', peer: plainKey('x').publicKey }])),
    /a validator and an observer/,
  );
  t.match(
    why((d) => (d.observers[0]!.peer = d.validators[0]!.peer)),
    /is also the peer key of validator v1/,
  );
  t.match(
    why((d) => (d.validators[0]!.peer = toBase64Url(new Uint8Array(32)))),
    /KEY_INVALID/,
  );
});

t.test('state and leaf 0', async (t) => {
  const network = new Network();
  const record = network.genesisRecord as {
    validators: { name: string; log: string; cosigner: string; vote: string }[];
  };
  t.equal(validate('record/genesis', record), undefined);
  for (const { name, log, cosigner, vote } of record.validators) {
    t.equal(parseVkey(sha256, log).name, `${network.chain}/weft`);
    t.equal(parseVkey(sha256, cosigner).name, `${network.chain}/${name}`);
    t.equal(vote, toBase64Url(publicKeyOf(seedOf(`${name}/vote`))));
  }
  t.match(network.state.get('identity/account/admin'), {
    status: 'active',
    roles: ['administrator', 'council', 'routing-admin'],
  });
  t.match(network.state.get('identity/account/v1'), { roles: ['validator'] });
  for (const [path, value] of network.state)
    if (path.startsWith('identity/account/')) t.equal(validate('account-record', value), undefined, path);
  t.match(network.state.get('governance/policy/current'), { version: 1, minValid: 1 });
  const { digest } = network.state.get('governance/policy/current') as { digest: string };
  t.ok(network.state.has(`governance/policy-set/${digest}`));
  t.strictSame(network.state.get('governance/council/current'), { threshold: 1, members: ['admin'] });
  t.match(network.state.get('governance/validators/current'), {
    validators: [{ name: 'v1' }, {}, {}, {}],
    observers: [{ name: 'o1' }],
  });
  t.match(network.state.get('governance/consensus/current'), { ruleset: 1, parameters: { leaderTimeoutMs: 1000 } });
  t.match(network.state.get('governance/pause/current'), { paused: false });
});

t.test('another ruleset or engine, or a leaf that no log can hold', async (t) => {
  const open = (document: unknown) =>
    ruleset(1)?.genesis(document as Json, hashOfGenesis(document), `${NAME}-000000000000`);
  t.throws(() => open({ ...genesisDocument(), ruleset: 2 }), { code: 'GENESIS_INVALID', message: /ruleset 2/ });
  const other = genesisDocument();
  t.throws(() => open({ ...other, policy: { ...other.policy, engine: { ...other.policy.engine, sdk: '4.12.0' } } }), {
    code: 'GENESIS_INVALID',
    message: /sdk is 4\.12\.0/,
  });
  const crowd = genesisDocument({ validators: 64 });
  const observers = Array.from({ length: 256 }, (_, i) => ({
    name: `observer-with-a-long-name-${1000 + i}`,
    peer: toBase64Url(publicKeyOf(sha256(Uint8Array.of(i)))),
  }));
  const accounts = crowd.accounts.map((account) => ({
    ...account,
    keys: [...account.keys, ...Array.from({ length: 3 }, (_, i) => plainKey(`${account.name} ${i}`))],
  }));
  t.throws(() => open({ ...crowd, observers, accounts }), { code: 'GENESIS_TOO_LARGE' });
  t.doesNotThrow(() => open(crowd), 'as many validators as the schema allows');
});

t.test('the template of a development network', async (t) => {
  const template = JSON.parse(readFileSync(join(import.meta.dirname, '../../genesis/dev.json'), 'utf8'));
  t.equal(validate('genesis-template', template), undefined);
  const document = genesisDocument();
  const accounts = [
    ...template.accounts.map((account: { name: string }) => ({ ...account, keys: [plainKey(account.name)] })),
    ...document.validators.map(({ name }) => ({ name, roles: [], keys: [plainKey(name)] })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  const validators = document.validators.map((validator) => ({
    ...validator,
    proofs: Object.fromEntries(
      (['peer', 'vote', 'log', 'cosigner'] as const).map((role) => [
        role,
        toBase64Url(provePossession(template.name, validator.name, role, seedOf(`${validator.name}/${role}`))),
      ]),
    ),
  }));
  const { name, ruleset: version, consensus, council } = template;
  t.doesNotThrow(() =>
    checkGenesis(
      { ...document, name, ruleset: version, consensus, council, accounts, validators } as unknown as Json,
      `${name}-000000000000`,
    ),
  );
});
