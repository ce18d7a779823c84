// A small network in memory for every test that needs a ledger: validators with fixed keys, signed transactions, blocks with
// real certificates, a file system and a database that forget what was not synced.
import type { Finalization, Vote, VoteKind } from '../../consensus/types.ts';
import { buildEnvelope } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { WeftError } from '../../src/codec/error.ts';
import { concat, encodeUtf8, equalBytes } from '../../src/codec/utf8.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { provePossession } from '../../src/crypto/validatorKeys.ts';
import type { Chain } from '../../src/ledger/chain.ts';
import type { AppendFile, Files } from '../../src/ledger/files.ts';
import { type Genesis, loadGenesis } from '../../src/ledger/genesis.ts';
import type { Header } from '../../src/ledger/header.ts';
import type { KeyValue, WriteOp } from '../../src/ledger/keyValue.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { BuildContext, CommittedBlock, ExecutedBlock, SignatureVerifier } from '../../src/ledger/types.ts';
import { type Epoch, leaderOf } from '../../src/ledger/validatorSet.ts';
import { voteBytes } from '../../src/ledger/votes.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { POLICY_ENGINE_ID } from '../../src/policy/engineId.ts';
import { testParameters } from '../parameters.ts';

export const genesisTime = 1_763_712_000_000;
export const networkName = 'weft-test';

export function seedOf(name: string): Uint8Array {
  return sha256(encodeUtf8(`weft ledger test key: ${name}`));
}

export type GenesisOptions = {
  readonly consensus?: Readonly<Record<string, number>>;
  readonly accounts?: readonly string[];
  /** Names whose keys an account has; default: its own. */
  readonly keys?: Readonly<Record<string, readonly string[]>>;
  readonly policy?: { readonly schema: string; readonly policies: readonly { id: string; text: string }[] };
  readonly name?: string;
};

/** Document of a network of `count` validators v01, v02, … with the accounts admin (council), alice and bob (no role). */
export function genesisDocument(count: number, options: GenesisOptions = {}): JsonObject {
  const network = options.name ?? networkName;
  const names = validatorNames(count);
  const accounts = [...names, ...(options.accounts ?? ['admin', 'alice', 'bob'])].sort();
  const validators = names.map((name, i) => {
    const key = (role: string) => toBase64Url(publicKeyOf(seedOf(`${name}/${role}`)));
    const proof = (role: 'peer' | 'vote' | 'log' | 'cosigner') =>
      toBase64Url(provePossession(network, name, role, seedOf(`${name}/${role}`)));
    return {
      name,
      peer: key('peer'),
      vote: key('vote'),
      log: key('log'),
      cosigner: key('cosigner'),
      account: name,
      url: `http://127.0.0.1:${7611 + 10 * i}`,
      proofs: { peer: proof('peer'), vote: proof('vote'), log: proof('log'), cosigner: proof('cosigner') },
    };
  });
  return {
    format: 'weft/genesis/v1',
    name: network,
    time: genesisTime,
    ruleset: 1,
    consensus: { ...testParameters, ...options.consensus },
    validators,
    observers: [],
    accounts: accounts.map((name) => ({
      name,
      roles: name === 'admin' ? ['administrator'] : [],
      keys: (options.keys?.[name] ?? [name]).map((key) => ({
        alg: 'ed25519',
        publicKey: toBase64Url(publicKeyOf(seedOf(key))),
      })),
    })),
    council: { threshold: 1, members: ['admin'] },
    policy: { engine: { ...POLICY_ENGINE_ID }, ...(options.policy ?? readDefaultPolicySet()) },
  };
}

export function validatorNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `v${String(i + 1).padStart(2, '0')}`);
}

/** The document's bytes and what they mean. */
export function makeGenesis(
  count: number,
  options: GenesisOptions = {},
): { readonly bytes: Uint8Array; readonly genesis: Genesis } {
  const bytes = encodeUtf8(JSON.stringify(genesisDocument(count, options)));
  return { bytes, genesis: loadGenesis(bytes) };
}

let nonces = 0;

export type TxOptions = {
  readonly expires?: number;
  /** Names whose keys sign; default: the account. */
  readonly signers?: readonly string[];
  readonly nonce?: number;
};

/** A signed envelope of `account`. */
export function makeTx(
  chain: string,
  account: string,
  type: string,
  body: JsonObject,
  options: TxOptions = {},
): Uint8Array {
  nonces += 1;
  const nonce = new Uint8Array(8);
  new DataView(nonce.buffer).setUint32(4, options.nonce ?? nonces);
  const fields = {
    chain,
    account,
    type,
    expires: options.expires ?? genesisTime + 60_000,
    nonce: toBase64Url(nonce),
    body,
  };
  const signers = (options.signers ?? [account]).map((name) => ({
    keyid: keyId(ALG_ED25519, publicKeyOf(seedOf(name))),
    sign: (message: Uint8Array) => sign(message, seedOf(name)),
  }));
  return buildEnvelope(fields, signers);
}

