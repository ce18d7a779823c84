import type { JsonObject } from '../../contracts/types.ts';
import { schemaDocuments } from '../../schemas/types/catalogue.ts';
import { intentActions } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { readFile } from './files.ts';
import { good, print, printFields, printJson, usage } from './output.ts';

/** A member of an effect's schema, as far as it matters to who types it. */
type Member = { readonly type?: string; readonly description?: string; readonly enum?: readonly string[] };

function membersOf(action: string): ReadonlyMap<string, Member> {
  const schema = schemaDocuments.get(`actions/${action}`) as
    | { readonly properties: Record<string, Member> }
    | undefined;
  if (schema === undefined) throw usage(`there is no action ${action}; weft intent actions lists them`);
  return new Map(Object.entries(schema.properties));
}

export function printActions(options: { json?: boolean }): void {
  if (options.json) {
    printJson(Object.fromEntries(intentActions.map((name) => [name, schemaDocuments.get(`actions/${name}`)])));
    return;
  }
  for (const name of intentActions) {
    print(good(name));
    printFields(
      [...membersOf(name)].map(([member, { description, enum: words }]) => [
        member,
        `${description ?? ''}${words === undefined ? '' : ` (${words.join(', ')})`}`,
      ]),
      '  ',
    );
  }
}

/** `host=web-3` … as a document: whole numbers where the schema wants them. */
export function effectOf(action: string, members: readonly string[]): JsonObject {
  const known = membersOf(action);
  const effect: Record<string, string | number> = {};
  for (const member of members) {
    const at = member.indexOf('=');
    const name = member.slice(0, Math.max(at, 0));
    const value = member.slice(at + 1);
    const form = known.get(name);
    if (at < 1 || form === undefined || Object.hasOwn(effect, name))
      throw usage(
        `'${member}': ${action} takes each of ${[...known.keys()].map((each) => `${each}=…`).join(' ')} once`,
      );
    effect[name] = form.type === 'integer' ? wholeNumber(value, name) : value;
  }
  return effect;
}

export function effectFrom(file: string, members: readonly string[]): JsonObject {
  if (members.length > 0) throw usage('give the effect as name=value, or with --effect: not both');
  let effect: unknown;
  try {
    effect = JSON.parse(readFile(file).toString('utf8'));
  } catch (error) {
    if (error instanceof WeftError) throw error;
    throw usage(`${file} is not JSON`);
  }
  if (typeof effect !== 'object' || effect === null || Array.isArray(effect))
    throw usage(`${file} holds no JSON object`);
  return effect as JsonObject;
}

export function wholeNumber(text: string, what: string): number {
  if (!/^-?[0-9]{1,15}$/.test(text)) throw usage(`${what} takes a whole number, not '${text}'`);
  return Number(text);
}
