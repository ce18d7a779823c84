import type { Decide, StateReader } from '../../contracts/types.ts';
import { WeftError } from '../codec/error.ts';
import { createPolicyEngine } from '../policy/engine.ts';
import type { PolicyEngine, PolicySetDocument } from '../policy/types.ts';

/** A change of policy leaves two in use for a while (parent and child blocks); forks at most a few more. */
const enginesMax = 4;

/** The engine of the policy set that a state names, kept while it is in use: making one costs milliseconds. */
export class PolicyEngines {
  readonly #engines = new Map<string, PolicyEngine>();

  /** Answers by the set that is current in `state` at the moment of the question, also after a change in the same block. */
  decider(state: StateReader): Decide {
    return (request) => this.of(state).decide(request);
  }

  of(state: StateReader): PolicyEngine {
    const current = state.get('governance/policy/current') as { readonly digest: string } | undefined;
    const digest = current?.digest ?? '';
    const known = this.#engines.get(digest);
    if (known !== undefined) return known;
    const document = state.get(`governance/policy-set/${digest}`) as PolicySetDocument | undefined;
    if (document === undefined) {
      throw new WeftError(
        'STATE_INVALID',
        `State names policy set ${digest} and does not hold it: the data folder is damaged.`,
      );
    }
    const engine = createPolicyEngine(document);
    if (engine.digest !== digest) {
      throw new WeftError(
        'STATE_INVALID',
        `Policy set ${digest} has digest ${engine.digest}: the data folder is damaged.`,
      );
    }
    const oldest = this.#engines.keys().next();
    if (this.#engines.size >= enginesMax && !oldest.done) this.#engines.delete(oldest.value);
    this.#engines.set(digest, engine);
    return engine;
  }
}
