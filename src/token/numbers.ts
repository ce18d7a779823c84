import { WeftError } from '../codec/error.ts';

/** How far a verifier's clock may be off when nothing else is said. Milliseconds; at worst it counts against the token. */
export const defaultMaxClockSkewMs = 2_000;

/** NaN compares as "fresh" and as "not expired": what is no number must never be taken for one. Throws `code`. */
export function checkNumbers(
  options: Readonly<Record<string, unknown>>,
  code: 'STATUS_CHECKS_INVALID' | 'TOKEN_CHECKS_INVALID' | 'TRUST_CHECKS_INVALID' = 'STATUS_CHECKS_INVALID',
): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw new WeftError(code, `The option ${name} is not a whole number from 0 on.`);
    }
  }
}
