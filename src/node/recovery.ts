import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { generateSeed } from '../crypto/ed25519.ts';
import { readKeyFile, readPublicPart, writeKeyFile } from '../crypto/keyfile.ts';
import { keyPairOf, validatorKeysFrom, validatorSecrets } from '../crypto/validatorKeys.ts';
import { nodeFiles } from '../ledger/files.ts';
import { beginStoreWithNotes } from '../ledger/storeReport.ts';
import type { Validator } from '../ledger/validatorSet.ts';
import { writeWholeFile } from '../ledger/wholeFile.ts';
import { type HomeState, outgrown, readHome } from './homeState.ts';
import { confirmed, nextKeysPath } from './signState.ts';
import { stopMarkPath } from './stopMark.ts';
import { networkGrown } from './voteKey.ts';

/**
 * What `weft recover` does about what it finds, as steps. Each step may be repeated, and a crash between two, or in one, leaves
 * something from which the same command goes on.
 */
export type Step = {
  readonly name: 'rebuild-store' | 'clear-stop' | 'confirm' | 'new-key' | 'configure' | 'retire';
  /** What it will do, in plain words. */
  readonly says: string;
};

export type RecoveryOptions = {
  /** The store is to be fetched anew even though nothing is wrong with it. */
  readonly rebuildStore: boolean;
  /** An operator of a single validator answers for what was lost; of a network that signed two things, for going on. */
  readonly confirm: boolean;
};

export type RecoveryModules = {
  readonly configPath: string;
  readonly passphrase: string | null;
  /** For the names of what is put aside. */
  readonly wallMs: () => number;
  /** Seam for tests: called before each change on the disk. */
  readonly before?: (what: string) => void;
};

/** Rebuilding the store heals these: what the others finalized is fetched and executed again. */
const healedByStore: ReadonlySet<string> = new Set(['STATE_DIVERGED', 'DATA_DAMAGED']);

/** @throws WeftError DATA_LOCKED, RECOVER_CONFIRM (`--confirm` is needed, and what it means), RECOVER_STORE */
export function planOf(state: HomeState, options: RecoveryOptions): Step[] {
  const { store, stopMark, refusal, storeBehind, alone, genesis, config } = state;
  if (store.state === 'locked')
    throw new WeftError('DATA_LOCKED', `a process works on ${config.data}: stop that node, then run this again`);
  const steps: Step[] = [];
  const rebuilds =
    options.rebuildStore ||
    state.halfRebuilt ||
    store.state === 'damaged' ||
    (stopMark !== undefined && healedByStore.has(stopMark.code));
  if (store.state === 'damaged' && !/^DATA_DAMAGED$/.test(store.code))
    throw new WeftError('RECOVER_STORE', `the store is not one that can be rebuilt [${store.code}]: ${store.why}`);
  if (rebuilds && alone) {
    needConfirm(
      options,
      'this is the only validator, so nobody else has the blocks: put a backup of the data folder back instead. With --confirm the chain begins again at genesis, and what was promised on the old one no longer holds. If there are other validators by now, do not: weft start --snapshot',
    );
  }
  if (rebuilds)
    steps.push({
      name: 'rebuild-store',
      says: `puts ${join(config.data, 'store')} aside and begins an empty one with the node's notes; the journal stays. The blocks come ${outgrown(state) ? 'with a snapshot of a node that runs (weft start --snapshot FILE|URL)' : 'from the other nodes at the next start'}, and this node votes again once it has come to where its journal begins`,
    });
  if (stopMark !== undefined) {
    if (!healedByStore.has(stopMark.code)) {
      needConfirm(
        options,
        `this node stopped because of ${stopMark.code}: validators finalized two different things, which needs people to look at the evidence (weft query status of each node, weft compare of two data folders) before anybody goes on`,
      );
    }
    steps.push({ name: 'clear-stop', says: `removes the mark ${stopMarkPath(config.data)}` });
  }
  const beginsAgain = alone && (storeBehind || rebuilds) && store.epoch.epoch === genesis.epoch.epoch;
  if (refusal === networkGrown) {
    // What is known is no matter of anybody's word.
    if (outgrown(state)) return steps;
    needConfirm(
      options,
      'genesis lists this validator alone, and the configuration knows others, so the chain has gone on elsewhere: begin with weft start --snapshot FILE|URL. With --confirm you answer for it that no block was ever made, and this node makes the first one',
    );
    steps.push({ name: 'confirm', says: 'notes beside the key file that you answer for it' });
  } else if (refusal !== '' || beginsAgain) {
    if (alone) {
      needConfirm(
        options,
        'this is the only validator: its vote key may have signed what its journal no longer knows, and nobody else can say. With --confirm you answer for it, and the same key votes on',
      );
      steps.push({
        name: 'confirm',
        says: 'puts the journal aside and notes beside the key file that you answer for it',
      });
    } else {
      if (state.nextVoteKey === undefined) {
        const path = nextKeysPath(config.keys);
        steps.push({ name: 'new-key', says: `makes ${path}: the same keys with a new vote key` });
      }
      if (config.nextKeys === undefined)
        steps.push({ name: 'configure', says: 'sets nextKeys in the configuration; keys stays, to be known by' });
      const damaged = damagedJournal(state);
      if (state.beside?.state !== refusal || damaged)
        steps.push({
          name: 'retire',
          says: `notes beside the key file that the old vote key never votes again (${refusal})${damaged ? ', and puts its journal aside' : ''}`,
        });
    }
  }
  return steps;
}

