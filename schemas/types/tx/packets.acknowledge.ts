// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `packets.acknowledge` transaction. Records that targets received packets and what their check after decryption said.
 */
export interface PacketsAcknowledgeBody {
  /**
   * At most 16.
   *
   * @minItems 1
   * @maxItems 16
   */
  acknowledgements: Acknowledgement[];
}
/**
 * NLD_ACK: signed by the target.
 */
export interface Acknowledgement {
  /**
   * Who received the packet and signed.
   */
  target: string;
  /**
   * Transaction_Hash_ID.
   */
  id: string;
  /**
   * Digest of the ciphertext that was received.
   */
  Payload_Digest: string;
  /**
   * VERIFIED: digest and commitment hold. MISMATCH: they do not. REJECTED: the packet was well-formed and was not accepted.
   */
  verdict: 'VERIFIED' | 'MISMATCH' | 'REJECTED';
  /**
   * The key that signed: an active key of the target.
   */
  keyid: string;
  /**
   * Signature over what contracts/packets/README.md says.
   */
  sig: string;
}
