import type { Finalization } from '../../consensus/types.ts';
import { type Cbor, decodeCbor } from '../codec/cbor.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { equalBytes } from '../codec/utf8.ts';
import { verifyConsensus } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/hash.ts';
import { parseCheckpoint, verifyLogSignature } from '../log/checkpoint.ts';
import { verifyCosignature } from '../log/cosignature.ts';
import { parseNote } from '../log/note.ts';
import { verifyConsistency } from '../log/proofs.ts';
import { algCosigner, algLog, createVkey } from '../log/vkey.ts';
import { treeHasher } from './body.ts';
import type { Genesis } from './genesis.ts';
import { blockIdOfBytes, decodeHeader, type Header, isClosing } from './header.ts';
import { verifyRunEnd } from './runs.ts';
import { invalidSnapshot, isBytes, type SnapshotManifest } from './snapshotFormat.ts';
import {
  type ConsensusParameters,
  consensusParameterNames,
  createEpoch,
  type Epoch,
  validatorsMax,
} from './validatorSet.ts';

/** One step of the walk, verified: the block that closed an epoch. */
export type Closing = { readonly header: Header; readonly headerBytes: Uint8Array; readonly certificate: Uint8Array };

/**
 * The walk from genesis: each closing block, finalized directly by its epoch's validators, names the next ones by their digest.
 * So whoever has the genesis document believes the last of them.
 */
export class Walk {
  readonly #genesis: Genesis;
  readonly closings: Closing[] = [];
  /** From 1 on. */
  readonly epochs: Epoch[];

  constructor(genesis: Genesis) {
    this.#genesis = genesis;
    this.epochs = [genesis.epoch];
  }

  get epoch(): Epoch {
    return this.epochs.at(-1) ?? this.#genesis.epoch;
  }

  /** The longest life of a transaction in any of the epochs. Milliseconds. */
  get lifetimeMaxMs(): number {
    return Math.max(...this.epochs.map(({ consensus }) => consensus.maxTxLifetimeMs));
  }

