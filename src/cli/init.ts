import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { WeftError } from '../codec/error.ts';
import { writeKeyFile } from '../crypto/keyfile.ts';
import { generateValidatorKeys, validatorSecrets } from '../crypto/validatorKeys.ts';
import { validatorRecord } from './genesis.ts';
import { homeAt } from './home.ts';
import { note, print, usage } from './output.ts';
import { askNewPassphrase } from './passphrase.ts';
import { configText } from './testnet.ts';

type Options = {
  home: string;
  name: string;
  network: string;
  url: string;
  address: string;
  unencrypted?: boolean;
  json?: boolean;
};

export function initCommand(program: Command): void {
  program
    .command('init')
    .description("Makes one validator's keys and configuration, and prints its public record to give to the others.")
    .requiredOption('--home <dir>', 'folder to make it in')
    .requiredOption('--name <validator>', 'its name: a-z 0-9 -, up to 32')
    .requiredOption('--network <name>', 'name of the network, which all validators agree on: a-z 0-9 . -, 3-40')
    .option('--url <url>', 'public base URL of its RPC', 'http://127.0.0.1:7611')
    .option('--address <multiaddr>', 'where other validators reach it', '/ip4/127.0.0.1/tcp/7610')
    .option('--unencrypted', 'leave the key file unencrypted (for tests on this machine)')
    .option('--json', 'print the record as one line of JSON')
    .addHelpText(
      'after',
      '\nExample: weft init --home node --name v1 --network weft-prod --url https://v1.example.net --address /dns4/v1.example.net/tcp/7610 > v1.json',
    )
    .action(async (options: Options) => {
      const { name, network, url, address } = options;
      if (!/^[a-z0-9-]{1,32}$/.test(name)) throw usage('--name takes 1-32 characters of a-z 0-9 -');
      if (!/^[a-z0-9.-]{3,40}$/.test(network)) throw usage('--network takes 3-40 characters of a-z 0-9 . -');
      if (!URL.canParse(url) || !/^https?:/.test(url)) throw usage('--url takes an http or https URL');
      const listen = listenAddress(address);
      const home = homeAt(options.home);
      const own = home.validator(name);
      if (existsSync(own.keys)) {
        throw new WeftError(
          'KEY_FILE_EXISTS',
          `${own.keys} exists already; an overwritten key is lost. Choose another --home or --name`,
        );
      }
      const passphrase = options.unencrypted === true ? null : await askNewPassphrase();
      mkdirSync(own.data, { recursive: true, mode: 0o700 });
      const keys = generateValidatorKeys();
      await writeKeyFile(own.keys, validatorSecrets(keys), { passphrase });
      const { port } = new URL(url);
      const config = configText({
        name,
        address: listen,
        peers: [],
        rpc: `http://127.0.0.1:${port === '' ? '7611' : port}`,
        over: {},
        from: dirname(own.config),
        genesis: home.genesis,
      });
      if (!existsSync(own.config)) writeFileSync(own.config, config);
      const record = validatorRecord(network, name, keys, { url, address });
      print(options.json ? JSON.stringify(record) : JSON.stringify(record, null, 2));
      note(
        `Keys: ${own.keys}  configuration: ${own.config}\n` +
          'Give the record above to the other operators. With the records of all: weft genesis *.json --out genesis.json\n' +
          `Put the result at ${home.genesis}, the peers into ${own.config}, then: weft start --home ${options.home}`,
      );
    });
}

/** A public name says where others dial; to listen, any interface on that port. */
function listenAddress(address: string): string {
  const port = /\/tcp\/([0-9]{1,5})/.exec(address)?.[1];
  if (port === undefined)
    throw usage('--address takes a multiaddr with a TCP port, for example /dns4/v1.example.net/tcp/7610');
  return address.startsWith('/ip4/127.') ? address : `/ip4/0.0.0.0/tcp/${port}`;
}
