import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import schema from '../../schemas/rpc.schema.json' with { type: 'json' };
import { codeOf, WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import type { IntentsAsked, NodeApi } from '../node/api.ts';
import { statusPathsMax } from '../token/statusForm.ts';
import { openRpcDocument } from './openRpc.ts';

/**
 * What each method does, over the one interface to the node. Parameters are checked against `schemas/rpc.schema.json`
 * before a handler sees them; a handler returns the result or throws a WeftError.
 */
export type MethodContext = {
  readonly api: NodeApi;
  /** Longest tx.wait. */
  readonly waitMsMax: number;
  /** Throws RPC_RATE_LIMITED when the account that the envelope names sent too much; answers what to call once it was admitted, if anything. */
  readonly admit: (envelope: string) => (() => void) | undefined;
};

type Params = { readonly [name: string]: unknown };
type Handler = (params: Params, context: MethodContext) => unknown;

const waitMsDefault = 15_000;
const intentsDefault = 20;
/** As rpc.schema.json bounds it. */
const intentsMax = 100;

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  [
    'tx.submit',
    (params, { api, admit }) => {
      const envelope = text(params, 'envelope');
      const admitted = admit(envelope);
      const answer = api.submit(bytesOf(envelope));
      if (admitted === undefined) return answer;
      return answer.then((status) => {
        admitted();
        return status;
      });
    },
  ],
  ['tx.get', (params, { api }) => api.transaction(text(params, 'id'))],
  [
    'tx.wait',
    (params, { api, waitMsMax }) =>
      api.wait(text(params, 'id'), Math.min(integer(params, 'timeoutMs') ?? waitMsDefault, waitMsMax)),
  ],
  ['node.status', (_, { api }) => api.status()],
  [
    'block.get',
    (params, { api }) => {
      const { height, id } = params;
      if (height !== undefined && id !== undefined) throw invalidParams("give 'height' or 'id', not both");
      const which =
        integer(params, 'height') ?? (id === undefined ? api.status().finalized.height : text(params, 'id'));
      const block = api.block(which);
      if (block !== undefined) return block;
      throw new WeftError(
        'BLOCK_NOT_FOUND',
        `no finalized block ${which} is here; the newest is ${api.status().finalized.height}`,
      );
    },
  ],
  [
    'log.checkpoint',
    (_, { api }) => {
      const checkpoint = api.checkpoint();
      if (checkpoint !== undefined) return { checkpoint };
      throw new WeftError(
        'CHECKPOINT_NOT_YET',
        'no checkpoint has been cosigned by a quorum yet; ask again in a few seconds',
      );
    },
  ],
  [
    'log.closing',
    (params, { api }) => {
      const epoch = integer(params, 'epoch') ?? 0;
      const checkpoint = api.closing(epoch);
      if (checkpoint !== undefined) return { epoch, checkpoint };
      const now = api.status().epoch;
      throw new WeftError(
        'CHECKPOINT_NOT_YET',
        epoch >= now
          ? `epoch ${epoch} has not ended; the present one is ${now}`
          : `the closing checkpoint of epoch ${epoch} is not here yet; ask again in a few seconds, or another node`,
      );
    },
  ],
  [
    'log.entry',
    async (params, { api }) => {
      const index = integer(params, 'index') ?? 0;
      await api.warm(index, false);
      const entry = api.entry(index);
      if (entry !== undefined) return { index: entry.index, height: entry.height, leaf: decodeUtf8(entry.leaf) };
      throw new WeftError(
        'ENTRY_NOT_FOUND',
        `the log has no entry ${index} here; its size is ${api.status().finalized.logSize}`,
      );
    },
  ],
  [
    'token.get',
    async (params, context) => {
      const { api } = context;
      const index = integer(params, 'index');
      const record = integer(params, 'record');
      const given = ['index', 'tx', 'intent'].filter((name) => params[name] !== undefined);
      if (given.length !== 1) throw invalidParams("give 'index', 'tx' or 'intent', and one of them only");
      if (params['intent'] !== undefined) {
        if (record !== undefined)
          throw invalidParams("'record' counts the records of a 'tx'; an 'intent' has one grant");
        const intent = text(params, 'intent');
        return oncePublished(context, params, () => ({ token: api.token({ intent }) }));
      }
      if (index !== undefined) {
        if (record !== undefined) throw invalidParams("'record' counts the records of a 'tx'; an 'index' needs none");
        await api.warm(index, true);
        return oncePublished(context, params, () => ({ token: api.token({ index }) }));
      }
      const wanted = { tx: text(params, 'tx'), ...(record === undefined ? {} : { record }) };
      return oncePublished(context, params, () => ({ token: api.token(wanted) }));
    },
  ],
  [
    'token.status',
    (params, context) =>
      oncePublished(context, params, () => ({ status: context.api.tokenStatus(text(params, 'intent')) })),
  ],
  ['state.proof', (params, { api }) => ({ proof: api.stateProof(texts(params, 'paths')) })],
  [
    'state.get',
    (params, { api }) => {
      const answer = api.state(text(params, 'path'), params['proof'] === true);
      return { ...answer, value: answer.value ?? null };
    },
  ],
  ['node.peers', (_, { api }) => ({ peers: api.peers() })],
  ['governance.status', (_, { api }) => api.governance()],
  ['governance.evidence', (_, { api }) => api.evidence()],
  ['intents.get', (params, { api }) => api.intent(text(params, 'intent'))],
  [
    'intents.list',
    async (params, { api }) => {
      const limit = integer(params, 'limit') ?? intentsDefault;
      const { waiting, ...filter } = params;
      if (waiting !== true) return api.intents({ ...(filter as Partial<IntentsAsked>), limit });
      if (['audience', 'status', 'before'].some((name) => params[name] !== undefined))
        throw invalidParams("'waiting' goes with 'limit' alone");
      return { intents: await api.waitingIntents(limit) };
    },
  ],
  ['alerts.list', async (_, { api }) => ({ alerts: await api.alerts() })],
  ['chain.genesis', (_, { api }) => ({ genesis: decodeUtf8(api.genesis()) })],
  ['chain.trust', (_, { api }) => ({ trust: api.trust() })],
  ['chain.walk', (params, { api }) => ({ walk: api.walk(integer(params, 'epoch') ?? 0) })],
  ['rpc.discover', (_, { api }) => openRpcDocument(api.status().version)],
]);

