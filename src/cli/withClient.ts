import type { Command } from 'commander';
import { connect, type WeftClient } from '../client/index.ts';

/** For commands that ask: of which nodes, and how they print the answer. */
export function askOptions(command: Command): Command {
  return command
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .option('--json', 'print one line of JSON');
}

/** Runs with a client of the nodes in `--rpc` (separated by commas) and closes it, whatever happens. @throws WeftError RPC_URL_INVALID */
export async function withClient<T>(rpc: string, run: (client: WeftClient) => Promise<T>): Promise<T> {
  const client = connect({ rpc: rpc.split(',') });
  try {
    return await run(client);
  } finally {
    client.close();
  }
}
