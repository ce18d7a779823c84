import { fromBase64, toBase64 } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { entryBytesMax } from '../log/bundles.ts';
import { type Checkpoint, parseCheckpoint } from '../log/checkpoint.ts';
import { type Note, parseNote } from '../log/note.ts';
import { formatTlogProof, parseTlogProof } from '../log/tlogProof.ts';

const tokenHeader = 'weft-token/v1';
/** UTF-8 bytes of a token: a leaf of the largest size, its proof, and 1 + 128 signature lines fit. */
export const tokenBytesMax = 128 * 1024;
/** Largest leaf of a grant: with four validators its token stays within 4 KiB. Contracts refuse more (`GRANT_TOO_LARGE`). */
export const grantLeafBytesMax = 1_280;
/** Characters of a leaf in base64, wherever one stands in a document. */
export const leafTextMax = 4 * Math.ceil(entryBytesMax / 3);
/** Characters of a published checkpoint, and its lines: the log's, and those of 128 validators. */
const noteLengthMax = 128 * 1024;
const signaturesMax = 1 + 128;

/** A published checkpoint taken apart; nothing in it is verified. */
export type SignedCheckpoint = { readonly note: Note; readonly checkpoint: Checkpoint };

/** A token taken apart; nothing in it is verified. */
export type Token = SignedCheckpoint & {
  /** The leaf's exact bytes: what is hashed. */
  readonly leaf: Uint8Array;
  readonly index: number;
  /** Inclusion proof, leaf's sibling first. */
  readonly hashes: readonly Uint8Array[];
};

export type TokenParts = {
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
  /** The published checkpoint: a signed note with one log line and exactly q cosigner lines in policy order. */
  readonly checkpoint: string;
};

/**
 * Token text: without its first two lines it is a C2SP `.tlog-proof`. Throws TOKEN_TOO_LARGE, TOKEN_MALFORMED when the
 * parts would make a token that no verifier reads.
 */
export function encodeToken({ leaf, index, hashes, checkpoint }: TokenParts): string {
  const proof = recode('TOKEN_MALFORMED', () => formatTlogProof({ index, hashes, checkpoint }));
  const text = `${tokenHeader}\nleaf ${toBase64(leaf)}\n${proof}`;
  parseToken(text);
  return text;
}

/**
 * Reads the one spelling of a token: no extra line, no CR, no leading zeros, exactly one final newline. Every length is
 * compared before anything of it is allocated. Throws TOKEN_TOO_LARGE, TOKEN_MALFORMED.
 */
export function parseToken(token: string | Uint8Array): Token {
  const text = bounded(token);
  const leafStart = tokenHeader.length + 1;
  const leafEnd = text.indexOf('\n', leafStart);
  if (!text.startsWith(`${tokenHeader}\nleaf `) || leafEnd < 0) {
    throw malformed(`it does not begin with the lines "${tokenHeader}" and "leaf <base64>"`);
  }
  const leafText = text.slice(leafStart + 'leaf '.length, leafEnd);
  if (leafText.length > leafTextMax) throw tooLarge(`its leaf has more than ${entryBytesMax} bytes`);
  const leaf = recode('TOKEN_MALFORMED', () => fromBase64(leafText));
  if (leaf.length > entryBytesMax) throw tooLarge(`its leaf has more than ${entryBytesMax} bytes`);
  return recode('TOKEN_MALFORMED', () => {
    const proof = parseTlogProof(text.slice(leafEnd + 1), { lengthMax: tokenBytesMax, extra: 'refuse' });
    return { leaf, index: proof.index, hashes: proof.hashes, ...readSigned(proof.checkpoint) };
  });
}

/** As it stands in tokens, statuses and walks. Throws what `parseNote` and `parseCheckpoint` throw. */
export function readSigned(text: string): SignedCheckpoint {
  const note = parseNote(text, { lengthMax: noteLengthMax, signaturesMax });
  return { note, checkpoint: parseCheckpoint(note.text, 'refuse') };
}

function bounded(token: string | Uint8Array): string {
  if (token.length > tokenBytesMax) throw tooLarge(`it has more than ${tokenBytesMax} bytes`);
  if (typeof token !== 'string') return recode('TOKEN_MALFORMED', () => decodeUtf8(token));
  if (recode('TOKEN_MALFORMED', () => encodeUtf8(token)).length > tokenBytesMax) {
    throw tooLarge(`it has more than ${tokenBytesMax} bytes`);
  }
  return token;
}

/** What a lower floor refuses is, to the holder of a token, a token that is refused. */
export function recode<T>(code: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WeftError && !error.code.startsWith('TOKEN_')) {
      throw new WeftError(code, error.message, { ...error.details, cause: error.code });
    }
    throw error;
  }
}

function malformed(why: string): WeftError {
  return new WeftError('TOKEN_MALFORMED', `Not a token: ${why}. Fetch it again from a node.`);
}

function tooLarge(why: string): WeftError {
  return new WeftError('TOKEN_TOO_LARGE', `The token is refused unread: ${why}.`);
}
