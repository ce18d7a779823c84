import fc from 'fast-check';
import t from 'tap';
import {
  decodeByHand,
  encodeByHand,
  fromBase64,
  fromBase64Url,
  toBase64,
  toBase64Url,
} from '../../src/codec/base64.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { decodeLatin1 } from '../../src/codec/latin1.ts';
import { concat, decodeUtf8, encodeUtf8, equalBytes } from '../../src/codec/utf8.ts';
import { vectors, verdict } from './vectors.ts';

const anyBytes = fc.uint8Array({ maxLength: 100 });

t.test('bytes as text: ASCII is itself, and nothing else is', async (t) => {
  const ascii = Uint8Array.from({ length: 128 }, (_, i) => i);
  t.equal(decodeLatin1(ascii), decodeUtf8(ascii));
  t.equal(decodeLatin1(ascii.subarray(40, 50)), decodeUtf8(ascii).slice(40, 50));
  const above = decodeLatin1(Uint8Array.from({ length: 128 }, (_, i) => 128 + i));
  t.equal(above.length, 128);
  t.notOk([...above].some((character) => character.charCodeAt(0) < 128));
});

t.test('hex: frozen and round trip', async (t) => {
  const { accepted, refused } = vectors<{ accepted: string[]; refused: string[] }>('hex.json');
  for (const text of accepted) t.equal(toHex(fromHex(text)), text);
  for (const text of refused)
    t.equal(
      verdict(() => fromHex(text)),
      'HEX_INVALID',
      JSON.stringify(text),
    );
  t.equal(
    verdict(() => fromHex('00ff', 2)),
    'accepted',
  );
  t.equal(
    verdict(() => fromHex('00ff', 1)),
    'HEX_INVALID',
  );
  t.equal(
    verdict(() => fromHex('00ff', 3)),
    'HEX_INVALID',
  );
  fc.assert(
    fc.property(
      anyBytes,
      (bytes) => toHex(bytes) === Buffer.from(bytes).toString('hex') && equalBytes(fromHex(toHex(bytes)), bytes),
    ),
  );
});

type Spelling = { accepted: [string, string][]; refused: string[] };
t.test('base64: frozen', async (t) => {
  const { standard, url } = vectors<{ standard: Spelling; url: Spelling }>('base64.json');
  for (const [{ accepted, refused }, to, from] of [
    [standard, toBase64, fromBase64],
    [url, toBase64Url, fromBase64Url],
  ] as const) {
    for (const [hex, text] of accepted) {
      t.equal(to(fromHex(hex)), text);
      t.equal(toHex(from(text)), hex);
      t.equal(
        verdict(() => from(text, hex.length / 2)),
        'accepted',
      );
      t.equal(
        verdict(() => from(text, hex.length / 2 + 3)),
        'BASE64_INVALID',
        'another length is expected',
      );
    }
    for (const text of refused)
      t.equal(
        verdict(() => from(text)),
        'BASE64_INVALID',
        JSON.stringify(text),
      );
  }
});

t.test('base64: every text has one reading or none', async () => {
  const letters = fc.string({ unit: fc.constantFrom(...'AZaz09+/-_= \nQgw'), maxLength: 10 });
  fc.assert(
    fc.property(letters, (text) => {
      for (const [to, from] of [
        [toBase64, fromBase64],
        [toBase64Url, fromBase64Url],
      ] as const) {
        if (verdict(() => from(text)) === 'accepted' && to(from(text)) !== text) return false;
      }
      return true;
    }),
    { numRuns: 3_000 },
  );
});

t.test('base64: as Node writes it, and by hand as the native methods do', async () => {
  fc.assert(
    fc.property(
      anyBytes,
      (bytes) =>
        toBase64(bytes) === Buffer.from(bytes).toString('base64') &&
        toBase64Url(bytes) === Buffer.from(bytes).toString('base64url') &&
        encodeByHand(bytes, false) === toBase64(bytes) &&
        encodeByHand(bytes, true) === toBase64Url(bytes) &&
        equalBytes(decodeByHand(toBase64(bytes), false), bytes) &&
        equalBytes(decodeByHand(toBase64Url(bytes), true), bytes) &&
        equalBytes(fromBase64(toBase64(bytes), bytes.length), bytes) &&
        equalBytes(fromBase64Url(toBase64Url(bytes), bytes.length), bytes),
    ),
  );
});

t.test('base64: strict also in a runtime without the native methods', async (t) => {
  const prototype = Uint8Array.prototype as { toBase64?: unknown };
  const statics = Uint8Array as { fromBase64?: unknown };
  const [toNative, fromNative] = [prototype.toBase64, statics.fromBase64];
  prototype.toBase64 = undefined;
  statics.fromBase64 = undefined;
  t.teardown(() => {
    prototype.toBase64 = toNative;
    statics.fromBase64 = fromNative;
  });
  const { standard, url } = vectors<{ standard: Spelling; url: Spelling }>('base64.json');
  for (const [hex, text] of standard.accepted) t.equal(toHex(fromBase64(text)), hex);
  for (const [hex, text] of url.accepted) t.equal(toHex(fromBase64Url(text)), hex);
  for (const text of standard.refused)
    t.equal(
      verdict(() => fromBase64(text)),
      'BASE64_INVALID',
      JSON.stringify(text),
    );
  for (const text of url.refused)
    t.equal(
      verdict(() => fromBase64Url(text)),
      'BASE64_INVALID',
      JSON.stringify(text),
    );
});

t.test('UTF-8: one to one', async (t) => {
  for (const text of ['', 'a', '\ufeffmark', 'é水😀', '\u0000', '\ufffd']) t.equal(decodeUtf8(encodeUtf8(text)), text);
  for (const text of ['\ud800', 'a\udc00', '\udc00\ud800'])
    t.equal(
      verdict(() => encodeUtf8(text)),
      'UTF8_INVALID',
    );
  for (const hex of ['ff', 'c080', 'eda080', 'f4908080', 'c3', 'e282'])
    t.equal(
      verdict(() => decodeUtf8(fromHex(hex))),
      'UTF8_INVALID',
      hex,
    );
  fc.assert(
    fc.property(
      anyBytes,
      (bytes) => verdict(() => decodeUtf8(bytes)) !== 'accepted' || equalBytes(encodeUtf8(decodeUtf8(bytes)), bytes),
    ),
    { numRuns: 1_000 },
  );
});

t.test('bytes: concat and equality', async (t) => {
  t.same(concat(), new Uint8Array(0));
  t.same(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3));
  t.ok(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  t.notOk(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  t.notOk(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
});
