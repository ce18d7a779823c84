/**
 * The one interface through which RPC reaches a node. Everything here is total: what is absent is `undefined`, what is
 * refused is thrown as a `WeftError` with a stable code.
 */

export type TxStatus =
  | { readonly status: 'pending'; readonly id: string }
  | {
      readonly status: 'finalized';
      readonly id: string;
      readonly height: number;
      /** Milliseconds UTC. */
      readonly time: number;
      /** Log index of the transaction's own leaf; its records follow it. */
      readonly index: number;
      readonly records: readonly { readonly index: number; readonly record: unknown }[];
      /** Code when the ledger refused it (its id is consumed all the same). */
      readonly refused?: string;
    }
  /** Final: a finalized block's time is past `expires` and the id is absent. Known only while the expiry is remembered. */
  | { readonly status: 'expired'; readonly id: string }
  | { readonly status: 'unknown'; readonly id: string };

export type NodeStatus = {
  readonly name: string;
  readonly version: string;
  readonly chain: string;
  readonly origin: string;
  readonly genesisHash: string;
  readonly role: 'validator' | 'observer';
  readonly ruleset: number;
  readonly epoch: number;
  readonly view: number;
  readonly leader: string;
  readonly finalized: {
    readonly height: number;
    readonly view: number;
    readonly blockId: string;
    readonly time: number;
    readonly logSize: number;
    readonly logRoot: string;
    readonly stateRoot: string;
  };
  readonly catchingUp: boolean;
  /** Blocks that peers have finalized and we have not. */
  readonly behind: number;
  /** First height, log entry and log hash that are held here (floor.ts). */
  readonly retention?: { readonly fromHeight: number; readonly fromEntry: number; readonly fromHash: number };
  /** Empty when this node votes; else why it does not: the codes of docs/not-voting.md. */
  readonly notVoting: string;
  readonly validators: readonly {
    readonly name: string;
    readonly connected: boolean;
    readonly heardMs: number | null;
  }[];
  readonly quorum: number;
  readonly mempool: { readonly transactions: number; readonly bytes: number };
  readonly logKey: string;
  readonly cosigner: string | null;
  /** Milliseconds from proposal to finalization over the last blocks seen here. */
  readonly finalityMs: { readonly p50: number | null; readonly p99: number | null };
  /** Offences of validators that this node keeps evidence of, and how many of these the ledger has recorded. */
  readonly evidence: { readonly found: number; readonly recorded: number };
  readonly policy: { readonly version: number; readonly digest: string };
};

export type BlockSummary = {
  readonly height: number;
  readonly blockId: string;
  readonly epoch: number;
  readonly view: number;
  /** Milliseconds UTC. */
  readonly time: number;
  readonly proposer: string;
  readonly transactions: number;
  readonly logSize: number;
  readonly logRoot: string;
  readonly stateRoot: string;
};

/** A leaf as it stands in the log, with where it came from. */
export type LogEntry = { readonly index: number; readonly leaf: Uint8Array; readonly height: number };

export type StateAnswer = {
  readonly path: string;
  readonly value: unknown;
  readonly height: number;
  readonly stateRoot: string;
  /** JSON form of a state proof (schemas/state-proof). Present when asked for. */
  readonly proof?: unknown;
};

export type Subscription =
  | { readonly topic: 'blocks' }
  | { readonly topic: 'records'; readonly filter: { readonly type?: string; readonly account?: string } }
  | { readonly topic: 'tx'; readonly id: string };

export type NodeEvent =
  | { readonly topic: 'blocks'; readonly block: BlockSummary }
  | { readonly topic: 'records'; readonly height: number; readonly index: number; readonly record: unknown }
  | { readonly topic: 'tx'; readonly status: TxStatus };

/** W12: `at` is the view of two votes, the size of two cosignatures. */
type Offence = {
  readonly id: string;
  readonly offender: string;
  readonly kind: 'votes' | 'cosignatures';
  readonly epoch: number;
  readonly at: number;
};

export type EvidenceList = {
  /** On the ledger, newest first, bounded. `index`: log entry of the record. */
  readonly recorded: readonly (Offence & { readonly by: string; readonly height: number; readonly index: number })[];
  /** Kept here, and not on the ledger yet. `a`, `b`: the messages, standard padded base64. */
  readonly open: readonly (Offence & { readonly a: string; readonly b: string })[];
};

export type GovernanceStatus = {
  readonly height: number;
  /** Milliseconds UTC, as all times here. */
  readonly time: number;
  readonly epoch: number;
  readonly ruleset: number;
  readonly quorum: number;
  readonly validators: readonly { readonly name: string; readonly account: string; readonly url: string }[];
  readonly observers: readonly { readonly name: string }[];
  readonly council: { readonly threshold: number; readonly members: readonly string[] };
  /** The consensus parameters in force. */
  readonly parameters: { readonly [name: string]: number };
  /** The agenda, in the order of the proposals. */
  readonly proposals: readonly {
    readonly proposal: string;
    readonly proposer: string;
    readonly kind: string;
    /** As in the body of governance.propose. */
    readonly change: unknown;
    readonly status: 'open' | 'approved';
    readonly approvals: readonly string[];
    /** How many of the next set must be ready; 0 when the change waits for nobody. */
    readonly readyNeeded: number;
    readonly ready: readonly string[];
    readonly missing: readonly string[];
    /** Code of what stands against the change as things are now, else ''. */
    readonly obstacle: string;
    readonly height: number;
    readonly notBefore: number;
    readonly expires: number;
  }[];
};

