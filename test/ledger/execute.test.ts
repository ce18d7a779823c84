import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import { validate } from '../../schemas/validators.ts';
import { fromHex } from '../../src/codec/hex.ts';
import { decodeUtf8 } from '../../src/codec/utf8.ts';
import { envelopeIdOf } from '../../src/crypto/digests.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { encodeBody, txRootOf } from '../../src/ledger/body.ts';
import { encodeHeader, type Header } from '../../src/ledger/header.ts';
import { envelopeOfLeaf } from '../../src/ledger/leaves.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { inlineVerifier } from '../../src/ledger/prepare.ts';
import { StateWrites } from '../../src/ledger/stateValue.ts';
import type { Checked, ExecutedBlock, PreparedTx } from '../../src/ledger/types.ts';
import { leaderOf } from '../../src/ledger/validatorSet.ts';
import {
  addBlock,
  buildBlock,
  finalizationOf,
  type GenesisOptions,
  genesisTime,
  MemoryDisk,
  makeGenesis,
  makeTx,
  openInMemory,
  packetsTx,
  registerTx,
  seedOf,
} from './fixtures.ts';

type Two = { readonly builder: Ledger; readonly checker: Ledger; readonly chain: string };

/** Two nodes of one network: what one builds the other checks. */
async function twoNodes(options: GenesisOptions = {}): Promise<Two> {
  const { bytes, genesis } = makeGenesis(4, options);
  return { builder: await openInMemory(bytes), checker: await openInMemory(bytes), chain: genesis.chain };
}

const code = (checked: Checked): string => ('code' in checked ? checked.code : checked.verdict);

/** A header that was never built: the block of `envelopes` as a liar would send it. Its results are those of an honest empty block. */
function forge(
  honest: ExecutedBlock,
  envelopes: readonly Uint8Array[],
  changed: Partial<Header> = {},
): [Uint8Array, Uint8Array] {
  return [
    encodeHeader({ ...honest.header, txRoot: txRootOf(envelopes.map(envelopeIdOf)), ...changed }),
    encodeBody(envelopes),
  ];
}

t.test('a block that one node builds, another one executes to the same roots', async (t) => {
  const { builder, checker, chain } = await twoNodes();
  const block = await buildBlock(builder, [
    packetsTx(chain, 'alice'),
    registerTx(chain, 'carol'),
    registerTx(chain, 'dave', { by: 'bob' }),
  ]);
  const checked = await checker.check(block.headerBytes, block.body);
  t.equal(checked.verdict, 'valid');
  t.strictSame(checked.verdict === 'valid' && checked.block.header, block.header);
  t.strictSame(
    block.outcomes.map(({ refused, records }) => [refused, records]),
    [
      [undefined, 1],
      [undefined, 1],
      ['POLICY_DENIED', 1],
    ],
  );
  const again = await checker.check(block.header, block.body);
  t.ok(again.verdict === 'valid' && checked.verdict === 'valid' && again.block === checked.block, 'not executed again');
});

t.test('leaves: the transaction as it was sent, its records, the block record', async (t) => {
  const { builder, chain } = await twoNodes();
  const envelopes = [packetsTx(chain, 'alice'), registerTx(chain, 'dave', { by: 'bob' })];
  const { records, header } = await addBlock(builder, envelopes);
  t.strictSame(
    records.map(({ type }) => type),
    ['tx', 'packets.committed', 'tx', 'tx.refused', 'block'],
  );
  t.strictSame(
    records.map(({ index }) => index),
    [1, 2, 3, 4, 5],
    'leaf 0 is genesis',
  );
  t.equal(header.logSize, 6);
  t.same(envelopeOfLeaf(records[0]!.leaf), envelopes[0]);
  t.equal(decodeUtf8(records[0]!.leaf), `{"type":"tx","envelope":${decodeUtf8(envelopes[0]!)}}`);
  t.equal(envelopeOfLeaf(records[1]!.leaf), undefined);
  const last = JSON.parse(decodeUtf8(records[4]!.leaf)) as object;
  t.strictSame(Object.keys(last), [
    'type',
    'height',
    'epoch',
    'time',
    'parent',
    'stateRoot',
    'ruleset',
    'policy',
    'validators',
  ]);
  t.match(last, {
    height: 1,
    parent: builder.genesis.genesisHash,
    stateRoot: header.stateRoot,
    validators: header.validators,
  });
  for (const { leaf, type } of records)
    if (type !== 'tx') t.equal(validate(`record/${type}`, JSON.parse(decodeUtf8(leaf))), undefined, type);
});

