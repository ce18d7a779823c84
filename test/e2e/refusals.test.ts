// What a node refuses from clients: with a stable code, with nothing changed, and it works on.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { sealTransaction, signingBytes } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { buildTransaction, ed25519TransactionSigner, readSigned, sign } from '../../src/client/index.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { keyProofMessage } from '../../src/crypto/accountKey.ts';
import { generateSeed, publicKeyOf, sign as signWith } from '../../src/crypto/ed25519.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { methodNames } from '../../src/rpc/methods.ts';
import { TestNetwork } from './network.ts';

const network = await TestNetwork.make();
t.teardown(() => network.remove());
network.startAll();
await network.ready();
const chain = network.net.chain;
const rpc = network.net.validators[0]!.rpc;
const client = network.client('v1');

type Answer = {
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly data: { readonly code: string } };
};

async function post(body: string | Uint8Array<ArrayBuffer>): Promise<{ status: number; answer: Answer }> {
  const response = await fetch(rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const text = await response.text();
  return { status: response.status, answer: text === '' ? {} : (JSON.parse(text) as Answer) };
}

/** The code that refuses an envelope, or its status. */
async function submit(envelope: string): Promise<string> {
  const { answer } = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tx.submit', params: { envelope } }));
  return answer.error?.data.code ?? String(answer.result?.['status']);
}

async function seedOf(account: string): Promise<Uint8Array> {
  const keys = await readKeyFile(network.net.accounts.get(account)!, null);
  return keys.find(({ name }) => name === 'account')!.secret;
}

const router = await seedOf('router-prime');
const group = (): JsonObject => ({
  source: 'misty.weave',
  target: 'oracle.weave',
  expires: Date.now() + 30_000,
  ids: toBase64Url(randomBytes(32)),
});
const fields = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  chain,
  account: 'router-prime',
  type: 'packets.commit',
  expires: Date.now() + 60_000,
  nonce: toBase64Url(randomBytes(8)),
  body: { groups: [group()] },
  ...over,
});

/** An envelope around any payload, signed as it should be. */
function sealed(payload: string | Uint8Array, seed = router): string {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const { keyid } = ed25519TransactionSigner(seed);
  const sig = Buffer.from(signWith(signingBytes(bytes), seed)).toString('base64');
  return `{"payload":"${Buffer.from(bytes).toString('base64')}","payloadType":"application/vnd.weft.tx+json","signatures":[{"keyid":"${keyid}","sig":"${sig}"}]}`;
}

async function finalizedHeight(): Promise<number> {
  return (await client.status()).finalized.height;
}

/** Nothing is lost and nothing stands still: the node says it is well, and the next transaction is finalized. */
async function stillWell(t: Test, after: string): Promise<void> {
  const response = await fetch(`${rpc}/healthz`);
  if (response.status !== 200) t.fail(`healthz ${response.status} after: ${after}`);
  const { status } = await client.submitAndWait(await network.packet(), { allowRefused: true });
  if (status !== 'finalized') t.fail(`the next transaction is ${status} after: ${after}`);
}

const good = (): string => sealed(JSON.stringify(fields()));
const changed = (envelope: string, from: string | RegExp, to: string): string => {
  const result = envelope.replace(from, to);
  if (result === envelope) throw new Error(`nothing to change: ${from}`);
  return result;
};
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

