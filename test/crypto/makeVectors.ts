// Makes the frozen vectors of test/vectors/crypto. Run by hand, once: `node test/crypto/makeVectors.ts`. A file that
// exists is kept, so that a change of the code can never change what it is tested against.
// Verdicts are written down here from the rule (ZIP 215; Chalkias, Garillot, Nikolaenko: "Taming the many EdDSAs",
// eprint 2020/1244, table of the twelve conditions), never taken from the code under test.
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ed25519 } from '@noble/curves/ed25519.js';
import { toHex } from '../../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { envelopeIdOf, txIdOf } from '../../src/crypto/digests.ts';
import { encodeEnvelope, pae, sortSignatures } from '../../src/crypto/dsse.ts';
import { ed25519Signer, publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { keyId } from '../../src/crypto/keyId.ts';
import { encryptSecrets } from '../../src/crypto/keySeal.ts';
import { p256PublicKeyOf, signP256 } from '../../src/crypto/p256.ts';
import { possessionMessage, provePossession, validatorRoles } from '../../src/crypto/validatorKeys.ts';

const folder = join(import.meta.dirname, '..', 'vectors', 'crypto');
const Point = ed25519.Point;
type Point = InstanceType<typeof Point>;
const L = Point.Fn.ORDER;
const P = Point.Fp.ORDER;
const B = Point.BASE;

function save(name: string, content: unknown): void {
  const path = join(folder, name);
  if (existsSync(path)) {
    process.stdout.write(`kept ${name}\n`);
    return;
  }
  writeFileSync(path, `${JSON.stringify(content, null, 1)}\n`);
  process.stdout.write(`made ${name}\n`);
}

const fixed = (label: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(`weft vectors ${label}`).digest());

function le32(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

function number(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function challenge(r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint {
  return number(new Uint8Array(createHash('sha512').update(r).update(a).update(message).digest())) % L;
}

/** [L]P, for which multiplyUnsafe takes no scalar. */
function timesOrder(point: Point): Point {
  return point.multiplyUnsafe(L - 1n).add(point);
}
function smallMultiple(point: Point, n: bigint): Point {
  let sum = Point.ZERO;
  for (let i = 0n; i < n; i += 1n) sum = sum.add(point);
  return sum;
}

/** A generator of the eight points of small order: [L]Q of any point Q with full torsion. */
function torsionGenerator(): Point {
  for (let y = 2n; ; y += 1n) {
    try {
      const candidate = timesOrder(Point.fromBytes(le32(y), true));
      if (!smallMultiple(candidate, 4n).equals(Point.ZERO)) return candidate;
    } catch {}
  }
}
const T = torsionGenerator();
const torsion = Array.from({ length: 8 }, (_, i) => smallMultiple(T, BigInt(i)));

function encoding(y: bigint, signBit: 0 | 1): Uint8Array {
  const bytes = le32(y);
  bytes[31] = (bytes[31] ?? 0) | (signBit << 7);
  return bytes;
}

/** The 14 encodings of ZIP 215: eight canonical, and six that name the same points in other ways. */
const smallOrder: { point: Point; bytes: Uint8Array }[] = [
  ...torsion.map((point) => ({ point, bytes: point.toBytes() })),
  ...[
    encoding(1n, 1),
    encoding(P + 1n, 0),
    encoding(P + 1n, 1),
    encoding(P - 1n, 1),
    encoding(P, 0),
    encoding(P, 1),
  ].map((bytes) => ({
    point: Point.fromBytes(bytes, true),
    bytes,
  })),
];

type Case = {
  name: string;
  message: string;
  publicKey: string;
  signature: string;
  zip215: boolean;
  libsodium: boolean;
};
function entry(
  name: string,
  message: Uint8Array,
  a: Uint8Array,
  r: Uint8Array,
  s: bigint,
  zip215: boolean,
  libsodium: boolean,
): Case {
  return {
    name,
    message: toHex(message),
    publicKey: toHex(a),
    signature: toHex(concat(r, le32(s))),
    zip215,
    libsodium,
  };
}

const a = number(fixed('a')) % L;
const r = number(fixed('r')) % L;
const [A, R] = [B.multiply(a), B.multiply(r)];

/** The first message "<label> <n>" for which `wanted(k)` holds, with its k. */
function search(
  label: string,
  rBytes: Uint8Array,
  aBytes: Uint8Array,
  wanted: (k: bigint) => boolean,
): { message: Uint8Array; k: bigint } {
  for (let n = 0; ; n += 1) {
    const message = encodeUtf8(`${label} ${n}`);
    const k = challenge(rBytes, aBytes, message);
    if (wanted(k)) return { message, k };
  }
}

/** [k] of the torsion point T·i, as its index: k is reduced modulo L before it multiplies, as every implementation does. */
const torsionIndex = (i: number, k: bigint): number => Number((BigInt(i) * k) % 8n);

function speccheck(): Case[] {
  const cases: Case[] = [];
  const [aMixed, rMixed] = [A.add(T), R.add(T)];
  const t = T.toBytes();
  {
    const { message } = search('0', t, t, (k) => torsionIndex(1, k) === 7);
    cases.push(entry('0: S = 0, small A, small R', message, t, t, 0n, true, false));
  }
  {
    const { message } = search('1', rMixed.toBytes(), t, (k) => torsionIndex(1, k) === 7);
    cases.push(entry('1: small A, mixed R', message, t, rMixed.toBytes(), r, true, false));
  }
  {
    const { message, k } = search('2', t, aMixed.toBytes(), (k) => torsionIndex(1, k) === 7);
    cases.push(entry('2: mixed A, small R', message, aMixed.toBytes(), t, (k * a) % L, true, false));
  }
  {
    const { message, k } = search('3', rMixed.toBytes(), aMixed.toBytes(), (k) => torsionIndex(1, k) === 7);
    cases.push(
      entry(
        '3: mixed A, mixed R, torsion cancels',
        message,
        aMixed.toBytes(),
        rMixed.toBytes(),
        (r + k * a) % L,
        true,
        true,
      ),
    );
  }
  {
    const { message, k } = search('4', rMixed.toBytes(), aMixed.toBytes(), (k) => torsionIndex(1, k) === 2);
    cases.push(
      entry(
        '4: mixed A, mixed R, torsion stays: cofactored only',
        message,
        aMixed.toBytes(),
        rMixed.toBytes(),
        (r + k * a) % L,
        true,
        false,
      ),
    );
  }
  {
    const { message, k } = search(
      '5',
      R.toBytes(),
      aMixed.toBytes(),
      (k) => torsionIndex(1, k) !== 0 && torsionIndex(1, (8n * k) % L) !== 0,
    );
    cases.push(
      entry(
        '5: mixed A, honest R: fails if 8k is reduced first',
        message,
        aMixed.toBytes(),
        R.toBytes(),
        (r + k * a) % L,
        true,
        false,
      ),
    );
  }
  const plain = encodeUtf8('6');
  const s = (r + challenge(R.toBytes(), A.toBytes(), plain) * a) % L;
  cases.push(entry('6: S + L', plain, A.toBytes(), R.toBytes(), s + L, false, false));
  cases.push(entry('7: S + 15 L, top bits set', plain, A.toBytes(), R.toBytes(), s + 15n * L, false, false));
  const odd = encoding(P, 0);
  const oddPoint = Point.fromBytes(odd, true);
  const oddCanonical = oddPoint.toBytes();
  const oddIndex = torsion.findIndex((point) => point.equals(oddPoint));
  const cancels = (k: bigint) => (oddIndex + torsionIndex(1, k)) % 8 === 0;
  {
    const { message, k } = search('8', oddCanonical, aMixed.toBytes(), cancels);
    cases.push(
      entry('8: non-canonical R, hashed in canonical form', message, aMixed.toBytes(), odd, (k * a) % L, false, false),
    );
  }
  {
    const { message, k } = search('9', odd, aMixed.toBytes(), cancels);
    cases.push(
      entry('9: non-canonical R, hashed as it stands', message, aMixed.toBytes(), odd, (k * a) % L, true, false),
    );
  }
  const oddCancels = (k: bigint) =>
    (torsionIndex(oddIndex, k) + 1) % 8 === 0 || (torsionIndex(oddIndex, k) + 2) % 8 === 0;
  const rOdd = R.add(smallMultiple(T, 2n));
  {
    const { message } = search('10', rOdd.toBytes(), oddCanonical, oddCancels);
    cases.push(
      entry('10: non-canonical small A, hashed in canonical form', message, odd, rOdd.toBytes(), r, true, false),
    );
  }
  {
    const { message } = search('11', rOdd.toBytes(), odd, oddCancels);
    cases.push(entry('11: non-canonical small A, hashed as it stands', message, odd, rOdd.toBytes(), r, true, false));
  }
  return cases;
}

function honestKey(): Case[] {
  const message = encodeUtf8('an honest key');
  const cases: Case[] = [];
  const aBytes = A.toBytes();
  const made = (name: string, rPoint: bigint, rBytes: Uint8Array, zip215: boolean, libsodium: boolean): void => {
    cases.push(
      entry(name, message, aBytes, rBytes, (rPoint + challenge(rBytes, aBytes, message) * a) % L, zip215, libsodium),
    );
  };
  made('honest', r, R.toBytes(), true, true);
  for (const [i, point] of torsion.entries()) if (i > 0) made(`R + [${i}]T`, r, R.add(point).toBytes(), true, false);
  made('R = identity', 0n, Point.ZERO.toBytes(), true, false);
  made('R = identity, y = p + 1', 0n, encoding(P + 1n, 0), true, false);
  made('R = identity, sign bit set', 0n, encoding(1n, 1), true, false);
  made('R = identity, y = p + 1, sign bit set', 0n, encoding(P + 1n, 1), true, false);
  const k = challenge(R.toBytes(), aBytes, message);
  const s = (r + k * a) % L;
  cases.push(entry('S off by one', message, aBytes, R.toBytes(), (s + 1n) % L, false, false));
  cases.push(entry('S = L', message, aBytes, R.toBytes(), L, false, false));
  cases.push(entry('S = 2^256 - 1', message, aBytes, R.toBytes(), 2n ** 256n - 1n, false, false));
  cases.push(entry('S + L', message, aBytes, R.toBytes(), s + L, false, false));
  cases.push(entry('another message', encodeUtf8('another'), aBytes, R.toBytes(), s, false, false));
  cases.push(entry('minus A', message, A.negate().toBytes(), R.toBytes(), s, false, false));
  let y = 2n;
  while (decompresses(le32(y))) y += 1n;
  cases.push(entry('R is no point', message, aBytes, le32(y), s, false, false));
  cases.push(entry('A is no point', message, le32(y), R.toBytes(), s, false, false));
  return cases;
}

function decompresses(bytes: Uint8Array): boolean {
  try {
    Point.fromBytes(bytes, true);
    return true;
  } catch {
    return false;
  }
}

function zip215(): Case[] {
  const message = encodeUtf8('Zcash');
  return smallOrder.flatMap((key, i) =>
    smallOrder.map((nonce, j) =>
      entry(`A = encoding ${i}, R = encoding ${j}`, message, key.bytes, nonce.bytes, 0n, true, false),
    ),
  );
}

function publicKeys(): { name: string; publicKey: string; accepted: boolean }[] {
  const keys = [{ name: 'honest', publicKey: A.toBytes(), accepted: true }];
  for (const [i, { bytes }] of smallOrder.entries())
    keys.push({ name: `small order, encoding ${i}`, publicKey: bytes, accepted: false });
  for (const [i, point] of torsion.entries())
    if (i > 0) keys.push({ name: `A + [${i}]T`, publicKey: A.add(point).toBytes(), accepted: false });
  let y = 2n;
  while (decompresses(le32(y))) y += 1n;
  keys.push({ name: 'no point', publicKey: le32(y), accepted: false });
  let high = P + 2n;
  while (!decompresses(le32(high))) high += 1n;
  keys.push({ name: 'y ≥ p', publicKey: le32(high), accepted: false });
  keys.push({ name: '31 bytes', publicKey: A.toBytes().slice(1), accepted: false });
  keys.push({ name: '33 bytes', publicKey: concat(A.toBytes(), Uint8Array.of(0)), accepted: false });
  return keys.map(({ name, publicKey, accepted }) => ({ name, publicKey: toHex(publicKey), accepted }));
}

save('ed25519-rule.json', {
  speccheck: speccheck(),
  honestKey: honestKey(),
  smallOrder: zip215(),
  publicKeys: publicKeys(),
});

const seeds = { router: fixed('router'), operator: fixed('operator'), security: fixed('security key') };
const ids = [
  ...(['router', 'operator'] as const).map((name) => ({ algorithm: 1 as const, publicKey: publicKeyOf(seeds[name]) })),
  { algorithm: 2 as const, publicKey: p256PublicKeyOf(seeds.security) },
  { algorithm: 3 as const, publicKey: publicKeyOf(seeds.router) },
];
save(
  'key-ids.json',
  ids.map(({ algorithm, publicKey }) => ({
    algorithm,
    publicKey: toHex(publicKey),
    keyid: keyId(algorithm, publicKey),
  })),
);

const payloadType = 'application/vnd.weft.tx+json';
const body = {
  chain: 'weft-dev-3f09c2a41b7e',
  account: 'router-prime',
  type: 'packets.commit',
  expires: 1763712300000,
  nonce: 'q83vEjRWeJA',
  body: {},
};
const payload = encodeUtf8(JSON.stringify(body));
const signed = pae(payloadType, payload);
const signers = [
  { keyid: keyId(1, publicKeyOf(seeds.router)), alg: 'ed25519' as const, sig: sign(signed, seeds.router) },
  { keyid: keyId(1, publicKeyOf(seeds.operator)), alg: 'ed25519' as const, sig: sign(signed, seeds.operator) },
  { keyid: keyId(2, p256PublicKeyOf(seeds.security)), alg: 'p256' as const, sig: signP256(signed, seeds.security) },
];
const envelopes = [signers.slice(0, 1), signers].map((some) => {
  const bytes = encodeEnvelope({ payload, payloadType, signatures: sortSignatures(some) });
  return {
    payload: toHex(payload),
    payloadType,
    signatures: sortSignatures(some).map(({ keyid, alg, sig }) => ({ keyid, alg, sig: toHex(sig) })),
    pae: toHex(signed),
    envelope: new TextDecoder().decode(bytes),
    txId: txIdOf({ payload, payloadType }),
    envelopeId: envelopeIdOf(bytes),
  };
});
const one = envelopes[0]?.envelope ?? '';
const three = envelopes[1]?.envelope ?? '';
const sigText = /"sig":"([^"]*)"/.exec(one)?.[1] ?? '';
const entryText = /\[(\{.*\})\]/.exec(one)?.[1] ?? '';
const threeEntries =
  /\[(\{.*\})\]/
    .exec(three)?.[1]
    ?.split('},{')
    .map((part) => `{${part.replace(/^\{|\}$/g, '')}}`) ?? [];
const withEntries = (entries: readonly string[]): string => one.replace(entryText, entries.join(','));
const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, i) =>
    entryText.replace(/"keyid":"[^"]*"/, `"keyid":"${i.toString(16).padStart(16, '0')}"`),
  );
