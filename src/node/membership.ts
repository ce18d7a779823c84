import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { equalBytes } from '../codec/utf8.ts';
import type { ValidatorKeys } from '../crypto/validatorKeys.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Epoch, Validator } from '../ledger/validatorSet.ts';
import type { NetworkPeer, Role } from '../net/types.ts';
import type { Config } from './config.ts';

/**
 * Who this node is on the ledger, and who may connect to it. Both follow state: they change with an epoch, with the list of
 * observers and with proposals, while the node runs.
 */
export type Standing = {
  /** Own index among the validators of the epoch; undefined for who observes. */
  readonly index: number | undefined;
  /** As what the others know this node. */
  readonly role: Role;
  /** Of the key files at hand the one that the ledger lists, else the first. */
  readonly keys: ValidatorKeys;
  /** NODE_UNKNOWN, KEYS_FOREIGN: why this node takes no part; '' when the ledger lists it. */
  readonly code: '' | 'NODE_UNKNOWN' | 'KEYS_FOREIGN';
  /** What that means and what to do. */
  readonly words: string;
};

type Known = Pick<Ledger, 'epoch' | 'epochOf' | 'observers' | 'candidates'>;

/** What a retired validator keeps connected for: to hand out its last cosignature, and to learn that it is retired. */
export const retiredGraceMs = 10 * 60 * 1000;

/**
 * `files`: the present keys, then those of the next epoch if there are any.
 * @throws WeftError NODE_UNKNOWN, KEYS_FOREIGN: the key file is another node's, so waiting will not help
 */
export function standingOf(
  ledger: Known,
  config: Pick<Config, 'name' | 'role'>,
  files: readonly ValidatorKeys[],
): Standing {
  const { name } = config;
  const [first] = files;
  if (first === undefined)
    throw new WeftError('KEYS_FOREIGN', 'a node needs a key file: set `keys` in the configuration');
  checkNotAnothers(ledger, name, files);
  const { validators } = ledger.epoch;
  const place = validators.findIndex((validator) => validator.name === name);
  const validator = validators[place];
  const fits = validator && files.find((keys) => holds(keys, validator));
  if (fits !== undefined)
    return config.role === 'validator' ? part(place, 'validator', fits) : part(undefined, 'observer', fits);
  const candidates = ledger.candidates.filter((each) => each.name === name);
  const observer = ledger.observers.find((each) => each.name === name);
  for (const keys of files) {
    const entries = observer === undefined ? candidates : [observer, ...candidates];
    if (entries.some(({ peer }) => equalBytes(peer, keys.peer.publicKey))) return part(undefined, 'observer', keys);
  }
  if (validator === undefined && observer === undefined) {
    return {
      // Those who let a retired validator in know it by the keys that it had.
      ...part(undefined, 'observer', lastOwn(ledger, config, files)?.keys ?? first),
      code: 'NODE_UNKNOWN',
      words: unknownWords(name, ledger.epoch.epoch),
    };
  }
  const own = validator && files.find((keys) => equalBytes(keys.peer.publicKey, validator.peer));
  return {
    ...part(undefined, own === undefined ? 'observer' : 'validator', own ?? first),
    code: 'KEYS_FOREIGN',
    words: `the ledger lists other keys for '${name}' in epoch ${ledger.epoch.epoch}: point \`keys\` (or \`nextKeys\`) at the file that holds them, or have governance list the ones in this file`,
  };
}

/** With the keys that this node had in an epoch, if it was one of its validators. */
export function ownIn(
  epoch: Epoch,
  config: Pick<Config, 'name' | 'role'>,
  files: readonly ValidatorKeys[],
): { readonly validator: Validator; readonly keys: ValidatorKeys } | undefined {
  const validator = epoch.validators.find(({ name }) => name === config.name);
  const keys = validator && files.find((each) => holds(each, validator));
  return validator === undefined || keys === undefined || config.role !== 'validator' ? undefined : { validator, keys };
}

