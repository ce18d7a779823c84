import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Finalization } from '../../consensus/types.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { startNative, verifyFast } from '../crypto/ed25519.ts';
import type { ValidatorKeys } from '../crypto/validatorKeys.ts';
import { VerifyPool } from '../crypto/verifyPool.ts';
import { type Files, nodeFiles } from '../ledger/files.ts';
import { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock, PreparedTx } from '../ledger/types.ts';
import { type Epoch, leaderOf } from '../ledger/validatorSet.ts';
import { encodeSentCosignature } from '../log/sentCosignature.ts';
import { createNetwork } from '../net/network.ts';
import type { CreateNetwork, Network } from '../net/types.ts';
import { Admission } from './admission.ts';
import { Answers, questionBytesMax } from './answers.ts';
import type { NodeApi } from './api.ts';
import { Batches } from './batches.ts';
import { accountOfBytes } from './claimedAccount.ts';
import { Clients } from './clients.ts';
import { Closing } from './closing.ts';
import type { Config } from './config.ts';
import { clearLeftovers, takeIncoming } from './dataFolder.ts';
import { Duties } from './duties.ts';
import type { LocalTimings } from './engineConfig.ts';
import { EpochRuntime, type NodeParts, validatorsAskable } from './epochRuntime.ts';
import { Epochs } from './epochs.ts';
import { Failure } from './failure.ts';
import { Fates } from './fates.ts';
import { folderIdentity } from './folderIdentity.ts';
import { Gateway } from './gateway.ts';
import { unknownToGenesis } from './grown.ts';
import type { Log } from './log.ts';
import type { LoopDelay } from './loopDelay.ts';
import { ownIn, standingOf } from './membership.ts';
import { Mempool } from './mempool.ts';
import { FinalityWindow, NodeMetrics } from './metrics.ts';
import { Neighbours } from './neighbours.ts';
import { News } from './news.ts';
import { makeApi } from './nodeApi.ts';
import { Overload } from './overload.ts';
import { Pruner } from './pruner.ts';
import { Published } from './published.ts';
import { Requests } from './requests.ts';
import { runAnswerBytesMax } from './runAnswers.ts';
import { SignState, signStatePaths } from './signState.ts';
import { sleep } from './sleep.ts';
import { SnapshotCatchUp, type SnapshotWish } from './snapshotCatchUp.ts';
import { Snapshots } from './snapshots.ts';
import { Spread } from './spread.ts';
import { type StatusModules, sampleOf } from './status.ts';
import { readStopMark, type StopMark } from './stopMark.ts';
import { StoreWatch } from './storeWatch.ts';
import { Subscribers } from './subscribers.ts';
import { Sync } from './sync.ts';
import { Telling } from './telling.ts';
import { VoteKey } from './voteKey.ts';
import { encodeEnvelopes, frameKinds } from './wire.ts';

/** Wires ledger, network, engine and the rest into one running node. No protocol rule lives here. */

export type NodeOptions = {
  readonly config: Config;
  /** Bytes of the genesis document. */
  readonly genesis: Uint8Array;
  readonly keys: ValidatorKeys;
  /** Keys that are proposed to governance (`nextKeys` of the configuration). */
  readonly nextKeys?: ValidatorKeys;
  readonly version: string;
  readonly log: Log;
  /** Seams for tests. */
  readonly openLedger?: (options: Parameters<typeof Ledger.open>[0]) => Promise<Ledger>;
  readonly createNetwork?: CreateNetwork;
  /** Of what lies outside the ledger's folders: sign state, stop mark. */
  readonly files?: Files;
  readonly timings?: Partial<LocalTimings>;
  readonly wallMs?: () => number;
  readonly monotonicMs?: () => number;
  /** What outlives this node when its data folder is opened anew (keeper.ts). */
  readonly kept?: Kept;
  readonly diskFreeBytes?: () => number | undefined;
  /** How late the event loop is; where several nodes share one, nobody's. */
  readonly loop?: Pick<LoopDelay, 'ms' | 'lastMs'>;
  /** Nothing more is voted, signed, taken or imported by this node. */
  readonly stopped?: (code: string) => void;
  /** `weft start --snapshot`: begin from one that peers offer. */
  readonly snapshotFirst?: SnapshotWish;
  /** Asks to be closed and started again. */
  readonly reopen?: (why: string) => void;
};

