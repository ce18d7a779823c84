import { fromBase64 } from '../codec/base64.ts';
import { decodeUtf8 } from '../codec/utf8.ts';

/**
 * The account that an envelope *claims*, cheaply and without trust: for rate limits only, before the node decodes and
 * verifies it. `undefined` when there is none to be seen; the node then says what is wrong.
 */
export function accountOf(envelope: string): string | undefined {
  try {
    const { payload } = JSON.parse(envelope) as { readonly payload?: unknown };
    if (typeof payload !== 'string') return undefined;
    const { account } = JSON.parse(decodeUtf8(fromBase64(payload))) as { readonly account?: unknown };
    return typeof account === 'string' && account.length <= 63 ? account : undefined;
  } catch {
    return undefined;
  }
}
