/** The packets of test/vectors/packet/packets.json: inputs and what must come out. Run directly, it writes the file. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type PacketHead, packetPublicKeyOf, sealPacket } from '../../src/client/packet.ts';
import { signPacket } from '../../src/client/packetEnvelope.ts';
import { toCloudEvent } from '../../src/client/packetEvent.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { keyId } from '../../src/crypto/keyId.ts';

export const vectorFile = new URL('../vectors/packet/packets.json', import.meta.url);

export type PacketVector = {
  readonly name: string;
  readonly head: PacketHead;
  /** Hex, as all bytes here. */
  readonly content: string;
  readonly salt: string;
  readonly ephemeral: string;
  readonly targetSecret: string;
  readonly sourceSeed: string;
  /** From here on: results. */
  readonly associatedData: string;
  readonly packet: Record<string, unknown>;
  readonly envelope: string;
  readonly event: Record<string, unknown>;
};

const counted = (first: number) => toHex(Uint8Array.from({ length: 32 }, (_, i) => (first + i) & 255));

const inputs: readonly Pick<PacketVector, 'name' | 'head' | 'content' | 'salt' | 'ephemeral'>[] = [
  {
    name: 'every member',
    head: {
      NLD_Directive_Type: 'QUERY',
      Source_Instance_ID: 'misty.weave',
      Target_Instance_ID: 'oracle.weave',
      Correlation_ID: 'c-17 "quoted"',
      Timestamp_UTC: '2026-11-21T08:00:00.123Z',
      traceparent: '00-dc11467bb0e51a4f84b9ee23588dc2f7-dc11467bb0e51a4f-01',
    },
    content: toHex(encodeUtf8('{"question":"Is the build green?"}')),
    salt: counted(0),
    ephemeral: counted(64),
  },
  {
    name: 'required members only, no content',
    head: { NLD_Directive_Type: 'NLD_ACK', Source_Instance_ID: 'oracle.weave', Target_Instance_ID: 'misty.weave' },
    content: '',
    salt: counted(200),
    ephemeral: counted(100),
  },
];

export async function makeVectors(): Promise<PacketVector[]> {
  const targetSecret = counted(32);
  const sourceSeed = counted(128);
  const keyid = keyId(1, publicKeyOf(fromHex(sourceSeed)));
  const made: PacketVector[] = [];
  for (const input of inputs) {
    const packet = await sealPacket(input.head, fromHex(input.content), packetPublicKeyOf(fromHex(targetSecret)), {
      salt: fromHex(input.salt),
      ephemeral: fromHex(input.ephemeral),
    });
    const { Payload: _, Payload_Digest: __, Transaction_Hash_ID: ___, ...open } = packet;
    made.push({
      ...input,
      targetSecret,
      sourceSeed,
      associatedData: canonicalJson(open),
      packet: { ...packet },
      envelope: decodeUtf8(signPacket(packet, { keyid, seed: fromHex(sourceSeed) })),
      event: { ...toCloudEvent(packet) },
    });
  }
  return made;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(vectorFile, `${JSON.stringify(await makeVectors(), null, 2)}\n`);
}
