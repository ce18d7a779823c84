// A thread that signs the transactions of a chain that is made offline (growthChain.ts), block by block, in the order in which it is asked.
import { createHash, randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { buildTransactionBody, sealTransaction, signingBytes } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { ed25519TransactionSigner } from '../../src/client/transaction.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { packetGroup } from './routes.ts';

export type GrowthSignerData = {
  readonly chain: string;
  readonly accounts: readonly { readonly name: string; readonly seed: Uint8Array }[];
};

/** `at`: time of the block that takes them. */
export type GrowthWork =
  | {
      readonly kind: 'packets';
      readonly count: number;
      readonly groups: number;
      readonly ids: number;
      readonly at: number;
    }
  | { readonly kind: 'models'; readonly count: number; readonly from: number; readonly at: number };

const { chain, accounts } = workerData as GrowthSignerData;
const signers = new Map(accounts.map(({ name, seed }) => [name, ed25519TransactionSigner(seed)]));

function envelope(account: string, type: string, body: JsonObject, at: number): Uint8Array {
  const signer = signers.get(account);
  if (signer === undefined) throw new Error(`no key of ${account}`);
  const nonce = toBase64Url(randomBytes(8));
  const payload = buildTransactionBody({ chain, account, type, body, expires: at + 50_000, nonce });
  const sig = signer.sign(signingBytes(payload));
  return sealTransaction(payload, [{ keyid: signer.keyid, alg: 'ed25519', sig }]);
}

function packets(turn: number, { groups, ids, at }: GrowthWork & { readonly kind: 'packets' }): Uint8Array {
  const body = { groups: Array.from({ length: groups }, (_, i) => packetGroup(turn + i, ids, at + 60_000)) };
  return envelope('router-prime', 'packets.commit', body, at);
}

function model(number: number, at: number): Uint8Array {
  const id = `grown-${number}`;
  const sha256 = createHash('sha256').update(id).digest('hex');
  const file = { sha256, size: 4_368_439_296, format: 'gguf', source: `https://models.example.net/${id}.gguf` };
  return envelope('publisher', 'models.register', { model: id, name: `Model ${number}`, ...file, lineage: [] }, at);
}

parentPort?.on('message', (work: GrowthWork) => {
  const made = Array.from({ length: work.count }, (_, i) =>
    work.kind === 'packets' ? packets(i, work) : model(work.from + i, work.at),
  );
  parentPort?.postMessage(made);
});
