import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { encodeUtf8, equalBytes } from '../../src/codec/utf8.ts';
import { envelopeIdOf, txIdOf } from '../../src/crypto/digests.ts';
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  type PlainAlgorithm,
  pae,
  sortSignatures,
} from '../../src/crypto/dsse.ts';
import { publicKeyOf, sign, verifyFast } from '../../src/crypto/ed25519.ts';
import { keyId } from '../../src/crypto/keyId.ts';
import { p256PublicKeyOf, verifyP256 } from '../../src/crypto/p256.ts';
import { vectors } from './vectors.ts';

type Accepted = {
  payload: string;
  payloadType: string;
  signatures: { keyid: string; alg: PlainAlgorithm; sig: string }[];
  pae: string;
  envelope: string;
  txId: string;
  envelopeId: string;
};
const frozen = vectors<{
  seeds: Record<'router' | 'operator' | 'security', string>;
  accepted: Accepted[];
  sixteen: string;
  refused: { why: string; envelope: string; code: string }[];
}>('envelopes.json');

const codeFor = (bytes: Uint8Array, limits = {}): string => {
  try {
    decodeEnvelope(bytes, limits);
    return 'accepted';
  } catch (error) {
    return codeOf(error);
  }
};

t.test('frozen envelopes: decoded, encoded, identified, verified', async (t) => {
  const seeds = Object.values(frozen.seeds).map((seed) => fromHex(seed));
  for (const { payload, payloadType, signatures, pae: signed, envelope, txId, envelopeId } of frozen.accepted) {
    const bytes = encodeUtf8(envelope);
    const decoded = decodeEnvelope(bytes);
    t.equal(toHex(decoded.payload), payload);
    t.equal(decoded.payloadType, payloadType);
    t.same(
      decoded.signatures.map(({ keyid, alg, sig }) => ({ keyid, alg, sig: toHex(sig) })),
      signatures,
    );
    t.equal(new TextDecoder().decode(encodeEnvelope(decoded)), envelope);
    const body = Buffer.from(payload, 'hex');
    const byHand = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `), body]);
    t.equal(signed, byHand.toString('hex'), 'the PAE, written out by hand');
    t.equal(toHex(pae(decoded.payloadType, decoded.payload)), signed);
    t.equal(txIdOf(decoded), txId);
    t.equal(txId, createHash('sha256').update(byHand).digest('hex'));
    t.equal(envelopeIdOf(bytes), envelopeId);
    t.equal(envelopeId, createHash('sha256').update(envelope).digest('hex'));
    for (const { keyid, alg, sig } of decoded.signatures) {
      const holds = seeds.some((seed) =>
        alg === 'p256'
          ? keyId(2, p256PublicKeyOf(seed)) === keyid && verifyP256(fromHex(signed), sig, p256PublicKeyOf(seed))
          : keyId(1, publicKeyOf(seed)) === keyid && verifyFast(fromHex(signed), sig, publicKeyOf(seed)),
      );
      t.ok(holds, `${alg} ${keyid}`);
    }
  }
  t.equal(codeFor(encodeUtf8(frozen.sixteen)), 'accepted', '16 signatures');
});

t.test('frozen refusals', async (t) => {
  for (const { why, envelope, code } of frozen.refused) t.equal(codeFor(encodeUtf8(envelope)), code, why);
});

t.test('DSSE: the example of its protocol text', async (t) => {
  t.equal(
    new TextDecoder().decode(pae('http://example.com/HelloWorld', encodeUtf8('hello world'))),
    'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
  );
});

const envelopes: fc.Arbitrary<Envelope> = fc
  .tuple(
    fc.uint8Array({ maxLength: 300 }),
    fc.stringMatching(/^[a-z0-9][a-z0-9.+/-]{0,40}$/),
    fc.uniqueArray(
      fc.oneof(
        fc.record({
          keyid: fc.stringMatching(/^[0-9a-f]{16}$/),
          alg: fc.constantFrom<PlainAlgorithm>('ed25519', 'p256'),
          sig: fc.uint8Array({ minLength: 64, maxLength: 64 }),
        }),
        fc.record({
          keyid: fc.stringMatching(/^[0-9a-f]{16}$/),
          alg: fc.constant('webauthn-p256' as const),
          authenticatorData: fc.uint8Array({ minLength: 37, maxLength: 37 }),
          clientDataJSON: fc.uint8Array({ maxLength: 200 }),
          sig: fc.uint8Array({ minLength: 64, maxLength: 64 }),
        }),
      ),
      { minLength: 1, maxLength: 16, selector: ({ keyid }) => keyid },
    ),
  )
  .map(([payload, payloadType, signatures]) => ({ payload, payloadType, signatures: sortSignatures(signatures) }));

t.test('decode gives back what was encoded', async () => {
  fc.assert(
    fc.property(envelopes, (envelope) => {
      const bytes = encodeEnvelope(envelope);
      const decoded = decodeEnvelope(bytes);
      return (
        equalBytes(decoded.payload, envelope.payload) &&
        decoded.payloadType === envelope.payloadType &&
        decoded.signatures.every(({ keyid, alg, sig }, i) => {
          const wanted = envelope.signatures[i]!;
          return keyid === wanted.keyid && alg === wanted.alg && equalBytes(sig, wanted.sig);
        }) &&
        equalBytes(encodeEnvelope(decoded), bytes)
      );
    }),
    { numRuns: 300 },
  );
});

t.test('what is accepted has one encoding, however the bytes came to be', async (t) => {
  let accepted = 0;
  const edits = fc.array(
    fc.tuple(fc.nat(), fc.constantFrom('letter', 'flip', 'drop', 'double', 'move'), fc.nat({ max: 255 })),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(envelopes, edits, (envelope, changes) => {
      const bytes = [...encodeEnvelope(envelope)];
      for (const [where, how, value] of changes) {
        const at = where % bytes.length;
        // A letter for a letter mostly leaves an envelope, a byte for a byte mostly does not.
        if (how === 'letter') bytes[at] = 0x41 + (value % 26);
        else if (how === 'flip') bytes[at] = value;
        else if (how === 'drop') bytes.splice(at, 1);
        else if (how === 'double') bytes.splice(at, 0, bytes[at]!);
        else bytes.push(...bytes.splice(at, 1));
      }
      const changed = Uint8Array.from(bytes);
      let decoded: Envelope;
      try {
        decoded = decodeEnvelope(changed);
      } catch (error) {
        return codeOf(error).startsWith('ENVELOPE_');
      }
      accepted += 1;
      return equalBytes(encodeEnvelope(decoded), changed);
    }),
    { numRuns: 3_000 },
  );
  t.ok(accepted > 100, `${accepted} changed envelopes were accepted, so the property was put to the test`);
});

t.test('bounds are kept on both ways', async (t) => {
  const signatures = [{ keyid: '0123456789abcdef', alg: 'ed25519' as const, sig: new Uint8Array(64) }];
  const of = (bytes: number): Envelope => ({ payload: new Uint8Array(bytes), payloadType: 'a/b', signatures });
  t.equal(codeFor(encodeEnvelope(of(32 * 1024))), 'accepted', 'a payload of 32 KiB');
  t.throws(() => encodeEnvelope(of(32 * 1024 + 1)), { code: 'ENVELOPE_TOO_LARGE' });
  const wide = { payloadBytesMax: 40_000, envelopeBytesMax: 60_000 };
  const larger = encodeEnvelope(of(32 * 1024 + 1), wide);
  t.equal(codeFor(larger), 'ENVELOPE_TOO_LARGE');
  t.equal(codeFor(larger, wide), 'accepted');
  t.equal(
    codeFor(encodeEnvelope(of(37_000), wide), { payloadBytesMax: 40_000 }),
    'ENVELOPE_TOO_LARGE',
    'an envelope of over 48 KiB',
  );
  t.equal(codeFor(encodeEnvelope(of(100)), { payloadBytesMax: 99 }), 'ENVELOPE_TOO_LARGE');
  t.equal(codeFor(new Uint8Array(48 * 1024).fill(0x5b)), 'ENVELOPE_INVALID', 'brackets only');
});

t.test('encoding refuses what decoding would refuse', async (t) => {
  const sig = sign(new Uint8Array(1), new Uint8Array(32));
  const of = (...keyids: string[]): Envelope => ({
    payload: new Uint8Array(1),
    payloadType: 'a/b',
    signatures: keyids.map((keyid) => ({ keyid, alg: 'ed25519', sig })),
  });
  for (const bad of [
    of(),
    of('0000000000000002', '0000000000000001'),
    of('0000000000000001', '0000000000000001'),
    of('x'),
  ]) {
    t.throws(() => encodeEnvelope(bad), { code: 'ENVELOPE_SIGNATURES' });
  }
  t.throws(() => encodeEnvelope({ ...of('0000000000000001'), payloadType: 'a"b' }), { code: 'ENVELOPE_INVALID' });
  t.throws(
    () =>
      encodeEnvelope({
        payload: new Uint8Array(1),
        payloadType: 'a/b',
        signatures: [{ keyid: '0000000000000001', alg: 'ed25519', sig: sig.slice(1) }],
      }),
    {
      code: 'ENVELOPE_SIGNATURES',
    },
  );
});
