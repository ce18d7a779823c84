import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { loadConfig } from '../../src/node/config.ts';
import { weft } from './run.ts';

t.test('testnet: what it writes starts a network, tx sign signs for it, keys rotate', async (t) => {
  const dir = join(t.testdir({}), 'net');
  const made = await weft([
    'testnet',
    '--home',
    dir,
    '--validators',
    '2',
    '--base-port',
    '9000',
    '--unencrypted',
    '--json',
  ]);
  t.equal(made.code, 0, made.err);
  const net = JSON.parse(made.out);
  t.same(net.rpc, ['http://127.0.0.1:9011', 'http://127.0.0.1:9021']);

  const genesis = loadGenesis(new Uint8Array(readFileSync(join(dir, 'genesis.json'))));
  t.equal(genesis.chain, net.chain);
  const accounts = readdirSync(join(dir, 'accounts')).map((name) => name.replace('.key.json', ''));
  for (const name of ['council', 'misty.weave', 'operator', 'oracle.weave', 'router-prime', 'verifier'])
    t.ok(accounts.includes(name), name);
  const config = loadConfig(join(dir, 'v2', 'config.yaml'));
  t.equal(config.name, 'v2');
  t.equal(config.genesis, join(dir, 'genesis.json'));
  t.same(config.peer.peers, [{ name: 'v1', address: '/ip4/127.0.0.1/tcp/9010' }]);
  t.equal(statSync(config.keys).mode & 0o777, 0o600);
  t.ok(validatorKeysFrom(await readKeyFile(config.keys, null)));

  const signed = await weft([
    'tx',
    'sign',
    '--home',
    dir,
    '--account',
    'council',
    '--type',
    'identity.suspend',
    '--body',
    '{"account":"misty.weave","reason":"a test"}',
    '--expires-in',
    '30s',
  ]);
  t.equal(signed.code, 0, signed.err);
  const transaction = decodeTransaction(encodeUtf8(signed.out.trimEnd()), { chain: net.chain });
  t.equal(transaction.account, 'council');
  t.ok(Math.abs(transaction.expires - Date.now() - 30_000) < 10_000);
  writeFileSync(join(dir, 'body.json'), '{"account":"misty.weave","reason":"a test"}');
  const fromFile = await weft([
    'tx',
    'sign',
    '--home',
    dir,
    '--account',
    'council',
    '--type',
    'identity.suspend',
    '--body',
    `@${join(dir, 'body.json')}`,
    '--json',
  ]);
  t.equal(JSON.parse(fromFile.out).id, decodeTransaction(encodeUtf8(JSON.parse(fromFile.out).envelope)).txId);
  const validator = await weft([
    'tx',
    'sign',
    '--home',
    dir,
    '--account',
    'v1',
    '--type',
    'identity.suspend',
    '--body',
    `@${join(dir, 'body.json')}`,
  ]);
  t.equal(validator.code, 0, 'a validator signs with the account key among its five');
  const nobody = await weft([
    'tx',
    'sign',
    '--home',
    dir,
    '--account',
    'nobody',
    '--type',
    'identity.suspend',
    '--body',
    `@${join(dir, 'body.json')}`,
  ]);
  t.equal(nobody.code, 1);
  t.match(nobody.err, '[ACCOUNT_KEY_NOT_FOUND]');
  const wrong = await weft([
    'tx',
    'sign',
    '--home',
    dir,
    '--account',
    'council',
    '--type',
    'identity.suspend',
    '--body',
    '{"account":"misty.weave"}',
  ]);
  t.equal(wrong.code, 1);
  t.match(wrong.err, /reason.*\[TX_BODY\]/);

  const rotated = await weft(['keys', 'rotate', '--home', dir, '--account', 'misty.weave']);
  t.equal(rotated.code, 0, rotated.err);
  t.equal(decodeTransaction(encodeUtf8(rotated.out.trimEnd())).type, 'identity.rotate');
  const next = await readKeyFile(join(dir, 'accounts', 'misty.weave.key.json.next'), null);
  t.same(
    next.map(({ name }) => name),
    ['account', 'packets'],
    'what is not rotated stays',
  );

  const again = await weft(['testnet', '--home', dir, '--validators', '2', '--unencrypted']);
  t.equal(again.code, 1, 'keys are never overwritten');
  t.match(again.err, '[KEY_FILE_EXISTS]');
});

t.test('init and genesis: operators exchange records and see the same chain', async (t) => {
  const dir = t.testdir({});
  const env = { WEFT_PASSPHRASE: 'correct horse' };
  const names = ['a1', 'b2'];
  await Promise.all(
    names.map(async (name, index) => {
      const init = await weft(
        [
          'init',
          '--home',
          join(dir, name),
          '--name',
          name,
          '--network',
          'weft-prod',
          '--url',
          `https://${name}.example.net`,
          '--address',
          `/dns4/${name}.example.net/tcp/${7000 + index}`,
        ],
        { env },
      );
      t.equal(init.code, 0, init.err);
      writeFileSync(join(dir, `${name}.json`), init.out);
    }),
  );
  await t.rejects(
    readKeyFile(join(dir, 'a1', 'a1', 'keys.json'), null),
    { code: 'KEY_PASSPHRASE_NEEDED' },
    'encrypted unless asked otherwise',
  );
  const records = names.map((name) => join(dir, `${name}.json`));
  const first = await weft([
    'genesis',
    ...records,
    '--out',
    join(dir, 'one.json'),
    '--time',
    '1763712000000',
    '--json',
  ]);
  t.equal(first.code, 0, first.err);
  const second = await weft([
    'genesis',
    ...records.toReversed(),
    '--out',
    join(dir, 'two.json'),
    '--time',
    '1763712000000',
    '--json',
  ]);
  t.equal(JSON.parse(first.out).chain, JSON.parse(second.out).chain);
  t.same(readFileSync(join(dir, 'one.json')), readFileSync(join(dir, 'two.json')));
  const { document } = loadGenesis(new Uint8Array(readFileSync(join(dir, 'one.json'))));
  t.same(document.council, { threshold: 2, members: names });

  const forged = JSON.parse(readFileSync(records[0]!, 'utf8'));
  forged.validator.vote = JSON.parse(readFileSync(records[1]!, 'utf8')).validator.vote;
  writeFileSync(join(dir, 'forged.json'), JSON.stringify(forged));
  const refused = await weft(['genesis', join(dir, 'forged.json'), '--out', join(dir, 'three.json')]);
  t.equal(refused.code, 1);
  t.match(refused.err, '[GENESIS_INVALID]');
  t.notOk(existsSync(join(dir, 'three.json')));
});

t.test('keys new and show; no passphrase and no terminal is an error', async (t) => {
  const dir = t.testdir({});
  const out = join(dir, 'k.json');
  const missing = await weft(['keys', 'new', '--out', out]);
  t.equal(missing.code, 1);
  t.match(missing.err, '[PASSPHRASE_MISSING]');
  const made = await weft(['keys', 'new', '--out', out, '--packets', '--json'], { env: { WEFT_PASSPHRASE: 'x' } });
  t.equal(made.code, 0, made.err);
  const shown = await weft(['keys', 'show', out, '--json']);
  const { keys } = JSON.parse(shown.out);
  t.same(
    keys.map((key: { alg: string }) => key.alg),
    ['ed25519', 'x25519'],
  );
  t.equal(keys[0].publicKey, JSON.parse(made.out).keys[0].publicKey);
});
