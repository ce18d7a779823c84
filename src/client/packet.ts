/**
 * NLD packets: sealed for one receiver, checkable by every carrier.
 *
 * Two hashes, because two parties check two things. Carriers see only the ciphertext and check `Payload_Digest`; the
 * receiver checks `Payload_Commitment` after decryption. (One hash cannot do both, and a bare hash of a short content
 * would give it away: the commitment is keyed with a salt that only the receiver learns.) `Transaction_Hash_ID` binds
 * everything and is what the ledger records.
 *
 *     plaintext            = salt (32 bytes) ‖ content
 *     Payload_Commitment   = HMAC-SHA-256(key = salt, content)
 *     AAD                  = RFC 8785 of the packet without Payload, Payload_Digest, Transaction_Hash_ID
 *     enc, ct              = HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305,
 *                            info = "weft/packet/v1"
 *     Payload_Digest       = SHA-256(enc ‖ ct)
 *     Transaction_Hash_ID  = SHA-256("weft/packet/v1" ‖ RFC 8785 of the packet without Payload, Transaction_Hash_ID)
 */
import { createHmac, randomBytes } from 'node:crypto';
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305';
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { x25519 } from '@noble/curves/ed25519.js';
import type { NldPacket } from '../../schemas/types/nld-packet.ts';
import { validate } from '../../schemas/validators.ts';
import { fromBase64Url, toBase64Url } from '../codec/base64.ts';
import { canonicalJson } from '../codec/canonical.ts';
import { WeftError } from '../codec/error.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';

export type { NldPacket } from '../../schemas/types/nld-packet.ts';

/** What the sender says about a packet in the open; the rest of a packet follows from it and from the content. */
export type PacketHead = Pick<
  NldPacket,
  | 'NLD_Directive_Type'
  | 'Source_Instance_ID'
  | 'Target_Instance_ID'
  | 'Correlation_ID'
  | 'Timestamp_UTC'
  | 'traceparent'
>;

/** Domain tag of the packet id and `info` of HPKE. */
export const PACKET_TAG = 'weft/packet/v1';
export const PACKET_SCHEMA_VERSION = '0.3.0' as const;
const PACKET_SALT_BYTES = 32;
const aeadTagBytes = 16;
/** The schema's 1,398,102 characters of `ct` are 1 MiB of ciphertext. */
export const PACKET_CONTENT_BYTES_MAX = 1_048_576 - PACKET_SALT_BYTES - aeadTagBytes;

/** For vectors: everything that is random otherwise. */
export type SealRandomness = {
  /** 32 bytes. */
  readonly salt: Uint8Array;
  /** 32 bytes of key material, from which RFC 9180 DeriveKeyPair makes the ephemeral key. */
  readonly ephemeral: Uint8Array;
};

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Chacha20Poly1305(),
});

/** A fresh X25519 key pair to receive packets with; the public half is registered as an account key of alg 3. */
export function generatePacketKey(): { readonly secretKey: Uint8Array; readonly publicKey: Uint8Array } {
  const { secretKey, publicKey } = x25519.keygen();
  return { secretKey, publicKey };
}

/** @param secretKey 32 bytes */
export function packetPublicKeyOf(secretKey: Uint8Array): Uint8Array {
  checkKey(secretKey);
  return x25519.getPublicKey(secretKey);
}

/**
 * Seals `content` for the holder of `targetKey`.
 * @param targetKey the target's registered X25519 key, 32 bytes
 * @throws PACKET_TOO_LARGE, PACKET_KEY_INVALID (length, or a point of small order), PACKET_INVALID (the head)
 */
export async function sealPacket(
  head: PacketHead,
  content: Uint8Array,
  targetKey: Uint8Array,
  randomness?: SealRandomness,
): Promise<NldPacket> {
  if (content.length > PACKET_CONTENT_BYTES_MAX) {
    throw new WeftError(
      'PACKET_TOO_LARGE',
      `the content has ${content.length} bytes, a packet holds ${PACKET_CONTENT_BYTES_MAX}: send a reference to it`,
      { bytes: content.length, bytesMax: PACKET_CONTENT_BYTES_MAX },
    );
  }
  checkKey(targetKey);
  const salt = randomness?.salt ?? randomBytes(PACKET_SALT_BYTES);
  const named = { NLD_Schema_Version: PACKET_SCHEMA_VERSION, ...head, Payload_Commitment: commitmentOf(salt, content) };
  let enc: Uint8Array;
  let ct: Uint8Array;
  try {
    const sender = await suite.createSenderContext({
      recipientPublicKey: await suite.kem.deserializePublicKey(targetKey),
      info: encodeUtf8(PACKET_TAG),
      ...(randomness === undefined ? {} : { ekm: randomness.ephemeral }),
    });
    enc = new Uint8Array(sender.enc);
    ct = new Uint8Array(await sender.seal(concat(salt, content), associatedData(named)));
  } catch (error) {
    if (error instanceof WeftError) throw error;
    throw new WeftError('PACKET_KEY_INVALID', "the target's X25519 key cannot be sealed to: ask for a new one");
  }
  const Payload = { enc: toBase64Url(enc), ct: toBase64Url(ct) };
  const bound = { ...named, Payload, Payload_Digest: digestOf(enc, ct) };
  return checkCarrier({ ...bound, Transaction_Hash_ID: packetIdOf(bound) });
}

