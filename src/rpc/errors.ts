import { WeftError } from '../codec/error.ts';

/**
 * JSON-RPC errors. The numbers of the specification keep their meaning; ours are four, by what a client should do. The
 * stable code that programs lean on is `data.code`; `data` also holds the small details of the refusal.
 */
const errorNumbers = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** Refused for what it is: sending it again will not help. */
  refused: -32000,
  /** What was asked for is not here (yet). */
  notFound: -32001,
  /** Try again after `data.retryAfterMs`. */
  busy: -32002,
  /** This node cannot serve now; ask another. */
  unavailable: -32003,
} as const;

export type RpcError = {
  readonly code: number;
  readonly message: string;
  readonly data: { readonly code: string; readonly [detail: string]: string | number | boolean };
};

const numberOfCode: ReadonlyMap<string, number> = new Map([
  ['RPC_PARSE', errorNumbers.parse],
  ['RPC_INVALID_REQUEST', errorNumbers.invalidRequest],
  ['RPC_BATCH_EMPTY', errorNumbers.invalidRequest],
  ['RPC_BATCH_TOO_LARGE', errorNumbers.invalidRequest],
  ['RPC_METHOD_UNKNOWN', errorNumbers.methodNotFound],
  ['RPC_WEBSOCKET_ONLY', errorNumbers.methodNotFound],
  ['RPC_PARAMS_INVALID', errorNumbers.invalidParams],
  ['INTERNAL', errorNumbers.internal],
  ['MEMPOOL_FULL', errorNumbers.busy],
  ['RPC_RATE_LIMITED', errorNumbers.busy],
  ['RPC_BUSY', errorNumbers.busy],
  ['RPC_SHUTTING_DOWN', errorNumbers.unavailable],
  ['CATCHING_UP', errorNumbers.unavailable],
  ['NODE_STOPPED', errorNumbers.unavailable],
]);

/** The JSON-RPC number of a stable code: `*_NOT_FOUND`, `*_UNKNOWN` and `*_PRUNED` are absences, the rest refusals. */
function errorNumber(code: string): number {
  return (
    numberOfCode.get(code) ?? (/_(NOT_FOUND|NOT_YET|PRUNED)$/.test(code) ? errorNumbers.notFound : errorNumbers.refused)
  );
}

/** What a client sees of a thrown value. Of a defect of ours it sees that it happened and nothing of our insides. */
export function toRpcError(error: unknown): RpcError {
  if (!(error instanceof WeftError)) {
    return {
      code: errorNumbers.internal,
      message: 'the node failed to answer; its log says why. Ask again, or ask another node.',
      data: { code: 'INTERNAL' },
    };
  }
  return { code: errorNumber(error.code), message: error.message, data: { ...error.details, code: error.code } };
}
