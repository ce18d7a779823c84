import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { generateSeed, publicKeyOf } from '../../src/crypto/ed25519.ts';
import { readKeyFile, readPublicPart, writeKeyFile } from '../../src/crypto/keyfile.ts';
import { decryptSecrets, encryptSecrets, type NamedSecret } from '../../src/crypto/keySeal.ts';
import { vectors } from './vectors.ts';

const cheap = { passphrase: 'a passphrase', scryptLogN: 10 };
const secretNamed = (name: string): NamedSecret => {
  const secret = generateSeed();
  return { name, algorithm: 'ed25519', publicKey: publicKeyOf(secret), secret };
};
const codeFor = async (promise: Promise<unknown>): Promise<string> => promise.then(() => 'accepted', codeOf);
const plain = (secrets: readonly NamedSecret[]) =>
  secrets.map(({ name, algorithm, publicKey, secret }) => ({
    name,
    algorithm,
    publicKey: toHex(publicKey),
    secret: toHex(secret),
  }));

t.test('frozen key files open', async (t) => {
  const frozen = vectors<{ secrets: object[]; passphrase: string; encrypted: string; unencrypted: string }>(
    'key-files.json',
  );
  t.same(plain(await decryptSecrets(encodeUtf8(frozen.encrypted), frozen.passphrase)), frozen.secrets);
  t.same(plain(await decryptSecrets(encodeUtf8(frozen.unencrypted), null)), frozen.secrets);
});

t.test('several secrets go in and come out; the passphrase decides', async (t) => {
  const secrets = [secretNamed('vote'), secretNamed('log'), secretNamed('account')];
  const text = await encryptSecrets(secrets, cheap);
  t.same(plain(await decryptSecrets(encodeUtf8(text), cheap.passphrase)), plain(secrets));
  for (const { secret } of secrets)
    t.notMatch(text, Buffer.from(secret).toString('base64url'), 'no secret in the clear');
  t.equal(await codeFor(decryptSecrets(encodeUtf8(text), 'another')), 'KEY_PASSPHRASE_WRONG');
  t.equal(await codeFor(decryptSecrets(encodeUtf8(text), '')), 'KEY_PASSPHRASE_WRONG');
  t.equal(await codeFor(decryptSecrets(encodeUtf8(text), null)), 'KEY_PASSPHRASE_NEEDED');
  t.equal(await codeFor(encryptSecrets(secrets, { passphrase: '' })), 'KEY_PASSPHRASE_EMPTY');
  t.not(await encryptSecrets(secrets, cheap), text, 'a new salt each time');
});

t.test('a passphrase is the same however its accents are typed', async (t) => {
  const text = await encryptSecrets([secretNamed('vote')], { ...cheap, passphrase: 'caf\u00e9' });
  t.equal(await codeFor(decryptSecrets(encodeUtf8(text), 'cafe\u0301')), 'accepted');
});

t.test('an unencrypted file must be asked for, on writing and on reading', async (t) => {
  const text = await encryptSecrets([secretNamed('vote')], { passphrase: null });
  t.match(text, '"kind":"none"');
  t.equal(await codeFor(decryptSecrets(encodeUtf8(text), null)), 'accepted');
  t.equal(await codeFor(decryptSecrets(encodeUtf8(text), 'a passphrase')), 'KEY_FILE_UNENCRYPTED');
});

