import type { Ruleset } from '../../contracts/rulesets.ts';
import { checkPolicySet, checkPolicySetNow } from '../policy/check.ts';
import { digestOfSet } from '../policy/document.ts';
import type { PolicySetDocument, PolicySetVerdict } from '../policy/types.ts';

/** Where verdicts come from. Tests put breaking ones here. */
export type PolicySetChecker = {
  check(document: PolicySetDocument, rules: Ruleset): Promise<PolicySetVerdict>;
  /** Waits on the spot, and holds up everything else of the process meanwhile. */
  checkNow(document: PolicySetDocument, rules: Ruleset): PolicySetVerdict;
};

const throwaway: PolicySetChecker = {
  check: (document, { policyQuestions }) => checkPolicySet(document, policyQuestions),
  checkNow: (document, { policyQuestions }) => checkPolicySetNow(document, policyQuestions),
};

const knownMax = 256;
/** Accounts of which a set waits to be looked at ahead of time; there are not more members of a council. */
const waitingMax = 32;

/**
 * What Cedar says of policy sets, by ruleset and digest: a function of the two, so it is asked once. It is found out in throwaway
 * threads before a block is executed, because it may take a second; what execution then needs and does not find, it waits for.
 */
export class PolicyVerdicts {
  readonly #checker: PolicySetChecker;
  readonly #known = new Map<string, PolicySetVerdict>();
  readonly #underWay = new Map<string, Promise<void>>();
  /** The end of the queue of what admission wants to know: one at a time. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #waiting = new Set<string>();

  constructor(checker: PolicySetChecker = throwaway) {
    this.#checker = checker;
  }

  has(document: PolicySetDocument, rules: Ruleset): boolean {
    return this.#known.has(keyOf(document, rules));
  }

  /** For a block that is to be executed now. @throws WeftError (rejects) POLICY_HOST_FAILED */
  async learn(document: PolicySetDocument, rules: Ruleset): Promise<void> {
    const key = keyOf(document, rules);
    if (this.#known.has(key)) return;
    let running = this.#underWay.get(key);
    if (running === undefined) {
      running = this.#checker
        .check(document, rules)
        .then((verdict) => this.#keep(key, verdict))
        .finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, running);
    }
    await running;
  }

  /**
   * Ahead of time, when it is its turn. One set of an account waits at a time, so that whoever proposes many holds up nobody else.
   * What does not wait, or fails, is asked again when it is needed.
   */
  learnAhead(document: PolicySetDocument, rules: Ruleset, account: string): void {
    if (this.#waiting.has(account) || this.#waiting.size >= waitingMax || this.has(document, rules)) return;
    this.#waiting.add(account);
    this.#queue = this.#queue
      .then(() => this.learn(document, rules))
      .catch(() => undefined)
      .finally(() => {
        this.#waiting.delete(account);
      });
  }

  /** Undefined when the set may decide, else the code. @throws WeftError POLICY_HOST_FAILED */
  need(document: PolicySetDocument, rules: Ruleset): string | undefined {
    const key = keyOf(document, rules);
    let verdict = this.#known.get(key);
    if (verdict === undefined) {
      verdict = this.#checker.checkNow(document, rules);
      this.#keep(key, verdict);
    }
    return verdict.ok ? undefined : verdict.code;
  }

  #keep(key: string, verdict: PolicySetVerdict): void {
    const oldest = this.#known.keys().next();
    if (this.#known.size >= knownMax && !oldest.done) this.#known.delete(oldest.value);
    this.#known.set(key, verdict);
  }
}

function keyOf(document: PolicySetDocument, { version }: Ruleset): string {
  return `${version}/${digestOfSet(document)}`;
}

/** For the whole process: its ledgers need not ask for themselves. */
export const policyVerdicts = new PolicyVerdicts();

/** A block has one set of each account checked: whoever holds a key of the council cannot hold up blocks with many. */
export class SetsOfBlock {
  readonly #checked = new Map<string, string>();

  /** True when the set of this account is the one that this block checks of it. */
  take(account: string, document: PolicySetDocument): boolean {
    const digest = digestOfSet(document);
    const before = this.#checked.get(account);
    if (before === undefined) this.#checked.set(account, digest);
    return before === undefined || before === digest;
  }

  has(account: string): boolean {
    return this.#checked.has(account);
  }
}

/** The refusal of a second one. */
export const SECOND_SET = 'POLICY_SECOND_SET';
