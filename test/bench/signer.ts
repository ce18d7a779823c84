// A thread that signs transactions before the clock starts. It answers with whole requests, so that sending one costs the
// load generator nothing but the write.
import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { buildTransaction, ed25519TransactionSigner, sign } from '../../src/client/index.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import type { Signed } from './submitter.ts';

export type SignerTask = {
  readonly chain: string;
  readonly seed: Uint8Array;
  readonly account: string;
  /** Agents whose packets are committed, each to the next one. */
  readonly agents: readonly string[];
  readonly count: number;
  /** Packet ids per transaction. */
  readonly records: number;
  /** Of the transactions; milliseconds UTC. */
  readonly expires: number;
};

const packetIdBytes = 32;

function makeSigned({ chain, seed, account, agents, count, records, expires }: SignerTask): Signed[] {
  const signer = ed25519TransactionSigner(seed);
  return Array.from({ length: count }, (_, i) => {
    const group = {
      source: agents[i % agents.length] ?? '',
      target: agents[(i + 1) % agents.length] ?? '',
      expires: expires + 60_000,
      ids: toBase64Url(randomBytes(packetIdBytes * records)),
    };
    const made = buildTransaction({ chain, account, type: 'packets.commit', expires, body: { groups: [group] } });
    const { envelope, text } = sign(made, [signer]);
    const params = JSON.stringify({ envelope: text });
    return {
      envelopeId: sha256Hex(envelope),
      request: `{"jsonrpc":"2.0","method":"tx.submit","params":${params},"id":`,
    };
  });
}

parentPort?.postMessage(makeSigned(workerData as SignerTask));
