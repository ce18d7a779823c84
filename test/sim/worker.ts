// One worker process of `npm run sim`: batches come by message, summaries go back.
import { type Batch, runBatch } from './batch.ts';

process.on('message', (batch: Batch) => {
  process.send?.(runBatch(batch));
});
process.on('disconnect', () => process.exit(0));
