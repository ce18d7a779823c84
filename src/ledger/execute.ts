import type { BlockFacts } from '../../consensus/types.ts';
import { needRuleset, type Ruleset, type RulesetSource } from '../../contracts/rulesets.ts';
import { activeKey, isActive } from '../../contracts/signatures.ts';
import type {
  Answers,
  BlockContext,
  Json,
  LedgerRecord,
  SignatureEntry,
  StateReader,
  Transaction,
} from '../../contracts/types.ts';
import { headBytes } from '../codec/cbor.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { type SigningKey, signingKeyName } from '../crypto/verify.ts';
import { tileHeight } from '../log/tiles.ts';
import type { PolicySetDocument } from '../policy/types.ts';
import { encodeBody, txRootOf } from './body.ts';
import { epochAfter, touchesEpoch } from './epochState.ts';
import { blockIdOfBytes, encodeHeader, type Header, isClosing } from './header.ts';
import { LeafWriter } from './leafWriter.ts';
import { type Leaf, leafOf } from './leaves.ts';
import { type Executed, Layer, type Position } from './overlay.ts';
import { type Decider, policyDecider } from './policyEngines.ts';
import { type PolicyVerdicts, policyVerdicts, SECOND_SET, SetsOfBlock } from './policyVerdicts.ts';
import { StateWrites } from './stateValue.ts';
import type { PreparedTx, TxOutcome } from './types.ts';
import type { Epoch } from './validatorSet.ts';

export type ExecutionContext = { readonly view: number; readonly proposer: number; readonly time: number };
export type ExecutionModules = {
  readonly chain: string;
  readonly genesisHash: string;
  readonly rulesets: RulesetSource;
  /** Default: the policy set that is current in state. */
  readonly decider?: Decider;
  /** Default: those of the process. */
  readonly verdicts?: PolicyVerdicts;
};

/**
 * Executes one block on top of a position: transactions in order, then state, state root, block record, log root (design:
 * "The log"). The same object builds a block and checks one. It changes nothing but itself.
 *
 * What makes the *block* invalid is answered by `refusal` before anything is executed; what the *contract* refuses is
 * executed: a leaf, a `tx.refused` record, and the id is consumed.
 */
export class BlockExecution {
  readonly parent: Position;
  readonly epoch: Epoch;
  readonly #context: ExecutionContext;
  readonly #modules: ExecutionModules;
  readonly rules: Ruleset;
  readonly #block: BlockContext;
  readonly #state: DraftState;
  readonly #sets = new SetsOfBlock();
  /** Undefined where the questions go to somebody who listens. */
  #answers: Answers | undefined;
  readonly #transactions: PreparedTx[] = [];
  readonly #outcomes: TxOutcome[] = [];
  readonly #txIds = new Set<string>();
  readonly #writer = new LeafWriter();
  readonly #leaves: Leaf[] = [];
  readonly #leafHashes: Uint8Array[] = [];
  /** Bytes of the envelopes with the heads of their byte strings. */
  #bytes = 0;

