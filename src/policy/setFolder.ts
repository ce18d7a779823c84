import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { statementsOf } from './defaultSet.ts';
import { POLICY_LIMITS } from './limits.ts';
import type { PolicySetDocument } from './types.ts';

/** Where a text stands, for messages: `line` and `column` from 1. */
export type Place = { readonly file: string; readonly line: number; readonly column: number };

export type SourceSet = {
  readonly document: PolicySetDocument;
  /**
   * @param policy absent: the schema
   * @param at offset in its text, in bytes of UTF-8. Default: where it begins
   */
  placeOf(policy?: string, at?: number): Place | undefined;
};

/**
 * A policy set as people keep it in a folder: one `.cedarschema` file, and the policies in any number of `.cedar` files.
 * @throws WeftError POLICY_FILE_INVALID
 */
export function readPolicySetFolder(folder: string): PolicySetDocument {
  return readSources(...filesIn(folder)).document;
}

/** Schemas and policies of a folder, by name. @throws WeftError POLICY_FILE_INVALID */
export function filesIn(folder: string): [schemaFiles: string[], policyFiles: string[]] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    throw invalid(`cannot read ${folder}: ${(error as NodeJS.ErrnoException).code}`);
  }
  const ending = (suffix: string): string[] =>
    names.filter((name) => name.endsWith(suffix)).map((name) => join(folder, name));
  return [ending('.cedarschema'), ending('.cedar')];
}

type Source = { readonly file: string; readonly line: number; readonly text: string };

/**
 * A set from files, which knows where each part of it stands.
 * @throws WeftError POLICY_FILE_INVALID (cannot be read, not one schema, a policy without `@id`, one id twice), with file and line
 */
export function readSources(schemaFiles: readonly string[], policyFiles: readonly string[]): SourceSet {
  const [schemaFile, ...more] = schemaFiles;
  if (schemaFile === undefined || more.length > 0)
    throw invalid(`a set has one .cedarschema file; here are ${schemaFiles.length}`);
  if (policyFiles.length === 0) throw invalid('a set has at least one .cedar file, and here is none');
  const source = read(schemaFile);
  const schema: Source = { file: schemaFile, line: lineAt(source, source.search(/\S/)), text: source.trim() };
  const policies = new Map<string, Source>();
  for (const file of policyFiles) {
    for (const { id, text, line } of statements(file)) {
      if (id === undefined) throw invalid(`${file}:${line}: this policy has no @id("…")`);
      const before = policies.get(id);
      if (before !== undefined)
        throw invalid(`${file}:${line}: there is a policy ${id} already, at ${before.file}:${before.line}`);
      policies.set(id, { file, line, text });
    }
  }
  const sorted = [...policies].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    document: { schema: schema.text, policies: sorted.map(([id, { text }]) => ({ id, text })) },
    placeOf(policy, at) {
      const found = policy === undefined ? schema : policies.get(policy);
      return found === undefined ? undefined : placeIn(found, at);
    },
  };
}

function statements(file: string): ReturnType<typeof statementsOf> {
  try {
    return statementsOf(read(file));
  } catch (error) {
    throw error instanceof WeftError ? invalid(`${file}: ${error.message}`) : error;
  }
}

function placeIn({ file, line, text }: Source, at: number | undefined): Place {
  if (at === undefined) {
    // Above the policy stands its comment: what is said of it as a whole is said of its first line.
    const first = text.split('\n').findIndex((each) => each.trim() !== '' && !each.trimStart().startsWith('//'));
    return { file, line: line + Math.max(first, 0), column: 1 };
  }
  const before = new TextDecoder().decode(encodeUtf8(text).subarray(0, at)).split('\n');
  return { file, line: line + before.length - 1, column: (before.at(-1)?.length ?? 0) + 1 };
}

function lineAt(text: string, at: number): number {
  return text.slice(0, Math.max(at, 0)).split('\n').length;
}

function read(file: string): string {
  try {
    // Comments that stand alone stay behind, so a file may be larger than what becomes of it.
    if (statSync(file).size > 4 * POLICY_LIMITS.setBytesMax) throw invalid(`${file} is too large to be policies`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof WeftError) throw error;
    throw invalid(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function invalid(why: string): WeftError {
  return new WeftError('POLICY_FILE_INVALID', why);
}
