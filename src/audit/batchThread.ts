// A thread that checks an audit's batches. Started by LaterVerifier only.
import { workerData } from 'node:worker_threads';
import { startNative } from '../crypto/ed25519.ts';
import { BatchRing } from './batchRing.ts';

const { slots, shared } = workerData as { readonly slots: number; readonly shared: SharedArrayBuffer };
startNative();
new BatchRing(slots, shared).serve();
