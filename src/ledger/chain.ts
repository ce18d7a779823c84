import { type RulesetSource, ruleset } from '../../contracts/rulesets.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { envelopeIdOf } from '../crypto/digests.ts';
import { checkBodySize, decodeBody, txRootOf } from './body.ts';
import {
  BlockExecution,
  bringsSet,
  type ExecutionContext,
  type ExecutionModules,
  refusalOn,
  rulesOn,
} from './execute.ts';
import type { Genesis } from './genesis.ts';
import { blockIdOf, blockIdOfBytes, decodeHeader, encodeHeader, type Header } from './header.ts';
import type { Executed, Position } from './overlay.ts';
import { type Decider, policyEngineOf } from './policyEngines.ts';
import { type PolicyVerdicts, policyVerdicts, SetsOfBlock } from './policyVerdicts.ts';
import { Preparer } from './prepare.ts';
import { RecentStates } from './recentStates.ts';
import type { BlockBuilder, BuildContext, Checked, PreparedTx, PrepareMode, SignatureVerifier } from './types.ts';
import { leaderOf } from './validatorSet.ts';

export type ChainOptions = {
  readonly genesis: Genesis;
  readonly verifier: SignatureVerifier;
  /** Where it begins: the finalized tip. */
  readonly tip: Position;
  /** Default: those of this build. */
  readonly rulesets?: RulesetSource;
  /** For whoever replays: sees or gives the answer to each policy question. Default: the policy set that is current in state. */
  readonly decider?: Decider;
  /** Envelopes whose reading is remembered (PreparerOptions). Whoever replays sees each one once. */
  readonly remembered?: number;
  /** What is known of policy sets. Default: what the process knows. */
  readonly verdicts?: PolicyVerdicts;
};

/**
 * The tree of unfinalized blocks over the finalized tip, in memory: what blocks are built on, checked against and executed in.
 * It knows no disk; the ledger and the audit stand on it.
 */
export class Chain {
  readonly #genesis: Genesis;
  readonly #preparer: Preparer;
  readonly #modules: ExecutionModules;
  readonly #verdicts: PolicyVerdicts;
  readonly #executed = new Map<string, Executed>();
  readonly #checks = new Map<string, Promise<Checked>>();
  /** Of the newest finalized blocks. */
  readonly states: RecentStates;
  #tip: Position;

