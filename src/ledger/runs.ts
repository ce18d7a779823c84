import type { Finalization } from '../../consensus/types.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { decodeCertificate, verifyCertificate } from './certificate.ts';
import { blockIdOfBytes, decodeHeader, type Header, isClosing } from './header.ts';
import type { Position } from './overlay.ts';
import type { Checked, CommittedBlock, Run, RunPart, StoredBlock } from './types.ts';
import type { Epoch } from './validatorSet.ts';

/** Blocks of one run; a bound for what comes from outside. */
export const runBlocksMax = 16_384;
/** About two milliseconds. */
const blocksPerTurn = 16;

type RunHeader = {
  readonly blockId: string;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
};

export type RunBlock = RunHeader & { readonly body: Uint8Array };

/**
 * Shape of a run: as many headers as bodies, each the parent of the next, consecutive heights, one epoch, nothing behind its
 * closing block. @throws WeftError RUN_INVALID
 */
export function decodeRun(run: Run): RunBlock[] {
  const headers = decodeRunHeaders(run.headers);
  if (headers.length !== run.bodies.length) throw invalidRun('it does not have a body for each header');
  return headers.map((header, i) => ({ ...header, body: run.bodies[i] ?? new Uint8Array(0) }));
}

/** The same of its headers alone. @throws WeftError RUN_INVALID */
function decodeRunHeaders(headers: readonly Uint8Array[]): RunHeader[] {
  if (headers.length === 0 || headers.length > runBlocksMax) throw invalidRun('it has no blocks, or too many');
  const blocks: RunHeader[] = [];
  for (const [i, headerBytes] of headers.entries()) {
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
    blocks.push({ blockId: blockIdOfBytes(headerBytes), header, headerBytes });
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

/** See Ledger.importRun. */
export async function importRun(run: Run, target: ImportTarget): Promise<CommittedBlock[]> {
  if (run.headers.length !== run.bodies.length) throw invalidRun('it does not have a body for each header');
  const started = RunImport.begin(run, target);
  if (started === undefined) return [];
  await started.take(run.bodies.slice(run.headers.length - started.missing));
  return started.finish();
}

/**
 * A run that is being imported: headers and certificate were verified when it began, so that what follows is work that q
 * validators answer for, and a body that fits its header is the right one, whoever sent it.
 */
export class RunImport {
  readonly #target: ImportTarget;
  readonly #blocks: readonly RunHeader[];
  readonly #certificate: Finalization;
  #taken = 0;
  #overtaken = false;

  /**
   * Undefined when all of it is known. `run.bodies` are not looked at.
   * @throws WeftError RUN_INVALID, RUN_GAP, FINALITY_CONFLICT (see Ledger.importRun)
   */
  static begin(run: Run, target: ImportTarget): RunImport | undefined {
    const blocks = decodeRunHeaders(run.headers);
    const tip = target.tip();
    const fresh: RunHeader[] = [];
    for (const block of blocks) {
      const { height } = block.header;
      if (height > tip.header.height) fresh.push(block);
      else {
        const known = target.blockIdAt(height);
        // What was pruned here cannot be compared; the first block that can be has to fit.
        if (known !== undefined && known !== block.blockId) throw contradiction(run, blocks, height, target);
      }
    }
    const [first] = fresh;
    const last = fresh.at(-1);
    if (first === undefined || last === undefined) return undefined;
    if (first.header.height > tip.header.height + 1) {
      throw new WeftError(
        'RUN_GAP',
        `The run begins at height ${first.header.height}; ${tip.header.height + 1} is needed.`,
      );
    }
    if (first.header.parent !== tip.blockId) throw contradiction(run, blocks, tip.header.height, target);
    const epoch = tip.nextEpoch;
    if (first.header.epoch !== epoch.epoch)
      throw invalidRun(`it is of epoch ${first.header.epoch}, not ${epoch.epoch}`);
    const certificate = verifyRunEnd(run.certificate, last.blockId, epoch, target.genesisHash);
    return new RunImport(target, fresh, certificate);
  }

  private constructor(target: ImportTarget, blocks: readonly RunHeader[], certificate: Finalization) {
    this.#target = target;
    this.#blocks = blocks;
    this.#certificate = certificate;
  }

  /** Bodies that are still to come. */
  get missing(): number {
    return this.#overtaken ? 0 : this.#blocks.length - this.#taken;
  }

  /** Height of the next one. */
  get next(): number {
    return this.#blocks[this.#taken]?.header.height ?? Number.POSITIVE_INFINITY;
  }

  /** Executes the next blocks. @throws WeftError RUN_INVALID (not the body: blame its sender, ask another), STATE_DIVERGED, as `check` does */
  async take(bodies: readonly Uint8Array[]): Promise<void> {
    for (const body of bodies) {
      const block = this.#blocks[this.#taken];
      if (block === undefined || this.#overtaken) return;
      const checked = await this.#target.check(block.headerBytes, body);
      const { height } = block.header;
      if (checked.verdict === 'wrong-body') throw invalidRun(`body of block ${height}: ${checked.code}`);
      // Another run, or the live chain, has overtaken us meanwhile.
      if (checked.verdict === 'missing-parent') this.#overtaken = true;
      if (checked.verdict === 'invalid') {
        throw new WeftError(
          'STATE_DIVERGED',
          `Block ${height} is finalized by a quorum and ${checked.code} here: rebuild from a snapshot. (${checked.message})`,
          { height, reason: checked.code },
        );
      }
      this.#taken += 1;
      // Empty blocks are checked without ever waiting for anything: votes and clients must get their turn.
      if (this.#taken % blocksPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Commits it, when no body is missing. [] when something else was faster. */
  async finish(): Promise<CommittedBlock[]> {
    const last = this.#blocks.at(-1);
    if (last === undefined || this.#overtaken || this.missing > 0) return [];
    return this.#target.commit(last.blockId, this.#certificate);
  }
}

/**
 * The run contradicts what is finalized here. A sender who made it up is to blame; but if q validators signed it, more than f
 * of them signed both: nobody may go on as if nothing were, and the run is the proof.
 */
function contradiction(run: Run, blocks: readonly RunHeader[], height: number, target: ImportTarget): WeftError {
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
  const part = readRunPart(fromHeight, toHeight, bytesMax, source);
  if (part === undefined) return undefined;
  const bodies = [...part.bodies];
  while (bodies.length < part.headers.length) {
    const body = source.body(fromHeight + bodies.length);
    if (body === undefined) return undefined;
    bodies.push(body);
  }
  return { ...part, bodies };
}

/** See Ledger.exportRunPart. */
export function readRunPart(
  fromHeight: number,
  toHeight: number,
  bytesMax: number,
  source: RunSource,
  blocksMax = runBlocksMax,
): RunPart | undefined {
  if (!Number.isSafeInteger(fromHeight) || fromHeight < 1 || fromHeight > toHeight) return undefined;
  const headers: Uint8Array[] = [];
  const bodies: Uint8Array[] = [];
  let end = 0;
  let certificate: Uint8Array | undefined;
  let bytes = 0;
  for (let height = fromHeight; height <= toHeight && headers.length < runBlocksMax; height += 1) {
    const block = source.block(height);
    if (block === undefined) break;
    // Beyond the bound only headers follow, up to the first finalization: without one nothing is proven.
    const full = bytes > bytesMax || headers.length >= blocksMax;
    if (certificate !== undefined && full) break;
    const body = full ? undefined : source.body(height);
    if (!full && body === undefined) break;
    bytes += block.headerBytes.length + (body?.length ?? 0);
    if (certificate !== undefined && bytes > bytesMax) break;
    headers.push(block.headerBytes);
    if (body !== undefined && (bytes <= bytesMax || bodies.length === 0)) bodies.push(body);
    if (block.certificate !== undefined) {
      end = headers.length;
      certificate = block.certificate;
    }
    if (isClosing(block.header)) break;
  }
  return certificate && { headers: headers.slice(0, end), bodies: bodies.slice(0, end), certificate };
}

/** Bodies from this height on, as many as fit, at least one; undefined when the first is not here. */
export function readBodies(
  fromHeight: number,
  count: number,
  bytesMax: number,
  source: Pick<RunSource, 'body'>,
): Uint8Array[] | undefined {
  const bodies: Uint8Array[] = [];
  let bytes = 0;
  for (let height = fromHeight; bodies.length < count; height += 1) {
    const body = source.body(height);
    bytes += body?.length ?? 0;
    if (body === undefined || (bodies.length > 0 && bytes > bytesMax)) break;
    bodies.push(body);
  }
  return bodies.length === 0 ? undefined : bodies;
}

function invalidRun(why: string): WeftError {
  return new WeftError('RUN_INVALID', `Not a valid run of blocks: ${why}.`);
}
