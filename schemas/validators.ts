// One compiled validator per schema, made when it is first asked for. The answer is a sentence that names the member;
// it is for people and never enters state or log.
import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { schemaDocuments } from './types/catalogue.ts';

const compiled = new Map<string, ValidateFunction>();
let ajv: Ajv2020 | undefined;

/** True for the names that `validate` knows: the schema's path under schemas/ without `.schema.json`. */
export function hasSchema(name: string): boolean {
  return schemaDocuments.has(name);
}

/**
 * Checks a document against a schema.
 * @param name path of the schema under schemas/ without `.schema.json`: `genesis`, `tx/packets.commit`
 * @returns what is wrong with the first wrong member, or undefined when the document holds
 */
export function validate(name: string, value: unknown): string | undefined {
  const check = compiled.get(name) ?? compile(name);
  return check(value) ? undefined : explain(telling(check.errors ?? []));
}

function compile(name: string): ValidateFunction {
  const schema = schemaDocuments.get(name);
  // A defect of ours and no bad input: names of schemas never come from outside unchecked (hasSchema).
  if (schema === undefined) throw new TypeError(`no schema is called ${name}`);
  // The schemas are ours and a test holds them to the meta-schema: checking them again at every start buys nothing.
  ajv ??= new Ajv2020({
    strict: true,
    allErrors: false,
    // An error brings its value and schema along: see `telling`. Documents that hold pay nothing for it.
    verbose: true,
    validateSchema: false,
    schemas: [...schemaDocuments.values()],
  });
  const check = ajv.compile(schema);
  compiled.set(name, check);
  return check;
}

/**
 * The error to speak of. Where one of several forms was asked for, they are told apart by a member that is constant in each:
 * then what is wrong with the form that was meant says more than why the first one was not.
 */
function telling(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const choice = errors.find(({ keyword }) => keyword === 'anyOf');
  const value: unknown = choice?.data;
  if (choice === undefined || typeof value !== 'object' || value === null) return errors[0];
  const forms = choice.schema as readonly {
    readonly properties?: Readonly<Record<string, { readonly const?: unknown }>>;
  }[];
  const meant = forms.findIndex(({ properties = {} }) =>
    Object.entries(properties).some(
      ([name, schema]) => schema.const !== undefined && schema.const === (value as Record<string, unknown>)[name],
    ),
  );
  if (meant < 0) return errors[0];
  // Behind a reference the path of the form is lost; but each form that was not meant fails at the member that tells them apart.
  return (
    errors.find(({ schemaPath }) => schemaPath.startsWith(`${choice.schemaPath}/${meant}/`)) ??
    errors.find(({ keyword }) => keyword !== 'const' && keyword !== 'anyOf') ??
    errors[0]
  );
}

/** `/groups/0/ids` → `groups[0].ids`. */
function memberName(pointer: string): string {
  let name = '';
  for (const part of pointer.split('/').slice(1)) {
    const plain = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (/^[0-9]+$/.test(plain)) name += `[${plain}]`;
    else name += name === '' ? plain : `.${plain}`;
  }
  return name;
}

function explain(error: ErrorObject | undefined): string {
  if (error === undefined) return 'the document does not match its schema';
  const member = memberName(error.instancePath);
  const subject = member === '' ? 'the document' : `member ${member}`;
  const params: Record<string, unknown> = error.params;
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const extra = params['additionalProperty'] ?? params['unevaluatedProperty'];
      return `${subject} has an unknown member ${shown(extra)}`;
    }
    case 'required':
      return `${subject} lacks the member ${shown(params['missingProperty'])}`;
    case 'type':
      return `${subject} must be ${article(String(params['type']))}`;
    case 'const':
      return `${subject} must be ${shown(params['allowedValue'])}`;
    case 'enum':
      return `${subject} must be one of ${(params['allowedValues'] as unknown[]).map(shown).join(', ')}`;
    case 'pattern':
      return `${subject} does not have the form ${String(params['pattern'])}`;
    case 'minimum':
      return `${subject} must be at least ${String(params['limit'])}`;
    case 'maximum':
      return `${subject} must be at most ${String(params['limit'])}`;
    case 'minItems':
      return `${subject} must have at least ${String(params['limit'])} items`;
    case 'maxItems':
      return `${subject} must have at most ${String(params['limit'])} items`;
    case 'minLength':
      return `${subject} must have at least ${String(params['limit'])} characters`;
    case 'maxLength':
      return `${subject} must have at most ${String(params['limit'])} characters`;
    case 'uniqueItems':
      return `${subject} holds the same item twice (${String(params['j'])} and ${String(params['i'])})`;
    default:
      return `${subject} ${error.message ?? 'does not match its schema'}`;
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function article(type: string): string {
  const words: Readonly<Record<string, string>> = {
    object: 'an object',
    array: 'a list',
    integer: 'an integer',
    null: 'null',
  };
  return type
    .split(',')
    .map((each) => words[each] ?? `a ${each}`)
    .join(' or ');
}
