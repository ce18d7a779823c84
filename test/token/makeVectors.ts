// Makes test/vectors/token/tokens.json. Frozen: see test/log/makeVectors.ts.
import { writeFileSync } from 'node:fs';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { encodeToken } from '../../src/token/form.ts';
import { formatTrust } from '../../src/token/trust.ts';
import { SampleLog, type SampleNetwork, sampleEntry, sampleNetwork } from '../log/sample.ts';
import { deniedText, grantText, packetsText, recordText } from './leaves.ts';

/** A log of `size` sample entries in which the given texts take the places from `first` on. */
export function logWith(texts: readonly string[], first: number, size: number): SampleLog {
  return new SampleLog(
    Array.from({ length: size }, (_, n) => {
      const text = texts[n - first];
      return text === undefined ? sampleEntry(n) : encodeUtf8(text);
    }),
  );
}

export function tokenOf(
  log: SampleLog,
  network: SampleNetwork,
  index: number,
  checkpoint = log.checkpoint(network),
): string {
  return encodeToken({ leaf: log.entries[index]!, index, hashes: log.inclusion(index), checkpoint });
}

export function makeTokenVectors() {
  const network = sampleNetwork();
  const texts = { grant: grantText, packets: packetsText, denied: deniedText, record: recordText };
  const log = logWith(Object.values(texts), 100, 300);
  const token = (n: number) => tokenOf(log, network, 100 + n);
  return {
    about:
      'Leaves written by hand at index 100-103 of a log of 300 (the other entries as in ../log/log.json), with four validators of which the first three cosigned.',
    trust: formatTrust(sha256, network.trust),
    tokens: Object.entries(texts).map(([name, leaf], n) => ({ name, leaf, token: token(n) })),
    genesis: { about: 'A log of one leaf has no hash lines.', token: tokenOf(logWith([recordText], 0, 1), network, 0) },
  };
}

export const tokenVectorsUrl: URL = new URL('../vectors/token/tokens.json', import.meta.url);

if (process.argv[1] === import.meta.filename && process.argv.includes('--write')) {
  writeFileSync(tokenVectorsUrl, `${JSON.stringify(makeTokenVectors(), null, 1)}\n`);
}
