import { encodeCbor } from '../codec/cbor.ts';
import { fromHex } from '../codec/hex.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import { sha256, sha256Hex } from '../crypto/hash.ts';

export const validatorsMax = 128;

/** One validator: its keys are Ed25519 public keys of 32 bytes. `url`: public base of its RPC and tiles. */
export type Validator = {
  readonly name: string;
  readonly peer: Uint8Array;
  readonly vote: Uint8Array;
  readonly log: Uint8Array;
  readonly cosigner: Uint8Array;
  /** Name of its operator's account. */
  readonly account: string;
  readonly url: string;
};

/** Parameters on the ledger: a change closes the epoch. Times in milliseconds. */
export type ConsensusParameters = {
  readonly leaderTimeoutMs: number;
  readonly certificationTimeoutMs: number;
  readonly retryMs: number;
  readonly fetchMs: number;
  readonly skipMs: number;
  readonly idleBlockMs: number;
  /** Of the encoded body. */
  readonly maxBlockBytes: number;
  readonly maxBlockTxs: number;
  readonly maxTxLifetimeMs: number;
  readonly cosignEveryBlocks: number;
  readonly recosignMs: number;
  readonly retentionViews: number;
};

/** The order in which the parameters enter the epoch digest. */
export const consensusParameterNames: readonly (keyof ConsensusParameters)[] = [
  'leaderTimeoutMs',
  'certificationTimeoutMs',
  'retryMs',
  'fetchMs',
  'skipMs',
  'idleBlockMs',
  'maxBlockBytes',
  'maxBlockTxs',
  'maxTxLifetimeMs',
  'cosignEveryBlocks',
  'recosignMs',
  'retentionViews',
];

/** All that a block of an epoch is checked against. */
export type Epoch = {
  readonly epoch: number;
  readonly ruleset: number;
  readonly consensus: ConsensusParameters;
  /** Sorted by name; a validator's index is its bit and its `proposer`. */
  readonly validators: readonly Validator[];
  /** q = n − ⌊(n−1)/3⌋. */
  readonly quorum: number;
  /** `validators` of every header of the epoch. */
  readonly digest: string;
  /** Leader(view) = leaderOrder[(view − 1) mod n]. */
  readonly leaderOrder: readonly number[];
};

/** W2: n − ⌊(n−1)/3⌋. */
export function quorumOf(validatorCount: number): number {
  return validatorCount - Math.floor((validatorCount - 1) / 3);
}

const epochTag = encodeUtf8('weft/epoch/v1');
const leaderTag = encodeUtf8('weft/leader/v1');

/**
 * `SHA-256("weft/epoch/v1" ‖ CBOR([ruleset, [parameters in the order of consensusParameterNames], [[name, peer, vote,
 * log, cosigner, account], …]]))`, hex. URLs are left out: they decide nothing, and moving a server closes no epoch.
 */
export function epochDigest(ruleset: number, consensus: ConsensusParameters, validators: readonly Validator[]): string {
  const list = validators.map(({ name, peer, vote, log, cosigner, account }) => [
    name,
    peer,
    vote,
    log,
    cosigner,
    account,
  ]);
  const parameters = consensusParameterNames.map((name) => consensus[name]);
  return sha256Hex(concat(epochTag, encodeCbor([ruleset, parameters, list])));
}

/** Validator indices sorted by `SHA-256("weft/leader/v1" ‖ genesisHash ‖ u64be(epoch) ‖ vote key)` (W3). */
export function leaderOrder(epoch: number, genesisHash: string, validators: readonly Validator[]): number[] {
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, BigInt(epoch));
  const prefix = concat(leaderTag, fromHex(genesisHash, 32), number);
  const draws = validators.map(({ vote }, index) => ({ index, draw: sha256(concat(prefix, vote)) }));
  draws.sort((a, b) => Buffer.compare(a.draw, b.draw));
  return draws.map(({ index }) => index);
}

export function createEpoch(
  epoch: number,
  genesisHash: string,
  ruleset: number,
  consensus: ConsensusParameters,
  validators: readonly Validator[],
): Epoch {
  return {
    epoch,
    ruleset,
    consensus,
    validators,
    quorum: quorumOf(validators.length),
    digest: epochDigest(ruleset, consensus, validators),
    leaderOrder: leaderOrder(epoch, genesisHash, validators),
  };
}

/** Index of the validator that proposes in this view. */
export function leaderOf(epoch: Epoch, view: number): number {
  return epoch.leaderOrder[(view - 1) % epoch.leaderOrder.length] ?? 0;
}
