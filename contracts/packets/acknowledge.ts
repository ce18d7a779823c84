// NLD_ACK: a target's signed word about a packet. Whoever carries it may bring it; the ledger checks the signature.
import type { Acknowledgement, PacketsAcknowledgeBody } from '../../schemas/types/tx/packets.acknowledge.ts';
import { fromBase64Url } from '../../src/codec/base64.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { pae } from '../../src/crypto/dsse.ts';
import { serviceUid } from '../authorisation.ts';
import { recordHead, refuse, rule } from '../contract.ts';
import { activeKey, isActive, verifyWith } from '../signatures.ts';

const ACKNOWLEDGEMENT_PAYLOAD_TYPE = 'application/vnd.weft.ack+json';

/**
 * What the target signs: the DSSE PAE of type `application/vnd.weft.ack+json` over the JSON
 * `{"chain":…,"target":…,"id":…,"Payload_Digest":…,"verdict":…}`, members in this order, without spaces.
 */
export function acknowledgementBytes(
  chain: string,
  { target, id, Payload_Digest, verdict }: Pick<Acknowledgement, 'target' | 'id' | 'Payload_Digest' | 'verdict'>,
): Uint8Array {
  return pae(ACKNOWLEDGEMENT_PAYLOAD_TYPE, encodeUtf8(JSON.stringify({ chain, target, id, Payload_Digest, verdict })));
}

export const acknowledge = rule<PacketsAcknowledgeBody>('packets.acknowledge', {
  question: ({ acknowledgements }, { tx }) => ({
    resource: serviceUid('packets'),
    context: {
      own: acknowledgements.every(({ target }) => target === tx.account),
      acknowledgements: acknowledgements.length,
    },
  }),
  apply({ acknowledgements }, context) {
    const { state, tx } = context;
    // Stops at the first that does not hold: a bad signature costs a slow check, so there is one of them at most.
    for (const each of acknowledgements) {
      if (!isActive(state, each.target)) return refuse('TARGET_INACTIVE');
      const key = activeKey(state, each.target, each.keyid);
      // A word about a packet is a machine's: a security key signs challenges of its page, never these bytes.
      if (key === undefined || key.alg === 'webauthn-p256') return refuse('ACK_KEY_INACTIVE');
      const message = acknowledgementBytes(tx.chain, each);
      if (!verifyWith(key, message, fromBase64Url(each.sig))) return refuse('ACK_SIGNATURE_INVALID');
    }
    const records = acknowledgements.map(({ target, id, Payload_Digest, verdict, keyid, sig }) => ({
      ...recordHead('packets.acknowledged', context),
      by: tx.account,
      target,
      id,
      Payload_Digest,
      verdict,
      keyid,
      sig,
    }));
    return { records, changes: new Map() };
  },
});
