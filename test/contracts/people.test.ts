// Accounts of people: security keys in state, one-time enrolment without a machine of the network, and what stops them.
import t from 'tap';
import { ticketDigest } from '../../contracts/identity/tickets.ts';
import { activeKey, isSignedByPerson } from '../../contracts/signatures.ts';
import {
  buildEnvelope,
  buildTransactionBody,
  decodeTransaction,
  sealTransaction,
  signingBytes,
} from '../../contracts/transaction.ts';
import type { Applied, Json, JsonObject, Transaction } from '../../contracts/types.ts';
import { validate } from '../../schemas/validators.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { keyProofMessage, type PersonKey } from '../../src/crypto/accountKey.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { openInvitation } from '../../src/crypto/enrolment.ts';
import { keyId } from '../../src/crypto/keyId.ts';
import { type AnswerOptions, PRESENT, party, SoftwareKey } from '../crypto/authenticator.ts';
import { genesisDocument, keyOf, Network, plainKey, provenKey, seedOf } from './network.ts';

const person = (name: string, where = party): SoftwareKey => new SoftwareKey(seedOf(`person ${name}`), where);
const keyIdOf = (key: SoftwareKey): string => keyId(2, key.publicKey);

/** The key's claim to an account, as its page signs it. */
function proven(chain: string, account: string, key: SoftwareKey, options: AnswerOptions = {}) {
  const { authenticatorData, clientDataJSON, sig } = key.answer(
    keyProofMessage(chain, account, key.accountKey),
    options,
  );
  return {
    ...key.accountKey,
    proof: {
      authenticatorData: toBase64Url(authenticatorData),
      clientDataJSON: toBase64Url(clientDataJSON),
      sig: toBase64Url(sig),
    },
  };
}

let nonces = 0;
/** A transaction that a person signs with a touch. */
function touched(
  network: Network,
  account: string,
  key: SoftwareKey,
  type: string,
  body: object,
  flags?: number,
): Transaction {
  nonces += 1;
  const nonce = new Uint8Array(8).fill(nonces);
  const payload = buildTransactionBody({
    chain: network.chain,
    account,
    type,
    expires: network.block.time + 60_000,
    nonce: toBase64Url(nonce),
    body: body as JsonObject,
  });
  const answer = key.answer(signingBytes(payload), flags === undefined ? {} : { flags });
  return decodeTransaction(sealTransaction(payload, [{ keyid: keyIdOf(key), alg: 'webauthn-p256', ...answer }]));
}

const codes = (...answers: Applied[]): (string | undefined)[] => answers.map(({ refused }) => refused);

t.test('a security key is a key of an account like any other, with where it may be used', async (t) => {
  const network = new Network();
  const key = person('ada');
  const add = (made: object) =>
    network.send('misty.weave', 'identity.rotate', { account: 'misty.weave', add: [made], remove: [] });
  const claim = (options: AnswerOptions): object => proven(network.chain, 'misty.weave', key, options);
  for (const [why, made] of [
    ['nobody touched it', claim({ flags: 0x04 })],
    ['another origin', claim({ origin: 'https://approve.example.org' })],
    ['another rpId', claim({ rpId: 'example.net' })],
    ['high S', claim({ highS: true })],
    ['the challenge of something else', claim({ challenge: toBase64Url(seedOf('x')) })],
    ['the account of another', proven(network.chain, 'oracle.weave', key)],
    ['another chain', proven('weft-vectors-000000000000', 'misty.weave', key)],
    [
      'registered for another origin than it was proven for',
      { ...claim({}), origin: 'https://approve.example.net:8443' },
    ],
    [
      'bits left over',
      { ...claim({}), proof: { ...proven(network.chain, 'misty.weave', key).proof, clientDataJSON: 'eyJ' } },
    ],
  ] as const) {
    t.equal(add(made).refused, 'PROOF_INVALID', why);
  }
  t.equal(add({ ...claim({}), origin: 'https://evil.example' }).refused, 'KEY_INVALID', 'an origin outside the rpId');
  t.equal(add({ ...claim({}), publicKey: `B${key.accountKey.publicKey.slice(1)}` }).refused, 'KEY_INVALID');
  const done = add(claim({ flags: PRESENT }));
  t.equal(done.refused, undefined, 'a touch is enough to enrol');
  t.equal(validate('record/identity.rotated', done.records[0]), undefined);
  t.match(done.records[0], { added: [{ keyid: keyIdOf(key), ...key.accountKey }] });
  t.equal(validate('account-record', network.state.get('identity/account/misty.weave')), undefined);
  t.same(activeKey(network.reader(), 'misty.weave', keyIdOf(key)), {
    alg: 'webauthn-p256',
    publicKey: key.publicKey,
    ...party,
  });
  t.equal(add(claim({})).refused, 'KEY_REGISTERED');
  const plain = { alg: 'p256', publicKey: key.accountKey.publicKey };
  t.equal(
    network.send('admin', 'identity.register', { account: 'new.one', roles: [], keys: [plain] }).refused,
    'KEY_REGISTERED',
    'one key, one purpose: it never signs by itself',
  );
});