export type Kept = { readonly subscribers: Subscribers; readonly fates: Fates; readonly mempool: Mempool };

const heightEveryMs = 1000;
const againEveryMs = 100;

export class WeftNode {
  readonly api: NodeApi;
  readonly #options: NodeOptions;
  readonly #config: Config;
  readonly #log: Log;
  readonly #ledger: Ledger;
  readonly #verifier: VerifyPool;
  readonly #mempool: Mempool;
  readonly #fates: Fates;
  readonly #subscribers: Subscribers;
  readonly #finality = new FinalityWindow();
  readonly #metrics: NodeMetrics;
  readonly #admission: Admission;
  readonly #spread: Spread;
  readonly #answers: Answers;
  readonly #batches: Batches;
  #others: { readonly epoch: Epoch; readonly names: readonly string[] } | undefined;
  readonly #sync: Sync;
  readonly #snapshots: Snapshots;
  readonly #pruner: Pruner;
  readonly #snapshotCatchUp: SnapshotCatchUp;
  readonly #published: Published;
  readonly #duties: Duties;
  readonly #storeWatch: StoreWatch;
  readonly #parts: NodeParts;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #files: readonly ValidatorKeys[];
  readonly #closing: Closing;
  readonly #epochs: Epochs;
  readonly #news: News;
  readonly #telling = new Telling((block) => {
    this.#epochs.committed(block);
    this.#news.committed(block);
  });
  readonly #failure: Failure;
  readonly #neighbours: Neighbours;
  #gateway: Gateway | undefined;
  #network: Network | undefined;
  #closed: Promise<void> | undefined;

  /** Opens the data folder and starts. @throws WeftError LEDGER_*, GENESIS_*, NET_*, NODE_UNKNOWN, KEYS_FOREIGN */
  static async start(options: NodeOptions): Promise<WeftNode> {
    const native = startNative();
    options.log.info(
      { signatures: typeof native === 'string' ? `libsodium (native: ${native})` : 'native' },
      'verifier',
    );
    const verifier = new VerifyPool();
    const open = options.openLedger ?? ((ledgerOptions) => Ledger.open(ledgerOptions));
    let ledger: Ledger | undefined;
    let node: WeftNode | undefined;
    try {
      await takeIncoming(options.config.data, options.log);
      ledger = await open({ dir: options.config.data, genesis: options.genesis, verifier });
      await clearLeftovers(options.config.data, options.log);
      const { data } = options.config;
      const { path, others } = signStatePaths(options.config);
      const files = options.files ?? nodeFiles;
      const beside = await SignState.open(files, path, await folderIdentity(data), others);
      node = new WeftNode(options, ledger, verifier, beside, await readStopMark(data, options.files));
      await node.#start();
      return node;
    } catch (error) {
      // Nothing stays behind: no listening port, no thread, no lock on the data folder. The first error is the one that counts.
      if (node === undefined) await Promise.allSettled([verifier.close(), ledger?.close()]);
      else await node.close().catch(() => undefined);
      throw error;
    }
  }

  private constructor(
    options: NodeOptions,
    ledger: Ledger,
    verifier: VerifyPool,
    signState: SignState,
    mark?: StopMark,
  ) {
    const { config, log, version } = options;
    this.#options = options;
    this.#config = config;
    this.#log = log;
    this.#ledger = ledger;
    this.#verifier = verifier;
    this.#fates = options.kept?.fates ?? new Fates();
    this.#subscribers = options.kept?.subscribers ?? new Subscribers();
    this.#files = [options.keys, ...(options.nextKeys === undefined ? [] : [options.nextKeys])];
    const wallMs = options.wallMs ?? Date.now;
    this.#failure = new Failure(mark?.code ?? '', {
      data: config.data,
      files: options.files,
      height: () => ledger.finalized.header.height,
      stopped: (code) => {
        this.#storeWatch.stop();
        options.stopped?.(code);
        this.#stopWork().catch((error: unknown) => log.error({ error: String(error) }, 'could not stop in order'));
      },
      log,
      wallMs,
    });
    const monotonicMs = options.monotonicMs ?? ((): number => performance.now());
    const network = (): Network => this.#net;
    const runtime = (): EpochRuntime => this.#epochs.current;
    const requests = new Requests({ network, log });
    const mempool = options.kept?.mempool ?? new Mempool(config.mempool);
    this.#mempool = mempool;
    this.#published = new Published(ledger, log);
    this.#spread = new Spread({
      monotonicMs,
      nextLeader: () => this.#nextLeader(),
      send: (peer, envelopes, lane) => {
        const batch = encodeEnvelopes(envelopes);
        return network().send(peer, lane, frameKinds.transactions, batch, { class: 'other' }) && batch.length;
      },
    });
    this.#admission = new Admission({
      ledger,
      mempool,
      checkTakes: () => this.#failure.checkTakes(),
      monotonicMs,
      wallMs,
      admitted: (prepared, own) => this.#admitted(prepared, own),
    });
    this.#batches = new Batches({ admission: this.#admission, network });
    this.#snapshots = new Snapshots(
      { folder: join(config.data, 'snapshots'), everyBlocks: config.snapshotEveryBlocks },
      {
        ledger,
        checkpoint: () => this.#runtime.cosigner.published,
        catchingUp: () => this.#sync.catchingUp,
        log,
        monotonicMs,
        sleep,
      },
    );
    const overload = new Overload({
      loop: options.loop ?? { ms: 0, lastMs: 0 },
      pool: mempool,
      arriving: () => this.#admission.verifying + clients.waiting,
      monotonicMs,
    });
    this.#answers = new Answers({
      ledger,
      snapshots: this.#snapshots,
      blocks: { get: (id) => this.#runtime.blocks.get(id), bodyNow: (id) => this.#runtime.blocks.bodyNow(id) },
      admission: this.#admission,
      checkpoint: () => this.#runtime.cosigner.published,
      closing: (epoch) => this.#closing.note(epoch),
      isValidator: (peer) => this.#isValidator(peer),
      checkLoad: (envelope) => overload.check(() => accountOfBytes(envelope)),
      log,
    });
    this.#duties = new Duties({
      name: config.name,
      keys: this.#files,
      ledger,
      network,
      able: () => this.#failure.code === '' && !this.#sync.catchingUp,
      api: () => ({ submit: (envelope) => clients.submitOwn(envelope), wait: this.api.wait }),
      log,
      monotonicMs,
      wallMs,
    });
    this.#pruner = new Pruner(
      { blocks: config.keepBlocks, entries: config.keepLog },
      {
        ledger,
        snapshots: this.#snapshots,
        catchingUp: () => this.#sync.catchingUp,
        log,
        sleep,
      },
    );
    this.#snapshotCatchUp = new SnapshotCatchUp(
      {
        ledger,
        snapshots: this.#snapshots,
        requests,
        data: config.data,
        askable: () => this.#net.askable(),
        keepsAll: config.keepBlocks === 0,
        reopen: (why) => options.reopen?.(why),
        log,
        monotonicMs,
      },
      options.snapshotFirst,
    );
    this.#sync = new Sync({
      ledger,
      askable: () => this.#net.askable(),
      fetchRun: (peer, fromHeight, bytesMax, timeoutMs) => requests.run(peer, fromHeight, bytesMax, timeoutMs),
      fetchBodies: (peer, fromHeight, count, bytesMax, timeoutMs) =>
        requests.bodies(peer, fromHeight, count, bytesMax, timeoutMs),
      snapshotNeeded: () => this.#snapshotCatchUp.needed(),
      paused: () => this.#snapshotCatchUp.running,
      others: () => this.#otherValidators().length,
      imported: async (blocks) => {
        this.#runtime.consensus.imported(blocks);
        await this.#committed(blocks);
        await this.#epochs.follow();
      },
      blame: (peer, code) => log.warn({ peer, code }, 'a peer sent a run of blocks that no honest node sends'),
      halted: (code, detail) => this.halt(code, detail),
      faults: () => ledger.epoch.validators.length - ledger.epoch.quorum,
      isValidator: (peer) => this.#isValidator(peer),
      log,
      monotonicMs,
      sleep,
    });
    const watched = { ledger, damaged: (code: string, detail: string) => this.halt(code, detail), monotonicMs };
    this.#storeWatch = new StoreWatch(watched, Math.floor(Math.random() * ledger.finalized.header.height));
    const timings = { ...config.consensus, ...options.timings };
    this.#parts = {
      signState,
      begun: new Set(),
      outgrown: () => ledger.finalized.header.height === 0 && unknownToGenesis(ledger.genesis, config).length > 0,
      storeWasBehind: new VoteKey(ledger, options.keys.vote.publicKey).storeBehind,
      ledger,
      mempool,
      evidence: this.#duties.evidence,
      requests,
      network,
      behind: () => this.#sync.behind,
      timings,
      log,
      monotonicMs,
      wallMs,
    };
    this.#closing = new Closing({
      ledger,
      ownIn: (epoch) => ownIn(epoch, config, this.#files),
      verify: verifyFast,
      send: (cosignature) => this.#runtime.sendCosignature(cosignature),
      askable: () => this.#net.askable(),
      fetch: (peer, epoch) => requests.closing(peer, epoch),
      conflict: (epoch, a, b) =>
        this.#duties.evidence.seen('cosignatures', epoch, encodeSentCosignature(a), encodeSentCosignature(b)),
      failed: (error) => this.halt(codeOf(error), `a closing checkpoint could not be stored: ${String(error)}`),
      log,
      wallMs,
      monotonicMs,
    });
    this.#epochs = new Epochs({
      ledger,
      closing: this.#closing,
      makeRuntime: () => this.#makeRuntime(),
      entered: (now) => this.#entered(now),
      failed: (error) => this.halt(codeOf(error), `the change of epoch failed: ${String(error)}`),
    });
    this.#neighbours = new Neighbours({
      ledger,
      config,
      files: this.#files,
      closing: this.#closing,
      runtime,
      network: () => this.#network,
      reopen: (why) => options.reopen?.(why),
      log,
    });
    const status: StatusModules = {
      name: config.name,
      version,
      ledger,
      mempool,
      admission: this.#admission,
      overload,
      spread: this.#spread,
      sync: this.#sync,
      duties: this.#duties,
      finality: this.#finality,
      network,
      runtime,
      failure: () => this.#failure.code,
      diskFreeBytes: () => options.diskFreeBytes?.(),
      storedChecked: () => this.#storeWatch.checked,
      peerWorkDropped: () => this.#admission.dropped + this.#answers.dropped + this.#snapshots.dropped,
      verifyPending: () => verifier.pending,
      closingMissing: () => this.#closing.missing.length,
    };
    this.#metrics = new NodeMetrics(() => sampleOf(status));
    this.#news = new News({
      ledger,
      fates: this.#fates,
      subscribers: this.#subscribers,
      finality: this.#finality,
      metrics: this.#metrics,
      overload,
      network,
      name: config.name,
      wallMs,
    });
    const clients = new Clients({
      ledger,
      mempool,
      admission: this.#admission,
      overload,
      fates: this.#fates,
      requests,
      checkTakes: () => this.#failure.checkTakes(),
      validates: () => this.#runtime.index !== undefined,
      askable: () => validatorsAskable(ledger.epoch, this.#net),
      closed: () => this.#closed !== undefined,
    });
    this.api = makeApi({
      config,
      ledger,
      clients,
      closing: this.#closing,
      cosigner: () => this.#runtime.cosigner,
      duties: this.#duties,
      failure: this.#failure,
      metrics: this.#metrics,
      network,
      status,
      subscribers: this.#subscribers,
      wallMs,
    });
  }

  async #start(): Promise<void> {
    const ledger = this.#ledger;
    const published = this.#published.read();
    if (published !== undefined) this.#runtime.restore(published.note, published.size);
    const config = this.#config;
    await this.#snapshots.open();
    this.#gateway = new Gateway({
      ledger,
      sync: this.#sync,
      answers: this.#answers,
      admission: this.#admission,
      batches: this.#batches,
      spread: this.#spread,
      duties: this.#duties,
      closing: this.#closing,
      runtime: () => this.#runtime,
      network: () => this.#net,
      monotonicMs: this.#parts.monotonicMs,
    });
    this.#network = await (this.#options.createNetwork ?? createNetwork)(
      {
        chain: ledger.genesis.chain,
        name: config.name,
        role: this.#runtime.standing.role,
        peerSeed: this.#runtime.standing.keys.peer.seed,
        listen: config.peer.listen,
        peers: this.#neighbours.peers(),
        limits: {
          requestBytesMax: questionBytesMax,
          answerBytesMax: runAnswerBytesMax,
          messageBytesMax: runAnswerBytesMax + 1024,
          queueBytesMax: runAnswerBytesMax + 4 * 1024 * 1024,
        },
      },
      { log: this.#log, handlers: this.#gateway.handlers() },
    );
    const stoppedBefore = this.#failure.code !== '';
    if (!stoppedBefore) this.#checkRuleset();
    if (this.#failure.code === '') await this.#epochs.start();
    else if (stoppedBefore) {
      this.#log.error(
        { code: this.#failure.code },
        'this node had stopped and only answers questions: run weft recover',
      );
      await this.#stopWork();
    }
    this.#timers.push(
      setInterval(() => {
        this.#runtime.cosigner.tick();
        this.#closing.tick();
      }, 250),
      setInterval(() => {
        void this.#published.keep();
        this.#neighbours.tell();
        this.#neighbours.apply();
        this.#duties.tick();
        this.#sync.tick();
        this.#pruner.tick();
        this.#snapshotCatchUp.tick(this.#sync.behind, this.#sync.catchingUp);
      }, heightEveryMs),
      setInterval(() => this.#housekeeping(), againEveryMs),
      setInterval(() => this.#storeWatch.tick(), heightEveryMs),
    );
    if (ledger.epoch.validators.length === 1) this.#sync.follows();
    const { height } = ledger.finalized.header;
    this.#log.info({ chain: ledger.genesis.chain, height, listen: this.#net.addresses() }, 'node started');
  }

  /** Stops in order: no new work, no votes, nothing lost; the data folder is unlocked last. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#duties.stop();
    this.#spread.close();
    this.#answers.close();
    this.#batches.close();
    // Before the ledger closes, from which one may be being made.
    const maintenance = [this.#pruner.stop(), this.#snapshotCatchUp.stop(), this.#snapshots.close()];
    this.#admission.close();
    // The network first: whoever waits for a peer's answer is told at once that none comes.
    const ends = await Promise.allSettled([
      this.#network?.close(),
      this.#stopWork(),
      this.#verifier.close(),
      ...maintenance,
    ]);
    for (const end of ends) if (end.status === 'rejected') this.#log.warn({ error: String(end.reason) }, 'stopping');
    // It reads the ledger.
    await this.#telling.over();
    this.#fates.close();
    await this.#published.keep();
    await this.#ledger.close();
    this.#log.info({ height: this.#ledger.finalized.header.height }, 'node stopped');
  }

  /** No vote, no block, no checkpoint from here on. Resolves when what is being written is. */
  async #stopWork(): Promise<void> {
    await Promise.all([this.#epochs.stop(), this.#sync.stop()]);
  }

  get #net(): Network {
    if (this.#network === undefined) throw new WeftError('NODE_NOT_STARTED', 'the network is not up yet');
    return this.#network;
  }

  get #runtime(): EpochRuntime {
    return this.#epochs.current;
  }

  #makeRuntime(): EpochRuntime {
    const standing = standingOf(this.#ledger, this.#config, this.#files);
    const { epoch } = this.#ledger;
    const details = { epoch: epoch.epoch, validators: epoch.validators.length, role: standing.role };
    if (standing.code === '') this.#log.info(details, 'epoch');
    else this.#log.error({ ...details, code: standing.code }, standing.words);
    return new EpochRuntime(standing, this.#parts, {
      committed: (blocks) => {
        const telling = this.#committed(blocks);
        if (telling === undefined) void this.#epochs.follow();
        else
          void telling
            .then(() => this.#epochs.follow())
            .catch((error: unknown) => this.halt(codeOf(error), String(error)));
      },
      proposed: (block, own) => this.#spread.proposed(block.transactions, own),
      behind: (certificate) => this.#behind(certificate),
      failed: (code, detail) => this.#failure.fail(code, detail),
      published: (cosigner) => {
        this.#published.newest(() => {
          const { published: note, publishedSize: size } = cosigner;
          return note === undefined ? undefined : { note, size };
        });
        this.#subscribers.published();
      },
      otherEpoch: (peer, other) => this.#gateway?.otherEpoch(peer, other),
    });
  }

  /** The next epoch is about to begin: its set may connect, and what can enter none of its blocks goes. */
  #entered(now: EpochRuntime): void {
    this.#checkRuleset();
    this.#neighbours.apply();
    now.consensus.dropInadmissible();
    if (now.epoch.validators.length === 1) this.#sync.follows();
  }

  /** A chain that has been upgraded past this build: nothing is lost, a newer one goes on from the same data folder. */
  #checkRuleset(): void {
    const { ruleset } = this.#ledger.epoch;
    if (this.#ledger.hasRuleset(ruleset)) return;
    const { height } = this.#ledger.finalized.header;
    this.halt(
      'RULESET_UNKNOWN',
      `after block ${height} the chain is under ruleset ${ruleset}, which this build does not have: install a Weft that has it, and start it again`,
    );
  }

  #isValidator(peer: string): boolean {
    return this.#ledger.epoch.validators.some(({ name }) => name === peer);
  }

  /** While a view is under way its block is on its way, too: what comes now is for the one after. */
  #nextLeader(): string | undefined {
    const { epoch } = this.#ledger;
    return epoch.validators[leaderOf(epoch, this.#runtime.consensus.status().view + 1)]?.name;
  }

  /** Asked for each transaction of an own client. */
  #otherValidators(): readonly string[] {
    const { epoch } = this.#ledger;
    if (this.#others?.epoch !== epoch) {
      const names = epoch.validators.map(({ name }) => name).filter((name) => name !== this.#config.name);
      this.#others = { epoch, names };
    }
    return this.#others.names;
  }

  #housekeeping(): void {
    void this.#runtime.follower?.tick();
    if (this.#runtime.storeReached && !this.#sync.catchingUp) this.#options.reopen?.('STORE_BEHIND');
    if (this.#mempool.size === 0) return;
    const { consensus } = this.#runtime;
    const leader = consensus.nameOf(consensus.status().leader);
    this.#spread.sendAgain(this.#mempool, leader === this.#config.name ? undefined : leader, this.#otherValidators());
    consensus.remindOfWork();
  }

  #admitted(prepared: PreparedTx, own: boolean): void {
    this.#fates.saw(prepared.tx.txId, prepared.tx.expires);
    if (own) this.#spread.push(this.#otherValidators(), prepared.tx.envelopeId, prepared.tx.envelope);
    this.#runtime.consensus.workChanged();
  }

  /** Undefined when it is over. */
  #committed(blocks: readonly CommittedBlock[]): Promise<void> | undefined {
    const told = (): void => {
      this.#snapshots.committed(blocks);
      this.#sync.follows();
    };
    const telling = this.#telling.blocks(blocks);
    if (telling !== undefined) return telling.then(told);
    told();
    return undefined;
  }

  #behind(certificate: Finalization): void {
    this.#log.debug({ view: certificate.subject.view }, 'a finalized block is not here: catching up');
    const { height } = this.#ledger.finalized.header;
    this.#sync.catchUpTo(height + Math.max(1, this.#sync.behind));
  }

  /** Stops all work, as a write that fails does: nothing is voted, signed, taken or imported until it is opened anew. */
  halt(code: string, detail: string): void {
    this.#log.error({ code, detail }, 'this node has stopped voting');
    this.#failure.fail(code, detail);
  }
}
