import { needRuleset, type RulesetSource, ruleset } from '../../contracts/rulesets.ts';
import type { Json, StateChanges } from '../../contracts/types.ts';
import type { Genesis as GenesisDocument } from '../../schemas/types/genesis.ts';
import { canonicalJson } from '../codec/canonical.ts';
import { WeftError } from '../codec/error.ts';
import { parseStrictJson } from '../codec/json.ts';
import { concat, decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { txRootOf } from './body.ts';
import { epochFromState } from './epochState.ts';
import type { Header } from './header.ts';
import { recordLeaf } from './leaves.ts';
import type { Epoch } from './validatorSet.ts';

export const genesisBytesMax = 4 * 1024 * 1024;
const tag = encodeUtf8('weft/genesis/v1');
const noDigest = '0'.repeat(64);

/** A network's beginning: block 0, leaf 0 and the first epoch. */
export type Genesis = {
  readonly document: GenesisDocument;
  /** RFC 8785 bytes of the document. */
  readonly bytes: Uint8Array;
  /** `SHA-256("weft/genesis/v1" ‖ RFC 8785 genesis)`, hex; the block id of genesis. */
  readonly genesisHash: string;
  readonly chain: string;
  /** Name of the log: `<chain id>/weft`. */
  readonly origin: string;
  /** Epoch 1. */
  readonly epoch: Epoch;
  /** State before block 1. */
  readonly changes: StateChanges;
  /** Leaf 0: the genesis record, with complete vkeys. */
  readonly leaf: Uint8Array;
  /** Milliseconds UTC. */
  readonly time: number;
};

/**
 * Reads a genesis document: as JSON.stringify spells it, compact or with two spaces, and maybe a final newline. What it must
 * fulfil (schema, order, distinct keys, proofs of possession) its ruleset checks.
 * @throws WeftError GENESIS_INVALID, GENESIS_TOO_LARGE, RULESET_UNKNOWN
 */
export function loadGenesis(bytes: Uint8Array, rulesets: RulesetSource = ruleset): Genesis {
  const document = parseGenesis(bytes);
  const version = (document as { ruleset?: unknown }).ruleset;
  const rules = needRuleset(rulesets, typeof version === 'number' ? version : 0, 'The genesis document');
  const name = (document as { name?: unknown }).name;
  const canonical = encodeUtf8(canonicalJson(document));
  const genesisHash = sha256Hex(concat(tag, canonical));
  const chain = `${String(name)}-${genesisHash.slice(0, 12)}`;
  const { changes, record } = rules.genesis(document, genesisHash, chain);
  return {
    document: document as unknown as GenesisDocument,
    bytes: canonical,
    genesisHash,
    chain,
    origin: `${chain}/weft`,
    epoch: epochFromState({ get: (path) => changes.get(path) ?? undefined }, 1, genesisHash),
    changes,
    leaf: recordLeaf(record),
    time: (document as unknown as GenesisDocument).time,
  };
}

/** Two spellings, each of which has one reading: other white space could hide a duplicate member from a reader. */
function parseGenesis(bytes: Uint8Array): Json {
  if (bytes.length > genesisBytesMax) {
    throw new WeftError('GENESIS_TOO_LARGE', `A genesis document has at most ${genesisBytesMax} bytes.`);
  }
  try {
    const text = decodeUtf8(bytes).replace(/\n$/, '');
    const value: unknown = JSON.parse(text);
    const compact = JSON.stringify(value);
    if (text !== compact && text !== JSON.stringify(value, null, 2)) {
      throw new WeftError(
        'GENESIS_INVALID',
        'it is neither compact nor indented by two spaces, or a member stands twice',
      );
    }
    return parseStrictJson(encodeUtf8(compact), { bytesMax: genesisBytesMax });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeftError('GENESIS_INVALID', `Not a genesis document: ${why}. Take the file as \`weft init\` wrote it.`);
  }
}

/**
 * Block 0 in the form of a header: height, view and epoch 0, the state and log that genesis makes, and a `validators` of zeros, so
 * that it closes epoch 0. Its block id is genesisHash, not this header's hash, and it is never sent.
 */
export function genesisHeader({ document, chain, time, epoch }: Genesis, logRoot: string, stateRoot: string): Header {
  return {
    ruleset: document.ruleset,
    chain,
    epoch: 0,
    view: 0,
    height: 0,
    parent: noDigest,
    time,
    proposer: 0,
    txRoot: txRootOf([]),
    logSize: 1,
    logRoot,
    stateRoot,
    validators: noDigest,
    nextValidators: epoch.digest,
  };
}