const refused: { why: string; envelope: string; code: string }[] = [
  { why: 'empty', envelope: '', code: 'ENVELOPE_INVALID' },
  { why: 'not an object', envelope: '[]', code: 'ENVELOPE_INVALID' },
  { why: 'a space', envelope: one.replace('{"payload":', '{"payload": '), code: 'ENVELOPE_INVALID' },
  { why: 'a final newline', envelope: `${one}\n`, code: 'ENVELOPE_INVALID' },
  { why: 'cut short', envelope: one.slice(0, -1), code: 'ENVELOPE_INVALID' },
  { why: 'a byte order mark', envelope: `\ufeff${one}`, code: 'ENVELOPE_INVALID' },
  {
    why: 'members in another order',
    envelope: `{"payloadType":"${payloadType}","payload":"e30=","signatures":[${entryText}]}`,
    code: 'ENVELOPE_INVALID',
  },
  { why: 'an unknown member', envelope: `${one.slice(0, -1)},"more":1}`, code: 'ENVELOPE_INVALID' },
  {
    why: 'a member twice',
    envelope: one.replace('{"payload"', '{"payload":"e30=","payload"'),
    code: 'ENVELOPE_INVALID',
  },
  { why: 'an escape in a name', envelope: one.replace('"payload"', '"\\u0070ayload"'), code: 'ENVELOPE_INVALID' },
  {
    why: 'payload without padding',
    envelope: `{"payload":"e30","payloadType":"${payloadType}","signatures":[${entryText}]}`,
    code: 'ENVELOPE_INVALID',
  },
  {
    why: 'payload with bits left over',
    envelope: `{"payload":"e31=","payloadType":"${payloadType}","signatures":[${entryText}]}`,
    code: 'ENVELOPE_INVALID',
  },
  {
    why: 'payload in the URL alphabet',
    envelope: `{"payload":"__8=","payloadType":"${payloadType}","signatures":[${entryText}]}`,
    code: 'ENVELOPE_INVALID',
  },
  {
    why: 'upper-case payloadType',
    envelope: one.replace(payloadType, payloadType.toUpperCase()),
    code: 'ENVELOPE_INVALID',
  },
  {
    why: 'escaped slash in payloadType',
    envelope: one.replace('application/', 'application\\/'),
    code: 'ENVELOPE_INVALID',
  },
  { why: 'no signature', envelope: withEntries([]), code: 'ENVELOPE_INVALID' },
  { why: '17 signatures', envelope: withEntries(numbered(17)), code: 'ENVELOPE_SIGNATURES' },
  { why: 'one key twice', envelope: withEntries([entryText, entryText]), code: 'ENVELOPE_SIGNATURES' },
  { why: 'not sorted', envelope: withEntries([...threeEntries].reverse()), code: 'ENVELOPE_SIGNATURES' },
  {
    why: 'upper-case keyid',
    envelope: one.replace(/"keyid":"[^"]*"/, '"keyid":"ABCDEF0123456789"'),
    code: 'ENVELOPE_SIGNATURES',
  },
  {
    why: 'short keyid',
    envelope: one.replace(/"keyid":"[^"]*"/, '"keyid":"abcdef012345678"'),
    code: 'ENVELOPE_SIGNATURES',
  },
  { why: 'short signature', envelope: one.replace(sigText, 'AAAA'), code: 'ENVELOPE_SIGNATURES' },
  { why: 'signature of 65 bytes', envelope: one.replace(sigText, `${'A'.repeat(87)}=`), code: 'ENVELOPE_SIGNATURES' },
  {
    why: 'signature with bits left over',
    envelope: one.replace(sigText, `${'A'.repeat(85)}B==`),
    code: 'ENVELOPE_INVALID',
  },
  { why: 'Ed25519 named', envelope: one.replace('","sig"', '","alg":"ed25519","sig"'), code: 'ENVELOPE_INVALID' },
  {
    why: 'unknown algorithm',
    envelope: one.replace('","sig"', '","alg":"ml-dsa-44","sig"'),
    code: 'ENVELOPE_ALG_UNSUPPORTED',
  },
  {
    why: 'WebAuthn without its 37 bytes',
    envelope: one.replace(
      '","sig"',
      '","alg":"webauthn-p256","authenticatorData":"AAAA","clientDataJSON":"e30=","sig"',
    ),
    code: 'ENVELOPE_SIGNATURES',
  },
  {
    why: 'sig before keyid',
    envelope: withEntries([`{"sig":"${sigText}","keyid":"0000000000000000"}`]),
    code: 'ENVELOPE_INVALID',
  },
  { why: 'a comma too many', envelope: withEntries([`${entryText},`]), code: 'ENVELOPE_INVALID' },
];
save('envelopes.json', {
  seeds: Object.fromEntries(Object.entries(seeds).map(([name, seed]) => [name, toHex(seed)])),
  accepted: envelopes,
  sixteen: withEntries(numbered(16)),
  refused,
});

