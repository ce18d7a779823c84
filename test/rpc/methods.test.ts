// biome-ignore-all lint/suspicious/noExplicitAny: answers of a server under test are looked into freely
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import {
  checkpointText,
  fakeBlock,
  fakeIntent,
  fakeNode,
  fakeProposal,
  hash,
  leafText,
  post,
  rpc,
} from './fakeNode.ts';

const schema = JSON.parse(readFileSync(new URL('../../schemas/rpc.schema.json', import.meta.url), 'utf8'));

t.test('every method answers what its schema says', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema(schema);
  const asked = new Set<string>();
  const ask = async (method: string, params: unknown): Promise<any> => {
    const { result, error } = await rpc(server.url, method, params);
    t.equal(error, undefined, `${method} ${error?.message ?? ''}`);
    const validate = ajv.compile({ $ref: `${schema.$id}#/properties/${method}/properties/result` });
    t.ok(validate(result), `${method}: ${JSON.stringify(validate.errors)}`);
    asked.add(method);
    return result;
  };

  const envelope = '{"payload":"ü"}';
  const id = hash(envelope);
  t.same(await ask('tx.submit', { envelope }), { status: 'pending', id });
  t.equal(api.submitted[0], envelope, 'the bytes of the string, exactly');
  t.equal((await ask('tx.get', { id: hash('nothing') })).status, 'unknown');
  t.equal((await ask('tx.wait', { id, timeoutMs: 10 })).status, 'pending', 'the status of that moment');
  const waiting = ask('tx.wait', { id });
  setTimeout(() => api.finalize(id), 20);
  t.equal((await waiting).height, 13);
  t.equal((await ask('node.status', {})).chain, 'weft-test-000000000000');
  t.same(await ask('block.get', { height: 3 }), fakeBlock(3));
  t.same(await ask('block.get', { id: fakeBlock(4).blockId }), fakeBlock(4));
  t.same(await ask('block.get', {}), fakeBlock(12), 'the newest');
  t.equal((await ask('log.checkpoint', {})).checkpoint, checkpointText);
  t.same(await ask('log.closing', { epoch: 1 }), { epoch: 1, checkpoint: checkpointText });
  t.equal((await ask('log.entry', { index: 0 })).leaf, leafText);
  t.match((await ask('token.get', { index: 7 })).token, /index 7/);
  t.same(api.warmed.at(-1), { index: 7, proof: true }, 'the disk is asked first, off the event loop');
  t.match((await ask('token.get', { tx: id, record: 1 })).token, / 1\n/);
  t.match((await ask('token.get', { intent: id })).token, /intent/);
  api.flags.uncovered = 2;
  t.match((await ask('token.get', { index: 7, waitMs: 5000 })).token, /index 7/, 'as soon as a checkpoint covers it');
  t.same([api.waitedMs.length, api.waitedMs.every((ms) => ms > 0 && ms <= 5000)], [2, true]);
  t.match((await ask('token.status', { intent: id })).status, /weft-status\/v1/);
  t.match((await ask('state.proof', { paths: ['a/b/c'] })).proof, /a\/b\/c/);
  t.match((await ask('chain.walk', { epoch: 2 })).walk, /"from":2/);
  t.same((await ask('state.get', { path: 'governance/pause/current', proof: true })).proof, { siblings: [] });
  t.equal((await ask('state.get', { path: 'a/b/c' })).value, null, 'absent');
  t.match((await ask('chain.genesis', {})).genesis, /weft\/genesis\/v1/);
  t.match((await ask('chain.trust', {})).trust, /quorum V/);
  t.same((await ask('node.peers', {})).peers, [{ name: 'v1', addresses: ['/ip4/127.0.0.1/tcp/7610'] }]);
  api.proposals.push(fakeProposal());
  const governance = await ask('governance.status', {});
  t.same([governance.quorum, governance.proposals[0].missing], [3, ['v4', 'v5']]);
  const { recorded, open } = await ask('governance.evidence', {});
  t.same([recorded.length, open.length], [1, 1]);
  api.knownIntents.push(fakeIntent(), fakeIntent({ intent: hash('other'), status: 'granted' }));
  t.match(await ask('intents.get', { intent: hash('intent') }), { status: 'pending', approvals: ['warden'] });
  t.equal((await ask('intents.list', { limit: 1 })).intents.length, 1);
  t.ok((await ask('intents.list', { waiting: true })).intents.every(({ status }: any) => status === 'pending'));
  t.same((await ask('intents.list', { audience: 'actuator-web-2' })).intents, []);
  t.equal(
    (await ask('intents.list', { audience: 'actuator-web-1', status: 'granted', before: 100 })).intents.length,
    1,
  );
  t.same(await ask('alerts.list', {}), { alerts: [] });
  const document = await ask('rpc.discover', {});
  const listed = document.methods.map((each: any) => each.name);
  t.same(listed, Object.keys(schema.properties));
  t.equal(document.openrpc, '1.3.2');
  t.notMatch(JSON.stringify(document), /#\/\$defs/, 'references point into the document');
  for (const each of listed) if (!/subscribe/.test(each)) t.ok(asked.has(each), `${each} was asked`);
});

