// Signatures by people: a WebAuthn assertion (W3C Web Authentication Level 3) by a P-256 key, as one deterministic rule. What
// a browser may write into clientDataJSON is a grammar small enough to be read character by character, so that no two readers
// of the ledger can differ about it. No `node:` module: the approval page holds itself to the same rule before it sends.
import { sha256 } from '@noble/hashes/sha2.js';
import { toBase64Url } from '../codec/base64.ts';
import { concat, encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { AUTHENTICATOR_DATA_BYTES } from './dsse.ts';
import { verifyP256 } from './p256.ts';

/** What an authenticator and its browser answer. `sig` is r ‖ s, low-S: authenticators write DER and either S, the page repairs both. */
export type Assertion = {
  readonly authenticatorData: Uint8Array;
  readonly clientDataJSON: Uint8Array;
  readonly sig: Uint8Array;
};

/** Where a key may be used: registered with it. `rpId` is a domain, `origin` a web origin under it. */
export type RelyingParty = { readonly rpId: string; readonly origin: string };

const RP_ID_CHARACTERS_MAX = 128;
const ORIGIN_CHARACTERS_MAX = 160;
const FLAGS_AT = 32;

/** Bits of `flags` (WebAuthn §6.1). All others must be clear: reserved ones, attested data (0x40), extensions (0x80). */
const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const BACKUP_ELIGIBLE = 0x08;
const BACKED_UP = 0x10;
const KNOWN_FLAGS = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | BACKED_UP;

/** base64url of SHA-256(message): what the page hands to the authenticator, as clientDataJSON spells it. */
export function challengeOf(message: Uint8Array): string {
  return toBase64Url(sha256(message));
}

/**
 * What the key signed, if the assertion answers for exactly this message under this relying party; undefined where it does not:
 * another challenge, type, rpId or origin, nobody present, framed in a page of others, flags or text outside the rule.
 */
export function assertedBytes(
  { authenticatorData, clientDataJSON }: Pick<Assertion, 'authenticatorData' | 'clientDataJSON'>,
  message: Uint8Array,
  { rpId, origin }: RelyingParty,
): Uint8Array | undefined {
  if (authenticatorData.length !== AUTHENTICATOR_DATA_BYTES) return undefined;
  if (!equalBytes(authenticatorData.subarray(0, FLAGS_AT), sha256(encodeUtf8(rpId)))) return undefined;
  const flags = authenticatorData[FLAGS_AT] ?? 0;
  if ((flags & ~KNOWN_FLAGS) !== 0 || (flags & USER_PRESENT) === 0) return undefined;
  if ((flags & BACKED_UP) !== 0 && (flags & BACKUP_ELIGIBLE) === 0) return undefined;
  if (!isClientData(clientDataJSON, challengeOf(message), origin)) return undefined;
  return concat(authenticatorData, sha256(clientDataJSON));
}

/** Whether the assertion is by this key (33 bytes, compressed), for this message and relying party. Never throws. */
export function verifyWebAuthn(
  message: Uint8Array,
  assertion: Assertion,
  publicKey: Uint8Array,
  party: RelyingParty,
): boolean {
  const asserted = assertedBytes(assertion, message, party);
  return asserted !== undefined && verifyP256(asserted, assertion.sig, publicKey);
}

/** Whether the authenticator says that it knew who touched it (PIN, fingerprint). Believe it only where the signature holds. */
export function userVerified(authenticatorData: Uint8Array): boolean {
  return ((authenticatorData[FLAGS_AT] ?? 0) & USER_VERIFIED) !== 0;
}

/**
 * Whether a key can be registered for these: a domain in lower case; an origin as browsers write it (https, or http of
 * localhost), no default port, whose host is the domain or below it. Total, without regular expressions: contracts ask.
 */
export function isRelyingParty({ rpId, origin }: RelyingParty): boolean {
  if (!isDomain(rpId) || origin.length > ORIGIN_CHARACTERS_MAX) return false;
  const secure = origin.startsWith('https://');
  if (!secure && !origin.startsWith('http://')) return false;
  const [host = '', port, ...more] = origin.slice(secure ? 8 : 7).split(':');
  if (more.length > 0 || !isDomain(host)) return false;
  if (port !== undefined && !isPort(port, secure ? '443' : '80')) return false;
  if (!secure && host !== 'localhost' && !host.endsWith('.localhost')) return false;
  return host === rpId || host.endsWith(`.${rpId}`);
}

function isDomain(text: string): boolean {
  if (text.length > RP_ID_CHARACTERS_MAX) return false;
  return text.split('.').every((label) => {
    if (label === '' || label.length > 63 || label.startsWith('-') || label.endsWith('-')) return false;
    return consistsOf(label, isDomainCharacter);
  });
}

function isPort(text: string, defaultPort: string): boolean {
  if (text === '' || text.length > 5 || text.startsWith('0') || text === defaultPort) return false;
  return consistsOf(text, isDigit) && Number(text) <= 65_535;
}

/** The names that the rule itself speaks about: no further member may have one of them. */
const spokenFor: readonly string[] = ['type', 'challenge', 'origin', 'crossOrigin', 'topOrigin'];

/**
 * The one production: `{"type":"webauthn.get","challenge":"…","origin":"…"`, then `,"crossOrigin":false` or nothing, then any
 * number of `,"name":value`, then `}`. A name is 1-64 of `A-Za-z0-9_`, none twice; a value is true, false, or a text of printable
 * ASCII without quote and backslash. That is what WebAuthn §5.8.1.1 has browsers write, with room for the members that they add
 * so that nobody compares with a template.
 */
function isClientData(bytes: Uint8Array, challenge: string, origin: string): boolean {
  const text = printableText(bytes);
  const head = `{"type":"webauthn.get","challenge":"${challenge}","origin":"${origin}"`;
  if (text === undefined || !text.startsWith(head)) return false;
  const sameOrigin = ',"crossOrigin":false';
  let at = head.length;
  if (text.startsWith(sameOrigin, at)) at += sameOrigin.length;
  const names = new Set<string>(spokenFor);
  while (text[at] === ',') {
    if (text[at + 1] !== '"') return false;
    const nameEnd = text.indexOf('"', at + 2);
    const name = text.slice(at + 2, nameEnd);
    if (nameEnd < 0 || name === '' || name.length > 64 || !consistsOf(name, isNameCharacter)) return false;
    if (names.has(name) || text[nameEnd + 1] !== ':') return false;
    names.add(name);
    at = endOfValue(text, nameEnd + 2);
    if (at < 0) return false;
  }
  return text[at] === '}' && at + 1 === text.length;
}

/** Where the value that begins at `at` ends; −1 when there is none of the three kinds. */
function endOfValue(text: string, at: number): number {
  for (const word of ['true', 'false']) if (text.startsWith(word, at)) return at + word.length;
  if (text[at] !== '"') return -1;
  const end = text.indexOf('"', at + 1);
  return end < 0 || text.slice(at, end).includes('\\') ? -1 : end + 1;
}

/** The bytes as text when all are printable ASCII. */
function printableText(bytes: Uint8Array): string | undefined {
  let text = '';
  for (const byte of bytes) {
    if (byte < 0x20 || byte > 0x7e) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

function consistsOf(text: string, holds: (code: number) => boolean): boolean {
  for (let at = 0; at < text.length; at += 1) if (!holds(text.charCodeAt(at))) return false;
  return true;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isLower(code: number): boolean {
  return code >= 0x61 && code <= 0x7a;
}

function isDomainCharacter(code: number): boolean {
  return isLower(code) || isDigit(code) || code === 0x2d;
}

function isNameCharacter(code: number): boolean {
  return isLower(code) || isDigit(code) || (code >= 0x41 && code <= 0x5a) || code === 0x5f;
}
