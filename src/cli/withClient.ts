import { connect, type WeftClient } from '../client/index.ts';

/** Runs with a client of the nodes in `--rpc` (separated by commas) and closes it, whatever happens. @throws WeftError RPC_URL_INVALID */
export async function withClient<T>(rpc: string, run: (client: WeftClient) => Promise<T>): Promise<T> {
  const client = connect({ rpc: rpc.split(',') });
  try {
    return await run(client);
  } finally {
    client.close();
  }
}
