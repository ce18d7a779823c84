/** The shapes that every contract works with. A contract is a pure, synchronous, total function over them. */
import type { PlainSignature, WebAuthnSignature } from '../src/crypto/dsse.ts';
import type { Decision, PolicyRequest, PolicySetDocument } from '../src/policy/types.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

/** Ledger state as a contract sees it: the parent block's state under the changes made so far in this block. */
export type StateReader = { get(path: string): Json | undefined };

/** Path → new value, or null for deletion. */
export type StateChanges = ReadonlyMap<string, Json | null>;

export type BlockContext = {
  readonly chain: string;
  /** Hex. Votes are signed over all of it. */
  readonly genesisHash: string;
  readonly height: number;
  /** Milliseconds UTC: the block's time is the only clock. */
  readonly time: number;
  readonly epoch: number;
  readonly ruleset: number;
};

/** As the envelope holds it; `userVerified`: the authenticator says that it knew who touched it (a PIN, a fingerprint). */
export type SignatureEntry =
  | (PlainSignature & { readonly userVerified?: never })
  | (WebAuthnSignature & { readonly userVerified: boolean });

/** A decoded transaction: schema, one-reading and one-encoding rules hold; its signatures are not verified yet. */
export type Transaction = {
  /** SHA-256(PAE), hex. */
  readonly txId: string;
  /** SHA-256(envelope bytes), hex. */
  readonly envelopeId: string;
  /** The exact bytes as received. */
  readonly envelope: Uint8Array;
  /** PAE of the body: what each signer signed. Its digest is txId, its end the payload. */
  readonly signed: Uint8Array;
  readonly chain: string;
  readonly account: string;
  readonly type: string;
  /** Milliseconds UTC. */
  readonly expires: number;
  readonly nonce: string;
  readonly body: JsonObject;
  readonly signatures: readonly SignatureEntry[];
};

/** A log record before it is serialised: members in their fixed order, `type` (or `_type`) first. */
export type LedgerRecord = JsonObject;

/** What a transaction did. A refused one has exactly one `tx.refused` record and no changes. */
export type Applied = {
  readonly records: readonly LedgerRecord[];
  /** The JSON of each record, where it had to be made to measure it. */
  readonly texts?: readonly string[];
  readonly changes: StateChanges;
  /** The stable code when refused. */
  readonly refused?: string;
};

export type Decide = (request: PolicyRequest) => Decision;

/**
 * What policy answered so far to questions about one state at one time. The caller brings another map as soon as the state changes, and
 * none where somebody listens to the questions.
 */
export type Answers = Map<string, Decision>;

/**
 * Whether a policy set may decide under the ruleset: undefined, or the code of what is wrong (`POLICY_*`). A function of the
 * document and the ruleset alone. Throws where this machine cannot answer; that is no answer about the set.
 */
export type CheckPolicySet = (document: PolicySetDocument) => string | undefined;