t.test('transactions that make a block invalid', async (t) => {
  const { builder, checker, chain } = await twoNodes({ consensus: { maxTxLifetimeMs: 60_000 } });
  const used = packetsTx(chain, 'alice');
  for (const ledger of [builder, checker]) await addBlock(ledger, [used]);
  const honest = await buildBlock(builder, []);
  const time = honest.header.time;
  const invalid = async (name: string, envelopes: readonly Uint8Array[], wanted: string) => {
    const [header, body] = forge(honest, envelopes);
    const checked = await checker.check(header, body);
    t.equal(checked.verdict, 'invalid', name);
    t.equal(code(checked), wanted, name);
    if (
      envelopes.length === 1 &&
      wanted.startsWith('TX_') &&
      !['TX_CHAIN', 'TX_TYPE_UNKNOWN', 'TX_BODY'].includes(wanted)
    ) {
      const prepared = (await builder.prepare(envelopes, 'block', honest.header.parent))[0] as PreparedTx;
      t.equal(builder.admissible(prepared, time, honest.header.parent), wanted, `${name}: admission says the same`);
      const epoch = builder.epoch;
      const draft = builder.startBlock(honest.header.parent, { epoch: 1, view: 9, proposer: leaderOf(epoch, 9), time });
      t.equal(draft.tryAdd(prepared), wanted, `${name}: the builder leaves it out`);
      t.equal(draft.count, 0);
    }
  };
  await invalid('undecodable', [new Uint8Array(40).fill(1)], 'ENVELOPE_INVALID');
  await invalid('another chain', [packetsTx('weft-other-000000000000', 'alice')], 'TX_CHAIN');
  await invalid('expires at the block time', [packetsTx(chain, 'alice', { expires: time })], 'TX_EXPIRED');
  await invalid('expires too late', [packetsTx(chain, 'alice', { expires: time + 60_001 })], 'TX_NOT_YET_VALID');
  await invalid('in the window', [used], 'TX_DUPLICATE');
  const twice = packetsTx(chain, 'alice', { expires: time + 100 });
  await invalid('twice in the block', [twice, twice], 'TX_DUPLICATE');
  await invalid('account unknown', [packetsTx(chain, 'nobody', { expires: time + 100 })], 'ACCOUNT_INACTIVE');
  await invalid(
    'key of another account',
    [packetsTx(chain, 'alice', { expires: time + 100, signers: ['bob'] })],
    'KEY_INACTIVE',
  );
  await invalid(
    'one entry of two is no key of the account',
    [packetsTx(chain, 'alice', { expires: time + 100, signers: ['alice', 'bob'] })],
    'KEY_INACTIVE',
  );
  const text = decodeUtf8(packetsTx(chain, 'alice', { expires: time + 100 }));
  const at = text.indexOf('"sig":"') + 9;
  const forged = new Uint8Array(
    Buffer.from(`${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`),
  );
  await invalid(
    'a signature that does not verify',
    [packetsTx(chain, 'alice', { expires: time + 100 }), forged],
    'SIGNATURE_INVALID',
  );
  t.equal(
    builder.admissible(
      (await builder.prepare([packetsTx(chain, 'alice', { expires: time + 60_000 })], 'block'))[0] as PreparedTx,
      time,
    ),
    undefined,
    'the last moment of the window is inside',
  );
});

