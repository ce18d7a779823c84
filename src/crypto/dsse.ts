// DSSE envelopes (github.com/secure-systems-lab/dsse, protocol v1) in one encoding: members in fixed order, no spaces,
// standard padded base64, 1-16 signatures sorted by key id, none twice. The decoder walks the one production that
// there is, so that decodeEnvelope(b) succeeds only if encodeEnvelope gives b back: an envelope has one envelopeId.
import { base64Bytes, readBase64, toBase64 } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { decodeLatin1 } from '../codec/latin1.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';

/** Of a key that signs the PAE itself. */
export type PlainAlgorithm = 'ed25519' | 'p256';
export type SignatureAlgorithm = PlainAlgorithm | 'webauthn-p256';

export type PlainSignature = {
  /** 16 lower-case hex digits, see keyId.ts. */
  readonly keyid: string;
  readonly alg: PlainAlgorithm;
  /** 64 bytes for either algorithm. */
  readonly sig: Uint8Array;
};

/** An assertion whose challenge is SHA-256(PAE); what it must be beyond its form, webauthn.ts says. */
export type WebAuthnSignature = {
  readonly keyid: string;
  readonly alg: 'webauthn-p256';
  /** 37 bytes. */
  readonly authenticatorData: Uint8Array;
  readonly clientDataJSON: Uint8Array;
  /** r ‖ s, 64 bytes. */
  readonly sig: Uint8Array;
};

export type EnvelopeSignature = PlainSignature | WebAuthnSignature;

export type Envelope = {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  readonly signatures: readonly EnvelopeSignature[];
};

/** As it was read. All its bytes, the copy of the envelope too, are views of one array that holds nothing else. */
export type DecodedEnvelope = Envelope & {
  /** What was signed (pae); the payload is its end. */
  readonly signed: Uint8Array;
  /** The encoding. */
  readonly bytes: Uint8Array;
};

export type EnvelopeLimits = {
  /** Default 32 KiB. */
  readonly payloadBytesMax?: number;
  /** Default 48 KiB. */
  readonly envelopeBytesMax?: number;
};

const PAYLOAD_BYTES_MAX = 32 * 1024;
export const ENVELOPE_BYTES_MAX = 48 * 1024;
const SIGNATURES_MAX = 16;
/** rpIdHash (32), flags (1), signature counter (4): an assertion with extensions or attested data is longer, and refused. */
export const AUTHENTICATOR_DATA_BYTES = 37;
/** Characters of one entry of `signatures`: a browser decides how long clientDataJSON is. */
const SIGNATURE_ENTRY_BYTES_MAX = 2048;
const PAYLOAD_TYPE_CHARACTERS_MAX = 128;
const SIGNATURE_BYTES = 64;
/** In standard padded base64. */
const SIGNATURE_CHARACTERS = 88;
const AUTHENTICATOR_DATA_CHARACTERS = 52;

const keyIdPattern = /^[0-9a-f]{16}$/;
/** A media type: nothing that JSON would escape. */
const payloadTypePattern = /^[a-z0-9][a-z0-9.+/-]*$/;

/** What is signed: `"DSSEv1" SP len(type) SP type SP len(body) SP body`, lengths in bytes, decimal. */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  return concat(encodeUtf8(paeHead(encodeUtf8(payloadType).length, payloadType, payload.length)), payload);
}

function paeHead(typeBytes: number, payloadType: string, payloadBytes: number): string {
  return `DSSEv1 ${typeBytes} ${payloadType} ${payloadBytes} `;
}

/**
 * The one encoding. The caller sorts: signatures out of order are a defect here, not repaired.
 * Refusals: `ENVELOPE_TOO_LARGE`, `ENVELOPE_INVALID`, `ENVELOPE_SIGNATURES` (count, order, key id, lengths).
 */
export function encodeEnvelope(envelope: Envelope, limits: EnvelopeLimits = {}): Uint8Array {
  checkPayload(envelope.payload.length, limits);
  checkPayloadType(envelope.payloadType);
  checkSignatures(envelope.signatures);
  const entries = envelope.signatures.map(writeSignature);
  for (const entry of entries) checkEntrySize(entry.length);
  const bytes = encodeUtf8(
    `{"payload":"${toBase64(envelope.payload)}","payloadType":"${envelope.payloadType}","signatures":[${entries.join(',')}]}`,
  );
  checkSize(bytes.length, limits);
  return bytes;
}

function writeSignature(entry: EnvelopeSignature): string {
  const name = entry.alg === 'ed25519' ? '' : `"alg":"${entry.alg}",`;
  const asserted =
    entry.alg === 'webauthn-p256'
      ? `"authenticatorData":"${toBase64(entry.authenticatorData)}","clientDataJSON":"${toBase64(entry.clientDataJSON)}",`
      : '';
  return `{"keyid":"${entry.keyid}",${name}${asserted}"sig":"${toBase64(entry.sig)}"}`;
}

