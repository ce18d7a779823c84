import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Signed } from './submitter.ts';

/** Half of `task` each to two threads of this program, which answer with what they have signed before the clock starts. */
export async function inTwoThreads<Task extends { readonly count: number }>(
  program: URL,
  task: Task,
): Promise<Signed[]> {
  const half = Math.ceil(task.count / 2);
  const parts = await Promise.all(
    [half, task.count - half].map(async (count) => {
      const worker = new Worker(program, { workerData: { ...task, count } });
      const [signed] = (await once(worker, 'message')) as [Signed[]];
      await worker.terminate();
      return signed;
    }),
  );
  return parts.flat();
}