t.test('admission answers one by one', async (t) => {
  const { builder, chain } = await twoNodes();
  const text = decodeUtf8(packetsTx(chain, 'alice'));
  const at = text.indexOf('"sig":"') + 9;
  const forged = new Uint8Array(
    Buffer.from(`${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`),
  );
  const answers = await builder.prepare(
    [packetsTx(chain, 'alice'), forged, packetsTx(chain, 'nobody'), new Uint8Array(3), packetsTx(chain, 'bob')],
    'admission',
  );
  t.strictSame(
    answers.map((answer) => ('code' in answer ? answer.code : answer.tx.account)),
    ['alice', 'SIGNATURE_INVALID', 'ACCOUNT_INACTIVE', 'ENVELOPE_INVALID', 'bob'],
  );
});

t.test('policy is asked again as soon as something in the block has changed', async (t) => {
  const { builder, checker, chain } = await twoNodes();
  const roles = makeTx(chain, 'admin', 'identity.roles', { account: 'bob', roles: ['administrator'] });
  const twice = () => registerTx(chain, 'carol', { by: 'bob' });
  const block = await buildBlock(builder, [twice(), twice(), roles, twice()]);
  t.strictSame(
    block.outcomes.map(({ refused }) => refused ?? 'done'),
    ['POLICY_DENIED', 'POLICY_DENIED', 'done', 'done'],
  );
  t.equal((await checker.check(block.headerBytes, block.body)).verdict, 'valid');
});

t.test('what happens within the block refuses the transaction, not the block', async (t) => {
  const { builder, checker, chain } = await twoNodes();
  const suspend = makeTx(chain, 'admin', 'identity.suspend', { account: 'alice', reason: 'test' });
  const afterwards = packetsTx(chain, 'alice');
  const keyid = keyId(ALG_ED25519, publicKeyOf(seedOf('bob')));
  const revoke = makeTx(chain, 'admin', 'identity.revoke', { account: 'bob', keyid, reason: 'test' });
  const byBob = packetsTx(chain, 'bob');
  const block = await buildBlock(builder, [suspend, afterwards, revoke, byBob]);
  t.strictSame(
    block.outcomes.map(({ refused }) => refused ?? 'done'),
    ['done', 'ACCOUNT_INACTIVE', 'done', 'KEY_INACTIVE'],
  );
  const checked = await checker.check(block.headerBytes, block.body);
  t.equal(checked.verdict, 'valid');
  for (const ledger of [builder, checker])
    await ledger.commit(block.blockId, finalizationOf(ledger.genesis, ledger.epoch, block));
  const { txId } = decodeTransaction(afterwards);
  t.ok(checker.seen(txId), 'its id is consumed');
  t.equal(checker.transaction(txId)?.refused, 'ACCOUNT_INACTIVE');
  const honest = await buildBlock(builder, []);
  const [header, body] = forge(honest, [packetsTx(chain, 'alice')]);
  t.equal(code(await checker.check(header, body)), 'ACCOUNT_INACTIVE', 'in the next block it makes the block invalid');
});

t.test('a key or account of this very block may not send in it', async (t) => {
  const { builder, checker, chain } = await twoNodes();
  const register = registerTx(chain, 'carol');
  const honest = await buildBlock(builder, [register]);
  const [header, body] = forge(honest, [register, packetsTx(chain, 'carol')]);
  t.equal(code(await checker.check(header, body)), 'ACCOUNT_INACTIVE', 'keys are those of the parent state');
  const next = await buildBlock(builder, [packetsTx(chain, 'carol')], { parent: honest.blockId });
  t.equal(next.outcomes[0]?.refused, undefined, 'in the next one it may');
});

