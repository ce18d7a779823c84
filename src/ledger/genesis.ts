import { ruleset } from '../../contracts/rulesets.ts';
import type { Json, JsonObject, StateChanges } from '../../contracts/types.ts';
import type { Genesis as GenesisDocument } from '../../schemas/types/genesis.ts';
import { fromBase64Url } from '../codec/base64.ts';
import { canonicalJson } from '../codec/canonical.ts';
import { WeftError } from '../codec/error.ts';
import { parseStrictJson } from '../codec/json.ts';
import { concat, decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import type { Header } from './header.ts';
import { type ConsensusParameters, createEpoch, type Epoch, type Validator } from './validatorSet.ts';

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
  /** Leaf 0. */
  readonly leaf: Uint8Array;
  /** Milliseconds UTC. */
  readonly time: number;
};