/** Governance has to list a new vote key of this node before it votes again. */
export function needsReadmission({ refusal }: HomeState, steps: readonly Step[]): boolean {
  return refusal !== '' && refusal !== networkGrown && !steps.some(({ name }) => name === 'confirm');
}

/** Runs the steps in order. `done` hears of each that is done. */
export async function recover(
  state: HomeState,
  steps: readonly Step[],
  modules: RecoveryModules,
  done: (step: Step) => void = () => undefined,
): Promise<void> {
  for (const step of steps) {
    await runners[step.name](state, modules);
    done(step);
  }
}

/** The entry that governance is asked for: this validator with its next vote key. Undefined when there is nothing to ask for. */
export async function readmissionEntry(
  config: HomeState['config'],
  genesis: HomeState['genesis'],
): Promise<Validator | undefined> {
  const { entry, nextVoteKey } = await readHome(config, genesis);
  return entry === undefined || nextVoteKey === undefined ? undefined : { ...entry, vote: nextVoteKey };
}

/** Body of `governance.propose`: this validator's own entry with a new vote key, as soon as the council agrees. */
export function readmissionBody(entry: Validator, expires: number): Record<string, unknown> {
  const { name, peer, vote, log, cosigner, account, url } = entry;
  const set = [
    {
      name,
      peer: toBase64Url(peer),
      vote: toBase64Url(vote),
      log: toBase64Url(log),
      cosigner: toBase64Url(cosigner),
      account,
      url,
    },
  ];
  return { change: { kind: 'validators', set, remove: [] }, notBefore: 0, expires };
}

function damagedJournal({ journal }: HomeState): boolean {
  return journal.state === 'damaged' || journal.state === 'foreign';
}

function needConfirm({ confirm }: RecoveryOptions, why: string): void {
  if (!confirm) throw new WeftError('RECOVER_CONFIRM', why);
}

type Runner = (state: HomeState, modules: RecoveryModules) => Promise<void>;

const runners: Readonly<Record<Step['name'], Runner>> = {
  'rebuild-store': async ({ config }, { before, wallMs }) => {
    const store = join(config.data, 'store');
    const fresh = `${store}.new`;
    if (existsSync(store)) {
      before?.('begin the new store');
      await rm(fresh, { recursive: true, force: true });
      await beginStoreWithNotes(store, fresh);
      before?.('put the old store aside');
      await rename(store, `${store}.damaged-${wallMs()}`);
    }
    before?.('put the new store in its place');
    if (existsSync(fresh)) await rename(fresh, store);
    await nodeFiles.syncFolder(config.data);
  },
  'clear-stop': async ({ config }, { before }) => {
    before?.('clear the stop mark');
    await rm(stopMarkPath(config.data), { force: true });
    await nodeFiles.syncFolder(config.data);
  },
  confirm: async ({ config, genesis, signState, voteKey, newestEpoch }, { before, wallMs }) => {
    const journal = join(config.data, 'journal');
    before?.('confirm');
    await signState.set(genesis.genesisHash, voteKey, newestEpoch, confirmed);
    before?.('put the journal aside');
    if (!existsSync(journal)) return;
    await rename(journal, `${journal}.kept-${wallMs()}`);
    await nodeFiles.syncFolder(config.data);
  },
  'new-key': async ({ config }, { before, passphrase }) => {
    const path = nextKeysPath(config.keys);
    const keys = validatorKeysFrom(await readKeyFile(config.keys, passphrase));
    before?.('write the new key file');
    if (existsSync(path)) {
      // Of a run before this one: it is this validator's, or it is somebody else's and must not be touched.
      const peer = (await readPublicPart(path)).find(({ name }) => name === 'peer');
      if (peer !== undefined && toBase64Url(peer.publicKey) === toBase64Url(keys.peer.publicKey)) return;
      throw new WeftError('KEY_FILE_EXISTS', `${path} exists and is not this validator's: move it away first`, {
        path,
      });
    }
    await writeKeyFile(path, validatorSecrets({ ...keys, vote: keyPairOf(generateSeed()) }), { passphrase });
  },
  configure: async ({ config }, { before, configPath }) => {
    const text = await readFile(configPath, 'utf8');
    const value = relative(dirname(configPath), nextKeysPath(config.keys));
    before?.('write the configuration');
    await writeWholeFile(nodeFiles, configPath, encodeUtf8(withSetting(text, configPath, 'nextKeys', value)));
  },
  retire: async (state, { before, wallMs }) => {
    const { config, genesis, signState, voteKey, newestEpoch, refusal } = state;
    before?.('retire the old key');
    await signState.set(genesis.genesisHash, voteKey, newestEpoch, refusal);
    if (!damagedJournal(state)) return;
    // What is broken may not say whose it was and of which epoch: it would speak against the new key, too.
    before?.('put the damaged journal aside');
    const journal = join(config.data, 'journal');
    await rename(journal, `${journal}.damaged-${wallMs()}`);
    await nodeFiles.syncFolder(config.data);
  },
};

/** Sets one key and leaves the rest of the file, comments too, as it is. @throws WeftError CONFIG_SYNTAX */
export function withSetting(text: string, path: string, key: string, value: string): string {
  if (path.endsWith('.json')) return `${JSON.stringify({ ...(JSON.parse(text) as object), [key]: value }, null, 2)}\n`;
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents))
    throw new WeftError('CONFIG_SYNTAX', `${path} is no set of 'key: value' lines; set ${key}: ${value} by hand`);
  document.set(key, value);
  return document.toString();
}