/** The newest epoch before the present one in which this node was a validator, of the last few, and the keys that it had. */
export function lastOwn(
  ledger: Pick<Known, 'epoch' | 'epochOf'>,
  config: Pick<Config, 'name' | 'role'>,
  files: readonly ValidatorKeys[],
): { readonly epoch: number; readonly keys: ValidatorKeys } | undefined {
  const present = ledger.epoch.epoch;
  for (let number = present - 1; number > 0 && number >= present - lookBackMax; number -= 1) {
    const epoch = ledger.epochOf(number);
    const own = epoch && ownIn(epoch, config, files);
    if (own !== undefined) return { epoch: number, keys: own.keys };
  }
  return undefined;
}

/**
 * All that may connect, with the addresses that the configuration knows: validators and observers, candidates of open
 * proposals, and who was a validator in one of the epochs `retiring` (closing.ts).
 */
export function peersOf(
  ledger: Known,
  config: Config,
  ownPeerKey: Uint8Array,
  retiring: readonly number[],
): NetworkPeer[] {
  const { epoch, observers, candidates } = ledger;
  const peers: NetworkPeer[] = [];
  const seen = new Set([toHex(ownPeerKey)]);
  const add = (role: Role, { name, peer }: { readonly name: string; readonly peer: Uint8Array }): void => {
    const key = toHex(peer);
    if (seen.has(key) || (role === 'validator' && name === config.name) || peers.length >= peersMax) return;
    seen.add(key);
    const addresses = config.peer.peers.filter((each) => each.name === name).map(({ address }) => address);
    // A name stands for its newest keys; under the others it is told apart.
    let alias = name;
    while (alias === config.name || peers.some((each) => each.name === alias)) alias = `${alias}+`;
    if (alias.length <= nameMax) peers.push({ name: alias, role, peerKey: peer, addresses });
  };
  for (const validator of epoch.validators) add('validator', validator);
  for (const observer of observers) add('observer', observer);
  for (const candidate of candidates) add('observer', candidate);
  for (const retired of retiring) {
    for (const validator of ledger.epochOf(retired)?.validators ?? []) add('observer', validator);
  }
  return peers;
}

const nameMax = 64;
/** Epochs that a node looks back for itself. */
const lookBackMax = 32;
/** The network takes a few more. Who is listed comes before who would like to be. */
const peersMax = 1000;

function part(index: number | undefined, role: Role, keys: ValidatorKeys): Standing {
  return { index, role, keys, code: '', words: '' };
}

function holds(keys: ValidatorKeys, entry: Validator): boolean {
  return (
    equalBytes(entry.peer, keys.peer.publicKey) &&
    equalBytes(entry.vote, keys.vote.publicKey) &&
    equalBytes(entry.log, keys.log.publicKey) &&
    equalBytes(entry.cosigner, keys.cosigner.publicKey)
  );
}

/** A file that belongs to somebody else on this chain is a mistake, whatever the ledger will say later. */
function checkNotAnothers(ledger: Known, name: string, files: readonly ValidatorKeys[]): void {
  const listed = [...ledger.epoch.validators, ...ledger.observers];
  for (const { peer } of files) {
    const owner = listed.find((each) => equalBytes(each.peer, peer.publicKey))?.name;
    if (owner === undefined || owner === name) continue;
    if (listed.some((each) => each.name === name)) {
      throw new WeftError(
        'KEYS_FOREIGN',
        `the key file is that of '${owner}', not of '${name}'; point \`keys\` at the right file`,
      );
    }
    throw new WeftError(
      'NODE_UNKNOWN',
      `the ledger lists no validator or observer named '${name}', and these keys as '${owner}'; correct \`name\` in the configuration`,
    );
  }
}

function unknownWords(name: string, epoch: number): string {
  return `the ledger lists no validator or observer named '${name}' in epoch ${epoch}: correct \`name\` in the configuration, or have governance list this node (governance.propose); until then it only follows as far as others let it`;
}

/** Where this node and the peers of its configuration are reached. */
export function peersKnown(
  { name, peer }: Config,
  own: readonly string[],
): { readonly name: string; readonly addresses: readonly string[] }[] {
  const known = new Map<string, string[]>([[name, [...own]]]);
  for (const each of peer.peers) known.set(each.name, [...(known.get(each.name) ?? []), each.address]);
  return [...known].map(([each, addresses]) => ({ name: each, addresses }));
}
