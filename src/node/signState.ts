import { fromBase64Url, toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { diskError, isDiskFull } from '../ledger/diskError.ts';
import type { Files } from '../ledger/files.ts';
import { readWholeFile, writeWholeFile } from '../ledger/wholeFile.ts';

/**
 * A small file beside the key file that says which vote keys have signed (W11). A data folder that was wiped takes journal and
 * store with it; what lies beside the key survives, so that a key that has signed does not look new.
 *
 *     {"format":"weft/sign-state/v1","keys":[{"chain":"<genesisHash>","vote":"<base64url>","epoch":1,"state":"SIGNS"}]}
 *
 * `state`: SIGNS, CONFIRMED (an operator of a single validator answers for the lost journal: `weft recover --confirm`), or the
 * code for which the key is retired for good. An entry counts only for its chain and its key: a new network, or a new key, starts
 * afresh, and a folder that is moved takes the file along.
 */
export type SignStateEntry = {
  /** genesisHash. */
  readonly chain: string;
  /** Vote key, base64url. */
  readonly vote: string;
  /** Newest epoch in which it has begun to vote. */
  readonly epoch: number;
  readonly state: string;
};

export const signStateFormat = 'weft/sign-state/v1';
export const signs = 'SIGNS';
export const confirmed = 'CONFIRMED';
const statePattern = /^[A-Z][A-Z0-9_]{1,63}$/;
const chainPattern = /^[0-9a-f]{64}$/;
/** A key file serves a few networks and outlives a few keys; more is no file of ours. */
const entriesMax = 256;
const fileBytesMax = 64 * 1024;

/** Where the sign state of a key file lies, unless the configuration says otherwise (`signState`). */
export function signStatePath(keyFile: string): string {
  return `${keyFile}.sign-state`;
}

export class SignState {
  readonly path: string;
  readonly #files: Files;
  #entries: SignStateEntry[];
  /** It is there and nobody can read it: then every key may have signed. */
  #unreadable: boolean;
  #writes: Promise<void> = Promise.resolve();

  private constructor(files: Files, path: string, entries: SignStateEntry[] | undefined) {
    this.#files = files;
    this.path = path;
    this.#entries = entries ?? [];
    this.#unreadable = entries === undefined;
  }

  /** An absent file is an empty one. */
  static async open(files: Files, path: string): Promise<SignState> {
    const bytes = await readWholeFile(files, path);
    return new SignState(files, path, bytes === undefined ? [] : decodeSignState(bytes));
  }

  get unreadable(): boolean {
    return this.#unreadable;
  }

  /** What is known of this key; undefined when it never began to vote. */
  of(chain: string, voteKey: Uint8Array): SignStateEntry | undefined {
    const vote = toBase64Url(voteKey);
    const found = this.#entries.find((each) => each.chain === chain && each.vote === vote);
    return found ?? (this.#unreadable ? { chain, vote, epoch: 0, state: signs } : undefined);
  }

  /** Durable when it resolves. @throws WeftError SIGN_STATE_UNWRITABLE: then this key must not vote */
  set(chain: string, voteKey: Uint8Array, epoch: number, state: string): Promise<void> {
    const entry: SignStateEntry = { chain, vote: toBase64Url(voteKey), epoch, state };
    const done = this.#writes.then(() => this.#set(entry));
    this.#writes = done.catch(() => undefined);
    return done;
  }

  async #set(entry: SignStateEntry): Promise<void> {
    const others = this.#entries.filter((each) => each.chain !== entry.chain || each.vote !== entry.vote);
    const entries = [...others, entry].slice(-entriesMax);
    try {
      // What cannot be read may say something to a person.
      if (this.#unreadable) await this.#files.rename(this.path, `${this.path}.unreadable`);
      this.#unreadable = false;
      await writeWholeFile(this.#files, this.path, encodeSignState(entries));
    } catch (error) {
      if (isDiskFull(error)) throw diskError(this.path, error);
      const why = error instanceof Error ? error.message : String(error);
      throw new WeftError(
        'SIGN_STATE_UNWRITABLE',
        `${this.path} cannot be written (${why}); without it this validator must not vote. Make its folder writable, or name another file with \`signState\` in the configuration`,
        { path: this.path },
      );
    }
    this.#entries = entries;
  }
}

export function encodeSignState(entries: readonly SignStateEntry[]): Uint8Array {
  const keys = entries.map(({ chain, vote, epoch, state }) => ({ chain, vote, epoch, state }));
  return encodeUtf8(`${JSON.stringify({ format: signStateFormat, keys })}\n`);
}

/** Undefined for what is no such file. */
export function decodeSignState(bytes: Uint8Array): SignStateEntry[] | undefined {
  if (bytes.length > fileBytesMax) return undefined;
  try {
    const { format, keys } = JSON.parse(decodeUtf8(bytes)) as { format?: unknown; keys?: unknown };
    if (format !== signStateFormat || !Array.isArray(keys) || keys.length > entriesMax) return undefined;
    return keys.map((each) => readEntry(each));
  } catch {
    return undefined;
  }
}

function readEntry(value: unknown): SignStateEntry {
  const { chain, vote, epoch, state } = (value ?? {}) as Record<string, unknown>;
  if (typeof chain !== 'string' || !chainPattern.test(chain)) throw new Error('chain');
  if (typeof vote !== 'string' || fromBase64Url(vote, 32).length !== 32) throw new Error('vote');
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || epoch < 0) throw new Error('epoch');
  if (typeof state !== 'string' || !statePattern.test(state)) throw new Error('state');
  return { chain, vote, epoch, state };
}
