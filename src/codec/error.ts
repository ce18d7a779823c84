/**
 * The one error that crosses module borders. `code` is stable (programs and scripts lean on it, it is never reused for
 * another meaning); `message` says what went wrong, with what, and what to do; `details` are small plain values.
 */
export class WeftError extends Error {
  readonly code: string;
  readonly details: Readonly<Record<string, string | number | boolean>>;

  constructor(code: string, message: string, details: Readonly<Record<string, string | number | boolean>> = {}) {
    super(message);
    this.name = 'WeftError';
    this.code = code;
    this.details = details;
  }
}

/** The stable code of any thrown value; `INTERNAL` for what is not a WeftError, which is a defect of ours. */
export function codeOf(error: unknown): string {
  return error instanceof WeftError ? error.code : 'INTERNAL';
}

/** What any thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
