import t from 'tap';
import { generateValidatorKeys, type ValidatorKeys } from '../../src/crypto/validatorKeys.ts';
import type { Validator } from '../../src/ledger/validatorSet.ts';
import type { Config } from '../../src/node/config.ts';
import { ownIn, peersOf, standingOf } from '../../src/node/membership.ts';
import { Neighbours } from '../../src/node/neighbours.ts';

type Known = Parameters<typeof standingOf>[0];

const keys = Object.fromEntries(['v1', 'v2', 'v3', 'o1', 'new'].map((name) => [name, generateValidatorKeys()]));
const of = (name: string): ValidatorKeys => keys[name]!;

function validator(name: string, held: ValidatorKeys = of(name)): Validator {
  const { peer, vote, log, cosigner } = held;
  return {
    name,
    peer: peer.publicKey,
    vote: vote.publicKey,
    log: log.publicKey,
    cosigner: cosigner.publicKey,
    account: name,
    url: '',
  };
}

function ledger({
  validators = [validator('v1'), validator('v2')],
  observers = [{ name: 'o1', peer: of('o1').peer.publicKey }],
  candidates = [] as { name: string; peer: Uint8Array }[],
  before = [] as Validator[],
  epoch = 2,
} = {}): Known {
  return {
    epoch: { epoch, validators },
    epochOf: (number: number) => (number === 1 ? { epoch: 1, validators: before } : { epoch: number, validators }),
    observers,
    candidates,
  } as unknown as Known;
}

const me = (name: string, role: Config['role'] = 'validator') => ({ name, role });

t.test('who this node is in an epoch', async (t) => {
  t.match(standingOf(ledger(), me('v2'), [of('v2')]), { index: 1, role: 'validator', code: '' });
  t.match(standingOf(ledger(), me('v2', 'observer'), [of('v2')]), { index: undefined, role: 'observer', code: '' });
  t.match(standingOf(ledger(), me('o1'), [of('o1')]), { index: undefined, role: 'observer', code: '' });
  t.match(standingOf(ledger(), me('v3'), [of('v3')]), { role: 'observer', code: 'NODE_UNKNOWN' });
  const proposed = ledger({ candidates: [{ name: 'v3', peer: of('v3').peer.publicKey }] });
  t.match(standingOf(proposed, me('v3'), [of('v3')]), { index: undefined, role: 'observer', code: '' }, 'a candidate');
  const next = { ...of('v2'), vote: of('new').vote };
  const changed = ledger({ validators: [validator('v1'), validator('v2', next)] });
  t.equal(standingOf(changed, me('v2'), [of('v2'), next]).keys, next, 'the file that the ledger lists');
  t.equal(standingOf(ledger(), me('v2'), [of('v2'), next]).keys, of('v2'), 'not yet');
  t.match(standingOf(changed, me('v2'), [of('v2')]), { index: undefined, role: 'validator', code: 'KEYS_FOREIGN' });
  t.match(standingOf(ledger(), me('v2'), [of('new')]), { role: 'observer', code: 'KEYS_FOREIGN' }, 'another host');
  t.throws(() => standingOf(ledger(), me('v1'), [of('v2')]), { code: 'KEYS_FOREIGN' });
  t.throws(() => standingOf(ledger(), me('nobody'), [of('v2')]), { code: 'NODE_UNKNOWN' });
  t.match(ownIn(changed.epoch, me('v2'), [of('v2'), next])?.keys, next);
  t.equal(ownIn(changed.epoch, me('v2'), [of('v2')]), undefined);
});

t.test('who may connect', async (t) => {
  const config = {
    name: 'v1',
    peer: { peers: [{ name: 'v2', address: '/ip4/127.0.0.1/tcp/1' }] },
  } as unknown as Config;
  const names = (known: Known, retiring: number[] = []): string[] =>
    peersOf(known, config, of('v1').peer.publicKey, retiring).map(
      ({ name, role, addresses }) => `${role} ${name} ${addresses.length}`,
    );
  t.same(names(ledger()), ['validator v2 1', 'observer o1 0']);
  const before = [validator('v1'), validator('v3'), validator('v2', of('new'))];
  t.same(names(ledger({ before })), ['validator v2 1', 'observer o1 0']);
  t.same(names(ledger({ before }), [1]), ['validator v2 1', 'observer o1 0', 'observer v3 0', 'observer v2+ 1']);
  const candidates = [
    { name: 'v2', peer: of('new').peer.publicKey },
    { name: 'v1', peer: of('v1').peer.publicKey },
  ];
  t.same(names(ledger({ candidates })), ['validator v2 1', 'observer o1 0', 'observer v2+ 1'], 'never oneself');
  const many = Array.from({ length: 2000 }, (_, i) => ({
    name: `c${i}`,
    peer: Uint8Array.from({ length: 32 }, (_, k) => (k < 2 ? i >> (8 * k) : 7)),
  }));
  t.equal(names(ledger({ candidates: many })).length, 1000, 'what proposals name is bounded');
});

t.test('who left is known by the keys that it had', async (t) => {
  const fresh = { ...of('v3'), peer: of('new').peer, vote: of('new').vote };
  for (const epoch of [2, 3, 33]) {
    const known = ledger({ before: [validator('v3', fresh)], epoch });
    const standing = standingOf(known, me('v3'), [of('v3'), fresh]);
    t.match(standing, { role: 'observer', code: 'NODE_UNKNOWN' });
    t.equal(standing.keys, fresh, `its next keys were listed, in epoch ${epoch} no more`);
  }
});

t.test('who left stays while an epoch of its own is not over for all, however many ended since', async (t) => {
  const known = ledger({ before: [validator('v3')], epoch: 3 });
  const config = { ...me('v3'), peer: { peers: [] } } as unknown as Config;
  const peers = (retiring: number[], missing: number[]): number =>
    new Neighbours({
      ledger: known,
      config,
      files: [of('v3')],
      closing: { retiring: () => retiring, missing },
      runtime: () => ({ standing: standingOf(known, config, [of('v3')]) }),
    } as unknown as ConstructorParameters<typeof Neighbours>[0]).peers().length;
  t.equal(peers([2, 1], []), 3, 'somebody may lack how its epoch ended');
  t.equal(peers([2], [2]), 3, 'it lacks something itself');
  t.equal(peers([2], []), 0, 'it has said its last word');
  t.equal(peers([], []), 0);
});