/** A transaction that always succeeds: packets of `source` that no table routes give a record with decision deny. */
export function packetsTx(
  chain: string,
  account: string,
  options: TxOptions & { readonly ids?: number } = {},
): Uint8Array {
  const ids = toBase64Url(new Uint8Array(32 * (options.ids ?? 1)).fill(7));
  const group = { source: 'alice', target: 'bob', expires: genesisTime + 60_000, ids };
  return makeTx(chain, account, 'packets.commit', { groups: [group] }, options);
}

/** A transaction that changes state: registers an account with a key of its own. Of anybody but the council it is denied. */
export function registerTx(
  chain: string,
  name: string,
  options: TxOptions & { readonly by?: string } = {},
): Uint8Array {
  const key = { alg: 'ed25519', publicKey: toBase64Url(publicKeyOf(seedOf(name))) };
  return makeTx(chain, options.by ?? 'admin', 'identity.register', { account: name, roles: [], keys: [key] }, options);
}

export function signVote(
  genesis: Genesis,
  epoch: Epoch,
  kind: VoteKind,
  subject: Vote['subject'],
  signer: number,
): Vote {
  const { name = '', vote = new Uint8Array() } = epoch.validators[signer] ?? {};
  // A validator that came back has the keys of a later generation.
  const seed = generations.map((n) => nodeSeed(name, 'vote', n)).find((each) => equalBytes(publicKeyOf(each), vote));
  return {
    kind,
    subject,
    signer,
    signature: sign(voteBytes(kind, genesis.genesisHash, subject), seed ?? seedOf(`${name}/vote`)),
  } as Vote;
}

const generations = [0, 1, 2];

/** Secret of a validator's key; generation 0 is that of genesis. */
export function nodeSeed(name: string, role: 'peer' | 'vote' | 'log' | 'cosigner', generation = 0): Uint8Array {
  return seedOf(generation === 0 ? `${name}/${role}` : `${name}/${role}/${generation}`);
}

/** A finalization by the first q validators (or by `signers`). */
export function finalizationOf(
  genesis: Genesis,
  epoch: Epoch,
  block: { readonly blockId: string; readonly header: { readonly view: number } },
  options: { readonly signers?: readonly number[]; readonly view?: number } = {},
): Finalization {
  const signers = options.signers ?? Array.from({ length: epoch.quorum }, (_, i) => i);
  const view = options.view ?? block.header.view;
  const subject = { epoch: epoch.epoch, view, parentView: view - 1, blockId: block.blockId };
  const signatures = signers.map((signer) => signVote(genesis, epoch, 'finalize', subject, signer).signature);
  return { kind: 'finalize', subject, signers, signatures };
}

/** For who has signed everything a moment ago: all signatures hold. */
export const trusting: SignatureVerifier = {
  verifyMany: async (jobs) => jobs.map(() => true),
  verifyAll: async () => true,
};

/** For the block after this one, by the leader of `view` (default: the next). */
export function contextAfter(
  { header, nextEpoch: epoch }: { readonly header: Header; readonly nextEpoch: Epoch },
  time: number,
  view = header.epoch === epoch.epoch ? header.view + 1 : 1,
): BuildContext {
  return { epoch: epoch.epoch, view, proposer: leaderOf(epoch, view), time };
}

/** Executes a block of all these envelopes. Throws when one does not fit. */
export async function sealBlock(
  chain: Pick<Chain, 'prepare' | 'startBlock'>,
  parent: string,
  context: BuildContext,
  envelopes: readonly Uint8Array[],
): Promise<ExecutedBlock> {
  const prepared = await chain.prepare(envelopes, 'block', parent);
  const builder = chain.startBlock(parent, context);
  for (const each of prepared) {
    const answer = each instanceof WeftError ? each.message : builder.tryAdd(each);
    if (answer !== 'added') throw new Error(answer);
  }
  return builder.seal();
}

/** On `parent` (default: the finalized tip). Throws when one does not fit. */
export async function buildBlock(
  ledger: Ledger,
  envelopes: readonly Uint8Array[],
  options: { readonly parent?: string; readonly time?: number; readonly view?: number } = {},
): Promise<ExecutedBlock> {
  const parent = options.parent ?? ledger.finalized.blockId;
  const before = ledger.executed(parent) ?? { header: ledger.finalized.header, nextEpoch: ledger.epoch };
  const context = contextAfter(before, options.time ?? before.header.time + 1000, options.view);
  return sealBlock(ledger, parent, context, envelopes);
}

/** Builds on the finalized tip and finalizes. */
export async function addBlock(
  ledger: Ledger,
  envelopes: readonly Uint8Array[],
  options: { readonly time?: number } = {},
): Promise<CommittedBlock> {
  const epoch = ledger.epoch;
  const block = await buildBlock(ledger, envelopes, options);
  const committed = await ledger.commit(block.blockId, finalizationOf(ledger.genesis, epoch, block));
  return committed[committed.length - 1]!;
}

/** A ledger in memory. */
export function openInMemory(genesis: Uint8Array | Genesis, memory: MemoryDisk = new MemoryDisk()): Promise<Ledger> {
  return Ledger.open({ dir: '/ledger', genesis, files: memory.files, database: memory.database });
}