  /** @throws WeftError RULESET_UNKNOWN: this build is too old for the chain and stops here */
  constructor(parent: Position, context: ExecutionContext, modules: ExecutionModules) {
    const epoch = parent.nextEpoch;
    const rules = rulesOn(parent, modules.rulesets);
    this.parent = parent;
    this.epoch = epoch;
    this.#context = context;
    this.#modules = modules;
    this.rules = rules;
    this.#block = {
      chain: modules.chain,
      genesisHash: modules.genesisHash,
      height: parent.header.height + 1,
      time: context.time,
      epoch: epoch.epoch,
      ruleset: epoch.ruleset,
    };
    this.#state = new DraftState(parent.layer);
    this.#answers = modules.decider === undefined ? new Map() : undefined;
  }

  get count(): number {
    return this.#transactions.length;
  }

  /** Of the encoded body. */
  get size(): number {
    return headBytes(this.count) + this.#bytes;
  }

  /** Size of the encoded body with one envelope more. */
  sizeWith(envelope: Uint8Array): number {
    return headBytes(this.count + 1) + this.#bytes + headBytes(envelope.length) + envelope.length;
  }

  /** Undefined when the transaction may stand in this block, else the code for which the block would be invalid. */
  refusal(prepared: PreparedTx): string | undefined {
    const { tx } = prepared;
    if (this.#txIds.has(tx.txId)) return 'TX_DUPLICATE';
    return refusalOn(this.parent, this.#context.time, this.#modules, prepared);
  }

  /** Executes a transaction for which `refusal` answered undefined. */
  add({ tx, keys, ruleset }: PreparedTx): void {
    const { decider = policyDecider } = this.#modules;
    const decide = decider(this.#state, tx, this.#block);
    const check = (document: PolicySetDocument) => this.#verdict(tx, document);
    const applied = this.rules.apply(this.#state, this.#block, tx, decide, check, this.#answers);
    if (applied.changes.size > 0 && this.#answers !== undefined) this.#answers = new Map();
    this.#transactions.push({ tx, keys, ruleset });
    this.#txIds.add(tx.txId);
    this.#bytes += headBytes(tx.envelope.length) + tx.envelope.length;
    const index = this.parent.header.logSize + this.#leaves.length;
    const { bytes, hash } = this.#writer.tx(tx.envelope);
    this.#leaves.push({ bytes, type: 'tx', audience: '' });
    this.#leafHashes.push(hash);
    for (const [i, record] of applied.records.entries()) this.#append(record, applied.texts?.[i]);
    this.#state.writes.add(applied.changes);
    this.#outcomes.push({
      txId: tx.txId,
      index,
      records: applied.records.length,
      ...(applied.refused === undefined ? {} : { refused: applied.refused }),
    });
  }

  #append(record: LedgerRecord, text = JSON.stringify(record)): void {
    const { bytes, hash } = this.#writer.record(text);
    this.#leaves.push(leafOf(record, bytes));
    this.#leafHashes.push(hash);
  }

  #verdict({ account }: Transaction, document: PolicySetDocument): string | undefined {
    if (!this.#sets.take(account, document)) return SECOND_SET;
    return (this.#modules.verdicts ?? policyVerdicts).need(document, this.rules);
  }

  /**
   * The policy set about which Cedar would be asked if this transaction were executed as the first of the block, if any: then its verdict
   * is to be there before (PolicyVerdicts). Executes, and forgets what came of it.
   */
  setOf({ tx }: PreparedTx): PolicySetDocument | undefined {
    if (!bringsSet(tx)) return undefined;
    let found: PolicySetDocument | undefined;
    this.rules.apply(this.parent.layer, this.#block, tx, policyDecider(this.parent.layer), (document) => {
      found = document;
      return SECOND_SET;
    });
    return found;
  }

  /** One set of each account is checked in a block, and this account has had its turn. */
  hasSetOf({ tx }: PreparedTx): boolean {
    return bringsSet(tx) && this.#sets.has(tx.account);
  }

  /**
   * What takes effect at its end, roots, block record, header. `known`: encoding and txRoot of exactly these transactions, for whoever
   * checks a block that has them. Once.
   */
  seal(known?: { readonly body: Uint8Array; readonly txRoot: string }): Executed {
    const { parent, epoch } = this;
    const { height, time } = this.#block;
    const writes = this.#state.writes;
    const changes = writes.values;
    const end = this.rules.endBlock(this.#state, this.#block);
    for (const each of end.records) this.#append(each);
    writes.add(end.changes);
    const tree = parent.tree.update(writes.hashes());
    const stateRoot = toHex(tree.root());
    const nextEpoch = touchesEpoch(changes) ? epochAfter(this.#state, epoch, this.#modules.genesisHash) : epoch;
    const policy = this.#state.get('governance/policy/current') as { version: number; digest: string };
    const record = this.rules.blockRecord({
      height,
      epoch: epoch.epoch,
      time,
      parent: parent.blockId,
      stateRoot,
      ruleset: epoch.ruleset,
      policy: { version: policy.version, digest: policy.digest },
      validators: epoch.digest,
    });
    this.#append(record);
    const leaves = this.#leaves;
    const leafHashes = this.#leafHashes;
    const tileRoots: Uint8Array[] = [];
    const frontier = parent.frontier.appendAll(leafHashes, tileHeight, (root) => tileRoots.push(root));
    const header: Header = {
      ruleset: epoch.ruleset,
      chain: this.#modules.chain,
      epoch: epoch.epoch,
      view: this.#context.view,
      height,
      parent: parent.blockId,
      time,
      proposer: this.#context.proposer,
      txRoot: known?.txRoot ?? txRootOf(this.#transactions.map(({ tx }) => tx.envelopeId)),
      logSize: frontier.size,
      logRoot: toHex(frontier.root()),
      stateRoot,
      validators: epoch.digest,
      nextValidators: nextEpoch.digest,
    };
    const headerBytes = encodeHeader(header);
    const blockId = blockIdOfBytes(headerBytes);
    return {
      blockId,
      header,
      headerBytes,
      body: known?.body ?? encodeBody(this.#transactions.map(({ tx }) => tx.envelope)),
      facts: factsOf(blockId, header, this.count),
      transactions: this.#transactions,
      outcomes: this.#outcomes,
      epoch,
      nextEpoch,
      layer: new Layer(parent.layer.ground, parent.layer, changes, this.#txIds),
      tree,
      frontier,
      writes,
      leaves,
      leafHashes,
      tileRoots,
      firstIndex: parent.header.logSize,
    };
  }
}

/** A proposal of a policy set, by its form alone. */
export function bringsSet({ type, body }: Transaction): boolean {
  return (
    type === 'governance.propose' && (body['change'] as { readonly kind?: unknown } | undefined)?.kind === 'policy'
  );
}

export function factsOf(blockId: string, header: Header, transactions: number): BlockFacts {
  return {
    id: blockId,
    parent: header.parent,
    height: header.height,
    epoch: header.epoch,
    view: header.view,
    proposer: header.proposer,
    time: header.time,
    // Genesis ends epoch 0, but it was never proposed and cannot be proposed again.
    closing: header.height > 0 && isClosing(header),
    empty: transactions === 0,
  };
}

/** Of the block that follows. @throws WeftError RULESET_UNKNOWN */
export function rulesOn(parent: Position, rulesets: RulesetSource): Ruleset {
  return needRuleset(rulesets, parent.nextEpoch.ruleset, `Block ${parent.header.height + 1}`);
}

/**
 * Why a transaction may not stand in a block of `time` on `parent`: TX_CHAIN, TX_EXPIRED (expires ≤ time), TX_NOT_YET_VALID
 * (expires too far ahead: may enter a later block), TX_DUPLICATE, ACCOUNT_INACTIVE or KEY_INACTIVE in the parent's state,
 * TX_UNPREPARED (verified under other keys than the state's), and the codes of decoding for one that was read under another
 * ruleset. Undefined when it may.
 */
export function refusalOn(
  parent: Position,
  time: number,
  { chain, rulesets }: Pick<ExecutionModules, 'chain' | 'rulesets'>,
  { tx, keys, ruleset }: PreparedTx,
): string | undefined {
  if (tx.chain !== chain) return 'TX_CHAIN';
  if (tx.expires <= time) return 'TX_EXPIRED';
  if (tx.expires > time + parent.nextEpoch.consensus.maxTxLifetimeMs) return 'TX_NOT_YET_VALID';
  if (parent.layer.hasTx(tx.txId, tx.expires)) return 'TX_DUPLICATE';
  if (ruleset !== parent.nextEpoch.ruleset) {
    const rules = rulesets(parent.nextEpoch.ruleset);
    const wrong = rules === undefined ? 'RULESET_UNKNOWN' : wrongUnder(rules, tx.envelope, chain);
    if (wrong !== undefined) return wrong;
  }
  for (let i = 0; i < tx.signatures.length; i += 1) {
    const entry = tx.signatures[i];
    if (entry === undefined) continue;
    const key = keyOf(parent.layer, tx.account, entry);
    if (!key.ok) return key.code;
    if (key.name !== keys[i]) return 'TX_UNPREPARED';
  }
  return undefined;
}

/** It waited across an upgrade. What both rulesets accept reads the same under both, so nothing but the answer is new. */
function wrongUnder(rules: Ruleset, envelope: Uint8Array, chain: string): string | undefined {
  try {
    rules.decode(envelope, { chain });
    return undefined;
  } catch (error) {
    if (error instanceof WeftError) return codeOf(error);
    throw error;
  }
}

export type KeyAnswer =
  | { readonly ok: true; readonly name: string; readonly key: SigningKey }
  | { readonly ok: false; readonly code: 'ACCOUNT_INACTIVE' | 'KEY_INACTIVE' };

type KeyLookedUp = { readonly account: string; readonly alg: string; readonly answer: KeyAnswer };

/** Looked up by key id, account and algorithm in the state after one block, which does not change while anything is asked of it. */
const keysByState = new WeakMap<StateReader, Map<string, KeyLookedUp>>();
/** Of one state: others ask for keys that do not exist, too. */
const keysMax = 4096;

/** The key behind a signature entry if account and key are active in `state`, that of a position; `name`: signingKeyName. */
export function keyOf(state: StateReader, account: string, entry: SignatureEntry): KeyAnswer {
  let keys = keysByState.get(state);
  if (keys === undefined) {
    keys = new Map();
    keysByState.set(state, keys);
  }
  // A key id is that of one account, as a rule: asked for in another, it is looked up again.
  const known = keys.get(entry.keyid);
  if (known !== undefined && known.account === account && known.alg === entry.alg) return known.answer;
  const answer = lookUp(state, account, entry);
  if (keys.size >= keysMax) keys.clear();
  keys.set(entry.keyid, { account, alg: entry.alg, answer });
  return answer;
}

function lookUp(state: StateReader, account: string, entry: SignatureEntry): KeyAnswer {
  if (!isActive(state, account)) return { ok: false, code: 'ACCOUNT_INACTIVE' };
  const key = activeKey(state, account, entry.keyid);
  if (key === undefined || key.alg !== entry.alg) return { ok: false, code: 'KEY_INACTIVE' };
  return { ok: true, name: signingKeyName(key), key };
}

/** The parent's state under what this block has changed so far. */
class DraftState implements StateReader {
  readonly #below: StateReader;
  readonly writes = new StateWrites();

  constructor(below: StateReader) {
    this.#below = below;
  }

  get(path: string): Json | undefined {
    const value = this.writes.values.get(path);
    return value === undefined ? this.#below.get(path) : (value ?? undefined);
  }
}
