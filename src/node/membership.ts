import { WeftError } from '../codec/error.ts';
import { equalBytes } from '../codec/utf8.ts';
import type { ValidatorKeys } from '../crypto/validatorKeys.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { NetworkPeer } from '../net/types.ts';
import type { Config } from './config.ts';

/** Who this node is on the ledger, and who may connect to it. */

/**
 * Own index among the validators of the present epoch, undefined for a node that observes.
 * @throws WeftError NODE_UNKNOWN, KEYS_FOREIGN
 */
export function placeOf(ledger: Ledger, config: Config, keys: ValidatorKeys): number | undefined {
  const { validators } = ledger.epoch;
  const place = validators.findIndex(({ name }) => name === config.name);
  const validator = validators[place];
  const listed = validator?.peer ?? ledger.observers.find(({ name }) => name === config.name)?.peer;
  if (listed === undefined) {
    throw new WeftError(
      'NODE_UNKNOWN',
      `the ledger lists no validator or observer named '${config.name}'; correct \`name\` in the configuration`,
    );
  }
  const fits =
    equalBytes(listed, keys.peer.publicKey) &&
    (validator === undefined ||
      (equalBytes(validator.vote, keys.vote.publicKey) &&
        equalBytes(validator.log, keys.log.publicKey) &&
        equalBytes(validator.cosigner, keys.cosigner.publicKey)));
  if (!fits) {
    throw new WeftError(
      'KEYS_FOREIGN',
      `the key file is not that of '${config.name}' on this chain; point \`keys\` at the right file`,
    );
  }
  return config.role === 'validator' && place >= 0 ? place : undefined;
}

/** All that may connect, with the addresses that the configuration knows. */
export function peersOf(ledger: Ledger, config: Config): NetworkPeer[] {
  const addresses = (name: string): string[] =>
    config.peer.peers.filter((peer) => peer.name === name).map(({ address }) => address);
  const entry =
    (role: NetworkPeer['role']) =>
    ({ name, peer }: { readonly name: string; readonly peer: Uint8Array }): NetworkPeer => ({
      name,
      role,
      peerKey: peer,
      addresses: addresses(name),
    });
  return [...ledger.epoch.validators.map(entry('validator')), ...ledger.observers.map(entry('observer'))].filter(
    ({ name }) => name !== config.name,
  );
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
