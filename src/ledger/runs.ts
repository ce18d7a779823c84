import type { Finalization } from '../../consensus/types.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { decodeCertificate, verifyCertificate } from './certificate.ts';
import { blockIdOfBytes, decodeHeader, type Header, isClosing } from './header.ts';
import type { Position } from './overlay.ts';
import type { Checked, CommittedBlock, Run, StoredBlock } from './types.ts';
import type { Epoch } from './validatorSet.ts';

/** Blocks of one run; a bound for what comes from outside. */
export const runBlocksMax = 16_384;

export type RunBlock = {
  readonly blockId: string;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly body: Uint8Array;
};

/**
 * Shape of a run: as many headers as bodies, each the parent of the next, consecutive heights, one epoch, nothing behind its
 * closing block. @throws WeftError RUN_INVALID
 */
export function decodeRun(run: Run): RunBlock[] {
  if (run.headers.length === 0 || run.headers.length > runBlocksMax || run.headers.length !== run.bodies.length) {
    throw invalidRun('it has no blocks, too many, or not a body for each header');
  }
  const blocks: RunBlock[] = [];
  for (const [i, headerBytes] of run.headers.entries()) {
    let header: Header;
    try {
      header = decodeHeader(headerBytes);
    } catch (error) {
      throw invalidRun(`header ${i}: ${codeOf(error)}`);
    }
    const before = blocks.at(-1);
    if (before !== undefined) {
      if (header.parent !== before.blockId || header.height !== before.header.height + 1) {
        throw invalidRun(`block ${header.height} does not follow the one before it`);
      }
      if (header.epoch !== before.header.epoch || isClosing(before.header))
        throw invalidRun('it goes beyond the end of an epoch');
    }
    blocks.push({
      blockId: blockIdOfBytes(headerBytes),
      header,
      headerBytes,
      body: run.bodies[i] ?? new Uint8Array(0),
    });
  }
  return blocks;
}

/** The finalization that ends a run: of this block, in this epoch, q valid signatures. @throws WeftError RUN_INVALID */
export function verifyRunEnd(
  certificate: Uint8Array,
  blockId: string,
  epoch: Epoch,
  genesisHash: string,
): Finalization {
  let decoded: Finalization;
  try {
    decoded = decodeCertificate(certificate, epoch.validators.length) as Finalization;
  } catch (error) {
    throw invalidRun(`its certificate: ${codeOf(error)}`);
  }
  if (decoded.kind !== 'finalize' || decoded.subject.blockId !== blockId || decoded.subject.epoch !== epoch.epoch) {
    throw invalidRun('its certificate does not finalize its last block in its epoch');
  }
  if (!verifyCertificate(decoded, genesisHash, epoch.validators))
    throw invalidRun('a signature of its certificate does not verify');
  return decoded;
}

export type ImportTarget = {
  readonly genesisHash: string;
  tip(): Position;
  blockIdAt(height: number): string | undefined;
  epochOf(epoch: number): Epoch | undefined;
  check(header: Uint8Array, body: Uint8Array): Promise<Checked>;
  commit(blockId: string, certificate: Finalization): Promise<CommittedBlock[]>;
};

/** See Ledger.importRun. The certificate comes first: what follows is the work that q validators answer for. */
export async function importRun(run: Run, target: ImportTarget): Promise<CommittedBlock[]> {
  const blocks = decodeRun(run);
  const tip = target.tip();
  const fresh: RunBlock[] = [];
  for (const block of blocks) {
    const { height } = block.header;
    if (height > tip.header.height) fresh.push(block);
    else if (target.blockIdAt(height) !== block.blockId) throw contradiction(run, blocks, height, target);
  }
  const [first] = fresh;
  const last = fresh.at(-1);
  if (first === undefined || last === undefined) return [];
  if (first.header.height > tip.header.height + 1) {
    throw new WeftError(
      'RUN_GAP',
      `The run begins at height ${first.header.height}; ${tip.header.height + 1} is needed.`,
    );
  }
  if (first.header.parent !== tip.blockId) throw contradiction(run, blocks, tip.header.height, target);
  const epoch = tip.nextEpoch;
  if (first.header.epoch !== epoch.epoch) throw invalidRun(`it is of epoch ${first.header.epoch}, not ${epoch.epoch}`);
  const certificate = verifyRunEnd(run.certificate, last.blockId, epoch, target.genesisHash);
  for (const { headerBytes, header, body } of fresh) {
    const checked = await target.check(headerBytes, body);
    if (checked.verdict === 'valid') continue;
    if (checked.verdict === 'wrong-body') throw invalidRun(`body of block ${header.height}: ${checked.code}`);
    // Another run, or the live chain, has overtaken us meanwhile.
    if (checked.verdict === 'missing-parent') return [];
    throw new WeftError(
      'STATE_DIVERGED',
      `Block ${header.height} is finalized by a quorum and ${checked.code} here: rebuild from a snapshot. (${checked.message})`,
      { height: header.height, reason: checked.code },
    );
  }
  return target.commit(last.blockId, certificate);
}

/**
 * The run contradicts what is finalized here. A sender who made it up is to blame; but if q validators signed it, more than f
 * of them signed both: nobody may go on as if nothing were, and the run is the proof.
 */
function contradiction(run: Run, blocks: readonly RunBlock[], height: number, target: ImportTarget): WeftError {
  const made = invalidRun(`its block ${height} is not the one finalized here`);
  const last = blocks.at(-1);
  const epoch = last === undefined ? undefined : target.epochOf(last.header.epoch);
  if (last === undefined || epoch === undefined) return made;
  try {
    verifyRunEnd(run.certificate, last.blockId, epoch, target.genesisHash);
  } catch {
    return made;
  }
  return new WeftError(
    'FINALITY_CONFLICT',
    `Two chains are final from height ${height} on or below: more than f validators signed both. Stop, keep both archives, and compare them (weft compare).`,
    { height },
  );
}

export type RunSource = {
  block(height: number): StoredBlock | undefined;
  body(height: number): Uint8Array | undefined;
};

/** See Ledger.exportRun. */
export function readRun(fromHeight: number, toHeight: number, bytesMax: number, source: RunSource): Run | undefined {
  if (!Number.isSafeInteger(fromHeight) || fromHeight < 1 || fromHeight > toHeight) return undefined;
  const headers: Uint8Array[] = [];
  const bodies: Uint8Array[] = [];
  let end = 0;
  let certificate: Uint8Array | undefined;
  let bytes = 0;
  for (let height = fromHeight; height <= toHeight && headers.length < runBlocksMax; height += 1) {
    const block = source.block(height);
    const body = source.body(height);
    if (block === undefined || body === undefined) break;
    bytes += block.headerBytes.length + body.length;
    if (certificate !== undefined && bytes > bytesMax) break;
    headers.push(block.headerBytes);
    bodies.push(body);
    if (block.certificate !== undefined) {
      end = headers.length;
      certificate = block.certificate;
    }
    if (isClosing(block.header)) break;
  }
  return certificate && { headers: headers.slice(0, end), bodies: bodies.slice(0, end), certificate };
}

function invalidRun(why: string): WeftError {
  return new WeftError('RUN_INVALID', `Not a valid run of blocks: ${why}.`);
}
