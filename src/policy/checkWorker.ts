/** The throwaway thread of `checkPolicySet`: one document in, one answer out. */
import { parentPort, workerData } from 'node:worker_threads';
import { checkPolicySetHere } from './check.ts';
import type { PolicySetDocument } from './types.ts';

if (parentPort !== null) {
  try {
    parentPort.postMessage({ verdict: checkPolicySetHere(workerData as PolicySetDocument) });
  } catch (error) {
    parentPort.postMessage({ failed: String(error) });
  }
}
