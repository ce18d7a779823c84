// JSON with one reading. Two parsers must never see two documents in the same bytes, and two spellings must never be one
// document: what is accepted here is valid UTF-8, equal to JSON.stringify(JSON.parse(it)) (so: no spaces, no duplicate
// members, no escapes that are not needed, no `1e2`, no `-0`), and free of what that equality does not catch.
import { WeftError } from './error.ts';
import { decodeUtf8 } from './utf8.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export type JsonLimits = {
  readonly bytesMax: number;
  /** Objects and arrays within one another; a bare value has depth 0. Default 16. */
  readonly depthMax?: number;
};

const JSON_DEPTH_MAX = 16;

/**
 * JSON.stringify moves members whose name is an array index to the front, RFC 8785 sorts them as text: no document of
 * ours has such names, so that both orders agree. A number of any length counts, which is a simpler rule than 2^32−2.
 */
const indexName = /^(?:0|[1-9][0-9]*)$/;

/**
 * The document in `bytes`, if they are its only spelling.
 * Refusals: `JSON_TOO_LARGE`, `JSON_TOO_DEEP` (found before parsing), `JSON_INVALID` (not UTF-8, not JSON),
 * `JSON_NOT_CANONICAL` (another spelling than JSON.stringify's), `JSON_NUMBER` (not an integer within ±(2^53−1)),
 * `JSON_TEXT` (a lone surrogate), `JSON_NAME` (an array index, or `__proto__`).
 */
export function parseStrictJson(bytes: Uint8Array, limits: JsonLimits): Json {
  if (bytes.length > limits.bytesMax) {
    throw new WeftError('JSON_TOO_LARGE', `JSON of ${bytes.length} bytes; at most ${limits.bytesMax} are accepted.`, {
      bytes: bytes.length,
      bytesMax: limits.bytesMax,
    });
  }
  const depthMax = limits.depthMax ?? JSON_DEPTH_MAX;
  return parsePlain(bytes, depthMax) ?? parseSlowly(bytes, depthMax);
}

/** Of this size a text may reach the parser unseen: what nests in it is little, and JSON.parse of V8 takes nesting from no call stack. */
const plainBytesMax = 64 * 1024;

/**
 * The document, where nothing in it needs a closer look: what nearly every text is. Undefined says nothing; `parseSlowly` answers
 * or knows why not. No text without an escape holds a lone surrogate.
 */
function parsePlain(bytes: Uint8Array, depthMax: number): Json | undefined {
  if (bytes.length > plainBytesMax) return undefined;
  try {
    const text = decodeUtf8(bytes);
    if (text.includes('\\')) return undefined;
    const value = JSON.parse(text) as Json;
    return isPlain(value, depthMax) && JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

/** As checkJson, of what JSON.parse made of a text without escapes. */
function isPlain(value: Json, depthMax: number): boolean {
  if (typeof value === 'string') return true;
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depthMax <= 0) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) if (!isPlain(value[i], depthMax - 1)) return false;
    return true;
  }
  const members = value as { readonly [name: string]: Json };
  for (const name in members) {
    const first = name.charCodeAt(0);
    if ((first >= DIGIT_0 && first <= DIGIT_9) || name === '__proto__') return false;
    if (!isPlain(members[name] as Json, depthMax - 1)) return false;
  }
  return true;
}

function parseSlowly(bytes: Uint8Array, depthMax: number): Json {
  checkDepth(bytes, depthMax);
  let text: string;
  let value: Json;
  try {
    text = decodeUtf8(bytes);
    value = JSON.parse(text) as Json;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeftError('JSON_INVALID', `Not JSON in UTF-8: ${why}`, { bytes: bytes.length });
  }
  checkJson(value, depthMax);
  if (JSON.stringify(value) !== text) {
    throw new WeftError(
      'JSON_NOT_CANONICAL',
      'The JSON is not spelt as JSON.stringify spells it: no spaces, no duplicate members, no needless escapes, plain integers.',
      { bytes: bytes.length },
    );
  }
  return value;
}

/** The one spelling of a document, members in the order they have. Refusals as for reading: what we write, we can read. */
export function stringifyJson(value: Json, depthMax: number = JSON_DEPTH_MAX): string {
  checkJson(value, depthMax);
  return JSON.stringify(value);
}

/**
 * Refuses a value that has no single reading: see the codes of parseStrictJson; `JSON_INVALID` for what is no JSON value
 * at all (undefined, functions, class instances).
 */
export function checkJson(value: Json, depthMax: number = JSON_DEPTH_MAX): void {
  switch (typeof value) {
    case 'boolean':
      return;
    case 'number':
      if (!Number.isSafeInteger(value)) {
        throw new WeftError('JSON_NUMBER', `The number ${value} is not an integer within ±(2^53−1).`);
      }
      return;
    case 'string':
      checkText(value);
      return;
    case 'object':
      break;
    default:
      throw new WeftError('JSON_INVALID', `A value of type ${typeof value} is not JSON.`);
  }
  if (value === null) return;
  if (depthMax <= 0) throw tooDeep();
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) checkJson(value[i], depthMax - 1);
    return;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new WeftError(
      'JSON_INVALID',
      'An object that is not a plain one is not JSON; turn bytes into hex or base64url first.',
    );
  }
  for (const [name, member] of Object.entries(value)) {
    checkText(name);
    if (name === '__proto__' || indexName.test(name)) {
      throw new WeftError('JSON_NAME', `The member name ${JSON.stringify(name)} is not accepted.`, {
        name: name.slice(0, 64),
      });
    }
    checkJson(member, depthMax - 1);
  }
}

function checkText(text: string): void {
  if (!text.isWellFormed()) throw new WeftError('JSON_TEXT', 'A text holds a lone surrogate, which is not Unicode.');
}

function tooDeep(): WeftError {
  return new WeftError('JSON_TOO_DEEP', 'The JSON nests deeper than the limit.');
}

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Counts brackets outside strings, before any parser sees the text: nesting must never reach a call stack's end. */
function checkDepth(bytes: Uint8Array, depthMax: number): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i];
    if (inString) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth += 1;
      if (depth > depthMax) throw tooDeep();
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth -= 1;
  }
}
