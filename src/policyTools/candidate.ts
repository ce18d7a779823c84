import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { WeftError } from '../codec/error.ts';
import { createPolicyEngine } from '../policy/engine.ts';
import type { Decision, PolicyRequest, PolicySetDocument } from '../policy/types.ts';

/** Who answers for the policy set that is looked at. */
export type Candidate = {
  /** The decisions, in the order of the questions. @throws WeftError POLICY_HOST_FAILED, POLICY_REQUEST_INVALID */
  decide(questions: readonly PolicyRequest[]): Promise<readonly Decision[]>;
  close(): Promise<void>;
};

/** One piece of work. Questions as JSON: cheaper to hand over than objects. */
export type CandidateTask = { readonly id: number; readonly questions: readonly string[] };

export type CandidateAnswer = {
  readonly id: number;
  /** For each question the number of its decision, counted over all answers of this worker. */
  readonly chosen: readonly number[];
  /** Those that were never sent before, in the order of their numbers. */
  readonly decisions: readonly Decision[];
};

type Reply = CandidateAnswer | { readonly id: number; readonly failed: { code: string; message: string } };

/** Decisions that each engine remembers: about 40 MiB, and years of a network that does the same every day. */
export const cacheEntriesMax = 65_536;

/** More would wait for the replay, which is one thread. */
const workersMax = 4;

/** Each in a thread of its own, so that the past is run on one core while the candidate decides on the others. */
export function openCandidate(
  document: PolicySetDocument,
  workers: number = Math.min(workersMax, Math.max(1, availableParallelism() - 1)),
): Candidate {
  const threads = Array.from({ length: workers }, () => new CandidateThread(document));
  let next = 0;
  return {
    decide(questions) {
      const thread = threads[next % threads.length];
      next += 1;
      if (thread === undefined) throw new TypeError('no thread: a candidate needs one at least');
      return thread.decide(questions);
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

/** On the calling thread, each question put to Cedar anew: slow, and what the other is compared with. */
export function bruteForceCandidate(document: PolicySetDocument): Candidate {
  const engine = createPolicyEngine(document, { cacheEntriesMax: 0 });
  return { decide: async (questions) => questions.map((question) => engine.decide(question)), close: async () => {} };
}

type Waiting = { readonly resolve: (decisions: readonly Decision[]) => void; readonly reject: (error: Error) => void };

class CandidateThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #decisions: Decision[] = [];
  #id = 0;
  #failure: Error | undefined;

  constructor(document: PolicySetDocument) {
    const file = import.meta.url.endsWith('.ts') ? './candidateWorker.ts' : './candidateWorker.js';
    this.#worker = new Worker(new URL(file, import.meta.url), { workerData: document, execArgv: [] });
    this.#worker.on('message', (reply: Reply) => this.#take(reply));
    this.#worker.once('error', (error) => this.#fail(String(error)));
    this.#worker.once('exit', () => this.#fail('its thread ended'));
  }

  decide(questions: readonly PolicyRequest[]): Promise<readonly Decision[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#id;
    this.#id += 1;
    const task: CandidateTask = { id, questions: questions.map((question) => JSON.stringify(question)) };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage(task);
    });
  }

  async close(): Promise<void> {
    this.#failure ??= new WeftError('POLICY_HOST_FAILED', 'The candidate was closed.');
    await this.#worker.terminate();
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('failed' in reply) {
      waiting?.reject(new WeftError(reply.failed.code, reply.failed.message));
      return;
    }
    this.#decisions.push(...reply.decisions);
    waiting?.resolve(reply.chosen.map((number) => this.#decision(number)));
  }

  #decision(number: number): Decision {
    const decision = this.#decisions[number];
    if (decision === undefined) throw new TypeError(`no decision ${number}: the worker counts otherwise`);
    return decision;
  }

  #fail(why: string): void {
    this.#failure ??= new WeftError(
      'POLICY_HOST_FAILED',
      `The candidate could not decide (${why.slice(0, 200)}): give the process more memory and try again.`,
    );
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
