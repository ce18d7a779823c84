// A transaction that a person signed, on the ways of a node: admission and blocks take the same answer, and remember it only for
// the key and the place that it was given for.
import t from 'tap';
import { ruleset } from '../../contracts/rulesets.ts';
import { buildTransactionBody, sealTransaction, signingBytes } from '../../contracts/transaction.ts';
import type { Json, StateReader } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { codeOf, WeftError } from '../../src/codec/error.ts';
import { keyId } from '../../src/crypto/keyId.ts';
import { VerifyPool } from '../../src/crypto/verifyPool.ts';
import { refusalOn } from '../../src/ledger/execute.ts';
import { inlineVerifier, Preparer } from '../../src/ledger/prepare.ts';
import type { PreparedTx, SignatureVerifier } from '../../src/ledger/types.ts';
import { type AnswerOptions, party, SoftwareKey } from '../crypto/authenticator.ts';
import { genesisTime, makeGenesis, seedOf } from './fixtures.ts';

const { genesis } = makeGenesis(4);
const rules = ruleset(1)!;
const key = new SoftwareKey(seedOf('ada'));
const keyid = keyId(2, key.publicKey);

function stateWith(changed: object = {}, status = 'active'): StateReader {
  const account: Json = { account: 'ada', status, roles: [], keys: [{ keyid, ...key.accountKey, ...changed }] };
  return { get: (path) => (path === 'identity/account/ada' ? account : undefined) };
}

let nonces = 0;
function payloadOf(): Uint8Array {
  nonces += 1;
  return buildTransactionBody({
    chain: genesis.chain,
    account: 'ada',
    type: 'identity.suspend',
    expires: genesisTime + 60_000,
    nonce: toBase64Url(new Uint8Array(8).fill(nonces)),
    body: { account: 'bob', reason: '' },
  });
}

function envelopeOf(options: AnswerOptions = {}, signed?: Uint8Array): Uint8Array {
  const payload = payloadOf();
  const answer = key.answer(signed ?? signingBytes(payload), options);
  return sealTransaction(payload, [{ keyid, alg: 'webauthn-p256', ...answer }]);
}

/** The code of each way: admission, then as a block's transaction. */
async function ways(envelope: Uint8Array, state: StateReader, verifier: SignatureVerifier, preparer?: Preparer) {
  const fresh = () => preparer ?? new Preparer({ chain: genesis.chain, verifier });
  const [admitted] = await fresh().admit([envelope], state, rules);
  const required = await fresh()
    .require([envelope], state, rules)
    .then(
      () => 'accepted',
      (error: unknown) => codeOf(error),
    );
  return [admitted instanceof WeftError ? admitted.code : 'accepted', required];
}

const accepted = ['accepted', 'accepted'];
const invalid = ['SIGNATURE_INVALID', 'SIGNATURE_INVALID'];

t.test('one answer on every way, on the event loop and on the thread', async (t) => {
  const pool = new VerifyPool();
  t.teardown(() => pool.close());
  const other = payloadOf();
  for (const verifier of [inlineVerifier, pool]) {
    t.same(await ways(envelopeOf(), stateWith(), verifier), accepted);
    t.same(
      await ways(envelopeOf({ flags: 0x01 }), stateWith(), verifier),
      accepted,
      'policy asks for a PIN, not the block',
    );
    for (const [why, options] of [
      ['wrong origin', { origin: 'https://approve.example.org' }],
      ['wrong rpId', { rpId: 'example.net' }],
      ['nobody present', { flags: 0x04 }],
      ['high S', { highS: true }],
    ] as const) {
      t.same(await ways(envelopeOf(options), stateWith(), verifier), invalid, why);
    }
    t.same(
      await ways(envelopeOf({}, signingBytes(other)), stateWith(), verifier),
      invalid,
      'signed for another transaction',
    );
  }
});

t.test('account and key as state has them', async (t) => {
  const envelope = envelopeOf();
  t.same(await ways(envelope, stateWith({}, 'suspended'), inlineVerifier), ['ACCOUNT_INACTIVE', 'ACCOUNT_INACTIVE']);
  t.same(await ways(envelope, stateWith({ keyid: '0'.repeat(16) }), inlineVerifier), ['KEY_INACTIVE', 'KEY_INACTIVE']);
  t.same(await ways(envelope, stateWith({ alg: 'p256' }), inlineVerifier), ['KEY_INACTIVE', 'KEY_INACTIVE']);
  t.same(await ways(envelope, stateWith({ origin: `${party.origin}:8443` }), inlineVerifier), invalid);
});

t.test('"valid" is remembered for one key at one place', async (t) => {
  let asked = 0;
  const counting: SignatureVerifier = {
    verifyMany: (jobs, rule) => {
      asked += jobs.length;
      return inlineVerifier.verifyMany(jobs, rule);
    },
    verifyAll: (jobs) => {
      asked += jobs.length;
      return inlineVerifier.verifyAll(jobs);
    },
  };
  const preparer = new Preparer({ chain: genesis.chain, verifier: counting });
  const envelope = envelopeOf();
  t.same(await ways(envelope, stateWith(), counting, preparer), accepted);
  t.equal(asked, 1, 'the block found it in memory');
  const elsewhere = stateWith({ origin: `${party.origin}:8443` });
  t.same(await ways(envelope, elsewhere, counting, preparer), invalid, 'not so for a key of another place');
  t.same(await ways(envelope, stateWith(), counting, preparer), accepted);
  t.equal(asked, 1);

  const [prepared] = await preparer.admit([envelope], stateWith(), rules);
  const parent = (state: StateReader) =>
    ({
      layer: { get: (path: string) => state.get(path), hasTx: () => false },
      nextEpoch: { ruleset: 1, consensus: { maxTxLifetimeMs: 300_000 } },
    }) as never;
  const modules = { chain: genesis.chain, rulesets: ruleset };
  t.equal(refusalOn(parent(stateWith()), genesisTime + 1, modules, prepared as PreparedTx), undefined);
  t.equal(refusalOn(parent(elsewhere), genesisTime + 1, modules, prepared as PreparedTx), 'TX_UNPREPARED');
});
