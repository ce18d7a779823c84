import { WeftError } from '../codec/error.ts';
import type { Admission, Admitted } from './admission.ts';

/**
 * What own clients send, on its way to admission: in the order in which it came, gathered to one batch for each turn of the event loop (one
 * message to the verifying thread and one write of answers instead of many), and small enough that the votes of the others, which
 * are read between two turns, never wait behind a flood.
 */
export type SubmissionsModules = {
  readonly admission: Pick<Admission, 'submitAll'>;
};

/** Of one turn: one to two milliseconds of decoding. */
const perTurn = 32;
/** That wait for their turn; more are refused. */
const waitingMax = 4096;

type Waiting = {
  readonly envelope: Uint8Array;
  readonly tell: (admitted: Admitted) => void;
  readonly reject: (error: unknown) => void;
};

export class Submissions {
  readonly #modules: SubmissionsModules;
  #waiting: Waiting[] = [];
  /** How many of them have had their turn. */
  #done = 0;
  #scheduled = false;

  constructor(modules: SubmissionsModules) {
    this.#modules = modules;
  }

  get waiting(): number {
    return this.#waiting.length - this.#done;
  }

  /** What `answerOf` says of what became of it. Rejects with RPC_BUSY, or as `Admission.submit` */
  submit<Result>(envelope: Uint8Array, answerOf: (admitted: Admitted) => Result): Promise<Result> {
    if (this.waiting >= waitingMax) {
      const error = new WeftError(
        'RPC_BUSY',
        'too many transactions wait for this node to look at them; try again shortly',
        {
          retryAfterMs: 1000,
        },
      );
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ envelope, tell: (admitted) => resolve(answerOf(admitted)), reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(this.#turn);
    });
  }

  readonly #turn = (): void => {
    const batch = this.#waiting.slice(this.#done, this.#done + perTurn);
    this.#done += batch.length;
    this.#scheduled = this.#done < this.#waiting.length;
    if (this.#scheduled) setImmediate(this.#turn);
    // Else a queue that is never empty would keep everything that ever stood in it.
    if (!this.#scheduled || this.#done >= waitingMax) {
      this.#waiting = this.#waiting.slice(this.#done);
      this.#done = 0;
    }
    try {
      const answers = this.#modules.admission.submitAll(batch.map(envelopeOf));
      if (answers instanceof Promise) {
        answers.then(
          (each) => tellAll(batch, each),
          (error: unknown) => refuse(batch, error),
        );
      } else tellAll(batch, answers);
    } catch (error) {
      refuse(batch, error);
    }
  };
}

function envelopeOf({ envelope }: Waiting): Uint8Array {
  return envelope;
}

function tellAll(batch: readonly Waiting[], answers: readonly (Admitted | WeftError)[]): void {
  for (let i = 0; i < batch.length; i += 1) {
    const waiting = batch[i];
    const answer = answers[i];
    if (answer === undefined || answer instanceof WeftError) {
      waiting?.reject(answer ?? new WeftError('INTERNAL', 'a submission without an answer'));
      continue;
    }
    try {
      waiting?.tell(answer);
    } catch (error) {
      waiting?.reject(error);
    }
  }
}

function refuse(batch: readonly Waiting[], error: unknown): void {
  for (const { reject } of batch) reject(error);
}
