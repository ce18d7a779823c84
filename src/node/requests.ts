import { codeOf } from '../codec/error.ts';
import { fromHex } from '../codec/hex.ts';
import type { Network } from '../net/types.ts';
import type { Log } from './log.ts';
import { decodeBodies, decodeRunAnswer, type RunAnswer } from './runAnswers.ts';
import { decodeOffers, type SnapshotOffer } from './snapshots.ts';
import {
  decodeBlock,
  decodeEnvelopes,
  decodeSubmitAnswer,
  encodeEnvelopesRequest,
  encodeNumbers,
  requestKinds,
  type SubmitAnswer,
} from './wire.ts';

/** What this node asks peers for. What does not come, or is no answer, is undefined: whom to ask next is the caller's business. */
export type RequestModules = { readonly network: () => Network; readonly log: Log };

const requestTimeoutMs = 3000;
/** Up to 2 MiB on a slow line. */
const partTimeoutMs = 15_000;
const blockBytesMax = 4 * 1024 * 1024;

export class Requests {
  readonly #modules: RequestModules;

  constructor(modules: RequestModules) {
    this.#modules = modules;
  }

  async block(
    peer: string,
    blockId: string,
  ): Promise<{ readonly header: Uint8Array; readonly body: Uint8Array } | undefined> {
    const answer = await this.#ask(peer, requestKinds.block, fromHex(blockId, 32));
    return decoded(answer, (bytes) => decodeBlock(bytes, blockBytesMax));
  }

  async envelopes(
    peer: string,
    blockId: string,
    positions: readonly number[],
  ): Promise<readonly Uint8Array[] | undefined> {
    const answer = await this.#ask(peer, requestKinds.envelopes, encodeEnvelopesRequest(blockId, positions));
    return decoded(answer, (bytes) => decodeEnvelopes(bytes, { bytesMax: blockBytesMax, countMax: positions.length }));
  }

  async run(peer: string, fromHeight: number, bytesMax: number, timeoutMs: number): Promise<RunAnswer | undefined> {
    const answer = await this.#ask(peer, requestKinds.run, encodeNumbers(fromHeight, bytesMax), timeoutMs);
    return decoded(answer, decodeRunAnswer);
  }

  /** Bodies of finalized blocks from a height on. */
  async bodies(
    peer: string,
    fromHeight: number,
    count: number,
    bytesMax: number,
    timeoutMs: number,
  ): Promise<readonly Uint8Array[] | undefined> {
    const answer = await this.#ask(peer, requestKinds.bodies, encodeNumbers(fromHeight, count, bytesMax), timeoutMs);
    return decoded(answer, (bytes) => decodeBodies(bytes, count));
  }

  /** The snapshots that the peer offers. */
  async snapshots(peer: string): Promise<readonly SnapshotOffer[] | undefined> {
    return decoded(await this.#ask(peer, requestKinds.snapshots, new Uint8Array()), decodeOffers);
  }

  /** A snapshot's manifest or part, by its digest. */
  snapshotPart(peer: string, digest: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#ask(peer, requestKinds.snapshotPart, digest, partTimeoutMs);
  }

  /** The newest checkpoint that the peer has published, as text. */
  checkpoint(peer: string): Promise<Uint8Array | undefined> {
    return this.#ask(peer, requestKinds.checkpoint, new Uint8Array());
  }

  /** The closing checkpoint of an epoch, as text. */
  closing(peer: string, epoch: number): Promise<Uint8Array | undefined> {
    return this.#ask(peer, requestKinds.closing, encodeNumbers(epoch));
  }

  /** A validator's word on a transaction. */
  async submit(peer: string, envelope: Uint8Array): Promise<SubmitAnswer | undefined> {
    return decoded(await this.#ask(peer, requestKinds.submit, envelope), decodeSubmitAnswer);
  }

  async #ask(
    peer: string,
    kind: number,
    payload: Uint8Array,
    timeoutMs = requestTimeoutMs,
  ): Promise<Uint8Array | undefined> {
    const { network, log } = this.#modules;
    try {
      return await network().request(peer, kind, payload, { timeoutMs });
    } catch (error) {
      log.debug({ peer, kind, code: codeOf(error) }, 'request failed');
      return undefined;
    }
  }
}

function decoded<T>(answer: Uint8Array | undefined, decode: (bytes: Uint8Array) => T): T | undefined {
  if (answer === undefined) return undefined;
  try {
    return decode(answer);
  } catch {
    return undefined;
  }
}
