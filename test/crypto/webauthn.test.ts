import { createHash, createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { ticketDigest } from '../../contracts/identity/tickets.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { codeOf } from '../../src/codec/error.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { keyProofMessage } from '../../src/crypto/accountKey.ts';
import { decodeEnvelope, encodeEnvelope, pae } from '../../src/crypto/dsse.ts';
import { openInvitation } from '../../src/crypto/enrolment.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { keyId } from '../../src/crypto/keyId.ts';
import { compressP256, p256SignatureOf } from '../../src/crypto/p256.ts';
import { signatureJob, signingKeyName, type VerifyJob, verifySignature } from '../../src/crypto/verify.ts';
import { VerifyPool } from '../../src/crypto/verifyPool.ts';
import { assertedBytes, isRelyingParty, userVerified, verifyWebAuthn } from '../../src/crypto/webauthn.ts';
import { clientDataText, party, SoftwareKey } from './authenticator.ts';
import { vectors } from './vectors.ts';

type Case = { why: string; holds: boolean; authenticatorData: string; clientDataJSON: string; sig: string };
const frozen = vectors<{
  publicKey: string;
  keyid: string;
  rpId: string;
  origin: string;
  payload: string;
  message: string;
  cases: Case[];
  envelope: string;
  envelopes: { why: string; envelope: string; code: string }[];
  possession: { chain: string; account: string; message: string } & Omit<Case, 'why' | 'holds'>;
  invitation: { invitation: string; secret: string; digest: string; seed: string };
  relyingParties: { rpId: string; origin: string; accepted: boolean }[];
}>('webauthn.json');

const publicKey = fromHex(frozen.publicKey);
const message = fromHex(frozen.message);
const registered = { rpId: frozen.rpId, origin: frozen.origin };
const assertionOf = ({ authenticatorData, clientDataJSON, sig }: Omit<Case, 'why' | 'holds'>) => ({
  authenticatorData: fromHex(authenticatorData),
  clientDataJSON: fromHex(clientDataJSON),
  sig: fromHex(sig),
});
const accepts = (text: string): string => {
  try {
    decodeEnvelope(encodeUtf8(text));
    return 'accepted';
  } catch (error) {
    return codeOf(error);
  }
};

t.test('frozen assertions: one verdict, on the event loop and on the thread, by either rule', async (t) => {
  const key = { alg: 'webauthn-p256' as const, publicKey, ...registered };
  const jobs: (VerifyJob | undefined)[] = [];
  for (const each of frozen.cases) {
    const assertion = assertionOf(each);
    t.equal(verifyWebAuthn(message, assertion, publicKey, registered), each.holds, each.why);
    const job = signatureJob({ keyid: frozen.keyid, alg: 'webauthn-p256', ...assertion }, key, message);
    for (const rule of ['fast', 'consensus'] as const) {
      t.equal(job !== undefined && verifySignature(job, rule), each.holds, `${each.why}, ${rule}`);
    }
    jobs.push(job);
  }
  const pool = new VerifyPool();
  t.teardown(() => pool.close());
  const asked = frozen.cases.map((each, i) => ({ each, job: jobs[i] })).filter(({ job }) => job !== undefined);
  t.ok(asked.length > 7 && asked.length < frozen.cases.length, 'some are refused before the curve is asked');
  const verdicts = await pool.verifyMany(asked.map(({ job }) => job as VerifyJob));
  t.same(
    verdicts,
    asked.map(({ each }) => each.holds),
  );
  t.ok(frozen.cases.filter(({ holds }) => holds).length >= 7);
});

t.test('OpenSSL agrees about what the key signed', async (t) => {
  const first = frozen.cases[0] as Case;
  const spki = Buffer.concat([
    Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
    Buffer.from(frozen.publicKey, 'hex'),
  ]);
  const clientData = Buffer.from(first.clientDataJSON, 'hex');
  const signed = Buffer.concat([
    Buffer.from(first.authenticatorData, 'hex'),
    createHash('sha256').update(clientData).digest(),
  ]);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  t.ok(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(first.sig, 'hex')));
  t.equal(toHex(assertedBytes(assertionOf(first), message, registered) ?? new Uint8Array()), signed.toString('hex'));
  t.equal(
    (JSON.parse(clientData.toString()) as { challenge: string }).challenge,
    createHash('sha256').update(message).digest('base64url'),
    'the challenge is the hash of the PAE',
  );
  t.equal(toHex(pae('application/vnd.weft.tx+json', encodeUtf8(frozen.payload))), frozen.message);
  t.equal(keyId(2, publicKey), frozen.keyid);
});

t.test('frozen envelopes: one encoding, bounded', async (t) => {
  for (const { why, envelope, code } of frozen.envelopes) {
    t.equal(accepts(envelope), code, why);
    if (code === 'accepted')
      t.equal(new TextDecoder().decode(encodeEnvelope(decodeEnvelope(encodeUtf8(envelope)))), envelope, why);
  }
  const [entry] = decodeEnvelope(encodeUtf8(frozen.envelope)).signatures;
  t.equal(entry?.alg, 'webauthn-p256');
  const long = { ...entry, clientDataJSON: new Uint8Array(1400) } as never;
  t.throws(() => encodeEnvelope({ payload: new Uint8Array(), payloadType: 'a/b', signatures: [long] }), {
    code: 'ENVELOPE_SIGNATURES',
  });
});