  /** `step`: [closing header, finalization, next epoch]. @throws WeftError SNAPSHOT_WALK, SNAPSHOT_INVALID */
  take(step: Cbor): void {
    const [headerBytes, certificate, next, ...more] = Array.isArray(step) ? (step as readonly Cbor[]) : [];
    if (!isBytes(headerBytes) || !isBytes(certificate) || !isBytes(next) || more.length > 0) {
      throw invalidSnapshot('a step of its walk has another form');
    }
    const header = provenHeader(headerBytes, certificate, this.epoch, this.#genesis);
    const before = this.closings.at(-1)?.header.height ?? 0;
    if (!isClosing(header) || header.height <= before) throw wrongWalk(header.height, 'the block closes no epoch');
    const epoch = readEpoch(next, this.epoch.epoch + 1, this.#genesis.genesisHash);
    if (epoch.digest !== header.nextValidators) throw wrongWalk(header.height, 'it names other validators');
    this.closings.push({ header, headerBytes, certificate });
    this.epochs.push(epoch);
  }

  /** The snapshot's own block. @throws WeftError SNAPSHOT_WALK */
  prove(manifest: SnapshotManifest): Header {
    const header = provenHeader(manifest.header, manifest.finalization, this.epoch, this.#genesis);
    if (header.height !== manifest.height || header.height <= (this.closings.at(-1)?.header.height ?? 0)) {
      throw wrongWalk(header.height, 'the snapshot is not of this block');
    }
    return header;
  }
}

/** A header of this epoch that q of its validators finalized directly. @throws WeftError SNAPSHOT_WALK */
function provenHeader(bytes: Uint8Array, certificate: Uint8Array, epoch: Epoch, genesis: Genesis): Header {
  let header: Header;
  try {
    header = decodeHeader(bytes);
    verifyFinality(certificate, blockIdOfBytes(bytes), epoch, genesis.genesisHash);
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    throw new WeftError('SNAPSHOT_WALK', `A block of the snapshot's walk is not proven: ${codeOf(error)}.`);
  }
  if (header.chain !== genesis.chain || header.epoch !== epoch.epoch || header.validators !== epoch.digest) {
    throw wrongWalk(header.height, `it is not of epoch ${epoch.epoch}`);
  }
  return header;
}

function verifyFinality(certificate: Uint8Array, blockId: string, epoch: Epoch, genesisHash: string): Finalization {
  return verifyRunEnd(certificate, blockId, epoch, genesisHash);
}

/** Types are checked here; that the values are the right ones is what the digest says. */
function readEpoch(bytes: Uint8Array, number: number, genesisHash: string): Epoch {
  let value: Cbor;
  try {
    value = decodeCbor(bytes, { bytesMax: 256 * 1024, itemsMax: 2048, depthMax: 3 });
  } catch (error) {
    throw invalidSnapshot(`a list of validators: ${codeOf(error)}`);
  }
  const [ruleset, parameters, rows] = Array.isArray(value) ? (value as readonly Cbor[]) : [];
  const count = consensusParameterNames.length;
  if (
    typeof ruleset !== 'number' ||
    !Array.isArray(parameters) ||
    parameters.length !== count ||
    !parameters.every((each: Cbor) => typeof each === 'number') ||
    !Array.isArray(rows) ||
    rows.length < 1 ||
    rows.length > validatorsMax
  ) {
    throw invalidSnapshot('a list of validators');
  }
  const consensus = Object.fromEntries(consensusParameterNames.map((name, i) => [name, parameters[i]]));
  const validators = rows.map((row: Cbor) => {
    const [name, peer, vote, log, cosigner, account] = Array.isArray(row) ? (row as readonly Cbor[]) : [];
    const keys = [peer, vote, log, cosigner];
    if (typeof name !== 'string' || typeof account !== 'string' || !keys.every((key) => isBytes(key, 32))) {
      throw invalidSnapshot('a validator');
    }
    const [p, v, l, c] = keys as Uint8Array[] as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    return { name, peer: p, vote: v, log: l, cosigner: c, account, url: '' };
  });
  return createEpoch(number, genesisHash, ruleset, consensus as unknown as ConsensusParameters, validators);
}

/**
 * The checkpoint: of this log, at or above the block's size, one validator's log line and cosignatures by q of the epoch's set,
 * and consistent with the block's root. @throws WeftError SNAPSHOT_CHECKPOINT
 */
export function checkSnapshotCheckpoint(
  manifest: SnapshotManifest,
  header: Header,
  epoch: Epoch,
  genesis: Genesis,
): void {
  const refused = (why: string): WeftError =>
    new WeftError('SNAPSHOT_CHECKPOINT', `The checkpoint of the snapshot does not hold: ${why}.`);
  let text: string;
  let size: number;
  let root: Uint8Array;
  let signatures: ReturnType<typeof parseNote>['signatures'];
  try {
    const note = parseNote(manifest.checkpoint);
    const checkpoint = parseCheckpoint(note.text);
    if (checkpoint.origin !== genesis.origin) throw refused(`it is of ${checkpoint.origin}`);
    ({ text, signatures } = note);
    ({ size, root } = checkpoint);
  } catch (error) {
    if (!(error instanceof WeftError) || error.code === 'SNAPSHOT_CHECKPOINT') throw error;
    throw refused(error.code);
  }
  const logged = signatures.some((signature) =>
    epoch.validators.some(({ log }) =>
      verifyLogSignature(text, signature, createVkey(sha256, genesis.origin, algLog, log), verifyConsensus),
    ),
  );
  if (!logged) throw refused('no validator of its epoch has signed it as the log');
  const cosigners = epoch.validators.filter(({ name, cosigner }) => {
    const key = createVkey(sha256, `${genesis.chain}/${name}`, algCosigner, cosigner);
    return signatures.some((signature) => verifyCosignature(text, signature, key, verifyConsensus) !== undefined);
  });
  if (cosigners.length < epoch.quorum) throw refused(`${cosigners.length} cosignatures, not ${epoch.quorum}`);
  if (size < header.logSize) throw refused('it is older than the block');
  const same = size === header.logSize && manifest.consistency.length === 0 && toHex(root) === header.logRoot;
  const grown = (): boolean =>
    size > header.logSize &&
    verifyConsistency(treeHasher, {
      oldSize: header.logSize,
      oldRoot: fromHex(header.logRoot, 32),
      newSize: size,
      newRoot: root,
      hashes: manifest.consistency,
    });
  if (!same && !grown()) throw refused('the log that it signs does not hold the block');
}

/** Headers from the base to the block, each the parent of the next; the walk's finalization of the last proves them all. */
export class HeaderChain {
  readonly headers: { readonly header: Header; readonly bytes: Uint8Array; readonly blockId: string }[] = [];
  readonly #countMax: number;

  /** Each block is a millisecond later than its parent at least, so the window bounds their number. @throws WeftError SNAPSHOT_WINDOW */
  constructor(manifest: SnapshotManifest, lifetimeMaxMs: number) {
    this.#countMax = manifest.height - manifest.base.height + 1;
    if (this.#countMax > lifetimeMaxMs + 2) {
      throw new WeftError(
        'SNAPSHOT_WINDOW',
        'The snapshot brings more blocks than fit into the life of a transaction.',
      );
    }
  }

  /** @throws WeftError SNAPSHOT_INVALID, SNAPSHOT_HEADERS */
  take(bytes: Cbor): void {
    if (!isBytes(bytes)) throw invalidSnapshot('a header is no byte string');
    if (this.headers.length >= this.#countMax) throw wrongHeaders('there are too many');
    let header: Header;
    try {
      header = decodeHeader(bytes);
    } catch (error) {
      throw invalidSnapshot(`a header: ${codeOf(error)}`);
    }
    const before = this.headers.at(-1);
    if (before !== undefined && (header.parent !== before.blockId || header.height !== before.header.height + 1)) {
      throw wrongHeaders(`block ${header.height} does not follow the one before it`);
    }
    this.headers.push({ header, bytes, blockId: blockIdOfBytes(bytes) });
  }

  /**
   * They end at the snapshot's block and begin at its base, behind which nothing can still be valid.
   * @throws WeftError SNAPSHOT_HEADERS, SNAPSHOT_WINDOW
   */
  finish(manifest: SnapshotManifest, genesis: Genesis, lifetimeMaxMs: number): void {
    const first = this.headers[0];
    const last = this.headers.at(-1);
    if (first === undefined || last === undefined || !equalBytes(last.bytes, manifest.header)) {
      throw wrongHeaders('they do not end at its block');
    }
    const { base } = manifest;
    if (base.height === 0) {
      if (first.header.height !== 1 || first.header.parent !== genesis.genesisHash || base.logSize !== 1)
        throw wrongHeaders('they do not begin at genesis');
      return;
    }
    if (first.header.height !== base.height || first.header.logSize !== base.logSize)
      throw wrongHeaders('they do not begin at its base');
    if (first.header.time + lifetimeMaxMs > last.header.time) {
      throw new WeftError(
        'SNAPSHOT_WINDOW',
        'The snapshot does not reach back over the life of a transaction: duplicates could pass.',
      );
    }
  }
}

function wrongWalk(height: number, why: string): WeftError {
  return new WeftError('SNAPSHOT_WALK', `Block ${height} of the snapshot's walk does not hold: ${why}.`);
}

function wrongHeaders(why: string): WeftError {
  return new WeftError('SNAPSHOT_HEADERS', `The headers of the snapshot do not hold: ${why}.`);
}
