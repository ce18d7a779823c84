import { fromBase64 } from '../codec/base64.ts';
import { decodeUtf8 } from '../codec/utf8.ts';

/** How a signed envelope begins, and its payload as every tool of ours writes it. */
const envelopeHead = '{"payload":"';
const payloadHead = /^\{"chain":"[^"\\]*","account":"([^"\\]{1,63})"/;
/** Base64 of the first 180 bytes: a chain's name and an account's are shorter. */
const headCharacters = 240;

/** As `accountOf`, of an envelope's bytes and without reading all of them: undefined where the first members do not say. */
export function accountOfBytes(envelope: Uint8Array): string | undefined {
  const { buffer, byteOffset, byteLength } = envelope;
  const length = Math.min(byteLength, envelopeHead.length + headCharacters + 1);
  return accountOfHead(Buffer.from(buffer, byteOffset, length).toString('latin1'));
}

function accountOfHead(envelope: string): string | undefined {
  if (!envelope.startsWith(envelopeHead)) return undefined;
  const end = envelope.indexOf('"', envelopeHead.length);
  const last = envelopeHead.length + headCharacters;
  const head = envelope.slice(envelopeHead.length, end === -1 ? last : Math.min(end, last));
  return payloadHead.exec(Buffer.from(head, 'base64').toString('latin1'))?.[1];
}

/**
 * The account that an envelope *claims*, cheaply and without trust: for rate limits only, before the node decodes and
 * verifies it. `undefined` when there is none to be seen; the node then says what is wrong. What is admitted has one account: where
 * the first two members name it, decoding refuses a second one.
 */
export function accountOf(envelope: string): string | undefined {
  const account = accountOfHead(envelope);
  if (account !== undefined) return account;
  try {
    const { payload } = JSON.parse(envelope) as { readonly payload?: unknown };
    if (typeof payload !== 'string') return undefined;
    const { account } = JSON.parse(decodeUtf8(fromBase64(payload))) as { readonly account?: unknown };
    return typeof account === 'string' && account.length <= 63 ? account : undefined;
  } catch {
    return undefined;
  }
}