t.test('errors have standard numbers and stable codes', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0, batchMax: 3 }) });
  t.teardown(() => server.close());
  const refused = async (body: string | Uint8Array, number: number, code: string): Promise<any> => {
    const { error } = await post(server.url, body);
    t.same([error?.code, error?.data?.code], [number, code], String(body).slice(0, 60));
    return error;
  };
  const request = (method: string, params: unknown = {}): string =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  await refused('{', -32700, 'RPC_PARSE');
  await refused(new Uint8Array([0xff, 0xfe]), -32700, 'RPC_PARSE');
  await refused('', -32700, 'RPC_PARSE');
  await refused('7', -32600, 'RPC_INVALID_REQUEST');
  await refused('[]', -32600, 'RPC_BATCH_EMPTY');
  await refused(`[${'1,'.repeat(3)}1]`, -32600, 'RPC_BATCH_TOO_LARGE');
  await refused('{"jsonrpc":"1.0","id":1,"method":"node.status"}', -32600, 'RPC_INVALID_REQUEST');
  await refused('{"jsonrpc":"2.0","id":{},"method":"node.status"}', -32600, 'RPC_INVALID_REQUEST');
  await refused('{"jsonrpc":"2.0","id":1,"method":"node.status","params":7}', -32600, 'RPC_INVALID_REQUEST');
  await refused(request('no.such'), -32601, 'RPC_METHOD_UNKNOWN');
  await refused(request('__proto__'), -32601, 'RPC_METHOD_UNKNOWN');
  await refused(request('subscribe', { topic: 'blocks' }), -32601, 'RPC_WEBSOCKET_ONLY');
  await refused(request('tx.get', { id: 'XY' }), -32602, 'RPC_PARAMS_INVALID');
  await refused(request('tx.get', ['a']), -32602, 'RPC_PARAMS_INVALID');
  const unknown = await refused(request('node.status', { extra: 1 }), -32602, 'RPC_PARAMS_INVALID');
  t.match(unknown.message, /'extra'/);
  await refused(request('tx.submit', { envelope: 'x'.repeat(49_153) }), -32602, 'RPC_PARAMS_INVALID');
  await refused(request('tx.submit', { envelope: '\ud800' + 'x' }), -32000, 'UTF8_INVALID');
  await refused(request('tx.submit', { envelope: '\ud800' + 'xxx' }), -32000, 'UTF8_INVALID');
  for (const envelope of ['', 'x', '😀', 'x'.repeat(49_153), '😀'.repeat(49_153), 7, null])
    await refused(request('tx.submit', { envelope }), -32602, 'RPC_PARAMS_INVALID');
  for (const envelope of ['xx', 'xxx', '😀😀', 'x'.repeat(49_152), '😀'.repeat(24_577)])
    t.match((await post(server.url, request('tx.submit', { envelope }))).result, { status: 'pending' });
  await refused(request('tx.submit', { envelope: '{}{}', more: 1 }), -32602, 'RPC_PARAMS_INVALID');
  await refused(request('tx.submit', ['{}{}']), -32602, 'RPC_PARAMS_INVALID');
  await refused(request('token.get', {}), -32602, 'RPC_PARAMS_INVALID');
  await refused(request('token.get', { index: 1, tx: hash('a') }), -32602, 'RPC_PARAMS_INVALID');
  await refused(request('block.get', { height: 1, id: hash('a') }), -32602, 'RPC_PARAMS_INVALID');
  await refused(request('block.get', { height: 99 }), -32001, 'BLOCK_NOT_FOUND');
  await refused(request('log.entry', { index: 99 }), -32001, 'ENTRY_NOT_FOUND');
  const ambiguous = await refused(request('token.get', { tx: hash('a') }), -32000, 'TOKEN_RECORD_AMBIGUOUS');
  t.equal(ambiguous.data.indices, '41,42', 'details travel');
  api.flags.checkpoint = false;
  await refused(request('log.checkpoint'), -32001, 'CHECKPOINT_NOT_YET');
  api.flags.uncovered = 1;
  await refused(request('token.get', { index: 7 }), -32001, 'CHECKPOINT_NOT_YET');
  t.same(api.waitedMs, [], 'nobody waits who did not ask to');
  api.submitErrors.push(new WeftError('TX_EXPIRED', 'too late', { expires: 1 }));
  const expired = await refused(request('tx.submit', { envelope: '{}' }), -32000, 'TX_EXPIRED');
  t.same([expired.message, expired.data.expires], ['too late', 1]);
  api.submitErrors.push(new WeftError('MEMPOOL_FULL', 'full', { retryAfterMs: 5 }));
  await refused(request('tx.submit', { envelope: '{}' }), -32002, 'MEMPOOL_FULL');
  api.flags.internal = true;
  const internal = await refused(request('node.status'), -32603, 'INTERNAL');
  t.notMatch(internal.message, /secret/, 'nothing of our insides');
});