const stranger = generateSeed();
const cases: readonly (readonly [what: string, code: string, envelope: () => string])[] = [
  ['unsigned', 'ENVELOPE_INVALID', () => changed(good(), /"signatures":\[.*\]/, '"signatures":[]')],
  ['signed by a key of nobody', 'KEY_INACTIVE', () => sealed(JSON.stringify(fields()), stranger)],
  ['signed over other bytes', 'SIGNATURE_INVALID', () => changed(good(), /"sig":"....../, '"sig":"AAAAAA')],
  [
    'a good signature, and one of junk after it',
    'KEY_INACTIVE',
    () => {
      const { keyid } = ed25519TransactionSigner(router);
      const other = keyid < 'f'.repeat(16) ? 'f'.repeat(16) : '0'.repeat(16);
      return changed(good(), /\]\}$/, `,{"keyid":"${other}","sig":"${randomBytes(64).toString('base64')}"}]}`);
    },
  ],
  ['one key twice', 'ENVELOPE_SIGNATURES', () => changed(good(), /("signatures":\[)(.*)\]/, '$1$2,$2]')],
  ['expired', 'TX_EXPIRED', () => sealed(JSON.stringify(fields({ expires: Date.now() - 1000 })))],
  [
    'expires in a week',
    'TX_NOT_YET_VALID',
    () => sealed(JSON.stringify(fields({ expires: Date.now() + 7 * 86_400_000 }))),
  ],
  ['expires after the end of time', 'TX_FORM', () => sealed(JSON.stringify(fields({ expires: 2 ** 53 - 1 })))],
  ['unknown type', 'TX_TYPE_UNKNOWN', () => sealed(JSON.stringify(fields({ type: 'packets.unheard' })))],
  ['a type that is a path', 'TX_FORM', () => sealed(JSON.stringify(fields({ type: '../record/block' })))],
  ['unknown member', 'TX_FORM', () => sealed(JSON.stringify(fields({ priority: 1 })))],
  [
    'unknown member in the body',
    'TX_BODY',
    () => sealed(JSON.stringify(fields({ body: { groups: [group()], note: '' } }))),
  ],
  [
    'a member twice',
    'JSON_NOT_CANONICAL',
    () => sealed(JSON.stringify(fields()).replace('{"chain"', `{"account":"council","chain"`)),
  ],
  ['spaces in the payload', 'JSON_NOT_CANONICAL', () => sealed(JSON.stringify(fields(), null, 1))],
  ['a fraction', 'JSON_NUMBER', () => sealed(JSON.stringify(fields({ expires: Date.now() + 0.5 })))],
  ['__proto__', 'JSON_NAME', () => sealed(changed(JSON.stringify(fields()), '{"chain"', '{"__proto__":{},"chain"'))],
  ['foreign chain', 'TX_CHAIN', () => sealed(JSON.stringify(fields({ chain: 'weft-dev-3f09c2a41b7e' })))],
  ['unknown account', 'ACCOUNT_INACTIVE', () => sealed(JSON.stringify(fields({ account: 'nobody' })))],
  [
    'not UTF-8',
    'JSON_INVALID',
    () => sealed(Buffer.concat([Buffer.from('{"chain":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])),
  ],
  ['a lone surrogate', 'JSON_TEXT', () => sealed(JSON.stringify(fields({ nonce: '\ud800' })))],
  ['deeply nested payload', 'JSON_TOO_DEEP', () => sealed(nested(17))],
  ['very deeply nested payload', 'JSON_TOO_DEEP', () => sealed(nested(4000))],
  ['deeply nested envelope', 'ENVELOPE_INVALID', () => '['.repeat(40_000)],
  ['base64 without padding', 'ENVELOPE_INVALID', () => changed(good(), /("payload":"[^"=]*)=*"/, '$1="')],
  ['base64url in the envelope', 'ENVELOPE_INVALID', () => changed(good(), /"payload":"./, '"payload":"_')],
  [
    'bits left over in base64',
    'ENVELOPE_INVALID',
    () => {
      for (;;) {
        const envelope = sealed(JSON.stringify(fields({ account: 'router-prime' })).padEnd(400, ' '));
        const bent = envelope.replace(
          /([AQgw])==",/,
          (_, last: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}==",`,
        );
        if (bent !== envelope) return bent;
      }
    },
  ],
  [
    'members of the envelope in another order',
    'ENVELOPE_INVALID',
    () => {
      const { payload, payloadType, signatures } = JSON.parse(good()) as Record<string, unknown>;
      return JSON.stringify({ payloadType, payload, signatures });
    },
  ],
  ['bytes after the envelope', 'ENVELOPE_INVALID', () => `${good()}\n`],
  ['another payload type', 'TX_PAYLOAD_TYPE', () => changed(good(), 'vnd.weft.tx+json', 'json')],
  [
    'a body of more than 32 KiB',
    'ENVELOPE_TOO_LARGE',
    () => sealed(JSON.stringify(fields({ body: { groups: [], pad: 'x'.repeat(33_000) } }))),
  ],
  [
    'an envelope of more than 48 KiB',
    'RPC_PARAMS_INVALID',
    () => sealed(JSON.stringify(fields({ body: { pad: 'x'.repeat(60_000) } }))),
  ],
  [
    'a thousand groups',
    'TX_BODY',
    () => sealed(JSON.stringify(fields({ body: { groups: Array.from({ length: 150 }, group) } }))),
  ],
];

t.test('a transaction that is no good is refused with a code that stays, and nothing changes', async (t) => {
  for (const [what, code, envelope] of cases) {
    const text = envelope();
    t.equal(await submit(text), code, what);
    t.equal(await submit(text), code, `${what}, again`);
    await stillWell(t, what);
  }
});

t.test('what is too large for the door is refused at the door', async (t) => {
  const { status, answer } = await post('x'.repeat(1024 * 1024 + 1));
  t.equal(status, 413);
  t.equal(answer.error?.data.code, 'RPC_BODY_TOO_LARGE');
  const many = await post(
    JSON.stringify(Array.from({ length: 101 }, () => ({ jsonrpc: '2.0', method: 'node.status' }))),
  );
  t.equal(many.answer.error?.data.code, 'RPC_BATCH_TOO_LARGE');
  t.equal((await post('[]')).answer.error?.data.code, 'RPC_BATCH_EMPTY');
  t.equal((await post('['.repeat(500_000))).answer.error?.data.code, 'RPC_PARSE');
  t.equal((await post(Uint8Array.from([0x22, 0xc3, 0x28, 0x22]))).answer.error?.data.code, 'RPC_PARSE', 'not UTF-8');
  const plain = await fetch(rpc, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' });
  t.equal(plain.status, 415);
  await stillWell(t, 'what is too large');
});

t.test('the same transaction again is the same transaction', async (t) => {
  const envelope = good();
  const { id } = readSigned(envelope);
  const answers = await Promise.all([submit(envelope), submit(envelope), network.client('v2').submit(envelope)]);
  t.same(answers.slice(0, 2), ['pending', 'pending']);
  const first = await client.submitAndWait(envelope);
  t.equal(await submit(envelope), 'finalized', 'long since finalized: an answer, no error');
  t.equal((await network.client('v3').submitAndWait(envelope)).index, first.index);
  const other = network.client('v4');
  t.equal((await other.submitAndWait(envelope)).index, first.index, 'and once only');
  t.equal((await other.transaction(id)).status, 'finalized');
});

t.test('one transaction under two sets of signatures is finalized once', async (t) => {
  const account = 'echo.weave';
  const old = await seedOf(account);
  const fresh = generateSeed();
  const key = { alg: 'ed25519' as const, publicKey: toBase64Url(publicKeyOf(fresh)) };
  const proof = toBase64Url(signWith(keyProofMessage(chain, account, key), fresh));
  const add = await network.signed(account, 'identity.rotate', { account, add: [{ ...key, proof }], remove: [] });
  const { height } = await client.submitAndWait(add);
  await network.until((all) => all.every(({ finalized }) => finalized.height >= height));
  const body = { groups: [{ ...group(), source: account }] };
  const unsigned = buildTransaction({ chain, account, type: 'packets.commit', body });
  const one = sign(unsigned, [ed25519TransactionSigner(old)]);
  const both = sign(unsigned, [ed25519TransactionSigner(old), ed25519TransactionSigner(fresh)]);
  t.equal(one.id, both.id);
  t.not(one.text, both.text);
  const [a, b] = await Promise.all([
    client.submitAndWait(one, { allowRefused: true }),
    network.client('v2').submitAndWait(both, { allowRefused: true }),
  ]);
  t.equal(a.index, b.index);
  t.equal(await submit(both.text), 'finalized');
  t.equal(await submit(one.text), 'finalized');

  // A signature that is good, and one by a key of the same account that is not: nothing is good about it.
  const { payload } = buildTransaction({ chain, account, type: 'packets.commit', body });
  const signatures = [old, fresh].map((seed) => {
    const { keyid, sign: make } = ed25519TransactionSigner(seed);
    return { keyid, alg: 'ed25519' as const, sig: seed === old ? make(signingBytes(payload)) : randomBytes(64) };
  });
  t.equal(await submit(Buffer.from(sealTransaction(payload, signatures)).toString()), 'SIGNATURE_INVALID');
  await stillWell(t, 'two sets of signatures');
});

t.test('a key that was taken away signs nothing more, and its last transaction can still be asked for', async (t) => {
  const account = 'rogue.weave';
  const old = await seedOf(account);
  const fresh = generateSeed();
  const key = { alg: 'ed25519' as const, publicKey: toBase64Url(publicKeyOf(fresh)) };
  const proof = toBase64Url(signWith(keyProofMessage(chain, account, key), fresh));
  const { keyid } = ed25519TransactionSigner(old);
  const rotation = await network.signed(account, 'identity.rotate', {
    account,
    add: [{ ...key, proof }],
    remove: [keyid],
  });
  const { index, height } = await client.submitAndWait(rotation);
  const late = fields({ account, body: { groups: [{ ...group(), source: account }] } });
  await network.until((all) => all.every(({ finalized }) => finalized.height >= height));
  t.equal(await submit(sealed(JSON.stringify(late), old)), 'KEY_INACTIVE');
  t.equal(await submit(sealed(JSON.stringify(late), fresh)), 'pending', 'the new key signs');
  // Who never got the answer sends it again, and the key that signed it is gone by now.
  for (const name of network.names) {
    t.equal((await network.client(name).submitAndWait(rotation)).index, index, `${name} knows the rotation`);
  }
  await stillWell(t, 'a revoked key');
});

t.test('what an account may not do is refused on the ledger, and its id is consumed', async (t) => {
  const body = { account: 'operator', reason: 'because' };
  const denied = await network.signed('sentinel', 'identity.suspend', body);
  const status = await client.submitAndWait(denied, { allowRefused: true });
  t.equal(status.refused, 'POLICY_DENIED');
  const record = status.records[0]?.record as Record<string, unknown>;
  t.equal(record['type'], 'tx.refused');
  t.equal(record['tx'], denied.id);
  t.equal(await submit(denied.text), 'finalized');
  t.equal((await client.state('identity/account/operator')).value['status'], 'active', 'and nothing came of it');
  await t.rejects(client.submitAndWait(denied), { code: 'POLICY_DENIED' });
  await stillWell(t, 'a denied transaction');
});

/** xorshift32: the same garbage on each run, so that what it finds can be found again. */
function randomOf(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const members = [
  'envelope',
  'id',
  'timeoutMs',
  'height',
  'index',
  'tx',
  'record',
  'path',
  'proof',
  'topic',
  'subscription',
];

/** Random bytes as a whole message, as a parameter of a method, or in the middle of an envelope that was good. */
function garbage(random: (below: number) => number): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(Array.from({ length: random(64) }, () => random(256)));
  const kind = random(4);
  if (kind === 0) return bytes;
  const method = [...methodNames][random(methodNames.size)]!;
  const member = members[random(members.length)]!;
  const text = bytes.toString(random(2) === 0 ? 'latin1' : 'hex');
  const value = random(4) === 0 ? random(2 ** 31) - 100 : text;
  const call = (name: string, params: unknown): Buffer<ArrayBuffer> =>
    Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: random(1000), method: name, params }));
  // What is well-formed by chance must not be waited for.
  if (kind === 1) return call(method, { ...(method === 'tx.wait' ? { timeoutMs: 1 } : {}), [member]: value });
  if (kind === 2) {
    const envelope = Buffer.from(good());
    for (const byte of bytes.subarray(0, 1 + random(3))) envelope[random(envelope.length)] = byte;
    return call('tx.submit', { envelope: envelope.toString('latin1') });
  }
  const message = call(method, { timeoutMs: 1, [member]: value });
  for (const byte of bytes.subarray(0, 4)) message[random(message.length)] = byte;
  return message;
}

t.test('10,000 random strings over HTTP and WebSocket: an answer each, and none of them is a defect', async (t) => {
  const random = randomOf(0x5eed);
  const codes = new Map<string, number>();
  const count = (text: string): void => {
    if (text === '') return;
    const parsed = JSON.parse(text) as Answer | readonly Answer[];
    for (const { error } of [parsed].flat() as Answer[]) {
      const code = error?.data.code ?? 'ok';
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  };
  const urls = network.net.validators.map((each) => each.rpc);
  const overHttp = async (): Promise<void> => {
    for (let i = 0; i < 625; i++) {
      const response = await fetch(urls[i % 4]!, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: garbage(random),
      });
      if (response.status >= 500) t.fail(`status ${response.status}`);
      count(await response.text());
    }
  };
  const overWebSocket = async (url: string): Promise<void> => {
    for (let sent = 0; sent < 1250; ) {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
      socket.on('message', (data) => count(String(data).includes('"method"') ? '' : String(data)));
      await new Promise((resolve) => socket.once('open', resolve));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      // What is not UTF-8 closes the socket; then another one takes its place.
      for (; sent < 1250 && socket.readyState === WebSocket.OPEN; sent++) {
        const message = garbage(random);
        socket.send(random(50) === 0 ? message : message.toString('latin1'), { binary: random(100) === 0 });
        if (sent % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      socket.close();
      await closed;
    }
  };
  await Promise.all([...Array.from({ length: 8 }, overHttp), ...urls.map(overWebSocket)]);
  t.equal(codes.get('INTERNAL') ?? 0, 0);
  for (const code of [
    'ok',
    'RPC_PARSE',
    'RPC_PARAMS_INVALID',
    'ENVELOPE_INVALID',
    'SIGNATURE_INVALID',
    'JSON_INVALID',
  ]) {
    t.ok((codes.get(code) ?? 0) > 10, `${code}: the garbage reaches this far (${codes.get(code)})`);
  }
  await stillWell(t, 'garbage');
});

t.test('after all of it: one chain, four processes, and no error in any log', async (t) => {
  const statuses = await network.until((all) => new Set(all.map(({ finalized }) => finalized.blockId)).size === 1);
  t.ok((await finalizedHeight()) > 30);
  for (const status of statuses) t.equal(status.notVoting, '', `${status.name} votes`);
  for (const name of network.names) t.ok(network.running(name), `${name} runs`);
  t.same(errorsIn(network), []);
});

/** Lines of level error and above, over all nodes. */
function errorsIn({ net }: TestNetwork): unknown[] {
  return net.validators.flatMap(({ dir }) =>
    readFileSync(join(dir, 'node.log'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { level: number })
      .filter(({ level }) => level >= 50),
  );
}
