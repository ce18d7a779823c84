import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { checkConfig, envName, loadConfig, rpcConfig } from '../../src/node/config.ts';

t.test('a file with a name alone has every default, and absolute paths', async (t) => {
  const dir = t.testdir({ 'config.yaml': 'name: v1\n' });
  const config = loadConfig(join(dir, 'config.yaml'));
  t.equal(config.role, 'validator');
  t.equal(config.rpc.host, '127.0.0.1', 'loopback only by default');
  t.equal(config.data, join(dir, 'data'));
  t.equal(config.genesis, join(dir, '..', 'genesis.json'));
  t.same(config.peer.peers, []);
  t.equal(config.mempool.transactionsMax, 50_000);
});

t.test('environment goes over the file, flags over the environment', async (t) => {
  const dir = t.testdir({ 'config.yaml': 'name: v1\nrpc:\n  port: 1\n  host: 10.0.0.1\n  batchMax: 7\n' });
  const env = {
    WEFT_RPC_PORT: '2',
    WEFT_RPC_HOST: '10.0.0.2',
    WEFT_CONSENSUS_BLOCK_INTERVAL_MS: '30',
    WEFT_PASSPHRASE: 'x',
    PATH: '/bin',
  };
  const config = loadConfig(join(dir, 'config.yaml'), env, { 'rpc.port': 3 });
  t.same(
    [config.rpc.port, config.rpc.host, config.rpc.batchMax, config.consensus.blockIntervalMs],
    [3, '10.0.0.2', 7, 30],
  );
  const lists = loadConfig(join(dir, 'config.yaml'), {
    WEFT_PEER_LISTEN: '/ip4/1.2.3.4/tcp/1,/ip4/1.2.3.4/tcp/2',
    WEFT_PEER_PEERS: '[{"name":"v2","address":"/ip4/1.2.3.5/tcp/1"}]',
  });
  t.equal(lists.peer.listen.length, 2);
  t.same(lists.peer.peers, [{ name: 'v2', address: '/ip4/1.2.3.5/tcp/1' }]);
  t.equal(envName('rpc.bodyBytesMax'), 'WEFT_RPC_BODY_BYTES_MAX');
});

t.test('what is wrong is named', async (t) => {
  const refused = (text: string, code: string, key: string, env = {}, flags = {}): void => {
    const path = join(t.testdirName, 'config.yaml');
    writeFileSync(path, text);
    try {
      loadConfig(path, env, flags);
      t.fail(`accepted: ${text}`);
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      t.equal(error.code, code, error.message);
      t.equal(error.details['key'] ?? '', key);
      if (key !== '') t.match(error.message, key);
    }
  };
  t.testdir({});
  refused('name: v1\nrpc:\n  prot: 1\n', 'CONFIG_INVALID', 'rpc.prot');
  refused('name: v1\nrole: king\n', 'CONFIG_INVALID', 'role');
  refused('name: v1\nrpc:\n  port: 99999\n', 'CONFIG_INVALID', 'rpc.port');
  refused('name: V 1\n', 'CONFIG_INVALID', 'name');
  refused('role: observer\n', 'CONFIG_INVALID', 'name');
  refused('- a\n', 'CONFIG_INVALID', '');
  refused('a: [\n', 'CONFIG_SYNTAX', '');
  refused('name: v1\n', 'CONFIG_ENV_UNKNOWN', 'WEFT_RPC_PROT', { WEFT_RPC_PROT: '1' });
  refused('name: v1\n', 'CONFIG_INVALID', 'rpc.port', { WEFT_RPC_PORT: 'many' });
  refused('name: v1\n', 'CONFIG_FLAG_UNKNOWN', 'rpc.prot', {}, { 'rpc.prot': '1' });
  t.match(
    t.throws(() => checkConfig({ name: 'v1', rpc: { prot: 1 } }, 'c.yaml')),
    { message: /did you mean 'rpc.port'/ },
  );
  t.throws(() => loadConfig('/nonexistent/config.yaml'), { code: 'CONFIG_UNREADABLE' });
});

t.test('rpcConfig gives defaults to programs without a file', async (t) => {
  t.equal(rpcConfig().batchMax, 100);
  t.equal(rpcConfig({ port: 0 }).port, 0);
});
