import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305';
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import fc from 'fast-check';
import t from 'tap';
import {
  checkCarrier,
  generatePacketKey,
  type NldPacket,
  openPacket,
  PACKET_CONTENT_BYTES_MAX,
  PACKET_TAG,
  type PacketHead,
  packetIdOf,
  packetPublicKeyOf,
  sealPacket,
} from '../../src/client/packet.ts';
import {
  encodePacketEnvelope,
  PACKET_PAYLOAD_TYPE,
  signPacket,
  verifyPacketEnvelope,
} from '../../src/client/packetEnvelope.ts';
import { fromCloudEvent, toCloudEvent } from '../../src/client/packetEvent.ts';
import { fromBase64Url, toBase64Url } from '../../src/codec/base64.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { encodeEnvelope, pae } from '../../src/crypto/dsse.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { keyId } from '../../src/crypto/keyId.ts';
import { generateP256Secret, p256PublicKeyOf, signP256 } from '../../src/crypto/p256.ts';
import { deriveSecretKey, seal } from './hpkeOracle.ts';
import { makeVectors, type PacketVector, vectorFile } from './packetVectors.ts';

const vectors = JSON.parse(readFileSync(vectorFile, 'utf8')) as PacketVector[];
const rfc = JSON.parse(readFileSync(new URL('../vectors/packet/hpke-rfc9180.json', import.meta.url), 'utf8'));
const head: PacketHead = {
  NLD_Directive_Type: 'QUERY',
  Source_Instance_ID: 'misty.weave',
  Target_Instance_ID: 'oracle.weave',
};
const receiver = generatePacketKey();
const hello = encodeUtf8('hello');
const sample = await sealPacket(head, hello, receiver.publicKey);

t.test('the HPKE library gives what RFC 9180 A.2.1 says, and so does the oracle', async (t) => {
  const suite = new CipherSuite({
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Chacha20Poly1305(),
  });
  const sender = await suite.createSenderContext({
    recipientPublicKey: await suite.kem.deserializePublicKey(fromHex(rfc.pkRm)),
    info: fromHex(rfc.info),
    ekm: fromHex(rfc.ikmE),
  });
  t.equal(toHex(new Uint8Array(sender.enc)), rfc.enc);
  const recipient = await suite.createRecipientContext({
    recipientKey: await suite.kem.deserializePrivateKey(fromHex(rfc.skRm)),
    enc: fromHex(rfc.enc),
    info: fromHex(rfc.info),
  });
  for (const { pt, aad, ct } of rfc.encryptions) {
    t.equal(toHex(new Uint8Array(await sender.seal(fromHex(pt), fromHex(aad)))), ct);
    t.equal(toHex(new Uint8Array(await recipient.open(fromHex(ct), fromHex(aad)))), pt);
  }
  t.equal(toHex(deriveSecretKey(fromHex(rfc.ikmE))), rfc.skEm);
  t.equal(toHex(deriveSecretKey(fromHex(rfc.ikmR))), rfc.skRm);
  t.equal(toHex(packetPublicKeyOf(fromHex(rfc.skRm))), rfc.pkRm);
  const [first] = rfc.encryptions;
  const own = seal(fromHex(rfc.ikmE), fromHex(rfc.pkRm), fromHex(rfc.info), fromHex(first.aad), fromHex(first.pt));
  t.strictSame([toHex(own.enc), toHex(own.ct)], [rfc.enc, first.ct]);
});