save(
  'possession.json',
  validatorRoles.map((role) => {
    const seed = fixed(`v1 ${role}`);
    const publicKey = ed25519Signer(seed).publicKey;
    const claim = { network: 'weft-dev', validator: 'v1', role, publicKey };
    return {
      seed: toHex(seed),
      network: claim.network,
      validator: claim.validator,
      role,
      publicKey: toHex(publicKey),
      message: toHex(possessionMessage(claim)),
      proof: toHex(provePossession('weft-dev', 'v1', role, seed)),
    };
  }),
);

const secret = {
  name: 'vote',
  algorithm: 'ed25519' as const,
  publicKey: publicKeyOf(seeds.operator),
  secret: seeds.operator,
};
save('key-files.json', {
  secrets: [
    {
      name: secret.name,
      algorithm: secret.algorithm,
      publicKey: toHex(secret.publicKey),
      secret: toHex(secret.secret),
    },
  ],
  passphrase: 'correct horse battery staple',
  encrypted: await encryptSecrets([secret], { passphrase: 'correct horse battery staple', scryptLogN: 10 }),
  unencrypted: await encryptSecrets([secret], { passphrase: null }),
});

// RFC 8032 §7.1, tests 1, 2, 3 and SHA(abc): seed, message; the answers are the RFC's.
save('rfc8032.json', [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
  {
    seed: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    publicKey: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    message:
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    signature:
      'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  },
]);
