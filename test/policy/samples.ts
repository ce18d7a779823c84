/** A small schema and what is asked of it: the tests of the adapter need no ledger. */
import type { PolicyRequest, PolicySetDocument, PolicyValue } from '../../src/policy/types.ts';

export const sampleSchema = `
entity Role;
entity Account in [Role] = { level: Long, team?: String };
entity Thing = { owner: Account };
action act appliesTo {
  principal: [Account],
  resource: [Thing],
  context: { amount: Long, limit: Long, words: Set<String>, missing?: Long, nested?: { flag: Bool } },
};
`.trim();

export function sampleSet(...texts: readonly string[]): PolicySetDocument {
  return { schema: sampleSchema, policies: texts.map((text, i) => ({ id: `p${String(i).padStart(3, '0')}`, text })) };
}

export const permitAll = 'permit (principal, action, resource);';

/** `when { … }` around one expression. */
export function permitWhen(expression: string): string {
  return `permit (principal, action, resource) when { ${expression} };`;
}

export type SampleOptions = {
  readonly amount?: number;
  readonly limit?: number;
  readonly words?: readonly string[];
  readonly extra?: { readonly [name: string]: PolicyValue };
  readonly roles?: readonly string[];
  readonly level?: number;
  readonly id?: string;
};

export function sampleRequest(options: SampleOptions = {}): PolicyRequest {
  const { amount = 1, limit = 2, words = [], extra = {}, roles = ['agent'], level = 3, id = 'ada' } = options;
  const account = { type: 'Account', id };
  return {
    principal: account,
    action: 'act',
    resource: { type: 'Thing', id: 'thing' },
    context: { amount, limit, words, ...extra },
    entities: [
      { uid: account, attrs: { level }, parents: roles.map((role) => ({ type: 'Role', id: role })) },
      { uid: { type: 'Thing', id: 'thing' }, attrs: { owner: { __entity: account } }, parents: [] },
      ...roles.map((role) => ({ uid: { type: 'Role', id: role }, attrs: {}, parents: [] })),
    ],
  };
}
