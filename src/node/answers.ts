import { codeOf, WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { decodeBody } from '../ledger/body.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Admission } from './admission.ts';
import type { BlockPool } from './blocks.ts';
import type { Log } from './log.ts';
import { encodeBodies, encodePruned, encodeRun, runAnswerBytesMax } from './runAnswers.ts';
import type { Snapshots } from './snapshots.ts';
import { Turns } from './turns.ts';
import {
  decodeEnvelopesRequest,
  decodeNumbers,
  encodeBlock,
  encodeEnvelopes,
  encodeSubmitAnswer,
  requestKinds,
} from './wire.ts';

/**
 * What peers ask of this node, and its answers. A question is small and an answer can be large: what reads blocks is done
 * one at a time, so that no peer keeps the event loop from votes.
 */

export type AnswersModules = {
  readonly ledger: Pick<Ledger, 'blockBytes' | 'exportRunPart' | 'bodies' | 'floor'>;
  readonly blocks: Pick<BlockPool, 'get' | 'bodyNow'>;
  readonly admission: Pick<Admission, 'submit'>;
  readonly snapshots: Pick<Snapshots, 'offers' | 'part'>;
  /** The newest checkpoint that was published here. */
  readonly checkpoint: () => string | undefined;
  /** The closing checkpoint of an epoch, if it is here. */
  readonly closing: (epoch: number) => string | undefined;
  readonly isValidator: (peer: string) => boolean;
  /** Throws when too much comes from clients at present. */
  readonly checkLoad: (envelope: Uint8Array) => void;
  readonly log: Log;
};

/** Of a question: a transaction to submit, or the positions of many envelopes. */
export const questionBytesMax = 128 * 1024;
/** What is read for one answer, at most; headers of a long run between two finalizations, and one body, may be above it. */
const runBytesMax = 512 * 1024;
/** Empty blocks are small: it is their number that takes time, on both sides. Reading so many takes about ten milliseconds. */
const runBlocksMax = 256;
const bodiesMax = 256;

export class Answers {
  readonly #modules: AnswersModules;
  /** Requests that read blocks. A node that catches up has one under way, one that lacks bodies a few. */
  readonly #reads = new Turns({ atOnce: 1, perPeer: 1, waitingMax: 8 });

  constructor(modules: AnswersModules) {
    this.#modules = modules;
  }

  /** Work of peers that was not done, because too much of theirs waited. */
  get dropped(): number {
    return this.#reads.dropped;
  }

  /** Undefined: do not have it, too much was asked, or no node of this version asks that. */
  async answer(peer: string, kind: number, payload: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await this.#answer(peer, kind, payload);
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      // A question that no node of this version asks is the peer's doing, no defect of ours.
      this.#modules.log.debug({ peer, kind, code: error.code }, 'malformed request');
      return undefined;
    }
  }

  close(): void {
    this.#reads.close();
  }

  async #answer(peer: string, kind: number, payload: Uint8Array): Promise<Uint8Array | undefined> {
    const { admission, log } = this.#modules;
    switch (kind) {
      case requestKinds.block: {
        return this.#reads.take(peer, async () => {
          const found = this.#blockBytes(toHex(payload.subarray(0, 32)));
          return found === undefined ? undefined : encodeBlock(found.header, found.body);
        });
      }
      case requestKinds.envelopes: {
        const { blockId, positions } = decodeEnvelopesRequest(payload);
        return this.#reads.take(peer, async () => this.#envelopes(blockId, positions));
      }
      case requestKinds.run: {
        const [fromHeight = 0, bytesMax = 0] = decodeNumbers(payload, 2);
        return this.#reads.take(peer, async () => {
          const { ledger } = this.#modules;
          if (fromHeight > 0 && fromHeight < ledger.floor.height) return encodePruned(ledger.floor.height);
          const run = ledger.exportRunPart(fromHeight, Math.min(bytesMax, runBytesMax), runBlocksMax);
          return run === undefined ? undefined : encodeRun(run);
        });
      }
      case requestKinds.bodies: {
        const [fromHeight = 0, count = 0, bytesMax = 0] = decodeNumbers(payload, 3);
        return this.#reads.take(peer, async () => {
          const bodies = this.#modules.ledger.bodies(
            fromHeight,
            Math.min(count, bodiesMax),
            Math.min(bytesMax, runBytesMax),
          );
          return bodies === undefined ? undefined : encodeBodies(bodies);
        });
      }
      case requestKinds.submit: {
        try {
          // An observer counts on us to bring it to the others; a validator does that itself.
          const own = !this.#modules.isValidator(peer);
          if (own) this.#modules.checkLoad(payload);
          const { status } = await admission.submit(payload, own);
          return encodeSubmitAnswer({ verdict: 'ok', status });
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          return encodeSubmitAnswer({ verdict: 'refused', code: codeOf(error), reason });
        }
      }
      case requestKinds.checkpoint: {
        const note = this.#modules.checkpoint();
        return note === undefined ? undefined : encodeUtf8(note);
      }
      case requestKinds.closing: {
        const [epoch = 0] = decodeNumbers(payload, 1);
        const note = this.#modules.closing(epoch);
        return note === undefined ? undefined : encodeUtf8(note);
      }
      case requestKinds.snapshots:
        return this.#modules.snapshots.offers();
      case requestKinds.snapshotPart:
        return this.#modules.snapshots.part(peer, payload);
      default:
        log.debug({ peer, kind }, 'unknown request');
        return undefined;
    }
  }

  /** `positions` ascend strictly (decodeEnvelopesRequest): the answer is never longer than the block. */
  #envelopes(blockId: string, positions: readonly number[]): Uint8Array | undefined {
    const found = this.#blockBytes(blockId);
    if (found === undefined) return undefined;
    const envelopes = decodeBody(found.body, { maxBlockBytes: found.body.length, maxBlockTxs: 65_535 });
    const wanted: Uint8Array[] = [];
    let bytes = 0;
    for (const position of positions) {
      const envelope = envelopes[position];
      if (envelope === undefined) return undefined;
      bytes += envelope.length + 9;
      if (bytes > runAnswerBytesMax) return undefined;
      wanted.push(envelope);
    }
    return encodeEnvelopes(wanted);
  }

  #blockBytes(blockId: string): { readonly header: Uint8Array; readonly body: Uint8Array } | undefined {
    const stored = this.#modules.ledger.blockBytes(blockId);
    if (stored !== undefined) return stored;
    const pooled = this.#modules.blocks.get(blockId);
    const body = this.#modules.blocks.bodyNow(blockId);
    return pooled === undefined || body === undefined ? undefined : { header: pooled.headerBytes, body };
  }
}
