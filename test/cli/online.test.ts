import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import { buildTransaction, ed25519TransactionSigner, sign } from '../../src/client/index.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { writeLog } from '../client/logFiles.ts';
import { fakeBlock, fakeNode, hash, leafText } from '../rpc/fakeNode.ts';
import { weft } from './run.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/token/tokens.json', import.meta.url), 'utf8'));
const tokenNamed = (name: string): string => vectors.tokens.find((each: { name: string }) => each.name === name).token;

t.test('token verify: exit code 0 and what it authorises, or 1 and the reason', async (t) => {
  const dir = t.testdir({
    'trust.txt': vectors.trust,
    grant: tokenNamed('grant'),
    packets: tokenNamed('packets'),
    record: tokenNamed('record'),
  });
  const at = (name: string): string => join(dir, name);
  const verify = (name: string, ...more: string[]): ReturnType<typeof weft> =>
    weft(['token', 'verify', at(name), '--trust', at('trust.txt'), ...more]);
  const [grant, packets, record, json] = await Promise.all([
    verify('grant', '--at', 'none'),
    verify('packets', '--at', 'none'),
    verify('record'),
    verify('record', '--json'),
  ]);
  t.equal(grant.code, 0, grant.err);
  t.match(grant.out, /The token holds\.[\s\S]*authorises +one act/);
  t.match(grant.out, /not checked +now, audience, effect/);
  t.equal(packets.code, 0, packets.err);
  t.match(packets.out, /carrying packets/);
  t.equal(record.code, 0, record.err);
  t.match(record.out, /authorises nothing by itself/);
  t.equal(JSON.parse(json.out).holds, true);

  const text = tokenNamed('record');
  writeFileSync(at('forged'), text.replace('\nindex ', '\nindex 1'));
  const [expired, forged, audience, missing] = await Promise.all([
    verify('packets', '--at', '1999999999999'),
    verify('forged'),
    verify('grant', '--at', 'none', '--audience', 'somebody.else'),
    verify('absent'),
  ]);
  t.same([expired.code, forged.code, audience.code, missing.code], [1, 1, 1, 1]);
  t.match(expired.err, '[TOKEN_EXPIRED]');
  t.match(forged.err, '[TOKEN_PROOF_INVALID]');
  t.match(audience.err, '[TOKEN_AUDIENCE]');
  t.match(missing.err, '[FILE_UNREADABLE]');
});

t.test('against a node: submit, wait, query, token get, trust', async (t) => {
  const api = fakeNode();
  const node = {
    ...api,
    submit: async (envelope: Uint8Array) => {
      const { txId, account } = decodeTransaction(envelope);
      api.transactions.set(txId, { status: 'pending', id: txId });
      setTimeout(() => api.finalize(txId, account === 'denied' ? 'POLICY_DENIED' : undefined), 20);
      return api.transaction(txId);
    },
  };
  const server = await createRpcServer({ api: node, config: rpcConfig({ port: 0, heartbeatMs: 100 }) });
  t.teardown(() => server.close());
  const rpc = ['--rpc', server.url];
  const envelope = (account: string): { text: string; id: string } =>
    sign(
      buildTransaction({
        chain: 'weft-test-000000000000',
        account,
        type: 'identity.suspend',
        body: { account: 'a', reason: 'b' },
      }),
      [ed25519TransactionSigner(new Uint8Array(32).fill(5))],
    );
  const good = envelope('council');
  const denied = envelope('denied');
  const [submitted, refused, garbage, unknown] = await Promise.all([
    weft(['tx', 'submit', ...rpc, '-'], { input: `${good.text}\n` }),
    weft(['tx', 'submit', ...rpc, '--json', '-'], { input: denied.text }),
    weft(['tx', 'submit', ...rpc, '-'], { input: '{}' }),
    weft(['tx', 'wait', ...rpc, hash('nothing'), '--timeout', '100ms']),
  ]);
  t.equal(submitted.code, 0, submitted.err);
  t.match(submitted.out, 'finalized');
  t.match(submitted.err, `weft token get --rpc ${server.url} --tx ${good.id}`, 'says what to do next');
  t.equal(refused.code, 1);
  t.equal(JSON.parse(refused.out).refused, 'POLICY_DENIED');
  t.equal(JSON.parse(refused.err).error.code, 'POLICY_DENIED');
  t.equal(garbage.code, 1);
  t.match(garbage.err, /\[ENVELOPE_/);
  t.equal(unknown.code, 1);
  t.match(unknown.err, '[TX_FATE_UNKNOWN]');

  const [status, block, entry, state, tokens, trust, waited, ambiguous] = await Promise.all([
    weft(['query', 'status', ...rpc]),
    weft(['query', 'block', '3', ...rpc, '--json']),
    weft(['query', 'entry', '0', ...rpc]),
    weft(['query', 'state', 'governance/pause/current', ...rpc]),
    weft(['token', 'get', ...rpc, '--tx', good.id, '--record', '0']),
    weft(['trust', ...rpc]),
    weft(['tx', 'wait', ...rpc, good.id, '--json']),
    weft(['token', 'get', ...rpc, '--tx', good.id]),
  ]);
  t.match(status.out, /chain +weft-test-000000000000/);
  t.match(status.out, /follows +the live chain/);
  t.same(JSON.parse(block.out), fakeBlock(3));
  t.equal(entry.out, `${leafText}\n`);
  t.same(JSON.parse(state.out), { paused: false });
  t.equal(tokens.out, `weft-token/v1\ntx ${good.id} 0\n`, 'the bytes and nothing else');
  t.match(trust.out, 'quorum V');
  t.equal(JSON.parse(waited.out).status, 'finalized');
  t.match(ambiguous.err, '[TOKEN_RECORD_AMBIGUOUS]');

  const following = weft(['query', 'blocks', ...rpc, '--limit', '2', '--json']);
  const ticks = setInterval(() => api.fire({ topic: 'blocks', block: fakeBlock(20) }), 50);
  const followed = await following;
  clearInterval(ticks);
  t.equal(followed.code, 0, followed.err);
  t.equal(followed.out.trim().split('\n').length, 2);
});

t.test('verify: a folder holds, or says what does not', async (t) => {
  const dir = t.testdir({});
  writeFileSync(join(dir, 'trust.txt'), writeLog(join(dir, 'log'), 300));
  const holds = await weft(['verify', join(dir, 'log'), '--trust', join(dir, 'trust.txt'), '--json']);
  t.equal(holds.code, 0, holds.err);
  t.equal(JSON.parse(holds.out).size, 300);
  writeFileSync(join(dir, 'log', 'tile', '0', '000'), new Uint8Array(8192));
  const wrong = await weft(['verify', join(dir, 'log'), '--trust', join(dir, 'trust.txt')]);
  t.equal(wrong.code, 1);
  t.match(wrong.err, '[LOG_TILE_WRONG]');
});
