import { existsSync, readFileSync } from 'node:fs';
import { connect } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { loadGenesis } from '../ledger/genesis.ts';
import { usage } from './output.ts';

/** What a new node must know of a network that runs already. */
export type JoinedNetwork = {
  readonly genesis: Uint8Array;
  readonly chain: string;
  /** Of the network, without the hash. */
  readonly network: string;
  readonly peers: readonly { readonly name: string; readonly address: string }[];
};

/**
 * From a running node (http URL) or from a genesis document (file, which knows no addresses).
 * @param expected chain id that another operator has told; the chain id holds the hash of the genesis document
 * @throws WeftError CHAIN_DIFFERS, FILE_UNREADABLE, GENESIS_*, RPC_*
 */
export async function findNetwork(from: string, expected: string | undefined): Promise<JoinedNetwork> {
  const running = /^https?:/.test(from);
  const client = running ? connect({ rpc: from }) : undefined;
  try {
    const genesis = client === undefined ? readGenesis(from) : encodeUtf8(await client.genesis());
    const { chain, document } = loadGenesis(genesis);
    if (expected !== undefined && expected !== chain) {
      throw new WeftError(
        'CHAIN_DIFFERS',
        `${from} has the genesis document of ${chain}, not of ${expected}; ask for the address of a node of your network`,
        { chain },
      );
    }
    const { peers } = client === undefined ? { peers: [] } : await client.call('node.peers', {});
    const flat = peers.flatMap(({ name, addresses }) =>
      addresses.map((address) => ({ name, address: reachable(address, from) })),
    );
    return { genesis, chain, network: document.name, peers: flat };
  } finally {
    client?.close();
  }
}

/** `v1=/ip4/…/tcp/7610`, as on the command line. @throws WeftError USAGE */
export function peerOption(text: string): { readonly name: string; readonly address: string } {
  const [name = '', address = ''] = text.split('=', 2);
  if (!/^[a-z0-9-]{1,32}$/.test(name) || !/^\/(ip4|ip6|dns4|dns6|dns)\/[^/]+\/tcp\/[0-9]{1,5}$/.test(address))
    throw usage('--peer takes name=multiaddr, for example v1=/dns4/v1.example.net/tcp/7610');
  return { name, address };
}

/** The genesis document that is there already must be the same. @throws WeftError GENESIS_DIFFERS */
export function refuseOtherGenesis(path: string, genesis: Uint8Array): void {
  if (!existsSync(path) || equalBytes(new Uint8Array(readFileSync(path)), genesis)) return;
  throw new WeftError('GENESIS_DIFFERS', `${path} is the genesis document of another network; choose another --home`, {
    path,
  });
}

function readGenesis(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new WeftError(
      'FILE_UNREADABLE',
      `--join takes the URL of a node or a genesis document; ${path}: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** A node that listens on all interfaces is reached where its RPC was. */
function reachable(address: string, url: string): string {
  if (!/^\/ip[46]\/(0\.0\.0\.0|::)\//.test(address)) return address;
  const { hostname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const kind = host.includes(':') ? 'ip6' : /^[0-9.]+$/.test(host) ? 'ip4' : 'dns4';
  return address.replace(/^\/ip[46]\/[^/]+/, `/${kind}/${host}`);
}
