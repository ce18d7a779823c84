// The executor's trust file keeps up with the validators, and nothing leads it where the validators did not.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { type Desk, underTrust } from '../../src/executor/desk.ts';
import type { LedgerNode } from '../../src/executor/nodes.ts';
import { TrustFile } from '../../src/executor/trustFile.ts';
import { formatVkey } from '../../src/log/vkey.ts';
import { readTrust } from '../../src/token/node.ts';
import { formatTrust } from '../../src/token/trust.ts';
import { encodeWalk } from '../../src/token/walk.ts';
import { SampleLog, sampleEntry, sampleNetwork, timeS } from '../log/sample.ts';

const now = 1000 * (timeS + 2);
const before = sampleNetwork();
const after = sampleNetwork(4, undefined, (i) => (i < 3 ? `v${i + 1}` : 'w4'));
const end = 20;

/** `last`: whose checkpoint it ends with. */
function walk(last = after): string {
  const validators = after.trust.cosigners.map(({ name, key, url }, i) => ({
    name,
    log: formatVkey(after.trust.logs[i]!),
    cosigner: formatVkey(key),
    account: name,
    url,
  }));
  const leaves: Readonly<Record<number, object>> = {
    [end - 2]: { type: 'epoch', height: 10, time: 1, epoch: 2, ruleset: 1, validators },
    [end - 1]: { type: 'block', height: 10, epoch: 1 },
  };
  const entry = (n: number) => (leaves[n] === undefined ? sampleEntry(n) : encodeUtf8(JSON.stringify(leaves[n])));
  const log = new SampleLog(Array.from({ length: 30 }, (_, n) => entry(n)));
  const leafAt = (index: number) => ({ leaf: log.entries[index]!, index, hashes: log.inclusion(index, end) });
  const step = {
    checkpoint: log.checkpoint(before, end),
    block: leafAt(end - 1),
    epoch: leafAt(end - 2),
    consistency: log.consistency(end),
  };
  return encodeWalk([step], log.checkpoint(last, log.size, last.cosigners.slice(1)));
}

const gone = (): Promise<never> => Promise.reject(new WeftError('RPC_UNREACHABLE', 'gone'));
const nodeWith = (text: string): LedgerNode => ({
  name: 'v1',
  walk: async (epoch) => (epoch === 1 ? text : gone()),
  token: gone,
  status: gone,
  submit: gone,
  close: () => undefined,
});

function fileOf(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'weft-trust-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'trust.txt');
  writeFileSync(path, formatTrust(sha256, { ...before.trust, epoch: 1 }));
  return path;
}

t.test('after a change of validators a check is made once more, and the file is written anew', async (t) => {
  const path = fileOf(t);
  const trust = await TrustFile.open(path);
  const nodes = [nodeWith('no walk'), nodeWith(walk())];
  const desk = { trust, nodes, clock: { now: () => now } } as unknown as Desk;
  const under: string[][] = [];
  const checked = await underTrust(desk, ({ cosigners }) => {
    under.push(cosigners.map(({ name }) => name));
    if (under.length === 1) throw new WeftError('TOKEN_SIGNATURES', 'by no cosigner of the trust file');
    return 'it holds';
  });
  t.equal(checked, 'it holds');
  t.strictSame(under[1], ['v1', 'v2', 'v3', 'w4']);
  t.strictSame(readTrust(readFileSync(path, 'utf8')).epoch, 2);
  t.strictSame((await TrustFile.open(path)).current, trust.current);
});

t.test('what does not lead on leaves everything as it was, and the first refusal stands', async (t) => {
  const path = fileOf(t);
  const text = readFileSync(path, 'utf8');
  const trust = await TrustFile.open(path);
  const desk = {
    trust,
    nodes: [nodeWith(walk(before))],
    clock: { now: () => now },
  } as unknown as Desk;
  const refuse = (code: string) => () => {
    throw new WeftError(code, 'no');
  };
  await t.rejects(underTrust(desk, refuse('TOKEN_SIGNATURES')), { code: 'TOKEN_SIGNATURES' });
  await t.rejects(
    underTrust(desk, refuse('TOKEN_EXPIRED')),
    { code: 'TOKEN_EXPIRED' },
    'and only for this is it walked',
  );
  t.equal(readFileSync(path, 'utf8'), text);
  await t.rejects(TrustFile.open(join(path, 'nowhere')), { code: /FILE_UNREADABLE|ENOTDIR/ });
  writeFileSync(path, 'log nothing');
  await t.rejects(TrustFile.open(path), { code: 'TRUST_INVALID' });
});
