import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import {
  buildTransaction,
  connect,
  durationMs,
  ed25519TransactionSigner,
  readSigned,
  type SignedTransaction,
  type SubscriptionEvent,
  sign,
} from '../../src/client/index.ts';
import { WeftError } from '../../src/codec/error.ts';
import { verifyFast } from '../../src/crypto/ed25519.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer, type RpcServer } from '../../src/rpc/server.ts';
import { checkpointText, type FakeNode, fakeBlock, fakeNode } from '../rpc/fakeNode.ts';

const signer = ed25519TransactionSigner(new Uint8Array(32).fill(3));

function transaction(nonce = 'AAAAAAAAAAA', expires = Date.now() + 60_000): SignedTransaction {
  const body = { account: 'misty.weave', reason: 'a test' };
  const request = {
    chain: 'weft-test-000000000000',
    account: 'council',
    type: 'identity.suspend',
    body,
    nonce,
    expires,
  };
  return sign(buildTransaction(request), [signer]);
}

/** The fake node knows transactions by their text; real ids come from what was signed. */
function realIds(api: FakeNode, behaviour: (id: string) => void = () => {}): FakeNode {
  return {
    ...api,
    submit: async (envelope) => {
      const error = api.submitErrors.shift();
      if (error !== undefined) throw error;
      const { txId } = decodeTransaction(envelope);
      api.submitted.push(txId);
      if (!api.transactions.has(txId)) api.transactions.set(txId, { status: 'pending', id: txId });
      behaviour(txId);
      return api.transaction(txId);
    },
  };
}

async function serve(api: FakeNode, overrides = {}): Promise<RpcServer> {
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0, ...overrides }) });
  t.teardown(() => server.close());
  return server;
}

async function deadPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

t.test('what is signed can be read and verified', async (t) => {
  const signed = transaction();
  const read = decodeTransaction(signed.envelope);
  t.equal(read.txId, signed.id);
  t.equal(read.signatures[0]!.keyid, signer.keyid);
  t.ok(verifyFast(read.signed, read.signatures[0]!.sig, signer.publicKey));
  t.same(readSigned(signed.text), signed);
  t.not(transaction('AAAAAAAAAAE').id, signed.id, 'another nonce is another transaction');
  const one = buildTransaction({
    chain: 'weft-test-000000000000',
    account: 'a',
    type: 'identity.suspend',
    body: { account: 'b', reason: 'c' },
  });
  t.match(one.fields.nonce, /^[A-Za-z0-9_-]{11}$/);
  t.ok(one.fields.expires > Date.now() + 50_000);
  t.throws(() => buildTransaction({ chain: 'c', account: 'a', type: 'no.such', body: {} }), WeftError);
  t.throws(() => readSigned('{}'), WeftError);
  t.same([durationMs('60s'), durationMs('5m'), durationMs('1500ms')], [60_000, 300_000, 1500]);
  t.throws(() => durationMs('1 day'), { code: 'DURATION_INVALID' });
});

t.test('typed questions get answers, refusals keep their codes', async (t) => {
  const api = fakeNode();
  const server = await serve(api);
  const client = connect({ rpc: server.url });
  t.teardown(() => client.close());
  t.equal((await client.status()).chain, 'weft-test-000000000000');
  t.equal(await client.checkpoint(), checkpointText);
  t.equal((await client.block(3)).height, 3);
  t.equal((await client.block()).height, 12);
  t.equal((await client.entry(0)).index, 0);
  t.match(await client.fetchToken({ index: 3 }), /^weft-token/);
  t.match(await client.trust(), /quorum/);
  t.match(await client.genesis(), /genesis/);
  t.equal((await client.state('a/b/c')).value, null);
  await t.rejects(client.block(99), { code: 'BLOCK_NOT_FOUND' });
  await t.rejects(client.fetchToken({ tx: 'a'.repeat(64) }), {
    code: 'TOKEN_RECORD_AMBIGUOUS',
    details: { indices: '41,42' },
  });
  t.throws(() => connect({ rpc: 'ftp://x' }), { code: 'RPC_URL_INVALID' });
  t.throws(() => connect({ rpc: [] }), { code: 'RPC_URL_INVALID' });
});

