import { fromBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { type Json, parseStrictJson } from '../codec/json.ts';
import { entryBytesMax } from '../log/bundles.ts';
import { recode } from './form.ts';

export type JsonObject = { readonly [name: string]: Json };

/** A packet id has 32 bytes and a group at most 256 of them. */
const packetIdBytes = 32;
const packetIdsMax = 256;

/** A group of packets that may be carried. */
export type PacketGroup = {
  readonly source: string;
  /** As addressed. */
  readonly target: string;
  /** The instance that receives the packets: the target, or where the routing table sends them instead. */
  readonly receiver: string;
  /** Milliseconds UTC. */
  readonly expires: number;
  /** Transaction_Hash_IDs, 64 hex digits each. */
  readonly ids: readonly string[];
};

/**
 * A leaf as JSON. It is one object whose first member is `type` or `_type`, never both, in whatever case: other
 * languages' readers ignore case. Throws TOKEN_LEAF_INVALID.
 */
export function parseLeaf(leaf: Uint8Array): JsonObject {
  const record = recode('TOKEN_LEAF_INVALID', () => parseStrictJson(leaf, { bytesMax: entryBytesMax }));
  if (typeof record !== 'object' || record === null || Array.isArray(record)) throw invalid('it is not an object');
  const names = Object.keys(record);
  const telling = names.filter((name) => /^_?type$/i.test(name));
  if (telling.length !== 1 || names[0] !== telling[0] || (names[0] !== 'type' && names[0] !== '_type')) {
    throw invalid('its first member, and no other, should be type or _type');
  }
  return record as JsonObject;
}

/** The group of a `packets.committed` record that says allow; undefined for one that says deny. Throws TOKEN_LEAF_INVALID. */
export function parsePackets(record: JsonObject): PacketGroup | undefined {
  const decision = record['decision'];
  if (decision === 'deny') return undefined;
  if (decision !== 'allow') throw invalid('its decision is neither allow nor deny');
  const route = record['route'];
  if (typeof route !== 'object' || route === null || Array.isArray(route)) throw invalid('it allows without a route');
  const to = (route as JsonObject)['to'];
  const target = text(record['target'], 'target');
  const encoded = text(record['ids'], 'ids');
  const ids = recode('TOKEN_LEAF_INVALID', () => fromBase64Url(encoded));
  if (ids.length === 0 || ids.length % packetIdBytes !== 0 || ids.length > packetIdBytes * packetIdsMax) {
    throw invalid('its ids are not 1 to 256 times 32 bytes');
  }
  return {
    source: text(record['source'], 'source'),
    target,
    receiver: to === undefined ? target : text(to, 'route.to'),
    expires: count(record['expires'], 'expires'),
    ids: Array.from({ length: ids.length / packetIdBytes }, (_, n) =>
      toHex(ids.subarray(n * packetIdBytes, (n + 1) * packetIdBytes)),
    ),
  };
}

export function object(value: Json | undefined, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} is not an object`);
  return value as JsonObject;
}

/** Exactly these members in this order. */
export function members(value: Json | undefined, names: readonly string[], what: string): JsonObject {
  const found = object(value, what);
  if (Object.keys(found).join() !== names.join()) throw invalid(`${what} should have the members ${names.join(', ')}`);
  return found;
}

export function text(value: Json | undefined, what: string, pattern?: RegExp): string {
  if (typeof value !== 'string' || value === '' || pattern?.test(value) === false)
    throw invalid(`${what} is not usable`);
  return value;
}

/** An integer from 0 to 2^53−1 (every number of a leaf is an integer already). */
export function count(value: Json | undefined, what: string): number {
  if (typeof value !== 'number' || value < 0) throw invalid(`${what} is not a number from 0 on`);
  return value;
}

export function flag(value: Json | undefined, what: string): boolean {
  if (typeof value !== 'boolean') throw invalid(`${what} is neither true nor false`);
  return value;
}

export function list(value: Json | undefined, most: number, what: string): readonly string[] {
  if (!Array.isArray(value) || value.length > most) throw invalid(`${what} is not a list of at most ${most}`);
  return value.map((item: Json) => text(item, what));
}

export function invalid(why: string): WeftError {
  return new WeftError('TOKEN_LEAF_INVALID', `The leaf is in the log, but it authorises nothing: ${why}.`, { why });
}
