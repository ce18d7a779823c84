import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { WeftError } from '../../src/codec/error.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { loadConfig } from '../../src/node/config.ts';
import { type NodeOptions, WeftNode } from '../../src/node/node.ts';
import { freeBase } from '../freePorts.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** One of `validators` in this process; the others are never there. */
async function optionsOf(
  t: Test,
  validators: number,
  consensus: NonNullable<Parameters<typeof makeTestnet>[0]['consensus']> = {},
): Promise<NodeOptions> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-life-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const basePort = await freeBase(validators);
  const net = await makeTestnet({ name: 'weft-life', validators, dir, basePort, passphrase: null, consensus });
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

t.test('a stop takes no two seconds, and answers who waits', async (t) => {
  const node = await WeftNode.start(await optionsOf(t, 4));
  const { status, wait } = node.api;
  t.equal(status().notVoting, 'WAITING_FOR_PEERS');
  const waiting = wait('ab'.repeat(32), 60_000);
  const from = performance.now();
  await node.close();
  t.ok(performance.now() - from < 2000);
  t.equal((await waiting).status, 'unknown');
});

t.test('a node whose state cannot be trusted says so and adds nothing', async (t) => {
  const options = await optionsOf(t, 1, { idleBlockMs: 300, leaderTimeoutMs: 200, skipMs: 3000, recosignMs: 100 });
  const commits: string[] = [];
  let remembered = 0;
  const openLedger = async (ledgerOptions: Parameters<typeof Ledger.open>[0]): Promise<Ledger> => {
    const ledger = await Ledger.open(ledgerOptions);
    const { commit, rememberCheckpoint } = ledger;
    ledger.commit = (blockId, certificate) => {
      commits.push(blockId);
      if (commits.length > 1) return Promise.reject(new WeftError('STATE_DIVERGED', 'another root'));
      return commit.call(ledger, blockId, certificate);
    };
    ledger.rememberCheckpoint = (size, root) => {
      remembered += 1;
      return rememberCheckpoint.call(ledger, size, root);
    };
    return ledger;
  };
  const node = await WeftNode.start({ ...options, openLedger });
  t.ok(node.api.healthy());
  while (node.api.healthy()) await sleep(20);
  t.equal(node.api.status().notVoting, 'STATE_DIVERGED');
  t.same(node.api.ready(), { ready: false, reason: 'STATE_DIVERGED' });
  await sleep(50);
  const signed = remembered;
  await sleep(1000);
  t.equal(commits.length, 2, 'no further block');
  t.equal(remembered, signed, 'no further cosignature');
  t.equal(node.api.status().notVoting, 'STATE_DIVERGED');
  await node.close();
});