  constructor({
    genesis,
    verifier,
    tip,
    rulesets = ruleset,
    decider,
    remembered,
    verdicts = policyVerdicts,
  }: ChainOptions) {
    this.#genesis = genesis;
    this.#tip = tip;
    this.states = new RecentStates(tip.layer.ground.state, tip);
    this.#preparer = new Preparer({
      chain: genesis.chain,
      verifier,
      ...(remembered === undefined ? {} : { entriesMax: remembered }),
    });
    const { chain, genesisHash } = genesis;
    this.#modules = { chain, genesisHash, rulesets, verdicts, ...(decider === undefined ? {} : { decider }) };
    this.#verdicts = verdicts;
    // A policy set that Cedar does not load must stop the node here, and not at the first transaction.
    policyEngineOf(tip.layer);
  }

  get tip(): Position {
    return this.#tip;
  }

  /** What can be built on. */
  position(blockId: string): Position | undefined {
    return blockId === this.#tip.blockId ? this.#tip : this.#executed.get(blockId);
  }

  /** Unfinalized. */
  executed(blockId: string): Executed | undefined {
    return this.#executed.get(blockId);
  }

  /** Bytes of the bodies from behind the tip up to this block: what one finalization of it would bring at once. */
  bytesUpTo(blockId: string): number {
    let bytes = 0;
    for (let block = this.#executed.get(blockId); block !== undefined; block = this.#executed.get(block.header.parent))
      bytes += block.body.length;
    return bytes;
  }

  /** @throws WeftError PARENT_UNKNOWN, RULESET_UNKNOWN */
  async prepare(
    envelopes: readonly Uint8Array[],
    mode: PrepareMode,
    parent: string,
    ids?: readonly string[],
  ): Promise<(PreparedTx | WeftError)[]> {
    if (mode === 'admission') return this.admit(envelopes, parent, ids);
    const position = this.#require(parent);
    const prepared = await this.#preparer.require(
      envelopes,
      position.layer,
      rulesOn(position, this.#modules.rulesets),
      ids,
    );
    await this.#learn(new BlockExecution(position, nextTo(position), this.#modules), prepared);
    return prepared;
  }

  /** As `prepare` of mode `admission`; at once, where it can be. @throws WeftError as it */
  admit(
    envelopes: readonly Uint8Array[],
    parent: string,
    ids?: readonly string[],
  ): (PreparedTx | WeftError)[] | Promise<(PreparedTx | WeftError)[]> {
    const position = this.#require(parent);
    const answers = this.#preparer.admit(envelopes, position.layer, rulesOn(position, this.#modules.rulesets), ids);
    if (answers instanceof Promise) return answers.then((each) => this.#learnAhead(position, each));
    return this.#learnAhead(position, answers);
  }

  /**
   * What Cedar says of the policy sets that a block brings, found out in throwaway threads before it is executed.
   * @throws WeftError (rejects) POLICY_HOST_FAILED
   */
  async #learn(execution: BlockExecution, prepared: readonly PreparedTx[]): Promise<void> {
    const { parent, rules } = execution;
    const sets = new SetsOfBlock();
    for (const each of prepared) {
      if (this.position(parent.blockId) !== parent) return;
      const document = execution.setOf(each);
      if (document !== undefined && sets.take(each.tx.account, document)) await this.#verdicts.learn(document, rules);
    }
  }

  /** A proposal of a policy set: Cedar begins to look at it while the transaction still waits for its block. */
  #learnAhead(parent: Position, answers: (PreparedTx | WeftError)[]): (PreparedTx | WeftError)[] {
    for (const prepared of answers) {
      if (prepared instanceof WeftError || !bringsSet(prepared.tx) || this.position(parent.blockId) !== parent)
        continue;
      const execution = new BlockExecution(parent, nextTo(parent), this.#modules);
      const document = execution.setOf(prepared);
      if (document !== undefined) this.#verdicts.learnAhead(document, execution.rules, prepared.tx.account);
    }
    return answers;
  }

  admissible(prepared: PreparedTx, time: number, parent: string): string | undefined {
    return refusalOn(this.#require(parent), time, this.#modules, prepared);
  }

  /** @throws WeftError PARENT_UNKNOWN, EPOCH_MISMATCH, RULESET_UNKNOWN */
  startBlock(parentId: string, context: BuildContext): BlockBuilder {
    const parent = this.#require(parentId);
    if (parent.nextEpoch.epoch !== context.epoch) {
      throw new WeftError(
        'EPOCH_MISMATCH',
        `Blocks on ${parentId} belong to epoch ${parent.nextEpoch.epoch}, not ${context.epoch}.`,
      );
    }
    const time = Math.max(context.time, parent.header.time + 1);
    const execution = new BlockExecution(parent, { ...context, time }, this.#modules);
    const { maxBlockBytes, maxBlockTxs } = execution.epoch.consensus;
    let sealed: Executed | undefined;
    const gone = (): boolean => this.position(parentId) !== parent;
    return {
      parent: parentId,
      time,
      get size() {
        return execution.size;
      },
      get count() {
        return execution.count;
      },
      tryAdd: (prepared) => {
        if (sealed !== undefined || gone()) return 'PARENT_GONE';
        if (execution.count >= maxBlockTxs || execution.sizeWith(prepared.tx.envelope) > maxBlockBytes) return 'full';
        const refusal = execution.refusal(prepared);
        if (refusal !== undefined) return refusal;
        if (execution.hasSetOf(prepared)) return 'TX_UNPREPARED';
        const document = execution.setOf(prepared);
        if (document !== undefined && !this.#verdicts.has(document, execution.rules)) {
          this.#verdicts.learnAhead(document, execution.rules, prepared.tx.account);
          return 'TX_UNPREPARED';
        }
        execution.add(prepared);
        return 'added';
      },
      seal: () => {
        if (sealed !== undefined) return sealed;
        if (gone()) {
          throw new WeftError(
            'PARENT_GONE',
            'The parent of this block was finalized past or dropped while it was built: build again.',
          );
        }
        sealed = execution.seal();
        this.#executed.set(sealed.blockId, sealed);
        return sealed;
      },
    };
  }

  /**
   * All of W4 except the clock. Rejects only with what says nothing about the block: VERIFY_* (the verifier is full or died),
   * POLICY_HOST_FAILED, RULESET_UNKNOWN.
   */
  check(header: Uint8Array | Header, body: Uint8Array): Promise<Checked> {
    let headerBytes: Uint8Array;
    let decoded: Header;
    try {
      headerBytes = header instanceof Uint8Array ? header : encodeHeader(header);
      decoded = header instanceof Uint8Array ? decodeHeader(header) : header;
    } catch (error) {
      return Promise.resolve(invalid(error));
    }
    const blockId = blockIdOfBytes(headerBytes);
    const known = this.#executed.get(blockId);
    if (known !== undefined) return Promise.resolve({ verdict: 'valid', block: known });
    const running = this.#checks.get(blockId);
    if (running !== undefined) return running;
    const envelopes = envelopesOf(decoded, body);
    if (envelopes instanceof WeftError) {
      return Promise.resolve({ verdict: 'wrong-body', code: envelopes.code, message: envelopes.message });
    }
    const check = this.#check(blockId, decoded, body, envelopes.list, envelopes.ids).finally(() =>
      this.#checks.delete(blockId),
    );
    this.#checks.set(blockId, check);
    return check;
  }

  async #check(
    blockId: string,
    header: Header,
    body: Uint8Array,
    envelopes: readonly Uint8Array[],
    ids: readonly string[],
  ): Promise<Checked> {
    const parent = this.position(header.parent);
    if (parent === undefined) return { verdict: 'missing-parent' };
    let prepared: readonly PreparedTx[];
    try {
      this.#checkHeader(header, parent);
      checkBodySize(body.length, envelopes.length, parent.nextEpoch.consensus);
      prepared = await this.#preparer.require(envelopes, parent.layer, rulesOn(parent, this.#modules.rulesets), ids);
    } catch (error) {
      if (!isVerdict(error)) throw error;
      // Keys were looked up while something else became final: what was found says nothing about this block.
      if (this.position(header.parent) !== parent) return { verdict: 'missing-parent' };
      return invalid(error);
    }
    // Something may have been finalized while signatures were checked.
    if (this.position(header.parent) !== parent) return { verdict: 'missing-parent' };
    const execution = new BlockExecution(parent, header, this.#modules);
    await this.#learn(execution, prepared);
    if (this.position(header.parent) !== parent) return { verdict: 'missing-parent' };
    // From here on nothing waits. What execution throws is trouble of this machine or a defect, and no verdict on the block.
    for (const each of prepared) {
      const refusal = execution.refusal(each);
      if (refusal !== undefined) {
        const message = `Transaction ${each.tx.txId} may not stand in this block: ${refusal}.`;
        return { verdict: 'invalid', code: refusal, message };
      }
      execution.add(each);
    }
    // The body is the one that the header names: that was the first question (envelopesOf).
    const block = execution.seal({ body, txRoot: header.txRoot });
    if (block.blockId !== blockId) return mismatch(header, block.header);
    this.#executed.set(blockId, block);
    return { verdict: 'valid', block };
  }

  /** What a header says about itself and its parent (W9, W10). @throws WeftError HEADER_* */
  #checkHeader(header: Header, parent: Position): void {
    const epoch = parent.nextEpoch;
    if (header.chain !== this.#genesis.chain)
      throw new WeftError('HEADER_CHAIN', `The block is of chain ${header.chain}.`);
    if (header.height !== parent.header.height + 1)
      throw new WeftError('HEADER_HEIGHT', `Height ${header.height} does not follow ${parent.header.height}.`);
    if (header.time <= parent.header.time)
      throw new WeftError('HEADER_TIME', 'The block is not later than its parent.');
    if (header.epoch !== epoch.epoch || header.ruleset !== epoch.ruleset || header.validators !== epoch.digest) {
      throw new WeftError(
        'HEADER_EPOCH',
        `The block does not name epoch ${epoch.epoch}, ruleset ${epoch.ruleset} and their digest.`,
      );
    }
    if (header.epoch === parent.header.epoch && header.view <= parent.header.view) {
      throw new WeftError('HEADER_VIEW', `View ${header.view} is not above the parent's.`);
    }
    if (header.proposer !== leaderOf(epoch, header.view)) {
      throw new WeftError('HEADER_PROPOSER', `Validator ${header.proposer} does not lead view ${header.view}.`);
    }
  }

  /**
   * The unfinalized blocks from behind the tip up to this one, ascending; empty for the tip itself.
   * @throws WeftError BLOCK_UNKNOWN
   */
  pathTo(blockId: string): Executed[] {
    const path: Executed[] = [];
    for (let id = blockId; id !== this.#tip.blockId; ) {
      const block = this.#executed.get(id);
      if (block === undefined)
        throw new WeftError('BLOCK_UNKNOWN', `Block ${id} is not executed here on top of the finalized chain.`);
      path.push(block);
      id = block.header.parent;
    }
    return path.reverse();
  }

  /** The next blocks are final, each the child of the one before. */
  settle(...blocks: readonly Executed[]): void {
    const last = blocks.at(-1);
    if (last !== undefined) this.settleSlice(blocks, last.blockId, new Set(blocks.map(({ blockId }) => blockId)));
  }

  /**
   * The same in pieces: the next blocks of `path`, which ends with `last`, sink into the ground. What does not lead to `last` nor
   * descends from it goes first, in the same breath, for it would read a ground that is no longer its own; so whatever is executed
   * between two pieces does no harm.
   */
  settleSlice(blocks: readonly Executed[], last: string, path: ReadonlySet<string>): void {
    const kept = new Set([last]);
    const others = [...this.#executed.values()].filter(({ blockId }) => !path.has(blockId));
    for (const each of others.sort((a, b) => a.header.height - b.header.height)) {
      if (kept.has(each.header.parent)) kept.add(each.blockId);
      else this.#executed.delete(each.blockId);
    }
    for (const block of blocks) {
      this.states.add(block);
      block.layer.ground.state.apply(block.writes.values);
      block.layer.ground.height = block.header.height;
      this.#rememberUsed(block);
      block.layer.settle();
      this.#preparer.finalized(block.transactions, block.epoch.ruleset);
      this.#tip = positionOf(block);
      this.#executed.delete(block.blockId);
    }
  }

  #rememberUsed({ layer, header, transactions }: Executed): void {
    const { used } = layer.ground;
    if (used === undefined) return;
    for (const { tx } of transactions) used.add(tx.txId, tx.expires);
    used.passed(header.time);
  }

  #require(blockId: string): Position {
    const position = this.position(blockId);
    if (position === undefined)
      throw new WeftError('PARENT_UNKNOWN', `Block ${blockId} is neither the finalized tip nor executed on top of it.`);
    return position;
  }
}

