import { performance } from 'node:perf_hooks';
import type { Finalization } from '../../consensus/types.ts';
import { fromBase64Url } from '../codec/base64.ts';
import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { ed25519Signer, slowPathCount, verifyFast } from '../crypto/ed25519.ts';
import type { ValidatorKeys } from '../crypto/validatorKeys.ts';
import { VerifyPool } from '../crypto/verifyPool.ts';
import { decodeCertificate, encodeCertificate, verifyCertificate } from '../ledger/certificate.ts';
import { nodeFiles } from '../ledger/files.ts';
import { blockIdOfBytes, decodeHeader, isClosing } from '../ledger/header.ts';
import { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock, PreparedTx, Run } from '../ledger/types.ts';
import { formatVkey } from '../log/vkey.ts';
import { createNetwork } from '../net/network.ts';
import type {
  Frame,
  FrameVerdict,
  GossipTopic,
  GossipVerdict,
  Network,
  NetworkHandlers,
  NetworkPeer,
} from '../net/types.ts';
import { Admission, type Admitted } from './admission.ts';
import { Answers, batchBytesMax } from './answers.ts';
import type { NodeApi, NodeStatus, TxStatus } from './api.ts';
import { BlockPool } from './blocks.ts';
import { CheckpointFollower } from './checkpointFollower.ts';
import type { Config } from './config.ts';
import { Consensus, type LocalTimings } from './consensus.ts';
import { Cosigner } from './cosigner.ts';
import { abridged, Evidence } from './evidence.ts';
import { Fates } from './fates.ts';
import type { Log } from './log.ts';
import { Mempool } from './mempool.ts';
import { FinalityWindow, NodeMetrics, type Sample } from './metrics.ts';
import {
  blockOf,
  cosignerKeyOf,
  entryOf,
  finalizedTx,
  logKeyOf,
  stateOf,
  summaryOf,
  tokenOf,
  trustOf,
} from './queries.ts';
import { SignState, signStatePath } from './signState.ts';
import { Spread } from './spread.ts';
import { isLasting, readStopMark, type StopMark, writeStopMark } from './stopMark.ts';
import { Subscribers } from './subscribers.ts';
import { decodeRun, runAnswerBytesMax, Sync } from './sync.ts';
import { VoteKey } from './voteKey.ts';
import {
  decodeBlock,
  decodeCosignature,
  decodeEnvelopes,
  decodeHello,
  decodeNumbers,
  decodeSubmitAnswer,
  encodeBlock,
  encodeCosignature,
  encodeEnvelopes,
  encodeEnvelopesRequest,
  encodeHello,
  encodeNumbers,
  frameKinds,
  isFormCode,
  requestKinds,
} from './wire.ts';

/** Wires ledger, network, engine and the rest into one running node. No protocol rule lives here. */

export type NodeOptions = {
  readonly config: Config;
  /** Bytes of the genesis document. */
  readonly genesis: Uint8Array;
  readonly keys: ValidatorKeys;
  readonly version: string;
  readonly log: Log;
  /** Seams for tests. */
  readonly openLedger?: (options: Parameters<typeof Ledger.open>[0]) => Promise<Ledger>;
  readonly timings?: Partial<LocalTimings>;
  readonly wallMs?: () => number;
  /** What outlives this node when its data folder is opened anew (keeper.ts). */
  readonly kept?: Kept;
  readonly diskFreeBytes?: () => number | undefined;
  /** Nothing more is voted, signed, taken or imported by this node. */
  readonly stopped?: (code: string) => void;
  /** Asks to be closed and started again. */
  readonly reopen?: (why: string) => void;
};

export type Kept = { readonly subscribers: Subscribers; readonly fates: Fates; readonly mempool: Mempool };

