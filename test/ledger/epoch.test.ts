import t from 'tap';
import type { Json } from '../../contracts/types.ts';
import { Chain } from '../../src/ledger/chain.ts';
import { epochAfter, epochFromState, observersOf, touchesEpoch } from '../../src/ledger/epochState.ts';
import { isClosing } from '../../src/ledger/header.ts';
import { inlineVerifier } from '../../src/ledger/prepare.ts';
import { genesisPosition } from '../../src/ledger/restart.ts';
import { leaderOf } from '../../src/ledger/validatorSet.ts';
import { genesisTime, makeGenesis } from './fixtures.ts';

const { genesis } = makeGenesis(4);
type Change = (value: Record<string, Json>) => void;

/** Genesis state with one value changed. */
function stateWith(path: string, change: Change): { get(path: string): Json | undefined } {
  const values = new Map(genesis.changes);
  const copy = structuredClone(values.get(path)) as Record<string, Json>;
  change(copy);
  values.set(path, copy);
  return { get: (each) => values.get(each) ?? undefined };
}

t.test('what ends an epoch', async (t) => {
  const validators = 'governance/validators/current';
  const consensus = 'governance/consensus/current';
  const ends = (path: string, change: Change) =>
    epochAfter(stateWith(path, change), genesis.epoch, genesis.genesisHash) !== genesis.epoch;
  const list = (value: Record<string, Json>) => value['validators'] as unknown as Record<string, Json>[];
  t.notOk(
    ends(validators, () => undefined),
    'nothing changed',
  );
  t.ok(
    ends(validators, (value) => list(value).pop()),
    'a validator less',
  );
  t.ok(
    ends(validators, (value) => Object.assign(list(value)[0]!, { vote: list(value)[1]!['log'] as Json })),
    'a key',
  );
  t.ok(
    ends(validators, (value) => Object.assign(list(value)[0]!, { account: 'alice' })),
    'who speaks for it',
  );
  const moved = epochAfter(
    stateWith(validators, (value) => Object.assign(list(value)[0]!, { url: 'http://moved' })),
    genesis.epoch,
    genesis.genesisHash,
  );
  t.match(moved, { epoch: 1, digest: genesis.epoch.digest, validators: [{ url: 'http://moved' }] }, 'not a URL');
  t.notOk(
    ends(validators, (value) => Object.assign(value, { observers: [] })),
    'not observers',
  );
  t.ok(
    ends(consensus, (value) => Object.assign(value, { ruleset: 2 })),
    'a ruleset',
  );
  t.ok(
    ends(consensus, (value) => Object.assign(value['parameters'] as object, { retentionViews: 9 })),
    'a parameter',
  );
  const next = epochAfter(
    stateWith(validators, (value) => list(value).pop()),
    genesis.epoch,
    genesis.genesisHash,
  );
  t.match(next, { epoch: 2, quorum: 3 });
  t.equal(next.validators.length, 3);
  t.ok(touchesEpoch(new Map([[consensus, null]])));
  t.notOk(touchesEpoch(new Map([['identity/account/alice', null]])));
  t.strictSame(observersOf(stateWith(validators, () => undefined)), []);
  t.throws(() => epochFromState({ get: () => undefined }, 1, genesis.genesisHash), { code: 'STATE_INVALID' });
});

t.test('blocks after a closing one belong to the next epoch, whose views begin again', async (t) => {
  const start = genesisPosition(genesis, () => false);
  const next = epochFromState(start.layer, 6, genesis.genesisHash);
  const header = {
    ...start.header,
    epoch: 5,
    view: 900,
    height: 40,
    validators: '55'.repeat(32),
    nextValidators: next.digest,
  };
  t.ok(isClosing(header));
  const tip = { ...start, blockId: '77'.repeat(32), header, nextEpoch: next };
  const [builder, checker] = [0, 1].map(() => new Chain({ genesis, verifier: inlineVerifier, tip })) as [Chain, Chain];
  t.throws(() => builder.startBlock(tip.blockId, { epoch: 5, view: 901, proposer: 0, time: genesisTime + 5 }), {
    code: 'EPOCH_MISMATCH',
  });
  const block = builder
    .startBlock(tip.blockId, { epoch: 6, view: 1, proposer: leaderOf(next, 1), time: genesisTime + 5 })
    .seal();
  t.match(block.header, { epoch: 6, view: 1, height: 41, validators: next.digest, nextValidators: next.digest });
  t.equal((await checker.check(block.headerBytes, block.body)).verdict, 'valid');
  const child = builder
    .startBlock(block.blockId, { epoch: 6, view: 1, proposer: leaderOf(next, 1), time: genesisTime + 6 })
    .seal();
  t.match(await checker.check(child.headerBytes, child.body), { verdict: 'invalid', code: 'HEADER_VIEW' });
});

t.test('a ruleset that this build lacks stops it, and says so', async (t) => {
  const start = genesisPosition(genesis, () => false);
  const tip = { ...start, nextEpoch: { ...start.nextEpoch, ruleset: 99 } };
  const chain = new Chain({ genesis, verifier: inlineVerifier, tip });
  t.throws(() => chain.startBlock(tip.blockId, { epoch: 1, view: 1, proposer: 0, time: 0 }), {
    code: 'RULESET_UNKNOWN',
  });
});
