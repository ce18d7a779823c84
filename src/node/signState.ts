import { stat } from 'node:fs/promises';
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
 * afresh. `folder`, where it is known, is the data folder in which the key last voted: in another one, a copy or one that was moved,
 * it listens for a while before it votes, because the first one may be running, too.
 */
export type SignStateEntry = {
  /** genesisHash. */
  readonly chain: string;
  /** Vote key, base64url. */
  readonly vote: string;
  /** Newest epoch in which it has begun to vote. */
  readonly epoch: number;
  readonly state: string;
  /** Inode number of the data folder. */
  readonly folder?: string;
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
  readonly #folder: string | undefined;
  readonly #files: Files;
  #entries: SignStateEntry[];
  /** It is there and nobody can read it: then every key may have signed. */
  #unreadable: boolean;
  #writes: Promise<void> = Promise.resolve();

  private constructor(files: Files, path: string, folder: string | undefined, entries: SignStateEntry[] | undefined) {
    this.#folder = folder;
    this.#files = files;
    this.path = path;
    this.#entries = entries ?? [];
    this.#unreadable = entries === undefined;
  }

  /** An absent file is an empty one. `folder`: of the present data folder (`folderIdentity`). */
  static async open(files: Files, path: string, folder?: string): Promise<SignState> {
    const bytes = await readWholeFile(files, path);
    return new SignState(files, path, folder, bytes === undefined ? [] : decodeSignState(bytes));
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

  /** The key has voted in another data folder than the present one. */
  moved(chain: string, voteKey: Uint8Array): boolean {
    const folder = this.of(chain, voteKey)?.folder;
    return folder !== undefined && this.#folder !== undefined && folder !== this.#folder;
  }

  /** The key votes in the present data folder from here on. @throws as `set` */
  async settle(chain: string, voteKey: Uint8Array): Promise<void> {
    const entry = this.of(chain, voteKey);
    if (entry === undefined || this.#folder === undefined || entry.folder === this.#folder) return;
    const settled = { ...entry, folder: this.#folder };
    const done = this.#writes.then(() => this.#set(settled));
    this.#writes = done.catch(() => undefined);
    await done;
  }

  /** Durable when it resolves. @throws WeftError SIGN_STATE_UNWRITABLE: then this key must not vote */
  set(chain: string, voteKey: Uint8Array, epoch: number, state: string): Promise<void> {
    const folder = this.of(chain, voteKey)?.folder ?? this.#folder;
    const plain = { chain, vote: toBase64Url(voteKey), epoch, state };
    const entry: SignStateEntry = folder === undefined ? plain : { ...plain, folder };
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
  const keys = entries.map(({ chain, vote, epoch, state, folder }) => ({ chain, vote, epoch, state, folder }));
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
  const { chain, vote, epoch, state, folder } = (value ?? {}) as Record<string, unknown>;
  if (typeof chain !== 'string' || !chainPattern.test(chain)) throw new Error('chain');
  if (typeof vote !== 'string' || fromBase64Url(vote, 32).length !== 32) throw new Error('vote');
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || epoch < 0) throw new Error('epoch');
  if (typeof state !== 'string' || !statePattern.test(state)) throw new Error('state');
  if (folder === undefined) return { chain, vote, epoch, state };
  if (typeof folder !== 'string' || !/^[0-9]{1,20}$/.test(folder)) throw new Error('folder');
  return { chain, vote, epoch, state, folder };
}

/** What tells a folder from its copy; undefined where there is no such folder. */
export async function folderIdentity(path: string): Promise<string | undefined> {
  try {
    return (await stat(path, { bigint: true })).ino.toString();
  } catch {
    return undefined;
  }
}