/** Signatures in the order that an envelope needs. */
export function sortSignatures(signatures: readonly EnvelopeSignature[]): EnvelopeSignature[] {
  return [...signatures].sort((a, b) => (a.keyid < b.keyid ? -1 : a.keyid > b.keyid ? 1 : 0));
}

/**
 * The envelope of its one encoding; verifies nothing.
 * Refusals: `ENVELOPE_TOO_LARGE` (envelope or payload), `ENVELOPE_INVALID` (another encoding, or none),
 * `ENVELOPE_SIGNATURES` (count, order, twice, an entry too long), `ENVELOPE_ALG_UNSUPPORTED` (an algorithm that this version does not check).
 */
export function decodeEnvelope(bytes: Uint8Array, limits: EnvelopeLimits = {}): DecodedEnvelope {
  checkSize(bytes.length, limits);
  // Every byte is compared as a character below, and no production holds one above 0x7f.
  const cursor: Cursor = { text: decodeLatin1(bytes), at: 0 };
  expect(cursor, '{"payload":"');
  const payloadText = until(cursor, '"');
  checkPayload(Math.floor((payloadText.length * 3) / 4) - 2, limits);
  expect(cursor, ',"payloadType":"');
  const payloadType = until(cursor, '"');
  checkPayloadType(payloadType);
  expect(cursor, ',"signatures":[');
  // In it: what was signed, what the signatures bring (three quarters of their characters at most), the envelope.
  const payloadBytes = base64Bytes(payloadText);
  const head = paeHead(payloadType.length, payloadType, payloadBytes);
  const signedBytes = head.length + payloadBytes;
  const broughtBytesMax = Math.ceil(((cursor.text.length - cursor.at) * 3) / 4);
  const room: Room = { bytes: new Uint8Array(signedBytes + broughtBytesMax + bytes.length), at: signedBytes };
  // One, as a rule, and the list lives as long as the envelope: a list that grows has room for sixteen more.
  const signatures: EnvelopeSignature[] = [readSignature(cursor, room)];
  while (take(cursor, ',')) {
    if (signatures.length === SIGNATURES_MAX) throw badSignatures(`more than ${SIGNATURES_MAX}`);
    signatures.push(readSignature(cursor, room));
  }
  expect(cursor, ']}');
  if (cursor.at !== cursor.text.length) throw invalid('bytes follow it', cursor.at);
  checkSignatures(signatures);
  const signed = room.bytes.subarray(0, signedBytes);
  for (let i = 0; i < head.length; i += 1) signed[i] = head.charCodeAt(i);
  const payload = signed.subarray(head.length);
  if (!readBase64(payloadText, payload)) throw notBase64();
  checkPayload(payload.length, limits);
  const copy = room.bytes.subarray(room.at, room.at + bytes.length);
  copy.set(bytes);
  return { payload, payloadType, signatures, signed, bytes: copy };
}

type Cursor = { readonly text: string; at: number };

/** One array for all that an envelope brings: many small ones cost more than what is done with them. */
type Room = { readonly bytes: Uint8Array; at: number };

function readSignature(cursor: Cursor, room: Room): EnvelopeSignature {
  const start = cursor.at;
  expect(cursor, '{"keyid":"');
  const keyid = until(cursor, '"');
  const alg = take(cursor, ',"alg":"') ? readAlgorithm(until(cursor, '"'), cursor.at) : 'ed25519';
  if (alg !== 'webauthn-p256') return { keyid, alg, sig: readEnd(cursor, start, room) };
  expect(cursor, ',"authenticatorData":"');
  const authenticatorData = until(cursor, '"');
  if (authenticatorData.length !== AUTHENTICATOR_DATA_CHARACTERS) {
    throw badSignatures(`authenticatorData of other than ${AUTHENTICATOR_DATA_BYTES} bytes (it holds extensions?)`);
  }
  expect(cursor, ',"clientDataJSON":"');
  const clientDataJSON = until(cursor, '"');
  const sig = readEnd(cursor, start, room);
  return {
    keyid,
    alg,
    authenticatorData: bytesOf(authenticatorData, room),
    clientDataJSON: bytesOf(clientDataJSON, room),
    sig,
  };
}