t.test('silence is coded, bounded in time, and the next node is asked', async (t) => {
  const dead = await deadPort();
  await t.rejects(connect({ rpc: dead }).status(), { code: 'RPC_UNREACHABLE' });

  const odd: Server = createServer((request, response) => {
    if (request.url === '/silent') return;
    response.end(request.url === '/html' ? '<html>' : '{"jsonrpc":"2.0","id":1,"result":7}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => odd.once('listening', resolve));
  t.teardown(() => {
    odd.closeAllConnections();
    odd.close();
  });
  const base = `http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
  await t.rejects(connect({ rpc: `${base}/silent`, timeoutMs: 100 }).status(), { code: 'RPC_TIMEOUT' });
  await t.rejects(connect({ rpc: `${base}/html` }).status(), { code: 'RPC_ANSWER_INVALID' });
  await t.rejects(connect({ rpc: `${base}/seven` }).status(), { code: 'RPC_ANSWER_INVALID' });

  const server = await serve(fakeNode());
  const client = connect({ rpc: [dead, `${base}/silent`, server.url], timeoutMs: 200 });
  t.teardown(() => client.close());
  t.equal((await client.status()).name, 'v1');
  t.equal((await client.status()).name, 'v1', 'and stays with the one that answers');
});

t.test('submit sends the same envelope again until there is room', async (t) => {
  const api = fakeNode();
  const server = await serve(realIds(api));
  const client = connect({ rpc: [await deadPort(), server.url] });
  t.teardown(() => client.close());
  const full = (): WeftError => new WeftError('MEMPOOL_FULL', 'full', { retryAfterMs: 1 });
  api.submitErrors.push(full(), full());
  const signed = transaction();
  t.same(await client.submit(signed), { status: 'pending', id: signed.id });
  t.same(await client.submit(signed.text), { status: 'pending', id: signed.id }, 'again, as text: no harm');
  t.same(api.submitted, [signed.id, signed.id]);
  // Without the dead address: on a busy machine the last attempt may find the time over and go on to it.
  const patient = connect({ rpc: server.url });
  t.teardown(() => patient.close());
  const later = (): WeftError => new WeftError('MEMPOOL_FULL', 'full', { retryAfterMs: 20 });
  api.submitErrors.push(...Array.from({ length: 1000 }, later));
  await t.rejects(patient.submit(signed, { timeoutMs: 1500 }), { code: 'MEMPOOL_FULL' });
  api.submitErrors.length = 0;
  api.submitErrors.push(new WeftError('TX_SIGNATURE', 'wrong'));
  await t.rejects(client.submit(signed), { code: 'TX_SIGNATURE' });
});

t.test('submitAndWait answers with what is final, and only then', async (t) => {
  const api = fakeNode();
  const server = await serve(realIds(api, (id) => void setTimeout(() => api.finalize(id), 20)));
  const client = connect({ rpc: server.url });
  t.teardown(() => client.close());
  const signed = transaction();
  t.equal((await client.submitAndWait(signed)).index, 40);
  t.equal((await client.submitAndWait(signed)).index, 40, 'again: the same answer');

  const refusing = fakeNode();
  const second = await serve(realIds(refusing, (id) => refusing.finalize(id, 'POLICY_DENIED')));
  const other = connect({ rpc: second.url });
  t.teardown(() => other.close());
  await t.rejects(other.submitAndWait(signed), { code: 'POLICY_DENIED', details: { id: signed.id, index: 40 } });
  t.equal((await other.submitAndWait(signed, { allowRefused: true })).refused, 'POLICY_DENIED');
});

t.test('a dropped transaction is sent again, an expired one is final, an unknown fate is said', async (t) => {
  const api = fakeNode();
  let sent = 0;
  const dropping = realIds(api, (id) => {
    // The first time the node loses it right away, as one that restarts does.
    if (++sent === 1) setTimeout(() => api.transactions.delete(id), 5);
    else api.finalize(id);
  });
  const server = await serve({ ...dropping, wait: async (id) => api.transaction(id) });
  const client = connect({ rpc: server.url });
  t.teardown(() => client.close());
  const signed = transaction();
  t.equal((await client.submitAndWait(signed)).status, 'finalized');
  t.equal(sent, 2);

  const late = fakeNode();
  const lateServer = await serve(realIds(late, (id) => late.transactions.set(id, { status: 'expired', id })));
  const lateClient = connect({ rpc: lateServer.url });
  t.teardown(() => lateClient.close());
  await t.rejects(lateClient.submitAndWait(signed), { code: 'TX_EXPIRED', details: { final: true } });

  const refused = fakeNode();
  const refusedServer = await serve(realIds(refused));
  const refusedClient = connect({ rpc: refusedServer.url });
  t.teardown(() => refusedClient.close());
  refused.submitErrors.push(new WeftError('TX_EXPIRED', 'too late'));
  refused.finalize(signed.id);
  t.equal((await refusedClient.submitAndWait(signed)).status, 'finalized', 'too late to admit, as it is in a block');

  const stuck = fakeNode();
  const stuckServer = await serve(realIds(stuck));
  const stuckClient = connect({ rpc: stuckServer.url });
  t.teardown(() => stuckClient.close());
  await t.rejects(stuckClient.submitAndWait(signed, { timeoutMs: 150 }), {
    code: 'TX_FATE_UNKNOWN',
    details: { id: signed.id },
  });
});

t.test('a subscription outlives the node that served it', async (t) => {
  const api = fakeNode();
  const first = await createRpcServer({ api, config: rpcConfig({ port: 0 }) });
  const client = connect({ rpc: first.url });
  t.teardown(() => client.close());
  const events: SubscriptionEvent[] = [];
  const lost: string[] = [];
  let opened = 0;
  const { promise: again, resolve } = Promise.withResolvers<void>();
  const { promise: got, resolve: gotIt } = Promise.withResolvers<void>();
  const { promise: open, resolve: isOpen } = Promise.withResolvers<void>();
  const handle = client.subscribe(
    { topic: 'blocks' },
    {
      onEvent: (event) => {
        events.push(event);
        if (events.length === 2) gotIt();
      },
      onOpen: (times) => {
        opened = times;
        if (times === 1) isOpen();
        if (times === 2) resolve();
      },
      onLost: (error) => lost.push(error.code),
    },
  );
  await open;
  api.fire({ topic: 'blocks', block: fakeBlock(1) });
  await new Promise((done) => setTimeout(done, 50));
  await first.close();
  const second = await createRpcServer({ api, config: rpcConfig({ port: first.port }) });
  t.teardown(() => second.close());
  await again;
  api.fire({ topic: 'blocks', block: fakeBlock(2) });
  await got;
  t.equal(opened, 2);
  t.equal(lost[0], 'NODE_STOPPING');
  t.same(
    events.map((event) => event.topic === 'blocks' && event.block.height),
    [1, 2],
  );
  handle.close();
  await handle.ended;

  const bad = client.subscribe({ topic: 'tx', id: 'no id' }, { onEvent: () => {} });
  await t.rejects(bad.ended, { code: 'RPC_PARAMS_INVALID' }, 'what would be refused again ends it');
});

t.test('a silent node over a kept connection is asked once', async (t) => {
  let asked = 0;
  const server: Server = createServer((request, response) => {
    asked += 1;
    request.resume();
    if (asked === 1) response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = connect({ rpc: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs: 150 });
  await client.status();
  await t.rejects(client.status(), { code: 'RPC_TIMEOUT' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.equal(asked, 2);
  client.close();
});
