import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { WeftError } from '../codec/error.ts';
import { writeKeyFile } from '../crypto/keyfile.ts';
import { generateValidatorKeys, validatorSecrets } from '../crypto/validatorKeys.ts';
import { homeAt } from './home.ts';
import { findNetwork, type JoinedNetwork, peerOption, refuseOtherGenesis } from './join.ts';
import { observerRecord, validatorRecord } from './nodeRecord.ts';
import { note, print, usage } from './output.ts';
import { askNewPassphrase } from './passphrase.ts';
import { configText } from './testnet.ts';

type Options = {
  home: string;
  name: string;
  account?: string;
  network?: string;
  join?: string;
  chain?: string;
  observer?: boolean;
  peer: string[];
  url: string;
  address: string;
  unencrypted?: boolean;
  json?: boolean;
};

export function initCommand(program: Command): void {
  program
    .command('init')
    .description(
      "Makes a node's keys and configuration, and prints its public record: for the genesis of a new network (--network), or for the council of one that runs (--join).",
    )
    .requiredOption('--home <dir>', 'folder to make it in')
    .requiredOption('--name <node>', 'its name: a-z 0-9 -, up to 32')
    .option('--network <name>', 'a new network, by the name that all validators agree on: a-z 0-9 . -, 3-40')
    .option('--join <url|file>', 'a network that runs: the RPC address of a node, or the genesis document')
    .option('--chain <id>', 'with --join: the chain id that another operator told you; any other is refused')
    .option('--account <name>', 'with --join: the account that speaks for it (default: of its name)')
    .option('--observer', 'with --join: a node that follows and does not vote')
    .option(
      '--peer <name=multiaddr>',
      'a peer that --join does not know of (repeatable)',
      (each: string, all: string[]) => [...all, each],
      [],
    )
    .option('--url <url>', 'public base URL of its RPC', 'http://127.0.0.1:7611')
    .option('--address <multiaddr>', 'where other nodes reach it', '/ip4/127.0.0.1/tcp/7610')
    .option('--unencrypted', 'leave the key file unencrypted (for tests on this machine)')
    .option('--json', 'print the record as one line of JSON')
    .addHelpText(
      'after',
      `
Example: weft init --home node --name v1 --network weft-prod --url https://v1.example.net --address /dns4/v1.example.net/tcp/7610 > v1.json
         weft init --home node5 --name v5 --join https://v1.example.net --chain weft-prod-3f09c2a41b7e --url https://v5.example.net --address /dns4/v5.example.net/tcp/7610 > v5.json`,
    )
    .action(init);
}

async function init(options: Options): Promise<void> {
  checkOptions(options);
  const { name, url, address } = options;
  const listen = listenAddress(address);
  const home = homeAt(options.home);
  const own = home.validator(name);
  if (existsSync(own.keys)) {
    throw new WeftError(
      'KEY_FILE_EXISTS',
      `${own.keys} exists already; an overwritten key is lost. Choose another --home or --name`,
    );
  }
  const given = options.peer.map(peerOption);
  const joined = options.join === undefined ? undefined : await findNetwork(options.join, options.chain);
  if (joined !== undefined) refuseOtherGenesis(home.genesis, joined.genesis);
  const passphrase = options.unencrypted === true ? null : await askNewPassphrase();
  mkdirSync(own.data, { recursive: true, mode: 0o700 });
  const keys = generateValidatorKeys();
  await writeKeyFile(own.keys, validatorSecrets(keys), { passphrase });
  if (joined !== undefined && !existsSync(home.genesis)) writeFileSync(home.genesis, joined.genesis);
  const named = new Set(given.map((peer) => peer.name));
  const known = (joined?.peers ?? []).filter((peer) => peer.name !== name && !named.has(peer.name));
  const { port } = new URL(url);
  const config = configText({
    name,
    address: listen,
    peers: [...given, ...known],
    rpc: `http://127.0.0.1:${port === '' ? '7611' : port}`,
    over: options.observer === true ? { role: 'observer' } : {},
    from: dirname(own.config),
    genesis: home.genesis,
  });
  if (!existsSync(own.config)) writeFileSync(own.config, config);
  const network = joined?.network ?? options.network ?? '';
  const record =
    options.observer === true
      ? observerRecord(network, name, keys)
      : validatorRecord(network, name, keys, { url, address }, options.account);
  print(options.json ? JSON.stringify(record) : JSON.stringify(record, null, 2));
  note(`Keys: ${own.keys}  configuration: ${own.config}`);
  note(joined === undefined ? forGenesis(options, home.genesis, own.config) : forCouncil(options, joined));
}

function checkOptions({ name, account, network, join, chain, observer, peer, url }: Options): void {
  if (!/^[a-z0-9-]{1,32}$/.test(name)) throw usage('--name takes 1-32 characters of a-z 0-9 -');
  if ((network === undefined) === (join === undefined))
    throw usage('give --network (a new one) or --join (one that runs)');
  if (network !== undefined && !/^[a-z0-9.-]{3,40}$/.test(network))
    throw usage('--network takes 3-40 characters of a-z 0-9 . -');
  if (join === undefined && (chain !== undefined || account !== undefined || observer === true || peer.length > 0))
    throw usage('--chain, --account, --observer and --peer go with --join');
  if (account !== undefined && (observer === true || !/^[a-z0-9._-]{1,63}$/.test(account)))
    throw usage('--account takes the name of the account of a validator: a-z 0-9 . _ -, up to 63');
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw usage('--url takes an http or https URL');
}

function forGenesis(options: Options, genesis: string, config: string): string {
  return (
    'Give the record above to the other operators. With the records of all: weft genesis *.json --out genesis.json\n' +
    `Put the result at ${genesis}, the peers into ${config}, then: weft start --home ${options.home}`
  );
}

function forCouncil(options: Options, { chain, peers }: JoinedNetwork): string {
  const kind = options.observer === true ? 'observers' : 'validators';
  return [
    `Chain: ${chain}${options.chain === undefined ? ' (compare it with what another operator tells you)' : ''}`,
    ...(peers.length + options.peer.length === 0
      ? [`No peers are known yet: put them under peer.peers of the configuration, or use --peer`]
      : []),
    `Give the record above to the council, which proposes it: weft governance propose ${kind} --add FILE …`,
    `and start the node: weft start --home ${options.home}. Once it is on the agenda it is let in, catches up and says that it is ready.`,
  ].join('\n');
}

/** A public name says where others dial; to listen, any interface on that port. */
function listenAddress(address: string): string {
  const port = /\/tcp\/([0-9]{1,5})/.exec(address)?.[1];
  if (port === undefined)
    throw usage('--address takes a multiaddr with a TCP port, for example /dns4/v1.example.net/tcp/7610');
  return address.startsWith('/ip4/127.') ? address : `/ip4/0.0.0.0/tcp/${port}`;
}
