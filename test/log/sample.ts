// A log with fixed keys: four validators, deterministic entries. Vectors, interop and token tests are made from it.

import { ed25519 } from '@noble/curves/ed25519.js';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { encodeBundle } from '../../src/log/bundles.ts';
import { formatCheckpoint, type Sign, signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign, publishCheckpoint } from '../../src/log/cosignature.ts';
import { createTreeHasher } from '../../src/log/hasher.ts';
import { consistencyProof, inclusionProof, type NodeReader, rootFromNodes } from '../../src/log/proofs.ts';
import { readTile, storeNodeReader, type TileStore, TileWriter, tilesOfSize, tileWidth } from '../../src/log/tiles.ts';
import { algCosigner, algLog, createVkey, type Vkey } from '../../src/log/vkey.ts';
import { originOf, type Trust } from '../../src/token/trust.ts';

export const hasher = createTreeHasher(sha256);
export const chain = 'weft-dev-3f09c2a41b7e';
export const timeS = 1_763_712_002;

export type SampleKey = { readonly seed: Uint8Array; readonly key: Vkey; readonly sign: Sign };

/** Seed = SHA-256("weft test <what>"). */
export function sampleKey(name: string, alg: Vkey['alg'], what: string): SampleKey {
  const seed = sha256(encodeUtf8(`weft test ${what}`));
  return {
    seed,
    key: createVkey(sha256, name, alg, ed25519.getPublicKey(seed)),
    sign: (message) => ed25519.sign(message, seed),
  };
}

export type SampleNetwork = {
  readonly chain: string;
  readonly trust: Trust;
  readonly logs: readonly SampleKey[];
  readonly cosigners: readonly SampleKey[];
};

export function sampleNetwork(n = 4, onChain = chain, nameOf = (i: number) => `v${i + 1}`): SampleNetwork {
  const names = Array.from({ length: n }, (_, i) => nameOf(i)).sort();
  const logs = names.map((name) => sampleKey(originOf(onChain), algLog, `log ${name}`));
  const cosigners = names.map((name) => sampleKey(`${onChain}/${name}`, algCosigner, `cosigner ${name}`));
  return {
    chain: onChain,
    logs,
    cosigners,
    trust: {
      chain: onChain,
      origin: originOf(onChain),
      logs: logs.map(({ key }) => key),
      cosigners: names.map((name, i) => ({ name, key: cosigners[i]!.key, url: `https://${name}.example/` })),
      quorum: n - Math.floor((n - 1) / 3),
      checkedAt: 1_763_712_000_123,
    },
  };
}

/** Entry `n` when nothing else is said. */
export function sampleEntry(n: number): Uint8Array {
  return encodeUtf8(`{"type":"sample","n":${n}}`);
}

export class SampleLog {
  readonly entries: Uint8Array[] = [];
  readonly #full = new Map<string, Uint8Array>();
  readonly #writer = new TileWriter(hasher);
  readonly store: TileStore = {
    full: (level, n) => this.#full.get(`${level}/${n}`),
    unfinished: (level) => this.#writer.unfinished(level),
  };

  constructor(entries: Iterable<Uint8Array>) {
    for (const entry of entries) {
      this.entries.push(entry);
      for (const { level, n, bytes } of this.#writer.append([hasher.leafHash(entry)]))
        this.#full.set(`${level}/${n}`, bytes);
    }
  }

  static ofSize(size: number): SampleLog {
    return new SampleLog(Array.from({ length: size }, (_, n) => sampleEntry(n)));
  }

  get size(): number {
    return this.entries.length;
  }

  nodes(size = this.size): NodeReader {
    return storeNodeReader(hasher, this.store, size);
  }

  root(size = this.size): Uint8Array {
    return rootFromNodes(hasher, this.nodes(size), size);
  }

  inclusion(index: number, size = this.size): Uint8Array[] {
    return inclusionProof(hasher, this.nodes(size), index, size);
  }

  consistency(oldSize: number, newSize = this.size): Uint8Array[] {
    return consistencyProof(hasher, this.nodes(newSize), oldSize, newSize);
  }

  body(network: SampleNetwork, size = this.size): string {
    return formatCheckpoint({ origin: network.trust.origin, size, root: this.root(size) });
  }

  /** Published by validator 0, cosigned by `who` (default: the first q), each a second later than the one before. */
  checkpoint(network: SampleNetwork, size = this.size, who = network.cosigners.slice(0, network.trust.quorum)): string {
    const text = this.body(network, size);
    const log = network.logs[0]!;
    const published = publishCheckpoint({
      text,
      log: signCheckpoint(text, log.key, log.sign),
      cosignatures: who.map(({ key, sign }, i) => cosign(text, timeS + i, key, sign)),
      policy: network.cosigners.map(({ key }) => key),
      quorum: network.trust.quorum,
    });
    if (published === undefined) throw new Error('too few cosigners');
    return published;
  }

  /** Path → bytes of everything that C2SP tlog-tiles asks for at `size`, without the checkpoint. */
  *files(size = this.size): Generator<{
    readonly level: number | 'entries';
    readonly n: number;
    readonly width: number;
    readonly bytes: Uint8Array;
  }> {
    for (const id of tilesOfSize(size)) {
      const bytes = readTile(this.store, id);
      if (bytes === undefined) throw new Error('a tile is missing');
      yield { ...id, bytes };
      if (id.level === 0) {
        const first = id.n * tileWidth;
        yield {
          level: 'entries',
          n: id.n,
          width: id.width,
          bytes: encodeBundle(this.entries.slice(first, first + id.width)),
        };
      }
    }
  }
}
