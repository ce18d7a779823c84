import { WeftError } from '../codec/error.ts';
import { type RpcError, toRpcError } from './errors.ts';

/**
 * JSON-RPC 2.0 (https://www.jsonrpc.org/specification): one message in, one answer out, whatever the message holds.
 * Knows nothing of methods or transports.
 */
export type Dispatch = {
  /** Requests in one batch. */
  readonly batchMax: number;
  /** Called once a message with the number of requests in it (at least 1, garbage too); throws to refuse them all. */
  readonly charge: (requests: number) => void;
  /** Runs a method; throws WeftError to refuse. */
  readonly call: (method: string, params: unknown) => Promise<unknown>;
  /** Called with the length of each result as text. */
  readonly answered: (characters: number) => void;
};

type Id = string | number | null;
type Request = { readonly id: Id | undefined; readonly method: string; readonly params: unknown };

const idCharactersMax = 128;
const methodCharactersMax = 128;

/** Answers a message; `undefined` when it held notifications only. Never throws. */
export async function answerMessage(message: string, dispatch: Dispatch): Promise<string | undefined> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(message);
  } catch {
    const refused = attempt(() => dispatch.charge(1));
    return failure(null, refused ?? new WeftError('RPC_PARSE', 'the message is not valid JSON'));
  }
  if (!Array.isArray(parsed)) {
    const refused = attempt(() => dispatch.charge(1));
    return answerOne(parsed, refused, dispatch);
  }
  if (parsed.length === 0) {
    attempt(() => dispatch.charge(1));
    return failure(null, new WeftError('RPC_BATCH_EMPTY', 'an empty batch asks for nothing'));
  }
  const count = parsed.length;
  const refused = attempt(() => dispatch.charge(Math.min(count, dispatch.batchMax)));
  if (count > dispatch.batchMax) {
    return failure(
      null,
      new WeftError(
        'RPC_BATCH_TOO_LARGE',
        `a batch holds at most ${dispatch.batchMax} requests, this one ${count}; split it`,
        {
          batchMax: dispatch.batchMax,
        },
      ),
    );
  }
  const answers = await Promise.all(parsed.map((each) => answerOne(each, refused, dispatch)));
  const kept = answers.filter((each) => each !== undefined);
  return kept.length === 0 ? undefined : `[${kept.join(',')}]`;
}

async function answerOne(value: unknown, refused: unknown, dispatch: Dispatch): Promise<string | undefined> {
  const request = readRequest(value);
  if (typeof request === 'string') return failure(idOf(value) ?? null, new WeftError('RPC_INVALID_REQUEST', request));
  try {
    if (refused !== undefined) throw refused;
    const result = await dispatch.call(request.method, request.params);
    if (request.id === undefined) return undefined;
    const text = JSON.stringify(result ?? null);
    dispatch.answered(text.length);
    return `{"jsonrpc":"2.0","id":${JSON.stringify(request.id)},"result":${text}}`;
  } catch (error) {
    return request.id === undefined ? undefined : failure(request.id, error);
  }
}

/** The request, or what is wrong with it. */
function readRequest(value: unknown): Request | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'a request is a JSON object';
  const { jsonrpc, method, params } = value as { readonly [name: string]: unknown };
  if (jsonrpc !== '2.0') return "a request has the member 'jsonrpc': '2.0'";
  if (typeof method !== 'string') return "a request has the member 'method', a string";
  if (method.length > methodCharactersMax) return `'method' is longer than ${methodCharactersMax} characters`;
  if (params !== undefined && (typeof params !== 'object' || params === null)) return "'params' must be an object";
  const id = idOf(value);
  if (id === undefined && Object.hasOwn(value, 'id')) {
    return `'id' must be a number, null, or a string of at most ${idCharactersMax} characters`;
  }
  return { id, method, params };
}

function idOf(value: unknown): Id | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'id')) return undefined;
  const { id } = value as { readonly id: unknown };
  if (id === null || typeof id === 'number') return id;
  return typeof id === 'string' && id.length <= idCharactersMax ? id : undefined;
}

function failure(id: Id, error: unknown): string {
  const body: RpcError = toRpcError(error);
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${JSON.stringify(body)}}`;
}

/** What `run` throws, or `undefined`. */
function attempt(run: () => void): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error ?? new WeftError('INTERNAL', 'refused without a reason');
  }
}
