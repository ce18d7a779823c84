import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import type { Command } from 'commander';
import { WeftError } from '../codec/error.ts';
import { generateSeed } from '../crypto/ed25519.ts';
import { readKeyFile, writeKeyFile } from '../crypto/keyfile.ts';
import { keyPairOf, type ValidatorKeys, validatorKeysFrom, validatorSecrets } from '../crypto/validatorKeys.ts';
import { loadGenesis } from '../ledger/genesis.ts';
import { loadConfig } from '../node/config.ts';
import { withSetting } from '../node/recovery.ts';
import { nextKeysPath } from '../node/signState.ts';
import { homeAt, nodesOfHome, openKeys, passphraseOf, type ValidatorHome } from './home.ts';
import { observerRecord, validatorRecord } from './nodeRecord.ts';
import { note, print, printJson, usage } from './output.ts';

/** Commands about the five keys of a node. */

type Options = { readonly home: string; readonly validator?: string; readonly json?: boolean };

const replaceable = ['peer', 'vote', 'log', 'cosigner'] as const;
type Replaceable = (typeof replaceable)[number];

export function nodeKeysCommands(keys: Command): void {
  const ofNode = (name: string, description: string): Command =>
    keys
      .command(name)
      .description(description)
      .requiredOption('--home <dir>', 'home folder')
      .option('--validator <name>', 'which node, when the home has several');
  ofNode(
    'public',
    'Prints the public record of a node, with proofs for the chain of its home: what weft governance propose takes.',
  )
    .option('--next', 'of the keys that weft keys next has made')
    .option('--account <name>', 'account that speaks for it (default: of its name)')
    .option('--url <url>', 'public base URL of its RPC (default: as in the genesis document)')
    .option('--address <multiaddr>', 'where other nodes reach it (default: where it listens)')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft keys public --home node2 --next > v2.json')
    .action(publicRecord);
  ofNode(
    'next',
    'Makes the next keys of a validator beside those in use, and names them in its configuration. They come into use once the council has put them into the set.',
  )
    .option('--roles <list>', `which keys are new: of ${replaceable.join(',')}; the others stay`, 'vote')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft keys next --home node2 && weft keys public --home node2 --next > v2.json')
    .action(nextKeys);
}

function nodeOf({ home, validator }: Options): { readonly name: string; readonly own: ValidatorHome } {
  const nodes = nodesOfHome(home);
  if (validator === undefined && nodes.length > 1)
    throw usage(`${home} holds several nodes (${nodes.join(' ')}); say which with --validator`);
  const name = validator ?? nodes[0];
  if (name === undefined || !nodes.includes(name))
    throw new WeftError(
      'HOME_NOT_FOUND',
      `${home} holds no node${name === undefined ? '' : ` ${name}`}; make one with weft init`,
    );
  return { name, own: homeAt(home).validator(name) };
}

async function publicRecord(
  options: Options & {
    readonly next?: boolean;
    readonly account?: string;
    readonly url?: string;
    readonly address?: string;
  },
): Promise<void> {
  const { name, own } = nodeOf(options);
  const config = loadConfig(own.config);
  const path = options.next === true ? config.nextKeys : config.keys;
  if (path === undefined)
    throw new WeftError('KEY_FILE_MISSING', `${own.config} names no nextKeys; make them with weft keys next`);
  const { document } = loadGenesis(new Uint8Array(readFileSync(config.genesis)));
  const keys = validatorKeysFrom(await openKeys(path));
  const url = options.url ?? document.validators.find((validator) => validator.name === name)?.url;
  const address = options.address ?? config.peer.listen[0] ?? '';
  if (config.role === 'observer') return show(observerRecord(document.name, name, keys), options);
  if (url === undefined) throw usage(`the genesis document does not list ${name}: give its --url`);
  show(validatorRecord(document.name, name, keys, { url, address }, options.account), options);
}

function show(record: object, { json }: Options): void {
  if (json) printJson(record);
  else print(JSON.stringify(record, null, 2));
}

async function nextKeys(options: Options & { readonly roles: string }): Promise<void> {
  const roles = options.roles.split(',');
  const unknown = roles.find((role) => !replaceable.includes(role as Replaceable));
  if (unknown !== undefined) throw usage(`--roles takes ${replaceable.join(', ')}, not '${unknown}'`);
  const { name, own } = nodeOf(options);
  const config = loadConfig(own.config);
  const path = nextKeysPath(config.keys);
  if (config.nextKeys !== undefined || existsSync(path)) {
    throw new WeftError(
      'KEY_FILE_EXISTS',
      `${name} has next keys already (${config.nextKeys ?? path}); once they are in use: move that file over ${config.keys} and take nextKeys out of ${own.config}`,
    );
  }
  // One answer opens the old file and closes the new one: a slip in a second one would show only when the keys are needed.
  const passphrase = await passphraseOf(config.keys, `Passphrase of ${config.keys}, also for the new file: `);
  const current = validatorKeysFrom(await readKeyFile(config.keys, passphrase));
  const fresh = Object.fromEntries(roles.map((role) => [role, keyPairOf(generateSeed())]));
  const keys: ValidatorKeys = { ...current, ...fresh };
  await writeKeyFile(path, validatorSecrets(keys), { passphrase });
  const value = relative(dirname(own.config), path);
  writeFileSync(own.config, withSetting(readFileSync(own.config, 'utf8'), own.config, 'nextKeys', value));
  if (options.json) return printJson({ name, file: path, config: own.config, roles });
  print(path);
  note(
    `New: ${roles.join(' ')}. ${own.config} names the file: restart the node, then give the council its new record:\n` +
      `weft keys public --home ${options.home} --validator ${name} --next > ${name}.json`,
  );
}
