import { readFileSync } from 'node:fs';
import t from 'tap';
import { verifyConsensus } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { formatCheckpoint, parseCheckpoint, signCheckpoint, verifyLogSignature } from '../../src/log/checkpoint.ts';
import {
  checkpointTime,
  cosign,
  faultsOf,
  parseCosignature,
  publishCheckpoint,
  quorumOf,
  verifyCosignature,
} from '../../src/log/cosignature.ts';
import { formatNote, noteLimits, parseNote } from '../../src/log/note.ts';
import { algCosigner, algLog, createVkey, formatVkey, isKeyName, parseVkey } from '../../src/log/vkey.ts';
import { chain, SampleLog, sampleKey, sampleNetwork, timeS } from './sample.ts';

const c2sp = JSON.parse(readFileSync(new URL('../vectors/log/c2sp.json', import.meta.url), 'utf8'));

t.test('the examples of the specifications', async (t) => {
  for (const [vkey, text] of [
    [c2sp.note.vkey, c2sp.note.note],
    [c2sp.sumdbVkey, c2sp.sumdbNote],
  ]) {
    const key = parseVkey(sha256, vkey);
    t.equal(formatVkey(key), vkey);
    const note = parseNote(text);
    t.ok(verifyLogSignature(note.text, note.signatures[0]!, key, verifyConsensus), key.name);
    t.notOk(verifyLogSignature(`${note.text} `, note.signatures[0]!, key, verifyConsensus));
    t.equal(formatNote(note), text);
  }
  const poem = parseNote(c2sp.poem);
  t.match(poem.text, /sole:\n\ned è subito sera\.\n$/, 'text may hold blank lines');
  const { note, origin, size, timeS } = c2sp.cosigned;
  const parsed = parseNote(note);
  t.match(parseCheckpoint(parsed.text), { origin, size });
  t.equal(formatCheckpoint(parseCheckpoint(parsed.text)), parsed.text);
  t.equal(parseCosignature(parsed.signatures[1]!.blob)?.timeS, timeS);
});

t.test('verifier keys have one spelling', async (t) => {
  const { key } = sampleKey(`${chain}/weft`, algLog, 'vkey');
  const text = formatVkey(key);
  t.same(parseVkey(sha256, text), key);
  const [name, id, encoded] = [text.split('+')[0]!, text.split('+')[1]!, text.split('+').slice(2).join('+')];
  for (const bad of [
    '',
    name,
    `${name}+${id}`,
    `${name}+${id.toUpperCase() === id ? '00000000' : id.toUpperCase()}+${encoded}`,
    `${name}+00000000+${encoded}`,
    `${name}x+${id}+${encoded}`,
    `${name}+${id}+${encoded.slice(0, -4)}`,
    `${name}+${id}+${encoded}=`,
    `${name}+${id}+${encoded}\n`,
    `+${id}+${encoded}`,
    `a b+${id}+${encoded}`,
    formatVkey({ ...key, alg: 2 as never }),
  ]) {
    t.throws(() => parseVkey(sha256, bad), { code: 'VKEY_INVALID' }, bad);
  }
  t.throws(() => createVkey(sha256, 'x', algLog, new Uint8Array(31)), { code: 'VKEY_INVALID' });
  t.not(
    createVkey(sha256, 'x', algCosigner, key.publicKey).keyId,
    createVkey(sha256, 'x', algLog, key.publicKey).keyId,
  );
  for (const bad of ['', 'a b', 'a+b', 'a\u2003b', 'a\u0085', '\ud800', 'x'.repeat(257)]) t.notOk(isKeyName(bad));
});

t.test('notes: form', async (t) => {
  const good = c2sp.note.note as string;
  const line = good.split('\n')[2]!;
  for (const bad of [
    '',
    '\n',
    '\n\n',
    good.slice(0, -1),
    `${good}\n`,
    good.replace('\n\n', '\n'),
    good.replace('\u2014', '-'),
    good.replace('\u2014 ', '\u2014  '),
    good.replace(line, `${line} `),
    good.replace(line, `${line}\r`),
    good.replace('=\n', '\n'),
    good.replace('example.com/foo', ''),
    good.replace('example.com/foo', 'exa+mple'),
    good.replace('message', 'mess\tage'),
    good.replace('message', 'mess\u0000age'),
    good.replace(line, '\u2014 example.com/foo Uw2QOg=='),
  ]) {
    t.throws(() => parseNote(bad), { code: 'NOTE_INVALID' }, JSON.stringify(bad));
  }
  const many = `x\n\n${`${line}\n`.repeat(noteLimits.signaturesMax)}`;
  t.equal(parseNote(many).signatures.length, noteLimits.signaturesMax);
  t.throws(() => parseNote(`${many}${line}\n`), { code: 'NOTE_TOO_LARGE' });
  t.throws(() => parseNote(`${'x'.repeat(noteLimits.lengthMax)}${good}`), { code: 'NOTE_TOO_LARGE' });
  t.throws(() => formatNote({ text: 'x', signatures: parseNote(good).signatures }), { code: 'NOTE_INVALID' });
  t.throws(() => formatNote({ text: 'x\n', signatures: [] }), { code: 'NOTE_INVALID' });
});

