import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { SubscriberTask } from './subscriberThread.ts';

/** Clients that only listen. */
export type Subscribers = {
  /** Messages that arrived at them so far, all together. */
  heard(): Promise<number>;
  /** How many the nodes have closed. */
  closed(): number;
  close(): Promise<void>;
};

/** `rpc`: of the validators, among which they are shared out. */
export async function openSubscribers(rpc: readonly string[], count: number): Promise<Subscribers> {
  const workerData: SubscriberTask = { urls: rpc.map((url) => `${url.replace(/^http/, 'ws')}/ws`), count };
  const worker = new Worker(new URL('./subscriberThread.ts', import.meta.url), { workerData });
  let closed = 0;
  const opened = once(worker, 'message');
  worker.on('message', (message: { closed?: boolean }) => {
    if (message.closed === true) closed += 1;
  });
  await opened;
  return {
    async heard() {
      worker.postMessage('heard?');
      for (;;) {
        const [message] = (await once(worker, 'message')) as [{ heard?: number }];
        if (message.heard !== undefined) return message.heard;
      }
    },
    closed: () => closed,
    async close() {
      await worker.terminate();
    },
  };
}