const requestTimeoutMs = 3000;
const blockBytesMax = 4 * 1024 * 1024;
const publishedNote = 'checkpoint';
const waitingForPeers = 'WAITING_FOR_PEERS';
/** The store was rebuilt, and the journal is whole and ahead of it (voteKey.ts): votes follow once the store is there. */
const storeBehind = 'STORE_BEHIND';
/** An observer asks so many validators more than may lie, and answers once one accepted. */
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
  readonly #blocks: BlockPool;
  readonly #answers: Answers;
  readonly #evidence: Evidence;
  readonly #cosigner: Cosigner;
  /** Observers only. */
  readonly #follower: CheckpointFollower | undefined;
  readonly #sync: Sync;
  readonly #timings: LocalTimings;
  readonly #wallMs: () => number;
  readonly #index: number | undefined;
  readonly #voteKey: VoteKey;
  readonly #timers: NodeJS.Timeout[] = [];
  #consensus: Consensus;
  #network: Network | undefined;
  #notVoting = waitingForPeers;
  #toldHeight = 0;
  /** The newest published checkpoint, until it is stored. */
  #unkept: { readonly note: string; readonly size: number } | undefined;
  #closed: Promise<void> | undefined;

  /** Opens the data folder and starts. @throws WeftError LEDGER_*, GENESIS_*, NET_*, NODE_UNKNOWN, KEYS_FOREIGN */
  static async start(options: NodeOptions): Promise<WeftNode> {
    const verifier = new VerifyPool();
    const open = options.openLedger ?? ((ledgerOptions) => Ledger.open(ledgerOptions));
    let ledger: Ledger | undefined;
    let node: WeftNode | undefined;
    try {
      ledger = await open({ dir: options.config.data, genesis: options.genesis, verifier });
      const { keys, signState, data } = options.config;
      const beside = await SignState.open(nodeFiles, signState ?? signStatePath(keys));
      node = new WeftNode(options, ledger, verifier, beside, await readStopMark(data));
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
    this.#options = options;
    this.#config = options.config;
    this.#log = options.log;
    this.#ledger = ledger;
    this.#verifier = verifier;
    this.#timings = { ...options.config.consensus, ...options.timings };
    this.#wallMs = options.wallMs ?? Date.now;
    const { epoch } = ledger;
    const place = epoch.validators.findIndex(({ name }) => name === options.config.name);
    this.#index = options.config.role === 'validator' && place >= 0 ? place : undefined;
    this.#checkKeys();
    this.#fates = options.kept?.fates ?? new Fates();
    this.#subscribers = options.kept?.subscribers ?? new Subscribers();
    this.#mempool = options.kept?.mempool ?? new Mempool(options.config.mempool);
    const monotonicMs = (): number => performance.now();
    this.#metrics = new NodeMetrics(() => this.#sample());
    this.#spread = new Spread({
      monotonicMs,
      send: async (peer, envelopes) => {
        await this.#net.request(peer, requestKinds.transactions, encodeEnvelopes(envelopes), {
          timeoutMs: requestTimeoutMs,
        });
      },
    });
    this.#admission = new Admission({
      ledger,
      mempool: this.#mempool,
      checkTakes: () => this.#checkTakes(),
      monotonicMs,
      wallMs: this.#wallMs,
      admitted: (prepared, own) => this.#admitted(prepared, own),
    });
    this.#blocks = new BlockPool({
      pooled: (envelopeId) => this.#mempool.get(envelopeId)?.prepared.tx.envelope,
      facts: (blockId, header, transactions) => ledger.factsOf(blockId, header, transactions),
      nameOf: (index) => this.#consensus.nameOf(index),
      askable: () => this.#validatorsAskable(),
      fetchEnvelopes: (peer, blockId, positions) => this.#fetchEnvelopes(peer, blockId, positions),
      fetchBlock: (peer, blockId) => this.#fetchBlock(peer, blockId),
      sleep,
    });
    this.#answers = new Answers({
      ledger,
      blocks: this.#blocks,
      admission: this.#admission,
      checkpoint: () => this.#cosigner.published,
      isValidator: (peer) => this.#isValidator(peer),
      log: this.#log,
    });
    this.#evidence = new Evidence({
      ledger,
      found: (offender, what, messages) => {
        this.#metrics.evidence.inc();
        this.#log.error({ offender, what, messages: abridged(messages) }, 'messages that no honest validator signs');
      },
      failed: (error) => this.#log.error({ error: String(error) }, 'evidence could not be stored'),
    });
    const { chain, origin } = ledger.genesis;
    const logSigner = ed25519Signer(options.keys.log.seed);
    const cosignSigner = ed25519Signer(options.keys.cosigner.seed);
    const own = this.#index === undefined ? undefined : epoch.validators[this.#index];
    this.#cosigner = new Cosigner(
      {
        origin,
        logKey: logKeyOf(origin, logSigner.publicKey),
        signLog: (message) => logSigner.sign(message),
        ...(own === undefined
          ? {}
          : { own: { key: cosignerKeyOf(chain, own), sign: (message: Uint8Array) => cosignSigner.sign(message) } }),
        policy: epoch.validators.map((validator) => cosignerKeyOf(chain, validator)),
        quorum: epoch.quorum,
        cosignEveryBlocks: epoch.consensus.cosignEveryBlocks,
        recosignMs: epoch.consensus.recosignMs,
      },
      {
        // A cosignature that libsodium refuses is dropped: foreign tools would refuse it too.
        verify: verifyFast,
        remember: (size, root) => ledger.rememberCheckpoint(size, root),
        send: (cosignature) => this.#sendCosignature(encodeCosignature(cosignature)),
        published: (note, size) => {
          this.#unkept = { note, size };
        },
        failed: (error) => this.#log.error({ error: String(error) }, 'a checkpoint could not be cosigned'),
        conflict: (key, a, b) =>
          this.#evidence.keep(key.name, `cosignatures of size ${a.size}`, [encodeCosignature(a), encodeCosignature(b)]),
        wallMs: this.#wallMs,
        monotonicMs,
      },
    );
    this.#follower =
      this.#index !== undefined
        ? undefined
        : new CheckpointFollower(
            { chain, origin },
            {
              ledger,
              askable: () => this.#validatorsAskable(),
              fetch: (validator) => this.#ask(validator, requestKinds.checkpoint, new Uint8Array()),
              adopted: (note, size) => this.#cosigner.adopt(note, size),
              log: this.#log,
              monotonicMs,
              wallMs: this.#wallMs,
            },
          );
    this.#sync = new Sync({
      ledger,
      askable: () => this.#net.askable(),
      fetchRun: (peer, fromHeight, bytesMax, timeoutMs) => this.#fetchRun(peer, fromHeight, bytesMax, timeoutMs),
      imported: (blocks) => {
        this.#consensus.imported(blocks);
        this.#committed(blocks);
      },
      blame: (peer, code) => this.#log.warn({ peer, code }, 'a peer sent a run of blocks that no honest node sends'),
      halted: (code, detail) => this.#halted(code, detail),
      faults: () => ledger.epoch.validators.length - ledger.epoch.quorum,
      isValidator: (peer) => this.#isValidator(peer),
      log: this.#log,
      monotonicMs,
      sleep,
    });
    this.#voteKey = new VoteKey(ledger, options.keys.vote.publicKey, epoch.epoch, signState);
    const refusal = this.#index === undefined ? '' : this.#voteKey.refusal();
    const waits =
      mark?.code ?? (refusal === '' && this.#index !== undefined && this.#voteKey.storeBehind ? storeBehind : refusal);
    if (waits !== '') this.#notVoting = waits;
    this.#consensus = this.#makeConsensus(waits === '' ? this.#index : undefined);
    this.api = this.#makeApi();
  }

  async #start(): Promise<void> {
    const ledger = this.#ledger;
    const published = ledger.note(publishedNote);
    if (published !== undefined) {
      const [size, note] = readPublished(published);
      this.#cosigner.restore(note, size);
      this.#follower?.restore(note);
    }
    const { finalized } = ledger;
    const { config } = this.#options;
    this.#network = await createNetwork(
      {
        chain: ledger.genesis.chain,
        name: config.name,
        role: this.#index === undefined ? 'observer' : 'validator',
        peerSeed: this.#options.keys.peer.seed,
        listen: config.peer.listen,
        peers: this.#peers(),
        limits: {
          requestBytesMax: batchBytesMax,
          answerBytesMax: runAnswerBytesMax,
          messageBytesMax: runAnswerBytesMax + 1024,
          queueBytesMax: runAnswerBytesMax + 4 * 1024 * 1024,
        },
      },
      { log: this.#log, handlers: this.#handlers() },
    );
    await this.#consensus.start();
    if (finalized.header.height > 0) this.#cosigner.committed(cosigned(finalized.header));
    this.#timers.push(
      setInterval(() => {
        this.#cosigner.tick();
        void this.#keepPublished();
      }, 250),
      setInterval(() => this.#tellHeight(), heightEveryMs),
      setInterval(() => this.#housekeeping(), againEveryMs),
    );
    if (this.#ledger.epoch.validators.length === 1) this.#sync.follows();
    if (this.#failed) {
      this.#log.error({ code: this.#notVoting }, 'this node had stopped and only answers questions: run weft recover');
      await this.#stopWork();
    }
    this.#log.info(
      { chain: ledger.genesis.chain, height: finalized.header.height, listen: this.#net.addresses() },
      'node started',
    );
  }

  /** Stops in order: no new work, no votes, nothing lost; the data folder is unlocked last. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#spread.close();
    this.#answers.close();
    this.#admission.close();
    // The network first: whoever waits for a peer's answer is told at once that none comes.
    const ends = await Promise.allSettled([this.#network?.close(), this.#stopWork(), this.#verifier.close()]);
    for (const end of ends) if (end.status === 'rejected') this.#log.warn({ error: String(end.reason) }, 'stopping');
    this.#fates.close();
    await this.#keepPublished();
    await this.#ledger.close();
    this.#log.info({ height: this.#ledger.finalized.header.height }, 'node stopped');
  }

  /** No vote, no block, no checkpoint from here on. Resolves when what is being written is. */
  async #stopWork(): Promise<void> {
    const stopped = [this.#consensus.stop(), this.#sync.stop(), this.#cosigner.stop()];
    this.#blocks.clear();
    await Promise.all(stopped);
  }

  get #net(): Network {
    if (this.#network === undefined) throw new WeftError('NODE_NOT_STARTED', 'the network is not up yet');
    return this.#network;
  }

  #checkKeys(): void {
    const { config, keys } = this.#options;
    const validator = this.#ledger.epoch.validators.find(({ name }) => name === config.name);
    const observer = this.#ledger.genesis.document.observers.find(({ name }) => name === config.name);
    const listed = validator?.peer ?? (observer === undefined ? undefined : peerKeyOf(observer.peer));
    if (listed === undefined) {
      throw new WeftError(
        'NODE_UNKNOWN',
        `the ledger lists no validator or observer named '${config.name}'; correct \`name\` in the configuration`,
      );
    }
    const same = (a: Uint8Array, b: Uint8Array): boolean => toHex(a) === toHex(b);
    const fits =
      same(listed, keys.peer.publicKey) &&
      (validator === undefined ||
        (same(validator.vote, keys.vote.publicKey) &&
          same(validator.log, keys.log.publicKey) &&
          same(validator.cosigner, keys.cosigner.publicKey)));
    if (!fits) {
      throw new WeftError(
        'KEYS_FOREIGN',
        `the key file is not that of '${config.name}' on this chain; point \`keys\` at the right file`,
      );
    }
  }

  #makeConsensus(me: number | undefined): Consensus {
    const ledger = this.#ledger;
    const consensus = new Consensus(
      {
        epoch: ledger.epoch,
        genesisHash: ledger.genesis.genesisHash,
        chain: ledger.genesis.chain,
        me,
        signer: me === undefined ? undefined : ed25519Signer(this.#options.keys.vote.seed),
        timings: this.#timings,
      },
      {
        ledger,
        mempool: this.#mempool,
        blocks: this.#blocks,
        network: () => this.#net,
        log: this.#log,
        monotonicMs: () => performance.now(),
        wallMs: this.#wallMs,
      },
      {
        journalReady: () => this.#voteKey.begin(),
        committed: (blocks) => this.#committed(blocks),
        behind: (certificate) => this.#behind(certificate),
        voting: () => {
          // Why this node stopped is not taken back by an engine that asks to vote.
          if (this.#notVoting !== '' && this.#notVoting !== waitingForPeers) return;
          this.#notVoting = '';
          this.#log.info({ epoch: ledger.epoch.epoch }, 'voting');
        },
        halted: (code, detail, evidence) => this.#halted(code, detail, evidence),
        evidence: (offender, a, b, view) => this.#evidence.keep(offender, `votes of view ${view}`, [a, b]),
      },
    );
    consensus.fetchWhole = (peer, blockId) => this.#fetchBlock(peer, blockId);
    return consensus;
  }

  #peers(): NetworkPeer[] {
    const { config } = this.#options;
    const addresses = (name: string): string[] =>
      config.peer.peers.filter((peer) => peer.name === name).map(({ address }) => address);
    const observers = this.#ledger.genesis.document.observers;
    return [
      ...this.#ledger.epoch.validators.map(({ name, peer }) => ({
        name,
        role: 'validator' as const,
        peerKey: peer,
        addresses: addresses(name),
      })),
      ...observers.map(({ name, peer }) => ({
        name,
        role: 'observer' as const,
        peerKey: peerKeyOf(peer),
        addresses: addresses(name),
      })),
    ].filter(({ name }) => name !== config.name);
  }

  #validatorsAskable(): readonly string[] {
    const askable = this.#net.askable();
    return this.#ledger.epoch.validators.map(({ name }) => name).filter((name) => askable.includes(name));
  }

  #isValidator(peer: string): boolean {
    return this.#ledger.epoch.validators.some(({ name }) => name === peer);
  }

  #otherValidators(): string[] {
    return this.#ledger.epoch.validators.map(({ name }) => name).filter((name) => name !== this.#config.name);
  }

  // --- network in -----------------------------------------------------------------------------------------------------

  #handlers(): NetworkHandlers {
    return {
      hello: () => this.#hello(),
      onHello: (peer, payload) => this.#onHello(peer, payload),
      onFrame: (frame) => this.#onFrame(frame),
      onRequest: (peer, kind, payload) => this.#answers.answer(peer, kind, payload),
      verifyRelayed: (kind, payload) => this.#consensus.verifyRelayed(kind, payload),
      onUp: (peer) => this.#onUp(peer),
      onDown: (peer) => this.#sync.forget(peer),
      onHeard: (validator) => this.#consensus.heard(validator),
      onGossip: (topic, data) => this.#onGossip(topic, data),
    };
  }

  #hello(): Uint8Array {
    const { finalized, epoch, genesis } = this.#ledger;
    return encodeHello({
      chain: genesis.chain,
      ruleset: epoch.ruleset,
      epoch: epoch.epoch,
      view: this.#consensus.status().view,
      finalizedHeight: finalized.header.height,
      finalizedView: finalized.certificate?.subject.view ?? 0,
    });
  }

  #onHello(peer: string, payload: Uint8Array): FrameVerdict {
    try {
      const hello = decodeHello(payload);
      if (hello.chain !== this.#ledger.genesis.chain) return 'invalid';
      this.#consensus.connected(peer, hello);
      this.#sync.heard(peer, hello.finalizedHeight, 1);
      return undefined;
    } catch {
      return 'invalid';
    }
  }

  #onUp(peer: string): void {
    const newest = this.#cosigner.ownNewest();
    if (newest !== undefined) {
      this.#net.send(peer, 'urgent', frameKinds.cosignature, encodeCosignature(newest), { class: 'other' });
    }
  }

  #onFrame(frame: Frame): FrameVerdict {
    try {
      switch (frame.kind) {
        case frameKinds.cosignature:
          this.#cosigner.receive(decodeCosignature(frame.payload));
          return undefined;
        case frameKinds.finalizedHeight: {
          const [height = 0] = decodeNumbers(frame.payload, 1);
          // What is a block or two away comes by consensus; more than that does not come by itself.
          this.#sync.heard(frame.peer, height, 2);
          return undefined;
        }
        default:
          return this.#consensus.onFrame(frame);
      }
    } catch (error) {
      if (error instanceof WeftError) return 'invalid';
      throw error;
    }
  }

  async #onGossip(topic: GossipTopic, data: Uint8Array): Promise<GossipVerdict> {
    try {
      switch (topic) {
        case 'headers':
          return this.#onHeader(data);
        case 'transactions':
          await this.#admission.submit(data, false);
          return 'accept';
        case 'checkpoints': {
          return this.#cosigner.receive(decodeCosignature(data)) === 'new' ? 'accept' : 'ignore';
        }
        default:
          return 'ignore';
      }
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      // What depends on time, state or room here says nothing about who passed it on.
      return isFormCode(error.code) ? 'reject' : 'ignore';
    }
  }

  #onHeader(data: Uint8Array): GossipVerdict {
    const { header: headerBytes, body: certificateBytes } = decodeBlock(data, 64 * 1024);
    const { epoch, genesis, finalized } = this.#ledger;
    const header = decodeHeader(headerBytes);
    if (header.epoch !== epoch.epoch || header.chain !== genesis.chain) return 'ignore';
    if (header.height <= finalized.header.height) return 'ignore';
    const certificate = decodeCertificate(certificateBytes, epoch.validators.length);
    if (certificate.kind !== 'finalize' || certificate.subject.blockId !== blockIdOfBytes(headerBytes)) return 'reject';
    if (!verifyCertificate(certificate, genesis.genesisHash, epoch.validators)) return 'reject';
    this.#consensus.certificate(certificate);
    if (this.#index === undefined) this.#sync.catchUpTo(header.height);
    return 'accept';
  }

  // --- network out ----------------------------------------------------------------------------------------------------

  async #ask(
    peer: string,
    kind: number,
    payload: Uint8Array,
    timeoutMs = requestTimeoutMs,
  ): Promise<Uint8Array | undefined> {
    try {
      return await this.#net.request(peer, kind, payload, { timeoutMs });
    } catch (error) {
      this.#log.debug({ peer, kind, code: codeOf(error) }, 'request failed');
      return undefined;
    }
  }

  async #fetchBlock(peer: string, blockId: string): Promise<{ header: Uint8Array; body: Uint8Array } | undefined> {
    const answer = await this.#ask(peer, requestKinds.block, fromHex(blockId, 32));
    return decoded(answer, (bytes) => decodeBlock(bytes, blockBytesMax));
  }

  async #fetchEnvelopes(
    peer: string,
    blockId: string,
    positions: readonly number[],
  ): Promise<readonly Uint8Array[] | undefined> {
    const answer = await this.#ask(peer, requestKinds.envelopes, encodeEnvelopesRequest(blockId, positions));
    return decoded(answer, (bytes) => decodeEnvelopes(bytes, { bytesMax: blockBytesMax, countMax: positions.length }));
  }

  async #fetchRun(peer: string, fromHeight: number, bytesMax: number, timeoutMs: number): Promise<Run | undefined> {
    const answer = await this.#ask(peer, requestKinds.run, encodeNumbers(fromHeight, bytesMax), timeoutMs);
    return decoded(answer, decodeRun);
  }

  #sendCosignature(payload: Uint8Array): void {
    this.#net.broadcast('urgent', frameKinds.cosignature, payload, { class: 'other' });
    if (this.#hasObservers()) void this.#net.publish('checkpoints', payload);
  }

  #tellHeight(): void {
    const { height } = this.#ledger.finalized.header;
    if (height === this.#toldHeight) return;
    this.#toldHeight = height;
    const payload = encodeNumbers(height);
    this.#net.broadcast('urgent', frameKinds.finalizedHeight, payload, { class: 'other' });
    for (const { name } of this.#ledger.genesis.document.observers) {
      if (name !== this.#config.name)
        this.#net.send(name, 'bulk', frameKinds.finalizedHeight, payload, { class: 'other' });
    }
  }

  #hasObservers(): boolean {
    return this.#ledger.genesis.document.observers.length > 0;
  }

  #housekeeping(): void {
    void this.#follower?.tick();
    if (this.#notVoting === storeBehind && !this.#voteKey.storeBehind && !this.#sync.catchingUp)
      this.#options.reopen?.(storeBehind);
    if (this.#mempool.size === 0) return;
    const leader = this.#consensus.status().leader;
    const name = this.#consensus.nameOf(leader);
    this.#spread.sendAgain(this.#mempool, name === this.#config.name ? undefined : name, this.#otherValidators());
    this.#consensus.remindOfWork();
  }

  // --- what happens -----------------------------------------------------------------------------------------------------

  #admitted(prepared: PreparedTx, own: boolean): void {
    this.#fates.saw(prepared.tx.txId, prepared.tx.expires);
    if (own) this.#spread.push(this.#otherValidators(), prepared.tx.envelopeId, prepared.tx.envelope);
    this.#consensus.workChanged();
  }

  #committed(blocks: readonly CommittedBlock[]): void {
    const now = this.#wallMs();
    for (const block of blocks) {
      const { header } = block;
      this.#finality.add(Math.max(0, now - header.time));
      this.#metrics.finality.observe(Math.max(0, now - header.time) / 1000);
      this.#metrics.blocks.inc();
      this.#cosigner.committed(cosigned(header));
      const applied = block.transactions.filter(({ refused }) => refused === undefined).length;
      this.#metrics.transactions.inc({ outcome: 'applied' }, applied);
      this.#metrics.transactions.inc({ outcome: 'refused' }, block.transactions.length - applied);
      for (const { txId } of block.transactions) {
        this.#fates.finalized(txId);
        if (this.#subscribers.wants(txId)) {
          const status = finalizedTx(this.#ledger, txId);
          if (status !== undefined) this.#subscribers.transaction(status);
        }
      }
      this.#fates.passed(header.time);
      this.#subscribers.committed(block, this.#summary(block));
      this.#gossipHeader(block);
    }
    this.#sync.follows();
  }

  #summary(block: CommittedBlock): ReturnType<typeof summaryOf> {
    const { blockId, header, transactions } = block;
    const stored = {
      blockId,
      header,
      headerBytes: new Uint8Array(),
      transactions: transactions.length,
      certificate: undefined,
    };
    return summaryOf(stored, this.#ledger.epochOf(header.epoch));
  }

  /** The proposer tells everybody else; validators have it already. */
  #gossipHeader(block: CommittedBlock): void {
    if (!this.#hasObservers() || block.certificate === undefined || block.header.proposer !== this.#index) return;
    const stored = this.#ledger.block(block.blockId);
    if (stored === undefined) return;
    const certificate = encodeCertificate(block.certificate, this.#ledger.epoch.validators.length);
    void this.#net.publish('headers', encodeBlock(stored.headerBytes, certificate));
  }

  #behind(certificate: Finalization): void {
    this.#log.debug({ view: certificate.subject.view }, 'a finalized block is not here: catching up');
    this.#sync.catchUpTo(
      Math.max(this.#ledger.finalized.header.height + 1, this.#ledger.finalized.header.height + this.#sync.behind),
    );
  }

  /** Stops all work, as a write that fails does: nothing is voted, signed, taken or imported until it is opened anew. */
  halt(code: string, detail: string): void {
    this.#halted(code, detail);
  }

  #halted(code: string, detail: string, evidence: readonly Uint8Array[] = []): void {
    this.#log.error({ code, detail }, 'this node has stopped voting');
    if (evidence.length > 0) this.#evidence.keep(code, detail, evidence);
    // The first cause is the one to look at.
    if (this.#failed) return;
    this.#notVoting = code;
    if (this.#failed) {
      // What this node holds or says next cannot be trusted: it answers questions about the past, and adds nothing.
      this.#keepStopMark(code, detail);
      this.#options.stopped?.(code);
      this.#stopWork().catch((error: unknown) => this.#log.error({ error: String(error) }, 'could not stop in order'));
      return;
    }
    if (code !== 'JOURNAL_ROLLED_BACK') return;
    this.#voteKey.retire(code).catch((error: unknown) => {
      this.#log.error({ error: String(error) }, 'that this key votes no more could not be stored');
    });
    // It follows on without a vote: only a new vote key may vote again (W11).
    const stopped = this.#consensus;
    this.#consensus = this.#makeConsensus(undefined);
    void stopped
      .stop()
      .then(() => this.#consensus.start())
      .catch((error: unknown) => this.#log.error({ error: String(error) }, 'cannot follow'));
  }

  #keepStopMark(code: string, detail: string): void {
    if (!isLasting(code)) return;
    const { height } = this.#ledger.finalized.header;
    writeStopMark(this.#config.data, { code, detail, height, time: this.#wallMs() }).catch((error: unknown) => {
      this.#log.error({ error: String(error) }, 'why this node stopped could not be stored');
    });
  }

  /**
   * Kept so that a restarted node has a checkpoint to serve at once. What vouches for it is durable before anything is
   * cosigned, so this copy may lag a little: several a block would cost as many syncs.
   */
  async #keepPublished(): Promise<void> {
    const published = this.#unkept;
    if (published === undefined) return;
    this.#unkept = undefined;
    try {
      await this.#ledger.putNote(publishedNote, encodeCbor([published.size, encodeUtf8(published.note)]));
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'the checkpoint could not be stored');
    }
  }

  // --- faces ------------------------------------------------------------------------------------------------------------

  #makeApi(): NodeApi {
    const ledger = this.#ledger;
    return {
      status: () => this.#status(),
      submit: (envelope) => this.#submit(envelope),
      transaction: (id) => this.#transaction(id),
      wait: (id, timeoutMs) => this.#wait(id, timeoutMs),
      block: (heightOrId) => blockOf(ledger, heightOrId),
      entry: (index) => entryOf(ledger, index),
      checkpoint: () => this.#cosigner.published,
      token: (which) => tokenOf(ledger, which, this.#cosigner.published, this.#cosigner.publishedSize),
      state: (path, withProof) => stateOf(ledger, path, withProof),
      tile: (path) => ledger.tile(path),
      trust: () => trustOf(ledger.genesis.chain, ledger.genesis.origin, ledger.epoch, this.#wallMs()),
      genesis: () => ledger.genesis.bytes,
      subscribe: (subscription, listener) => this.#subscribers.add(subscription, listener),
      metrics: () => this.#metrics.text(),
      // A disk without room passes: whoever restarts what is not healthy would only take the answers away.
      healthy: () => !this.#failed || /^DISK_/.test(this.#notVoting),
      ready: () => this.#ready(),
    };
  }

  async #submit(envelope: Uint8Array): Promise<TxStatus> {
    this.#checkTakes();
    const admitted = this.#index === undefined ? await this.#passOn(envelope) : await this.#admission.submit(envelope);
    if (admitted.status === 'finalized') {
      return finalizedTx(this.#ledger, admitted.txId) ?? { status: 'pending', id: admitted.txId };
    }
    return { status: 'pending', id: admitted.prepared.tx.txId };
  }

  /** @throws WeftError NODE_STOPPED: what would be taken now could enter no block through this node */
  #checkTakes(): void {
    if (!this.#failed) return;
    throw new WeftError(
      'NODE_STOPPED',
      `this node has stopped (${this.#notVoting}) and takes no transactions; ask another one`,
      { reason: this.#notVoting, retryAfterMs: 5000 },
    );
  }

  /** An observer passes a transaction to f+1 validators and answers only after one accepted it. */
  async #passOn(envelope: Uint8Array): Promise<Admitted> {
    const { epoch } = this.#ledger;
    const [answer] = await this.#ledger.prepare([envelope], 'admission');
    if (answer instanceof WeftError) throw answer;
    if (answer === undefined) throw new WeftError('INTERNAL', 'a submission without an answer');
    const { txId, expires } = answer.tx;
    if (this.#ledger.seen(txId)) return { status: 'finalized', txId };
    const targets = this.#validatorsAskable().slice(0, epoch.validators.length - epoch.quorum + 1);
    const answers = await Promise.all(targets.map((peer) => this.#ask(peer, requestKinds.submit, envelope)));
    // What is no answer is none: a liar must not turn an acceptance into an error.
    const read = answers.map((bytes) => decoded(bytes, decodeSubmitAnswer)).filter((word) => word !== undefined);
    if (read.some(({ verdict }) => verdict === 'ok')) {
      this.#fates.saw(txId, expires);
      return { status: 'pending', prepared: answer };
    }
    const refused = read.find((word) => word.verdict === 'refused');
    if (refused === undefined)
      throw new WeftError('VALIDATORS_UNREACHABLE', 'no validator could be reached; try again shortly', {
        retryAfterMs: 1000,
      });
    throw new WeftError(refused.code, refused.reason);
  }

  #transaction(id: string): TxStatus {
    const finalized = finalizedTx(this.#ledger, id);
    if (finalized !== undefined) return finalized;
    const expires = this.#fates.expiryOf(id);
    if (expires !== undefined && this.#ledger.finalized.header.time >= expires) return { status: 'expired', id };
    if (expires !== undefined || this.#mempool.hasTx(id)) return { status: 'pending', id };
    return { status: 'unknown', id };
  }

  #wait(id: string, timeoutMs: number): Promise<TxStatus> {
    const now = this.#transaction(id);
    const over = now.status === 'finalized' || now.status === 'expired' || this.#closed !== undefined;
    if (over) return Promise.resolve(now);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stop();
        resolve(this.#transaction(id));
      };
      const stop = this.#fates.wait(id, done);
      const timer = setTimeout(done, timeoutMs);
    });
  }

  /** Whatever but a journal stops the engine (a disk, a divergence, a defect) does not pass by itself. */
  get #failed(): boolean {
    return !/^$|^WAITING_FOR_PEERS$|^STORE_BEHIND$|^JOURNAL_/.test(this.#notVoting);
  }

  #ready(): { ready: boolean; reason: string } {
    if (this.#failed) return { ready: false, reason: this.#notVoting };
    if (this.#sync.catchingUp) return { ready: false, reason: 'CATCHING_UP' };
    if (this.#index !== undefined && this.#notVoting !== '') return { ready: false, reason: this.#notVoting };
    return { ready: true, reason: '' };
  }

  #status(): NodeStatus {
    const ledger = this.#ledger;
    const { epoch, genesis, finalized } = ledger;
    const engine = this.#consensus.status();
    const policy = ledger.state.get('governance/policy/current') as { version: number; digest: string } | undefined;
    const own = this.#index === undefined ? undefined : epoch.validators[this.#index];
    const { header } = finalized;
    const observing = this.#index === undefined && !this.#failed ? '' : this.#notVoting;
    return {
      name: this.#config.name,
      version: this.#options.version,
      chain: genesis.chain,
      origin: genesis.origin,
      genesisHash: genesis.genesisHash,
      role: this.#index === undefined ? 'observer' : 'validator',
      ruleset: epoch.ruleset,
      epoch: epoch.epoch,
      view: engine.view,
      leader: this.#consensus.nameOf(engine.leader) ?? '',
      finalized: {
        height: header.height,
        view: header.view,
        blockId: finalized.blockId,
        time: header.time,
        logSize: header.logSize,
        logRoot: header.logRoot,
        stateRoot: header.stateRoot,
      },
      catchingUp: this.#sync.catchingUp,
      behind: this.#sync.behind,
      notVoting:
        observing === waitingForPeers && this.#sync.catchingUp && this.#sync.behind > 0 ? 'CATCHING_UP' : observing,
      validators: epoch.validators.map(({ name }) => {
        const heard = name === this.#config.name ? 0 : this.#net.heardMs(name);
        return {
          name,
          connected: name === this.#config.name || this.#net.connected(name),
          heardMs: Number.isFinite(heard) ? Math.round(heard) : null,
        };
      }),
      quorum: epoch.quorum,
      mempool: { transactions: this.#mempool.size, bytes: this.#mempool.bytes },
      logKey: this.#follower?.logKey ?? formatVkey(logKeyOf(genesis.origin, this.#options.keys.log.publicKey)),
      cosigner: own === undefined ? null : formatVkey(cosignerKeyOf(genesis.chain, own)),
      finalityMs: { p50: this.#finality.quantile(0.5), p99: this.#finality.quantile(0.99) },
      policy: { version: policy?.version ?? 0, digest: policy?.digest ?? '' },
    };
  }

  #sample(): Sample {
    const engine = this.#consensus.status();
    const { header } = this.#ledger.finalized;
    return {
      height: header.height,
      view: engine.view,
      epoch: this.#ledger.epoch.epoch,
      logSize: header.logSize,
      behind: this.#sync.behind,
      voting: this.#consensus.voting,
      mempoolTransactions: this.#mempool.size,
      mempoolBytes: this.#mempool.bytes,
      blocksUnderWay: this.#blocks.size,
      journalBytes: this.#ledger.journal.bytes,
      diskFreeBytes: this.#options.diskFreeBytes?.(),
      cosignaturesDropped: this.#cosigner.dropped,
      invalidSignatures: this.#consensus.invalidSignatures,
      slowPathVerifications: slowPathCount(),
      admissionRefused: this.#admission.refused,
      spreadDropped: this.#spread.dropped,
      network: this.#net.stats(),
    };
  }
}

function cosigned(header: ReturnType<typeof decodeHeader>): {
  height: number;
  time: number;
  logSize: number;
  logRoot: string;
  closing: boolean;
} {
  const { height, time, logSize, logRoot } = header;
  return { height, time, logSize, logRoot, closing: isClosing(header) };
}

function readPublished(bytes: Uint8Array): [size: number, note: string] {
  const value = decodeCbor(bytes, { bytesMax: 128 * 1024 });
  if (!Array.isArray(value)) return [0, ''];
  const [size, note] = value as [number, Uint8Array];
  return [size, decodeUtf8(note)];
}

function decoded<T>(answer: Uint8Array | undefined, decode: (bytes: Uint8Array) => T): T | undefined {
  if (answer === undefined) return undefined;
  try {
    return decode(answer);
  } catch {
    return undefined;
  }
}

function peerKeyOf(text: string): Uint8Array {
  return fromBase64Url(text, 32);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
