// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `packets.mismatch` transaction. Reports that a packet and the ledger do not agree.
 */
export interface PacketsMismatchBody {
  /**
   * Transaction_Hash_ID.
   */
  id: string;
  /**
   * What was wrong. DIGEST: ciphertext against Payload_Digest. COMMITMENT: plaintext against Payload_Commitment. UNCOMMITTED: a packet without a record. MISSING: a record without a packet. ORIGIN: the signature is not the source’s.
   */
  kind: 'DIGEST' | 'COMMITMENT' | 'UNCOMMITTED' | 'MISSING' | 'ORIGIN';
  /**
   * What the packet or the record says.
   */
  expected: string | null;
  /**
   * What was computed instead.
   */
  observed: string | null;
  /**
   * SHA-256 of evidence that is kept elsewhere.
   */
  evidence: string | null;
}
