/**
 * What would have been decided otherwise: every policy question of a chain's past, put to a candidate set as well. The past
 * goes on as it was recorded: each question is asked in the state in which it was asked, and only the set differs. What came
 * of an intent whose proposal would have been decided otherwise is named as depending on it.
 */
import type { BlockContext, Transaction } from '../../contracts/types.ts';
import { PolicyEngines } from '../ledger/policyEngines.ts';
import type { Decision, PolicyRequest, PolicySetDocument } from '../policy/types.ts';
import { type Candidate, cacheEntriesMax, openCandidate } from './candidate.ts';
import type { HistoryEnd, HistoryListener, Progress } from './history.ts';
import { flipOf, type Verdict, verdictOf } from './verdict.ts';

/** Where a question was asked. */
export type Place = {
  readonly height: number;
  /** Of the block, milliseconds UTC. */
  readonly time: number;
  readonly tx: string;
  readonly account: string;
  /** Transaction type. */
  readonly transaction: string;
};

export type Flip = Place & {
  readonly flip: NonNullable<ReturnType<typeof flipOf>>;
  /** Action and resource of the question: `packets.commit`, `Instance "oracle.weave"`. */
  readonly action: string;
  readonly resource: string;
  readonly before: Verdict;
  readonly after: Verdict;
};

/** A transaction that would have had nothing to stand on, or something else. */
export type Dependent = Place & {
  /** The intent whose proposal, or approval, would have been decided otherwise. */
  readonly dependsOn: string;
};

export type TimeMachineOptions = {
  /** Runs the past: `replayArchive` or `replayLog`. */
  readonly history: (listener: HistoryListener) => Promise<HistoryEnd>;
  /** A set that `checkPolicySet` accepts. */
  readonly candidate: PolicySetDocument;
  /** In the order in which the questions were asked. */
  readonly onFlip: (flip: Flip) => void;
  readonly onDependent?: (dependent: Dependent) => void;
  readonly onProgress?: (progress: Progress & { readonly questions: number }) => void;
  /** Seam for tests. Default: threads with engines of their own. */
  readonly open?: (document: PolicySetDocument) => Candidate;
};

export type TimeMachineReport = HistoryEnd & {
  readonly questions: number;
  readonly flips: { readonly [kind in Flip['flip']]: number };
  readonly dependents: number;
};

/** Questions handed to a thread at a time, and such batches that may wait: what bounds the memory. */
const batchMax = 512;
const batchesMax = 32;

type Asked = {
  readonly place: Place;
  /** The intent that the transaction proposes or is about. */
  readonly intent: string | undefined;
  readonly request: PolicyRequest;
  readonly decision: Decision;
};
/** In the order of the past: questions, and what followed an intent. */
type Event = Asked | { readonly place: Place; readonly intent: string; readonly request?: undefined };

/** @throws WeftError what the history throws; POLICY_HOST_FAILED */
export async function runTimeMachine(options: TimeMachineOptions): Promise<TimeMachineReport> {
  const { history, candidate: document, open = openCandidate } = options;
  const candidate = open(document);
  const comparison = new Comparison(options);
  const engines = new PolicyEngines({ cacheEntriesMax });
  const waiting: Promise<void>[] = [];
  let held: Event[] = [];
  let questions = 0;

  async function flush(): Promise<void> {
    const events = held;
    held = [];
    const answers = candidate.decide(events.flatMap((event) => (event.request === undefined ? [] : [event.request])));
    const before = waiting.at(-1) ?? Promise.resolve();
    const compared = before.then(async () => comparison.take(events, await answers));
    // Looked at in its turn.
    answers.catch(() => {});
    compared.catch(() => {});
    waiting.push(compared);
    if (waiting.length > batchesMax) await waiting.shift();
  }

  try {
    const end = await history({
      decider(state, tx, block) {
        const place = placeOf(tx, block);
        const intent = tx.type === 'intents.propose' ? tx.txId : intentOf(tx);
        return (request) => {
          const decision = engines.of(state).decide(request);
          questions += 1;
          held.push({ place, intent, request, decision });
          return decision;
        };
      },
      async afterBlock({ transactions, header }, progress) {
        for (const { tx } of transactions) {
          const intent = intentOf(tx);
          if (intent !== undefined) held.push({ place: placeOf(tx, header), intent });
        }
        if (held.length >= batchMax) await flush();
        options.onProgress?.({ ...progress, questions });
      },
    });
    await flush();
    await Promise.all(waiting);
    return { ...end, questions, ...comparison.counts() };
  } finally {
    await candidate.close();
  }
}

function placeOf(tx: Transaction, { height, time }: Pick<BlockContext, 'height' | 'time'>): Place {
  return { height, time, tx: tx.txId, account: tx.account, transaction: tx.type };
}

/** The intent that a transaction is about, when it does not propose one. */
function intentOf({ type, body }: Transaction): string | undefined {
  if (!type.startsWith('intents.')) return undefined;
  const intent = body['intent'] ?? body['grant'];
  return typeof intent === 'string' ? intent : undefined;
}

/** Of what these decide a grant is made. */
const makesGrants: ReadonlySet<string> = new Set(['intents.propose', 'intents.approve']);
/** Intents of which a decision flipped that are remembered, the newest. */
const flippedMax = 65_536;

class Comparison {
  readonly #options: TimeMachineOptions;
  readonly #flips = { deny: 0, allow: 0, terms: 0 };
  /** Intent → the transaction that would have been decided otherwise. */
  readonly #flipped = new Map<string, string>();
  #dependents = 0;

  constructor(options: TimeMachineOptions) {
    this.#options = options;
  }

  take(events: readonly Event[], answers: readonly Decision[]): void {
    let next = 0;
    for (const event of events) {
      if (event.request === undefined) {
        this.#follow(event.place, event.intent);
        continue;
      }
      const answer = answers[next];
      next += 1;
      if (answer === undefined) throw new TypeError('fewer answers than questions: a defect of the time machine');
      this.#compare(event, answer);
    }
  }

  counts(): Pick<TimeMachineReport, 'flips' | 'dependents'> {
    return { flips: { ...this.#flips }, dependents: this.#dependents };
  }

  #compare({ place, intent, request, decision }: Asked, answer: Decision): void {
    const before = verdictOf(request, decision);
    const after = verdictOf(request, answer);
    const flip = flipOf(before, after);
    if (flip === undefined) return;
    this.#flips[flip] += 1;
    if (intent !== undefined && makesGrants.has(place.transaction)) this.#remember(intent, place.tx);
    const { type, id } = request.resource;
    this.#options.onFlip({ flip, ...place, action: request.action, resource: `${type} "${id}"`, before, after });
  }

  #remember(intent: string, tx: string): void {
    if (!this.#flipped.has(intent)) this.#flipped.set(intent, tx);
    const oldest = this.#flipped.keys().next();
    if (this.#flipped.size > flippedMax && !oldest.done) this.#flipped.delete(oldest.value);
  }

  #follow(place: Place, intent: string): void {
    const flipped = this.#flipped.get(intent);
    if (flipped === undefined || flipped === place.tx) return;
    this.#dependents += 1;
    this.#options.onDependent?.({ ...place, dependsOn: intent });
  }
}