t.test('everything in the file is authenticated or refused', async (t) => {
  const text = await encryptSecrets([secretNamed('vote'), secretNamed('log')], cheap);
  const wrong = async (why: string, from: string | RegExp, to: string, code: string): Promise<void> => {
    const changed = text.replace(from, to);
    t.not(changed, text, `${why}: the text was changed`);
    t.equal(await codeFor(decryptSecrets(encodeUtf8(changed), cheap.passphrase)), code, why);
  };
  await wrong('a renamed key', '"name":"log"', '"name":"lag"', 'KEY_PASSPHRASE_WRONG');
  await wrong(
    'another public key',
    /"publicKey":"[^"]{43}"/,
    `"publicKey":"${'A'.repeat(43)}"`,
    'KEY_PASSPHRASE_WRONG',
  );
  await wrong('cheaper scrypt', '"logN":10', '"logN":11', 'KEY_PASSPHRASE_WRONG');
  await wrong('scrypt without end', '"logN":10', '"logN":40', 'KEY_FILE_INVALID');
  await wrong('scrypt for nothing', '"logN":10', '"logN":1', 'KEY_FILE_INVALID');
  await wrong('a huge r', '"r":8', '"r":1000000', 'KEY_FILE_INVALID');
  await wrong('a huge p', '"p":1', '"p":1000000', 'KEY_FILE_INVALID');
  await wrong('another format', 'weft/keys/v1', 'weft/keys/v2', 'KEY_FILE_INVALID');
  await wrong('another kind', 'scrypt-xchacha20poly1305', 'rot13', 'KEY_FILE_INVALID');
  await wrong('said to be unencrypted', /"protection":\{[^}]*\}/, '"protection":{"kind":"none"}', 'KEY_FILE_INVALID');
  await wrong('one name twice', '"name":"log"', '"name":"vote"', 'KEY_FILE_INVALID');
  await wrong('an unknown member', '{"format"', '{"extra":1,"format"', 'KEY_FILE_INVALID');
  await wrong('a space', '{"format"', '{ "format"', 'KEY_FILE_INVALID');
  await wrong('cut short', /.{20}\n$/, '', 'KEY_FILE_INVALID');
  await wrong('sealed text changed', /"secrets":"../, '"secrets":"__', 'KEY_PASSPHRASE_WRONG');
});

t.test('on disk: only the owner reads it, and nothing overwrites it', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'keys.json');
  const [first, second] = [secretNamed('vote'), secretNamed('vote')];
  await writeKeyFile(path, [first], cheap);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.same(plain(await readKeyFile(path, cheap.passphrase)), plain([first]));
  t.same(
    (await readPublicPart(path)).map(({ publicKey }) => toHex(publicKey)),
    [toHex(first.publicKey)],
  );
  const before = readFileSync(path, 'utf8');
  t.equal(await codeFor(writeKeyFile(path, [second], cheap)), 'KEY_FILE_EXISTS');
  t.equal(readFileSync(path, 'utf8'), before);
  await writeKeyFile(path, [second], { ...cheap, replace: true });
  t.same(plain(await readKeyFile(path, cheap.passphrase)), plain([second]));
  t.same(readdirSync(folder), ['keys.json'], 'no temporary file stays');
  t.equal(await codeFor(writeKeyFile(join(folder, 'missing', 'keys.json'), [first], cheap)), 'KEY_FILE_UNWRITABLE');
});

t.test('on disk: refused with what to do', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'keys.json');
  await writeKeyFile(path, [secretNamed('vote')], { passphrase: null });
  for (const mode of [0o640, 0o604, 0o644, 0o660, 0o700, 0o602]) {
    chmodSync(path, mode);
    await t.rejects(
      readKeyFile(path, null),
      { code: 'KEY_FILE_PERMISSIONS', message: `chmod 600 '${path}'` },
      mode.toString(8),
    );
  }
  for (const mode of [0o600, 0o400]) {
    chmodSync(path, mode);
    t.equal(await codeFor(readKeyFile(path, null)), 'accepted', mode.toString(8));
  }
  t.equal(await codeFor(readKeyFile(join(folder, 'none.json'), null)), 'KEY_FILE_MISSING');
  mkdirSync(join(folder, 'folder'), { mode: 0o700 });
  t.equal(await codeFor(readKeyFile(join(folder, 'folder'), null)), 'KEY_FILE_INVALID');
  const large = join(folder, 'large.json');
  writeFileSync(large, ' '.repeat(65 * 1024), { mode: 0o600 });
  t.equal(await codeFor(readKeyFile(large, null)), 'KEY_FILE_INVALID');
  const linked = join(folder, 'linked.json');
  symlinkSync(path, linked);
  t.equal(await codeFor(readKeyFile(linked, null)), 'accepted', 'a link is followed, what it names is checked');
});

t.test('what cannot be stored is refused before anything is written', async (t) => {
  const good = secretNamed('vote');
  for (const bad of [
    [],
    [good, good],
    [{ ...good, name: 'Vote' }],
    [{ ...good, name: '' }],
    [{ ...good, secret: fromHex('00') }],
  ]) {
    t.equal(await codeFor(encryptSecrets(bad, cheap)), 'KEY_FILE_INVALID');
  }
  t.equal(await codeFor(encryptSecrets([good], { passphrase: 'x', scryptLogN: 9 })), 'KEY_FILE_INVALID');
});
