import { readFileSync } from 'node:fs';
import { WeftError } from '../codec/error.ts';
import type { PolicySetDocument } from './types.ts';

/**
 * The policy set that a new network starts with, from `genesis/policy/`. Genesis copies it, so later changes of these
 * files change no existing network.
 * @throws POLICY_FILE_INVALID
 */
export function readDefaultPolicySet(): PolicySetDocument {
  const root = import.meta.url.endsWith('.ts') ? '../../' : '../../../';
  const read = (name: string) => readFileSync(new URL(`${root}genesis/policy/${name}`, import.meta.url), 'utf8');
  return toPolicySet(read('default.cedarschema'), read('default.cedar'));
}

/**
 * A set from two texts as people write them. A policy's id is its `@id("…")`; its text is the statement with the comment
 * that stands directly above it, so that the reason for a rule is on the ledger beside the rule. Other comments stay
 * behind.
 * @throws POLICY_FILE_INVALID (a statement without @id, or something after the last `;`)
 */
export function toPolicySet(schema: string, policies: string): PolicySetDocument {
  const statements = statementsOf(policies).map(({ id, text }) => {
    if (id === undefined) {
      throw new WeftError('POLICY_FILE_INVALID', `a policy has no @id("…"): ${text.slice(0, 80)}`);
    }
    return { id, text };
  });
  statements.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return { schema: schema.trim(), policies: statements };
}

export type Statement = {
  /** What its `@id("…")` says. */
  readonly id: string | undefined;
  readonly text: string;
  /** Line of the source at which the text begins, from 1. */
  readonly line: number;
};

/** The policies of a source, in their order. @throws POLICY_FILE_INVALID (something after the last `;`) */
export function statementsOf(source: string): Statement[] {
  let from = 0;
  return splitStatements(source).map((text) => {
    const at = source.indexOf(text, from);
    from = at + text.length;
    const id = /@id\("([^"\\]*)"\)/.exec(withoutComments(text))?.[1];
    return { id, text, line: source.slice(0, at).split('\n').length };
  });
}

/** Cuts behind each `;` that stands in no string and no comment; drops comments that a blank line parts from the policy. */
function splitStatements(source: string): string[] {
  const statements: string[] = [];
  let start = 0;
  for (let at = 0; at < source.length; at++) {
    const character = source.charAt(at);
    if (character === '"') at = endOfString(source, at);
    else if (source.startsWith('//', at)) at = endOfLine(source, at);
    else if (character === ';') {
      statements.push(withOwnComment(source.slice(start, at + 1)));
      start = at + 1;
    }
  }
  if (withoutComments(source.slice(start)).trim() !== '') {
    throw new WeftError('POLICY_FILE_INVALID', 'the last policy does not end with a semicolon');
  }
  return statements;
}

function withOwnComment(statement: string): string {
  // Cut, not put together again: the text stands in the source as it is.
  const trimmed = statement.trim();
  let start = 0;
  for (const blank of trimmed.matchAll(/\n[ \t]*\n/g)) {
    if (withoutComments(trimmed.slice(start, blank.index)).trim() !== '') break;
    start = blank.index + blank[0].length;
  }
  return trimmed.slice(start).trimStart();
}

function withoutComments(text: string): string {
  let kept = '';
  for (let at = 0; at < text.length; at++) {
    if (text.charAt(at) === '"') {
      const end = endOfString(text, at);
      kept += text.slice(at, end + 1);
      at = end;
    } else if (text.startsWith('//', at)) at = endOfLine(text, at) - 1;
    else kept += text.charAt(at);
  }
  return kept;
}

/** Index of the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text.charAt(at) === '\\') at++;
    else if (text.charAt(at) === '"') return at;
  }
  return text.length;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
}
