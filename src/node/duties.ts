import type { ValidatorKeys } from '../crypto/validatorKeys.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Network } from '../net/types.ts';
import type { NodeApi } from './api.ts';
import { abridged, Evidence, type KeptEvidence } from './evidence.ts';
import { encodePair } from './evidencePair.ts';
import { EvidenceReports } from './evidenceReports.ts';
import { blockContextOf } from './governance.ts';
import type { Log } from './log.ts';
import { OwnTransactions } from './ownTransactions.ts';
import { Readiness } from './readiness.ts';
import { frameKinds } from './wire.ts';

/** What a node says to the ledger by itself: who signed what no honest one signs, and that it is ready for a change. */

export type DutiesModules = {
  readonly name: string;
  /** Key files that this node holds, the one in use first. */
  readonly keys: readonly ValidatorKeys[];
  readonly ledger: Ledger;
  readonly network: () => Network;
  /** Follows the live chain and trusts its own state. */
  readonly able: () => boolean;
  readonly api: () => Pick<NodeApi, 'submit' | 'wait'>;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

/** Passed on again to who may have lost it: everybody who connects gets it anyway. */
const passOnEveryMs = 30_000;

export class Duties {
  readonly evidence: Evidence;
  readonly #modules: DutiesModules;
  readonly #reports: EvidenceReports;
  readonly #readiness: Readiness;
  #passedOnMs = 0;

  constructor(modules: DutiesModules) {
    this.#modules = modules;
    const { ledger, log, monotonicMs, wallMs } = modules;
    const own = new OwnTransactions({
      chain: ledger.genesis.chain,
      seeds: modules.keys.map(({ account }) => account.seed),
      state: () => ledger.state,
      submit: (envelope) => modules.api().submit(envelope),
      wait: (id, timeoutMs) => modules.api().wait(id, timeoutMs),
      wallMs,
    });
    this.evidence = new Evidence({
      ledger,
      found: (evidence) => this.#found(evidence),
      failed: (error) => log.error({ error: String(error) }, 'evidence could not be stored'),
    });
    this.#reports = new EvidenceReports({
      state: () => ledger.state,
      kept: () => this.evidence.all(),
      validators: () => ledger.epoch.validators.map(({ name }) => name),
      me: modules.name,
      able: modules.able,
      send: (type, body) => own.send(this.#account(), type, body),
      recorded: ({ id, offender }) => log.info({ id, offender }, 'evidence is in the ledger'),
      log,
      monotonicMs,
    });
    this.#readiness = new Readiness({
      name: modules.name,
      keys: modules.keys,
      state: () => ledger.state,
      block: () => blockContextOf(ledger),
      hasRuleset: (number) => ledger.hasRuleset(number),
      able: modules.able,
      send: (account, type, body) => own.send(account, type, body),
      log,
      monotonicMs,
    });
  }

  /** Call every second or so. */
  tick(): void {
    this.#reports.tick();
    this.#readiness.tick();
    const now = this.#modules.monotonicMs();
    if (now - this.#passedOnMs < passOnEveryMs) return;
    this.#passedOnMs = now;
    for (const evidence of this.#reports.open()) this.#passOn(evidence);
  }

  /** A peer that has just connected gets what the ledger does not have yet. */
  connected(peer: string): void {
    for (const { pair } of this.#reports.open())
      this.#modules.network().send(peer, 'bulk', frameKinds.evidence, encodePair(pair), { class: 'other' });
  }

  counts(): { readonly found: number; readonly recorded: number } {
    const all = this.evidence.all();
    return { found: all.length, recorded: all.length - this.#reports.open().length };
  }

  /** Kept here, and not in the ledger yet. */
  open(): readonly KeptEvidence[] {
    return this.#reports.open();
  }

  stop(): void {
    this.#reports.stop();
    this.#readiness.stop();
  }

  #found(evidence: KeptEvidence): void {
    const { offender, at, pair } = evidence;
    const messages = abridged([pair.a, pair.b]);
    const details = { offender, kind: pair.kind, epoch: pair.epoch, at, messages };
    this.#modules.log.error(details, 'messages that no honest validator signs');
    this.#passOn(evidence);
    setImmediate(() => this.#reports.tick());
  }

  /** To all validators: whoever knows it looks no further, and each passes it on once. */
  #passOn({ pair }: KeptEvidence): void {
    this.#modules.network().broadcast('bulk', frameKinds.evidence, encodePair(pair), { class: 'other' });
  }

  /** That speaks for this node on the ledger. */
  #account(): string {
    const { ledger, name } = this.#modules;
    return ledger.epoch.validators.find((validator) => validator.name === name)?.account ?? name;
  }
}
