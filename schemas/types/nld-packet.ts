// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * An NLD packet. Transaction_Hash_ID = SHA-256("weft/packet/v1", RFC 8785 packet without Payload and Transaction_Hash_ID): it binds everything, and it is what the ledger records.
 */
export interface NldPacket {
  /**
   * Version of this format.
   */
  NLD_Schema_Version: '0.3.0';
  /**
   * What the packet is for, as QUERY or NLD_ACK.
   */
  NLD_Directive_Type: string;
  /**
   * Who sends.
   */
  Source_Instance_ID: string;
  /**
   * To whom.
   */
  Target_Instance_ID: string;
  /**
   * Joins packets of one conversation; never enters the ledger.
   */
  Correlation_ID?: string;
  /**
   * When it was made, ISO 8601 with milliseconds.
   */
  Timestamp_UTC?: string;
  /**
   * W3C trace context; never enters the ledger.
   */
  traceparent?: string;
  /**
   * HMAC-SHA-256(salt, content): what the receiver checks after decryption.
   */
  Payload_Commitment: string;
  /**
   * HPKE (RFC 9180: X25519-HKDF-SHA256, ChaCha20-Poly1305) to the target’s registered x25519 key. The plaintext is 32 bytes of salt, then the content.
   */
  Payload: {
    /**
     * Encapsulated key.
     */
    enc: string;
    /**
     * Ciphertext in base64url, at most 1 MiB.
     */
    ct: string;
  };
  /**
   * SHA-256 of the ciphertext: what carriers check.
   */
  Payload_Digest: string;
  /**
   * Id of the packet.
   */
  Transaction_Hash_ID: string;
}