const compareKeys = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

type MemoryFile = { bytes: Uint8Array; synced: number };

/**
 * Files and a database that know what was synced. `powerLoss` gives the disk as it is after one: unsynced bytes are gone (or
 * `keep` of them are still there, as when the cut came in the middle), unsynced names are as they were, a batch that was not
 * acknowledged is lost.
 */
export class MemoryDisk {
  /** What is there now, and what would be there after a power loss. */
  #names = new Map<string, MemoryFile>();
  #durableNames = new Map<string, MemoryFile>();
  #entries: [Uint8Array, Uint8Array][] = [];
  /** Called before each operation with its name: throws to stop there, as a crash would. */
  before: (operation: string) => void = () => undefined;
  readonly operations: string[] = [];

  get files(): Files {
    const step = (name: string) => {
      this.operations.push(name);
      this.before(name);
    };
    return {
      makeFolder: async () => undefined,
      list: async (folder) =>
        [...this.#names.keys()]
          .filter((path) => path.startsWith(`${folder}/`))
          .map((path) => path.slice(folder.length + 1)),
      read: async (path) => this.#need(path).bytes.slice(),
      openAppend: async (path): Promise<AppendFile> => {
        let file = this.#names.get(path);
        if (file === undefined) {
          step('create');
          file = { bytes: new Uint8Array(0), synced: 0 };
          this.#names.set(path, file);
        }
        const opened = file;
        return {
          append: async (bytes) => {
            step('append');
            opened.bytes = concat(opened.bytes, bytes);
          },
          datasync: async () => {
            const length = opened.bytes.length;
            await Promise.resolve();
            step('datasync');
            opened.synced = Math.max(opened.synced, length);
          },
          close: async () => undefined,
        };
      },
      truncate: async (path, length) => {
        step('truncate');
        const file = this.#need(path);
        file.bytes = file.bytes.slice(0, length);
        file.synced = Math.min(file.synced, length);
      },
      rename: async (from, to) => {
        step('rename');
        this.#names.set(to, this.#need(from));
        this.#names.delete(from);
      },
      unlink: async (path) => {
        step('unlink');
        this.#names.delete(path);
      },
      syncFolder: async (folder) => {
        step('syncFolder');
        const inside = (path: string) => path.slice(0, path.lastIndexOf('/')) === folder;
        for (const path of this.#durableNames.keys()) if (inside(path)) this.#durableNames.delete(path);
        for (const [path, file] of this.#names) if (inside(path)) this.#durableNames.set(path, file);
      },
    };
  }

  get database(): KeyValue {
    return {
      get: (key) => this.#entries[this.#find(key)]?.[1],
      write: async (ops) => {
        await Promise.resolve();
        this.operations.push('batch');
        this.before('batch');
        this.#apply(ops);
      },
      range: (from, to, limit, reverse) => this.#range(from, to, limit ?? Number.POSITIVE_INFINITY, reverse === true),
      close: async () => undefined,
    };
  }

  powerLoss(keep = 0): MemoryDisk {
    const after = new MemoryDisk();
    for (const [path, file] of this.#durableNames) {
      const bytes = file.bytes.slice(0, Math.min(file.bytes.length, file.synced + keep));
      const copy = { bytes, synced: bytes.length };
      after.#names.set(path, copy);
      after.#durableNames.set(path, copy);
    }
    after.#entries = [...this.#entries];
    return after;
  }

  /** The one journal file, to damage it. */
  journal(): MemoryFile {
    const [file] = [...this.#names].flatMap(([path, file]) => (/journal-[0-9]{10}$/.test(path) ? file : []));
    if (file === undefined) throw new Error('no journal');
    return file;
  }

  #need(path: string): MemoryFile {
    const file = this.#names.get(path);
    if (file === undefined) throw new Error(`ENOENT ${path}`);
    return file;
  }

  async *#range(
    from: Uint8Array,
    to: Uint8Array,
    limit: number,
    reverse: boolean,
  ): AsyncGenerator<readonly [Uint8Array, Uint8Array]> {
    let left = limit;
    for (const entry of reverse ? this.#entries.toReversed() : [...this.#entries]) {
      if (compareKeys(entry[0], from) < 0 || compareKeys(entry[0], to) >= 0) continue;
      if (left <= 0) return;
      left -= 1;
      yield entry;
    }
  }

  /** Position of the key, or −1 … */
  #find(key: Uint8Array): number {
    const at = this.#position(key);
    const entry = this.#entries[at];
    return entry !== undefined && equalBytes(entry[0], key) ? at : -1;
  }

  #position(key: Uint8Array): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.#entries[middle]![0], key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #apply(ops: readonly WriteOp[]): void {
    const merged = new Map(this.#entries.map((entry) => [Buffer.from(entry[0]).toString('latin1'), entry] as const));
    for (const op of ops) {
      const name = Buffer.from(op.key).toString('latin1');
      if (op.type === 'del') merged.delete(name);
      else merged.set(name, [op.key.slice(), op.value.slice()]);
    }
    this.#entries = [...merged.values()].sort((a, b) => compareKeys(a[0], b[0]));
  }
}