/** Far above every parameter: what is larger is nobody's body. */
const looseLimits = { maxBlockBytes: 64 * 1024 * 1024, maxBlockTxs: 65_535 };

/** The envelopes, if this body is the one that the header names. A body has one encoding, so its ids decide. */
function envelopesOf(
  header: Header,
  body: Uint8Array,
): { readonly list: readonly Uint8Array[]; readonly ids: readonly string[] } | WeftError {
  try {
    const list = decodeBody(body, looseLimits, true);
    const ids = list.map(envelopeIdOf);
    if (txRootOf(ids) === header.txRoot) return { list, ids };
    return new WeftError('TX_ROOT_MISMATCH', 'The body is not the one that the header names: ask another peer.');
  } catch (error) {
    if (error instanceof WeftError) return error;
    throw error;
  }
}

/** A moment after its parent, by whomever. */
function nextTo({ header }: Position): ExecutionContext {
  return { view: header.view + 1, proposer: 0, time: header.time + 1 };
}

function positionOf({ blockId, header, nextEpoch, layer, tree, frontier }: Executed): Position {
  return { blockId, header, nextEpoch, layer, tree, frontier };
}

/** Codes that say something about this machine and nothing about the block. */
const hostCodes =
  /^(?:VERIFY_|POLICY_HOST_FAILED$|POLICY_ENGINE_MISMATCH$|RULESET_UNKNOWN$|STATE_INVALID$|RECORD_INVALID$)/;

function isVerdict(error: unknown): boolean {
  return error instanceof WeftError && !hostCodes.test(error.code);
}

function invalid(error: unknown): Checked {
  if (!(error instanceof WeftError)) throw error;
  return { verdict: 'invalid', code: codeOf(error), message: error.message };
}

/** Which result differs first, in the order of computing. */
function mismatch(claimed: Header, computed: Header): Checked {
  const names = ['stateRoot', 'nextValidators', 'logSize', 'logRoot'] as const;
  const name = names.find((each) => claimed[each] !== computed[each]);
  const code = { stateRoot: 'STATE_ROOT', nextValidators: 'NEXT_VALIDATORS', logSize: 'LOG_SIZE', logRoot: 'LOG_ROOT' };
  return {
    verdict: 'invalid',
    code: name === undefined ? 'HEADER_INVALID' : `${code[name]}_MISMATCH`,
    message: `Block ${blockIdOf(claimed)}: execution gives another ${name ?? 'header'}.`,
  };
}
