import { outcomeOf } from '../../contracts/governance/changes.ts';
import { needsReadiness, networkOf, readyTime } from '../../contracts/governance/ready.ts';
import { type Pending, readAgenda, readPending, type ValidatorEntry } from '../../contracts/governance/state.ts';
import type { BlockContext, StateReader } from '../../contracts/types.ts';
import { toBase64Url } from '../codec/base64.ts';
import { provePossession, type ValidatorKeys } from '../crypto/validatorKeys.ts';
import type { Log } from './log.ts';
import type { Outcome } from './ownTransactions.ts';

/**
 * Says `governance.ready` for each proposal that this node can serve: it holds the keys that the next set would list under its
 * name, its build has the ruleset, and it follows the live chain. Said again while the proposal is on the agenda, because a
 * word counts for ten minutes only.
 */
export type ReadinessModules = {
  readonly name: string;
  readonly keys: readonly ValidatorKeys[];
  /** Finalized state, and the block that it stands at. */
  readonly state: () => StateReader;
  readonly block: () => BlockContext;
  readonly hasRuleset: (ruleset: number) => boolean;
  /** It follows the live chain and trusts its own state. */
  readonly able: () => boolean;
  readonly send: (
    account: string,
    type: string,
    body: { readonly proposal: string; readonly height: number; readonly proofs: { readonly [role: string]: string } },
  ) => Promise<Outcome>;
  readonly log: Log;
  readonly monotonicMs: () => number;
};

/** What the next set lists for this node, and what it would run under. */
type Own = { readonly entry: ValidatorEntry; readonly keys: ValidatorKeys; readonly ruleset: number };
type Try = { nextMs: number; refused: number; underWay: boolean };

/** In block time: well before the word is too old. */
const againMs = 4 * 60_000;
const roles = ['peer', 'vote', 'log', 'cosigner'] as const;
const retryMinMs = 5000;
const retryMaxMs = 5 * 60_000;

export class Readiness {
  readonly #modules: ReadinessModules;
  readonly #tries = new Map<string, Try>();
  #stopped = false;

  constructor(modules: ReadinessModules) {
    this.#modules = modules;
  }

  /** Call every second or so. */
  tick(): void {
    const { state, able, monotonicMs } = this.#modules;
    const agenda = readAgenda(state());
    for (const id of this.#tries.keys()) if (!agenda.includes(id)) this.#tries.delete(id);
    if (this.#stopped || agenda.length === 0 || !able()) return;
    for (const id of agenda) {
      const pending = readPending(state(), id);
      const tried = this.#tries.get(id) ?? { nextMs: 0, refused: 0, underWay: false };
      if (pending === undefined || tried.underWay || monotonicMs() < tried.nextMs) continue;
      const own = this.#ownEntry(pending);
      if (own === undefined || !this.#isDue(pending, own)) continue;
      this.#tries.set(id, tried);
      void this.#say(pending, own, tried);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Our entry in the set that this proposal would make, when we could serve it. */
  #ownEntry({ kind, change }: Pending): Own | undefined {
    const { name, state, block, hasRuleset } = this.#modules;
    if (!needsReadiness(kind)) return undefined;
    const outcome = outcomeOf(state(), block(), change);
    if ('refused' in outcome || !hasRuleset(outcome.after.ruleset)) return undefined;
    const entry = outcome.after.validators.find((validator) => validator.name === name);
    const keys = this.#modules.keys.find((held) =>
      roles.every((role) => entry?.[role] === toBase64Url(held[role].publicKey)),
    );
    const { ruleset } = outcome.after;
    return entry === undefined || keys === undefined ? undefined : { entry, keys, ruleset };
  }

  #isDue({ proposal }: Pending, { entry, ruleset }: Own): boolean {
    const said = readyTime(this.#modules.state(), proposal, entry, ruleset);
    return said === undefined || this.#modules.block().time - said >= againMs;
  }

  async #say({ proposal }: Pending, { entry, keys }: Own, tried: Try): Promise<void> {
    const { name, block, send, log, monotonicMs } = this.#modules;
    tried.underWay = true;
    const { height, chain } = block();
    const proofs = Object.fromEntries(
      roles.map((role) => [role, toBase64Url(provePossession(networkOf(chain), name, role, keys[role].seed))]),
    );
    const { applied, code } = await send(entry.account, 'governance.ready', { proposal, height, proofs });
    tried.underWay = false;
    tried.refused = applied ? 0 : tried.refused + 1;
    tried.nextMs = monotonicMs() + Math.min(retryMinMs * 2 ** Math.max(0, tried.refused - 1), retryMaxMs);
    if (applied) log.info({ proposal }, 'ready for a proposed change');
    else log.warn({ proposal, code }, 'cannot say that this node is ready');
  }
}
