import { evidencePath } from '../../contracts/governance/evidence.ts';
import { toBase64, toBase64Url } from '../codec/base64.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { StoredBlock } from '../ledger/types.ts';
import type { Epoch, Validator } from '../ledger/validatorSet.ts';
import { stateProofToJson } from '../log/stateProof.ts';
import { algCosigner, algLog, createVkey, type Vkey } from '../log/vkey.ts';
import { encodeToken } from '../token/form.ts';
import { cosignerName, formatTrust } from '../token/trust.ts';
import type { BlockSummary, EvidenceList, LogEntry, StateAnswer, TokenWanted, TxStatus } from './api.ts';
import type { KeptEvidence } from './evidence.ts';

/** What a node answers about finalized history: reads of the ledger in the shapes of `api.ts`. */

const statePath = /^[A-Za-z0-9._-]{1,128}(\/[A-Za-z0-9._-]{1,128}){2}$/;

export function summaryOf(block: StoredBlock, epoch: Epoch | undefined): BlockSummary {
  const { header } = block;
  return {
    height: header.height,
    blockId: block.blockId,
    epoch: header.epoch,
    view: header.view,
    time: header.time,
    proposer: epoch?.validators[header.proposer]?.name ?? String(header.proposer),
    transactions: block.transactions,
    logSize: header.logSize,
    logRoot: header.logRoot,
    stateRoot: header.stateRoot,
  };
}

export function blockOf(ledger: Ledger, heightOrId: number | string): BlockSummary | undefined {
  const block = ledger.block(heightOrId);
  const { floor } = ledger;
  if (block === undefined && typeof heightOrId === 'number' && heightOrId > 0 && heightOrId < floor.height) {
    throw new WeftError(
      'BLOCK_PRUNED',
      `this node holds blocks from height ${floor.height} on; ask one that keeps all, or look into an archive (weft audit)`,
      { fromHeight: floor.height },
    );
  }
  return block === undefined ? undefined : summaryOf(block, ledger.epochOf(block.header.epoch));
}

/** The finalized transaction, or undefined when it is in no block. */
export function finalizedTx(ledger: Ledger, id: string): Extract<TxStatus, { status: 'finalized' }> | undefined {
  const found = ledger.transaction(id);
  if (found === undefined) return undefined;
  return {
    status: 'finalized',
    id,
    height: found.height,
    time: found.time,
    index: found.index,
    records: found.records.map(({ index, leaf }) => ({ index, record: JSON.parse(decodeUtf8(leaf)) as unknown })),
    ...(found.refused === undefined ? {} : { refused: found.refused }),
  };
}

export function entryOf(ledger: Ledger, index: number): LogEntry | undefined {
  const entry = Number.isSafeInteger(index) && index >= 0 ? ledger.entry(index) : undefined;
  const { floor } = ledger;
  if (entry === undefined && Number.isSafeInteger(index) && index >= 0 && index < floor.entry) {
    throw new WeftError(
      'ENTRY_PRUNED',
      `this node holds log entries from ${floor.entry} on; ask one that keeps all, or an export of the log (weft export --tiles)`,
      { fromEntry: floor.entry },
    );
  }
  return entry === undefined ? undefined : { index, ...entry };
}

/** @throws WeftError STATE_PATH_INVALID */
export function checkStatePath(path: string): void {
  if (statePath.test(path)) return;
  throw new WeftError(
    'STATE_PATH_INVALID',
    `'${path.slice(0, 80)}' is no state path; use contract/kind/id, for example identity/account/alice`,
  );
}

/** @throws WeftError STATE_PATH_INVALID */
export function stateOf(ledger: Ledger, path: string, withProof: boolean): StateAnswer {
  checkStatePath(path);
  const { header } = ledger.finalized;
  if (!withProof)
    return { path, value: ledger.state.get(path) ?? null, height: header.height, stateRoot: header.stateRoot };
  const { value, proof, height } = ledger.stateProof(path);
  return { path, value: value ?? null, height, stateRoot: header.stateRoot, proof: stateProofToJson(proof) };
}

/**
 * Token of a leaf under the newest published checkpoint.
 * @throws WeftError TX_UNKNOWN, TX_WITHOUT_RECORDS, RECORD_AMBIGUOUS, RECORD_ABSENT, GRANT_UNKNOWN, GRANT_ABSENT, ENTRY_ABSENT,
 *   CHECKPOINT_NOT_YET
 */
export function tokenOf(ledger: Ledger, which: TokenWanted, checkpoint: string | undefined, size: number): string {
  const index =
    'index' in which
      ? which.index
      : 'intent' in which
        ? grantIndex(ledger, which.intent)
        : recordIndex(ledger, which.tx, which.record);
  const leaf = ledger.leaf(index) ?? entryOf(ledger, index)?.leaf;
  if (leaf === undefined) {
    throw new WeftError(
      'ENTRY_ABSENT',
      `the log has no entry ${index} here; it ends at ${ledger.finalized.header.logSize - 1}`,
    );
  }
  if (checkpoint === undefined || index >= size) {
    throw new WeftError(
      'CHECKPOINT_NOT_YET',
      `entry ${index} is final, but no checkpoint with a quorum of cosignatures covers it yet; ask again in a moment`,
      { retryAfterMs: 100 },
    );
  }
  return encodeToken({ leaf, index, hashes: proofOf(ledger, index, size), checkpoint });
}

