/**
 * How a packet travels: a DSSE envelope over its canonical text, signed with an account key of its source. The bytes
 * that were received are the ones that are verified and hashed; nothing is serialised again.
 */
import { canonicalJson } from '../codec/canonical.ts';
import { WeftError } from '../codec/error.ts';
import { parseStrictJson } from '../codec/json.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { decodeEnvelope, type EnvelopeSignature, encodeEnvelope, pae, sortSignatures } from '../crypto/dsse.ts';
import { sign, verifyFast } from '../crypto/ed25519.ts';
import { verifyP256 } from '../crypto/p256.ts';
import { checkCarrier, type NldPacket } from './packet.ts';

export const PACKET_PAYLOAD_TYPE = 'application/vnd.weft.packet+json';
/** A sealed payload of 1 MiB in base64url, and the open part. */
const packetBytesMax = 1_400_000 + 4096;
const limits = { payloadBytesMax: packetBytesMax, envelopeBytesMax: Math.ceil(packetBytesMax / 3) * 4 + 4096 };

/** A key that signs packets: 32 bytes of Ed25519 seed and the key id under which the account has it registered. */
export type PacketSigner = { readonly keyid: string; readonly seed: Uint8Array };

/** The registered key of an account, or undefined where the account has no active signing key of that id. */
export type PacketKeyOf = (
  account: string,
  keyid: string,
) => { readonly alg: 'ed25519' | 'p256'; readonly publicKey: Uint8Array } | undefined;

/** The envelope's bytes. @throws the codes of `checkCarrier` */
export function signPacket(packet: NldPacket, signer: PacketSigner): Uint8Array {
  const payload = encodeUtf8(canonicalJson(checkCarrier(packet)));
  const sig = sign(pae(PACKET_PAYLOAD_TYPE, payload), signer.seed);
  return encodePacketEnvelope(payload, [{ keyid: signer.keyid, alg: 'ed25519', sig }]);
}

/** The envelope's bytes from signatures made elsewhere (a security key, an HSM) over the PAE of `payload`. */
export function encodePacketEnvelope(payload: Uint8Array, signatures: readonly EnvelopeSignature[]): Uint8Array {
  return encodeEnvelope({ payload, payloadType: PACKET_PAYLOAD_TYPE, signatures: sortSignatures(signatures) }, limits);
}

/**
 * The packet in an envelope, after every check that needs no secret: one encoding, canonical text, digest, id, and that
 * each signature is by an active key of the packet's source. `libsodium`'s answer is enough here: nobody votes on it.
 * @throws ENVELOPE_*, JSON_*, the codes of `checkCarrier`, PACKET_INVALID (payload type, text not canonical),
 *   PACKET_KEY_UNKNOWN, PACKET_SIGNATURE_INVALID
 */
export function verifyPacketEnvelope(envelope: Uint8Array, keyOf: PacketKeyOf): NldPacket {
  const { payload, payloadType, signatures } = decodeEnvelope(envelope, limits);
  if (payloadType !== PACKET_PAYLOAD_TYPE) {
    throw new WeftError('PACKET_INVALID', `the envelope holds ${payloadType}, not ${PACKET_PAYLOAD_TYPE}`);
  }
  const packet = checkCarrier(parseStrictJson(payload, { bytesMax: packetBytesMax }));
  if (canonicalJson(packet) !== decodeUtf8(payload)) {
    throw new WeftError('PACKET_INVALID', "the envelope's packet is not in canonical form (RFC 8785)");
  }
  const message = pae(payloadType, payload);
  for (const { keyid, alg, sig } of signatures) {
    const key = keyOf(packet.Source_Instance_ID, keyid);
    if (key === undefined || key.alg !== alg) {
      throw new WeftError(
        'PACKET_KEY_UNKNOWN',
        `${packet.Source_Instance_ID} has no active ${alg} key ${keyid}: refresh the account record`,
        { keyid },
      );
    }
    const verify = alg === 'ed25519' ? verifyFast : verifyP256;
    if (!verify(message, sig, key.publicKey)) {
      throw new WeftError('PACKET_SIGNATURE_INVALID', `the signature by key ${keyid} does not verify`, { keyid });
    }
  }
  return packet;
}
