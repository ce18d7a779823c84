import fc from 'fast-check';
import t from 'tap';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { checkJson, type Json, parseStrictJson, stringifyJson } from '../../src/codec/json.ts';
import { encodeUtf8, equalBytes } from '../../src/codec/utf8.ts';
import { vectors, verdict } from './vectors.ts';

const frozen = vectors<{ accepted: string[]; refused: [string, string, string][] }>('json.json');
const limits = { bytesMax: 1 << 20 };
const utf8 = new TextEncoder();

t.test('frozen: accepted, and written the same again', async (t) => {
  for (const text of frozen.accepted) {
    const value = parseStrictJson(utf8.encode(text), limits);
    t.same(value, JSON.parse(text));
    t.equal(stringifyJson(value), text);
  }
});

t.test('frozen: refused', async (t) => {
  for (const [why, text, code] of frozen.refused)
    t.equal(
      verdict(() => parseStrictJson(utf8.encode(text), limits)),
      code,
      why,
    );
});

t.test('bytes that are not UTF-8', async (t) => {
  for (const hex of ['22ff22', '22c08022', '22eda08022', '22f490808022', '22c3', '80']) {
    t.equal(
      verdict(() => parseStrictJson(Uint8Array.from(Buffer.from(hex, 'hex')), limits)),
      'JSON_INVALID',
      hex,
    );
  }
});

const name = fc
  .oneof(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.constantFrom('a', 'b', 'type', '01', 'constructor'))
  .filter((text) => !/^(0|[1-9][0-9]*)$/.test(text) && text !== '__proto__');
const { value: anyValue } = fc.letrec<{ value: Json; list: Json[]; record: { [name: string]: Json } }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.maxSafeInteger().map((n) => n + 0),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.string({ unit: 'binary-ascii', maxLength: 12 }),
    fc.boolean(),
    fc.constant(null),
    tie('list'),
    tie('record'),
  ),
  list: fc.array(tie('value'), { maxLength: 6 }),
  record: fc.dictionary(name, tie('value'), { maxKeys: 6, noNullPrototype: true }),
}));

t.test('what is written can be read', async () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const text = stringifyJson(value);
      return stringifyJson(parseStrictJson(encodeUtf8(text), limits)) === text;
    }),
    { numRuns: 1_000 },
  );
});

t.test('RFC 8785 output is always accepted', async () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const text = canonicalJson(value);
      return stringifyJson(parseStrictJson(encodeUtf8(text), limits)) === text;
    }),
    { numRuns: 1_000 },
  );
});

t.test('what is accepted has one spelling, however the bytes came to be', async (t) => {
  let accepted = 0;
  const characters = [...'{}[],:"\\ 0123456789-+.eEu\n\tabtrfn/'].map((character) => character.charCodeAt(0));
  const edits = fc.array(
    fc.tuple(
      fc.nat(),
      fc.constantFrom('put', 'insert', 'drop'),
      fc.oneof(fc.constantFrom(...characters), fc.nat({ max: 255 })),
    ),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(anyValue, edits, (value, changes) => {
      const bytes = [...encodeUtf8(stringifyJson(value))];
      for (const [where, how, byte] of changes)
        bytes.splice(where % (bytes.length + 1), how === 'insert' ? 0 : 1, ...(how === 'drop' ? [] : [byte]));
      const changed = Uint8Array.from(bytes);
      let parsed: Json;
      try {
        parsed = parseStrictJson(changed, limits);
      } catch (error) {
        if (error instanceof Error && 'code' in error && String(error.code).startsWith('JSON_')) return true;
        throw error;
      }
      accepted += 1;
      return equalBytes(encodeUtf8(stringifyJson(parsed)), changed);
    }),
    { numRuns: 5_000 },
  );
  t.ok(accepted > 200, `${accepted} changed documents were accepted`);
});

t.test('bounds hold before parsing', async (t) => {
  t.equal(
    verdict(() => parseStrictJson(utf8.encode('"abc"'), { bytesMax: 5 })),
    'accepted',
  );
  t.equal(
    verdict(() => parseStrictJson(utf8.encode('"abcd"'), { bytesMax: 5 })),
    'JSON_TOO_LARGE',
  );
  for (const character of ['[', '{"a":', '[{"a":']) {
    t.equal(
      verdict(() => parseStrictJson(utf8.encode(character.repeat(150_000)), limits)),
      'JSON_TOO_DEEP',
      character,
    );
  }
  t.equal(
    verdict(() => parseStrictJson(utf8.encode('[]'), { ...limits, depthMax: 0 })),
    'JSON_TOO_DEEP',
  );
  t.equal(
    verdict(() => parseStrictJson(utf8.encode('[]'), { ...limits, depthMax: 1 })),
    'accepted',
  );
  t.equal(
    verdict(() => parseStrictJson(utf8.encode(`${'['.repeat(40)}${']'.repeat(40)}`), { ...limits, depthMax: 40 })),
    'accepted',
  );
});

t.test('no document reaches a prototype', async (t) => {
  t.equal(
    verdict(() => parseStrictJson(utf8.encode('{"__proto__":{"polluted":1}}'), limits)),
    'JSON_NAME',
  );
  t.notOk('polluted' in {});
});

t.test('what is no JSON is not written', async (t) => {
  const bad: [unknown, string][] = [
    [undefined, 'JSON_INVALID'],
    [[undefined], 'JSON_INVALID'],
    [new Array(1), 'JSON_INVALID'],
    [{ a: undefined }, 'JSON_INVALID'],
    [() => 1, 'JSON_INVALID'],
    [1n, 'JSON_INVALID'],
    [new Date(0), 'JSON_INVALID'],
    [new Uint8Array(2), 'JSON_INVALID'],
    [new Map(), 'JSON_INVALID'],
    [0.5, 'JSON_NUMBER'],
    [Number.NaN, 'JSON_NUMBER'],
    ['\udc00', 'JSON_TEXT'],
    [{ 0: 1 }, 'JSON_NAME'],
  ];
  for (const [value, code] of bad) {
    t.equal(
      verdict(() => stringifyJson(value as Json)),
      code,
    );
    t.equal(
      verdict(() => checkJson(value as Json)),
      code,
    );
  }
  t.equal(
    verdict(() => stringifyJson([[[1]]], 2)),
    'JSON_TOO_DEEP',
  );
});

t.test('canonical JSON: RFC 8785', async (t) => {
  for (const [input, output] of vectors<[string, string][]>('canonical.json'))
    t.equal(canonicalJson(JSON.parse(input)), output);
  for (const bad of [
    undefined,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '\ud800',
    { '\ud800': 1 },
    [undefined],
    { a: undefined },
    { a: () => 1 },
    1n,
    new Date(0),
    new Uint8Array(1),
  ]) {
    t.equal(
      verdict(() => canonicalJson(bad)),
      'JSON_INVALID',
    );
  }
  const endless: unknown[] = [];
  endless.push(endless);
  t.equal(
    verdict(() => canonicalJson(endless)),
    'JSON_INVALID',
  );
});