function readAlgorithm(name: string, at: number): SignatureAlgorithm {
  // Ed25519 is said by saying nothing: written out, one envelope would have two encodings.
  if (name === 'ed25519') throw invalid('an Ed25519 signature names its algorithm', at);
  if (name === 'p256' || name === 'webauthn-p256') return name;
  throw new WeftError('ENVELOPE_ALG_UNSUPPORTED', `Signatures of algorithm "${name.slice(0, 32)}" are not supported.`);
}

/** `sig` and the end of the entry that began at `start`, whose length is bounded before anything in it is decoded. */
function readEnd(cursor: Cursor, start: number, room: Room): Uint8Array {
  expect(cursor, ',"sig":"');
  const text = until(cursor, '"');
  if (text.length !== SIGNATURE_CHARACTERS) {
    throw badSignatures(`a signature of ${text.length} characters, not ${SIGNATURE_CHARACTERS}`);
  }
  expect(cursor, '}');
  checkEntrySize(cursor.at - start);
  return bytesOf(text, room);
}

function bytesOf(text: string, room: Room): Uint8Array {
  const bytes = room.bytes.subarray(room.at, room.at + base64Bytes(text));
  if (!readBase64(text, bytes)) throw notBase64();
  room.at += bytes.length;
  return bytes;
}

function notBase64(): WeftError {
  return new WeftError('ENVELOPE_INVALID', 'The envelope holds text that is not strict standard base64 with padding.');
}

function take(cursor: Cursor, text: string): boolean {
  if (!cursor.text.startsWith(text, cursor.at)) return false;
  cursor.at += text.length;
  return true;
}

function expect(cursor: Cursor, text: string): void {
  if (!take(cursor, text)) throw invalid(`${text} is expected`, cursor.at);
}

/** What stands before `end`; goes past `end`. */
function until(cursor: Cursor, end: string): string {
  const stop = cursor.text.indexOf(end, cursor.at);
  if (stop < 0) throw invalid('a text does not end', cursor.at);
  const text = cursor.text.slice(cursor.at, stop);
  cursor.at = stop + end.length;
  return text;
}

function checkSize(bytes: number, limits: EnvelopeLimits): void {
  const bytesMax = limits.envelopeBytesMax ?? ENVELOPE_BYTES_MAX;
  if (bytes > bytesMax) {
    throw new WeftError('ENVELOPE_TOO_LARGE', `An envelope of ${bytes} bytes; at most ${bytesMax} are accepted.`, {
      bytes,
      bytesMax,
    });
  }
}

function checkPayload(bytes: number, limits: EnvelopeLimits): void {
  const bytesMax = limits.payloadBytesMax ?? PAYLOAD_BYTES_MAX;
  if (bytes > bytesMax) {
    throw new WeftError('ENVELOPE_TOO_LARGE', `A payload of over ${bytesMax} bytes, which is the most accepted.`, {
      bytes,
      bytesMax,
    });
  }
}

function checkPayloadType(payloadType: string): void {
  if (payloadType.length > PAYLOAD_TYPE_CHARACTERS_MAX || !payloadTypePattern.test(payloadType)) {
    throw new WeftError('ENVELOPE_INVALID', 'The payloadType is not a lower-case media type.');
  }
}

function checkSignatures(signatures: readonly EnvelopeSignature[]): void {
  if (signatures.length < 1 || signatures.length > SIGNATURES_MAX)
    throw badSignatures(`${signatures.length} of them, not 1-${SIGNATURES_MAX}`);
  let previous = '';
  for (const entry of signatures) {
    const { keyid, sig } = entry;
    if (!keyIdPattern.test(keyid)) throw badSignatures('a keyid that is not 16 lower-case hex digits');
    if (keyid <= previous) throw badSignatures('not sorted by keyid, or one key twice');
    if (sig.length !== SIGNATURE_BYTES)
      throw badSignatures(`a signature of ${sig.length} bytes, not ${SIGNATURE_BYTES}`);
    if (entry.alg === 'webauthn-p256' && entry.authenticatorData.length !== AUTHENTICATOR_DATA_BYTES)
      throw badSignatures(
        `authenticatorData of ${entry.authenticatorData.length} bytes, not ${AUTHENTICATOR_DATA_BYTES}`,
      );
    previous = keyid;
  }
}

function checkEntrySize(bytes: number): void {
  if (bytes > SIGNATURE_ENTRY_BYTES_MAX)
    throw badSignatures(`an entry of ${bytes} bytes; at most ${SIGNATURE_ENTRY_BYTES_MAX} are accepted`);
}

function badSignatures(why: string): WeftError {
  return new WeftError('ENVELOPE_SIGNATURES', `The envelope's signatures: ${why}.`);
}

function invalid(why: string, at: number): WeftError {
  return new WeftError('ENVELOPE_INVALID', `Not the one encoding of an envelope: at byte ${at}, ${why}.`, { at });
}
