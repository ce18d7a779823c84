// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "TxStatus".
 */
export type TxStatus = TxPending | TxFinalized | TxExpired | TxUnknown;
/**
 * 32 bytes, lower-case hex.
 *
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "Hash".
 */
export type Hash = string;
/**
 * A height, a log index, a size.
 *
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "Counter".
 */
export type Counter = number;
/**
 * Milliseconds UTC.
 *
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "Milliseconds".
 */
export type Milliseconds = number;
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "Account".
 */
export type Account = string;
/**
 * Only those that this account is to act on.
 */
export type Account1 = string;
/**
 * A height, a log index, a size.
 */
export type Counter1 = number;
/**
 * A height, a log index, a size.
 */
export type Counter2 = number;

/**
 * Every JSON-RPC 2.0 method of a Weft node: its parameters (by name) and its result. The OpenRPC document of rpc.discover and the types of weft/client are made from this.
 */
export interface RpcMethods {
  /**
   * Hands over a signed transaction envelope. Answers once it is in the mempool (or already final); the same envelope may be sent again without harm. A refusal is an error with a stable code and changes nothing.
   */
  'tx.submit': {
    params: {
      /**
       * The exact bytes of the DSSE envelope, as a JSON string.
       */
      envelope: string;
    };
    result: TxStatus;
  };
  /**
   * What is known of a transaction.
   */
  'tx.get': {
    params: {
      id: Hash;
    };
    result: TxStatus;
  };
  /**
   * Like tx.get, but answers when the fate is final (finalized or expired) or when timeoutMs has passed, with the status of that moment.
   */
  'tx.wait': {
    params: {
      id: Hash;
      /**
       * Default 15000; the node caps it.
       */
      timeoutMs?: number;
    };
    result: TxStatus;
  };
  /**
   * Where this node stands.
   */
  'node.status': {
    params: {};
    result: NodeStatus;
  };
  /**
   * Where this node and the peers of its configuration are reached: for the configuration of a new node.
   */
  'node.peers': {
    params: {};
    result: {
      peers: {
        name: string;
        /**
         * Items: Multiaddr.
         */
        addresses: string[];
      }[];
    };
  };
  /**
   * What the network is made of now, and what the council has before it.
   */
  'governance.status': {
    params: {};
    result: GovernanceStatus;
  };
  /**
   * Pairs of messages that no honest validator signs: those on the ledger, newest first, at most 256, and those that this node keeps and the ledger does not have yet.
   */
  'governance.evidence': {
    params: {};
    result: {
      recorded: RecordedEvidence[];
      open: OpenEvidence[];
    };
  };
  /**
   * An intent as log and state tell it together: what was asked for, what policy said, how it stands. Throws INTENT_UNKNOWN.
   */
  'intents.get': {
    params: {
      intent: Hash;
    };
    result: IntentAnswer;
  };
  /**
   * Intents that were decided last, newest first.
   */
  'intents.list': {
    params: {
      /**
       * Default 20.
       */
      limit?: number;
      /**
       * true: only those that wait for approvals, each requester's newest before anybody's second. Goes with limit alone.
       */
      waiting?: boolean;
      audience?: Account1;
      /**
       * Only those that stand so now.
       */
      status?: 'pending' | 'granted';
      before?: Counter1;
    };
    result: {
      intents: IntentAnswer[];
      next?: Counter2;
    };
  };
  /**
   * Alerts that nobody has resolved, newest first, at most 1,024.
   */
  'alerts.list': {
    params: {};
    result: {
      alerts: OpenAlert[];
    };
  };
  /**
   * One finalized block by height or by id; without either, the newest.
   */
  'block.get': {
    params: {
      height?: Counter;
      id?: Hash;
    };
    result: BlockSummary;
  };
  /**
   * The newest published checkpoint: a C2SP signed note with one log line and q cosignature lines.
   */
  'log.checkpoint': {
    params: {};
    result: {
      /**
       * The note, as it stands.
       */
      checkpoint: string;
    };
  };
  /**
   * The checkpoint of the block that closed an epoch, cosigned by a quorum of that epoch's validators: over these trust is walked from one set of validators to the next.
   */
  'log.closing': {
    params: {
      /**
       * An epoch that is over, counted from 1.
       */
      epoch: number;
    };
    result: {
      epoch: number;
      /**
       * The note, as it stands.
       */
      checkpoint: string;
    };
  };
  /**
   * One log entry, byte for byte.
   */
  'log.entry': {
    params: {
      index: Counter;
    };
    result: {
      index: Counter;
      height: Counter;
      /**
       * The exact bytes of the leaf (JSON text), as a JSON string.
       */
      leaf: string;
    };
  };
  /**
   * An execution token (weft-token/v1): a log leaf with its proof under the newest checkpoint. By log index, by transaction and number of its record (from 0; needed when it has several), or the grant of an intent.
   */
  'token.get': {
    params: {
      index?: Counter;
      tx?: Hash;
      record?: number;
      intent?: Hash;
      /**
       * So long the node waits for a checkpoint that covers it, and answers with that at once. Default 0: it refuses with CHECKPOINT_NOT_YET.
       */
      waitMs?: number;
    };
    result: {
      /**
       * The token text, as it stands.
       */
      token: string;
    };
  };
  /**
   * The status of a grant (weft-status/v1): that it may still be used, proven by ledger state at the newest published checkpoint. Its value lies in being fresh: check it at once.
   */
  'token.status': {
    params: {
      intent: Hash;
      /**
       * As for token.get.
       */
      waitMs?: number;
    };
    result: {
      /**
       * The status text, as it stands.
       */
      status: string;
    };
  };
  /**
   * What ledger state says at these paths (weft-status/v1), proven under the block record of the newest published checkpoint.
   */
  'state.proof': {
    params: {
      /**
       * contract/kind/id, each
       *
       * @minItems 1
       * @maxItems 32
       */
      paths: string[];
    };
    result: {
      /**
       * The proof text, as it stands.
       */
      proof: string;
    };
  };
  /**
   * One value of the ledger state; with proof: true also its proof under the state root.
   */
  'state.get': {
    params: {
      /**
       * contract/kind/id
       */
      path: string;
      proof?: boolean;
    };
    result: StateAnswer;
  };
  /**
   * The genesis document.
   */
  'chain.genesis': {
    params: {};
    result: {
      /**
       * The canonical bytes (RFC 8785), as a JSON string.
       */
      genesis: string;
    };
  };
  /**
   * The C2SP tlog-policy that verifies tokens of this chain now. Whoever does not trust this node compares it with another node or walks from genesis.
   */
  'chain.trust': {
    params: {};
    result: {
      /**
       * The policy text, as it stands.
       */
      trust: string;
    };
  };
  /**
   * How trust in the validators of an epoch leads to trust in the present ones (weft-walk/v1): closing checkpoints, records and proofs. It is checked offline with a trust file of that epoch.
   */
  'chain.walk': {
    params: {
      /**
       * Of the trust file.
       */
      epoch: number;
    };
    result: {
      /**
       * The walk text, as it stands.
       */
      walk: string;
    };
  };
  /**
   * This interface as an OpenRPC document.
   */
  'rpc.discover': {
    params: {};
    result: {
      [k: string]: unknown;
    };
  };
  /**
   * WebSocket only. Starts sending `subscription` notifications: new blocks, records by filter, or what becomes of a transaction.
   */
  subscribe: {
    params:
      | {
          topic: 'blocks';
        }
      | {
          topic: 'records';
          /**
           * Record type, for example packets.committed.
           */
          type?: string;
          account?: Account;
        }
      | {
          topic: 'tx';
          id: Hash;
        };
    result: {
      /**
       * Names this subscription in notifications; pass it to unsubscribe.
       */
      subscription: string;
    };
    notification: SubscriptionNotification;
  };
  /**
   * WebSocket only. Ends a subscription.
   */
  unsubscribe: {
    params: {
      subscription: string;
    };
    result: {
      removed: boolean;
    };
  };
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "TxPending".
 */
export interface TxPending {
  status: 'pending';
  id: Hash;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "TxFinalized".
 */
export interface TxFinalized {
  status: 'finalized';
  id: Hash;
  height: Counter;
  time: Milliseconds;
  index: Counter;
  records: {
    index: Counter;
    record: unknown;
  }[];
  /**
   * Present when the ledger refused it: the stable code. Its id is consumed all the same.
   */
  refused?: string;
}
/**
 * Final: a finalized block is past its expiry and it is in none.
 *
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "TxExpired".
 */
export interface TxExpired {
  status: 'expired';
  id: Hash;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "TxUnknown".
 */
export interface TxUnknown {
  status: 'unknown';
  id: Hash;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "NodeStatus".
 */
export interface NodeStatus {
  name: string;
  version: string;
  chain: string;
  /**
   * Name of the log.
   */
  origin: string;
  genesisHash: Hash;
  role: 'validator' | 'observer';
  ruleset: Counter;
  epoch: Counter;
  view: Counter;
  leader: string;
  finalized: {
    height: Counter;
    view: Counter;
    blockId: Hash;
    time: Milliseconds;
    logSize: Counter;
    logRoot: Hash;
    stateRoot: Hash;
  };
  catchingUp: boolean;
  /**
   * Blocks that peers have finalized and this node has not.
   */
  behind: number;
  /**
   * What of the past this node holds: blocks from a height on (those that ended an epoch besides), log entries and log hashes from an index on.
   */
  retention?: {
    fromHeight: number;
    fromEntry: number;
    fromHash: number;
  };
  /**
   * Empty when this node votes; else why it does not (docs/not-voting.md): CATCHING_UP, WAITING_FOR_PEERS, DATA_MOVED, STORE_BEHIND, DISK_FULL, DISK_FAILED, JOURNAL_LOST, JOURNAL_DAMAGED, JOURNAL_ROLLED_BACK, STATE_DIVERGED, DATA_DAMAGED, …
   */
  notVoting: string;
  validators: {
    name: string;
    connected: boolean;
    /**
     * Milliseconds since it was last heard.
     */
    heardMs: number | null;
  }[];
  quorum: number;
  mempool: {
    transactions: Counter;
    bytes: Counter;
  };
  /**
   * vkey of this node's log signature.
   */
  logKey: string;
  /**
   * vkey of its cosignature; null on observers.
   */
  cosigner: string | null;
  finalityMs: {
    p50: number | null;
    p99: number | null;
  };
  /**
   * Offences of validators that this node keeps evidence of, and how many of these the ledger has recorded.
   */
  evidence: {
    found: Counter;
    recorded: Counter;
  };
  policy: {
    version: Counter;
    digest: string;
  };
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "GovernanceStatus".
 */
export interface GovernanceStatus {
  height: Counter;
  time: Milliseconds;
  epoch: Counter;
  ruleset: Counter;
  quorum: number;
  validators: {
    name: string;
    account: Account;
    url: string;
  }[];
  observers: {
    name: string;
  }[];
  council: {
    threshold: number;
    members: Account[];
  };
  /**
   * The consensus parameters in force.
   */
  parameters: {
    [k: string]: number;
  };
  /**
   * Open and approved ones, in the order in which they were made.
   */
  proposals: GovernanceProposal[];
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "GovernanceProposal".
 */
export interface GovernanceProposal {
  proposal: Hash;
  proposer: Account;
  /**
   * validators, observers, parameters, ruleset or council.
   */
  kind: string;
  /**
   * As in the body of governance.propose.
   */
  change: {
    [k: string]: unknown;
  };
  status: 'open' | 'approved';
  /**
   * In the order in which they came.
   */
  approvals: Account[];
  readyNeeded: Counter;
  /**
   * Validators of the next set that said so within the last ten minutes.
   */
  ready: string[];
  /**
   * Those that did not.
   */
  missing: string[];
  /**
   * Code of what stands against the change as things are now; empty when nothing does.
   */
  obstacle: string;
  height: Counter;
  notBefore: Counter;
  expires: Milliseconds;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "RecordedEvidence".
 */
export interface RecordedEvidence {
  /**
   * The ledger keeps it at governance/evidence/<id>.
   */
  id: string;
  /**
   * A validator of that epoch.
   */
  offender: string;
  kind: 'votes' | 'cosignatures';
  epoch: Counter;
  at: Counter;
  by: Account;
  height: Counter;
  index: Counter;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "OpenEvidence".
 */
export interface OpenEvidence {
  id: string;
  offender: string;
  kind: 'votes' | 'cosignatures';
  epoch: Counter;
  at: Counter;
  /**
   * Standard padded base64.
   */
  a: string;
  b: string;
}
/**
 * An intent: what was asked for, what policy said, how it stands.
 *
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "IntentAnswer".
 */
export interface IntentAnswer {
  intent: Hash;
  /**
   * over: state has let it go.
   */
  status: 'pending' | 'granted' | 'denied' | 'cancelled' | 'expired' | 'over';
  /**
   * Entry of the action catalogue.
   */
  action: string;
  /**
   * What it is about.
   */
  resource: string;
  requester: Account;
  audience: Account;
  /**
   * The document: schemas/actions/.
   */
  effect: {};
  digest: Hash;
  dryRun: boolean;
  /**
   * As it was asked for.
   */
  ttlMs: number;
  /**
   * How often it may be consumed.
   */
  maxUses: number;
  proposed: {
    height: Counter;
    time: Counter;
    index: Counter;
  };
  /**
   * What policy said to the proposal.
   */
  decided: {
    index: Counter;
    version: Counter;
    /**
     * Ids of policies.
     */
    reasons: string[];
    /**
     * Of a denial, else empty.
     */
    why: string;
  };
  approvals: Account[];
  /**
   * 0: none.
   */
  approvalsNeeded: number;
  approverKey: 'any' | 'webauthn';
  /**
   * How often it was consumed.
   */
  uses: number;
  /**
   * Uses without an outcome.
   */
  unreported: number;
  /**
   * Milliseconds UTC; 0 where state does not know it.
   */
  expires: number;
}
/**
 * An alert that nobody has resolved.
 *
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "OpenAlert".
 */
export interface OpenAlert {
  alert: Hash;
  /**
   * null: the ledger itself.
   */
  by: Account | null;
  /**
   * Kind of alert.
   */
  kind: string;
  /**
   * What it is about.
   */
  source: string;
  window: {
    from: Counter;
    to: Counter;
  };
  /**
   * How often.
   */
  count: number;
  evidence: Hash[];
  height: Counter;
  time: Counter;
  index: Counter;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "BlockSummary".
 */
export interface BlockSummary {
  height: Counter;
  blockId: Hash;
  epoch: Counter;
  view: Counter;
  time: Milliseconds;
  proposer: string;
  transactions: Counter;
  logSize: Counter;
  logRoot: Hash;
  stateRoot: Hash;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "StateAnswer".
 */
export interface StateAnswer {
  path: string;
  /**
   * null when absent.
   */
  value: {
    [k: string]: unknown;
  };
  height: Counter;
  stateRoot: Hash;
  /**
   * schemas/state-proof
   */
  proof?: {
    [k: string]: unknown;
  };
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "SubscriptionNotification".
 */
export interface SubscriptionNotification {
  subscription: string;
  event: BlockEvent | RecordEvent | TxEvent;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "BlockEvent".
 */
export interface BlockEvent {
  topic: 'blocks';
  block: BlockSummary;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "RecordEvent".
 */
export interface RecordEvent {
  topic: 'records';
  height: Counter;
  index: Counter;
  record: unknown;
}
/**
 * This interface was referenced by `RpcMethods`'s JSON-Schema
 * via the `definition` "TxEvent".
 */
export interface TxEvent {
  topic: 'tx';
  status: TxStatus;
}
