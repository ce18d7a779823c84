import { WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { type Files, nodeFiles } from '../ledger/files.ts';
import { readWholeFile, writeWholeFile } from '../ledger/wholeFile.ts';
import { readTrust, walkTrust } from '../token/node.ts';
import type { Trust } from '../token/trust.ts';
import type { TrustSource } from './desk.ts';
import { firstThatHolds, type LedgerNode } from './nodes.ts';

const trustBytesMax = 1024 * 1024;

/**
 * A trust file that keeps up with the validators: where they have changed, it is walked forward over proofs by those who left, and
 * written anew. Where the file cannot be written, what was walked holds for this process, and the next one walks again.
 */
export class TrustFile implements TrustSource {
  readonly #path: string;
  readonly #files: Files;
  #current: Trust;
  #walking: Promise<boolean> | undefined;

  private constructor(path: string, files: Files, current: Trust) {
    this.#path = path;
    this.#files = files;
    this.#current = current;
  }

  /** @throws WeftError TRUST_INVALID, FILE_UNREADABLE */
  static async open(path: string, files: Files = nodeFiles): Promise<TrustFile> {
    const bytes = await readWholeFile(files, path);
    if (bytes === undefined) {
      throw new WeftError(
        'FILE_UNREADABLE',
        `there is no trust file ${path}: make one with "weft trust", and compare it with another operator's`,
      );
    }
    if (bytes.length > trustBytesMax) throw new WeftError('TRUST_INVALID', `${path} is too large for a trust file`);
    return new TrustFile(path, files, readTrust(decodeUtf8(bytes)));
  }

  get current(): Trust {
    return this.#current;
  }

  advance(nodes: readonly LedgerNode[], now: number): Promise<boolean> {
    this.#walking ??= this.#walk(nodes, now).finally(() => {
      this.#walking = undefined;
    });
    return this.#walking;
  }

  async #walk(nodes: readonly LedgerNode[], now: number): Promise<boolean> {
    const from = this.#current;
    const walked = await firstThatHolds(nodes, async (node) =>
      walkTrust(await node.walk(from.epoch ?? 0), { trust: from, now }),
    );
    this.#current = walked.trust;
    await writeWholeFile(this.#files, this.#path, encodeUtf8(walked.file)).catch(() => undefined);
    return walked.steps.length > 0;
  }
}
