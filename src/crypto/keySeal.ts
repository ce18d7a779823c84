// Secrets at rest. A key file is one JSON document that holds several named secrets (a validator's five keys, an
// account's one), encrypted together: scrypt (RFC 7914) makes the key, XChaCha20-Poly1305 seals, and everything else in
// the file (kind, parameters, names, public keys) is authenticated with it, so that no part can be swapped.
import { randomBytes, scrypt } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { fromBase64Url, toBase64Url } from '../codec/base64.ts';
import { canonicalJson } from '../codec/canonical.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { type Json, parseStrictJson } from '../codec/json.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';

export type NamedSecret = {
  /** `a-z0-9.-`, 1-64 characters, unique in its file. */
  readonly name: string;
  readonly algorithm: 'ed25519' | 'p256' | 'x25519';
  readonly publicKey: Uint8Array;
  /** Seed or secret key, 32 bytes. */
  readonly secret: Uint8Array;
};

/** What a key file shows without its passphrase. */
export type PublicPart = Omit<NamedSecret, 'secret'>;

/** `passphrase: null` asks for a file that is not encrypted (development): it must be said, never left out. */
export type Protection = {
  readonly passphrase: string | null;
  /** log2 of scrypt's N for writing, 10-20. Default 17: 128 MiB and about half a second, once at start. */
  readonly scryptLogN?: number;
};

const KEY_FILE_FORMAT = 'weft/keys/v1';
export const KEY_FILE_BYTES_MAX = 64 * 1024;
const SECRETS_MAX = 64;
const SECRET_BYTES = 32;
const SALT_BYTES = 32;
const NONCE_BYTES = 24;
const TAG_BYTES = 16;
const SCRYPT_LOG_N_DEFAULT = 17;
/** Below, guessing is too cheap to be called protection; above, 1 GiB: a hostile file must not exhaust the machine. */
const SCRYPT_LOG_N_MIN = 10;
const SCRYPT_LOG_N_MAX = 20;
const SCRYPT_R = 8;
const SCRYPT_P = 1;

const namePattern = /^[a-z0-9][a-z0-9.-]{0,63}$/;

/**
 * The text of a key file. With `passphrase: null` the secrets stand in it as they are and the file says so.
 * Refusals: `KEY_FILE_INVALID` (names, lengths, parameters), `KEY_PASSPHRASE_EMPTY`.
 */
export async function encryptSecrets(secrets: readonly NamedSecret[], protection: Protection): Promise<string> {
  checkSecrets(secrets);
  const header = {
    format: KEY_FILE_FORMAT,
    keys: secrets.map(({ name, algorithm, publicKey }) => ({ name, algorithm, publicKey: toBase64Url(publicKey) })),
  };
  const plain = concat(...secrets.map(({ secret }) => secret));
  if (protection.passphrase === null) {
    return `${canonicalJson({ ...header, protection: { kind: 'none' }, secrets: toBase64Url(plain) })}\n`;
  }
  if (protection.passphrase === '') {
    throw new WeftError(
      'KEY_PASSPHRASE_EMPTY',
      'The passphrase is empty. Give one, or ask explicitly for an unencrypted file.',
    );
  }
  const logN = protection.scryptLogN ?? SCRYPT_LOG_N_DEFAULT;
  checkLogN(logN);
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
  const authenticated = {
    ...header,
    protection: {
      kind: 'scrypt-xchacha20poly1305',
      logN,
      r: SCRYPT_R,
      p: SCRYPT_P,
      salt: toBase64Url(salt),
      nonce: toBase64Url(nonce),
    },
  };
  const key = await deriveKey(protection.passphrase, salt, logN);
  const sealed = xchacha20poly1305(key, nonce, encodeUtf8(canonicalJson(authenticated))).encrypt(plain);
  key.fill(0);
  plain.fill(0);
  return `${canonicalJson({ ...authenticated, secrets: toBase64Url(sealed) })}\n`;
}

/**
 * The secrets of a key file's bytes. `passphrase: null` opens only a file that is not encrypted; a file that is not
 * encrypted opens with `null` only, so that nobody believes in a passphrase that protects nothing.
 * Refusals: `KEY_FILE_INVALID`, `KEY_PASSPHRASE_NEEDED`, `KEY_FILE_UNENCRYPTED`, `KEY_PASSPHRASE_WRONG`.
 */
export async function decryptSecrets(bytes: Uint8Array, passphrase: string | null): Promise<NamedSecret[]> {
  const file = parseKeyFile(bytes);
  if (file.protection.kind === 'none') {
    if (passphrase !== null) {
      throw new WeftError(
        'KEY_FILE_UNENCRYPTED',
        'The key file is not encrypted. Open it without a passphrase if that is meant.',
      );
    }
    return withSecrets(file.keys, file.secrets);
  }
  if (passphrase === null)
    throw new WeftError('KEY_PASSPHRASE_NEEDED', 'The key file is encrypted. Give its passphrase.');
  const { salt, nonce, logN } = file.protection;
  const key = await deriveKey(passphrase, salt, logN);
  let plain: Uint8Array;
  try {
    plain = xchacha20poly1305(key, nonce, encodeUtf8(canonicalJson(file.authenticated))).decrypt(file.secrets);
  } catch {
    throw new WeftError(
      'KEY_PASSPHRASE_WRONG',
      'The passphrase is not that of this key file (or the file was changed).',
    );
  } finally {
    key.fill(0);
  }
  return withSecrets(file.keys, plain);
}

/** What can be read without the passphrase, unverified: names and public keys. Refusal: `KEY_FILE_INVALID`. */
export function publicPartOf(bytes: Uint8Array): PublicPart[] {
  return parseKeyFile(bytes).keys;
}

