// A validator whose journal is lost, from the command that finds it to the vote with its new key.
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { loadConfig, rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { agree, all, fourVoting, work } from '../node/epochNet.ts';
import { weft } from './run.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

t.test(
  'weft recover --rpc asks governance, and with its word the validator votes again',
  { timeout: 90_000 },
  async (t) => {
    const net = await fourVoting(t);
    await work(net, 'v4');
    await net.stop('v4');
    rmSync(net.dataOf('v4'), { recursive: true });
    const server = await createRpcServer({ api: net.node('v1').api, config: rpcConfig({ port: 0 }), logger: quiet });
    t.teardown(() => server.close());

    const home = dirname(net.dataOf('v4'));
    const recover = () => weft(['recover', '--config', join(home, 'config.yaml'), '--rpc', server.url, '--json']);
    const ran = await recover();
    t.equal(ran.code, 0, ran.err);
    const first = JSON.parse(ran.out);
    t.match(first.findings, [{ code: 'JOURNAL_LOST' }]);
    t.same(first.done, ['new-key', 'configure', 'retire']);
    t.equal(first.proposal.state, 'submitted');
    const again = JSON.parse((await recover()).out);
    t.match(again, { done: [], proposal: { id: first.proposal.id, state: 'open' } }, 'asked for once');

    const config = loadConfig(join(home, 'config.yaml'));
    const nextKeys = validatorKeysFrom(await readKeyFile(config.nextKeys ?? '', null));
    await net.start('v4', { config, nextKeys });
    t.equal(net.status('v4').notVoting, 'JOURNAL_LOST', 'it follows');
    await net.approve(first.proposal.id, all, 'v1');
    await net.votes(...all);
    await work(net, 'v4');
    await agree(t, net, all, 1);
    const listed = JSON.stringify(net.node('v1').api.state('governance/validators/current', false).value);
    t.match(listed, Buffer.from(nextKeys.vote.publicKey).toString('base64url'));

    await net.stop('v4');
    const after = await weft(['recover', '--config', join(home, 'config.yaml'), '--json']);
    t.match(JSON.parse(after.out), { findings: [], done: [], proposal: null }, 'the new key is the one that counts');
    t.match(readFileSync(`${config.keys}.sign-state`, 'utf8'), /JOURNAL_LOST.*SIGNS|SIGNS.*JOURNAL_LOST/s);
  },
);
