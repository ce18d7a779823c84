import canonicalize from 'canonicalize';
import { WeftError } from './error.ts';

/**
 * RFC 8785 (JCS): the canonical text of a JSON value, for bytes that outsiders must be able to make again (genesis,
 * packets, state values). Three times the cost of JSON.stringify: not for log leaves.
 * Refusal: `JSON_INVALID` (undefined, functions, class instances, NaN, infinities, lone surrogates, cycles).
 */
export function canonicalJson(value: unknown): string {
  try {
    checkPlain(value);
    return canonicalize(value) ?? '';
  } catch (error) {
    throw new WeftError('JSON_INVALID', `No canonical JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The library drops undefined members and honours toJSON: bytes that are signed must come from what is there to read. */
function checkPlain(value: unknown): void {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return;
  if (typeof value !== 'object') throw new TypeError(`a value of type ${typeof value} is not JSON`);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) checkPlain(value[i]);
    return;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError('an object that is not a plain one is not JSON');
  for (const member of Object.values(value)) checkPlain(member);
}
