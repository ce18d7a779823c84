import { fromBase64 } from '../codec/base64.ts';
import { decodeUtf8 } from '../codec/utf8.ts';

/** How a signed envelope begins, and its payload as every tool of ours writes it. */
const envelopeHead = '{"payload":"';
const payloadHead = /^\{"chain":"[^"\\]*","account":"([^"\\]{1,63})"/;
/** Base64 of the first 180 bytes: a chain's name and an account's are shorter. */
const headCharacters = 240;

/**
 * The account that an envelope *claims*, cheaply and without trust: for rate limits only, before the node decodes and
 * verifies it. `undefined` when there is none to be seen; the node then says what is wrong. What is admitted has one account: where
 * the first two members name it, decoding refuses a second one.
 */
export function accountOf(envelope: string): string | undefined {
  if (envelope.startsWith(envelopeHead)) {
    const end = envelope.indexOf('"', envelopeHead.length);
    const head = envelope.slice(envelopeHead.length, Math.min(end, envelopeHead.length + headCharacters));
    const account = payloadHead.exec(Buffer.from(head, 'base64').toString('latin1'))?.[1];
    if (account !== undefined) return account;
  }
  try {
    const { payload } = JSON.parse(envelope) as { readonly payload?: unknown };
    if (typeof payload !== 'string') return undefined;
    const { account } = JSON.parse(decodeUtf8(fromBase64(payload))) as { readonly account?: unknown };
    return typeof account === 'string' && account.length <= 63 ? account : undefined;
  } catch {
    return undefined;
  }
}
