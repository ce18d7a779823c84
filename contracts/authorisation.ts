// The one question: may account do transaction type to resource in context? Entities are made from ledger state, and
// only those that the question names, with their ancestors (roles).
import type { Decision, Entity, EntityUid, PolicyValue } from '../src/policy/types.ts';
import type { Question } from './contract.ts';
import { readModel } from './models/state.ts';
import { readInstance } from './routing/state.ts';
import { readAccount } from './signatures.ts';
import type { Answers, BlockContext, Decide, StateReader, Transaction } from './types.ts';

export type Asked = (question: Question) => Decision;

export const accountUid = (name: string): EntityUid => ({ type: 'Account', id: name });
export const instanceUid = (name: string): EntityUid => ({ type: 'Instance', id: name });
export const modelUid = (id: string): EntityUid => ({ type: 'Model', id });
export const tableUid: EntityUid = { type: 'Table', id: 'current' };
/** What an intent is about: `service/web-3/nginx`. */
export const targetUid = (resource: string): EntityUid => ({ type: 'Target', id: resource });
export const serviceUid = (name: 'governance' | 'identity' | 'packets' | 'models' | 'alerts'): EntityUid => ({
  type: 'Service',
  id: name,
});

/** `time` goes along always; the policy adapter leaves it out where no policy of the active set mentions it. A block of packets asks the same again and again: `answers`. */
export function createAsk(
  state: StateReader,
  block: BlockContext,
  tx: Transaction,
  decide: Decide,
  answers?: Answers,
): Asked {
  const ask: Asked = (question) => {
    const closure = new Closure(state, question.entities ?? []);
    const principal = accountUid(question.principal ?? tx.account);
    closure.add(principal);
    closure.add(question.resource);
    for (const value of Object.values(question.context)) closure.addReferences(value);
    return decide({
      principal,
      action: question.action ?? tx.type,
      resource: question.resource,
      context: { ...question.context, time: block.time },
      entities: closure.entities(),
    });
  };
  if (answers === undefined) return ask;
  return (question) => {
    // Entities of the rule's own are none of the state's.
    if (question.entities !== undefined) return ask(question);
    const key = JSON.stringify([tx.account, tx.type, question]);
    let answer = answers.get(key);
    if (answer === undefined) {
      answer = ask(question);
      answers.set(key, answer);
    }
    return answer;
  };
}

/** Entities by type and id, in the order in which they were first named: the same question gives the same text. */
class Closure {
  readonly #state: StateReader;
  readonly #given: readonly Entity[];
  readonly #entities = new Map<string, Entity>();

  constructor(state: StateReader, given: readonly Entity[]) {
    this.#state = state;
    this.#given = given;
  }

  add(uid: EntityUid): void {
    const key = `${uid.type}/${uid.id}`;
    if (this.#entities.has(key)) return;
    const entity = this.#make(uid);
    this.#entities.set(key, entity);
    for (const parent of entity.parents) this.add(parent);
    for (const value of Object.values(entity.attrs)) this.addReferences(value);
  }

  addReferences(value: PolicyValue): void {
    if (typeof value !== 'object') return;
    if (isReference(value)) this.add(value.__entity);
    else for (const each of Object.values(value) as PolicyValue[]) this.addReferences(each);
  }

  entities(): Entity[] {
    return [...this.#entities.values()];
  }

  #make(uid: EntityUid): Entity {
    const given = this.#given.find((each) => each.uid.type === uid.type && each.uid.id === uid.id);
    if (given !== undefined) return given;
    switch (uid.type) {
      case 'Account': {
        const account = readAccount(this.#state, uid.id);
        return {
          uid,
          attrs: { suspended: account?.status === 'suspended' },
          parents: (account?.roles ?? []).map((role) => ({ type: 'Role', id: role })),
        };
      }
      case 'Instance': {
        const instance = readInstance(this.#state, uid.id);
        return { uid, attrs: { account: { __entity: accountUid(uid.id) }, up: instance?.state === 'up' }, parents: [] };
      }
      case 'Model': {
        const model = readModel(this.#state, uid.id);
        if (model === undefined) return { uid, attrs: {}, parents: [] };
        return {
          uid,
          attrs: { registrant: { __entity: accountUid(model.registrant) }, status: model.status },
          parents: [],
        };
      }
      default:
        return { uid, attrs: {}, parents: [] };
    }
  }
}

function isReference(value: object): value is { readonly __entity: EntityUid } {
  return '__entity' in value;
}
