import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { toPolicySet } from './defaultSet.ts';
import { POLICY_LIMITS } from './limits.ts';
import type { PolicySetDocument } from './types.ts';

/**
 * A policy set as people keep it in a folder: one `.cedarschema` file, and the policies in any number of `.cedar` files.
 * @throws WeftError POLICY_FILE_INVALID (no folder, not exactly one schema, no policies, a statement without `@id`)
 */
export function readPolicySetFolder(folder: string): PolicySetDocument {
  const names = filesIn(folder);
  const [schema, ...others] = names.filter((name) => name.endsWith('.cedarschema'));
  const policies = names.filter((name) => name.endsWith('.cedar'));
  if (schema === undefined || others.length > 0)
    throw invalid(`${folder} holds ${others.length + (schema === undefined ? 0 : 1)} .cedarschema files; it needs one`);
  if (policies.length === 0) throw invalid(`${folder} holds no .cedar file`);
  return toPolicySet(textOf(join(folder, schema)), policies.map((name) => textOf(join(folder, name))).join('\n'));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw invalid(`cannot read ${folder}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function textOf(file: string): string {
  // Comments that stand alone stay behind, so a file may be larger than what becomes of it.
  if (statSync(file).size > 4 * POLICY_LIMITS.setBytesMax) throw invalid(`${file} is too large to be policies`);
  return readFileSync(file, 'utf8');
}

function invalid(why: string): WeftError {
  return new WeftError('POLICY_FILE_INVALID', why);
}
