import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A frozen vector file of test/vectors/crypto. */
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'vectors', 'crypto', name), 'utf8')) as T;
}

/** A signature, and who takes it: the rule of consensus (ZIP 215), libsodium. Hex. */
export type Ed25519Case = {
  readonly name: string;
  readonly message: string;
  readonly publicKey: string;
  readonly signature: string;
  readonly zip215: boolean;
  readonly libsodium: boolean;
};

/** ed25519-rule.json */
export type Ed25519Rule = {
  readonly speccheck: readonly Ed25519Case[];
  readonly honestKey: readonly Ed25519Case[];
  readonly smallOrder: readonly Ed25519Case[];
  readonly publicKeys: readonly { readonly name: string; readonly publicKey: string; readonly accepted: boolean }[];
};

/** wycheproof-*.json, as makeVectors.ts keeps them. */
export type WycheproofGroup = {
  readonly publicKey: string;
  readonly tests: readonly {
    readonly id: number;
    readonly comment: string;
    readonly message: string;
    readonly signature: string;
    readonly result: string;
  }[];
};
