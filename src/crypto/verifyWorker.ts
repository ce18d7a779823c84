// The thread that checks signatures off the event loop. Started by VerifyPool only.
import { parentPort } from 'node:worker_threads';
import { slowPathCount } from './ed25519.ts';
import { verifySignature } from './verify.ts';
import { type BatchAnswer, unpackBatch } from './verifyBatch.ts';

parentPort?.on('message', (packed: Uint8Array) => {
  const { mode, jobs } = unpackBatch(packed);
  const rule = mode === 'fast' ? 'fast' : 'consensus';
  const slowBefore = slowPathCount();
  const verdicts = new Uint8Array(jobs.length);
  for (const [i, job] of jobs.entries()) {
    verdicts[i] = verifySignature(job, rule) ? 1 : 0;
    if (mode === 'all' && verdicts[i] === 0) break;
  }
  const answer: BatchAnswer = { verdicts, slowPath: slowPathCount() - slowBefore };
  parentPort?.postMessage(answer, [verdicts.buffer]);
});
