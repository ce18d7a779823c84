// The thread that checks signatures off the event loop. Started by VerifyPool only.
import { workerData } from 'node:worker_threads';
import { slowPathCount, startNative } from './ed25519.ts';
import type { BatchMode } from './verifyBatch.ts';
import { serve } from './verifyChannel.ts';
import { verifyPacked } from './verifyJobs.ts';

function verifyBatch(mode: BatchMode, count: number, packed: Uint8Array, verdicts: Uint8Array): number {
  const slowBefore = slowPathCount();
  verifyPacked(packed, count, mode === 'fast' ? 'fast' : 'consensus', mode === 'all', verdicts);
  return slowPathCount() - slowBefore;
}

startNative();
serve(workerData as SharedArrayBuffer, verifyBatch);
