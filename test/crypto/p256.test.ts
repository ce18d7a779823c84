import { generateKeyPairSync, sign as signWithOpenSsl } from 'node:crypto';
import t from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import {
  checkP256PublicKey,
  compressP256,
  generateP256Secret,
  p256PublicKeyOf,
  p256SignatureOf,
  signP256,
  verifyP256,
} from '../../src/crypto/p256.ts';
import { verifyP256Consensus, verifyP256Fast } from '../../src/crypto/p256Fast.ts';
import { vectors, type WycheproofGroup } from './vectors.ts';

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

t.test('Wycheproof: valid and low-S holds; its high-S twin does not', async (t) => {
  let high = 0;
  let low = 0;
  for (const { publicKey, tests } of vectors<WycheproofGroup[]>('wycheproof-p256.json')) {
    for (const { id, comment, message, signature, result } of tests) {
      const sig = signature.length % 2 === 0 ? fromHex(signature) : new Uint8Array(0);
      const s = sig.length === 64 ? BigInt(`0x${signature.slice(64)}`) : 0n;
      const isLow = s <= order / 2n;
      const holds = verifyP256(fromHex(message), sig, fromHex(publicKey));
      const wanted = result === 'valid' && isLow;
      if (holds !== wanted) t.equal(holds, wanted, `${id} ${comment}`);
      const fast = verifyP256Fast(fromHex(message), sig, fromHex(publicKey));
      if (fast !== wanted) t.equal(fast, wanted, `${id} ${comment}, OpenSSL`);
      if (result !== 'valid') continue;
      const twin = fromHex(signature.slice(0, 64) + (order - s).toString(16).padStart(64, '0'));
      if (verifyP256(fromHex(message), twin, fromHex(publicKey)) === holds)
        t.fail(`${id}: both s and n - s have one verdict`);
      if (isLow) low += 1;
      else high += 1;
    }
  }
  t.ok(low > 50 && high > 50, `${low} low, ${high} high`);
});

t.test('signs low-S and deterministically', async (t) => {
  for (let i = 0; i < 20; i += 1) {
    const secret = generateP256Secret();
    const message = encodeUtf8(`message ${i}`);
    const signature = signP256(message, secret);
    t.equal(toHex(signature), toHex(signP256(message, secret)));
    t.ok(BigInt(`0x${toHex(signature.slice(32))}`) <= order / 2n);
    t.ok(verifyP256(message, signature, p256PublicKeyOf(secret)));
    t.notOk(verifyP256(encodeUtf8('another'), signature, p256PublicKeyOf(secret)));
    checkP256PublicKey(p256PublicKeyOf(secret));
  }
});

t.test('one spelling of keys', async (t) => {
  const key = p256PublicKeyOf(new Uint8Array(32).fill(3));
  const bad: [string, Uint8Array][] = [
    ['x only', key.slice(1)],
    ['other prefix', concat(Uint8Array.of(4), key.slice(1))],
    ['infinity', Uint8Array.of(0)],
    ['uncompressed length', new Uint8Array(65).fill(4)],
    ['x beyond the field', concat(Uint8Array.of(2), new Uint8Array(32).fill(255))],
  ];
  for (const [name, publicKey] of bad) {
    let code = '';
    try {
      checkP256PublicKey(publicKey);
    } catch (error) {
      code = codeOf(error);
    }
    t.equal(code, 'KEY_INVALID', name);
    t.notOk(verifyP256(new Uint8Array(1), new Uint8Array(64).fill(1), publicKey), name);
  }
  t.throws(() => signP256(new Uint8Array(1), new Uint8Array(32)), { code: 'KEY_INVALID' }, 'zero is no secret');
  t.throws(() => p256PublicKeyOf(fromHex(order.toString(16))), { code: 'KEY_INVALID' }, 'nor the order');
});

t.test('what authenticators give: DER with either s becomes the one spelling', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const compressed = compressP256(new Uint8Array(point));
  checkP256PublicKey(compressed);
  let high = 0;
  for (let i = 0; i < 24; i += 1) {
    const message = encodeUtf8(`message ${i}`);
    const der = new Uint8Array(signWithOpenSsl('sha256', message, privateKey));
    const signature = p256SignatureOf(der);
    t.ok(verifyP256(message, signature, compressed));
    if (!toHex(der).includes(toHex(signature.subarray(33)))) high += 1;
    t.throws(() => p256SignatureOf(der.subarray(1)), { code: 'SIGNATURE_INVALID' });
    t.throws(() => p256SignatureOf(concat(der, Uint8Array.of(0))), { code: 'SIGNATURE_INVALID' });
  }
  t.ok(high > 0, 'OpenSSL makes both');
  t.throws(() => compressP256(compressed), { code: 'KEY_INVALID' });
  t.throws(() => compressP256(concat(point.subarray(0, 64), Uint8Array.of(1))), { code: 'KEY_INVALID' });
});

t.test('OpenSSL and the rule have one answer, for signatures, keys and numbers at the edge', async (t) => {
  const secret = fromHex('11'.repeat(32));
  const publicKey = p256PublicKeyOf(secret);
  const message = encodeUtf8('message');
  const signature = signP256(message, secret);
  const number = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, '0'));
  const edges = [0n, 1n, 2n, order / 2n, order / 2n + 1n, order - 1n, order, order + 1n, (1n << 256n) - 1n].map(number);
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  const signatures = [
    signature,
    ...edges.flatMap((edge) => [concat(edge, s), concat(r, edge), ...edges.map((other) => concat(edge, other))]),
    signature.subarray(1),
    concat(signature, Uint8Array.of(0)),
  ];
  const flipped = Uint8Array.from(publicKey, (byte, at) => (at === 0 ? byte ^ 1 : byte));
  const field = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
  const keys = [
    publicKey,
    flipped,
    Uint8Array.from(publicKey, (byte, at) => (at === 0 ? 4 : byte)),
    ...[0n, 5n, field, field + 5n].map((x) => concat(Uint8Array.of(2), number(x))),
    publicKey.subarray(1),
  ];
  for (const each of signatures) {
    for (const key of keys) {
      const rule = verifyP256(message, each, key);
      if (verifyP256Fast(message, each, key) !== rule) t.fail(`OpenSSL differs: ${toHex(each)} ${toHex(key)}`);
      if (verifyP256Consensus(message, each, key) !== rule) t.fail(`consensus differs: ${toHex(each)} ${toHex(key)}`);
    }
  }
  t.ok(verifyP256Fast(message, signature, publicKey));
});
