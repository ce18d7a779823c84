// Makes test/vectors/log/{log,state}.json. They are frozen: `node test/log/makeVectors.ts --write` is run once for a
// format that is new; a difference later means that bytes changed which others rely on.
import { writeFileSync } from 'node:fs';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { toHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { encodeBundle } from '../../src/log/bundles.ts';
import { signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign, cosignatureMessage } from '../../src/log/cosignature.ts';
import { formatSignature } from '../../src/log/note.ts';
import { stateProofToJson } from '../../src/log/stateProof.ts';
import { StateTree, stateKey } from '../../src/log/stateTree.ts';
import { formatBundlePath, formatTilePath } from '../../src/log/tiles.ts';
import { formatTlogProof } from '../../src/log/tlogProof.ts';
import { formatVkey } from '../../src/log/vkey.ts';
import { hasher, SampleLog, sampleEntry, sampleNetwork, timeS } from './sample.ts';

const sizes = [1, 2, 3, 7, 8, 255, 256, 257, 1000, 65_536, 65_537, 70_000];

export function makeLogVectors() {
  const log = SampleLog.ofSize(70_000);
  const network = sampleNetwork();
  const small = SampleLog.ofSize(5);
  const body = small.body(network);
  const logKey = network.logs[0]!;
  const inclusion = [
    [0, 1],
    [0, 2],
    [4, 5],
    [255, 256],
    [256, 257],
    [3, 1000],
    [69_999, 70_000],
    [12_345, 70_000],
  ] as const;
  const consistency = [
    [1, 2],
    [3, 7],
    [256, 257],
    [255, 1000],
    [65_536, 70_000],
    [70_000, 70_000],
  ] as const;
  return {
    about:
      'The log whose entry n is {"type":"sample","n":<n>} (UTF-8), and its checkpoint of size 5. Hashes and bytes are lower-case hex. Seeds are Ed25519 (RFC 8032).',
    leafHash0: toHex(hasher.leafHash(sampleEntry(0))),
    roots: sizes.map((size) => ({ size, root: toHex(log.root(size)) })),
    inclusion: inclusion.map(([index, size]) => ({ index, size, hashes: log.inclusion(index, size).map(toHex) })),
    consistency: consistency.map(([oldSize, newSize]) => ({
      oldSize,
      newSize,
      hashes: log.consistency(oldSize, newSize).map(toHex),
    })),
    tiles: {
      size5: [...small.files()].map(({ level, n, width, bytes }) => ({
        path: level === 'entries' ? formatBundlePath(n, width) : formatTilePath({ level, n, width }),
        bytes: toHex(bytes),
      })),
      size70000: [...log.files()]
        .filter(({ level, width }) => level !== 0 || width < 256)
        .filter(({ level, width }) => level !== 'entries' || width < 256)
        .map(({ level, n, width, bytes }) => ({
          path: level === 'entries' ? formatBundlePath(n, width) : formatTilePath({ level, n, width }),
          sha256: toHex(sha256(bytes)),
        })),
      bundle: toHex(encodeBundle([Uint8Array.of(), Uint8Array.of(1), new Uint8Array(258).fill(2)])),
    },
    keys: [...network.logs, ...network.cosigners].map(({ seed, key }) => ({
      seed: toHex(seed),
      vkey: formatVkey(key),
    })),
    checkpoint: {
      body,
      logLine: formatSignature(signCheckpoint(body, logKey.key, logKey.sign)),
      cosignature: {
        timeS,
        message: toHex(cosignatureMessage(timeS, body)),
        line: formatSignature(cosign(body, timeS, network.cosigners[0]!.key, network.cosigners[0]!.sign)),
      },
      published: small.checkpoint(network),
      timeMs: 1000 * (timeS + 1),
      tlogProof: formatTlogProof({ index: 2, hashes: small.inclusion(2), checkpoint: small.checkpoint(network) }),
    },
  };
}

export function makeStateVectors() {
  const values: Record<string, unknown> = {
    'governance/policy/current': { version: 1, digest: '00'.repeat(32), minValid: 1 },
    'governance/pause/current': { paused: false },
    'identity/account/router-prime': { roles: ['router'], keys: [] },
    'identity/account/misty.weave': { roles: ['agent'], keys: [] },
    'routing/table/current': 7,
  };
  const entries = Object.entries(values).map(([path, value]) => ({ path, value: canonicalJson(value) }));
  let tree = StateTree.empty(sha256);
  const steps = entries.map(({ path, value }) => {
    tree = tree.set(stateKey(sha256, path), sha256(encodeUtf8(value)));
    return { path, key: toHex(stateKey(sha256, path)), value, rootAfter: toHex(tree.root()) };
  });
  const paths = [...entries.map(({ path }) => path), 'identity/account/nobody', 'models/model/none', 'routing/table/8'];
  return {
    about:
      'A state grown entry by entry from the empty tree; proofs are under the last root. value: RFC 8785 text, hashed as UTF-8.',
    emptyRoot: toHex(StateTree.empty(sha256).root()),
    steps,
    root: toHex(tree.root()),
    proofs: paths.map((path) => ({
      path,
      present: path in values,
      proof: stateProofToJson(tree.prove(stateKey(sha256, path))),
    })),
  };
}

export const logVectorsUrl: URL = new URL('../vectors/log/log.json', import.meta.url);
export const stateVectorsUrl: URL = new URL('../vectors/log/state.json', import.meta.url);

if (process.argv[1] === import.meta.filename && process.argv.includes('--write')) {
  writeFileSync(logVectorsUrl, `${JSON.stringify(makeLogVectors(), null, 1)}\n`);
  writeFileSync(stateVectorsUrl, `${JSON.stringify(makeStateVectors(), null, 1)}\n`);
}