t.test('checkpoints: three lines, and no size that JavaScript cannot hold', async (t) => {
  const body = SampleLog.ofSize(3).body(sampleNetwork());
  t.same(formatCheckpoint(parseCheckpoint(body)), body);
  const [origin, size, root] = body.split('\n');
  for (const bad of [
    '',
    `${origin}\n${size}\n${root}`,
    `${origin}\n0${size}\n${root}\n`,
    `${origin}\n+${size}\n${root}\n`,
    `${origin}\n9007199254740992\n${root}\n`,
    `${origin}\n1e3\n${root}\n`,
    `${origin}\n\n${root}\n`,
    `\n${size}\n${root}\n`,
    `${origin}\n${size}\n${root?.slice(4)}\n`,
    `${origin}\n${size}\n${root}=\n`,
    `${origin}\n${size}\n${root}\n\nx\n`,
  ]) {
    t.throws(() => parseCheckpoint(bad, 'allow'), { code: 'CHECKPOINT_INVALID' }, JSON.stringify(bad));
  }
  const extended = `${body}extension\n`;
  t.equal(parseCheckpoint(extended, 'allow').size, 3);
  t.throws(() => parseCheckpoint(extended), { code: 'CHECKPOINT_INVALID' });
  t.equal(parseCheckpoint(`${origin}\n9007199254740991\n${root}\n`).size, Number.MAX_SAFE_INTEGER);
  t.equal(parseCheckpoint(`${origin}\n0\n${root}\n`).size, 0, 'other logs may be empty');
  for (const bad of [{ size: 0 }, { size: 1.5 }, { origin: 'a b' }, { root: new Uint8Array(31) }]) {
    t.throws(() => formatCheckpoint({ ...parseCheckpoint(body), ...bad }), { code: 'CHECKPOINT_INVALID' });
  }
});

t.test('cosignatures bind text, time, key and type', async (t) => {
  const network = sampleNetwork();
  const text = SampleLog.ofSize(5).body(network);
  const { key, sign } = network.cosigners[1]!;
  const signature = cosign(text, timeS, key, sign);
  t.equal(verifyCosignature(text, signature, key, verifyConsensus), timeS);
  const blob = (at: number) => signature.blob.map((byte, i) => (i === at ? byte ^ 1 : byte));
  for (const bad of [blob(0), blob(7), blob(8), blob(71), signature.blob.subarray(1), new Uint8Array(73)]) {
    t.equal(verifyCosignature(text, { ...signature, blob: bad }, key, verifyConsensus), undefined);
  }
  t.equal(verifyCosignature(`${text}x\n`, signature, key, verifyConsensus), undefined);
  t.equal(verifyCosignature(text, signature, network.cosigners[0]!.key, verifyConsensus), undefined);
  t.equal(verifyCosignature(text, signature, { ...key, alg: algLog }, verifyConsensus), undefined);
  const log = network.logs[0]!;
  const plain = signCheckpoint(text, log.key, log.sign);
  t.ok(verifyLogSignature(text, plain, log.key, verifyConsensus));
  t.notOk(verifyLogSignature(text, { ...plain, blob: plain.blob.subarray(1) }, log.key, verifyConsensus));
  t.notOk(verifyLogSignature(text, plain, { ...log.key, alg: algCosigner }, verifyConsensus));
  for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53])
    t.throws(() => cosign(text, bad, key, sign), { code: 'COSIGNATURE_INVALID' });
});

t.test('what is published: own log line, exactly q cosigners in policy order, the newest of each', async (t) => {
  const network = sampleNetwork();
  const text = SampleLog.ofSize(5).body(network);
  const policy = network.cosigners.map(({ key }) => key);
  const log = signCheckpoint(text, network.logs[2]!.key, network.logs[2]!.sign);
  const by = (i: number, at: number) => cosign(text, at, network.cosigners[i]!.key, network.cosigners[i]!.sign);
  const names = (published: string | undefined) =>
    parseNote(published ?? '').signatures.map(({ name }) => name.split('/')[1]);
  const publish = (cosignatures: ReturnType<typeof by>[]) =>
    publishCheckpoint({ text, log, cosignatures, policy, quorum: 3 });
  t.same(names(publish([by(3, 10), by(0, 11), by(2, 12)])), ['weft', 'v1', 'v3', 'v4']);
  t.same(
    names(publish([by(3, 10), by(0, 9), by(2, 12), by(1, 11)])),
    ['weft', 'v2', 'v3', 'v4'],
    'the oldest is left out',
  );
  t.same(names(publish([by(0, 5), by(1, 5), by(2, 5), by(3, 5)])), ['weft', 'v1', 'v2', 'v3'], 'the first of equals');
  const newest = parseNote(publish([by(0, 9), by(0, 20), by(0, 3), by(1, 9), by(2, 9)]) ?? '');
  t.same(
    newest.signatures.map(({ blob }) => parseCosignature(blob)?.timeS),
    [undefined, 20, 9, 9],
  );
  t.equal(publish([by(0, 9), by(0, 10), by(1, 11)]), undefined, 'two signatures of one key are one');
  const stranger = sampleKey(`${chain}/v9`, algCosigner, 'stranger');
  t.equal(publish([by(0, 9), by(1, 10), cosign(text, 11, stranger.key, stranger.sign)]), undefined);
});

t.test('the time of a checkpoint is one that an honest cosigner gave', async (t) => {
  t.equal(checkpointTime([7, 9, 8], 4), 8000);
  t.equal(checkpointTime([7, 99_999, 8], 4), 8000, 'one liar of four moves nothing past the others');
  t.equal(checkpointTime([5], 1), 5000);
  t.equal(checkpointTime([1, 2, 3, 4, 5], 7), 3000);
  t.throws(() => checkpointTime([1, 2], 7), { code: 'COSIGNATURE_INVALID' });
  t.same(
    [1, 3, 4, 6, 7, 22].map((n) => [faultsOf(n), quorumOf(n)]),
    [
      [0, 1],
      [0, 3],
      [1, 3],
      [1, 5],
      [2, 5],
      [7, 15],
    ],
  );
});