/** Methods that exist only where there is a connection to notify on; `webSocket.ts` handles them. */
const webSocketMethods: ReadonlySet<string> = new Set(['subscribe', 'unsubscribe']);

/** All names that requests are counted under; anything else counts as `unknown`, so that metrics stay bounded. */
export const methodNames: ReadonlySet<string> = new Set([...handlers.keys(), ...webSocketMethods]);

/**
 * How many requests one request counts as, for what it makes the node's one thread do whatever the answer's size: about a tenth of a
 * millisecond each.
 */
export function weightOf(name: string, params: unknown): number {
  const given = (typeof params === 'object' && params !== null ? params : {}) as Params;
  switch (name) {
    case 'state.proof':
      return 2 * Math.min(Array.isArray(given['paths']) ? given['paths'].length : 1, statusPathsMax);
    case 'token.status':
      return 3;
    case 'intents.list':
      return (
        2 * Math.min(Math.max(integer(given, 'limit') ?? intentsDefault, 1), intentsMax) +
        (given['waiting'] === true ? 50 : 0) +
        // Decisions that are looked at and passed over.
        (given['status'] === undefined ? 0 : 20)
      );
    // Looks through the newest that were raised.
    case 'alerts.list':
      return 100;
    case 'chain.walk':
      return 10;
    default:
      return 1;
  }
}

/**
 * What a published checkpoint must cover, asked again with each that is published while `waitMs` lasts: whoever waits learns of it at
 * once, and asks once.
 */
async function oncePublished<T>({ api, waitMsMax }: MethodContext, params: Params, ask: () => T): Promise<T> {
  const deadline = performance.now() + Math.min(integer(params, 'waitMs') ?? 0, waitMsMax);
  for (;;) {
    try {
      return ask();
    } catch (error) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || codeOf(error) !== 'CHECKPOINT_NOT_YET') throw error;
      await api.published(leftMs);
    }
  }
}

