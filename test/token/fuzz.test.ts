// Whatever arrives: a WeftError with a code, or a reading that writes the very same text. Never another error.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { decodeBundle } from '../../src/log/bundles.ts';
import { formatCheckpoint, parseCheckpoint } from '../../src/log/checkpoint.ts';
import { formatNote, parseNote } from '../../src/log/note.ts';
import { stateProofFromJson, verifyStateProof } from '../../src/log/stateProof.ts';
import { formatTilePath, parseTilePath } from '../../src/log/tiles.ts';
import { parseTlogPolicy } from '../../src/log/tlogPolicy.ts';
import { formatTlogProof, parseTlogProof } from '../../src/log/tlogProof.ts';
import { formatVkey, parseVkey } from '../../src/log/vkey.ts';
import { readTrust, verifyToken } from '../../src/token/node.ts';
import { tokenVectorsUrl } from './makeVectors.ts';

const vectors = JSON.parse(readFileSync(tokenVectorsUrl, 'utf8'));
const trust = readTrust(vectors.trust);
const tokens: string[] = vectors.tokens.map(({ token }: { token: string }) => token);
const texts = [...tokens, vectors.trust as string];
const runs = { numRuns: 400 };

/** Undefined when `read` refused with a code of ours; throws on every other error. */
function coded<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === 'INTERNAL') throw error;
    return undefined;
  }
}

/** Lines of real tokens and trust files, repeated, dropped, exchanged, and mixed with noise. */
const line = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...texts.flatMap((text) => text.split('\n'))) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '\r', '\u2014 x AAAA', 'index 1', 'index 01', 'extra AAAA', 'quorum none', '\ud800'),
  },
);
const shuffled = fc.array(line, { maxLength: 20 }).map((lines) => `${lines.join('\n')}\n`);
const spliced = fc
  .tuple(fc.constantFrom(...texts), fc.constantFrom(...texts), fc.nat(3000), fc.nat(3000), fc.nat(3000))
  .map(([a, b, from, to, until]) => a.slice(0, from) + b.slice(to, to + until) + a.slice(from));
const text = fc.oneof(shuffled, spliced, fc.string({ unit: 'binary' }));

t.test('tokens', async () => {
  fc.assert(
    fc.property(text, (token) => {
      const verified = coded(() => verifyToken(token, { trust }));
      return verified === undefined || tokens.includes(token);
    }),
    runs,
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => coded(() => verifyToken(bytes, { trust })) === undefined),
    runs,
  );
});

t.test('trust files and policies', async () => {
  fc.assert(
    fc.property(text, (file) => {
      const read = coded(() => readTrust(file));
      const policy = coded(() => parseTlogPolicy(sha256, file));
      return (read === undefined || read.quorum >= 1) && (policy !== undefined || read === undefined);
    }),
    runs,
  );
});

t.test('notes, checkpoints, proofs, keys, paths', async () => {
  fc.assert(
    fc.property(text, (some) => {
      const note = coded(() => parseNote(some));
      const checkpoint = coded(() => parseCheckpoint(some));
      const proof = coded(() => parseTlogProof(some));
      const vkey = coded(() => parseVkey(sha256, some));
      const path = parseTilePath(some);
      return (
        (note === undefined || formatNote(note) === some) &&
        (checkpoint === undefined || coded(() => formatCheckpoint(checkpoint)) === some) &&
        (proof === undefined || formatTlogProof(proof) === some) &&
        (vkey === undefined || formatVkey(vkey) === some) &&
        (path === undefined || path.kind === 'entries' || formatTilePath(path) === some)
      );
    }),
    runs,
  );
});

t.test('bundles and state proofs', async () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: -1, max: 300 }),
      fc.jsonValue(),
      (bytes, width, json) => {
        coded(() => decodeBundle(bytes, width));
        const proof = coded(() => stateProofFromJson(json));
        return (
          proof === undefined ||
          coded(() => verifyStateProof(sha256, sha256(bytes), sha256(bytes), proof)) === undefined
        );
      },
    ),
    runs,
  );
});
