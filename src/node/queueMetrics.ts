import type { Counters } from '../../consensus/state.ts';
import type { NetworkStats } from '../net/types.ts';

/** Every queue that others can fill: how full it is, and what it has dropped (docs/bounds.md lists them all). */
export type QueueCounts = {
  /** What the engine has said and the disk has not let out yet. */
  readonly outwardHeld: number;
  readonly outwardDropped: number;
  /** Requests and batches of peers that were not worked on, because too many of that peer waited. */
  readonly peerWorkDropped: number;
  readonly blocksEvicted: number;
  /** Signatures that wait to be verified. */
  readonly verifyPending: number;
  readonly viewsRetained: number;
  readonly engine: Counters;
  readonly network: NetworkStats;
};

export type QueueGauge = readonly [name: string, help: string, read: (counts: QueueCounts) => number];

export const queueGauges: readonly QueueGauge[] = [
  ['weft_outward_held', 'Messages that wait for the disk.', (q) => q.outwardHeld],
  ['weft_outward_dropped_total', 'Answers to peers that were dropped behind a slow disk.', (q) => q.outwardDropped],
  ['weft_peer_work_dropped_total', 'Work of peers that was not done, for too much of it.', (q) => q.peerWorkDropped],
  ['weft_blocks_evicted_total', 'Unfinalized blocks that made room for others.', (q) => q.blocksEvicted],
  ['weft_verify_pending', 'Signatures that wait to be verified.', (q) => q.verifyPending],
  ['weft_views_retained', 'Views that the engine remembers.', (q) => q.viewsRetained],
  ['weft_votes_out_of_window_total', 'Votes of views that are not looked at (W13).', (q) => q.engine.votesOutOfWindow],
  [
    'weft_proposals_out_of_window_total',
    'Proposals of views that are not looked at (W13).',
    (q) => q.engine.proposalsOutOfWindow,
  ],
  ['weft_asks_refused_total', 'Questions of the engine that found no room.', (q) => q.engine.asksRefused],
  ['weft_requests_busy_total', 'Requests of peers that were answered with busy.', (q) => q.network.requests.busy],
  ['weft_requests_failed_total', 'Requests to peers that brought no answer.', (q) => q.network.requests.failed],
  ['weft_gossip_overloaded_total', 'Gossip messages dropped for too many.', (q) => q.network.gossip.overloaded],
  ['weft_relay_refused_total', 'Messages that were not relayed.', (q) => q.network.relay.refused],
  ['weft_unreachable_total', 'Messages that found neither a lane nor a relay.', (q) => q.network.unreachable],
];
