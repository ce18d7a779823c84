import type { Ledger } from '../ledger/ledger.ts';
import type { Network } from '../net/types.ts';
import type { NodeApi } from './api.ts';
import type { Clients } from './clients.ts';
import type { Closing } from './closing.ts';
import type { Config } from './config.ts';
import type { Cosigner } from './cosigner.ts';
import type { Duties } from './duties.ts';
import type { Failure } from './failure.ts';
import { governanceOf } from './governance.ts';
import { alertsOf, intentOf, intentsOf, waitingOf } from './intents.ts';
import { peersKnown } from './membership.ts';
import type { NodeMetrics } from './metrics.ts';
import { grantStatusOf, type PublishedNote, stateProofOf, walkOf } from './proofs.ts';
import { blockOf, entryOf, evidenceOf, stateOf, tokenOf, trustOf } from './queries.ts';
import { readinessOf, type StatusModules, statusOf } from './status.ts';
import type { Subscribers } from './subscribers.ts';

/** The one interface through which RPC reaches a node (api.ts), put together from its parts. */
export type ApiModules = {
  readonly config: Config;
  readonly ledger: Ledger;
  readonly clients: Clients;
  readonly closing: Closing;
  readonly cosigner: () => Cosigner;
  readonly duties: Duties;
  readonly failure: Failure;
  readonly metrics: NodeMetrics;
  readonly network: () => Network;
  readonly status: StatusModules;
  readonly subscribers: Subscribers;
  readonly wallMs: () => number;
};

export function makeApi(modules: ApiModules): NodeApi {
  const { config, ledger, clients, closing, cosigner, duties, failure, metrics, network, status, subscribers } =
    modules;
  const published = (): PublishedNote => ({ note: cosigner().published, size: cosigner().publishedSize });
  return {
    status: () => statusOf(status),
    submit: (envelope) => clients.submit(envelope),
    transaction: (id) => clients.transaction(id),
    wait: (id, timeoutMs) => clients.wait(id, timeoutMs),
    block: (heightOrId) => blockOf(ledger, heightOrId),
    entry: (index) => entryOf(ledger, index),
    warm: (index, proof) => ledger.warm(index, proof),
    published: (timeoutMs) => subscribers.nextPublished(timeoutMs),
    checkpoint: () => cosigner().published,
    closing: (epoch) => closing.note(epoch),
    token: (which) => tokenOf(ledger, which, cosigner().published, cosigner().publishedSize),
    tokenStatus: (intent) => grantStatusOf(ledger, intent, published()),
    stateProof: (paths) => stateProofOf(ledger, paths, published()),
    walk: (epoch) => walkOf(ledger, closing, epoch, published()),
    state: (path, withProof) => stateOf(ledger, path, withProof),
    tile: (path) => ledger.tile(path),
    trust: () => trustOf(ledger.genesis.chain, ledger.genesis.origin, ledger.epoch, modules.wallMs()),
    genesis: () => ledger.genesis.bytes,
    peers: () => peersKnown(config, network().addresses()),
    governance: () => governanceOf(ledger),
    evidence: () => evidenceOf(ledger, duties.open()),
    intent: (id) => intentOf(ledger, id),
    intents: (asked) => intentsOf(ledger, asked),
    waitingIntents: (limit) => waitingOf(ledger, limit),
    alerts: () => alertsOf(ledger),
    subscribe: (subscription, listener) => subscribers.add(subscription, listener),
    metrics: () => metrics.text(),
    healthy: () => failure.healthy,
    ready: () => readinessOf(status),
  };
}
