import type { BlockContext, Decide, StateReader, Transaction } from '../../contracts/types.ts';
import { WeftError } from '../codec/error.ts';
import { createPolicyEngine, type PolicyEngineOptions } from '../policy/engine.ts';
import type { PolicyEngine, PolicySetDocument } from '../policy/types.ts';

/** A change of policy leaves two in use for a while (parent and child blocks); forks and other ledgers of the process a few more. */
const enginesMax = 8;

/** Who answers the questions of one transaction. A node has one way to; whoever replays a chain may listen, or answer otherwise. */
export type Decider = (state: StateReader, tx: Transaction, block: BlockContext) => Decide;

/** Answers by the set that is current in `state` at the moment of the question, also after a change in the same block. */
export function policyDecider(state: StateReader): Decide {
  return (request) => policyEngineOf(state).decide(request);
}

/** @throws WeftError STATE_INVALID, and what createPolicyEngine throws */
export function policyEngineOf(state: StateReader): PolicyEngine {
  return shared.of(state);
}

/** Engines by the digest of their set: an engine is a function of its set alone, and making one costs some twenty milliseconds. */
export class PolicyEngines {
  readonly #options: PolicyEngineOptions;
  /** Insertion order is the order of first use. */
  readonly #engines = new Map<string, PolicyEngine>();

  constructor(options: PolicyEngineOptions = {}) {
    this.#options = options;
  }

  /** Of the set that is current in `state`. @throws WeftError STATE_INVALID, and what createPolicyEngine throws */
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
    const engine = createPolicyEngine(document, this.#options);
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

/** For the whole process. */
const shared = new PolicyEngines();
