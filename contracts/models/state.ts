// Models in state: the file, the checks that count, what it was made from.
import type { Attestation, ModelRecord, Parent } from '../../schemas/types/model-record.ts';
import { asJson } from '../contract.ts';
import type { Json, StateReader } from '../types.ts';

export const ATTESTATIONS_MAX = 32;
const LINEAGE_MAX = 16;
/** Models that a walk over ancestors looks at. */
const ANCESTORS_MAX = 256;

export function readModel(state: StateReader, id: string): ModelRecord | undefined {
  return state.get(`models/model/${id}`) as ModelRecord | undefined;
}

/** Holds the id of the model that has this file: a digest is registered once. */
export function filePath(sha256: string): string {
  return `models/file/${sha256}`;
}

export function modelChange(model: ModelRecord): [string, Json] {
  return [`models/model/${model.model}`, asJson(model)];
}

/** Kinds of check whose counting attestations include this verdict, sorted, none twice. */
export function kindsWith(model: ModelRecord, verdict: Attestation['verdict']): string[] {
  return [...new Set(model.attestations.filter((each) => each.verdict === verdict).map(({ kind }) => kind))].sort();
}

/** Kinds that passed for all who attested them: one WARNED or FAILED beside a PASSED counts against it. */
export function kindsPassed(model: ModelRecord): string[] {
  const doubtful = new Set([...kindsWith(model, 'WARNED'), ...kindsWith(model, 'FAILED')]);
  return kindsWith(model, 'PASSED').filter((kind) => !doubtful.has(kind));
}

/**
 * The code of what is wrong with parents that a model is to have: `MODEL_UNKNOWN`, `LINEAGE_REPEATED` (one twice),
 * `LINEAGE_LOOP` (it would be its own ancestor), `LINEAGE_TOO_LARGE`.
 */
export function checkLineage(state: StateReader, model: string, lineage: readonly Parent[]): string | undefined {
  if (lineage.length > LINEAGE_MAX) return 'LINEAGE_TOO_LARGE';
  if (new Set(lineage.map((parent) => parent.model)).size !== lineage.length) return 'LINEAGE_REPEATED';
  if (lineage.some((parent) => parent.model === model)) return 'LINEAGE_LOOP';
  const seen = new Set<string>();
  const waiting = lineage.map((parent) => parent.model);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    if (id === model) return 'LINEAGE_LOOP';
    if (seen.size > ANCESTORS_MAX) return 'LINEAGE_TOO_LARGE';
    const ancestor = readModel(state, id);
    if (ancestor === undefined) return 'MODEL_UNKNOWN';
    for (const parent of ancestor.lineage) waiting.push(parent.model);
  }
  return undefined;
}