t.test('contracts see how a transaction was signed', async (t) => {
  const network = new Network();
  const key = person('ada');
  network.send('admin', 'identity.register', { account: 'ada', roles: [], keys: [key.accountKey] });
  const revoke = { account: 'ada', keyid: 'ffffffffffffffff', reason: '' };
  const verified = touched(network, 'ada', key, 'identity.revoke', revoke);
  t.match(verified.signatures, [{ alg: 'webauthn-p256', userVerified: true }]);
  t.ok(isSignedByPerson(verified));
  const onlyTouched = touched(network, 'ada', key, 'identity.revoke', revoke, PRESENT);
  t.match(onlyTouched.signatures, [{ alg: 'webauthn-p256', userVerified: false }]);
  t.notOk(isSignedByPerson(onlyTouched), 'somebody touched it, nobody knows who');
  const machine = network.transaction('misty.weave', 'identity.revoke', revoke);
  t.equal(machine.signatures[0]?.userVerified, undefined);
  t.notOk(isSignedByPerson(machine));
  t.equal(network.execute(verified).refused, 'KEY_UNKNOWN', 'and they run');
});

t.test('suspension and revocation hold from the next transaction of the same block', async (t) => {
  const network = new Network();
  const [one, two] = [person('one'), person('two')];
  network.send('admin', 'identity.register', { account: 'ada', roles: [], keys: [one.accountKey, two.accountKey] });
  const rename = (key: SoftwareKey) =>
    network.execute(touched(network, 'ada', key, 'identity.roles', { account: 'ada', roles: ['agent'] })).refused;
  t.equal(rename(one), undefined);
  network.send('admin', 'identity.revoke', { account: 'ada', keyid: keyIdOf(one), reason: 'lost on a train' });
  t.equal(rename(one), 'KEY_INACTIVE');
  t.equal(rename(two), 'NOTHING_TO_DO', 'the other key signs on');
  network.send('admin', 'identity.suspend', { account: 'ada', reason: 'left' });
  t.equal(rename(two), 'ACCOUNT_INACTIVE');
});

t.test('what only machines sign', async (t) => {
  const network = new Network();
  const key = person('ada');
  network.send('admin', 'identity.register', { account: 'ada', roles: [], keys: [key.accountKey] });
  const said = { target: 'ada', id: 'a'.repeat(64), Payload_Digest: 'b'.repeat(64), verdict: 'VERIFIED' };
  const acknowledgements = [{ ...said, keyid: keyIdOf(key), sig: toBase64Url(new Uint8Array(64)) }];
  t.equal(network.send('misty.weave', 'packets.acknowledge', { acknowledgements }).refused, 'ACK_KEY_INACTIVE');
});

t.test('genesis knows security keys', async (t) => {
  const document = genesisDocument();
  const key = person('founder');
  const accounts = [...document.accounts, { name: 'founder', roles: [], keys: [key.accountKey] }].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const council = { threshold: 1, members: ['founder'] };
  const network = new Network({ ...document, accounts, council } as unknown as Json);
  t.match(network.state.get('identity/account/founder'), { keys: [{ keyid: keyIdOf(key), ...key.accountKey }] });
  const suspend = { account: 'misty.weave', reason: '' };
  t.equal(network.execute(touched(network, 'founder', key, 'identity.suspend', suspend)).refused, undefined);
  const withOrigin = (origin: string) => ({
    ...document,
    accounts: accounts.map((each) =>
      each.name === 'founder' ? { ...each, keys: [{ ...key.accountKey, origin }] } : each,
    ),
    council,
  });
  t.throws(() => new Network(withOrigin('https://evil.example') as unknown as Json), { code: 'GENESIS_INVALID' });
});

