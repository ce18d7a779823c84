import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { JsonObject } from '../../contracts/types.ts';
import {
  buildTransaction,
  durationMs,
  ed25519TransactionSigner,
  type NodeStatus,
  type Signer,
  sign,
  type TxFinalized,
  type WeftClient,
} from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { loadGenesis } from '../ledger/genesis.ts';
import { explained } from './governanceRefusals.ts';
import { accountSeed, homeAt, signingSeed } from './home.ts';
import { usage } from './output.ts';
import { withClient } from './withClient.ts';

/** For commands that send transactions by themselves: who signs, and through which node. */
export type SenderOptions = {
  readonly home?: string;
  readonly keys?: string;
  readonly account: string;
  readonly rpc: string;
  readonly timeout: string;
  readonly json?: boolean;
};

export type Sender = {
  readonly client: WeftClient;
  readonly status: NodeStatus;
  readonly account: string;
  /** Signs, submits, waits. @throws WeftError the refusal's code */
  send(type: string, body: JsonObject): Promise<TxFinalized>;
};

export function senderOptions(command: Command, timeout = '60s'): Command {
  return command
    .option('--home <dir>', 'home folder, which holds the key of the account')
    .option('--keys <file>', 'key file of the account, instead of --home')
    .requiredOption('--account <name>', 'who sends it')
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .option('--timeout <duration>', 'how long to wait', timeout)
    .option('--json', 'print one line of JSON');
}

/**
 * @param explain what refusals mean to who sent the command; default: those of governance
 * @throws WeftError USAGE, CHAIN_DIFFERS, ACCOUNT_KEY_NOT_FOUND, KEY_*, RPC_*
 */
export async function withSender<Result>(
  options: SenderOptions,
  run: (sender: Sender) => Promise<Result>,
  explain: (error: unknown) => unknown = explained,
): Promise<Result> {
  const { account } = options;
  const timeoutMs = durationMs(options.timeout);
  const signer = await signerOf(options);
  return withClient(options.rpc, async (client) => {
    const status = await client.status();
    refuseOtherChain(options.home, status.chain);
    return run({
      client,
      status,
      account,
      async send(type, body) {
        const transaction = sign(buildTransaction({ chain: status.chain, account, type, body }), [signer]);
        try {
          return await client.submitAndWait(transaction, { timeoutMs: Math.min(timeoutMs, 60_000) });
        } catch (error) {
          throw explain(error);
        }
      },
    });
  });
}

async function signerOf({ home, keys, account }: SenderOptions): Promise<Signer> {
  if ((home === undefined) === (keys === undefined))
    throw usage('give --home or --keys: where the key of --account is');
  return ed25519TransactionSigner(
    keys === undefined ? await signingSeed(homeAt(home ?? ''), account) : await accountSeed(keys, account),
  );
}

/** A key signs for the network of its home and for no other. */
function refuseOtherChain(home: string | undefined, chain: string): void {
  if (home === undefined) return;
  let genesis: Uint8Array;
  try {
    genesis = new Uint8Array(readFileSync(homeAt(home).genesis));
  } catch {
    return;
  }
  const own = loadGenesis(genesis).chain;
  if (own === chain) return;
  throw new WeftError(
    'CHAIN_DIFFERS',
    `the node of --rpc is of ${chain}, ${home} belongs to ${own}; correct one of them`,
    {
      chain,
    },
  );
}
