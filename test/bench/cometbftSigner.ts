// A thread that signs CometBFT's transactions beforehand: public key (32) ‖ Ed25519 signature (64) ‖ record, as ledger.go reads
// them. One transaction of one id is 200 bytes; with k ids the record holds k × 32 bytes raw.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { Signed } from './submitter.ts';

export type RivalTask = { readonly count: number; readonly records: number };

const idBytes = 32;
const uniqueBytes = 8;
/** 32 + 64 + 8 + 96 = 200 bytes. */
const smallestBytes = 96;

/** Known by the first 8 bytes of their records, hex. */
function makeSigned({ count, records }: RivalTask): Signed[] {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return Array.from({ length: count }, () => {
    const record = randomBytes(uniqueBytes + Math.max(smallestBytes, idBytes * records));
    const tx = Buffer.concat([key, sign(null, record, privateKey), record]).toString('base64');
    return {
      envelopeId: record.toString('hex', 0, uniqueBytes),
      request: `{"jsonrpc":"2.0","method":"broadcast_tx_sync","params":{"tx":"${tx}"},"id":`,
    };
  });
}

parentPort?.postMessage(makeSigned(workerData as RivalTask));
