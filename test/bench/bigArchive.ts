// An archive of any length, made offline and written as it grows: blocks of one-packet transactions by several accounts, with
// honest signatures and certificates. Half a day of a busy network in a minute or two, in bounded memory.
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import { buildEnvelope } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { type Cbor, encodeCbor } from '../../src/codec/cbor.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { ed25519Signer } from '../../src/crypto/ed25519.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { archiveMagic } from '../../src/ledger/archive.ts';
import { encodeCertificate } from '../../src/ledger/certificate.ts';
import { Chain } from '../../src/ledger/chain.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { genesisPosition } from '../../src/ledger/restart.ts';
import { contextAfter, finalizationOf, genesisDocument, sealBlock, seedOf, trusting } from '../ledger/fixtures.ts';

export type BigArchiveOptions = {
  readonly file: string;
  readonly transactions: number;
  /** Transactions of a block. Default 250. */
  readonly perBlock?: number;
  /** Accounts that sign them, in turn. Default 16. */
  readonly accounts?: number;
  /** Numbers of transactions (from 0) whose signature is none. */
  readonly forged?: readonly number[];
  readonly onProgress?: (transactions: number) => void;
};

export type BigArchive = { readonly blocks: number; readonly transactions: number; readonly bytes: number };

/** As a node's export cuts them: about 1 MiB. */
const runBytes = 1024 * 1024;
/** Milliseconds from one block to the next. */
const spacingMs = 250;

export async function makeBigArchive(options: BigArchiveOptions): Promise<BigArchive> {
  const { file, transactions, perBlock = 250, forged = [], onProgress } = options;
  const routers = Array.from({ length: options.accounts ?? 16 }, (_, i) => `router-${i + 1}`);
  const genesis = loadGenesis(genesisBytes(routers));
  const signers = routers.map((name) => {
    const signer = ed25519Signer(seedOf(name));
    return { name, signer, keyid: keyId(ALG_ED25519, signer.publicKey) };
  });
  const chain = new Chain({ genesis, verifier: trusting, tip: genesisPosition(genesis, () => false) });
  const out = new ArchiveFile(file);
  out.chunk([1, genesis.bytes]);
  const runs: [number, number][] = [];
  let [headers, bodies, held, made] = [[] as Uint8Array[], [] as Uint8Array[], 0, 0];
  while (made < transactions) {
    const { blockId: parent, header, nextEpoch: epoch } = chain.tip;
    const time = header.time + spacingMs;
    const envelopes = Array.from({ length: Math.min(perBlock, transactions - made) }, (_, i) => {
      const { name, signer, keyid } = signers[(made + i) % signers.length]!;
      const sign = (message: Uint8Array): Uint8Array => {
        const signature = signer.sign(message);
        if (forged.includes(made + i)) signature[40]! ^= 1;
        return signature;
      };
      return buildEnvelope(packetOf(genesis.chain, name, made + i, time), [{ keyid, sign }]);
    });
    const { blockId } = await sealBlock(chain, parent, contextAfter(chain.tip, time), envelopes);
    const block = chain.executed(blockId)!;
    if (block.outcomes.some(({ refused }) => refused !== undefined)) throw new Error('refused');
    chain.settle(block);
    headers.push(block.headerBytes);
    bodies.push(block.body);
    held += block.body.length;
    made += envelopes.length;
    if (held < runBytes && made < transactions) continue;
    const certificate = encodeCertificate(finalizationOf(genesis, epoch, block), epoch.validators.length);
    runs.push([block.header.height - headers.length + 1, out.offset]);
    out.chunk([2, headers, bodies, certificate]);
    [headers, bodies, held] = [[], [], 0];
    onProgress?.(made);
  }
  const { height: blocks, logSize } = chain.tip.header;
  out.chunk([3, null]);
  out.chunk([4, runs, blocks, made, logSize]);
  return { blocks, transactions: made, bytes: out.end() };
}

function packetOf(chain: string, account: string, number: number, time: number): Parameters<typeof buildEnvelope>[0] {
  const nonce = Buffer.alloc(8);
  nonce.writeUInt32BE(number, 4);
  const ids = toBase64Url(new Uint8Array(createHash('sha256').update(`packet ${number}`).digest()));
  const body = { groups: [{ source: 'misty.weave', target: 'oracle.weave', expires: time + 30_000, ids }] };
  return { chain, account, type: 'packets.commit', expires: time + 60_000, nonce: toBase64Url(nonce), body };
}

function genesisBytes(routers: readonly string[]): Uint8Array {
  const document = genesisDocument(4, { accounts: ['admin', ...routers] });
  const accounts = (document['accounts'] as readonly JsonObject[]).map((account) =>
    routers.includes(String(account['name'])) ? { ...account, roles: ['router'] } : account,
  );
  return encodeUtf8(JSON.stringify({ ...document, accounts }));
}

class ArchiveFile {
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  offset = 0;

  constructor(file: string) {
    this.#fd = openSync(file, 'w');
    this.#write(archiveMagic);
  }

  chunk(item: Cbor): void {
    const frame = zstdCompressSync(encodeCbor(item));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(frame.length);
    this.#write(head);
    this.#write(frame);
  }

  /** @returns the size of the file */
  end(): number {
    const digest = this.#hash.digest();
    writeSync(this.#fd, digest);
    closeSync(this.#fd);
    return this.offset + digest.length;
  }

  #write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    writeSync(this.#fd, bytes);
    this.offset += bytes.length;
  }
}
