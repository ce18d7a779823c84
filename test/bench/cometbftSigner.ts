// A thread that signs CometBFT's transactions beforehand: public key (32) ‖ Ed25519 signature (64) ‖ record, as ledger.go reads
// them. One transaction of one id is 200 bytes; with k ids the record holds k × 32 bytes raw.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';

export type RivalTask = { readonly count: number; readonly records: number };

/** `id`: first 8 bytes of the record, hex. `request`: the JSON-RPC message without its id, which comes last. */
export type RivalSigned = { readonly id: string; readonly request: string };

const idBytes = 32;
const uniqueBytes = 8;
/** 32 + 64 + 8 + 96 = 200 bytes. */
const smallestBytes = 96;

function makeSigned({ count, records }: RivalTask): RivalSigned[] {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return Array.from({ length: count }, () => {
    const record = randomBytes(uniqueBytes + Math.max(smallestBytes, idBytes * records));
    const tx = Buffer.concat([key, sign(null, record, privateKey), record]).toString('base64');
    return {
      id: record.toString('hex', 0, uniqueBytes),
      request: `{"jsonrpc":"2.0","method":"broadcast_tx_sync","params":{"tx":"${tx}"},"id":`,
    };
  });
}

parentPort?.postMessage(makeSigned(workerData as RivalTask));
