import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';

/**
 * A block header (docs/formats.md, "Block"). Digests are 64 lower-case hex digits here and 32 raw bytes in CBOR.
 * `logSize`, `logRoot` and `stateRoot` are those *after* executing the block.
 */
export type Header = {
  readonly ruleset: number;
  /** Chain id. */
  readonly chain: string;
  readonly epoch: number;
  /** View of the first proposal: a closing block that is proposed again keeps it (W9). */
  readonly view: number;
  readonly height: number;
  /** Block id of the parent; genesisHash for height 1. */
  readonly parent: string;
  /** Integer milliseconds UTC, above the parent's. */
  readonly time: number;
  /** Index in the epoch's validator list. */
  readonly proposer: number;
  /** RFC 6962 root over the envelope ids. */
  readonly txRoot: string;
  readonly logSize: number;
  readonly logRoot: string;
  readonly stateRoot: string;
  /** Digest of this epoch's ruleset, parameters and validators (validatorSet.ts). */
  readonly validators: string;
  /** The same of the next block's epoch; another value makes the block a closing one (W10). */
  readonly nextValidators: string;
};

/** Twice what the largest header takes. */
const headerBytesMax = 1024;
const fields = 14;
const chainPattern = /^[a-z0-9.-]{3,40}-[0-9a-f]{12}$/;
const tag = encodeUtf8('weft/block/v1');

/** `[ruleset, chain, epoch, view, height, parent, time, proposer, txRoot, logSize, logRoot, stateRoot, validators, nextValidators]`. */
export function encodeHeader(header: Header): Uint8Array {
  return encodeCbor([
    header.ruleset,
    header.chain,
    header.epoch,
    header.view,
    header.height,
    fromHex(header.parent, 32),
    header.time,
    header.proposer,
    fromHex(header.txRoot, 32),
    header.logSize,
    fromHex(header.logRoot, 32),
    fromHex(header.stateRoot, 32),
    fromHex(header.validators, 32),
    fromHex(header.nextValidators, 32),
  ]);
}

/**
 * The header of its one encoding. Checks shapes, not meanings: epoch, view, height and ruleset count from 1 (genesis is
 * never sent), proposer < 128. Refusals: `HEADER_INVALID`, `CBOR_*`.
 */
export function decodeHeader(bytes: Uint8Array): Header {
  const value = decodeCbor(bytes, { bytesMax: headerBytesMax, depthMax: 1, itemsMax: fields + 1 });
  if (!Array.isArray(value) || value.length !== fields) throw invalid(`it is not an array of ${fields}`);
  const count = (position: number, least: number, name: string): number => {
    const number: unknown = value[position];
    if (typeof number !== 'number' || number < least) throw invalid(`${name} is not an integer of at least ${least}`);
    return number;
  };
  const digest = (position: number, name: string): string => {
    const bytes: unknown = value[position];
    if (!(bytes instanceof Uint8Array) || bytes.length !== 32) throw invalid(`${name} is not 32 bytes`);
    return toHex(bytes);
  };
  const chain: unknown = value[1];
  if (typeof chain !== 'string' || !chainPattern.test(chain)) throw invalid('chain is not a chain id');
  const header: Header = {
    ruleset: count(0, 1, 'ruleset'),
    chain,
    epoch: count(2, 1, 'epoch'),
    view: count(3, 1, 'view'),
    height: count(4, 1, 'height'),
    parent: digest(5, 'parent'),
    time: count(6, 0, 'time'),
    proposer: count(7, 0, 'proposer'),
    txRoot: digest(8, 'txRoot'),
    logSize: count(9, 1, 'logSize'),
    logRoot: digest(10, 'logRoot'),
    stateRoot: digest(11, 'stateRoot'),
    validators: digest(12, 'validators'),
    nextValidators: digest(13, 'nextValidators'),
  };
  if (header.proposer > 127) throw invalid('proposer is above 127');
  return header;
}

/** `SHA-256("weft/block/v1" ‖ CBOR(header))`, hex. */
export function blockIdOf(header: Header): string {
  return blockIdOfBytes(encodeHeader(header));
}

/** The same of bytes that are known to be a header's. */
export function blockIdOfBytes(headerBytes: Uint8Array): string {
  return sha256Hex(concat(tag, headerBytes));
}

/** The last block of its epoch (W10). Genesis closes epoch 0. */
export function isClosing(header: Header): boolean {
  return header.validators !== header.nextValidators;
}

function invalid(why: string): WeftError {
  return new WeftError('HEADER_INVALID', `Not a block header: ${why}.`);
}
