import { WeftError } from '../codec/error.ts';
import { encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Files } from '../ledger/files.ts';
import { Journal } from '../ledger/journal.ts';
import { type Attempt, decodeAttempt, encodeAttempt, isOpen } from './attempt.ts';

/** Attempts that may be open at one time: each is an act under way or a report that the ledger does not have yet. */
const openAttemptsMax = 4096;
/** A closed attempt is remembered so long after its grant has expired: whatever the clock does meanwhile, it is not begun again. */
const keepMs = 10 * 60 * 1000;
/** The file is written anew, without what is over, when it has grown to this, and to twice what is still needed. */
const rewriteBytes = 512 * 1024;
/** First record of each file: a journal is never without one, and a later version can tell what it reads. */
const head = '{"format":"weft-executor/v1"}';

/**
 * The attempts of one executor on the disk: an append-only journal (src/ledger/journal.ts: checksums in a chain, a torn tail is
 * cut, a hole is told from it), in which the last record of an attempt counts. Nothing is believed to be durable before `put`
 * has resolved, and once a write has failed every later one fails, too: then nothing more is begun.
 */
export class AttemptBook {
  readonly #journal: Journal;
  readonly #attempts: Map<string, Attempt>;
  readonly #rewriteBytes: number;
  #rewriteAt: number;

  private constructor(journal: Journal, attempts: Map<string, Attempt>, rewriteAt: number) {
    this.#journal = journal;
    this.#attempts = attempts;
    this.#rewriteBytes = rewriteAt;
    this.#rewriteAt = rewriteAt;
  }

  /**
   * `owner`: chain and account; another's folder is refused. Attempts that were prepared when a tail was torn off come back as
   * begun: the record that is missing may have said so, and then they are reported as unknown and never done again.
   * @throws WeftError EXECUTOR_STATE_DAMAGED, DISK_FULL, DISK_FAILED
   */
  static async open(files: Files, folder: string, owner: string, rewriteAt = rewriteBytes): Promise<AttemptBook> {
    const identity = sha256(encodeUtf8(`weft/executor/v1\n${owner}`));
    const { journal, payloads, state, tornBytes } = await Journal.open(files, folder, identity);
    if (state === 'damaged') {
      await journal.close();
      throw new WeftError(
        'EXECUTOR_STATE_DAMAGED',
        `${folder} is not the whole record of the attempts of ${owner}: something that was on the disk is missing, or it is ` +
          "another executor's. What was begun cannot be told any more: see to what it says by hand, then give an empty folder. " +
          'Grants that it had consumed become alerts on the ledger.',
      );
    }
    const attempts = new Map<string, Attempt>();
    const [first, ...records] = payloads;
    if (first !== undefined && !equalBytes(first, encodeUtf8(head))) {
      await journal.close();
      throw new WeftError(
        'EXECUTOR_STATE_DAMAGED',
        `${folder} was written by another version, which this one cannot read.`,
      );
    }
    for (const payload of records) {
      const attempt = decodeAttempt(payload);
      attempts.set(attempt.attempt, attempt);
    }
    const book = new AttemptBook(journal, attempts, rewriteAt);
    if (state === 'absent') await book.#rewrite();
    if (tornBytes > 0) await book.#suspect();
    return book;
  }

  /** Oldest first. */
  all(): readonly Attempt[] {
    return [...this.#attempts.values()];
  }

  open(): readonly Attempt[] {
    return this.all().filter(isOpen);
  }

  of(grant: string): readonly Attempt[] {
    return this.all().filter((each) => each.grant === grant);
  }

  get(attempt: string): Attempt | undefined {
    return this.#attempts.get(attempt);
  }

  /**
   * Durable when it resolves. `now`: milliseconds UTC, to forget what is over.
   * @throws WeftError EXECUTOR_STATE_FULL (only for one more attempt), DISK_FULL, DISK_FAILED, JOURNAL_CLOSED
   */
  async put(attempt: Attempt, now: number): Promise<Attempt> {
    if (!this.#attempts.has(attempt.attempt) && this.open().length >= openAttemptsMax) {
      throw new WeftError(
        'EXECUTOR_STATE_FULL',
        `${openAttemptsMax} attempts are open: their outcomes are not on the ledger yet. Nothing more is begun until they are.`,
      );
    }
    this.#journal.append(encodeAttempt(attempt));
    this.#attempts.set(attempt.attempt, attempt);
    if (this.#journal.bytes <= this.#rewriteAt) {
      await this.#journal.sync();
      return attempt;
    }
    for (const each of this.all()) {
      if (!isOpen(each) && each.expires + keepMs < now) this.#attempts.delete(each.attempt);
    }
    await this.#rewrite();
    return attempt;
  }

  /** What was put and not awaited may be lost, as in a crash. */
  close(): Promise<void> {
    return this.#journal.close();
  }

  async #suspect(): Promise<void> {
    for (const each of this.all()) {
      if (each.state === 'prepared') this.#attempts.set(each.attempt, { ...each, state: 'begun' });
    }
    await this.#rewrite();
  }

  async #rewrite(): Promise<void> {
    const done = this.#journal.restart([encodeUtf8(head), ...this.all().map(encodeAttempt)]);
    this.#rewriteAt = Math.max(this.#rewriteBytes, 2 * this.#journal.bytes);
    await done;
  }
}
