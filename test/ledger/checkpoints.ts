// Checkpoints as the validators of the fixtures publish them.

import { equalBytes } from '../../src/codec/utf8.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { Epoch, Validator } from '../../src/ledger/validatorSet.ts';
import { formatCheckpoint, signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign, publishCheckpoint } from '../../src/log/cosignature.ts';
import { algCosigner, algLog, createVkey } from '../../src/log/vkey.ts';
import { nodeSeed } from './fixtures.ts';

export type CheckpointOptions = {
  readonly size?: number;
  readonly root?: Uint8Array;
  readonly epoch?: Epoch;
  /** How many cosign. */
  readonly cosigners?: number;
  /** Seconds. */
  readonly timeS?: number;
};

/** A published checkpoint of the finalized log. */
export function checkpointOf(ledger: Ledger, options: CheckpointOptions = {}): string {
  const { genesis } = ledger;
  const epoch = options.epoch ?? ledger.epochOf(ledger.finalized.header.epoch) ?? ledger.epoch;
  const size = options.size ?? ledger.finalized.header.logSize;
  const root = options.root ?? ledger.logRoot(size);
  const text = formatCheckpoint({ origin: genesis.origin, size, root });
  const first = seedOfKey(epoch.validators[0]!, 'log');
  const logKey = createVkey(sha256, genesis.origin, algLog, publicKeyOf(first));
  const policy = epoch.validators.map(({ name, cosigner }) =>
    createVkey(sha256, `${genesis.chain}/${name}`, algCosigner, cosigner),
  );
  const count = options.cosigners ?? epoch.quorum;
  const note = publishCheckpoint({
    text,
    log: signCheckpoint(text, logKey, (message) => sign(message, first)),
    cosignatures: epoch.validators
      .slice(0, count)
      .map((validator, i) =>
        cosign(text, options.timeS ?? 1_763_712_100, policy[i]!, (message) =>
          sign(message, seedOfKey(validator, 'cosigner')),
        ),
      ),
    policy,
    quorum: count,
  });
  if (note === undefined) throw new Error('no checkpoint');
  return note;
}

/** Of whatever generation the validator's key is. */
function seedOfKey(validator: Validator, role: 'log' | 'cosigner'): Uint8Array {
  for (let generation = 0; generation < 4; generation += 1) {
    const seed = nodeSeed(validator.name, role, generation);
    if (equalBytes(publicKeyOf(seed), validator[role])) return seed;
  }
  throw new Error(`no seed for ${validator.name}`);
}
