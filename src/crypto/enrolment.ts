// What a person is handed to enrol with: 32 random bytes, once. From them come the secret that the redemption shows, and the
// one-time key that signs it. The key cannot be had from the secret: whoever sees a redemption on its way learns nothing to use.
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, encodeUtf8 } from '../codec/utf8.ts';

export const INVITATION_BYTES = 32;

const SECRET_TAG = encodeUtf8('weft/invitation-secret/v1');
const KEY_TAG = encodeUtf8('weft/invitation-key/v1');

/** `secret`: of the ticket (its digest is on the ledger); `seed`: Ed25519, of the account that may bring the redemption. */
export type Invitation = { readonly secret: Uint8Array; readonly seed: Uint8Array };

/** Both are SHA-256 of a tag and the invitation's 32 bytes. */
export function openInvitation(invitation: Uint8Array): Invitation {
  return { secret: sha256(concat(SECRET_TAG, invitation)), seed: sha256(concat(KEY_TAG, invitation)) };
}
