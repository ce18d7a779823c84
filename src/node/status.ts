import { slowPathCount } from '../crypto/ed25519.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { formatVkey } from '../log/vkey.ts';
import type { Network } from '../net/types.ts';
import type { Admission } from './admission.ts';
import type { NodeStatus } from './api.ts';
import type { Duties } from './duties.ts';
import type { EpochRuntime } from './epochRuntime.ts';
import type { Mempool } from './mempool.ts';
import type { FinalityWindow, Sample } from './metrics.ts';
import type { Overload } from './overload.ts';
import { cosignerKeyOf, logKeyOf } from './queries.ts';
import type { Spread } from './spread.ts';
import type { Sync } from './sync.ts';

/** How a node is, for people and for metrics. */
export type StatusModules = {
  readonly name: string;
  readonly version: string;
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly admission: Admission;
  readonly overload: Overload;
  readonly spread: Spread;
  readonly sync: Sync;
  readonly duties: Duties;
  readonly finality: FinalityWindow;
  readonly network: () => Network;
  readonly runtime: () => EpochRuntime;
  /** Code of what this node does not recover from, else ''. */
  readonly failure: () => string;
  readonly diskFreeBytes: () => number | undefined;
  /** Epochs that are over and whose closing checkpoint is not here yet. */
  readonly closingMissing: () => number;
  readonly storedChecked: () => number;
  readonly peerWorkDropped: () => number;
  readonly verifyPending: () => number;
};

export function statusOf(modules: StatusModules): NodeStatus {
  const { name, version, ledger, mempool, sync, finality } = modules;
  const { epoch, genesis, finalized } = ledger;
  const network = modules.network();
  const runtime = modules.runtime();
  const { keys } = runtime.standing;
  const engine = runtime.consensus.status();
  const policy = ledger.state.get('governance/policy/current') as { version: number; digest: string } | undefined;
  const own = runtime.index === undefined ? undefined : runtime.epoch.validators[runtime.index];
  const { header } = finalized;
  const notVoting = notVotingOf(modules);
  return {
    name,
    version,
    chain: genesis.chain,
    origin: genesis.origin,
    genesisHash: genesis.genesisHash,
    role: runtime.index === undefined ? 'observer' : 'validator',
    ruleset: epoch.ruleset,
    epoch: epoch.epoch,
    view: engine.view,
    leader: runtime.consensus.nameOf(engine.leader) ?? '',
    finalized: {
      height: header.height,
      view: header.view,
      blockId: finalized.blockId,
      time: header.time,
      logSize: header.logSize,
      logRoot: header.logRoot,
      stateRoot: header.stateRoot,
    },
    catchingUp: sync.catchingUp,
    behind: sync.behind,
    retention: { fromHeight: ledger.floor.height, fromEntry: ledger.floor.entry, fromHash: ledger.floor.tiles },
    notVoting: notVoting === 'WAITING_FOR_PEERS' && sync.catchingUp && sync.behind > 0 ? 'CATCHING_UP' : notVoting,
    validators: epoch.validators.map((validator) => {
      const heard = validator.name === name ? 0 : network.heardMs(validator.name);
      return {
        name: validator.name,
        connected: validator.name === name || network.connected(validator.name),
        heardMs: Number.isFinite(heard) ? Math.round(heard) : null,
      };
    }),
    quorum: epoch.quorum,
    mempool: { transactions: mempool.size, bytes: mempool.bytes },
    logKey: runtime.follower?.logKey ?? formatVkey(logKeyOf(genesis.origin, keys.log.publicKey)),
    cosigner: own === undefined ? null : formatVkey(cosignerKeyOf(genesis.chain, own)),
    finalityMs: { p50: finality.quantile(0.5), p99: finality.quantile(0.99) },
    evidence: modules.duties.counts(),
    policy: { version: policy?.version ?? 0, digest: policy?.digest ?? '' },
  };
}

/** The first cause is the one to look at. */
function notVotingOf({ failure, runtime }: StatusModules): string {
  return failure() === '' ? runtime().notVoting : failure();
}

export function readinessOf(modules: StatusModules): { ready: boolean; reason: string } {
  const { sync, runtime, failure } = modules;
  if (failure() !== '') return { ready: false, reason: failure() };
  if (sync.catchingUp) return { ready: false, reason: 'CATCHING_UP' };
  const { notVoting } = runtime();
  return { ready: notVoting === '', reason: notVoting };
}

export function sampleOf(modules: StatusModules): Sample {
  const { ledger, mempool, admission, overload, spread, sync, duties } = modules;
  const evidence = duties.counts();
  const { consensus, cosigner, blocks } = modules.runtime();
  const { header } = ledger.finalized;
  const engine = consensus.status();
  const network = modules.network().stats();
  return {
    height: header.height,
    view: engine.view,
    epoch: ledger.epoch.epoch,
    logSize: header.logSize,
    behind: sync.behind,
    voting: consensus.voting,
    mempoolTransactions: mempool.size,
    mempoolBytes: mempool.bytes,
    blocksUnderWay: blocks.size,
    journalBytes: ledger.journal.bytes,
    closingMissing: modules.closingMissing(),
    diskFreeBytes: modules.diskFreeBytes(),
    storedChecked: modules.storedChecked(),
    cosignaturesDropped: cosigner.dropped,
    invalidSignatures: consensus.invalidSignatures,
    slowPathVerifications: slowPathCount(),
    admissionRefused: admission.refused,
    overloadShare: overload.share,
    overloadRefused: overload.refused,
    loopDelayMs: overload.delayMs,
    spreadDropped: spread.dropped,
    evidenceFound: evidence.found,
    evidenceRecorded: evidence.recorded,
    queues: {
      outwardHeld: consensus.outward.held,
      outwardDropped: consensus.outward.dropped,
      peerWorkDropped: modules.peerWorkDropped(),
      blocksEvicted: blocks.evicted,
      verifyPending: modules.verifyPending(),
      viewsRetained: engine.viewsRetained,
      engine: engine.counters,
      network,
    },
    network,
  };
}
