// Every ruleset that was ever in force, by its number: audit replays each block under its own, so none is ever removed.
import { POLICY_ENGINE_ID, type PolicyEngineId } from '../src/policy/engineId.ts';
import { applyTransaction } from './apply.ts';
import { type BlockRecordParts, blockRecord } from './blockRecord.ts';
import { type GenesisResult, openGenesis } from './genesis.ts';
import { LIMITS, type Limits } from './limits.ts';
import { contracts } from './list.ts';
import type { Applied, BlockContext, Decide, Json, LedgerRecord, StateReader, Transaction } from './types.ts';

export type { BlockRecordParts, GenesisResult };

export type Ruleset = {
  readonly version: number;
  readonly limits: Limits;
  /** The Cedar that decides under this ruleset. */
  readonly policyEngine: PolicyEngineId;
  /** Transaction types that exist under this ruleset, sorted. */
  readonly transactionTypes: readonly string[];
  /**
   * Executes one transaction whose signatures verified. Synchronous, deterministic, never throws by itself; what `decide`
   * throws (a host error, never a deny) passes through.
   */
  apply(state: StateReader, block: BlockContext, tx: Transaction, decide: Decide): Applied;
  /** State and leaf 0 of a network. @throws WeftError `GENESIS_INVALID`, `GENESIS_TOO_LARGE` */
  genesis(document: Json, genesisHash: string, chain: string): GenesisResult;
  /** The last record of each block. */
  blockRecord(parts: BlockRecordParts): LedgerRecord;
};

const ruleset1: Ruleset = {
  version: 1,
  limits: LIMITS,
  policyEngine: POLICY_ENGINE_ID,
  transactionTypes: contracts.flatMap(({ rules }) => rules.map(({ type }) => type)).sort(),
  apply: (state, block, tx, decide) => applyTransaction(contracts, LIMITS, state, block, tx, decide),
  genesis: (document, genesisHash, chain) =>
    openGenesis(document, { ruleset: 1, engine: POLICY_ENGINE_ID, genesisHash, chain }),
  blockRecord,
};

const rulesets: ReadonlyMap<number, Ruleset> = new Map([[ruleset1.version, ruleset1]]);

/** The ruleset of a number, or undefined: then this build cannot execute blocks of it, and says so. */
export function ruleset(version: number): Ruleset | undefined {
  return rulesets.get(version);
}
