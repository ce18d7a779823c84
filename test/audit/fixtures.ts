// An archive in memory, and a way to change any part of it and put the hash right again, as a liar would.

import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decode } from 'cborg';
import type { BatchRing } from '../../src/audit/batchRing.ts';
import { encodeCbor } from '../../src/codec/cbor.ts';
import { fromHex } from '../../src/codec/hex.ts';
import { concat } from '../../src/codec/utf8.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { archiveBytes, archiveMagic } from '../../src/ledger/archive.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { formatCheckpoint, signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign } from '../../src/log/cosignature.ts';
import { formatNote } from '../../src/log/note.ts';
import { algCosigner, algLog, createVkey } from '../../src/log/vkey.ts';
import {
  addBlock,
  buildBlock,
  finalizationOf,
  genesisTime,
  makeGenesis,
  openInMemory,
  packetsTx,
  registerTx,
  seedOf,
} from '../ledger/fixtures.ts';

/** Seven blocks in four runs, with a refused transaction and a block that was finalized through its child. */
export async function sampleChain(): Promise<Ledger> {
  const { genesis } = makeGenesis(4);
  const ledger = await openInMemory(genesis);
  const { chain } = genesis;
  await addBlock(ledger, [packetsTx(chain, 'alice', { nonce: 1 }), registerTx(chain, 'carol', { nonce: 2 })]);
  await addBlock(ledger, [
    packetsTx(chain, 'carol', { nonce: 3 }),
    registerTx(chain, 'dave', { by: 'bob', nonce: 4 }),
    packetsTx(chain, 'bob', { nonce: 5 }),
  ]);
  await addBlock(ledger, []);
  const five = await buildBlock(ledger, [packetsTx(chain, 'alice', { nonce: 6 })]);
  const six = await buildBlock(ledger, [packetsTx(chain, 'alice', { nonce: 7 })], { parent: five.blockId });
  await ledger.commit(six.blockId, finalizationOf(genesis, ledger.epoch, six));
  await addBlock(ledger, [packetsTx(chain, 'bob', { nonce: 8 })]);
  return ledger;
}

/** A checkpoint of the finalized log, or of what `changed` says, cosigned by the validators of these indexes. */
export function checkpointOf(
  ledger: Ledger,
  options: {
    readonly size?: number;
    readonly root?: string;
    readonly cosigners?: readonly number[];
    readonly origin?: string;
    readonly logBy?: string;
  } = {},
): string {
  const { genesis, finalized } = ledger;
  const origin = options.origin ?? genesis.origin;
  const text = formatCheckpoint({
    origin,
    size: options.size ?? finalized.header.logSize,
    root: fromHex(options.root ?? finalized.header.logRoot),
  });
  const logSeed = seedOf(`${options.logBy ?? 'v02'}/log`);
  const signatures = [
    signCheckpoint(text, createVkey(sha256, origin, algLog, publicKeyOf(logSeed)), (message) => sign(message, logSeed)),
  ];
  for (const index of options.cosigners ?? [0, 1, 3]) {
    const { name = '' } = ledger.epoch.validators[index] ?? {};
    const seed = seedOf(`${name}/cosigner`);
    const key = createVkey(sha256, `${genesis.chain}/${name}`, algCosigner, publicKeyOf(seed));
    signatures.push(cosign(text, genesisTime / 1000 + 100 + index, key, (message) => sign(message, seed)));
  }
  return formatNote({ text, signatures });
}

export function archiveOf(
  ledger: Ledger,
  options: { readonly checkpoint?: string; readonly runBytes?: number } = {},
): Uint8Array {
  const source = {
    genesis: ledger.genesis.bytes,
    run: (from: number, bytesMax: number) => ledger.exportRun(from, bytesMax),
    transactions: (height: number) => ledger.block(height)!.transactions,
    checkpoint: options.checkpoint ?? checkpointOf(ledger),
  };
  return concat(...archiveBytes(source, { runBytes: options.runBytes ?? 1500 }));
}

// biome-ignore lint/suspicious/noExplicitAny: the parts of an archive as a liar handles them
export type Item = any[];

export function itemsOf(archive: Uint8Array): Item[] {
  const items: Item[] = [];
  for (let at = archiveMagic.length; at < archive.length - 32; ) {
    const length = new DataView(archive.buffer, archive.byteOffset + at).getUint32(0);
    items.push(decode(new Uint8Array(zstdDecompressSync(archive.subarray(at + 4, at + 4 + length)))) as Item);
    at += 4 + length;
  }
  return items;
}

/** The archive of these items, with offsets in the index and the hash made right unless `index` is given. */
export function sealItems(items: readonly Item[], options: { readonly keepIndex?: boolean } = {}): Uint8Array {
  const parts: Uint8Array[] = [archiveMagic];
  let at = archiveMagic.length;
  const offsets: number[] = [];
  for (const item of items) {
    if (item[0] === 2) offsets.push(at);
    const fixed =
      item[0] === 4 && options.keepIndex !== true
        ? [4, item[1].map(([height]: number[], i: number) => [height, offsets[i] ?? 0]), ...item.slice(2)]
        : item;
    const frame = zstdCompressSync(encodeCbor(fixed as never));
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, frame.length);
    parts.push(head, frame);
    at += 4 + frame.length;
  }
  return sealBytes(concat(...parts));
}

/** With the hash that these bytes must have behind them. */
export function sealBytes(bytes: Uint8Array): Uint8Array {
  return concat(bytes, new Uint8Array(createHash('sha256').update(bytes).digest()));
}

/** An archive of one chunk that holds this zstd frame. */
export function sealRaw(frame: Uint8Array): Uint8Array {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, frame.length);
  return sealBytes(concat(archiveMagic, head, frame));
}

/** A thread of this thread: checks so many batches in turns of the event loop, then dies; if `silent` it has told nobody what it found. */
export function turnsThread(ring: BatchRing, batches = Number.POSITIVE_INFINITY, silent = false): EventEmitter {
  const thread = new EventEmitter();
  let left = batches;
  const turn = setInterval(() => {
    if (left > 0 && !ring.isClosed) {
      if (ring.checkNext()) left -= 1;
      return;
    }
    clearInterval(turn);
    // As one that has taken a batch and is gone: nobody else takes it.
    if (silent) ring.verdict = () => undefined;
    thread.emit('exit');
  }, 1);
  return thread;
}
