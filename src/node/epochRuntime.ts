import type { Finalization } from '../../consensus/types.ts';
import { codeOf } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { ed25519Signer, verifyFast } from '../crypto/ed25519.ts';
import { type Header, isClosing } from '../ledger/header.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock, ExecutedBlock } from '../ledger/types.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { encodeSentCosignature, type SentCosignature } from '../log/sentCosignature.ts';
import type { Network } from '../net/types.ts';
import { BlockPool } from './blocks.ts';
import { CheckpointFollower } from './checkpointFollower.ts';
import { Consensus } from './consensus.ts';
import { type CosignedBlock, Cosigner } from './cosigner.ts';
import type { LocalTimings } from './engineConfig.ts';
import type { Evidence } from './evidence.ts';
import type { Log } from './log.ts';
import type { Standing } from './membership.ts';
import type { Mempool } from './mempool.ts';
import { cosignerKeyOf, logKeyOf } from './queries.ts';
import type { Requests } from './requests.ts';
import type { SignState } from './signState.ts';
import { sleep } from './sleep.ts';
import { VoteKey } from './voteKey.ts';
import { frameKinds } from './wire.ts';

/**
 * All that belongs to one epoch in a running node: its engine, its cosigner, the blocks that are under way, what the vote key
 * may do, and why this node does not vote. The next epoch gets a new one; nothing in here outlives its epoch.
 */

