/**
 * The public face of the network. It carries opaque bytes between peers that the ledger permits: it knows a peer by its
 * name, its key and its addresses, and asks its owner (through `NetworkHandlers`) about everything that has a meaning.
 *
 * Times are monotonic milliseconds (`performance.now()`), sizes are bytes.
 */

/** *urgent* carries what votes wait for, *bulk* everything that is large. Each is a connection of its own. */
export type Lane = 'urgent' | 'bulk';

export type Role = 'validator' | 'observer';

export type NetworkPeer = {
  /** The validator's or observer's name on the ledger; at most 64 bytes of UTF-8. */
  readonly name: string;
  readonly role: Role;
  /** Ed25519 public key, 32 bytes: the libp2p peer id is made from it. */
  readonly peerKey: Uint8Array;
  /** Multiaddrs such as `/ip4/10.0.0.1/tcp/7610`, without `/p2p/…`. May be empty when the other side knows ours. */
  readonly addresses: readonly string[];
};

/**
 * What a message is, for the queue and the relay: a *certificate* displaces its votes when a queue overflows. *start* is what
 * validators say to each other before one of them votes (W11). All but *other* travel through a relay: each is signed.
 */
export type MessageClass = 'vote' | 'certificate' | 'proposal' | 'start' | 'other';

export type SendHint = {
  /** Default `other`. */
  readonly class?: MessageClass;
  /** View of the message. When a queue overflows the newest views of each kind stay. */
  readonly view?: number;
  /** For a certificate: the kind of the votes of the same view that it makes needless. */
  readonly displaces?: number;
};

/** A frame kind of the owner: 0…191. The kinds above are the network's own. */
export type FrameKind = number;

export type Frame = {
  /** The peer on whose lane the frame arrived: who answers for it. */
  readonly peer: string;
  /** Who signed the content, as `verifyRelayed` said; equal to `peer` when the frame was not relayed. */
  readonly signer: string;
  readonly relayed: boolean;
  readonly lane: Lane;
  readonly kind: FrameKind;
  /** The receiver may keep it; nobody else writes to it. */
  readonly payload: Uint8Array;
};

/** `invalid`: no honest node can have sent this. The lane is closed and stays closed for a growing while; nobody is banned for ever. */
export type FrameVerdict = 'invalid' | undefined | void;

/**
 * `invalid`: no honest node sends this (the peer on whose lane it came answers). `unknown`: cannot be judged here now
 * (another epoch, for example): not forwarded, nobody is blamed. Else it verified; `signer` is absent where many signed
 * (a certificate).
 */
export type RelayVerdict = 'invalid' | 'unknown' | { readonly signer?: string };

export type GossipTopic = 'headers' | 'checkpoints' | 'evidence' | 'transactions';

/** `accept` forwards, `ignore` stays here and blames nobody, `reject` costs the sender score. */
export type GossipVerdict = 'accept' | 'ignore' | 'reject';

/**
 * Called by the network. No handler may block; what it throws is logged, counted and treated as `unknown`, `ignore` or
 * "no answer". Between `onUp` and `onDown` of a peer the primary lane exists: *urgent* between two validators, *bulk*
 * between a validator and an observer.
 */
export type NetworkHandlers = {
  /** Payload of our hello to this peer, at most `helloBytesMax`: built anew at each (re)connect of a lane. */
  hello(peer: string): Uint8Array;
  /** The peer's hello, as it stands at the head of each primary lane, before any other frame. */
  onHello(peer: string, payload: Uint8Array): FrameVerdict;
  onFrame(frame: Frame): FrameVerdict;
  /** Answers a request that came on a bulk lane. `undefined` = do not have it. At most `answerBytesMax` bytes. */
  onRequest(peer: string, kind: FrameKind, payload: Uint8Array): Promise<Uint8Array | undefined>;
  /** Checks the signatures of what is to be relayed, or came relayed. Synchronous; called once per message and end. */
  verifyRelayed(kind: FrameKind, payload: Uint8Array): RelayVerdict;
  onUp?(peer: string): void;
  onDown?(peer: string): void;
  /** A validator gave a sign of life (direct or indirect). At most once per validator in `pingMs` / 2. */
  onHeard?(validator: string): void;
  /** Judges a gossiped message before it is forwarded. `from` is the neighbour that passed it on, not its author. */
  onGossip(topic: GossipTopic, data: Uint8Array, from: string): GossipVerdict | Promise<GossipVerdict>;
};

/** The part of a pino logger that is used: a small object, then a short message. */
export type NetworkLog = {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
};

export type NetworkModules = { readonly log: NetworkLog; readonly handlers: NetworkHandlers };

export type NetworkLimits = {
  /** Payload of one frame; messages above it travel in parts, and on the bulk lane. */
  readonly framePayloadBytesMax: number;
  /** One message on the bulk lane, reassembled. Announced to the peer at the head of each lane. */
  readonly messageBytesMax: number;
  readonly helloBytesMax: number;
  readonly requestBytesMax: number;
  readonly answerBytesMax: number;
  /** Bound of the outgoing queue of one lane. */
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  /** Our own requests to one peer that wait for an answer. */
  readonly requestsInFlightMax: number;
  /** Requests of one peer that we work on at a time; the next ones are answered `busy`. */
  readonly answersInFlightMax: number;
  /** Verification budget of one lane: messages per second, and how many may come at once. A relayed message counts as four. */
  readonly laneMessagesPerSecond: number;
  readonly laneMessagesBurst: number;
  /** Hashes of relayed messages that are remembered, so that each is forwarded once. */
  readonly relayMemory: number;
  /** Gossiped messages whose validation may be under way at a time, over all topics. */
  readonly gossipInFlightMax: number;
  readonly gossipBytesMax: Readonly<Record<GossipTopic, number>>;
};

