/**
 * A policy set as a document: its digest, and everything that can be refused without asking Cedar. The checks here are
 * plain counting over the text, so they are safe on any input and the same everywhere; `check.ts` asks Cedar the rest.
 */
import { canonicalJson } from '../codec/canonical.ts';
import { WeftError } from '../codec/error.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { POLICY_LIMITS } from './limits.ts';
import type { PolicySetDocument } from './types.ts';

/** Policy ids go into records, so they are names: `packets.commit-registered`. */
const idRule = /^[a-z][a-z0-9._-]{0,63}$/;

/**
 * SHA-256 (hex) over `weft/policy-set/v1` ‖ RFC 8785 of the document: what state and records call the set.
 * @throws POLICY_SET_MALFORMED, POLICY_SET_TOO_LARGE, …: see `checkDocument`
 */
export function digestPolicySet(document: PolicySetDocument): string {
  checkDocument(document);
  return digestOfSet(document);
}

/** The same of a document that was checked before, or is about to be. */
export function digestOfSet({ schema, policies }: PolicySetDocument): string {
  const bare = { schema, policies: policies.map(({ id, text }) => ({ id, text })) };
  return sha256Hex(concat(encodeUtf8('weft/policy-set/v1'), encodeUtf8(canonicalJson(bare))));
}

/**
 * Shape, names and bounds.
 * @throws POLICY_SET_MALFORMED (shape, lone surrogates, unclosed brackets), POLICY_ID_INVALID, POLICY_IDS_UNSORTED
 *   (ids must be in ascending order and unique: one set, one document), POLICY_SET_TOO_LARGE, POLICY_SET_TOO_DEEP
 */
export function checkDocument(document: PolicySetDocument): void {
  const { schema, policies, ...rest } = document;
  if (typeof schema !== 'string' || !Array.isArray(policies) || Object.keys(rest).length > 0) {
    refuse('POLICY_SET_MALFORMED', 'a policy set is {schema, policies: [{id, text}]} and nothing else');
  }
  if (policies.length > POLICY_LIMITS.policiesMax) {
    refuse('POLICY_SET_TOO_LARGE', `the set has more than ${POLICY_LIMITS.policiesMax} policies`);
  }
  checkWellFormed(schema, 'the schema');
  let total = sizeOf(schema, POLICY_LIMITS.schemaBytesMax, 'the schema');
  checkText(schema, 'the schema', true);
  let before = '';
  for (const policy of policies) {
    const { id, text, ...more } = policy as { id?: unknown; text?: unknown };
    if (typeof id !== 'string' || typeof text !== 'string' || Object.keys(more).length > 0) {
      refuse('POLICY_SET_MALFORMED', 'each policy is {id, text} and nothing else');
    }
    if (!idRule.test(id)) {
      refuse('POLICY_ID_INVALID', `a policy id is 1-64 characters a-z 0-9 . _ - and begins with a letter`);
    }
    if (id <= before)
      refuse('POLICY_IDS_UNSORTED', `policy ${id} does not come after ${before}: sort by id, no id twice`);
    before = id;
    checkWellFormed(text, `policy ${id}`);
    total += sizeOf(text, POLICY_LIMITS.policyBytesMax, `policy ${id}`);
    checkText(text, `policy ${id}`, false);
  }
  if (total > POLICY_LIMITS.setBytesMax) {
    refuse('POLICY_SET_TOO_LARGE', `the set is larger than ${POLICY_LIMITS.setBytesMax} bytes: split it`);
  }
}

function checkWellFormed(text: string, what: string): void {
  if (!text.isWellFormed()) refuse('POLICY_SET_MALFORMED', `${what} holds a lone surrogate, which has no UTF-8`);
}

/** Bytes of UTF-8. */
export function byteLength(text: string): number {
  return encodeUtf8(text).length;
}

function sizeOf(text: string, bytesMax: number, what: string): number {
  // A UTF-16 unit is at least one byte: a text that is too long in units need not be encoded to know.
  const bytes = text.length > bytesMax ? text.length : byteLength(text);
  if (bytes > bytesMax) refuse('POLICY_SET_TOO_LARGE', `${what} is larger than ${bytesMax} bytes`);
  return bytes;
}

/**
 * Walks Cedar's text as far as needed to count: strings and comments are stepped over, brackets are nested, and each
 * token that makes an expression deeper is counted. Counting errs to the high side: `.` counts in a path, `<` only in
 * the schema, where it opens `Set<…>`.
 */
function checkText(text: string, what: string, isSchema: boolean): void {
  const open: string[] = [];
  let operators = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"') {
      at = endOfString(text, at, what);
    } else if (character === '/' && text.charAt(at + 1) === '/') {
      const end = text.indexOf('\n', at);
      at = end === -1 ? text.length : end;
    } else if (isSchema ? '([{<'.includes(character) : '([{'.includes(character)) {
      open.push(character);
      if (open.length > POLICY_LIMITS.nestingMax) {
        refuse('POLICY_SET_TOO_DEEP', `${what} nests brackets deeper than ${POLICY_LIMITS.nestingMax}`);
      }
    } else if (isSchema ? ')]}>'.includes(character) : ')]}'.includes(character)) {
      const opened = open.pop();
      if (opened === undefined || pairs[opened] !== character) {
        refuse('POLICY_SET_MALFORMED', `${what} closes a bracket that it did not open`);
      }
    } else if (!isSchema && '&|+-*.<>=!'.includes(character)) {
      operators++;
      // `&&`, `||`, `==`, `<=`, `>=`, `!=` are one operator each; `!!` and `--` are two.
      if ('&|=<>!'.includes(character) && '&|='.includes(text.charAt(at + 1)) && at + 1 < text.length) at++;
    } else if (isLetter(character)) {
      const start = at;
      while (at + 1 < text.length && isLetter(text.charAt(at + 1))) at++;
      if (!isSchema && keywords.has(text.slice(start, at + 1))) operators++;
    }
  }
  if (open.length > 0) refuse('POLICY_SET_MALFORMED', `${what} leaves a bracket open`);
  if (operators > POLICY_LIMITS.operatorsMax) {
    refuse(
      'POLICY_SET_TOO_DEEP',
      `${what} has more than ${POLICY_LIMITS.operatorsMax} operators: split it into several policies`,
    );
  }
}

const pairs: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '<': '>' };
const keywords: ReadonlySet<string> = new Set(['if', 'in', 'is', 'has', 'like', 'when', 'unless']);

/** Index of the closing quote. */
function endOfString(text: string, start: number, what: string): number {
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '\\') at++;
    else if (character === '"') return at;
  }
  return refuse('POLICY_SET_MALFORMED', `${what} leaves a string open`);
}

function isLetter(character: string): boolean {
  return (
    (character >= 'a' && character <= 'z') ||
    (character >= 'A' && character <= 'Z') ||
    (character >= '0' && character <= '9') ||
    character === '_'
  );
}

function refuse(code: string, message: string): never {
  throw new WeftError(code, message);
}
