// A ruleset that exists for tests only: as the first one, with one transaction type more, and a lower bound of bodies.

import { applyTransaction } from '../../contracts/apply.ts';
import { serviceUid } from '../../contracts/authorisation.ts';
import { type Contract, recordHead, refuse, rule } from '../../contracts/contract.ts';
import { contracts } from '../../contracts/list.ts';
import { type Ruleset, type RulesetSource, ruleset } from '../../contracts/rulesets.ts';
import { bodyOf, decodeTransaction } from '../../contracts/transaction.ts';

const first = ruleset(1);
if (first === undefined) throw new TypeError('ruleset 1 is missing');
const limits = { ...first.limits, bodyBytesMax: 4096 };

/** `notes.write {text}` keeps a text. Nothing else in the world knows this type. */
const notes: Contract = {
  name: 'notes',
  rules: [
    rule<{ readonly text: string }>('notes.write', {
      question: () => ({ resource: serviceUid('packets'), context: {} }),
      apply({ text }, context) {
        if (text === '') return refuse('NOTE_EMPTY');
        const changes = new Map([['notes/note/newest', { text, height: context.block.height }]]);
        return { records: [{ ...recordHead('notes.written', context), text }], changes };
      },
    }),
  ],
};

function wrongNote(body: unknown): string | undefined {
  const { text, ...more } = body as { readonly text?: unknown };
  return typeof text === 'string' && Object.keys(more).length === 0
    ? undefined
    : 'text must be a text, and all there is';
}

const all = [...contracts, notes];

const rulesetTwo: Ruleset = {
  ...first,
  version: 2,
  limits,
  transactionTypes: [...first.transactionTypes, 'notes.write'].sort(),
  decode: (envelope, options = {}) =>
    decodeTransaction(envelope, {
      ...options,
      form: { limits, bodyOf: (type) => (type === 'notes.write' ? wrongNote : bodyOf(type)) },
    }),
  apply: (state, block, tx, decide, check) => applyTransaction(all, limits, state, block, tx, decide, check),
};

/** What a build with both has. */
export const bothRulesets: RulesetSource = (version) => (version === 2 ? rulesetTwo : ruleset(version));
