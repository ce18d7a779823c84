// A second ruleset comes into force: who has it goes on, who lacks it stops and says what to install.
import t from 'tap';
import { needRuleset, ruleset } from '../../contracts/rulesets.ts';
import { sealTransaction, signingBytes } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { auditArchive } from '../../src/audit/audit.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { WeftError } from '../../src/codec/error.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { PreparedTx } from '../../src/ledger/types.ts';
import { leaderOf } from '../../src/ledger/validatorSet.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { archiveOf } from '../audit/fixtures.ts';
import {
  addBlock,
  buildBlock,
  finalizationOf,
  genesisTime,
  MemoryDisk,
  makeGenesis,
  packetsTx,
  registerTx,
  seedOf,
} from './fixtures.ts';
import { approveTx, pass, proposeTx, readyTx, recordOf } from './governed.ts';
import { bothRulesets } from './rulesetTwo.ts';

const policy = {
  schema: `${readDefaultPolicySet().schema}\naction "notes.write" appliesTo { principal: [Account], resource: [Service] };`,
  policies: [{ id: 'all', text: 'permit (principal, action, resource);' }],
};
const { genesis } = makeGenesis(4, { policy });
const { chain } = genesis;
const upgrade = { kind: 'ruleset', ruleset: 2 } as const;

function open(memory = new MemoryDisk(), rulesets = bothRulesets): Promise<Ledger> {
  return Ledger.open({ dir: '/ledger', genesis, files: memory.files, database: memory.database, rulesets });
}

/** An envelope of a type that this build's tools do not know. */
function noteTx(body: JsonObject, nonce = 1): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[7] = nonce;
  const fields = {
    chain,
    account: 'alice',
    type: 'notes.write',
    expires: genesisTime + 60_000,
    nonce: toBase64Url(bytes),
    body,
  };
  const payload = encodeUtf8(JSON.stringify(fields));
  const seed = seedOf('alice');
  const sig = sign(signingBytes(payload), seed);
  return sealTransaction(payload, [{ keyid: keyId(ALG_ED25519, publicKeyOf(seed)), alg: 'ed25519', sig }]);
}

const codeOf = (answer: PreparedTx | WeftError | undefined) => (answer instanceof WeftError ? answer.code : 'prepared');
const admit = async (ledger: Ledger, ...envelopes: Uint8Array[]) =>
  (await ledger.prepare(envelopes, 'admission')).map(codeOf);

async function upgraded(memory = new MemoryDisk()): Promise<Ledger> {
  const ledger = await open(memory);
  await addBlock(ledger, [packetsTx(chain, 'alice')]);
  await pass(ledger, upgrade, ['v01', 'v02', 'v03']);
  await addBlock(ledger, [noteTx({ text: 'hello' }), noteTx({ text: '' }, 2), packetsTx(chain, 'bob')]);
  return ledger;
}

t.test('the block after is read and executed under the new ruleset, and none before', async (t) => {
  const ledger = await open();
  const large = packetsTx(chain, 'bob', { ids: 200 });
  const note = noteTx({ text: 'hello' });
  t.strictSame(await admit(ledger, note, large), ['TX_TYPE_UNKNOWN', 'prepared'], 'not yet');
  const waiting = await ledger.prepare([large, packetsTx(chain, 'alice')], 'admission');
  const { id, tx } = proposeTx(ledger, upgrade, 5);
  await addBlock(ledger, [tx]);
  await addBlock(
    ledger,
    ['v01', 'v02', 'v03'].map((name) => readyTx(ledger, id, name)),
  );
  await addBlock(ledger, [approveTx(ledger, id)]);
  t.equal(ledger.epoch.ruleset, 1, 'approved, due at block 5');
  t.strictSame(await admit(ledger, note), ['TX_TYPE_UNKNOWN']);
  await addBlock(ledger, []);
  const closing = await buildBlock(ledger, []);
  t.match(closing.header, { height: 5, ruleset: 1, epoch: 1 });
  t.ok(closing.facts.closing);
  t.equal(closing.nextEpoch.ruleset, 2);
  const early = (await ledger.prepare([note], 'block', closing.blockId)) as PreparedTx[];
  t.match(early, [{ ruleset: 2 }], 'on top of the closing block it can be read already');
  await t.rejects(ledger.prepare([note], 'block'), { code: 'TX_TYPE_UNKNOWN' }, 'and in it it cannot');
  const committed = await ledger.commit(closing.blockId, finalizationOf(genesis, genesis.epoch, closing));
  t.match(recordOf(committed[0]!, 'epoch'), { epoch: 2, ruleset: 2 });

  t.strictSame(await admit(ledger, note, large), ['prepared', 'ENVELOPE_TOO_LARGE']);
  const epoch = ledger.epoch;
  const context = { epoch: 2, view: 1, proposer: leaderOf(epoch, 1), time: genesisTime + 20_000 };
  const builder = ledger.startBlock(closing.blockId, context);
  const [tooLarge, still] = waiting as [PreparedTx, PreparedTx];
  t.match([tooLarge.ruleset, still.ruleset], [1, 1]);
  t.equal(ledger.admissible(tooLarge, genesisTime + 20_000), 'ENVELOPE_TOO_LARGE', 'what waited is read again');
  t.equal(builder.tryAdd(tooLarge), 'ENVELOPE_TOO_LARGE');
  t.equal(builder.tryAdd(still), 'added');
  t.equal(builder.tryAdd(early[0]!), 'added');
  const block = builder.seal();
  t.match(block.header, { ruleset: 2, epoch: 2, height: 6 });
  await ledger.commit(block.blockId, finalizationOf(genesis, epoch, block));
  t.match(ledger.state.get('notes/note/newest'), { text: 'hello', height: 6 });
});