t.test('an assertion is for one key at one place', async (t) => {
  const key = new SoftwareKey(sha256(encodeUtf8('a key')));
  const assertion = key.answer(message);
  const entry = { keyid: keyId(2, key.publicKey), alg: 'webauthn-p256' as const, ...assertion };
  const at = { alg: 'webauthn-p256' as const, publicKey: key.publicKey, ...party };
  t.ok(signatureJob(entry, at, message));
  t.equal(
    signatureJob(entry, { alg: 'p256', publicKey: key.publicKey }, message),
    undefined,
    'no assertion by a plain key',
  );
  const plain = { keyid: entry.keyid, alg: 'p256' as const, sig: assertion.sig };
  t.equal(signatureJob(plain, at, message), undefined, 'nor a plain signature by a security key');
  t.equal(signatureJob(entry, at, encodeUtf8('another transaction')), undefined, 'nor the challenge of another one');
  const names = [
    signingKeyName(at),
    signingKeyName({ ...at, rpId: 'example.net' }),
    signingKeyName({ ...at, origin: 'https://approve.example.net:8443' }),
    signingKeyName({ alg: 'p256', publicKey: key.publicKey }),
  ];
  t.equal(new Set(names).size, 4, 'what verified is remembered under all that decided it');
});

t.test('user verification is told, not demanded', async (t) => {
  const key = new SoftwareKey(sha256(encodeUtf8('a key')));
  for (const [flags, told] of [
    [0x01, false],
    [0x05, true],
    [0x1d, true],
  ] as const) {
    const assertion = key.answer(message, { flags });
    t.ok(verifyWebAuthn(message, assertion, key.publicKey, party));
    t.equal(userVerified(assertion.authenticatorData), told);
  }
});

t.test('where a key may be registered for', async (t) => {
  for (const { rpId, origin, accepted } of frozen.relyingParties)
    t.equal(isRelyingParty({ rpId, origin }), accepted, `${rpId} ${origin}`);
  t.notOk(isRelyingParty({ rpId: `${'a.'.repeat(64)}a`, origin: `https://${'a.'.repeat(64)}a` }), 'too long');
});

t.test('what is accepted as clientDataJSON is JSON that says what the rule says', async () => {
  const challenge = toBase64Url(sha256(message));
  const key = new SoftwareKey(sha256(encodeUtf8('a key')));
  const text = clientDataText(challenge, party.origin).replace('}', ',"more":"x","topic":true}');
  const pieces = ['"', ',', ':', '{', '}', '\\', 'true', 'false', ' ', '"topOrigin":"x"', '"type":"a"', 'a', '1'];
  const edits = fc.array(
    fc.tuple(fc.nat(text.length), fc.nat(3), fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 2 }))),
    { minLength: 1, maxLength: 3 },
  );
  let accepted = 0;
  fc.assert(
    fc.property(edits, (changes) => {
      let changed = text;
      for (const [at, drop, put] of changes) changed = changed.slice(0, at) + put + changed.slice(at + drop);
      if (!changed.isWellFormed()) return true;
      const assertion = key.answer(message, { clientData: () => changed });
      if (assertedBytes(assertion, message, party) === undefined) return true;
      accepted += 1;
      // A reader with any JSON library and no duplicate members sees what the rule saw.
      const read = JSON.parse(changed) as Record<string, unknown>;
      const names = [...changed.matchAll(/"([A-Za-z0-9_]+)":/g)].map(([, name]) => name);
      return (
        read['type'] === 'webauthn.get' &&
        read['challenge'] === challenge &&
        read['origin'] === party.origin &&
        (read['crossOrigin'] ?? false) === false &&
        read['topOrigin'] === undefined &&
        names.length >= Object.keys(read).length
      );
    }),
    { numRuns: 400 },
  );
  if (accepted < 5) throw new Error(`only ${accepted} of the edited texts were accepted: the test sees nothing`);
});

t.test('frozen proof of possession and invitation', async (t) => {
  const { chain, account, message: claim, ...assertion } = frozen.possession;
  const accountKey = { alg: 'webauthn-p256' as const, publicKey: toBase64Url(publicKey), ...registered };
  t.equal(toHex(keyProofMessage(chain, account, accountKey)), claim);
  t.ok(verifyWebAuthn(fromHex(claim), assertionOf(assertion), publicKey, registered));
  const { invitation, secret, seed, digest } = frozen.invitation;
  const opened = openInvitation(fromHex(invitation));
  t.equal(toHex(opened.secret), secret);
  t.equal(toHex(opened.seed), seed);
  t.equal(createHash('sha256').update('weft/invitation-secret/v1').update(invitation, 'hex').digest('hex'), secret);
  t.equal(createHash('sha256').update('weft/invitation-key/v1').update(invitation, 'hex').digest('hex'), seed);
  t.equal(ticketDigest(opened.secret), digest);
});

t.test('what Chromium answered, with the member that it sometimes adds', async (t) => {
  const { rpId, origin, spki, answers, ...foreign } = vectors<{
    rpId: string;
    origin: string;
    message: string;
    spki: string;
    answers: { authenticatorData: string; clientDataJSON: string; signature: string }[];
  }>('webauthn-chromium.json');
  const key = compressP256(fromHex(spki).slice(-65));
  for (const { authenticatorData, clientDataJSON, signature } of answers) {
    const assertion = {
      authenticatorData: fromHex(authenticatorData),
      clientDataJSON: encodeUtf8(clientDataJSON),
      sig: p256SignatureOf(fromHex(signature)),
    };
    t.ok(verifyWebAuthn(encodeUtf8(foreign.message), assertion, key, { rpId, origin }), clientDataJSON);
    t.notOk(verifyWebAuthn(encodeUtf8('another'), assertion, key, { rpId, origin }));
  }
  t.ok(answers.some(({ clientDataJSON }) => clientDataJSON.includes('other_keys_can_be_added_here')));
});