t.test('frozen packets', async (t) => {
  t.strictSame(JSON.parse(JSON.stringify(await makeVectors())), vectors, 'the code still makes them');
  for (const vector of vectors) {
    // Once more from the text of docs and specs alone, with other libraries.
    const { Payload, Payload_Digest, Transaction_Hash_ID, ...open } = vector.packet as unknown as NldPacket;
    const salt = fromHex(vector.salt);
    const content = fromHex(vector.content);
    const aad = Buffer.from(vector.associatedData);
    t.equal(JSON.stringify(Object.fromEntries(Object.entries(open).sort(([a], [b]) => (a < b ? -1 : 1)))), String(aad));
    t.equal(open.Payload_Commitment, createHmac('sha256', salt).update(content).digest('hex'));
    const target = packetPublicKeyOf(fromHex(vector.targetSecret));
    const { enc, ct } = seal(
      fromHex(vector.ephemeral),
      target,
      Buffer.from('weft/packet/v1'),
      aad,
      concat(salt, content),
    );
    t.strictSame(Payload, {
      enc: Buffer.from(enc).toString('base64url'),
      ct: Buffer.from(ct).toString('base64url'),
    });
    t.equal(Payload_Digest, createHash('sha256').update(enc).update(ct).digest('hex'));
    const bound = canonicalJson({ ...open, Payload_Digest });
    t.equal(Transaction_Hash_ID, createHash('sha256').update(`weft/packet/v1${bound}`).digest('hex'));

    t.same(await openPacket(vector.packet, fromHex(vector.targetSecret)), content);
    const publicKey = publicKeyOf(fromHex(vector.sourceSeed));
    const keyOf = (account: string, id: string) =>
      account === open.Source_Instance_ID && id === keyId(1, publicKey)
        ? { alg: 'ed25519' as const, publicKey }
        : undefined;
    t.strictSame(verifyPacketEnvelope(encodeUtf8(vector.envelope), keyOf), vector.packet);
    t.strictSame(fromCloudEvent(vector.event), vector.packet);
  }
});

t.test('what is sealed is opened, by the right key only', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (content) => {
      const packet = await sealPacket(head, content, receiver.publicKey);
      t.same(await openPacket(packet, receiver.secretKey), content);
    }),
    { numRuns: 20 },
  );
  await t.rejects(openPacket(sample, generatePacketKey().secretKey), { code: 'PACKET_UNOPENABLE' });
  t.not((await sealPacket(head, hello, receiver.publicKey)).Payload_Commitment, sample.Payload_Commitment, 'salted');
});

t.test('the largest packet passes every stage, one byte more is refused', async (t) => {
  const content = new Uint8Array(PACKET_CONTENT_BYTES_MAX).fill(7);
  const packet = await sealPacket(head, content, receiver.publicKey);
  const seed = new Uint8Array(32).fill(1);
  const envelope = signPacket(packet, { keyid: keyId(1, publicKeyOf(seed)), seed });
  const verified = verifyPacketEnvelope(envelope, () => ({ alg: 'ed25519', publicKey: publicKeyOf(seed) }));
  t.ok(Buffer.from(await openPacket(verified, receiver.secretKey)).equals(content));
  await t.rejects(sealPacket(head, new Uint8Array(PACKET_CONTENT_BYTES_MAX + 1), receiver.publicKey), {
    code: 'PACKET_TOO_LARGE',
  });
});

t.test('keys that are none', async (t) => {
  await t.rejects(sealPacket(head, hello, new Uint8Array(31)), { code: 'PACKET_KEY_INVALID' });
  await t.rejects(
    sealPacket(head, hello, new Uint8Array(32)),
    { code: 'PACKET_KEY_INVALID' },
    'a point of small order',
  );
  await t.rejects(openPacket(sample, new Uint8Array(33)), { code: 'PACKET_KEY_INVALID' });
  t.throws(() => packetPublicKeyOf(new Uint8Array(0)), { code: 'PACKET_KEY_INVALID' });
  const salt = new Uint8Array(31);
  await t.rejects(sealPacket(head, hello, receiver.publicKey, { salt, ephemeral: new Uint8Array(32) }), {
    code: 'PACKET_INVALID',
  });
});

