import { codeOf } from '../src/codec/error.ts';

/** The code with which it is refused; `accepted` where it is not. */
export function codeFor(run: () => unknown): string {
  try {
    run();
    return 'accepted';
  } catch (error) {
    return codeOf(error);
  }
}
