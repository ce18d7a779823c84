import { readFileSync } from 'node:fs';
import t from 'tap';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import * as browser from '../../src/token/browser.ts';
import { encodeToken, grantLeafBytesMax, parseToken, tokenBytesMax } from '../../src/token/form.ts';
import * as node from '../../src/token/node.ts';
import type { TokenChecks, VerifiedToken } from '../../src/token/verify.ts';
import { codeFor } from '../codeFor.ts';
import { SampleLog, sampleNetwork, timeS } from '../log/sample.ts';
import { grantText, largestGrantText, packetIds } from './leaves.ts';
import { logWith, makeTokenVectors, tokenOf, tokenVectorsUrl } from './makeVectors.ts';

const vectors = JSON.parse(readFileSync(tokenVectorsUrl, 'utf8'));
const trust = node.readTrust(vectors.trust);
const network = sampleNetwork();
const frozen = (name: string): string => vectors.tokens.find((vector: { name: string }) => vector.name === name).token;
const grantTime = 1_763_712_000_123;
const verify = (token: string | Uint8Array, checks: TokenChecks = {}): VerifiedToken =>
  node.verifyToken(token, { trust, ...checks });
/** A token for hand-written leaf text at index 5 of 9, signed by the validators all the same: the leaf is what is wrong. */
const tokenFor = (text: string): string => tokenOf(logWith([text], 5, 9), network, 5);

t.test('the bytes that we write are those that are frozen', async (t) => {
  t.strictSame(JSON.parse(JSON.stringify(makeTokenVectors())), vectors);
});

for (const [runtime, entry] of Object.entries({ node, browser })) {
  t.test(`the frozen tokens verify (${runtime})`, async (t) => {
    const options = { trust: vectors.trust };
    const grant = entry.verifyToken(frozen('grant'), options);
    t.match(grant, {
      kind: 'grant',
      index: 100,
      checkpoint: { size: 300, time: 1000 * (timeS + 1), cosigners: ['v1', 'v2', 'v3'] },
    });
    t.match(grant, {
      grant: { audience: 'actuator-web-3', action: 'service.restart', maxUses: 1, expires: { height: 1412 } },
    });
    t.same(grant.unchecked, ['now', 'audience', 'effect']);
    t.same(Buffer.from(grant.leaf).toString(), grantText);
    const packets = entry.verifyToken(encodeUtf8(frozen('packets')), options);
    t.match(packets, { kind: 'packets', packets: { source: 'misty.weave', receiver: 'oracle.weave', ids: packetIds } });
    t.match(entry.verifyToken(frozen('denied'), options), { kind: 'record', type: 'packets.committed' });
    t.match(entry.verifyToken(frozen('record'), options), { kind: 'record', type: 'intents.consumed', unchecked: [] });
    t.match(entry.verifyToken(vectors.genesis.token, options), { kind: 'record', index: 0, checkpoint: { size: 1 } });
  });
}

t.test('a token is a tlog-proof below its first two lines', async (t) => {
  const [, , ...rest] = frozen('grant').split('\n');
  t.match(rest.join('\n'), /^c2sp\.org\/tlog-proof@v1\nindex 100\n/);
});

t.test('a grant is held against audience, effect and clock', async (t) => {
  const effect = '7f1d3b6c0a5e4928d17c66b1f0e2a394857c6d5b4e3f2a1908f7e6d5c4b3a291';
  const good = { now: grantTime + 5000, audience: 'actuator-web-3', effect, height: 900 };
  t.same(verify(frozen('grant'), good).unchecked, []);
  const expires = grantTime + 300_000;
  for (const [change, code] of [
    [{ audience: 'actuator-web-4' }, 'TOKEN_AUDIENCE'],
    [{ effect: effect.replace('7', '8') }, 'TOKEN_EFFECT'],
    [{ effect: effect.toUpperCase() }, 'TOKEN_EFFECT'],
    [{ now: expires - 2000 }, 'TOKEN_EXPIRED'],
    [{ now: expires - 2001 }, 'accepted'],
    [{ now: expires - 1, maxClockSkewMs: 0 }, 'accepted'],
    [{ now: expires, maxClockSkewMs: 0 }, 'TOKEN_EXPIRED'],
    [{ height: 1412 }, 'TOKEN_EXPIRED'],
    [{ height: 1411 }, 'accepted'],
    [{ height: 811 }, 'TOKEN_NOT_YET_VALID'],
    [{ now: grantTime - 2001 }, 'TOKEN_NOT_YET_VALID'],
    [{ now: Number.NaN }, 'TOKEN_CHECKS_INVALID'],
    [{ now: good.now, maxClockSkewMs: -1 }, 'TOKEN_CHECKS_INVALID'],
    [{ target: 'oracle.weave' }, 'TOKEN_KIND'],
    [{ packet: packetIds[0]! }, 'TOKEN_KIND'],
  ] as const) {
    t.equal(
      codeFor(() => verify(frozen('grant'), { ...good, ...change })),
      code,
      JSON.stringify(change),
    );
  }
  for (const kind of ['packets', 'denied', 'record']) {
    t.equal(
      codeFor(() => verify(frozen(kind), { audience: 'actuator-web-3' })),
      'TOKEN_KIND',
    );
    t.equal(
      codeFor(() => verify(frozen(kind), { effect })),
      'TOKEN_KIND',
    );
  }
});

