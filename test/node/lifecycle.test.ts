import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { loadConfig } from '../../src/node/config.ts';
import { type NodeOptions, WeftNode } from '../../src/node/node.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** One of `validators` in this process; the others are never there. */
async function optionsOf(t: Test, validators: number): Promise<NodeOptions> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-life-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const basePort = await freePort();
  const net = await makeTestnet({ name: 'weft-life', validators, demoAccounts: true, dir, basePort, passphrase: null });
  const config = loadConfig(net.validators[0]!.config);
  return {
    config,
    genesis: readFileSync(config.genesis),
    keys: validatorKeysFrom(await readKeyFile(config.keys, null)),
    version: '0',
    log: silent,
  };
}

t.test('a start that fails late leaves nothing behind: the next one has port and data folder', async (t) => {
  const options = await optionsOf(t, 1);
  const broken = async (ledgerOptions: Parameters<typeof Ledger.open>[0]): Promise<Ledger> => {
    const ledger = await Ledger.open(ledgerOptions);
    ledger.journal.restart = () => Promise.reject(new Error('the disk says no'));
    return ledger;
  };
  await t.rejects(WeftNode.start({ ...options, openLedger: broken }), { message: 'the disk says no' });
  const node = await WeftNode.start(options);
  t.equal(node.api.status().name, options.config.name);
  await node.close();
});
