import { canonicalJson } from '../codec/canonical.ts';
import type { Json } from '../codec/json.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import type { Grant } from '../token/grant.ts';
import type { JsonObject } from '../token/leaf.ts';
import type { OutcomeName } from './attempt.ts';

/** What an act is handed: all that it may rely on, and the moment until which it may begin. */
export type Permission = {
  readonly grant: Grant;
  /** The effect that was granted, as data that nobody can change any more: do this, and nothing else. */
  readonly effect: JsonObject;
  /** base64url of 16 bytes. */
  readonly attempt: string;
  /** Which use of the grant this is, from 1. */
  readonly use: number;
  /** Show what would be done, and change nothing. */
  readonly dryRun: boolean;
  readonly maxTargets: number;
  /** Milliseconds UTC of this machine's clock: what has not begun by then must not begin. */
  readonly until: number;
  /** Raised at `until`, and when the executor closes: an act of several steps looks at it before each. */
  readonly signal: AbortSignal;
};

export type Outcome = {
  readonly outcome: OutcomeName;
  /** What the act gave back; its SHA-256 is reported, the rest stays here. Default: nothing (the digest of no bytes). */
  readonly result?: string | Uint8Array;
};

/**
 * Does the thing. It says `failed` when it knows that nothing, or not all, was done; what it throws says nothing about how far it
 * came, and is reported as `unknown`.
 */
export type Act = (permission: Permission) => Promise<Outcome> | Outcome;

/** SHA-256 (64 hex digits) of what an act gave back. */
export function resultDigest(result: string | Uint8Array = ''): string {
  return sha256Hex(typeof result === 'string' ? encodeUtf8(result) : result);
}

/** The effect as it was when its digest was taken: a copy, frozen all the way down. */
export function frozenCopy(effect: JsonObject): JsonObject {
  return freeze(JSON.parse(canonicalJson(effect)) as JsonObject);
}

function freeze<T extends Json>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) freeze(each);
    Object.freeze(value);
  }
  return value;
}
