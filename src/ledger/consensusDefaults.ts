import type { Genesis } from '../../schemas/types/genesis.ts';

/** What a genesis document says of consensus unless its makers say otherwise; each is explained in schemas/genesis.schema.json. */
export const consensusDefaults: Genesis['consensus'] = {
  leaderTimeoutMs: 1000,
  certificationTimeoutMs: 2000,
  retryMs: 2000,
  fetchMs: 1000,
  skipMs: 30_000,
  idleBlockMs: 10_000,
  maxBlockBytes: 1_048_576,
  maxBlockTxs: 4096,
  maxTxLifetimeMs: 300_000,
  cosignEveryBlocks: 1,
  recosignMs: 2000,
  retentionViews: 256,
};
