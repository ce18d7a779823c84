import { createPublicKey, verify as nodeVerify } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import {
  checkPublicKey,
  ed25519Signer,
  generateSeed,
  publicKeyOf,
  sign,
  slowPathCount,
  verifyConsensus,
  verifyFast,
} from '../../src/crypto/ed25519.ts';
import { verifyReference } from '../../src/crypto/reference.ts';
import { type Ed25519Rule, vectors, type WycheproofGroup } from './vectors.ts';

const rule = vectors<Ed25519Rule>('ed25519-rule.json');

/** The verdicts of every path for one signature. */
function verdicts(
  publicKey: string,
  message: string,
  signature: string,
): { reference: boolean; fast: boolean; consensus: boolean } {
  const [m, s, k] = [fromHex(message), fromHex(signature), fromHex(publicKey)] as const;
  return { reference: verifyReference(m, s, k), fast: verifyFast(m, s, k), consensus: verifyConsensus(m, s, k) };
}

for (const group of ['speccheck', 'honestKey', 'smallOrder'] as const) {
  t.test(`${group}: each case has its verdict on every path`, async (t) => {
    for (const { name, publicKey, message, signature, zip215, libsodium } of rule[group]) {
      const found = verdicts(publicKey, message, signature);
      const wanted = { reference: zip215, fast: libsodium, consensus: zip215 };
      if (JSON.stringify(found) !== JSON.stringify(wanted)) t.same(found, wanted, name);
    }
    t.pass(`${rule[group].length} cases`);
  });
}

t.test('the groups are whole', async (t) => {
  t.equal(rule.speccheck.length, 12);
  t.equal(rule.smallOrder.length, 196);
  t.equal(new Set(rule.smallOrder.map(({ publicKey }) => publicKey)).size, 14, '14 encodings of the key');
  t.equal(new Set(rule.smallOrder.map(({ signature }) => signature)).size, 14, '14 encodings of R');
  t.ok(
    rule.smallOrder.every(({ zip215, libsodium }) => zip215 && !libsodium),
    '196 accepted by the rule, none by libsodium',
  );
  t.same(
    rule.speccheck.map(({ zip215 }) => (zip215 ? 'V' : 'X')).join(''),
    'VVVVVVXXXVVV',
    'the published row of a ZIP 215 implementation',
  );
  t.same(
    rule.speccheck.map(({ libsodium }) => (libsodium ? 'V' : 'X')).join(''),
    'XXXVXXXXXXXX',
    'the published row of libsodium',
  );
  t.notOk(
    [...rule.speccheck, ...rule.honestKey].some(({ zip215, libsodium }) => libsodium && !zip215),
    'libsodium is never wider',
  );
});

t.test('RFC 8032: keys, signatures, verdicts', async (t) => {
  for (const { seed, publicKey, message, signature } of vectors<
    Record<'seed' | 'publicKey' | 'message' | 'signature', string>[]
  >('rfc8032.json')) {
    t.equal(toHex(publicKeyOf(fromHex(seed))), publicKey);
    t.equal(toHex(sign(fromHex(message), fromHex(seed))), signature);
    t.same(verdicts(publicKey, message, signature), { reference: true, fast: true, consensus: true });
  }
});

/**
 * Wycheproof judges by RFC 8032, which decodes no point with x = 0 and the sign bit set. Our rule takes any encoding that
 * decompresses (those are among the 14 of ZIP 215), so that in this one case the two must differ: libsodium refuses, and
 * what decides about blocks accepts. Its verdict in the vendored file stays Wycheproof's own.
 */
const acceptedByZip215Only: ReadonlySet<number> = new Set([151]);

t.test('Wycheproof: its verdict on every path, save where ZIP 215 is wider than RFC 8032', async (t) => {
  let count = 0;
  for (const { publicKey, tests } of vectors<WycheproofGroup[]>('wycheproof-ed25519.json')) {
    for (const { id, comment, message, signature, result } of tests) {
      const valid = result === 'valid';
      const rule = valid || acceptedByZip215Only.has(id);
      const found = verdicts(publicKey, message, signature);
      const wanted = { reference: rule, fast: valid, consensus: rule };
      if (JSON.stringify(found) !== JSON.stringify(wanted)) t.same(found, wanted, `${id} ${comment}`);
      count += 1;
    }
  }
  t.equal(count, 151);
});

t.test('only what libsodium refuses takes the slow path', async (t) => {
  const seed = new Uint8Array(32).fill(7);
  const message = encodeUtf8('counted');
  const signature = sign(message, seed);
  const before = slowPathCount();
  t.ok(verifyConsensus(message, signature, publicKeyOf(seed)));
  t.equal(slowPathCount(), before);
  t.notOk(verifyConsensus(encodeUtf8('other'), signature, publicKeyOf(seed)));
  t.equal(slowPathCount(), before + 1);
});

t.test('registered keys are canonical, not of small order, without torsion', async (t) => {
  for (const { name, publicKey, accepted } of rule.publicKeys) {
    let code = 'accepted';
    try {
      checkPublicKey(fromHex(publicKey));
    } catch (error) {
      code = codeOf(error);
    }
    t.equal(code, accepted ? 'accepted' : 'KEY_INVALID', name);
  }
  for (let i = 0; i < 20; i += 1) checkPublicKey(publicKeyOf(generateSeed()));
});

t.test('wrong lengths never verify and never throw', async (t) => {
  const { publicKey, sign: signWith } = ed25519Signer(new Uint8Array(32).fill(1));
  const message = encodeUtf8('m');
  const signature = signWith(message);
  for (const [s, k] of [
    [signature.slice(1), publicKey],
    [concat(signature, Uint8Array.of(0)), publicKey],
    [signature, publicKey.slice(1)],
    [signature, concat(publicKey, Uint8Array.of(0))],
    [new Uint8Array(0), new Uint8Array(0)],
  ] as const) {
    t.notOk(verifyFast(message, s, k));
    t.notOk(verifyConsensus(message, s, k));
    t.notOk(verifyReference(message, s, k));
  }
  t.throws(() => ed25519Signer(new Uint8Array(31)), { code: 'KEY_INVALID' });
  t.throws(() => sign(message, new Uint8Array(64)), { code: 'KEY_INVALID' });
});

t.test('honest signatures hold everywhere, changed ones nowhere', async () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes, fc.nat({ max: 511 }), (seed, message, bit) => {
      const signer = ed25519Signer(seed);
      const signature = signer.sign(message);
      if (toHex(signature) !== toHex(sign(message, seed))) return false;
      if (!verifyFast(message, signature, signer.publicKey) || !verifyReference(message, signature, signer.publicKey))
        return false;
      // A third implementation, as nobody judges alone.
      const spki = createPublicKey({
        key: concat(fromHex('302a300506032b6570032100'), signer.publicKey) as Buffer,
        format: 'der',
        type: 'spki',
      });
      if (!nodeVerify(null, message, spki, signature)) return false;
      const changed = signature.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      return !verifyFast(message, changed, signer.publicKey) && !verifyConsensus(message, changed, signer.publicKey);
    }),
    { numRuns: 60 },
  );
});
