import t from 'tap';
import { verifyWith } from '../../contracts/signatures.ts';
import {
  buildEnvelope,
  decodeTransaction,
  sealTransaction,
  signingBytes,
  TRANSACTION_PAYLOAD_TYPE,
} from '../../contracts/transaction.ts';
import { toBase64 } from '../../src/codec/base64.ts';
import { codeOf } from '../../src/codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/crypto/dsse.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { keyOf, seedOf } from './network.ts';

const fields = {
  chain: 'weft-dev-3f09c2a41b7e',
  account: 'misty.weave',
  type: 'identity.resume',
  expires: 1763712300000,
  nonce: 'q83vEjRWeJA',
  body: { account: 'misty.weave', reason: 'fine' },
};
const signer = (name: string) => ({
  keyid: keyOf(name).keyid,
  sign: (message: Uint8Array) => sign(message, seedOf(name)),
});
const signature = { keyid: 'ab'.repeat(8), alg: 'ed25519' as const, sig: new Uint8Array(64) };
/** An envelope around any payload text, as an attacker would make it. */
const around = (text: string | Uint8Array, payloadType = TRANSACTION_PAYLOAD_TYPE) =>
  encodeEnvelope({ payload: typeof text === 'string' ? encodeUtf8(text) : text, payloadType, signatures: [signature] });

function refusal(make: () => unknown): string {
  try {
    make();
    return 'accepted';
  } catch (error) {
    return codeOf(error);
  }
}

t.test('what is built can be read, and verifies', async (t) => {
  const bytes = buildEnvelope(fields, [signer('b'), signer('a')]);
  const tx = decodeTransaction(bytes, { chain: fields.chain });
  const { chain, account, type, expires, nonce, body } = tx;
  t.strictSame({ chain, account, type, expires, nonce, body }, fields);
  const { payload } = decodeEnvelope(bytes);
  t.equal(decodeUtf8(payload), JSON.stringify(fields));
  t.strictSame(tx.signed, signingBytes(payload));
  t.strictSame(
    tx.signatures.map(({ keyid }) => keyid),
    [keyOf('a').keyid, keyOf('b').keyid].sort(),
  );
  for (const { keyid, sig } of tx.signatures) {
    const name = keyid === keyOf('a').keyid ? 'a' : 'b';
    t.ok(verifyWith({ alg: 'ed25519', publicKey: publicKeyOf(seedOf(name)) }, tx.signed, sig));
  }
  t.not(tx.txId, tx.envelopeId);
  const alone = decodeTransaction(buildEnvelope(fields, [signer('a')]));
  t.equal(alone.txId, tx.txId, 'whoever signs, the transaction is the same');
  t.not(alone.envelopeId, tx.envelopeId);
});

t.test('one reading', async (t) => {
  const text = JSON.stringify(fields);
  const spellings: [string, string | Uint8Array, string][] = [
    ['spaces', text.replace(',', ', '), 'JSON_NOT_CANONICAL'],
    ['an escape that is not needed', text.replace('fine', '\\u0066ine'), 'JSON_NOT_CANONICAL'],
    ['an exponent', text.replace('1763712300000', '17637123e5'), 'JSON_NOT_CANONICAL'],
    ['minus zero', text.replace('1763712300000', '-0'), 'JSON_NOT_CANONICAL'],
    ['a member twice', text.replace('"nonce"', '"account":"misty.weave","nonce"'), 'JSON_NOT_CANONICAL'],
    ['a fraction', text.replace('1763712300000', '0.5'), 'JSON_NUMBER'],
    ['beyond 2^53', text.replace('1763712300000', '9007199254740992'), 'JSON_NUMBER'],
    ['a lone surrogate', text.replace('fine', '\\ud800'), 'JSON_TEXT'],
    ['depth', text.replace('"fine"', '['.repeat(16) + ']'.repeat(16)), 'JSON_TOO_DEEP'],
    ['a BOM', `\ufeff${text}`, 'JSON_INVALID'],
    ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'JSON_INVALID'],
    ['nothing', '', 'JSON_INVALID'],
  ];
  for (const [what, payload, code] of spellings)
    t.equal(
      refusal(() => decodeTransaction(around(payload))),
      code,
      what,
    );
});