type KeyFile = {
  readonly keys: PublicPart[];
  readonly secrets: Uint8Array;
  readonly authenticated: Json;
  readonly protection:
    | { readonly kind: 'none' }
    | { readonly kind: 'scrypt'; readonly salt: Uint8Array; readonly nonce: Uint8Array; readonly logN: number };
};

function parseKeyFile(bytes: Uint8Array): KeyFile {
  try {
    return readKeyFileDocument(bytes);
  } catch (error) {
    if (codeOf(error) === 'KEY_FILE_INVALID') throw error;
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

function readKeyFileDocument(bytes: Uint8Array): KeyFile {
  const body = bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
  const document = members(parseStrictJson(body, { bytesMax: KEY_FILE_BYTES_MAX, depthMax: 4 }), 'the document', [
    'format',
    'keys',
    'protection',
    'secrets',
  ]);
  if (document['format'] !== KEY_FILE_FORMAT) throw invalid(`the format is not ${KEY_FILE_FORMAT}`);
  const list = document['keys'];
  if (!Array.isArray(list) || list.length < 1 || list.length > SECRETS_MAX) throw invalid(`not 1-${SECRETS_MAX} keys`);
  const keys = list.map((entry: Json): PublicPart => {
    const key = members(entry, 'a key', ['algorithm', 'name', 'publicKey']);
    const algorithm = key['algorithm'];
    if (algorithm !== 'ed25519' && algorithm !== 'p256' && algorithm !== 'x25519')
      throw invalid('an unknown algorithm');
    return { name: text(key['name']), algorithm, publicKey: fromBase64Url(text(key['publicKey'])) };
  });
  checkNames(keys);
  const secrets = fromBase64Url(text(document['secrets']));
  const { secrets: _, ...authenticated } = document;
  const kind =
    typeof document['protection'] === 'object' ? (document['protection'] as { kind?: Json }).kind : undefined;
  const sealed = kind === 'none' ? 0 : TAG_BYTES;
  if (secrets.length !== keys.length * SECRET_BYTES + sealed) throw invalid('the secrets have a wrong length');
  if (kind === 'none') {
    members(document['protection'], 'protection', ['kind']);
    return { keys, secrets, authenticated, protection: { kind: 'none' } };
  }
  if (kind !== 'scrypt-xchacha20poly1305') throw invalid('an unknown kind of protection');
  const protection = members(document['protection'], 'protection', ['kind', 'logN', 'nonce', 'p', 'r', 'salt']);
  const logN = protection['logN'];
  checkLogN(logN);
  if (protection['r'] !== SCRYPT_R || protection['p'] !== SCRYPT_P)
    throw invalid(`scrypt's r and p are not ${SCRYPT_R} and ${SCRYPT_P}`);
  const salt = fromBase64Url(text(protection['salt']), SALT_BYTES);
  const nonce = fromBase64Url(text(protection['nonce']), NONCE_BYTES);
  return { keys, secrets, authenticated, protection: { kind: 'scrypt', salt, nonce, logN } };
}

/** The members of an object that has exactly these names. */
function members(value: Json | undefined, what: string, names: readonly string[]): { readonly [name: string]: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} is not an object`);
  const found = Object.keys(value).sort().join(',');
  if (found !== names.join(',')) throw invalid(`${what} has the members ${found}, not ${names.join(',')}`);
  return value as { readonly [name: string]: Json };
}

function text(value: Json | undefined): string {
  if (typeof value !== 'string') throw invalid('a member that should be a text is none');
  return value;
}

function withSecrets(keys: readonly PublicPart[], plain: Uint8Array): NamedSecret[] {
  return keys.map((key, i) => ({ ...key, secret: plain.slice(i * SECRET_BYTES, (i + 1) * SECRET_BYTES) }));
}

function checkSecrets(secrets: readonly NamedSecret[]): void {
  if (secrets.length < 1 || secrets.length > SECRETS_MAX) throw invalid(`not 1-${SECRETS_MAX} secrets`);
  for (const { secret } of secrets)
    if (secret.length !== SECRET_BYTES) throw invalid(`a secret of ${secret.length} bytes, not ${SECRET_BYTES}`);
  checkNames(secrets);
}

function checkNames(keys: readonly PublicPart[]): void {
  for (const { name } of keys)
    if (!namePattern.test(name)) throw invalid('a name that is not 1-64 characters of a-z0-9.-');
  if (new Set(keys.map(({ name }) => name)).size !== keys.length) throw invalid('a name twice');
}

function checkLogN(logN: Json | undefined): asserts logN is number {
  if (typeof logN !== 'number' || !Number.isInteger(logN) || logN < SCRYPT_LOG_N_MIN || logN > SCRYPT_LOG_N_MAX) {
    throw invalid(`scrypt's logN is not ${SCRYPT_LOG_N_MIN}-${SCRYPT_LOG_N_MAX}`);
  }
}

function deriveKey(passphrase: string, salt: Uint8Array, logN: number): Promise<Uint8Array> {
  const N = 2 ** logN;
  // NFKC, so that one passphrase typed on two systems is one passphrase.
  const secret = encodeUtf8(passphrase.normalize('NFKC'));
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, 32, { N, r: SCRYPT_R, p: SCRYPT_P, maxmem: 130 * N * SCRYPT_R }, (error, key) => {
      secret.fill(0);
      if (error === null) resolve(new Uint8Array(key));
      else
        reject(
          new WeftError('KEY_DERIVATION_FAILED', `scrypt with ${128 * N * SCRYPT_R} bytes of memory: ${error.message}`),
        );
    });
  });
}

function invalid(why: string): WeftError {
  return new WeftError('KEY_FILE_INVALID', `Not a key file of ${KEY_FILE_FORMAT}: ${why}. Restore it from a copy.`);
}