t.test('batches and notifications', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const { text } = await post(
    server.url,
    '[{"jsonrpc":"2.0","id":"a","method":"node.status"},{"jsonrpc":"2.0","method":"node.status"},1,{"jsonrpc":"2.0","id":null,"method":"x"}]',
  );
  const answers = JSON.parse(text);
  t.same(
    answers.map((each: any) => [each.id, each.error?.code]),
    [
      ['a', undefined],
      [null, -32600],
      [null, -32601],
    ],
  );
  t.equal((await post(server.url, '{"jsonrpc":"2.0","method":"node.status"}')).status, 204);
  t.equal((await post(`${server.url}/rpc`, '{"jsonrpc":"2.0","id":1,"method":"node.status"}')).result.name, 'v1');
});

t.test('the answers to a batch are bounded together, and what would be above is not asked of the node', async (t) => {
  const api = fakeNode();
  let asked = 0;
  const peers = Array.from({ length: 40 }, (_, i) => ({ ...api.peers()[0], name: `v${i}` }));
  const large = {
    ...api,
    peers: () => {
      asked += 1;
      return peers as never;
    },
  };
  const server = await createRpcServer({ api: large, config: rpcConfig({ port: 0, bufferedBytesMax: 1024 }) });
  t.teardown(() => server.close());
  const one = (id: number): string => `{"jsonrpc":"2.0","id":${id},"method":"node.peers"}`;
  const batch = Array.from({ length: 20 }, (_, id) => one(id));
  const answers = JSON.parse((await post(server.url, `[${batch.join()}]`)).text);
  t.equal(answers[0].result.peers.length, 40, 'the first is given whatever its size');
  t.same(new Set(answers.slice(1).map((each: any) => each.error.data.code)), new Set(['RPC_ANSWERS_TOO_LARGE']));
  t.equal(asked, 1);
  t.equal((await post(server.url, one(1))).result.peers.length, 40, 'alone it is no batch');
});