t.test('headers', async (t) => {
  const { builder, checker, chain } = await twoNodes();
  const honest = await buildBlock(builder, [packetsTx(chain, 'alice')]);
  const { header } = honest;
  const other = '11'.repeat(32);
  const wrong = async (changed: Partial<Header>, wanted: string) => {
    const checked = await checker.check(encodeHeader({ ...header, ...changed }), honest.body);
    t.equal(code(checked), wanted, JSON.stringify(changed));
  };
  await wrong({ chain: 'weft-other-000000000000' }, 'HEADER_CHAIN');
  await wrong({ height: 2 }, 'HEADER_HEIGHT');
  await wrong({ time: genesisTime }, 'HEADER_TIME');
  await wrong({ epoch: 2 }, 'HEADER_EPOCH');
  await wrong({ ruleset: 2 }, 'HEADER_EPOCH');
  await wrong({ validators: other }, 'HEADER_EPOCH');
  await wrong({ proposer: (header.proposer + 1) % 4 }, 'HEADER_PROPOSER');
  await wrong({ parent: other }, 'missing-parent');
  await wrong({ txRoot: other }, 'TX_ROOT_MISMATCH');
  await wrong({ stateRoot: other }, 'STATE_ROOT_MISMATCH');
  await wrong({ logRoot: other }, 'LOG_ROOT_MISMATCH');
  await wrong({ logSize: 99 }, 'LOG_SIZE_MISMATCH');
  await wrong({ nextValidators: other }, 'NEXT_VALIDATORS_MISMATCH');
  t.equal(code(await checker.check(fromHex('00'), honest.body)), 'HEADER_INVALID');
  t.equal(
    (await checker.check(honest.headerBytes, encodeBody([]))).verdict,
    'wrong-body',
    'says nothing about the block',
  );
  t.equal((await checker.check(honest.headerBytes, new Uint8Array(5))).verdict, 'wrong-body');
  t.equal((await checker.check(honest.headerBytes, honest.body)).verdict, 'valid', 'and the right one is still taken');
  await checker.commit(honest.blockId, finalizationOf(checker.genesis, checker.epoch, honest));
  const child = await buildBlock(builder, [], { parent: honest.blockId });
  t.equal(
    code(
      await checker.check(
        encodeHeader({ ...child.header, view: honest.header.view, proposer: honest.header.proposer }),
        child.body,
      ),
    ),
    'HEADER_VIEW',
  );
});

t.test('limits of a block', async (t) => {
  const { builder, checker, chain } = await twoNodes({ consensus: { maxBlockTxs: 2, maxBlockBytes: 65536 } });
  const envelopes = [packetsTx(chain, 'alice'), packetsTx(chain, 'alice'), packetsTx(chain, 'alice')];
  const prepared = (await builder.prepare(envelopes, 'block')) as PreparedTx[];
  const view = 1;
  const start = () =>
    builder.startBlock(builder.finalized.blockId, {
      epoch: 1,
      view,
      proposer: leaderOf(builder.epoch, view),
      time: genesisTime + 10,
    });
  const draft = start();
  t.strictSame(
    prepared.map((each) => draft.tryAdd(each)),
    ['added', 'added', 'full'],
  );
  t.equal(draft.size, draft.seal().body.length, 'the size is that of the encoded body');
  const [header, body] = forge(draft.seal(), envelopes);
  t.equal(code(await checker.check(header, body)), 'BLOCK_TOO_LARGE');
  const roomy = await twoNodes({ consensus: { maxBlockBytes: 65536 } });
  const large = Array.from({ length: 8 }, () => packetsTx(roomy.chain, 'alice', { ids: 256 }));
  const more = roomy.builder.startBlock(roomy.builder.finalized.blockId, {
    epoch: 1,
    view,
    proposer: leaderOf(roomy.builder.epoch, view),
    time: genesisTime + 10,
  });
  const answers = ((await roomy.builder.prepare(large, 'block')) as PreparedTx[]).map((each) => more.tryAdd(each));
  t.ok(answers.includes('full') && answers.includes('added'));
  t.ok(more.size <= 65536);
  t.equal(more.seal().body.length, more.size);
  t.throws(() => builder.startBlock(builder.finalized.blockId, { epoch: 2, view, proposer: 0, time: 0 }), {
    code: 'EPOCH_MISMATCH',
  });
  t.throws(() => builder.startBlock('00'.repeat(32), { epoch: 1, view, proposer: 0, time: 0 }), {
    code: 'PARENT_UNKNOWN',
  });
  t.equal(
    builder.startBlock(builder.finalized.blockId, { epoch: 1, view, proposer: 0, time: 0 }).time,
    genesisTime + 1,
    'later than the parent',
  );
});

