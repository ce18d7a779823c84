import { parentPort, workerData } from 'node:worker_threads';
import { codeOf } from '../codec/error.ts';
import { createPolicyEngine } from '../policy/engine.ts';
import type { Decision, PolicyRequest, PolicySetDocument } from '../policy/types.ts';
import { type CandidateAnswer, type CandidateTask, cacheEntriesMax } from './candidate.ts';

const engine = createPolicyEngine(workerData as PolicySetDocument, { cacheEntriesMax });
/** Decisions are few and questions many: each is sent once, and then named by its number. */
const numbers = new Map<string, number>();

function answer({ id, questions }: CandidateTask): CandidateAnswer {
  const decisions: Decision[] = [];
  const chosen = questions.map((question) => {
    const decision = engine.decide(JSON.parse(question) as PolicyRequest);
    const text = JSON.stringify([decision.decision, decision.reasons, decision.errors]);
    let number = numbers.get(text);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(text, number);
      decisions.push(decision);
    }
    return number;
  });
  return { id, chosen, decisions };
}

parentPort?.on('message', (task: CandidateTask) => {
  try {
    parentPort?.postMessage(answer(task));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    parentPort?.postMessage({ id: task.id, failed: { code: codeOf(error), message } });
  }
});