t.test('a person enrols with an invitation and a fresh key, and nobody else can', async (t) => {
  const network = new Network();
  const { secret, seed } = openInvitation(seedOf('invitation'));
  const publicKey = publicKeyOf(seed);
  const redeemer = `enrol.${keyId(1, publicKey)}`;
  const offer = {
    digest: ticketDigest(secret),
    account: 'ada',
    roles: ['approver'],
    redeemer,
    key: toBase64Url(publicKey),
    expires: network.block.time + 10_000,
  };
  const issue = (changed: object = {}) => network.send('admin', 'identity.ticket', { ...offer, ...changed });
  t.same(
    codes(
      issue({ redeemer: 'misty.weave' }),
      issue({ redeemer: 'ada' }),
      issue({ key: plainKey('misty.weave').publicKey }),
      issue({ key: toBase64Url(new Uint8Array(32)) }),
    ),
    ['ACCOUNT_EXISTS', 'TICKET_REDEEMER', 'KEY_REGISTERED', 'KEY_INVALID'],
  );
  const issued = issue();
  t.equal(issued.refused, undefined);
  t.equal(validate('record/identity.ticketed', issued.records[0]), undefined);
  t.match(network.state.get(`identity/account/${redeemer}`), { status: 'active', roles: [] });

  const by = (account: string, signer: Uint8Array, keys: object[]): Applied => {
    nonces += 1;
    const fields = {
      chain: network.chain,
      account,
      type: 'identity.redeem',
      expires: network.block.time + 60_000,
      nonce: toBase64Url(new Uint8Array(8).fill(nonces)),
      body: { secret: toBase64Url(secret), keys } as unknown as JsonObject,
    };
    const keyid = keyId(1, publicKeyOf(signer));
    return network.execute(decodeTransaction(buildEnvelope(fields, [{ keyid, sign: (bytes) => sign(bytes, signer) }])));
  };
  const key = person('ada');
  const mine = proven(network.chain, 'ada', key);
  const thief = proven(network.chain, 'ada', person('thief'));
  t.equal(
    by('misty.weave', seedOf('misty.weave'), [thief]).refused,
    'TICKET_REDEEMER',
    'whoever sees the secret on its way cannot use it',
  );
  t.equal(by(redeemer, seedOf('misty.weave'), [thief]).refused, 'KEY_INACTIVE', 'nor sign as the redeemer');
  t.not(seed, secret);
  t.equal(by(redeemer, seed, [{ ...mine, proof: thief.proof }]).refused, 'PROOF_INVALID');
  t.equal(
    by(redeemer, seed, [proven(network.chain, redeemer, key)]).refused,
    'PROOF_INVALID',
    'the claim names the account',
  );
  const done = by(redeemer, seed, [mine]);
  t.equal(done.refused, undefined);
  t.equal(validate('record/identity.redeemed', done.records[0]), undefined);
  t.match(network.state.get('identity/account/ada'), {
    status: 'active',
    roles: ['approver'],
    keys: [{ keyid: keyIdOf(key), ...(key.accountKey as PersonKey) }],
  });
  t.match(network.state.get(`identity/account/${redeemer}`), { status: 'suspended', keys: [] }, 'it has done its work');
  t.match(network.state.get(`identity/key/${keyId(1, publicKey)}`), { status: 'revoked' });
  t.equal(by(redeemer, seed, [mine]).refused, 'ACCOUNT_INACTIVE');
  t.equal(issue({ account: 'eve', digest: ticketDigest(seedOf('other')) }).refused, 'ACCOUNT_EXISTS');
});

t.test('a one-time redeemer that was given roles meanwhile stays what it is', async (t) => {
  const network = new Network();
  const { secret, seed } = openInvitation(seedOf('invitation'));
  const publicKey = publicKeyOf(seed);
  const offer = {
    digest: ticketDigest(secret),
    account: 'ada',
    roles: [],
    redeemer: 'helper',
    expires: network.block.time + 10_000,
  };
  network.send('admin', 'identity.ticket', { ...offer, key: toBase64Url(publicKey) });
  network.send('admin', 'identity.roles', { account: 'helper', roles: ['agent'] });
  network.send('admin', 'identity.rotate', {
    account: 'helper',
    add: [provenKey(network.chain, 'helper', 'helper')],
    remove: [keyId(1, publicKey)],
  });
  const keys = [proven(network.chain, 'ada', person('ada'))];
  const body = { secret: toBase64Url(secret), keys };
  t.equal(network.send('helper', 'identity.redeem', body, { signers: ['helper'] }).refused, undefined);
  t.match(network.state.get('identity/account/helper'), { status: 'active', keys: [{ keyid: keyOf('helper').keyid }] });
});
