import type { LedgerRecord } from './types.ts';

export type BlockRecordParts = {
  readonly height: number;
  readonly epoch: number;
  /** Milliseconds UTC. */
  readonly time: number;
  /** Block id of the parent, hex. */
  readonly parent: string;
  /** Root of the state after the block, hex. */
  readonly stateRoot: string;
  readonly ruleset: number;
  /** As `governance/policy/current` has it after the block. */
  readonly policy: { readonly version: number; readonly digest: string };
  /** Epoch digest, hex. */
  readonly validators: string;
};

/** `record/block`: what a verifier of state starts from. It holds no log data, so that state never contains the log. */
export function blockRecord(parts: BlockRecordParts): LedgerRecord {
  return {
    type: 'block',
    height: parts.height,
    epoch: parts.epoch,
    time: parts.time,
    parent: parts.parent,
    stateRoot: parts.stateRoot,
    ruleset: parts.ruleset,
    policy: { version: parts.policy.version, digest: parts.policy.digest },
    validators: parts.validators,
  };
}
