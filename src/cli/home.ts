import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import type { NamedSecret } from '../crypto/keySeal.ts';
import { usage } from './output.ts';
import { askPassphrase } from './passphrase.ts';

/** Where things are in a home folder (README.md). `weft dev` keeps its home in `.weft-dev`. */
export type Home = {
  readonly dir: string;
  readonly genesis: string;
  readonly trust: string;
  readonly accounts: string;
  accountKeys(account: string): string;
  validator(name: string): ValidatorHome;
};

export type ValidatorHome = {
  readonly dir: string;
  readonly config: string;
  readonly keys: string;
  readonly data: string;
};

export function homeAt(dir: string): Home {
  return {
    dir,
    genesis: join(dir, 'genesis.json'),
    trust: join(dir, 'trust.txt'),
    accounts: join(dir, 'accounts'),
    accountKeys: (account) => join(dir, 'accounts', `${account}.key.json`),
    validator: (name) => {
      const own = join(dir, name);
      return { dir: own, config: join(own, 'config.yaml'), keys: join(own, 'keys.json'), data: join(own, 'data') };
    },
  };
}

/** Chain id of the home's genesis document. @throws WeftError HOME_NOT_FOUND, GENESIS_* */
export async function chainOfHome(home: Home): Promise<string> {
  if (!existsSync(home.genesis)) {
    throw new WeftError(
      'HOME_NOT_FOUND',
      `there is no ${home.genesis}; point --home at the folder of a network (weft dev makes .weft-dev), or give --chain`,
      { path: home.genesis },
    );
  }
  const { loadGenesis } = await import('../ledger/genesis.ts');
  return loadGenesis(new Uint8Array(readFileSync(home.genesis))).chain;
}

/** Names of the nodes that have a folder in a home, sorted. */
export function nodesOfHome(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => existsSync(homeAt(dir).validator(name).config))
    .sort();
}

/**
 * Data folder and genesis of a node: of a home (the first node, or the one that is named), or of the node's own folder.
 * @throws WeftError HOME_NOT_FOUND
 */
export function nodeOfHome(dir: string, name?: string): { readonly data: string; readonly genesis: string } {
  if (name === undefined && existsSync(join(dir, 'data')) && existsSync(join(dir, 'config.yaml'))) {
    return { data: join(dir, 'data'), genesis: homeAt(dirname(join(dir, '.'))).genesis };
  }
  const home = homeAt(dir);
  const chosen = name ?? nodesOfHome(dir)[0];
  if (chosen === undefined || !existsSync(home.validator(chosen).data) || !existsSync(home.genesis)) {
    throw new WeftError(
      'HOME_NOT_FOUND',
      `${dir} holds no ${name === undefined ? 'node' : `node ${name}`} with its genesis.json; point --home at a home folder`,
      {
        path: dir,
      },
    );
  }
  return { data: home.validator(chosen).data, genesis: home.genesis };
}

/** Opens a key file; asks for its passphrase (WEFT_PASSPHRASE, else a prompt) only when it is encrypted. */
export async function openKeys(path: string): Promise<NamedSecret[]> {
  const { readKeyFile } = await import('../crypto/keyfile.ts');
  return readKeyFile(path, await passphraseOf(path, `Passphrase of ${path}: `));
}

/** The passphrase that opens an existing key file; `null` when that is not encrypted. @throws WeftError KEY_FILE_* */
export async function passphraseOf(path: string, question: string): Promise<string | null> {
  const { readKeyFile } = await import('../crypto/keyfile.ts');
  try {
    await readKeyFile(path, null);
    return null;
  } catch (error) {
    if (error instanceof WeftError && error.code === 'KEY_PASSPHRASE_NEEDED') return askPassphrase(question);
    throw error;
  }
}

/**
 * The key with which an account signs: from `accounts/`, or from the keys of the validator of that name.
 * @throws WeftError ACCOUNT_KEY_NOT_FOUND, KEY_*
 */
export async function signingSeed(home: Home, account: string): Promise<Uint8Array> {
  const own = home.accountKeys(account);
  const path = existsSync(own) ? own : home.validator(account).keys;
  if (!existsSync(path)) {
    throw new WeftError('ACCOUNT_KEY_NOT_FOUND', `there is no key of account ${account}: neither ${own} nor ${path}`, {
      account,
    });
  }
  return accountSeed(path, account);
}

/** The Ed25519 key named `account` of a key file. @throws WeftError ACCOUNT_KEY_NOT_FOUND, KEY_* */
export async function accountSeed(path: string, account: string): Promise<Uint8Array> {
  const secrets = await openKeys(path);
  const found = secrets.find(({ name, algorithm }) => name === 'account' && algorithm === 'ed25519');
  if (found !== undefined) return found.secret;
  throw new WeftError('ACCOUNT_KEY_NOT_FOUND', `${path} holds no Ed25519 key named 'account'`, { account });
}

/**
 * Configuration file of a node: named, of the node's own folder, or of a home (the only node, or the one that is named).
 * @throws WeftError CONFIG_UNREADABLE, USAGE
 */
export function configOfHome({
  home,
  validator,
  config,
}: {
  readonly home?: string;
  readonly validator?: string;
  readonly config?: string;
}): string {
  if (config !== undefined) return config;
  if (home === undefined) throw usage('give --home or --config');
  if (validator !== undefined) return homeAt(home).validator(validator).config;
  if (existsSync(join(home, 'config.yaml'))) return join(home, 'config.yaml');
  const found = nodesOfHome(home);
  const [only, ...others] = found;
  if (only === undefined)
    throw new WeftError(
      'CONFIG_UNREADABLE',
      `there is no configuration in ${home}; make one with weft init or weft testnet`,
    );
  if (others.length > 0) throw usage(`${home} holds several nodes (${found.join(' ')}); say which with --validator`);
  return homeAt(home).validator(only).config;
}