t.test('form, type, chain', async (t) => {
  const code = (changed: object) =>
    refusal(() => decodeTransaction(around(JSON.stringify({ ...fields, ...changed })), { chain: fields.chain }));
  t.equal(code({}), 'accepted');
  t.equal(code({ chain: 'weft-dev-000000000000' }), 'TX_CHAIN');
  t.equal(code({ type: 'identity.nothing' }), 'TX_TYPE_UNKNOWN');
  t.equal(code({ type: '../genesis' }), 'TX_FORM');
  t.equal(code({ account: 'Misty' }), 'TX_FORM');
  t.equal(code({ nonce: 'q83vEjRWeJB' }), 'TX_FORM', 'bits that say nothing');
  t.equal(code({ expires: -1 }), 'TX_FORM');
  t.equal(code({ extra: 1 }), 'TX_FORM');
  t.equal(code({ body: [] }), 'TX_FORM');
  t.equal(code({ body: {} }), 'TX_BODY');
  t.equal(code({ body: { ...fields.body, extra: 1 } }), 'TX_BODY');
  t.equal(
    refusal(() => decodeTransaction(around('null'))),
    'TX_FORM',
  );
  t.equal(
    refusal(() => decodeTransaction(around(JSON.stringify(fields), 'application/json'))),
    'TX_PAYLOAD_TYPE',
  );
  t.throws(() => decodeTransaction(around(JSON.stringify({ ...fields, body: { account: 'misty.weave' } }))), {
    message: 'Body of identity.resume: the document lacks the member "reason".',
  });
  const reordered = {
    body: fields.body,
    nonce: fields.nonce,
    expires: fields.expires,
    type: fields.type,
    account: fields.account,
    chain: fields.chain,
  };
  t.equal(
    refusal(() => decodeTransaction(around(JSON.stringify(reordered)))),
    'accepted',
    'the order of members is the sender’s',
  );
});

t.test('limits', async (t) => {
  t.equal(
    refusal(() => decodeTransaction(new Uint8Array(48 * 1024 + 1))),
    'ENVELOPE_TOO_LARGE',
  );
  const payload = toBase64(new Uint8Array(32 * 1024 + 1));
  const large = `{"payload":"${payload}","payloadType":"${TRANSACTION_PAYLOAD_TYPE}","signatures":[{"keyid":"${signature.keyid}","sig":"${toBase64(signature.sig)}"}]}`;
  t.equal(
    refusal(() => decodeTransaction(encodeUtf8(large))),
    'ENVELOPE_TOO_LARGE',
  );
  t.equal(
    refusal(() => decodeTransaction(encodeUtf8('{}'))),
    'ENVELOPE_INVALID',
  );
  t.equal(
    refusal(() => decodeTransaction(new Uint8Array())),
    'ENVELOPE_INVALID',
  );
  t.equal(
    refusal(() => sealTransaction(encodeUtf8('{}'), [])),
    'ENVELOPE_SIGNATURES',
  );
  t.equal(
    refusal(() => sealTransaction(encodeUtf8('{}'), [signature, signature])),
    'ENVELOPE_SIGNATURES',
  );
});

t.test('nothing is built that could not be read', async (t) => {
  const code = (changed: object) => refusal(() => buildEnvelope({ ...fields, ...changed }, [signer('a')]));
  t.equal(code({ body: { account: 'misty.weave', reason: 'x\ud800' } }), 'TX_BODY');
  t.equal(code({ type: 'no.such' }), 'TX_TYPE_UNKNOWN');
  t.equal(code({ nonce: '' }), 'TX_FORM');
  t.equal(
    refusal(() => buildEnvelope(fields, [])),
    'ENVELOPE_SIGNATURES',
  );
});
