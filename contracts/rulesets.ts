// Every ruleset that was ever in force, by its number: audit replays each block under its own, so none is ever removed.
import { WeftError } from '../src/codec/error.ts';
import { POLICY_ENGINE_ID, type PolicyEngineId } from '../src/policy/engineId.ts';
import type { SampleQuestion } from '../src/policy/types.ts';
import { applyTransaction } from './apply.ts';
import { type BlockRecordParts, blockRecord } from './blockRecord.ts';
import { endBlock } from './endBlock.ts';
import { type GenesisResult, openGenesis } from './genesis.ts';
import { LIMITS, type Limits } from './limits.ts';
import { contracts } from './list.ts';
import { policyQuestions } from './policyQuestions.ts';
import { bodyOf, type DecodeOptions, decodeTransaction, type TransactionForm } from './transaction.ts';
import type {
  Answers,
  Applied,
  BlockContext,
  CheckPolicySet,
  Decide,
  Json,
  LedgerRecord,
  StateReader,
  Transaction,
} from './types.ts';

export type { BlockRecordParts, GenesisResult };

export type Ruleset = {
  readonly version: number;
  readonly limits: Limits;
  /** The Cedar that decides under this ruleset. */
  readonly policyEngine: PolicyEngineId;
  /** What it asks of policy: a set that is to decide under it is tried by these. */
  readonly policyQuestions: readonly SampleQuestion[];
  /** Transaction types that exist under this ruleset, sorted. */
  readonly transactionTypes: readonly string[];
  /**
   * Reads an envelope's exact bytes as this ruleset does: its limits, its types, their forms.
   * @throws WeftError as `decodeTransaction` (transaction.ts)
   */
  decode(envelope: Uint8Array, options?: DecodeOptions): Transaction;
  /**
   * Executes one transaction whose signatures verified. Synchronous, deterministic, never throws by itself; what `decide`
   * and `check` throw (a host error, never a verdict) passes through.
   */
  apply(
    state: StateReader,
    block: BlockContext,
    tx: Transaction,
    decide: Decide,
    check: CheckPolicySet,
    answers?: Answers,
  ): Applied;
  /**
   * After the last transaction of a block, before its state root: changes that are due take effect. Its records stand before the
   * block record. A block whose set, parameters or ruleset this changes is closing (W10). As pure as `apply`.
   */
  endBlock(state: StateReader, block: BlockContext): Applied;
  /** State and leaf 0 of a network. @throws WeftError `GENESIS_INVALID`, `GENESIS_TOO_LARGE` */
  genesis(document: Json, genesisHash: string, chain: string): GenesisResult;
  /** The last record of each block. */
  blockRecord(parts: BlockRecordParts): LedgerRecord;
};

const types1 = contracts.flatMap(({ rules }) => rules.map(({ type }) => type)).sort();
const bodies1 = new Map(types1.map((type) => [type, bodyOf(type)]));
/** A schema that a later ruleset adds is none of this one's. */
const form1: TransactionForm = {
  limits: LIMITS,
  bodyOf: (type) => bodies1.get(type),
};

const ruleset1: Ruleset = {
  version: 1,
  limits: LIMITS,
  policyEngine: POLICY_ENGINE_ID,
  policyQuestions,
  transactionTypes: types1,
  decode: (envelope, { chain, envelopeId } = {}) => decodeTransaction(envelope, { form: form1, chain, envelopeId }),
  apply: (state, block, tx, decide, check, answers) =>
    applyTransaction(contracts, LIMITS, state, block, tx, decide, check, answers),
  endBlock: (state, block) => endBlock(contracts, state, block),
  genesis: (document, genesisHash, chain) =>
    openGenesis(document, { ruleset: 1, engine: POLICY_ENGINE_ID, genesisHash, chain }),
  blockRecord,
};

const rulesets: ReadonlyMap<number, Ruleset> = new Map([[ruleset1.version, ruleset1]]);

/** Where rulesets are looked up: `ruleset`, or what a test puts in its place. */
export type RulesetSource = (version: number) => Ruleset | undefined;

/** The ruleset of a number, or undefined: then this build cannot execute blocks of it, and says so. */
export function ruleset(version: number): Ruleset | undefined {
  return rulesets.get(version);
}

/** @throws WeftError RULESET_UNKNOWN: this build is too old for the chain and stops here */
export function needRuleset(rulesets: RulesetSource, version: number, what: string): Ruleset {
  const found = rulesets(version);
  if (found !== undefined) return found;
  throw new WeftError(
    'RULESET_UNKNOWN',
    `${what} is under ruleset ${version}, which this build does not have: install a Weft that has ruleset ${version} and start it again.`,
    { ruleset: version },
  );
}
