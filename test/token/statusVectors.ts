// Makes test/vectors/token/statuses.json. Frozen: see test/log/makeVectors.ts.
import { writeFileSync } from 'node:fs';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { formatVkey } from '../../src/log/vkey.ts';
import { statusPaths } from '../../src/token/status.ts';
import { formatTrust } from '../../src/token/trust.ts';
import { encodeWalk } from '../../src/token/walk.ts';
import { SampleLog, sampleEntry, sampleNetwork, timeS } from '../log/sample.ts';
import { recordText } from './leaves.ts';
import { tokenOf } from './makeVectors.ts';
import { goodState, grantIndex, intent, SampleChain } from './statusSample.ts';

export function makeStatusVectors() {
  const chain = new SampleChain();
  const paths = statusPaths({ intent, requester: 'remedy.engine', audience: 'actuator-web-3' });
  const paused = new SampleChain({ ...goodState, 'governance/pause/current': { height: 813, paused: true } });
  const consumed = `${recordText.slice(0, -1)},"account":"actuator-web-3","use":1}`;
  return {
    about:
      'A log of 40 leaves: the grant of tokens.json at 5, a block record last, four validators of which the first three cosigned at 1763712003000.',
    trust: formatTrust(sha256, chain.network.trust),
    time: 1000 * (timeS + 1),
    state: goodState,
    token: tokenOf(chain.log, chain.network, grantIndex),
    status: chain.status(paths),
    paused: { about: 'The same, paused: proven, and no permission.', status: paused.status(paths) },
    absent: { about: 'A path that holds nothing.', status: chain.status(['identity/account/nobody']) },
    consumed: {
      attempt: 'AAECAwQFBgcICQoLDA0ODw',
      token: tokenOf(new SampleChain(goodState, { grant: consumed }).log, chain.network, grantIndex),
    },
    walk: makeWalkVector(),
  };
}

/** One change: v4 goes, w1 comes. */
function makeWalkVector() {
  const [before, after] = [sampleNetwork(), sampleNetwork(4, undefined, (i) => (i < 3 ? `v${i + 1}` : 'w1'))];
  const end = 20;
  const record = {
    type: 'epoch',
    height: 10,
    time: 1_763_711_990_000,
    epoch: 2,
    ruleset: 1,
    validators: after.trust.cosigners.map(({ name, key, url }, i) => ({
      name,
      log: formatVkey(after.trust.logs[i]!),
      cosigner: formatVkey(key),
      account: name,
      url,
    })),
  };
  const block = { type: 'block', height: 10, epoch: 1, time: 1_763_711_990_000 };
  const log = new SampleLog(
    Array.from({ length: 30 }, (_, n) => {
      if (n === end - 2) return encodeUtf8(JSON.stringify(record));
      return n === end - 1 ? encodeUtf8(JSON.stringify(block)) : sampleEntry(n);
    }),
  );
  const leaf = (index: number) => ({ leaf: log.entries[index]!, index, hashes: log.inclusion(index, end) });
  const step = {
    checkpoint: log.checkpoint(before, end, before.cosigners.slice(1)),
    block: leaf(end - 1),
    epoch: leaf(end - 2),
    consistency: log.consistency(end),
  };
  const walk = encodeWalk([step], log.checkpoint(after, 30, after.cosigners.slice(1)));
  const checkedAt = 1000 * (timeS + 1);
  return {
    about: 'From epoch 1 (v1 v2 v3 v4) to epoch 2 (v1 v2 v3 w1).',
    from: formatTrust(sha256, { ...before.trust, epoch: 1 }),
    walk,
    to: formatTrust(sha256, { ...after.trust, epoch: 2, checkedAt }),
  };
}

export const statusVectorsUrl: URL = new URL('../vectors/token/statuses.json', import.meta.url);

if (process.argv[1] === import.meta.filename && process.argv.includes('--write')) {
  writeFileSync(statusVectorsUrl, `${JSON.stringify(makeStatusVectors(), null, 1)}\n`);
}
