// An epoch as the log and state tell of it: all that a reader must know to check the blocks and checkpoints of the next one.
import { fromBase64Url } from '../../src/codec/base64.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { algCosigner, algLog, createVkey, formatVkey } from '../../src/log/vkey.ts';
import { asJson } from '../contract.ts';
import type { BlockContext, Json, LedgerRecord } from '../types.ts';
import type { Governed, Parameters, ValidatorEntry } from './state.ts';

/** Ed25519 keys of the past are asked for by evidence, long after the set has changed. */
export type EpochValue = {
  readonly epoch: number;
  /** Of its first block. */
  readonly height: number;
  readonly ruleset: number;
  /** In the order of their indexes; keys base64url. */
  readonly validators: readonly { readonly name: string; readonly vote: string; readonly cosigner: string }[];
};

/** `governance/epoch/<n>`. */
export function epochValue(
  epoch: number,
  height: number,
  { ruleset, validators }: Pick<Governed, 'ruleset' | 'validators'>,
): Json {
  return {
    epoch,
    height,
    ruleset,
    validators: validators.map(({ name, vote, cosigner }) => ({ name, vote, cosigner })),
  };
}

/** True when a block that leads from one to the other is closing (W10). URLs decide nothing. */
export function endsEpoch(before: Governed, after: Governed): boolean {
  return digestible(before) !== digestible(after);
}

function digestible({ ruleset, parameters, validators }: Governed): string {
  const p = parametersInOrder(parameters);
  return JSON.stringify([
    ruleset,
    Object.values(p),
    validators.map(({ name, peer, vote, log, cosigner, account }) => [name, peer, vote, log, cosigner, account]),
  ]);
}

/** The `epoch` record of a closing block. Account keys are left out: they change without an epoch, and state has them. */
export function epochRecord(
  block: BlockContext,
  { ruleset, parameters, validators }: Governed,
  named: (chain: string, validator: ValidatorEntry) => object = namedWithVkeys,
): LedgerRecord {
  return {
    type: 'epoch',
    height: block.height,
    time: block.time,
    epoch: block.epoch + 1,
    ruleset,
    consensus: parametersInOrder(parameters),
    validators: validators.map((validator) => asJson(named(block.chain, validator))),
  };
}

/** Bytes of that record; the block's numbers are taken as large as they get. */
export function epochRecordBytes(chain: string, governed: Governed): number {
  const largest = Number.MAX_SAFE_INTEGER;
  const block = { chain, genesisHash: '', height: largest, time: largest, epoch: largest - 1, ruleset: 1 };
  // Everything in it is ASCII.
  return JSON.stringify(epochRecord(block, governed, namedAtLength)).length;
}

/** Of a vkey without its name: `+`, key id, `+`, base64 of type and key. */
const vkeyTailLength = 1 + 8 + 1 + 44;

/** As long as `namedWithVkeys`, without its hashes: the length is asked for at each step of a proposal. */
function namedAtLength(chain: string, validator: ValidatorEntry) {
  const { name, peer, vote, account, url } = validator;
  const log = ' '.repeat(chain.length + '/weft'.length + vkeyTailLength);
  const cosigner = ' '.repeat(chain.length + 1 + name.length + vkeyTailLength);
  return { name, peer, vote, log, cosigner, account, url };
}

/** A validator in a record: complete vkeys, because their names contain the chain id. */
export function namedWithVkeys(chain: string, { name, peer, vote, log, cosigner, account, url }: ValidatorEntry) {
  return {
    name,
    peer,
    vote,
    log: formatVkey(createVkey(sha256, `${chain}/weft`, algLog, fromBase64Url(log))),
    cosigner: formatVkey(createVkey(sha256, `${chain}/${name}`, algCosigner, fromBase64Url(cosigner))),
    account,
    url,
  };
}

/** Members in the order of records; state has them sorted. */
export function parametersInOrder(c: Parameters) {
  return {
    leaderTimeoutMs: c.leaderTimeoutMs,
    certificationTimeoutMs: c.certificationTimeoutMs,
    retryMs: c.retryMs,
    fetchMs: c.fetchMs,
    skipMs: c.skipMs,
    idleBlockMs: c.idleBlockMs,
    maxBlockBytes: c.maxBlockBytes,
    maxBlockTxs: c.maxBlockTxs,
    maxTxLifetimeMs: c.maxTxLifetimeMs,
    cosignEveryBlocks: c.cosignEveryBlocks,
    recosignMs: c.recosignMs,
    retentionViews: c.retentionViews,
  };
}
