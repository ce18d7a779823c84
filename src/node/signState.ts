import { fromBase64Url, toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { diskError, isDiskFull } from '../ledger/diskError.ts';
import type { Files } from '../ledger/files.ts';
import { readWholeFile, writeWholeFile } from '../ledger/wholeFile.ts';
import type { Config } from './config.ts';
import { folderPattern, sameFolder } from './folderIdentity.ts';

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
 *
 * What lies beside another key file of this node (the next keys, or the ones before) is read, too, and never written: an operator
 * who points `keys` at another file keeps the memory of its keys.
 */
export type SignStateEntry = {
  /** genesisHash. */
  readonly chain: string;
  /** Vote key, base64url. */
  readonly vote: string;
  /** Newest epoch in which it has begun to vote. */
  readonly epoch: number;
  readonly state: string;
  /** Of the data folder (folderIdentity.ts). */
  readonly folder?: string;
};

const signStateFormat = 'weft/sign-state/v1';
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

/** Where the next keys of a node lie, unless the configuration says otherwise. */
export function nextKeysPath(keys: string): string {
  return keys.endsWith('.json') ? `${keys.slice(0, -'.json'.length)}.next.json` : `${keys}.next`;
}

/** The sign state of a node, and those that lie beside its other key files. */
export function signStatePaths({ keys, nextKeys, signState }: Pick<Config, 'keys' | 'nextKeys' | 'signState'>): {
  readonly path: string;
  readonly others: readonly string[];
} {
  const path = signState ?? signStatePath(keys);
  const before = /\.next(?=\.json$|$)/.test(keys) ? [keys.replace(/\.next(?=\.json$|$)/, '')] : [];
  const files = [keys, nextKeysPath(keys), ...before, ...(nextKeys === undefined ? [] : [nextKeys])];
  return { path, others: [...new Set(files.map(signStatePath))].filter((other) => other !== path) };
}

export class SignState {
  readonly path: string;
  readonly #folder: string | undefined;
  readonly #files: Files;
  #entries: SignStateEntry[];
  /** It is there and nobody can read it: then every key may have signed. */
  #unreadable: boolean;
  #writes: Promise<void> = Promise.resolve();
  /** Of the other files; as they were when this one was opened. */
  readonly #elsewhere: readonly SignStateEntry[];
  readonly #unreadableElsewhere: boolean;

  private constructor(
    files: Files,
    path: string,
    folder: string | undefined,
    entries: SignStateEntry[] | undefined,
    elsewhere: readonly (SignStateEntry[] | undefined)[],
  ) {
    this.#elsewhere = elsewhere.flatMap((each) => each ?? []);
    this.#unreadableElsewhere = elsewhere.includes(undefined);
    this.#folder = folder;
    this.#files = files;
    this.path = path;
    this.#entries = entries ?? [];
    this.#unreadable = entries === undefined;
  }

  /** An absent file is an empty one. `folder`: of the present data folder (`folderIdentity`); `others`: are read only. */
  static async open(files: Files, path: string, folder?: string, others: readonly string[] = []): Promise<SignState> {
    const read = async (at: string): Promise<SignStateEntry[] | undefined> => {
      const bytes = await readWholeFile(files, at);
      return bytes === undefined ? [] : decodeSignState(bytes);
    };
    const [own, ...elsewhere] = await Promise.all([path, ...others].map(read));
    return new SignState(files, path, folder, own, elsewhere);
  }

  /** It, or the one of another key file. */
  get unreadable(): boolean {
    return this.#unreadable || this.#unreadableElsewhere;
  }

  /** This file itself says so much of the key: the other one may go with its keys. */
  holds(chain: string, voteKey: Uint8Array, epoch: number): boolean {
    const vote = toBase64Url(voteKey);
    return this.#entries.some((each) => each.chain === chain && each.vote === vote && each.epoch >= epoch);
  }

  /** What is known of this key; undefined when it never began to vote. */
  of(chain: string, voteKey: Uint8Array): SignStateEntry | undefined {
    const vote = toBase64Url(voteKey);
    const is = (each: SignStateEntry): boolean => each.chain === chain && each.vote === vote;
    const found = this.#elsewhere.filter(is).reduce(weightier, this.#entries.find(is));
    return found ?? (this.unreadable ? { chain, vote, epoch: 0, state: signs } : undefined);
  }

  /** The newest epoch in which any key of this file began to vote on this chain; 0 when none did. */
  newestEpoch(chain: string): number {
    return this.#all.reduce((newest, each) => (each.chain === chain ? Math.max(newest, each.epoch) : newest), 0);
  }

  /** It can be read, and some key has signed on this chain: about a key that it does not name it says that it has not. */
  remembers(chain: string): boolean {
    return !this.unreadable && this.#all.some((each) => each.chain === chain);
  }

  get #all(): readonly SignStateEntry[] {
    return [...this.#entries, ...this.#elsewhere];
  }

  /** The key has voted in another data folder than the present one. */
  moved(chain: string, voteKey: Uint8Array): boolean {
    const folder = this.of(chain, voteKey)?.folder;
    return folder !== undefined && this.#folder !== undefined && !sameFolder(folder, this.#folder);
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

/** What counts of two that speak of one key: own, and another file's. An operator's word counts where it was given, once. */
function weightier(own: SignStateEntry | undefined, other: SignStateEntry): SignStateEntry {
  const read = other.state === confirmed ? { ...other, state: signs } : other;
  if (own === undefined) return read;
  if (own.state === confirmed && own.epoch >= read.epoch) return own;
  const retired = (each: SignStateEntry): boolean => each.state !== signs && each.state !== confirmed;
  if (retired(own) || retired(read)) return retired(own) ? own : read;
  return read.epoch > own.epoch ? read : own;
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
  if (typeof folder !== 'string' || !folderPattern.test(folder)) throw new Error('folder');
  return { chain, vote, epoch, state, folder };
}