t.test('a packet group is held against target, packet and clock', async (t) => {
  const good = { now: grantTime, target: 'oracle.weave', packet: packetIds[1]! };
  t.same(verify(frozen('packets'), good).unchecked, []);
  for (const [change, code] of [
    [{ target: 'misty.weave' }, 'TOKEN_TARGET'],
    [{ packet: 'ab'.repeat(32) }, 'TOKEN_PACKET'],
    [{ packet: packetIds[0]!.toUpperCase() }, 'TOKEN_PACKET'],
    [{ now: grantTime + 28_000 }, 'TOKEN_EXPIRED'],
    [{ now: grantTime + 27_999 }, 'accepted'],
  ] as const) {
    t.equal(
      codeFor(() => verify(frozen('packets'), { ...good, ...change })),
      code,
      JSON.stringify(change),
    );
  }
  t.equal(
    codeFor(() => verify(frozen('denied'), good)),
    'TOKEN_DENIED',
  );
  t.equal(
    codeFor(() => verify(frozen('record'), good)),
    'TOKEN_KIND',
  );
  const forwarded = tokenFor(vectors.tokens[1].leaf.replace('"rule":"r3"', '"rule":"r3","to":"oracle-2"'));
  t.equal(
    codeFor(() => verify(forwarded, good)),
    'TOKEN_TARGET',
    'the table sends it elsewhere',
  );
  t.match(verify(forwarded, { ...good, target: 'oracle-2' }), {
    packets: { target: 'oracle.weave', receiver: 'oracle-2' },
  });
});

t.test('leaves that are in the log and authorise nothing', async (t) => {
  const packets: string = vectors.tokens[1].leaf;
  for (const [why, text] of Object.entries({
    'not JSON': 'x',
    empty: '',
    'not an object': '[]',
    null: 'null',
    'no type': '{"height":1}',
    'type not first': '{"height":1,"type":"x"}',
    'both types': '{"type":"x","_type":"y"}',
    'type in another case': '{"type":"x","Type":"y"}',
    'type in capitals': '{"TYPE":"x"}',
    'type is no name': '{"type":7}',
    'empty type': '{"type":""}',
    spaces: '{"type": "x"}',
    'duplicate member': '{"type":"x","type":"y"}',
    'another statement': grantText.replace('Statement/v1', 'Statement/v0.1'),
    'another predicate': grantText.replace('urn:weft:grant:v1', 'urn:weft:grant:v2'),
    'two subjects': grantText.replace(
      '[{"name":"effect"',
      '[{"name":"effect","digest":{"sha256":""}},{"name":"effect"',
    ),
    'another subject': grantText.replace('"effect"', '"cause"'),
    'another digest': grantText.replace('{"sha256":"7f', '{"sha512":"7f'),
    'a digest more': grantText.replace('{"sha256":"7f', '{"md5":"","sha256":"7f'),
    'a digest in capitals': grantText.replace('7f1d', '7F1D'),
    denied: grantText.replace('"allow"', '"deny"'),
    'a member less': grantText.replace('"maxUses":1,', ''),
    'a member more': grantText.replace('"maxUses":1,', '"maxUses":1,"more":1,'),
    'members in another order': grantText.replace('"maxUses":1,"reusable":false,', '"reusable":false,"maxUses":1,'),
    'a negative number': grantText.replace('"maxUses":1', '"maxUses":-1'),
    'a number as text': grantText.replace('"maxUses":1', '"maxUses":"1"'),
    'a flag as a number': grantText.replace('"reusable":false', '"reusable":0'),
    'six approvers': grantText.replace('["alice"]', '["a","b","c","d","e","f"]'),
    'an approver that is no name': grantText.replace('["alice"]', '[1]'),
    'an audience that is no account': grantText.replace('actuator-web-3', 'Actuator'),
    'another nonce': grantText.replace('q83vEjRWeJA', 'q83vEjRWeJ'),
    'packets: another decision': packets.replace('"allow"', '"maybe"'),
    'packets: no decision': packets.replace('"decision":"allow",', ''),
    'packets: no route': packets.replace('{"table":7,"rule":"r3"}', 'null'),
    'packets: no target': packets.replace('"oracle.weave"', 'null'),
    'packets: expires as text': packets.replace('1763712030123', '"1763712030123"'),
    'packets: no ids': packets.replace(/"ids":"[^"]*"/, '"ids":""'),
    'packets: half an id': packets.replace(/"ids":"[^"]*"/, '"ids":"AAAA"'),
  })) {
    t.equal(
      codeFor(() => verify(tokenFor(text))),
      'TOKEN_LEAF_INVALID',
      why,
    );
  }
});

