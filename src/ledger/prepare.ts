export type { PreparedTx, PrepareMode } from './types.ts';
