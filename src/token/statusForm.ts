import { fromBase64, toBase64 } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { type Json, parseStrictJson, stringifyJson } from '../codec/json.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { entryBytesMax } from '../log/bundles.ts';
import { hashBytes } from '../log/hasher.ts';
import { proofHashesMax } from '../log/proofs.ts';
import { stateProofFromJson, stateProofToJson } from '../log/stateProof.ts';
import type { StateProof } from '../log/stateTree.ts';
import { leafTextMax, readSigned, type SignedCheckpoint } from './form.ts';
import { count, list, members, text } from './leaf.ts';

/**
 * `weft-status/v1`: what ledger state said about some paths at a checkpoint. JSON with one reading, members in this order, so that
 * every value stands in it as the bytes that the state tree hashed:
 * `{"format","checkpoint","block":{"leaf","index","proof"},"state":[{"path","value","proof"},…]}`, paths ascending.
 */
const statusFormat = 'weft-status/v1';
/** UTF-8 bytes of a status. */
export const statusBytesMax = 1024 * 1024;
export const statusPathsMax = 32;
/** State values nest as deep as the ledger lets them, three levels below the document. */
const depthMax = 19;

/** What state holds at a path: `value` null where it proves that there is nothing. */
export type StatusEntry = { readonly path: string; readonly value: Json; readonly proof: StateProof };

/** A status taken apart; nothing in it is verified. */
export type StatusDocument = SignedCheckpoint & {
  /** The block record: its exact bytes, and where it stands. */
  readonly leaf: Uint8Array;
  readonly index: number;
  /** Inclusion proof, leaf's sibling first. */
  readonly hashes: readonly Uint8Array[];
  readonly entries: readonly StatusEntry[];
};

export type StatusParts = {
  /** The published checkpoint, verbatim. */
  readonly checkpoint: string;
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
  /** Values as canonical JSON reads back; in any order. */
  readonly entries: readonly StatusEntry[];
};

/** Status text. Throws STATUS_TOO_LARGE, STATUS_MALFORMED when no verifier would read it. */
export function encodeStatus({ checkpoint, leaf, index, hashes, entries }: StatusParts): string {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  const document = {
    format: statusFormat,
    checkpoint,
    block: { leaf: toBase64(leaf), index, proof: hashes.map(toBase64) },
    state: sorted.map(({ path, value, proof }) => ({ path, value, proof: stateProofToJson(proof) })),
  };
  const text = recode(() => stringifyJson(document as unknown as Json, depthMax));
  parseStatus(text);
  return text;
}

/** Reads the one spelling of a status, bounded before anything of it is allocated. Throws STATUS_TOO_LARGE, STATUS_MALFORMED. */
export function parseStatus(status: string | Uint8Array): StatusDocument {
  if (status.length > statusBytesMax) throw tooLarge();
  const bytes = typeof status === 'string' ? recode(() => encodeUtf8(status)) : status;
  if (bytes.length > statusBytesMax) throw tooLarge();
  return recode(() => {
    const json = parseStrictJson(bytes, { bytesMax: statusBytesMax, depthMax });
    const document = members(json, ['format', 'checkpoint', 'block', 'state'], 'the document');
    if (document['format'] !== statusFormat) throw malformed(`its format is not ${statusFormat}`);
    const block = members(document['block'], ['leaf', 'index', 'proof'], 'block');
    const signed = readSigned(text(document['checkpoint'], 'the checkpoint'));
    const leafText = text(block['leaf'], 'the leaf');
    if (leafText.length > leafTextMax) throw malformed(`its leaf has more than ${entryBytesMax} bytes`);
    const leaf = fromBase64(leafText);
    const index = count(block['index'], 'block.index');
    const hashes = list(block['proof'], proofHashesMax, 'block.proof').map((hash) => fromBase64(hash, hashBytes));
    const state = document['state'];
    if (!Array.isArray(state) || state.length > statusPathsMax) {
      throw malformed(`state is not a list of at most ${statusPathsMax}`);
    }
    const entries = state.map(entryOf);
    if (entries.some(({ path }, n) => n > 0 && path <= (entries[n - 1]?.path ?? ''))) {
      throw malformed('its paths are not ascending');
    }
    return { ...signed, leaf, index, hashes, entries };
  });
}

function entryOf(json: Json): StatusEntry {
  const entry = members(json, ['path', 'value', 'proof'], 'an entry of state');
  const value = entry['value'];
  if (value === undefined) throw malformed('an entry of state has no value');
  // Exactly the members of the schema in its order, or one proof would have two spellings.
  const proof = members(entry['proof'], ['siblings', 'leaf'], 'a state proof');
  if (proof['leaf'] !== null) members(proof['leaf'], ['key', 'valueHash'], "a state proof's leaf");
  return { path: text(entry['path'], 'a path'), value, proof: stateProofFromJson(proof) };
}

function recode<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WeftError) || error.code.startsWith('STATUS_')) throw error;
    const code = error.code === 'JSON_TOO_LARGE' ? 'STATUS_TOO_LARGE' : 'STATUS_MALFORMED';
    const why = error.details['why'] ?? error.message;
    throw new WeftError(code, `Not a status: ${why}`, { ...error.details, cause: error.code });
  }
}

function malformed(why: string): WeftError {
  return new WeftError('STATUS_MALFORMED', `Not a status: ${why}. Fetch it again from a node.`);
}

function tooLarge(): WeftError {
  return new WeftError('STATUS_TOO_LARGE', `The status is refused: it has more than ${statusBytesMax} bytes.`);
}