const validators = new Map<string, ValidateFunction>();
let ajv: Ajv2020 | undefined;

/** Compiles a method's parameter schema when it is first called: all of them together hold the first caller, and all others, up for 0.1 s. */
function paramValidator(method: string): ValidateFunction | undefined {
  const known = validators.get(method);
  if (known !== undefined || !methodNames.has(method)) return known;
  if (ajv === undefined) {
    ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: false });
    ajv.addSchema(schema);
  }
  const path = encodeURIComponent(method.replaceAll('~', '~0').replaceAll('/', '~1'));
  const made = ajv.compile({ $ref: `${schema.$id}#/properties/${path}/properties/params` });
  validators.set(method, made);
  return made;
}

/**
 * Checks parameters (by name) of a method.
 * @throws WeftError RPC_PARAMS_INVALID, with the wrong member in its message
 */
export function checkParams(method: string, params: unknown): Params {
  if (method === 'tx.submit' && isEnvelopeAlone(params)) return params;
  const validate = paramValidator(method);
  const given = params ?? {};
  if (validate?.(given) === true) return given as Params;
  if (Array.isArray(given)) throw invalidParams(`${method} takes its parameters by name: {"name": value}, not a list`);
  throw invalidParams(`${method}: ${explain(validate?.errors)}`);
}

const envelopeCharactersMax = schema.properties['tx.submit'].properties.params.properties.envelope.maxLength;

/**
 * What nearly every request is, and the validator says the same of, but only after it has counted the characters of the envelope one
 * by one: a text of so many units of UTF-16 has no more of them, and half as many at least. False says nothing.
 */
function isEnvelopeAlone(params: unknown): params is Params {
  if (typeof params !== 'object' || params === null) return false;
  const { envelope } = params as Params;
  for (const name in params) if (name !== 'envelope') return false;
  return typeof envelope === 'string' && envelope.length >= 4 && envelope.length <= envelopeCharactersMax;
}

/**
 * Calls a method by name: its result, or a promise of it.
 * @throws WeftError RPC_METHOD_UNKNOWN, RPC_WEBSOCKET_ONLY, RPC_PARAMS_INVALID, or what the node refuses with
 */
export function callMethod(name: string, params: unknown, context: MethodContext): unknown {
  const handler = handlers.get(name);
  if (handler !== undefined) return handler(checkParams(name, params), context);
  if (webSocketMethods.has(name)) {
    throw new WeftError('RPC_WEBSOCKET_ONLY', `${name} works on a WebSocket only: connect to /ws of this address`);
  }
  throw new WeftError('RPC_METHOD_UNKNOWN', `there is no method '${name.slice(0, 64)}'; rpc.discover lists them`);
}

function explain(errors: readonly ErrorObject[] | null | undefined): string {
  const error = errors?.[0];
  if (error === undefined) return 'the parameters are not valid';
  const at = error.instancePath.slice(1);
  if (error.keyword === 'additionalProperties')
    return `unknown member '${String(error.params['additionalProperty']).slice(0, 64)}'`;
  return `${at === '' ? 'the parameters' : `'${at}'`} ${error.message ?? 'are not valid'}`;
}

function invalidParams(message: string): WeftError {
  return new WeftError('RPC_PARAMS_INVALID', message);
}

/** UTF-8 as `encodeUtf8` makes it, where small in a piece of a larger array: who takes an envelope in copies what it keeps of it. */
function bytesOf(envelope: string): Uint8Array {
  return envelope.isWellFormed() ? Buffer.from(envelope, 'utf8') : encodeUtf8(envelope);
}

/** The schema has checked both already; these only tell the type system. */
function text(params: Params, name: string): string {
  const value = params[name];
  if (typeof value !== 'string') throw invalidParams(`'${name}' must be a string`);
  return value;
}

function texts(params: Params, name: string): readonly string[] {
  const value = params[name];
  if (!Array.isArray(value) || value.some((each) => typeof each !== 'string'))
    throw invalidParams(`'${name}' must be a list`);
  return value as readonly string[];
}

function integer(params: Params, name: string): number | undefined {
  const value = params[name];
  return typeof value === 'number' ? value : undefined;
}
