import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { verifyFast } from '../crypto/ed25519.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { parseCheckpoint, verifyLogSignature } from '../log/checkpoint.ts';
import { checkpointTime, verifyCosignature } from '../log/cosignature.ts';
import { parseNote } from '../log/note.ts';
import { formatVkey, type Vkey } from '../log/vkey.ts';
import type { Log } from './log.ts';
import { cosignerKeyOf, logKeyOf } from './queries.ts';

/**
 * What an observer publishes: trust files list the validators' log keys and no others, so a line of its own would make every
 * checkpoint and token from it worthless. It passes on what a validator has published, once it has verified it and has
 * executed the log up to there itself. It stays with one validator while that one keeps up: what it publishes has to grow, or
 * to be newer, and has to be fresh by the clock here.
 */
export type FollowerOptions = {
  readonly chain: string;
  readonly origin: string;
};

export type FollowerModules = {
  readonly ledger: Pick<Ledger, 'epoch' | 'finalized' | 'logRoot'>;
  /** Validators that can be asked, in a fixed order. */
  readonly askable: () => readonly string[];
  /** The newest checkpoint that a validator has published; undefined when it has none, or did not answer. */
  readonly fetch: (validator: string) => Promise<Uint8Array | undefined>;
  readonly adopted: (note: string, size: number) => void;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

export type PublishedCheckpoint = {
  readonly note: string;
  readonly size: number;
  /** Hex. */
  readonly root: string;
  /** When at least one honest cosigner had signed it: the (f+1)-th newest time, so that no f of them can date it ahead. */
  readonly timeMs: number;
  /** Whose log line it carries. */
  readonly logKey: Vkey;
};

/** Of so many times `recosignMs` a validator may be late. */
const lateMax = 4;

export class CheckpointFollower {
  readonly #options: FollowerOptions;
  readonly #modules: FollowerModules;
  #published: PublishedCheckpoint | undefined;
  #publishedMs = Number.NEGATIVE_INFINITY;
  /** Verified, and ahead of what was executed here. */
  #held: PublishedCheckpoint | undefined;
  #turn = 0;
  #asking = false;

  constructor(options: FollowerOptions, modules: FollowerModules) {
    this.#options = options;
    this.#modules = modules;
  }

  /** The vkey of the log line that is passed on; before the first checkpoint that of the first validator. */
  get logKey(): string {
    const [first] = this.#modules.ledger.epoch.validators;
    if (this.#published !== undefined) return formatVkey(this.#published.logKey);
    return first === undefined ? '' : formatVkey(logKeyOf(this.#options.origin, first.log));
  }

  /** Takes up what was published before a restart, so that nothing older replaces it; what is of another epoch is let go. */
  restore(note: string): void {
    try {
      const checkpoint = readPublished(note, this.#options, this.#modules.ledger.epoch);
      if (checkpoint.size <= this.#modules.ledger.finalized.header.logSize) this.#published = checkpoint;
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      this.#modules.log.debug({ code: error.code }, 'the stored checkpoint is none of this epoch');
    }
  }

  /** Called often; asks only when a newer checkpoint can be there. Resolves when nothing is under way. */
  async tick(): Promise<void> {
    if (this.#held !== undefined) this.#adopt(this.#held);
    const { ledger, monotonicMs } = this.#modules;
    const ageMs = monotonicMs() - this.#publishedMs;
    const wanted =
      ledger.finalized.header.logSize > (this.#published?.size ?? 0) || ageMs >= ledger.epoch.consensus.recosignMs;
    if (!wanted || this.#asking || this.#held !== undefined) return;
    this.#asking = true;
    try {
      await this.#ask(ageMs);
    } finally {
      this.#asking = false;
    }
  }

  async #ask(ageMs: number): Promise<void> {
    const { ledger, askable, fetch, log } = this.#modules;
    const validators = askable();
    const validator = validators[this.#turn % Math.max(1, validators.length)];
    if (validator === undefined || ledger.finalized.header.height === 0) return;
    try {
      const bytes = await fetch(validator);
      if (bytes === undefined) throw new WeftError('CHECKPOINT_NOT_YET', 'no checkpoint came');
      const checkpoint = readPublished(decodeUtf8(bytes), this.#options, ledger.epoch);
      const lateMs = lateMax * ledger.epoch.consensus.recosignMs;
      if (this.#isProgress(checkpoint)) this.#adopt(checkpoint);
      else if (ageMs > lateMs || checkpoint.size < (this.#published?.size ?? 0))
        throw new WeftError('CHECKPOINT_STALE', 'the validator publishes nothing newer');
      // One that lets checkpoints grow, but late, would hold us back as well.
      if (this.#modules.wallMs() - checkpoint.timeMs > lateMs)
        throw new WeftError('CHECKPOINT_STALE', 'what the validator publishes is old');
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      this.#turn += 1;
      log.debug({ validator, code: error.code }, 'no checkpoint from this validator');
    }
  }

  /** Another text is no progress: the same may be signed and put together in many ways. A time never goes back. */
  #isProgress({ size, timeMs }: PublishedCheckpoint): boolean {
    const published = this.#published;
    if (published === undefined) return true;
    if (size < published.size || timeMs < published.timeMs) return false;
    return size > published.size || timeMs > published.timeMs;
  }

  #adopt(checkpoint: PublishedCheckpoint): void {
    const { ledger, adopted, log, monotonicMs } = this.#modules;
    const { note, size, root } = checkpoint;
    if (size > ledger.finalized.header.logSize) {
      this.#held = checkpoint;
      return;
    }
    this.#held = undefined;
    if (!this.#isProgress(checkpoint)) return;
    if (toHex(ledger.logRoot(size)) !== root) {
      this.#turn += 1;
      log.error({ size, root, note }, 'a quorum has cosigned another log than the one that was executed here');
      return;
    }
    this.#published = checkpoint;
    this.#publishedMs = monotonicMs();
    adopted(note, size);
  }
}

/**
 * A checkpoint as validators publish it: one log line by a validator of the epoch, then exactly q cosigner lines in policy
 * order, every one of which holds (libsodium's answer: foreign tools use the like).
 * @throws WeftError NOTE_*, CHECKPOINT_INVALID, CHECKPOINT_ORIGIN, CHECKPOINT_UNSIGNED, UTF8_INVALID
 */
export function readPublished(
  text: string,
  { chain, origin }: FollowerOptions,
  { validators, quorum }: Epoch,
): PublishedCheckpoint {
  const note = parseNote(text);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== origin)
    throw new WeftError('CHECKPOINT_ORIGIN', `The checkpoint is of ${checkpoint.origin}, this log is ${origin}.`);
  const [logLine, ...lines] = note.signatures;
  const logKey = validators
    .map(({ log }) => logKeyOf(origin, log))
    .find((key) => logLine !== undefined && verifyLogSignature(note.text, logLine, key, verifyFast));
  if (logKey === undefined) throw unsigned('its first line is by no validator of this epoch');
  if (lines.length !== quorum) throw unsigned(`${lines.length} cosigner lines instead of ${quorum}`);
  const timesS: number[] = [];
  let position = 0;
  for (const line of lines) {
    let timeS: number | undefined;
    for (; position < validators.length && timeS === undefined; position += 1) {
      const validator = validators[position];
      if (validator !== undefined)
        timeS = verifyCosignature(note.text, line, cosignerKeyOf(chain, validator), verifyFast);
    }
    if (timeS === undefined) throw unsigned(`the line of ${line.name} does not hold, or is out of order`);
    timesS.push(timeS);
  }
  const timeMs = checkpointTime(timesS, validators.length);
  return { note: text, size: checkpoint.size, root: toHex(checkpoint.root), timeMs, logKey };
}

function unsigned(why: string): WeftError {
  return new WeftError('CHECKPOINT_UNSIGNED', `Not a published checkpoint: ${why}.`);
}