/** What outlives an epoch. */
export type NodeParts = {
  readonly signState: SignState;
  /** Vote keys (hex) whose journal this process has begun: it is whole, whatever was there when the ledger was opened. */
  readonly begun: Set<string>;
  /** The ledger is at genesis, and the network has grown since (grown.ts). */
  readonly outgrown?: () => boolean;
  /** When the ledger was opened, its store ended below what the journal builds on (voteKey.ts). */
  readonly storeWasBehind: boolean;
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly evidence: Evidence;
  readonly requests: Requests;
  readonly network: () => Network;
  /** Blocks that an honest validator has finalized and this node has not. */
  readonly behind: () => number;
  readonly timings: LocalTimings;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

export type RuntimeHooks = {
  /** Durable, in height order. */
  readonly committed: (blocks: readonly CommittedBlock[]) => void;
  /** This node has built this block (`own`), or is about to send its vote for it. */
  readonly proposed: (block: ExecutedBlock, own: boolean) => void;
  /** A finalization of a block that is not here. */
  readonly behind: (certificate: Finalization) => void;
  /** What this node holds or says next cannot be trusted. */
  readonly failed: (code: string, detail: string) => void;
  readonly published: (cosigner: Cosigner) => void;
  /** A peer speaks of another epoch: one of the two is behind. */
  readonly otherEpoch: (peer: string, epoch: number) => void;
};

const waitingForPeers = 'WAITING_FOR_PEERS';
/** The store was rebuilt, and the journal is whole and ahead of it (voteKey.ts): votes follow once the store is there. */
const storeBehind = 'STORE_BEHIND';
/** The data folder is a copy, or was moved: it listens before it asks, so that another node with this key is heard (W11). */
const dataMoved = 'DATA_MOVED';

export class EpochRuntime {
  readonly epoch: Epoch;
  /** Own index in the epoch; undefined for observers. */
  readonly index: number | undefined;
  readonly blocks: BlockPool;
  readonly cosigner: Cosigner;
  /** Observers only. */
  readonly follower: CheckpointFollower | undefined;
  #standing: Standing;
  readonly #parts: NodeParts;
  readonly #hooks: RuntimeHooks;
  readonly #voteKey: VoteKey;
  #consensus: Consensus;
  /** An engine that halted, until it has come to rest. */
  #replaced: Promise<void> | undefined;
  #notVoting = waitingForPeers;
  #stopped = false;

  /** For the ledger's present epoch. */
  constructor(standing: Standing, parts: NodeParts, hooks: RuntimeHooks) {
    const { index } = standing;
    this.epoch = parts.ledger.epoch;
    this.#standing = standing;
    this.index = index;
    this.#parts = parts;
    this.#hooks = hooks;
    this.blocks = this.#makeBlocks();
    this.cosigner = this.#makeCosigner();
    this.follower = index === undefined ? this.#makeFollower() : undefined;
    const voteKey = standing.keys.vote.publicKey;
    const begun = parts.begun.has(toHex(voteKey));
    const outgrown = parts.outgrown?.() ?? false;
    this.#voteKey = new VoteKey(parts.ledger, voteKey, this.epoch.epoch, parts.signState, begun, outgrown);
    const refusal = index === undefined ? '' : this.#voteKey.refusal();
    const waits = index !== undefined && refusal === '' && this.#mustOpenAnew ? storeBehind : refusal;
    if (waits !== '') this.#notVoting = waits;
    else if (this.#listensMs > 0) this.#notVoting = dataMoved;
    this.#consensus = this.#makeConsensus(waits === '' ? index : undefined);
  }

  /** As long as any validator that votes at all is heard voting: with nothing to do it still makes a heartbeat. */
  get #listensMs(): number {
    const { validators, consensus } = this.epoch;
    return this.index !== undefined && validators.length > 1 && this.#voteKey.moved ? consensus.skipMs : 0;
  }

  /**
   * The blocks of a journal are taken up when it is opened: one that was ahead of the store then is gone on with only by a process
   * that opens both where they fit, also when this epoch begins exactly where it does.
   */
  get #mustOpenAnew(): boolean {
    const { ledger, storeWasBehind } = this.#parts;
    return this.#voteKey.storeBehind || (storeWasBehind && ledger.journal.replay.epoch === this.epoch.epoch);
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** Listed otherwise than before, within the epoch: still as one that observes. */
  stand(standing: Standing): void {
    this.#standing = standing;
  }

  get consensus(): Consensus {
    return this.#consensus;
  }

  /** Why this node does not vote in this epoch, as a code; '' when it votes, and for who is listed as an observer. */
  get notVoting(): string {
    return this.index === undefined ? this.standing.code : this.#notVoting;
  }

  /** Takes up the checkpoint that was published before: there is one to serve at once. */
  restore(note: string, size: number): void {
    this.cosigner.restore(note, size);
    this.follower?.restore(note);
  }

  /** The store has come to where the journal begins: opened anew, this node votes on (voteKey.ts). */
  get storeReached(): boolean {
    return this.#notVoting === storeBehind && !this.#voteKey.storeBehind;
  }

  /** Resolves when the engine runs; voting begins once W11 is settled. */
  async start(): Promise<void> {
    await this.#consensus.start();
    const { header } = this.#parts.ledger.finalized;
    if (header.height > 0) this.cosigner.committed(cosigned(header));
  }

  /** No vote, no block, no checkpoint from here on. Resolves when what is being written is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const stopped = [this.#replaced, this.#consensus.stop(), this.cosigner.stop()];
    this.blocks.clear();
    await Promise.all(stopped);
  }

  /** Blocks of this epoch that are durable now. */
  committed(block: CommittedBlock): void {
    this.cosigner.committed(cosigned(block.header));
  }

  #makeBlocks(): BlockPool {
    const { ledger, mempool, requests, network } = this.#parts;
    return new BlockPool({
      pooled: (envelopeId) => mempool.get(envelopeId)?.prepared.tx.envelope,
      facts: (blockId, header, transactions) => ledger.factsOf(blockId, header, transactions),
      nameOf: (position) => this.epoch.validators[position]?.name,
      askable: () => validatorsAskable(this.epoch, network()),
      fetchEnvelopes: (peer, blockId, positions) => requests.envelopes(peer, blockId, positions),
      fetchBlock: (peer, blockId) => requests.block(peer, blockId),
      sleep,
    });
  }

  #makeCosigner(): Cosigner {
    const { ledger, evidence, network, behind, log, monotonicMs, wallMs } = this.#parts;
    const { keys } = this.standing;
    const { chain, origin } = ledger.genesis;
    const logSigner = ed25519Signer(keys.log.seed);
    const cosignSigner = ed25519Signer(keys.cosigner.seed);
    const own = this.index === undefined ? undefined : this.epoch.validators[this.index];
    return new Cosigner(
      {
        origin,
        logKey: logKeyOf(origin, logSigner.publicKey),
        signLog: (message) => logSigner.sign(message),
        ...(own === undefined
          ? {}
          : { own: { key: cosignerKeyOf(chain, own), sign: (message: Uint8Array) => cosignSigner.sign(message) } }),
        policy: this.epoch.validators.map((validator) => cosignerKeyOf(chain, validator)),
        quorum: this.epoch.quorum,
        cosignEveryBlocks: this.epoch.consensus.cosignEveryBlocks,
        recosignMs: this.epoch.consensus.recosignMs,
      },
      {
        // A cosignature that libsodium refuses is dropped: foreign tools would refuse it too.
        verify: verifyFast,
        remember: (size, root) => ledger.rememberCheckpoint(size, root),
        send: (cosignature) => this.sendCosignature(cosignature),
        shown: (index, height) => this.#consensus.cosigned(index, height),
        published: () => this.#hooks.published(this.cosigner),
        later: (ms, run) => {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
        failed: (error) => log.error({ error: String(error) }, 'a checkpoint could not be cosigned'),
        conflict: (_key, a, b) =>
          evidence.seen('cosignatures', this.epoch.epoch, encodeSentCosignature(a), encodeSentCosignature(b)),
        wallMs,
        monotonicMs,
        behind,
        silentMs: (index) => network().heardMs(this.epoch.validators[index]?.name ?? '', 'directly'),
      },
    );
  }

  #makeFollower(): CheckpointFollower {
    const { ledger, requests, network, log, monotonicMs, wallMs } = this.#parts;
    return new CheckpointFollower(
      { chain: ledger.genesis.chain, origin: ledger.genesis.origin },
      {
        ledger,
        askable: () => validatorsAskable(this.epoch, network()),
        fetch: (validator) => requests.checkpoint(validator),
        adopted: (note, size) => this.cosigner.adopt(note, size),
        log,
        monotonicMs,
        wallMs,
      },
    );
  }

  #makeConsensus(me: number | undefined): Consensus {
    const { ledger, mempool, evidence, requests, network, timings, log, monotonicMs, wallMs } = this.#parts;
    const signer = ed25519Signer(this.standing.keys.vote.seed);
    return new Consensus(
      {
        epoch: this.epoch,
        genesisHash: ledger.genesis.genesisHash,
        chain: ledger.genesis.chain,
        me,
        signer: me === undefined ? undefined : signer,
        listed: this.index === undefined ? undefined : { index: this.index, signer },
        timings,
        listensMs: this.#listensMs,
      },
      {
        ledger,
        mempool,
        blocks: this.blocks,
        network,
        fetchBlock: (peer, blockId) => requests.block(peer, blockId),
        log,
        monotonicMs,
        wallMs,
      },
      {
        journalReady: async () => {
          await this.#voteKey.begin();
          this.#parts.begun.add(toHex(this.standing.keys.vote.publicKey));
        },
        cosigns: (header) => this.cosigner.cosigns(cosigned(header)),
        committed: (blocks) => this.#hooks.committed(blocks),
        proposed: (block, own) => this.#hooks.proposed(block, own),
        behind: (certificate) => this.#hooks.behind(certificate),
        voting: () => {
          // Why this node stopped is not taken back by an engine that asks to vote.
          if (this.#notVoting !== waitingForPeers && this.#notVoting !== dataMoved) return;
          this.#notVoting = '';
          this.#voteKey.settled().catch((error: unknown) => {
            log.warn({ error: String(error) }, 'where this key votes could not be noted');
          });
          log.info({ epoch: this.epoch.epoch }, 'voting');
        },
        otherEpoch: (peer, epoch) => this.#hooks.otherEpoch(peer, epoch),
        halted: (code, detail, messages) => this.#halted(code, detail, messages),
        evidence: (a, b) => evidence.seen('votes', this.epoch.epoch, a, b),
      },
    );
  }

  #halted(code: string, detail: string, messages: readonly Uint8Array[] = []): void {
    const { log, evidence } = this.#parts;
    log.error({ code, detail, epoch: this.epoch.epoch }, 'this node has stopped voting');
    if (messages.length > 0) evidence.keepMessages(messages);
    if (!isJournalCode(code)) {
      this.#hooks.failed(code, detail);
      return;
    }
    this.#notVoting = code;
    if (code !== 'JOURNAL_ROLLED_BACK') return;
    // Without it the next start could ask anew, and others may have forgotten: such a node stops, and opened anew it tries again.
    const retired = this.#voteKey.retire(code).catch((error: unknown) => {
      log.error({ error: String(error) }, 'that this key votes no more could not be stored');
      this.#hooks.failed(codeOf(error), `that the vote key is retired (${code}) could not be stored: ${String(error)}`);
    });
    // It follows on without a vote: only a new vote key may vote again (W11).
    const halted = this.#consensus;
    this.#consensus = this.#makeConsensus(undefined);
    const follows = halted
      .stop()
      .then(() => (this.#stopped ? undefined : this.#consensus.start()))
      .catch((error: unknown) => log.error({ error: String(error) }, 'cannot follow'));
    this.#replaced = Promise.all([retired, follows]).then(() => undefined);
  }

  /** To all validators; by gossip, too, where somebody is no validator (observers, who has retired) or is not reached by its lane. */
  sendCosignature(cosignature: SentCosignature): void {
    const { network } = this.#parts;
    const payload = encodeSentCosignature(cosignature);
    network().broadcast('urgent', frameKinds.cosignature, payload, { class: 'other' });
    void network().publish('checkpoints', payload, 'where lanes do not reach');
  }
}

/** Whatever but a journal stops the engine (a disk, a divergence, a defect) does not pass by itself, nor with the epoch. */
function isJournalCode(code: string): boolean {
  return code.startsWith('JOURNAL_');
}

export function validatorsAskable(epoch: Epoch, network: Network): readonly string[] {
  const askable = network.askable();
  return epoch.validators.map(({ name }) => name).filter((name) => askable.includes(name));
}

function cosigned(header: Header): CosignedBlock {
  const { height, time, logSize, logRoot } = header;
  return { height, time, logSize, logRoot, closing: isClosing(header) };
}