t.test('a carrier sees every change', async (t) => {
  const flip = (text: string) => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;
  const { Payload } = sample;
  t.throws(() => checkCarrier({ ...sample, Payload: { ...Payload, ct: flip(Payload.ct) } }), {
    code: 'PACKET_DIGEST_MISMATCH',
  });
  t.throws(() => checkCarrier({ ...sample, Payload: { ...Payload, enc: flip(Payload.enc) } }), {
    code: 'PACKET_DIGEST_MISMATCH',
  });
  const changes: readonly Partial<NldPacket>[] = [
    { NLD_Directive_Type: 'COMMAND' },
    { Source_Instance_ID: 'mallory' },
    { Target_Instance_ID: 'mallory' },
    { Correlation_ID: 'c' },
    { Timestamp_UTC: '2026-11-21T08:00:00.123Z' },
    { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    { Payload_Commitment: 'a'.repeat(64) },
    { Transaction_Hash_ID: 'a'.repeat(64) },
  ];
  for (const change of changes) {
    t.throws(() => checkCarrier({ ...sample, ...change }), { code: 'PACKET_ID_MISMATCH' }, Object.keys(change)[0]!);
  }
  const ct = concat(fromBase64Url(Payload.ct), Uint8Array.of(0));
  const Payload_Digest = createHash('sha256').update(fromBase64Url(Payload.enc)).update(ct).digest('hex');
  const longer = { ...sample, Payload: { ...Payload, ct: toBase64Url(ct) }, Payload_Digest };
  t.throws(() => checkCarrier(longer), { code: 'PACKET_ID_MISMATCH' }, 'a new digest is a new id');
});

t.test('what is no packet', async (t) => {
  const { Payload_Digest: _, ...incomplete } = sample;
  const { Payload } = sample;
  // 64 characters are 48 bytes; of 66 the last one carries four bits that must be zero.
  const loose = `${'A'.repeat(65)}B`;
  for (const packet of [
    null,
    'text',
    [],
    {},
    incomplete,
    { ...sample, extra: 1 },
    { ...sample, NLD_Schema_Version: '0.2.0' },
    { ...sample, Source_Instance_ID: 'Misty Weave' },
    { ...sample, Payload: { ...Payload, enc: `${Payload.enc}A` } },
    { ...sample, Payload: { ...Payload, ct: loose } },
    { ...sample, Payload: { ...Payload, ct: `${Payload.ct}=` } },
  ]) {
    t.throws(() => checkCarrier(packet), { code: 'PACKET_INVALID' });
  }
  await t.rejects(sealPacket({ ...head, NLD_Directive_Type: 'query' }, hello, receiver.publicKey), {
    code: 'PACKET_INVALID',
  });
});

t.test('the receiver sees what carriers cannot', async (t) => {
  // A source that commits to one content and seals another: every hash in the open is right.
  const lying = new CipherSuite({
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Chacha20Poly1305(),
  });
  const open = { NLD_Schema_Version: '0.3.0' as const, ...head, Payload_Commitment: sample.Payload_Commitment };
  const remake = async (aad: Uint8Array, plain: Uint8Array) => {
    const sender = await lying.createSenderContext({
      recipientPublicKey: await lying.kem.deserializePublicKey(receiver.publicKey),
      info: encodeUtf8(PACKET_TAG),
    });
    const ct = new Uint8Array(await sender.seal(plain, aad));
    const enc = new Uint8Array(sender.enc);
    const Payload_Digest = createHash('sha256').update(enc).update(ct).digest('hex');
    const bound = { ...open, Payload_Digest };
    return {
      ...bound,
      Payload: { enc: toBase64Url(enc), ct: toBase64Url(ct) },
      Transaction_Hash_ID: packetIdOf(bound),
    };
  };
  const plain = concat(new Uint8Array(32), encodeUtf8('other'));
  const other = await remake(encodeUtf8(canonicalJson(open)), plain);
  t.ok(checkCarrier(other));
  await t.rejects(openPacket(other, receiver.secretKey), { code: 'PACKET_COMMITMENT_MISMATCH' });
  const moved = await remake(encodeUtf8(canonicalJson({ ...open, Target_Instance_ID: 'mallory' })), plain);
  t.ok(checkCarrier(moved));
  await t.rejects(openPacket(moved, receiver.secretKey), { code: 'PACKET_UNOPENABLE' }, 'sealed under another head');
});

t.test('the envelope: signed by an active key of the source, in canonical form', async (t) => {
  const seed = new Uint8Array(32).fill(3);
  const publicKey = publicKeyOf(seed);
  const keyid = keyId(1, publicKey);
  const secret = generateP256Secret();
  const second = { alg: 'p256' as const, publicKey: p256PublicKeyOf(secret) };
  const known = (account: string, id: string) => {
    if (account !== 'misty.weave') return undefined;
    return id === keyid
      ? { alg: 'ed25519' as const, publicKey }
      : id === keyId(2, second.publicKey)
        ? second
        : undefined;
  };
  const envelope = signPacket(sample, { keyid, seed });
  t.strictSame(verifyPacketEnvelope(envelope, known), sample);
  t.throws(() => verifyPacketEnvelope(envelope, () => undefined), { code: 'PACKET_KEY_UNKNOWN' });
  t.throws(() => verifyPacketEnvelope(envelope, () => second), { code: 'PACKET_KEY_UNKNOWN' }, 'another algorithm');
  const stranger = publicKeyOf(new Uint8Array(32).fill(4));
  t.throws(() => verifyPacketEnvelope(envelope, () => ({ alg: 'ed25519', publicKey: stranger })), {
    code: 'PACKET_SIGNATURE_INVALID',
  });

  const payload = encodeUtf8(canonicalJson(sample));
  const message = pae(PACKET_PAYLOAD_TYPE, payload);
  const both = encodePacketEnvelope(payload, [
    { keyid: keyId(2, second.publicKey), alg: 'p256', sig: signP256(message, secret) },
    { keyid, alg: 'ed25519', sig: sign(message, seed) },
  ]);
  t.strictSame(verifyPacketEnvelope(both, known), sample, 'two keys of the source');

  const seal = (type: string, body: Uint8Array) =>
    encodeEnvelope({
      payload: body,
      payloadType: type,
      signatures: [{ keyid, alg: 'ed25519', sig: sign(pae(type, body), seed) }],
    });
  t.throws(() => verifyPacketEnvelope(seal('application/vnd.weft.tx+json', payload), known), {
    code: 'PACKET_INVALID',
  });
  const { NLD_Schema_Version, ...rest } = sample;
  const reordered = encodeUtf8(JSON.stringify({ ...rest, NLD_Schema_Version }));
  t.throws(() => verifyPacketEnvelope(seal(PACKET_PAYLOAD_TYPE, reordered), known), { code: 'PACKET_INVALID' });
  const spaced = encodeUtf8(JSON.stringify(sample, null, 1));
  t.throws(() => verifyPacketEnvelope(seal(PACKET_PAYLOAD_TYPE, spaced), known), { code: 'JSON_NOT_CANONICAL' });
});

t.test('CloudEvents: one to one', async (t) => {
  const event = toCloudEvent(sample);
  t.match(event, {
    specversion: '1.0',
    id: sample.Transaction_Hash_ID,
    source: 'urn:weft:instance:misty.weave',
    type: 'weft.nld.QUERY',
  });
  for (const name of Object.keys(event)) t.match(name, /^[a-z0-9]+$/, 'a name that CloudEvents allows');
  t.strictSame(fromCloudEvent(JSON.parse(JSON.stringify(event))), sample);
  const { subject: _, ...without } = event;
  const wrong: readonly [string, unknown][] = [
    ['PACKET_EVENT_INVALID', null],
    ['PACKET_EVENT_INVALID', []],
    ['PACKET_EVENT_INVALID', { ...event, more: 1 }],
    ['PACKET_EVENT_INVALID', { ...event, specversion: '0.3' }],
    ['PACKET_EVENT_INVALID', { ...event, datacontenttype: 'text/plain' }],
    ['PACKET_EVENT_INVALID', { ...event, dataschema: 'x' }],
    ['PACKET_EVENT_INVALID', { ...event, source: 'misty.weave' }],
    ['PACKET_EVENT_INVALID', { ...event, type: 7 }],
    ['PACKET_INVALID', without],
    ['PACKET_INVALID', { ...event, time: 7 }],
    ['PACKET_ID_MISMATCH', { ...event, type: 'weft.nld.COMMAND' }],
    ['PACKET_ID_MISMATCH', { ...event, id: 'a'.repeat(64) }],
  ];
  for (const [code, value] of wrong) t.throws(() => fromCloudEvent(value), { code });
});
