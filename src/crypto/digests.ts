import { type Envelope, pae } from './dsse.ts';
import { sha256Hex } from './hash.ts';

/** SHA-256(PAE) in hex: what clients and the duplicate window know a transaction by, whoever signed it and how. */
export function txIdOf(envelope: Pick<Envelope, 'payloadType' | 'payload'>): string {
  return sha256Hex(pae(envelope.payloadType, envelope.payload));
}

/** SHA-256 of the envelope's bytes in hex: signature cache, mempool, proposals, fetch. */
export function envelopeIdOf(envelopeBytes: Uint8Array): string {
  return sha256Hex(envelopeBytes);
}