/** An intent as log and state of this node tell it together. */
export type IntentAnswer = {
  /** txId of its proposal. */
  readonly intent: string;
  /** `over`: state has let it go. */
  readonly status: 'pending' | 'granted' | 'denied' | 'cancelled' | 'expired' | 'over';
  readonly action: string;
  readonly resource: string;
  readonly requester: string;
  readonly audience: string;
  /** The document; `digest`: SHA-256 (hex) of its RFC 8785 form. */
  readonly effect: { readonly [name: string]: unknown };
  readonly digest: string;
  readonly dryRun: boolean;
  /** As it was asked for. */
  readonly ttlMs: number;
  readonly maxUses: number;
  readonly proposed: { readonly height: number; readonly time: number; readonly index: number };
  /** What policy said to the proposal; `why`: of a denial, else ''. `index`: log entry of that record. */
  readonly decided: {
    readonly index: number;
    readonly version: number;
    readonly reasons: readonly string[];
    readonly why: string;
  };
  readonly approvals: readonly string[];
  readonly approvalsNeeded: number;
  readonly approverKey: 'any' | 'webauthn';
  readonly uses: number;
  /** Uses without an outcome. */
  readonly unreported: number;
  /** Milliseconds UTC; 0 where state does not know it. */
  readonly expires: number;
};

/** Which intents: all that are left out means any. */
export type IntentsAsked = {
  readonly limit: number;
  /** The account that they are for. */
  readonly audience?: string;
  readonly status?: 'pending' | 'granted';
  /** Only those decided below this log index. */
  readonly before?: number;
};

export type IntentPage = {
  readonly intents: readonly IntentAnswer[];
  /** `before` of the next page, where there may be one; a page may be shorter than `limit` all the same. */
  readonly next?: number;
};

/** Open alerts. `by` null: the ledger itself. `index`: log entry of the record. */
export type AlertList = readonly {
  readonly alert: string;
  readonly by: string | null;
  readonly kind: string;
  readonly source: string;
  readonly window: { readonly from: number; readonly to: number };
  readonly count: number;
  readonly evidence: readonly string[];
  readonly height: number;
  readonly time: number;
  readonly index: number;
}[];

export type TokenWanted =
  | { readonly index: number }
  | { readonly tx: string; readonly record?: number }
  | { readonly intent: string };

export type NodeApi = {
  status(): NodeStatus;
  /** Admits a signed envelope. Resolves once it is in the mempool (or already final); throws with the refusal's code. */
  submit(envelope: Uint8Array): Promise<TxStatus>;
  transaction(id: string): TxStatus;
  /** Resolves with `finalized` or `expired`, or with the present status once `timeoutMs` has passed. */
  wait(id: string, timeoutMs: number): Promise<TxStatus>;
  block(heightOrId: number | string): BlockSummary | undefined;
  entry(index: number): LogEntry | undefined;
  /** Brings what `entry`, or the token of this entry with `proof`, will read from the disk into memory first, off the event loop. Never fails. */
  warm(index: number, proof: boolean): Promise<void>;
  /** Resolves with the next checkpoint that is published, or when `timeoutMs` has passed. */
  published(timeoutMs: number): Promise<void>;
  /** The newest published checkpoint (a signed note: log line and q cosigner lines), or undefined before the first. */
  checkpoint(): string | undefined;
  /** The closing checkpoint of an epoch that is over, cosigned by a quorum of its own validators: a step of the walk of trust. */
  closing(epoch: number): string | undefined;
  /** Token text. `record` counts the records of the transaction from 0; `intent`: that of its grant. */
  token(which: TokenWanted): string;
  /** `weft-status/v1` of a grant, at the newest published checkpoint. */
  tokenStatus(intent: string): string;
  /** `weft-status/v1` of any state paths, at the newest published checkpoint. */
  stateProof(paths: readonly string[]): string;
  /** `weft-walk/v1`: from the validators of this epoch to the present ones. */
  walk(epoch: number): string;
  state(path: string, withProof: boolean): StateAnswer;
  /** Bytes of `/tile/...` for the path after the leading `/`; undefined when absent. `full` decides about caching. */
  tile(path: string): { readonly bytes: Uint8Array; readonly full: boolean } | undefined;
  /** C2SP tlog-policy text (with `#` comments of ours). `rpcUrls`: validator name → URL for its witness line. */
  trust(): string;
  /** Canonical genesis document bytes. */
  genesis(): Uint8Array;
  /** Where this node and the peers of its configuration are reached: multiaddrs. */
  peers(): readonly { readonly name: string; readonly addresses: readonly string[] }[];
  /** What the network is made of, and what the council has before it. */
  governance(): GovernanceStatus;
  evidence(): Promise<EvidenceList>;
  /** Throws INTENT_UNKNOWN. */
  intent(id: string): IntentAnswer;
  /** Those that were decided last, newest first. */
  intents(asked: IntentsAsked): Promise<IntentPage>;
  /** Those that wait for approvals: each requester's newest before anybody's second. */
  waitingIntents(limit: number): Promise<readonly IntentAnswer[]>;
  /** Open alerts, newest first. */
  alerts(): Promise<AlertList>;
  /** Calls `listener` for each event until the returned function is called. `listener` must not throw or block. */
  subscribe(subscription: Subscription, listener: (event: NodeEvent) => void): () => void;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** True while the process works at all; `ready` also demands that it follows the live chain. */
  healthy(): boolean;
  ready(): { readonly ready: boolean; readonly reason: string };
};
