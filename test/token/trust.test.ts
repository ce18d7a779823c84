import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sha256 } from '../../src/crypto/hash.ts';
import { algLog, formatVkey } from '../../src/log/vkey.ts';
import { readTrust } from '../../src/token/node.ts';
import { formatTrust, isChainId, parseTrust } from '../../src/token/trust.ts';
import { sampleKey, sampleNetwork } from '../log/sample.ts';
import { browserClosure } from './closure.ts';
import { tokenVectorsUrl } from './makeVectors.ts';

const network = sampleNetwork();
const file: string = JSON.parse(readFileSync(tokenVectorsUrl, 'utf8')).trust;

t.test('a trust file says what it said when it was written', async (t) => {
  t.same(readTrust(file), network.trust);
  t.equal(formatTrust(sha256, network.trust), file);
  for (const n of [1, 3, 7, 22]) {
    const { trust } = sampleNetwork(n);
    t.same(parseTrust(sha256, formatTrust(sha256, trust)), trust, `${n} validators`);
  }
});

t.test('it may be annotated', async (t) => {
  const annotated = file
    .replace('log ', '# Handed over in person by Alice.\n\nlog ')
    .replace('quorum', '  # the end\nquorum');
  t.same(readTrust(annotated), network.trust);
});

t.test('refuses what does not say enough, or contradicts itself', async (t) => {
  const stranger = formatVkey(sampleKey('weft-dev-000000000000/weft', algLog, 'log v1').key);
  for (const [why, bad] of Object.entries({
    empty: '',
    'no header': file.replace('# weft-trust/v1\n', ''),
    'no chain': file.replace(/# chain .*\n/, ''),
    'two chains': file.replace(/(# chain .*\n)/, '$1$1'),
    'no date': file.replace(/# checkedAt .*\n/, ''),
    'a date in words': file.replace(/checkedAt .*/, 'checkedAt yesterday'),
    'a date beyond numbers': file.replace(/checkedAt .*/, 'checkedAt 9999999999999999'),
    'no chain id': file.replace(/# chain .*/, '# chain weft-dev'),
    'keys of another chain': file.replace('# chain weft-dev', '# chain weft-two'),
    'no log': file.replace(/log .*\n/g, ''),
    'a log of another origin': file.replace(/log .*\n/, `log ${stranger}\n`),
    'witness names exchanged': file.replace('witness v1', 'witness v9').replace('3 v1', '3 v9'),
    'no group': file.replace(/group .*\nquorum V/, 'quorum v1'),
    'quorum of one': file.replace('quorum V', 'quorum v1'),
    'no quorum needed': file.replace('quorum V', 'quorum none'),
    'too low a threshold': file.replace('group V 3', 'group V 2'),
    any: file.replace('group V 3', 'group V any'),
    all: file.replace('group V 3', 'group V all'),
    'a witness left out': file.replace('group V 3 v1 v2 v3 v4', 'group V 3 v1 v2 v3'),
    'another order': file.replace('v3 v4\n', 'v4 v3\n'),
    'a changed key': file.replace('BJBhep', 'BJBheq'),
    'CR LF': file.replaceAll('\n', '\r\n'),
  })) {
    t.throws(() => readTrust(bad), { code: 'TRUST_INVALID' }, why);
  }
  t.throws(() => formatTrust(sha256, { ...network.trust, quorum: 2 }), { code: 'TRUST_INVALID' });
  t.throws(() => formatTrust(sha256, { ...network.trust, checkedAt: 0 }), { code: 'TRUST_INVALID' });
  for (const bad of [
    '',
    'ab-3f09c2a41b7e',
    'Weft-3f09c2a41b7e',
    'weft-3f09c2a41b7',
    `${'w'.repeat(41)}-3f09c2a41b7e`,
  ]) {
    t.notOk(isChainId(bad), bad);
  }
});

t.test('the verifier runs without Node', async (t) => {
  for (const entry of ['src/token/verify.ts', 'src/token/browser.ts']) {
    const closure = browserClosure(join(import.meta.dirname, '..', '..'), entry);
    t.ok(closure.files.length > 10);
    t.same(
      // Pure JavaScript both.
      closure.packages.filter((name) => !name.startsWith('@noble/') && name !== 'canonicalize'),
      [],
      entry,
    );
  }
});
