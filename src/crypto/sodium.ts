// The three functions of libsodium that we use, with their types: the package brings none.
import { createRequire } from 'node:module';

type Sodium = {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
};

export const sodium = createRequire(import.meta.url)('sodium-native') as Sodium;