/**
 * What every carrier checks before it carries: form, digest, id. Says nothing about who made the packet (see
 * packetEnvelope.ts) nor about its content.
 * @returns the same packet, typed
 * @throws PACKET_INVALID (schema, base64url), PACKET_DIGEST_MISMATCH, PACKET_ID_MISMATCH
 */
export function checkCarrier(packet: unknown): NldPacket {
  const problem = validate('nld-packet', packet);
  if (problem !== undefined) throw new WeftError('PACKET_INVALID', `not an NLD packet: ${problem}`);
  const checked = packet as NldPacket;
  const { enc, ct } = payloadOf(checked);
  const digest = digestOf(enc, ct);
  if (digest !== checked.Payload_Digest) {
    throw new WeftError(
      'PACKET_DIGEST_MISMATCH',
      `the payload has digest ${digest}, the packet says ${checked.Payload_Digest}: it was changed on the way`,
    );
  }
  const id = packetIdOf(checked);
  if (id !== checked.Transaction_Hash_ID) {
    throw new WeftError(
      'PACKET_ID_MISMATCH',
      `the packet has id ${id}, it says ${checked.Transaction_Hash_ID}: it was changed on the way`,
    );
  }
  return checked;
}

/**
 * Opens a packet with the receiver's X25519 secret key.
 * @returns the content
 * @throws the codes of `checkCarrier`; PACKET_KEY_INVALID; PACKET_UNOPENABLE (sealed for another key, or its open part
 *   was changed); PACKET_COMMITMENT_MISMATCH (its source committed to another content: acknowledge with MISMATCH)
 */
export async function openPacket(packet: unknown, secretKey: Uint8Array): Promise<Uint8Array> {
  const checked = checkCarrier(packet);
  checkKey(secretKey);
  const { enc, ct } = payloadOf(checked);
  let plain: Uint8Array;
  try {
    const recipient = await suite.createRecipientContext({
      recipientKey: await suite.kem.deserializePrivateKey(secretKey),
      enc,
      info: encodeUtf8(PACKET_TAG),
    });
    plain = new Uint8Array(await recipient.open(ct, associatedData(checked)));
  } catch {
    throw new WeftError(
      'PACKET_UNOPENABLE',
      `packet ${checked.Transaction_Hash_ID} was not sealed for this key, or its open part is not the sealed one`,
    );
  }
  const content = plain.subarray(PACKET_SALT_BYTES);
  if (commitmentOf(plain.subarray(0, PACKET_SALT_BYTES), content) !== checked.Payload_Commitment) {
    throw new WeftError(
      'PACKET_COMMITMENT_MISMATCH',
      `packet ${checked.Transaction_Hash_ID} holds another content than its source committed to: report it`,
    );
  }
  return content;
}

/** Hex of HMAC-SHA-256 with the salt as key. */
function commitmentOf(salt: Uint8Array, content: Uint8Array): string {
  if (salt.length !== PACKET_SALT_BYTES) {
    throw new WeftError('PACKET_INVALID', `the salt has ${salt.length} bytes, not ${PACKET_SALT_BYTES}`);
  }
  return createHmac('sha256', salt).update(content).digest('hex');
}

/** Over both halves of the ciphertext: a carrier that changes `enc` alone must be seen by the next one too. */
function digestOf(enc: Uint8Array, ct: Uint8Array): string {
  return sha256Hex(concat(enc, ct));
}

type Bound = Omit<NldPacket, 'Payload' | 'Transaction_Hash_ID'>;

/** The packet's id, from the packet with or without the members that it leaves out. */
export function packetIdOf(packet: Bound): string {
  return sha256Hex(encodeUtf8(PACKET_TAG + canonicalJson(without(packet, ['Payload', 'Transaction_Hash_ID']))));
}

function associatedData(packet: Omit<Bound, 'Payload_Digest'>): Uint8Array {
  return encodeUtf8(canonicalJson(without(packet, ['Payload', 'Payload_Digest', 'Transaction_Hash_ID'])));
}

function without(packet: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(packet).filter(([name]) => !names.includes(name)));
}

function payloadOf(packet: NldPacket): { readonly enc: Uint8Array; readonly ct: Uint8Array } {
  try {
    return { enc: fromBase64Url(packet.Payload.enc, 32), ct: fromBase64Url(packet.Payload.ct) };
  } catch {
    throw new WeftError('PACKET_INVALID', 'not an NLD packet: Payload is not strict base64url');
  }
}

function checkKey(key: Uint8Array): void {
  if (key.length !== 32)
    throw new WeftError('PACKET_KEY_INVALID', `an X25519 key has 32 bytes, this one ${key.length}`);
}