t.test('signatures: exactly one log line and exactly q cosigners, distinct, in policy order', async (t) => {
  const log = logWith([grantText], 5, 9);
  const [, c2, c3, c4] = network.cosigners;
  const token = (checkpoint: string): string => tokenOf(log, network, 5, checkpoint);
  const good = log.checkpoint(network);
  const [logLine, l1, l2, l3] = good.split('\n').slice(4, 8) as [string, string, string, string];
  const l4 = log.checkpoint(network, 9, [c2!, c3!, c4!]).split('\n')[7]!;
  const body = good.split('\n').slice(0, 4).join('\n');
  const lines = (...list: string[]): string => token(`${body}\n${list.join('\n')}\n`);
  t.equal(
    codeFor(() => verify(lines(logLine, l1, l2, l3))),
    'accepted',
  );
  t.equal(
    codeFor(() => verify(lines(logLine, l1, l3, l4))),
    'accepted',
  );
  for (const [why, bad] of Object.entries({
    'two cosigners': lines(logLine, l1, l2),
    'four cosigners': lines(logLine, l1, l2, l3, l4),
    'one twice': lines(logLine, l1, l1, l2),
    'another order': lines(logLine, l2, l1, l3),
    'no log line': lines(l1, l2, l3, l4),
    'log line last': lines(l1, l2, l3, logLine),
    'two log lines': lines(logLine, logLine, l1, l2),
    'only a log line': lines(logLine),
    'other validators': token(log.checkpoint(sampleNetwork(4, network.chain, (i) => `w${i}`))),
  })) {
    t.equal(
      codeFor(() => verify(bad)),
      'TOKEN_SIGNATURES',
      why,
    );
  }
  const foreign = sampleNetwork(4, 'weft-dev-000000000000');
  t.equal(
    codeFor(() => verify(tokenOf(log, foreign, 5))),
    'TOKEN_ORIGIN',
    'another chain',
  );
  const other = logWith([grantText.replace('web-3', 'web-4')], 5, 9);
  t.equal(
    codeFor(() => verify(token(other.checkpoint(network)))),
    'TOKEN_PROOF_INVALID',
    'another tree, well signed',
  );
  const swapped = token(`${body}\n${[logLine, l1, l2, l3].join('\n')}\n`.replace(body, other.body(network)));
  t.equal(
    codeFor(() => verify(swapped)),
    'TOKEN_SIGNATURE_INVALID',
    'another tree under these signatures',
  );
  const moved = (line: string, key: string) => `${line.split(' ').slice(0, 2).join(' ')} ${key.split(' ')[2]}`;
  t.equal(
    codeFor(() => verify(lines(logLine, moved(l1, l2), l2, l3))),
    'TOKEN_SIGNATURES',
    'a signature under another name',
  );
});

