// A thread that signs transactions before the clock starts. It answers with whole requests, so that sending one costs the
// load generator nothing but the write.
import { parentPort, workerData } from 'node:worker_threads';
import { buildTransaction, ed25519TransactionSigner, sign } from '../../src/client/index.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { packetGroup } from './routes.ts';
import type { Signed } from './submitter.ts';

export type SignerTask = {
  readonly chain: string;
  readonly seed: Uint8Array;
  readonly account: string;
  readonly count: number;
  /** Packet ids per transaction. */
  readonly records: number;
  /** Of the transactions; milliseconds UTC. */
  readonly expires: number;
};

function makeSigned({ chain, seed, account, count, records, expires }: SignerTask): Signed[] {
  const signer = ed25519TransactionSigner(seed);
  return Array.from({ length: count }, (_, i) => {
    const body = { groups: [packetGroup(i, records, expires + 60_000)] };
    const made = buildTransaction({ chain, account, type: 'packets.commit', expires, body });
    const { envelope, text } = sign(made, [signer]);
    const params = JSON.stringify({ envelope: text });
    return {
      envelopeId: sha256Hex(envelope),
      request: `{"jsonrpc":"2.0","method":"tx.submit","params":${params},"id":`,
    };
  });
}

parentPort?.postMessage(makeSigned(workerData as SignerTask));
