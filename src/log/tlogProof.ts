import { fromBase64, toBase64 } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { parseDecimal } from './checkpoint.ts';
import { hashBytes } from './hasher.ts';
import { proofHashesMax } from './proofs.ts';

const tlogProofHeader = 'c2sp.org/tlog-proof@v1';

/** C2SP tlog-proof: a leaf's place in a log, with the checkpoint that covers it, for whoever has the leaf. */
export type TlogProof = {
  readonly index: number;
  /** Inclusion proof, leaf's sibling first. */
  readonly hashes: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
  /** Opaque and signed by nobody. Weft writes none. */
  readonly extra?: Uint8Array;
};

export type TlogProofLimits = {
  /** UTF-16 units, compared before anything is looked at. */
  readonly lengthMax: number;
  readonly extra: 'allow' | 'refuse';
};

const tlogProofLimits: TlogProofLimits = { lengthMax: 128 * 1024, extra: 'allow' };

/** Throws TLOG_PROOF_INVALID for what could not be read back. */
export function formatTlogProof({ index, hashes, checkpoint, extra }: TlogProof): string {
  if (!Number.isSafeInteger(index) || index < 0) throw invalid('the index is not a number from 0 to 2^53-1');
  if (hashes.length > proofHashesMax) throw invalid(`it has more than ${proofHashesMax} hashes`);
  if (hashes.some((hash) => hash.length !== hashBytes)) throw invalid('a hash is not 32 bytes');
  const extraLine = extra === undefined ? '' : `extra ${toBase64(extra)}\n`;
  const hashLines = hashes.map((hash) => `${toBase64(hash)}\n`).join('');
  return `${tlogProofHeader}\n${extraLine}index ${index}\n${hashLines}\n${checkpoint}`;
}

/** Reads the form only, one spelling; the checkpoint is cut off unread. Throws TLOG_PROOF_TOO_LARGE, TLOG_PROOF_INVALID. */
export function parseTlogProof(text: string, limits: TlogProofLimits = tlogProofLimits): TlogProof {
  if (text.length > limits.lengthMax) {
    throw new WeftError('TLOG_PROOF_TOO_LARGE', `A proof may have ${limits.lengthMax} characters, not ${text.length}.`);
  }
  const blank = text.indexOf('\n\n');
  if (blank < 0) throw invalid('no blank line ends the hashes');
  // Header, extra and index come before the hashes; one line more than allowed is enough to refuse.
  const lines = text.slice(0, blank).split('\n', proofHashesMax + 4);
  if (lines.shift() !== tlogProofHeader) throw invalid(`the first line is not "${tlogProofHeader}"`);
  let extra: Uint8Array | undefined;
  if (lines[0]?.startsWith('extra ')) {
    if (limits.extra === 'refuse') throw invalid('an extra line is not allowed here');
    extra = decode(lines.shift()?.slice('extra '.length) ?? '', undefined, 'the extra data');
  }
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ') ? parseDecimal(indexLine.slice('index '.length)) : undefined;
  if (index === undefined) throw invalid('the index line does not read "index <decimal number>"');
  if (lines.length > proofHashesMax) throw invalid(`it has more than ${proofHashesMax} hashes`);
  const hashes = lines.map((line) => decode(line, hashBytes, 'a hash'));
  const checkpoint = text.slice(blank + 2);
  return extra === undefined ? { index, hashes, checkpoint } : { index, hashes, checkpoint, extra };
}

function decode(text: string, bytes: number | undefined, what: string): Uint8Array {
  try {
    return fromBase64(text, bytes);
  } catch {
    throw invalid(`${what} is not standard padded base64${bytes === undefined ? '' : ` of ${bytes} bytes`}`);
  }
}

function invalid(why: string): WeftError {
  return new WeftError('TLOG_PROOF_INVALID', `Not a c2sp.org/tlog-proof@v1: ${why}.`);
}