t.test('every change of one byte is refused with a code', async (t) => {
  // Every byte of one token; of the other every seventh, as the form is the same.
  for (const [name, step] of [
    ['grant', 1],
    ['packets', 7],
  ] as const) {
    const bytes = encodeUtf8(frozen(name));
    const seen = new Map<string, number>();
    let accepted = 0;
    const check = (changed: Uint8Array): void => {
      const code = codeFor(() => verify(changed));
      if (!code.startsWith('TOKEN_')) accepted += 1;
      seen.set(code, (seen.get(code) ?? 0) + 1);
    };
    for (let at = 0; at < bytes.length; at += step) {
      for (const mask of [1, 2, 32, 128]) check(bytes.map((byte, i) => (i === at ? byte ^ mask : byte)));
      check(Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]));
      check(Uint8Array.from([...bytes.subarray(0, at), at % 2 === 0 ? 0x0a : 0x41, ...bytes.subarray(at)]));
    }
    for (const more of [0x0a, 0x0d, 0x20, 0x00, 0x3d]) check(Uint8Array.from([...bytes, more]));
    t.equal(accepted, 0, `${name}: ${JSON.stringify([...seen])}`);
    t.ok(seen.has('TOKEN_MALFORMED') && seen.has('TOKEN_SIGNATURE_INVALID') && seen.has('TOKEN_PROOF_INVALID'));
  }
});

t.test('bounds come before work', async (t) => {
  t.equal(
    codeFor(() => verify('x'.repeat(tokenBytesMax + 1))),
    'TOKEN_TOO_LARGE',
  );
  t.equal(
    codeFor(() => verify(new Uint8Array(tokenBytesMax + 1))),
    'TOKEN_TOO_LARGE',
  );
  t.equal(
    codeFor(() => verify('\u2014'.repeat(tokenBytesMax / 2))),
    'TOKEN_TOO_LARGE',
    'bytes count, not characters',
  );
  t.equal(
    codeFor(() => verify(`weft-token/v1\nleaf ${'A'.repeat(4 * 21_846)}\n`)),
    'TOKEN_TOO_LARGE',
  );
  t.equal(
    codeFor(() => verify(`weft-token/v1\nleaf AAAA\nc2sp.org/tlog-proof@v1\n${'A\n'.repeat(60_000)}`)),
    'TOKEN_MALFORMED',
  );
  t.equal(
    codeFor(() => verify('\ud800')),
    'TOKEN_MALFORMED',
  );
  t.equal(
    codeFor(() => verify('')),
    'TOKEN_MALFORMED',
  );
  const largest = tokenOf(new SampleLog([encodeUtf8(`{"type":"x","v":"${'v'.repeat(65_535 - 19)}"}`)]), network, 0);
  t.equal(verify(largest).leaf.length, 65_535);
  const checkpoint = vectors.genesis.token.split('\n\n').slice(1).join('\n\n');
  const parts = { leaf: new Uint8Array(1), index: 0, hashes: [], checkpoint };
  t.ok(parseToken(encodeToken(parts)));
  for (const bad of [
    { leaf: new Uint8Array(65_536) },
    { index: -1 },
    { hashes: [new Uint8Array(31)] },
    { hashes: Array.from({ length: 64 }, () => new Uint8Array(32)) },
    { checkpoint: 'x' },
    { checkpoint: `${checkpoint}\n` },
  ]) {
    t.match(
      codeFor(() => encodeToken({ ...parts, ...bad })),
      /^TOKEN_(MALFORMED|TOO_LARGE)$/,
    );
  }
});

t.test('a grant of the largest size fits 4 KiB with four validators', async (t) => {
  const text = largestGrantText();
  t.equal(encodeUtf8(text).length, grantLeafBytesMax);
  const long = sampleNetwork(4, `${'n'.repeat(40)}-3f09c2a41b7e`, (i) => `${i}${'v'.repeat(31)}`);
  const log = new SampleLog([encodeUtf8(text)]);
  // 2^32 leaves have an index of ten digits and 32 hashes; neither the log nor its root need exist to be counted.
  const token = encodeToken({
    leaf: encodeUtf8(text),
    index: 2 ** 32 - 1,
    hashes: Array.from({ length: 32 }, () => new Uint8Array(32)),
    checkpoint: log.checkpoint(long).replace('\n1\n', `\n${2 ** 32}\n`),
  });
  t.ok(encodeUtf8(token).length <= 4096, `${encodeUtf8(token).length} bytes`);
  t.match(verify(tokenFor(text)), { kind: 'grant' });
});
