// The thread that checks signatures off the event loop. Started by VerifyPool only.
import { workerData } from 'node:worker_threads';
import { slowPathCount } from './ed25519.ts';
import { verifySignature } from './verify.ts';
import { type BatchMode, unpackJobs } from './verifyBatch.ts';
import { serve } from './verifyChannel.ts';

function verifyBatch(mode: BatchMode, count: number, packed: Uint8Array, verdicts: Uint8Array): number {
  const rule = mode === 'fast' ? 'fast' : 'consensus';
  const slowBefore = slowPathCount();
  const jobs = unpackJobs(packed, count);
  for (let i = 0; i < jobs.length; i += 1) {
    const job = jobs[i];
    const holds = job !== undefined && verifySignature(job, rule);
    if (holds) verdicts[i] = 1;
    else if (mode === 'all') break;
  }
  return slowPathCount() - slowBefore;
}

serve(workerData as SharedArrayBuffer, verifyBatch);
