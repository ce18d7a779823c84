// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Configuration of one node: a YAML or JSON file, WEFT_* environment variables over it, flags over those. Paths are relative to the file.
 */
export interface ConfigFile {
  /**
   * The name of this validator or observer, as in genesis.
   */
  name: string;
  /**
   * A validator votes; an observer follows.
   */
  role?: 'validator' | 'observer';
  /**
   * The genesis document.
   */
  genesis?: string;
  /**
   * The key file (mode 0600). An encrypted one asks for WEFT_PASSPHRASE or a prompt.
   */
  keys?: string;
  /**
   * A second key file, whose keys are proposed to governance: this node goes over to it in the epoch in which the ledger lists those keys. Opened by the same passphrase.
   */
  nextKeys?: string;
  /**
   * The data folder: blocks, log, state, vote journal.
   */
  data?: string;
  /**
   * Where this node notes which of its vote keys have signed; default: beside the key file, with .sign-state after its name. It must survive what happens to the data folder, and go wherever the keys go.
   */
  signState?: string;
  /**
   * When the disk of the data folder has fewer free bytes than this, the node stops voting and takes no transactions, before writes fail; it goes on by itself when there is room again. 0 waits for the first write that fails.
   */
  minFreeBytes?: number;
  /**
   * A snapshot is made at each multiple of so many blocks, and the newest two are kept and offered to nodes that lag. 0: none is made.
   */
  snapshotEveryBlocks?: number;
  /**
   * So many of the newest blocks are kept at least; older ones are let go of once a snapshot stands above them, with their transactions' and records' indexes. Blocks that ended an epoch stay. 0 keeps all.
   */
  keepBlocks?: number;
  /**
   * So many of the newest log entries are kept at least; of older ones only the hashes stay, so that proofs can be made for whoever has kept the entry. Only entries of blocks that are let go of (keepBlocks). 0 keeps all.
   */
  keepLog?: number;
  /**
   * How other nodes reach this one, and where it finds them.
   */
  peer?: {
    /**
     * Multiaddrs to listen on.
     *
     * @maxItems 16
     *
     * Items: /ip4/…/tcp/…
     */
    listen?: string[];
    /**
     * Addresses of the other nodes, by their names in genesis.
     *
     * @maxItems 1024
     */
    peers?: {
      name: string;
      /**
       * Multiaddr.
       */
      address: string;
    }[];
  };
  /**
   * The door for clients.
   */
  rpc?: {
    /**
     * False starts the node without RPC.
     */
    enabled?: boolean;
    /**
     * Interface to bind. The default is reachable from this machine only.
     */
    host?: string;
    /**
     * 0 takes any free port.
     */
    port?: number;
    /**
     * Serve HTTPS. With clientCa, clients must present a certificate of that authority (mTLS).
     */
    tls?: {
      /**
       * PEM file.
       */
      cert: string;
      /**
       * PEM file.
       */
      key: string;
      /**
       * PEM file.
       */
      clientCa?: string;
    };
    /**
     * Web origins (https://…) whose pages may call methods. Log and checkpoint may be read from anywhere.
     *
     * @maxItems 64
     */
    allowOrigins?: string[];
    /**
     * Where people open the pages /enrol and /approve of this node, and the domain that their security keys are for. Without it: http://localhost with the port of rpc.port.
     */
    webauthn?: {
      /**
       * Domain: the host of the origin, or one above it.
       */
      rpId: string;
      /**
       * Origin of the pages as a browser shows it, for example https://weft.example.net.
       */
      origin: string;
    };
    /**
     * One HTTP body or WebSocket message.
     */
    bodyBytesMax?: number;
    /**
     * Requests in one JSON-RPC batch.
     */
    batchMax?: number;
    /**
     * Per client address (IPv6: /64), sustained. 0 switches the limit off.
     */
    requestsPerSecond?: number;
    /**
     * Per client address, at once.
     */
    requestsBurst?: number;
    /**
     * Transactions per account, sustained. 0 switches the limit off.
     */
    submitsPerSecond?: number;
    /**
     * Transactions per account, at once.
     */
    submitsBurst?: number;
    /**
     * Addresses and accounts whose rate is remembered; the longest idle is forgotten first.
     */
    trackedMax?: number;
    /**
     * Open TCP connections.
     */
    connectionsMax?: number;
    /**
     * Open WebSockets.
     */
    webSocketsMax?: number;
    /**
     * Open WebSockets of one client address.
     */
    webSocketsPerAddressMax?: number;
    /**
     * Subscriptions of one WebSocket.
     */
    subscriptionsMax?: number;
    /**
     * Bytes that may wait for one WebSocket; more closes it with 4008 SLOW_SUBSCRIBER. Also characters of the answers to one batch together.
     */
    bufferedBytesMax?: number;
    /**
     * Interval of WebSocket heartbeats; a client that misses two is cut off.
     */
    heartbeatMs?: number;
    /**
     * Longest tx.wait.
     */
    waitMsMax?: number;
    /**
     * Requests being answered at one time, waits included; a quarter of it for one client address.
     */
    pendingMax?: number;
  };
  /**
   * The process's own log (not the ledger's).
   */
  log?: {
    level?: 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
    /**
     * Append to this file instead of standard error.
     */
    file?: string;
  };
  /**
   * Bounds of what waits for a block.
   */
  mempool?: {
    transactionsMax?: number;
    bytesMax?: number;
    transactionsPerAccountMax?: number;
  };
  /**
   * Pacing of this node; the parameters that all must share are on the ledger.
   */
  consensus?: {
    /**
     * Least time between a block's proposal and its successor's; at most half the leader timeout.
     */
    blockIntervalMs?: number;
    /**
     * So many bytes waiting end the wait for blockIntervalMs.
     */
    targetBlockBytes?: number;
    /**
     * The builder stops adding transactions after this long.
     */
    buildBudgetMs?: number;
    /**
     * First wait for finalize votes before an empty successor is proposed; at most half the leader timeout.
     */
    finalizeGraceMs?: number;
    /**
     * Silence of the leader after which an idle view is given up.
     */
    leaderSilentMs?: number;
    /**
     * How far a block's time may be ahead of this node's clock.
     */
    maxClockDriftMs?: number;
  };
}
