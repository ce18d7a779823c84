import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import type { RunPart } from '../ledger/types.ts';

/** What nodes answer each other about runs of blocks, as bytes. */

/** What a peer answers to a question for a run. */
export type RunAnswer =
  | { readonly kind: 'run'; readonly run: RunPart }
  /** It holds blocks from this height on, and no older ones. */
  | { readonly kind: 'pruned'; readonly fromHeight: number };

/** Of one answer between nodes. A run of any size comes in several. */
export const runAnswerBytesMax = 8 * 1024 * 1024;

/** CBOR `[[headers], [bodies], certificate]`; fewer bodies than headers when not all of them fit. */
export function encodeRun(run: RunPart): Uint8Array {
  return encodeCbor([run.headers, run.bodies, run.certificate]);
}

/** Instead of a run: CBOR `["pruned", first height that is held]`. */
export function encodePruned(fromHeight: number): Uint8Array {
  return encodeCbor(['pruned', fromHeight]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeRunAnswer(payload: Uint8Array): RunAnswer {
  const value = decodeCbor(payload, { bytesMax: runAnswerBytesMax, itemsMax: 40_000, depthMax: 3 });
  if (!Array.isArray(value)) throw malformed();
  const [first, second, third, ...more] = value as readonly Cbor[];
  if (first === 'pruned' && typeof second === 'number' && second > 0 && third === undefined) {
    return { kind: 'pruned', fromHeight: second };
  }
  if (!(third instanceof Uint8Array) || more.length > 0) throw malformed();
  const run = { headers: bytesList(first), bodies: bytesList(second), certificate: third };
  if (run.bodies.length > run.headers.length) throw malformed();
  return { kind: 'run', run };
}

/** CBOR `[body, …]`. */
export function encodeBodies(bodies: readonly Uint8Array[]): Uint8Array {
  return encodeCbor([...bodies]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeBodies(payload: Uint8Array, countMax: number): Uint8Array[] {
  const bodies = bytesList(
    decodeCbor(payload, { bytesMax: runAnswerBytesMax, itemsMax: Math.min(40_000, countMax + 1), depthMax: 2 }),
  );
  return bodies;
}

function bytesList(value: Cbor | undefined): Uint8Array[] {
  if (!Array.isArray(value)) throw malformed();
  return (value as readonly Cbor[]).map((item) => {
    if (!(item instanceof Uint8Array)) throw malformed();
    return item;
  });
}

function malformed(): WeftError {
  return new WeftError('MESSAGE_MALFORMED', 'a peer answered with something that is no run of blocks');
}
