import { readFileSync } from 'node:fs';
import type { Genesis, Validator } from '../../schemas/types/genesis.ts';
import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { provePossession, type ValidatorKeys } from '../crypto/validatorKeys.ts';

/** What the operator of a node gives to the others: public keys with proofs, and where it is found. */
export type ValidatorRecord = {
  readonly format: 'weft/validator-record/v1';
  readonly network: string;
  /** Multiaddr on which its peer port is reached. */
  readonly address: string;
  readonly validator: Validator;
  readonly account: GenesisAccount;
};

export type ObserverRecord = {
  readonly format: 'weft/observer-record/v1';
  readonly network: string;
  readonly observer: { readonly name: string; readonly peer: string };
};

export type GenesisAccount = Genesis['accounts'][number];

/**
 * `network` is the name without the hash: the chain id depends on these proofs. `account`: what speaks for the validator; another
 * name than the validator's where the key of that account is lost.
 */
export function validatorRecord(
  network: string,
  name: string,
  keys: ValidatorKeys,
  places: { readonly url: string; readonly address: string },
  account = name,
): ValidatorRecord {
  const proof = (role: 'peer' | 'vote' | 'log' | 'cosigner'): string =>
    toBase64Url(provePossession(network, name, role, keys[role].seed));
  const accountKey = { alg: 'ed25519' as const, publicKey: toBase64Url(keys.account.publicKey) };
  return {
    format: 'weft/validator-record/v1',
    network,
    address: places.address,
    validator: {
      name,
      peer: toBase64Url(keys.peer.publicKey),
      vote: toBase64Url(keys.vote.publicKey),
      log: toBase64Url(keys.log.publicKey),
      cosigner: toBase64Url(keys.cosigner.publicKey),
      account,
      url: places.url,
      proofs: { peer: proof('peer'), vote: proof('vote'), log: proof('log'), cosigner: proof('cosigner') },
    },
    account: { name: account, roles: [], keys: [accountKey] },
  };
}

export function observerRecord(network: string, name: string, keys: ValidatorKeys): ObserverRecord {
  return {
    format: 'weft/observer-record/v1',
    network,
    observer: { name, peer: toBase64Url(keys.peer.publicKey) },
  };
}

/** @throws WeftError RECORD_INVALID */
export function readValidatorRecord(path: string): ValidatorRecord {
  const { format, network, validator, account, address } = readMembers<ValidatorRecord>(path);
  if (
    format !== 'weft/validator-record/v1' ||
    typeof network !== 'string' ||
    typeof address !== 'string' ||
    validator === undefined ||
    account === undefined
  ) {
    throw new WeftError('RECORD_INVALID', `${path} is no public record of a validator; weft init prints it`);
  }
  return { format, network, address, validator, account };
}

/** @throws WeftError RECORD_INVALID */
export function readObserverRecord(path: string): ObserverRecord {
  const { format, network, observer } = readMembers<ObserverRecord>(path);
  if (format !== 'weft/observer-record/v1' || typeof network !== 'string' || observer === undefined)
    throw new WeftError('RECORD_INVALID', `${path} is no public record of an observer; weft init --observer prints it`);
  return { format, network, observer };
}

function readMembers<Record extends object>(path: string): Partial<Record> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return (typeof value === 'object' && value !== null ? value : {}) as Partial<Record>;
  } catch (error) {
    throw new WeftError(
      'RECORD_INVALID',
      `${path} is no public record: ${error instanceof Error ? error.message : error}`,
    );
  }
}
