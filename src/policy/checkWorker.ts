/** The throwaway thread of `checkPolicySet`: one document in, one answer out. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CheckAnswer, type CheckJob, checkPolicySetHere } from './check.ts';

if (parentPort !== null) {
  const { document, questions, waiting } = workerData as CheckJob;
  const answer = answerOf(() => checkPolicySetHere(document, questions));
  if (waiting === undefined) parentPort.postMessage(answer);
  else {
    waiting.port.postMessage(answer);
    Atomics.store(waiting.flag, 0, 1);
    Atomics.notify(waiting.flag, 0);
  }
}

function answerOf(check: () => ReturnType<typeof checkPolicySetHere>): CheckAnswer {
  try {
    return { verdict: check() };
  } catch (error) {
    return { failed: String(error) };
  }
}