/** What was before a snapshot has no proof here: only the log's edge came with it. */
export function proofOf(ledger: Pick<Ledger, 'logProof' | 'floor'>, index: number, size: number): Uint8Array[] {
  try {
    return ledger.logProof(index, size);
  } catch (error) {
    if (codeOf(error) !== 'LOG_TILE_MISSING') throw error;
    throw new WeftError(
      'ENTRY_PRUNED',
      `this node began from a snapshot and has no hashes of entry ${index}; ask one that keeps all`,
      { fromEntry: ledger.floor.tiles },
    );
  }
}

function recordIndex(ledger: Ledger, tx: string, record: number | undefined): number {
  const found = ledger.transaction(tx);
  if (found === undefined) {
    throw new WeftError('TX_UNKNOWN', `no finalized transaction ${tx} here; ask for it with tx.get to learn its fate`);
  }
  const indices = found.records.map(({ index }) => index);
  if (indices.length === 0)
    throw new WeftError(
      'TX_WITHOUT_RECORDS',
      `transaction ${tx} caused no record; its own leaf is entry ${found.index}`,
    );
  if (record === undefined && indices.length > 1) {
    throw new WeftError(
      'RECORD_AMBIGUOUS',
      `transaction ${tx} caused ${indices.length} records; say which (record 0 to ${indices.length - 1}, log entries ${indices.join(', ')})`,
      { records: indices.length },
    );
  }
  const index = indices[record ?? 0];
  if (index === undefined)
    throw new WeftError('RECORD_ABSENT', `transaction ${tx} has records 0 to ${indices.length - 1}`);
  return index;
}

/** The grant of an intent: a record of its proposal, or, where it was approved later, of the block that state names. */
function grantIndex(ledger: Ledger, intent: string): number {
  const proposed = ledger.transaction(intent)?.records.find(({ leaf }) => isGrantOf(leaf, intent));
  if (proposed !== undefined) return proposed.index;
  const kept = ledger.state.get(`intents/grant/${intent}`) as
    | { readonly status: string; readonly notBefore?: { readonly height: number } | null }
    | undefined;
  const height = kept?.notBefore?.height;
  if (kept === undefined) {
    throw new WeftError(
      'GRANT_UNKNOWN',
      `state holds no intent ${intent}: it was never proposed here, or it is over and was let go; ask by the last approval's transaction`,
    );
  }
  if (height !== undefined) {
    const end = ledger.block(height)?.header.logSize ?? 0;
    const begin = ledger.block(height - 1)?.header.logSize ?? end;
    for (let index = end - 1; index >= begin; index -= 1) {
      const leaf = ledger.entry(index)?.leaf;
      if (leaf !== undefined && isGrantOf(leaf, intent)) return index;
    }
  }
  throw new WeftError('GRANT_ABSENT', `intent ${intent} is ${kept.status}: there is no grant of it to make a token of`);
}

const grantPrefix = encodeUtf8('{"_type":');

function isGrantOf(leaf: Uint8Array, intent: string): boolean {
  if (!equalBytes(leaf.subarray(0, grantPrefix.length), grantPrefix)) return false;
  const { predicate } = JSON.parse(decodeUtf8(leaf)) as { readonly predicate?: { readonly intent?: unknown } };
  return predicate?.intent === intent;
}

const evidenceMax = 256;

/** Evidence on the ledger, newest first, and what is kept here beyond that. */
export async function evidenceOf(ledger: Ledger, open: readonly KeptEvidence[]): Promise<EvidenceList> {
  const indices = await ledger.newestRecords('governance.evidence', evidenceMax);
  const recorded = indices.flatMap((index) => {
    const leaf = ledger.entry(index)?.leaf;
    if (leaf === undefined) return [];
    const { offender, kind, epoch, at, by, height } = JSON.parse(decodeUtf8(leaf)) as EvidenceList['recorded'][number];
    const key = ledger.epochOf(epoch)?.validators.find(({ name }) => name === offender)?.cosigner ?? new Uint8Array();
    const id = evidencePath(kind, epoch, { offender, at, key: toBase64Url(key) }).slice('governance/evidence/'.length);
    return { id, offender, kind, epoch, at, by, height, index };
  });
  return {
    recorded,
    open: open.map(({ id, offender, at, pair }) => ({
      id,
      offender,
      kind: pair.kind,
      epoch: pair.epoch,
      at,
      a: toBase64(pair.a),
      b: toBase64(pair.b),
    })),
  };
}

export function logKeyOf(origin: string, publicKey: Uint8Array): Vkey {
  return createVkey(sha256, origin, algLog, publicKey);
}

export function cosignerKeyOf(chain: string, validator: Validator): Vkey {
  return createVkey(sha256, cosignerName(chain, validator.name), algCosigner, validator.cosigner);
}

/** The trust file of an epoch: all log lines, all witness lines, one group, its quorum. */
export function trustOf(chain: string, origin: string, epoch: Epoch, checkedAt: number): string {
  return formatTrust(sha256, {
    chain,
    origin,
    logs: epoch.validators.map((validator) => logKeyOf(origin, validator.log)),
    cosigners: epoch.validators.map((validator) => ({
      name: validator.name,
      key: cosignerKeyOf(chain, validator),
      url: validator.url,
    })),
    quorum: epoch.quorum,
    checkedAt,
    epoch: epoch.epoch,
  });
}