t.test('what one ruleset accepts and the other refuses: blocks of either are judged by their own', async (t) => {
  const [builder, checker] = [await open(), await open()];
  for (const ledger of [builder, checker]) await addBlock(ledger, [packetsTx(chain, 'alice', { nonce: 1 })]);
  // The same transactions for both.
  const { id, tx } = proposeTx(builder, upgrade);
  const steps = [[tx], ['v01', 'v02', 'v03'].map((name) => readyTx(builder, id, name)), [approveTx(builder, id)]];
  for (const step of steps) for (const ledger of [builder, checker]) await addBlock(ledger, step);
  t.equal(builder.finalized.blockId, checker.finalized.blockId);
  const good = await buildBlock(builder, [noteTx({ text: 'hello' })]);
  t.equal((await checker.check(good.headerBytes, good.body)).verdict, 'valid');
  t.match(await checker.check({ ...good.header, ruleset: 1 }, good.body), { verdict: 'invalid', code: 'HEADER_EPOCH' });
});

t.test('a build without it stops at the first block, says what to install, and can still be read', async (t) => {
  const ledger = await upgraded();
  const old = await open(new MemoryDisk(), ruleset);
  const needed = { code: 'RULESET_UNKNOWN', message: /under ruleset 2.*install a Weft that has ruleset 2/ };
  await old.importRun(ledger.exportRun(1, 1 << 20)!);
  t.match(old.finalized.header, { height: 4, epoch: 1 }, 'the closing block is still under the old one');
  t.strictSame([old.epoch.ruleset, old.hasRuleset(2), old.hasRuleset(1)], [2, false, true]);
  await t.rejects(old.importRun(ledger.exportRun(5, 1 << 20)!), needed);
  await t.rejects(old.prepare([packetsTx(chain, 'alice')], 'admission'), needed);
  const next = { epoch: 2, view: 1, proposer: leaderOf(old.epoch, 1), time: genesisTime + 20_000 };
  t.throws(() => old.startBlock(old.finalized.blockId, next), needed);
  t.ok(old.exportRun(1, 1 << 20));
  t.ok(old.state.get('governance/epoch/2'));
});

t.test('a newer build takes over the data folder', async (t) => {
  const memory = new MemoryDisk();
  const ledger = await upgraded();
  const old = await open(memory, ruleset);
  await old.importRun(ledger.exportRun(1, 1 << 20)!);
  await old.close();
  const restarted = await open(memory, ruleset);
  t.equal(
    restarted.hasRuleset(restarted.epoch.ruleset),
    false,
    'the old build opens it, and knows that it cannot go on',
  );
  await restarted.close();
  const newer = await open(memory);
  await newer.importRun(ledger.exportRun(5, 1 << 20)!);
  t.equal(newer.finalized.blockId, ledger.finalized.blockId);
});

t.test('audit replays each block under its own ruleset', async (t) => {
  const ledger = await upgraded();
  await addBlock(ledger, [registerTx(chain, 'carol', { nonce: 9 })]);
  const archive = archiveOf(ledger);
  const report = await auditArchive(archive, { rulesets: bothRulesets });
  t.match(report, { ok: true, height: 6, epochs: 2, refused: 1 });
  t.equal(report.logRoot, ledger.finalized.header.logRoot);
  const without = await auditArchive(archive);
  t.match(without, {
    ok: false,
    height: 4,
    error: { code: 'RULESET_UNKNOWN', where: 'block 5', message: /install a Weft that has ruleset 2/ },
  });
  // Under the first ruleset's rules alone the second one's blocks are wrong.
  const first = needRuleset(ruleset, 1, '');
  const pretended = await auditArchive(archive, { rulesets: () => first });
  t.match(pretended, { ok: false, height: 4, error: { code: 'TX_TYPE_UNKNOWN', where: 'block 5' } });
});
