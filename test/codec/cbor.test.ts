import { decode as oracleDecode, encode as oracleEncode } from 'cborg';
import fc from 'fast-check';
import t from 'tap';
import { type Cbor, decodeCbor, encodeCbor } from '../../src/codec/cbor.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { equalBytes } from '../../src/codec/utf8.ts';
import { vectors, verdict } from './vectors.ts';

type Written = number | string | boolean | null | { bytes: string } | Written[];
const frozen = vectors<{
  accepted: { value: Written; hex: string }[];
  refused: { why: string; hex: string; code: string }[];
}>('cbor.json');
const limits = { bytesMax: 1 << 20 };

const toValue = (written: Written): Cbor => {
  if (Array.isArray(written)) return written.map(toValue);
  return typeof written === 'object' && written !== null ? fromHex(written.bytes) : written;
};

t.test('frozen: one encoding each, both ways', async (t) => {
  for (const { value, hex } of frozen.accepted) {
    t.equal(toHex(encodeCbor(toValue(value))), hex);
    t.same(decodeCbor(fromHex(hex), limits), toValue(value), hex.slice(0, 40));
  }
});

t.test('frozen: refusals', async (t) => {
  for (const { why, hex, code } of frozen.refused)
    t.equal(
      verdict(() => decodeCbor(fromHex(hex), limits)),
      code,
      why,
    );
});

const { value: anyValue } = fc.letrec<{ value: Cbor; list: Cbor[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.maxSafeInteger().map((n) => n + 0),
    fc.integer({ min: -300, max: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 30 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.boolean(),
    fc.constant(null),
    tie('list'),
  ),
  list: fc.array(tie('value'), { maxLength: 30 }),
}));

t.test('values come back, and another implementation writes the same bytes', async () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = encodeCbor(value);
      return equalBytes(bytes, oracleEncode(value)) && equalBytes(encodeCbor(decodeCbor(bytes, limits)), bytes);
    }),
    { numRuns: 1_000 },
  );
});

t.test('what is accepted has one encoding: changed bytes', async (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(
      anyValue,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 }),
      (value, changes) => {
        const bytes = encodeCbor(value);
        for (const [where, byte] of changes) bytes[where % bytes.length] = byte;
        accepted += acceptedOnce(bytes);
        return true;
      },
    ),
    { numRuns: 5_000 },
  );
  t.ok(accepted > 500, `${accepted} changed encodings were accepted`);
});

t.test('what is accepted has one encoding: random bytes, and all of up to two bytes', async (t) => {
  let accepted = 0;
  // Initial bytes that lead somewhere are likelier than chance makes them.
  const byte = fc.oneof(
    fc.constantFrom(0x80, 0x81, 0x82, 0x83, 0x18, 0x19, 0x1a, 0x1b, 0x38, 0x58, 0x78, 0x98, 0x61, 0x41, 0xf6, 0x00),
    fc.nat({ max: 255 }),
  );
  fc.assert(
    fc.property(fc.array(byte, { minLength: 1, maxLength: 24 }), (bytes) => {
      accepted += acceptedOnce(Uint8Array.from(bytes));
      return true;
    }),
    { numRuns: 10_000 },
  );
  for (let first = 0; first < 256; first += 1) {
    accepted += acceptedOnce(Uint8Array.of(first));
    for (let second = 0; second < 256; second += 1) accepted += acceptedOnce(Uint8Array.of(first, second));
  }
  t.ok(accepted > 500, `${accepted} were accepted`);
});

/** 1 if accepted; throws if accepted with another encoding, or if a refusal has no code, or if the oracle disagrees on the value. */
function acceptedOnce(bytes: Uint8Array): 0 | 1 {
  let value: Cbor;
  try {
    value = decodeCbor(bytes, limits);
  } catch (error) {
    if (error instanceof Error && 'code' in error && /^(CBOR|UTF8)_/.test(String(error.code))) return 0;
    throw error;
  }
  if (!equalBytes(encodeCbor(value), bytes)) throw new Error(`second encoding accepted: ${toHex(bytes)}`);
  if (!equalBytes(encodeCbor(oracleDecode(bytes, { strict: true, allowBigInt: false }) as Cbor), bytes))
    throw new Error(`oracle reads ${toHex(bytes)} differently`);
  return 1;
}

t.test('bounds', async (t) => {
  const bytes = encodeCbor([1, 2, [3, 'four']]);
  t.equal(
    verdict(() => decodeCbor(bytes, { bytesMax: bytes.length })),
    'accepted',
  );
  t.equal(
    verdict(() => decodeCbor(bytes, { bytesMax: bytes.length - 1 })),
    'CBOR_TOO_LARGE',
  );
  t.equal(
    verdict(() => decodeCbor(bytes, { ...limits, depthMax: 2 })),
    'accepted',
  );
  t.equal(
    verdict(() => decodeCbor(bytes, { ...limits, depthMax: 1 })),
    'CBOR_TOO_LARGE',
  );
  t.equal(
    verdict(() => decodeCbor(encodeCbor(5), { ...limits, depthMax: 0 })),
    'accepted',
    'a bare value has depth 0',
  );
  t.equal(
    verdict(() => decodeCbor(bytes, { ...limits, itemsMax: 6 })),
    'accepted',
    'two arrays, four values',
  );
  t.equal(
    verdict(() => decodeCbor(bytes, { ...limits, itemsMax: 5 })),
    'CBOR_TOO_LARGE',
  );
  t.equal(
    verdict(() => decodeCbor(new Uint8Array(1 << 20).fill(0x81), limits)),
    'CBOR_TOO_LARGE',
    'a million arrays in one another',
  );
  const many = new Uint8Array(200_005);
  many.set(fromHex('9a00030d40'));
  t.equal(
    verdict(() => decodeCbor(many, limits)),
    'CBOR_TOO_LARGE',
    '200,000 values against the default of 65,536',
  );
  t.equal(
    verdict(() => decodeCbor(many, { ...limits, itemsMax: 200_001 })),
    'accepted',
  );
});

t.test('decoded bytes are copies', async (t) => {
  const bytes = fromHex('4101');
  const value = decodeCbor(bytes, limits) as Uint8Array;
  bytes[1] = 9;
  t.same(value, Uint8Array.of(1));
  const fromBuffer = decodeCbor(Buffer.from('4101', 'hex'), limits);
  t.equal(Object.getPrototypeOf(fromBuffer), Uint8Array.prototype, 'plain also when the input is a Buffer');
});

t.test('encoding refuses what has no encoding', async (t) => {
  const bad: [unknown, string][] = [
    [1.5, 'CBOR_UNSUPPORTED'],
    [Number.NaN, 'CBOR_UNSUPPORTED'],
    [2 ** 53, 'CBOR_UNSUPPORTED'],
    [-(2 ** 53), 'CBOR_UNSUPPORTED'],
    [undefined, 'CBOR_UNSUPPORTED'],
    [[undefined], 'CBOR_UNSUPPORTED'],
    [new Array(1), 'CBOR_UNSUPPORTED'],
    [{}, 'CBOR_UNSUPPORTED'],
    [1n, 'CBOR_UNSUPPORTED'],
    ['\ud800', 'UTF8_INVALID'],
  ];
  for (const [value, code] of bad)
    t.equal(
      verdict(() => encodeCbor(value as Cbor)),
      code,
    );
  const endless: Cbor[] = [];
  endless.push(endless);
  t.equal(
    verdict(() => encodeCbor(endless)),
    'CBOR_UNSUPPORTED',
    'an array that holds itself',
  );
});
