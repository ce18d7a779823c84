// The node that served this page, and no other.
import type { RpcMethods } from '../schemas/types/rpc.ts';

/** What a node, the ledger or this page refuses with: a stable code, and words. */
export class Failure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

let calls = 0;

/** @throws Failure with the node's code; NODE_UNREACHABLE */
export async function call<Method extends keyof RpcMethods>(
  method: Method,
  params: RpcMethods[Method]['params'],
): Promise<RpcMethods[Method]['result']> {
  calls += 1;
  let answer: {
    readonly result?: unknown;
    readonly error?: { readonly message: string; readonly data?: { readonly code?: string } };
  };
  try {
    const response = await fetch('/rpc', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: calls, method, params }),
    });
    answer = (await response.json()) as typeof answer;
  } catch {
    throw new Failure('NODE_UNREACHABLE', 'The node does not answer. Is it running? This page tries again by itself.');
  }
  if (answer.error !== undefined) throw new Failure(answer.error.data?.code ?? 'RPC_ERROR', answer.error.message);
  return answer.result as RpcMethods[Method]['result'];
}

/** A value of the state as the node has it; undefined where there is none. */
export async function stateAt<Value>(path: string): Promise<Value | undefined> {
  const { value } = await call('state.get', { path });
  return (value ?? undefined) as Value | undefined;
}
