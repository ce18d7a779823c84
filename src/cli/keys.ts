import { mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { buildTransaction, durationMs, ed25519TransactionSigner, sign } from '../client/index.ts';
import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { keyProofMessage } from '../crypto/accountKey.ts';
import { generateSeed, sign as signWith } from '../crypto/ed25519.ts';
import { readPublicPart, writeKeyFile } from '../crypto/keyfile.ts';
import { algorithmNumber, keyId } from '../crypto/keyId.ts';
import type { NamedSecret } from '../crypto/keySeal.ts';
import { keyPairOf } from '../crypto/validatorKeys.ts';
import { chainOfHome, homeAt, openKeys, passphraseOf } from './home.ts';
import { nodeKeysCommands } from './keysNode.ts';
import { note, print, printJson, printTable, usage } from './output.ts';
import { askNewPassphrase } from './passphrase.ts';
import { newAccountKeys } from './testnet.ts';
import { withClient } from './withClient.ts';

export function keysCommand(program: Command): void {
  const keys = program
    .command('keys')
    .description('Makes, shows and rotates keys. Key files are encrypted (WEFT_PASSPHRASE, or a prompt).');
  keys
    .command('new')
    .description('Makes the key file of an account.')
    .option('--home <dir>', 'puts it at <home>/accounts/<account>.key.json')
    .option('--account <name>', 'the account, with --home')
    .option('--out <file>', 'instead of --home and --account')
    .option('--packets', 'also a key to receive packets (X25519)')
    .option('--unencrypted', 'leave the file unencrypted (for tests on this machine)')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft keys new --home .weft-dev --account misty.weave')
    .action(newKeys);
  keys
    .command('show')
    .description('Names and public keys of a key file; needs no passphrase.')
    .argument('<file>', 'key file')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft keys show .weft-dev/accounts/council.key.json')
    .action(showKeys);
  keys
    .command('rotate')
    .description(
      'Replaces the signing key of an account: makes a new one and prints the transaction (signed with the old) that moves the account over. With --rpc it is submitted and the files are exchanged once that is final.',
    )
    .requiredOption('--home <dir>', 'home folder')
    .requiredOption('--account <name>', 'the account')
    .option('--chain <id>', 'chain id (default: of <home>/genesis.json)')
    .option('--expires-in <duration>', 'how long the transaction may wait', '60s')
    .option('--rpc <url>', 'submit it here')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample: weft keys rotate --home .weft-dev --account misty.weave --rpc http://127.0.0.1:7611',
    )
    .action(rotateKey);
  nodeKeysCommands(keys);
}

async function newKeys(options: {
  home?: string;
  account?: string;
  out?: string;
  packets?: boolean;
  unencrypted?: boolean;
  json?: boolean;
}): Promise<void> {
  const { home, account, out } = options;
  if ((out === undefined) === (home === undefined || account === undefined))
    throw usage('give --home and --account, or --out');
  if (account !== undefined && !/^[a-z0-9._-]{1,63}$/.test(account))
    throw usage('--account takes 1-63 characters of a-z 0-9 . _ -');
  const path = out ?? homeAt(home ?? '').accountKeys(account ?? '');
  const { secrets, keys } = newAccountKeys(options.packets === true);
  const passphrase = options.unencrypted === true ? null : await askNewPassphrase();
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await writeKeyFile(path, secrets, { passphrase });
  if (options.json) return printJson({ file: path, keys });
  print(JSON.stringify({ account: account ?? '', roles: [], keys }));
  note(
    `Wrote ${path}. The line above is the body of identity.register: fill in what is empty; the council or an administrator signs it.`,
  );
}

async function showKeys(file: string, options: { json?: boolean }): Promise<void> {
  const shown = (await readPublicPart(file)).map(({ name, algorithm, publicKey }) => ({
    name,
    alg: algorithm,
    keyid: keyId(algorithmNumber(algorithm), publicKey),
    publicKey: toBase64Url(publicKey),
  }));
  if (options.json) return printJson({ file, keys: shown });
  printTable(
    ['name', 'algorithm', 'key id', 'public key'],
    shown.map((key) => [key.name, key.alg, key.keyid, key.publicKey]),
  );
}

async function rotateKey(options: {
  home: string;
  account: string;
  chain?: string;
  expiresIn: string;
  rpc?: string;
  json?: boolean;
}): Promise<void> {
  const { account } = options;
  const home = homeAt(options.home);
  const path = home.accountKeys(account);
  const chain = options.chain ?? (await chainOfHome(home));
  const secrets = await openKeys(path);
  const old = secrets.find(({ name, algorithm }) => name === 'account' && algorithm === 'ed25519');
  if (old === undefined)
    throw new WeftError('ACCOUNT_KEY_NOT_FOUND', `${path} holds no Ed25519 key named 'account'`, { account });
  const { seed, publicKey } = keyPairOf(generateSeed());
  const fresh: NamedSecret = { name: 'account', algorithm: 'ed25519', publicKey, secret: seed };
  const key = { alg: 'ed25519' as const, publicKey: toBase64Url(publicKey) };
  const proof = toBase64Url(signWith(keyProofMessage(chain, account, key), seed));
  const signer = ed25519TransactionSigner(old.secret);
  const unsigned = buildTransaction({
    chain,
    account,
    type: 'identity.rotate',
    body: { account, add: [{ ...key, proof }], remove: [signer.keyid] },
    expiresInMs: durationMs(options.expiresIn),
  });
  const transaction = sign(unsigned, [signer]);
  // The new key is on disk before the ledger may know it: a crash in between loses nothing.
  const next = `${path}.next`;
  await writeKeyFile(next, [fresh, ...secrets.filter((each) => each !== old)], {
    passphrase: await passphraseOf(path, 'The passphrase again, for the new file: '),
  });
  const kept = `${path}.${signer.keyid}.old`;
  if (options.rpc === undefined) {
    if (options.json) printJson({ id: transaction.id, envelope: transaction.text, next });
    else print(transaction.text);
    note(
      `The new key is ${next}. Submit the transaction; once it is final: mv '${path}' '${kept}' && mv '${next}' '${path}'`,
    );
    return;
  }
  await withClient(options.rpc, async (client) => {
    const status = await client.submitAndWait(transaction);
    renameSync(path, kept);
    renameSync(next, path);
    const keyid = keyId(algorithmNumber('ed25519'), publicKey);
    if (options.json) return printJson({ id: transaction.id, height: status.height, keyid, file: path, old: kept });
    print(`${account} signs with ${keyid} since block ${status.height}; the old key ${signer.keyid} is ${kept}`);
  });
}
