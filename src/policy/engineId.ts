import { WeftError } from '../codec/error.ts';

/** Which Cedar decides: part of a ruleset and of genesis, because another version may answer another way. */
export type PolicyEngineId = {
  /** Version of the npm package `@cedar-policy/cedar-wasm`. */
  readonly sdk: string;
  /** Version of the Cedar language: it went from 4.4 to 4.5 within one year of SDK minor releases. */
  readonly language: string;
  /** SHA-256 (hex) of `nodejs/cedar_wasm_bg.wasm` as published: the code that really decides. */
  readonly wasmSha256: string;
};

/** The engine that this build carries. `instance.ts` refuses to load a file that is not this one. */
export const POLICY_ENGINE_ID: PolicyEngineId = Object.freeze({
  sdk: '4.13.0',
  language: '4.5',
  wasmSha256: '9ed10461f45bceabbe2c364330500378b71f641b28f7c2a1f6e033c9be2f1d9a',
});

/**
 * Refuses to work under a ruleset (or a genesis document) that was made for another engine.
 * @throws POLICY_ENGINE_MISMATCH
 */
export function requirePolicyEngine(wanted: PolicyEngineId): void {
  for (const part of ['sdk', 'language', 'wasmSha256'] as const) {
    if (wanted[part] !== POLICY_ENGINE_ID[part]) {
      throw new WeftError(
        'POLICY_ENGINE_MISMATCH',
        `the ledger decides with Cedar ${part} ${wanted[part]}, this build carries ${POLICY_ENGINE_ID[part]}: install the Weft release that the ruleset names`,
        { part, wanted: wanted[part], have: POLICY_ENGINE_ID[part] },
      );
    }
  }
}
