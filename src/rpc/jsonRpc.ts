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
  /** Runs a method: its result, or a promise of it; throws or rejects with WeftError to refuse. */
  readonly call: (method: string, params: unknown) => unknown;
  /** Called with the length of each result as text. */
  readonly answered: (characters: number) => void;
  /** Characters of a batch's answers together; the requests behind them are refused and not run. */
  readonly answersMax: number;
};

/** `undefined` when the message held notifications only. */
export type Answer = string | undefined;

type Id = string | number | null;
type Request = { readonly id: Id | undefined; readonly method: string; readonly params: unknown };

const idCharactersMax = 128;
const methodCharactersMax = 128;

/** Answers a message: at once where that can be, so that what is asked and answered in one turn costs no promise. Never throws or rejects. */
export function answerMessage(message: string, dispatch: Dispatch): Answer | Promise<Answer> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(message);
  } catch {
    const refused = attempt(() => dispatch.charge(1));
    return failure(null, refused ?? new WeftError('RPC_PARSE', 'the message is not valid JSON'));
  }
  if (!Array.isArray(parsed)) {
    const refused = attempt(() => dispatch.charge(1));
    return answerOne(parsed, refused, dispatch, undefined);
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
  const room: Room = { left: dispatch.answersMax };
  const answers = parsed.map((each) => answerOne(each, refused, dispatch, room));
  return answers.some((each) => each instanceof Promise)
    ? Promise.all(answers).then(joined)
    : joined(answers as Answer[]);
}

/** What is left of the room for a batch's answers. */
type Room = { left: number };

function joined(answers: readonly Answer[]): Answer {
  const kept = answers.filter((each) => each !== undefined);
  return kept.length === 0 ? undefined : `[${kept.join(',')}]`;
}

function answerOne(
  value: unknown,
  refused: unknown,
  dispatch: Dispatch,
  room: Room | undefined,
): Answer | Promise<Answer> {
  const request = readRequest(value);
  if (typeof request === 'string') return failure(idOf(value) ?? null, new WeftError('RPC_INVALID_REQUEST', request));
  try {
    if (refused !== undefined) throw refused;
    if (room !== undefined && room.left <= 0) throw answersTooLarge(dispatch);
    const result = dispatch.call(request.method, request.params);
    if (!(result instanceof Promise)) return success(request, result, dispatch, room);
    return result.then(
      (settled: unknown) => {
        try {
          return success(request, settled, dispatch, room);
        } catch (error) {
          return refusal(request, error);
        }
      },
      (error: unknown) => refusal(request, error),
    );
  } catch (error) {
    return refusal(request, error);
  }
}

function success(request: Request, result: unknown, dispatch: Dispatch, room: Room | undefined): Answer {
  if (request.id === undefined) return undefined;
  const text = JSON.stringify(result ?? null);
  dispatch.answered(text.length);
  if (room !== undefined) {
    // The first answer may be as large as it is: alone it would have been given, too.
    const first = room.left === dispatch.answersMax;
    room.left -= text.length;
    if (room.left < 0 && !first) throw answersTooLarge(dispatch);
  }
  return `{"jsonrpc":"2.0","id":${JSON.stringify(request.id)},"result":${text}}`;
}

function refusal(request: Request, error: unknown): Answer {
  return request.id === undefined ? undefined : failure(request.id, error);
}

function answersTooLarge({ answersMax }: Dispatch): WeftError {
  return new WeftError(
    'RPC_ANSWERS_TOO_LARGE',
    `the answers to this batch are longer than ${answersMax} characters together; ask for less at a time`,
    { answersMax },
  );
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