t.test('an id that an unfinalized ancestor used is used', async (t) => {
  const { builder, checker, chain } = await twoNodes();
  const sent = packetsTx(chain, 'alice');
  const parent = await buildBlock(builder, [sent]);
  const between = await buildBlock(builder, [], { parent: parent.blockId });
  const honest = await buildBlock(builder, [], { parent: between.blockId });
  for (const block of [parent, between]) t.equal((await checker.check(block.headerBytes, block.body)).verdict, 'valid');
  const [header, body] = forge(honest, [sent]);
  t.equal(code(await checker.check(header, body)), 'TX_DUPLICATE');
  const prepared = (await checker.prepare([sent], 'block'))[0] as PreparedTx;
  t.equal(checker.admissible(prepared, honest.header.time, between.blockId), 'TX_DUPLICATE');
  t.equal(checker.admissible(prepared, honest.header.time), undefined, 'on another branch it may still enter');
});

t.test('every signature entry must hold, whatever was remembered of the others', async (t) => {
  const { builder, chain } = await twoNodes({ keys: { alice: ['alice', 'alice 2'] } });
  const both = packetsTx(chain, 'alice', { signers: ['alice', 'alice 2'] });
  const text = decodeUtf8(both);
  for (const at of [text.indexOf('"sig":"') + 9, text.lastIndexOf('"sig":"') + 9]) {
    const forged = new Uint8Array(
      Buffer.from(`${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`),
    );
    for (let again = 0; again < 2; again += 1) {
      const [answer] = await builder.prepare([forged], 'admission');
      t.equal(answer !== undefined && 'code' in answer && answer.code, 'SIGNATURE_INVALID');
      await t.rejects(builder.prepare([forged], 'block'), { code: 'SIGNATURE_INVALID' });
    }
  }
  t.equal((await builder.prepare([both], 'block')).length, 1);
});

t.test('state values have one form, whoever made them', async (t) => {
  const writes = new StateWrites().add(new Map([['a/b/c', { z: 1, a: { y: [2], b: 3 } }]]));
  const value = writes.values.get('a/b/c') as { a: object };
  t.equal(JSON.stringify(value), '{"a":{"b":3,"y":[2]},"z":1}', 'as it is read back from the disk');
  t.ok(Object.isFrozen(value) && Object.isFrozen(value.a));
});

t.test('a transaction counts only under the keys that it was verified with', async (t) => {
  const { builder, chain } = await twoNodes();
  const [prepared] = (await builder.prepare([packetsTx(chain, 'alice')], 'block')) as [PreparedTx];
  t.equal(builder.admissible({ ...prepared, keys: [`ed25519:${'00'.repeat(32)}`] }, genesisTime + 5), 'TX_UNPREPARED');
  t.equal(builder.admissible({ ...prepared, keys: [] }, genesisTime + 5), 'TX_UNPREPARED');
  t.equal(builder.admissible(prepared, genesisTime + 5), undefined);
});

t.test(
  'a block whose parent is finalized past while its signatures are checked is not executed on the wrong ground',
  async (t) => {
    const { genesis } = makeGenesis(4);
    const builder = await openInMemory(genesis);
    const a = await buildBlock(builder, [packetsTx(genesis.chain, 'alice')], { view: 1 });
    const b = await buildBlock(builder, [registerTx(genesis.chain, 'carol')], { view: 2 });
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const disk = new MemoryDisk();
    let waits = false;
    const checker = await Ledger.open({
      dir: '/ledger',
      genesis,
      files: disk.files,
      database: disk.database,
      verifier: {
        ...inlineVerifier,
        async verifyAll(jobs) {
          if (waits) await gate;
          return inlineVerifier.verifyAll(jobs);
        },
      },
    });
    t.equal((await checker.check(b.headerBytes, b.body)).verdict, 'valid');
    waits = true;
    const checking = checker.check(a.headerBytes, a.body);
    t.equal(checker.check(a.headerBytes, a.body), checking, 'asked twice, checked once');
    await checker.commit(b.blockId, finalizationOf(genesis, checker.epoch, b));
    open();
    t.equal((await checking).verdict, 'missing-parent');
    t.equal(checker.executed(a.blockId), undefined);
  },
);