export type NetworkTimings = {
  /** Between two pings on the urgent lane (W7). */
  readonly pingMs: number;
  /** Between two pings on the bulk lane. */
  readonly bulkPingMs: number;
  /** A lane without a byte from the peer for this long is closed and dialled again. > 2 × the ping of the lane. */
  readonly urgentSilentMs: number;
  readonly bulkSilentMs: number;
  /** Heard directly within this time: listed in our pings, and needs no relay. ≥ 2 × pingMs. */
  readonly relayAfterMs: number;
  /** A relay forwards the same bytes to the same validator again only after this time (a sender's retry must get through). */
  readonly relayOnceMs: number;
  readonly dialTimeoutMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** First and longest time that a lane stays closed after its peer misbehaved. */
  readonly penaltyMinMs: number;
  readonly penaltyMaxMs: number;
};

export type NetworkOptions = {
  /** Chain id: part of every protocol id and topic, so that two networks never talk to each other by mistake. */
  readonly chain: string;
  /** Own name and role; `peers` may contain an entry of this name, which is ignored. */
  readonly name: string;
  readonly role: Role;
  /** Ed25519 seed of the peer key, 32 bytes. */
  readonly peerSeed: Uint8Array;
  /** Multiaddrs to listen on, for example `/ip4/0.0.0.0/tcp/7610`; empty = only dial. */
  readonly listen: readonly string[];
  readonly peers: readonly NetworkPeer[];
  readonly limits?: Partial<NetworkLimits>;
  readonly timings?: Partial<NetworkTimings>;
};

export type LaneStats = {
  readonly lanes: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** Outgoing messages dropped by the overflow rule. */
  readonly overflowDropped: number;
  /** Incoming messages dropped over the verification budget. */
  readonly budgetDropped: number;
  /** Lanes closed because the peer sent what no honest node sends. */
  readonly misbehaved: number;
};

export type NetworkStats = {
  readonly urgent: LaneStats;
  readonly bulk: LaneStats;
  readonly relay: {
    readonly sent: number;
    readonly forwarded: number;
    readonly received: number;
    readonly refused: number;
  };
  readonly requests: {
    readonly sent: number;
    readonly answered: number;
    readonly failed: number;
    readonly served: number;
    readonly busy: number;
  };
  readonly gossip: {
    readonly published: number;
    readonly accepted: number;
    readonly ignored: number;
    readonly rejected: number;
    readonly overloaded: number;
    readonly peers: number;
  };
  /** Sends that found neither lane nor relay. */
  readonly unreachable: number;
  /** Connections of peers that are not permitted, refused by the gater. */
  readonly strangers: number;
  /** Throws of handlers: defects of the owner. */
  readonly handlerErrors: number;
};

export type Network = {
  readonly name: string;
  /** Own peer id in libp2p's base58 text. */
  readonly peerId: string;
  /** Addresses that are really listened on (port 0 resolved), without `/p2p/…`. */
  addresses(): readonly string[];
  /**
   * Queues a message; never blocks, never throws. What is above `framePayloadBytesMax` goes on the bulk lane whatever
   * `lane` says. A validator to whom there has been no living lane for `relayAfterMs` is reached through others when
   * `hint.class` is vote, certificate or proposal. False = dropped here, and counted.
   */
  send(peer: string, lane: Lane, kind: FrameKind, payload: Uint8Array, hint?: SendHint): boolean;
  /** `send` to every validator but ourselves. */
  broadcast(lane: Lane, kind: FrameKind, payload: Uint8Array, hint?: SendHint): void;
  /**
   * Asks a peer on the bulk lane. Resolves to its answer, or `undefined` when the peer does not have it. Rejects with
   * `NET_NO_LANE`, `NET_TIMEOUT`, `NET_BUSY` (too many under way here, or the peer said so), `NET_CLOSED`,
   * `NET_MESSAGE_TOO_LARGE`.
   */
  request(
    peer: string,
    kind: FrameKind,
    payload: Uint8Array,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array | undefined>;
  /** True while the primary lane to this peer is open. */
  connected(peer: string): boolean;
  /** Peers whose bulk lane is open: who can be asked. */
  askable(): readonly string[];
  /**
   * Milliseconds since this validator was last heard, directly or (without a living lane) through others, whose word for it may
   * be a lie; `directly`: on a lane of its own. Infinity = never. Own name: 0.
   */
  heardMs(validator: string, directly?: 'directly'): number;
  /**
   * Publishes to the topic of this chain. Resolves to the number of neighbours that it went to; never rejects. `only`: what all
   * validators are sent by lane as well goes out only while a permitted peer is no validator, or has no living lane.
   */
  publish(topic: GossipTopic, data: Uint8Array, only?: 'where lanes do not reach'): Promise<number>;
  /**
   * Replaces the permitted set: lanes of those who left are closed, new ones are dialled.
   * @throws WeftError NET_PEER_INVALID (key, name or address), and then nothing has changed.
   */
  setPeers(peers: readonly NetworkPeer[], ownRole?: Role): void;
  stats(): NetworkStats;
  /** Resolves in under 2 s, whatever the peers do. Idempotent. */
  close(): Promise<void>;
};

/**
 * Starts the network: listens at once, dials in the background for ever.
 * @throws WeftError NET_LISTEN_FAILED, NET_PEER_INVALID, NET_OPTIONS_INVALID
 */
export type CreateNetwork = (options: NetworkOptions, modules: NetworkModules) => Promise<Network>;
