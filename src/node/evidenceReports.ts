import { isClosed } from '../../contracts/governance/evidence.ts';
import type { StateReader } from '../../contracts/types.ts';
import { toBase64 } from '../codec/base64.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import type { KeptEvidence } from './evidence.ts';
import type { Log } from './log.ts';
import type { Outcome } from './ownTransactions.ts';

/**
 * Kept evidence on its way to the ledger (W12). Every validator that holds it would send it; so that one does, they take turns,
 * in an order that the evidence itself decides: who is first sends at once, the next one only when the ledger still lacks it.
 * Sent again until the ledger has it, also after a restart.
 */
export type EvidenceReportsModules = {
  /** Finalized state. */
  readonly state: () => StateReader;
  readonly kept: () => readonly KeptEvidence[];
  /** Names of the validators of the present epoch. */
  readonly validators: () => readonly string[];
  readonly me: string;
  /** It is listed, follows the live chain and trusts its own state. */
  readonly able: () => boolean;
  readonly send: (type: string, body: { readonly [name: string]: string | number }) => Promise<Outcome>;
  /** Once for each that is in the ledger. */
  readonly recorded: (evidence: KeptEvidence) => void;
  readonly log: Log;
  readonly monotonicMs: () => number;
};

type Report = { dueMs: number; tries: number; underWay: boolean };

/** For one turn: enough to be finalized in, also on a slow day, because a second transaction would be refused on the log. */
const turnMs = 10_000;
const againMinMs = 5000;
const againMaxMs = 10 * 60 * 1000;

export class EvidenceReports {
  readonly #modules: EvidenceReportsModules;
  readonly #reports = new Map<string, Report>();
  readonly #recorded = new Set<string>();
  #stopped = false;

  constructor(modules: EvidenceReportsModules) {
    this.#modules = modules;
  }

  /** What is kept here, not in the ledger, and may come there. */
  open(): readonly KeptEvidence[] {
    return this.#modules.kept().filter((evidence) => !this.isRecorded(evidence) && !this.#isClosed(evidence));
  }

  /** Is it in the ledger? */
  isRecorded({ id }: KeptEvidence): boolean {
    return this.#modules.state().get(`governance/evidence/${id}`) !== undefined;
  }

  /** Call every now and then, and when something was found. */
  tick(): void {
    const { kept, able, recorded, monotonicMs } = this.#modules;
    if (this.#stopped) return;
    for (const evidence of kept()) {
      if (this.#recorded.has(evidence.id)) continue;
      if (this.isRecorded(evidence)) {
        this.#recorded.add(evidence.id);
        this.#reports.delete(evidence.id);
        recorded(evidence);
        continue;
      }
      if (!able() || this.#isClosed(evidence)) continue;
      const report = this.#reports.get(evidence.id) ?? this.#begin(evidence);
      if (report !== undefined && !report.underWay && monotonicMs() >= report.dueMs) void this.#send(evidence, report);
    }
  }

  /** The ledger has enough of that offender already, or its epoch is long gone. */
  #isClosed({ offender, pair }: KeptEvidence): boolean {
    return isClosed(this.#modules.state(), pair.epoch, offender);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Undefined when it is not ours to send: who is accused leaves it to the others. */
  #begin(evidence: KeptEvidence): Report | undefined {
    const { validators, me, monotonicMs } = this.#modules;
    const draw = (name: string): string => sha256Hex(encodeUtf8(`${evidence.id} ${name}`));
    const order = validators()
      .filter((name) => name !== evidence.offender)
      .sort((a, b) => (draw(a) < draw(b) ? -1 : 1));
    const turn = order.indexOf(me);
    if (turn < 0) return undefined;
    const report = { dueMs: monotonicMs() + turn * turnMs, tries: 0, underWay: false };
    this.#reports.set(evidence.id, report);
    return report;
  }

  async #send(evidence: KeptEvidence, report: Report): Promise<void> {
    const { send, log, monotonicMs } = this.#modules;
    const { kind, epoch, a, b } = evidence.pair;
    report.underWay = true;
    const body = { kind, epoch, a: toBase64(a), b: toBase64(b) };
    const { applied, code } = await send('governance.evidence', body);
    report.underWay = false;
    if (applied) return;
    report.dueMs = monotonicMs() + Math.min(againMinMs * 2 ** report.tries, againMaxMs);
    report.tries += 1;
    if (!this.isRecorded(evidence)) log.warn({ id: evidence.id, code }, 'evidence is not in the ledger yet');
  }
}
