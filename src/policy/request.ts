import { WeftError } from '../codec/error.ts';
import { POLICY_LIMITS } from './limits.ts';
import type { PolicyRequest } from './types.ts';

/** Matches no name that Cedar's JSON gives a meaning of its own (`__entity`, `__extn`, `__expr`). */
const reserved = '__';

/**
 * The exact JSON text that Cedar is given for a request, after everything has been refused that Cedar (or JSON on the
 * way to it) would read differently from us: integers that JavaScript has already rounded, floats, lone surrogates,
 * reserved member names, deep nesting. Two requests with the same text are the same request; the text is the key under
 * which a decision is remembered.
 * @throws POLICY_REQUEST_INVALID
 */
export function requestText(request: PolicyRequest): string {
  checkUid(request.principal, 'principal');
  checkUid(request.resource, 'resource');
  checkString(request.action, 'action');
  if (!isRecord(request.context)) refuse('context', 'is not a record');
  checkValue(request.context, 'context', 1);
  if (request.entities.length > POLICY_LIMITS.entitiesMax) {
    refuse('entities', `has more than ${POLICY_LIMITS.entitiesMax} entries`);
  }
  for (const entity of request.entities) {
    checkUid(entity.uid, 'entity');
    const where = `entity ${entity.uid.type} ${entity.uid.id}`;
    if (!isRecord(entity.attrs)) refuse(where, 'has no record of attributes');
    checkValue(entity.attrs, where, 1);
    if (entity.parents.length > POLICY_LIMITS.entitiesMax) {
      refuse(where, `has more than ${POLICY_LIMITS.entitiesMax} parents`);
    }
    for (const parent of entity.parents) checkUid(parent, `parent of ${where}`);
  }
  const text = JSON.stringify([
    [request.principal.type, request.principal.id],
    request.action,
    [request.resource.type, request.resource.id],
    request.context,
    request.entities.map((entity) => [
      [entity.uid.type, entity.uid.id],
      entity.attrs,
      entity.parents.map((parent) => [parent.type, parent.id]),
    ]),
  ]);
  if (text.length > POLICY_LIMITS.requestLengthMax) {
    refuse('request', `is longer than ${POLICY_LIMITS.requestLengthMax} characters of JSON`);
  }
  return text;
}

function checkValue(value: unknown, where: string, depth: number): void {
  if (depth > POLICY_LIMITS.valueDepthMax) refuse(where, `nests deeper than ${POLICY_LIMITS.valueDepthMax}`);
  switch (typeof value) {
    case 'boolean':
      return;
    case 'number':
      // Cedar counts in 64 bits, JSON.parse and JSON.stringify do not: 2^53 + 1 would arrive as 2^53.
      if (!Number.isSafeInteger(value)) refuse(where, 'holds a number that is no integer within ±(2^53−1)');
      return;
    case 'string':
      checkString(value, where);
      return;
    case 'object':
      break;
    default:
      refuse(where, `holds a ${typeof value}`);
  }
  if (Array.isArray(value)) {
    for (const item of value) checkValue(item, where, depth + 1);
    return;
  }
  if (!isRecord(value)) refuse(where, 'holds null or an object that is no plain record');
  const names = Object.keys(value);
  if (names.length === 1 && names[0] === '__entity') {
    checkUid(value['__entity'], where);
    return;
  }
  for (const name of names) {
    checkString(name, where);
    if (name.startsWith(reserved)) refuse(where, `has a member named ${name}: names that begin with __ are Cedar's`);
    checkValue(value[name], where, depth + 1);
  }
}

function checkUid(uid: unknown, where: string): void {
  if (!isRecord(uid)) refuse(where, 'is no reference {type, id}');
  checkString(uid['type'], where);
  checkString(uid['id'], where);
  if (Object.keys(uid).length !== 2) refuse(where, 'is no reference {type, id}');
}

function checkString(text: unknown, where: string): void {
  if (typeof text !== 'string') refuse(where, 'is no string');
  if (text.length > POLICY_LIMITS.stringLengthMax) {
    refuse(where, `holds a string longer than ${POLICY_LIMITS.stringLengthMax}`);
  }
  // JSON.stringify would escape it and Cedar's parser would refuse the escape.
  if (!text.isWellFormed()) refuse(where, 'holds a lone surrogate');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function refuse(where: string, what: string): never {
  throw new WeftError(
    'POLICY_REQUEST_INVALID',
    `policy request: ${where} ${what}; the contract that asked is at fault`,
  );
}
