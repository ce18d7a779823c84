import t from 'tap';
import { ruleset } from '../../contracts/rulesets.ts';
import { WeftError } from '../../src/codec/error.ts';
import { VerifyPool } from '../../src/crypto/verifyPool.ts';
import { inlineVerifier, Preparer } from '../../src/ledger/prepare.ts';
import type { PreparedTx, SignatureVerifier } from '../../src/ledger/types.ts';
import { makeGenesis, openInMemory, packetsTx } from './fixtures.ts';

const { genesis } = makeGenesis(4);
const rules = ruleset(1)!;

function prepared(answers: readonly (PreparedTx | WeftError)[]): PreparedTx[] {
  return answers.map((answer) => {
    if (answer instanceof WeftError) throw answer;
    return answer;
  });
}

t.test('what is final makes room, and is forgotten in the order in which it became so', async (t) => {
  const { state } = await openInMemory(genesis);
  let verified = 0;
  const verifier: SignatureVerifier = {
    ...inlineVerifier,
    verifyMany: (jobs, rule) => {
      verified += jobs.length;
      return inlineVerifier.verifyMany(jobs, rule);
    },
  };
  const envelopes = Array.from({ length: 12 }, () => packetsTx(genesis.chain, 'alice'));
  const size = envelopes[0]!.length;
  const preparer = new Preparer({ chain: genesis.chain, verifier, finalBytesMax: 4 * size + 10 });
  const all = prepared(await preparer.admit(envelopes, state, rules));
  t.equal(preparer.size, 12);
  preparer.finalized(all.slice(0, 3), 1);
  t.equal(preparer.size, 12, 'late copies of these are still on their way');
  preparer.finalized(all.slice(0, 3), 1);
  preparer.finalized(all.slice(3, 8), 1);
  t.equal(preparer.size, 8, 'four of the eight, and the four that wait');
  t.equal(verified, 12);
  await preparer.admit(envelopes.slice(4), state, rules);
  t.equal(verified, 12, 'the newest are known');
  await preparer.admit(envelopes.slice(0, 4), state, rules);
  t.equal(verified, 16, 'the oldest are verified again');
  t.equal(preparer.size, 12);
});

t.test('the bound on bytes counts what is final once', async (t) => {
  const { state } = await openInMemory(genesis);
  const envelopes = Array.from({ length: 10 }, () => packetsTx(genesis.chain, 'alice'));
  const size = envelopes[0]!.length;
  const preparer = new Preparer({ chain: genesis.chain, verifier: inlineVerifier, bytesMax: 5 * size + 10 });
  preparer.finalized(prepared(await preparer.admit(envelopes.slice(0, 5), state, rules)), 1);
  await preparer.admit(envelopes.slice(5), state, rules);
  t.equal(preparer.size, 5);
  preparer.finalized(prepared(await preparer.admit(envelopes.slice(0, 5), state, rules)), 1);
  t.equal(preparer.size, 5, 'and what was forgotten and came again is one more');
});

t.test('what was read under one ruleset is not final under another', async (t) => {
  const { state } = await openInMemory(genesis);
  const preparer = new Preparer({ chain: genesis.chain, verifier: inlineVerifier, finalBytesMax: 0 });
  const all = prepared(await preparer.admit([packetsTx(genesis.chain, 'alice')], state, rules));
  preparer.finalized(all, 2);
  t.equal(preparer.size, 1, 'read under another ruleset');
  preparer.finalized(all, 1);
  t.equal(preparer.size, 0);
});

t.test(
  'few are answered in the same turn where the verifier does so, and a bad signature is told from good ones',
  async (t) => {
    const { state } = await openInMemory(genesis);
    const pool = new VerifyPool({ inlineMax: 8 });
    t.teardown(() => pool.close());
    const preparer = new Preparer({ chain: genesis.chain, verifier: pool });
    const good = [packetsTx(genesis.chain, 'alice'), packetsTx(genesis.chain, 'alice')];
    const text = Buffer.from(packetsTx(genesis.chain, 'alice')).toString();
    const forged = Buffer.from(text.replace(/"sig":"..../, '"sig":"AAAA'));
    const answers = preparer.admit([good[0]!, forged, good[1]!, good[0]!], state, rules);
    t.notOk(answers instanceof Promise);
    t.same(
      (await answers).map((each) => (each instanceof WeftError ? each.code : each.tx.type)),
      ['packets.commit', 'SIGNATURE_INVALID', 'packets.commit', 'packets.commit'],
    );
    const many = Array.from({ length: 130 }, () => packetsTx(genesis.chain, 'alice'));
    many[70] = forged;
    const later = preparer.admit(many, state, rules);
    t.ok(later instanceof Promise, 'many take several turns');
    t.same(
      (await later).map((each) => each instanceof WeftError),
      many.map((each) => each === forged),
    );
  },
);

t.test('what was asked about of late stays when there are too many', async (t) => {
  const { state } = await openInMemory(genesis);
  const preparer = new Preparer({ chain: genesis.chain, verifier: inlineVerifier, entriesMax: 16 });
  const envelopes = Array.from({ length: 40 }, () => packetsTx(genesis.chain, 'alice'));
  const [kept] = prepared(await preparer.admit(envelopes.slice(0, 1), state, rules));
  for (const each of envelopes.slice(1)) {
    await preparer.admit([each], state, rules);
    const [again] = prepared(await preparer.admit(envelopes.slice(0, 1), state, rules));
    t.equal(again?.tx, kept?.tx);
    t.ok(preparer.size <= 16);
  }
});
