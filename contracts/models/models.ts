// The registry of model files: nothing unverified is authorised, a revoked file never comes back. See README.md.
import type { Attestation, ModelRecord } from '../../schemas/types/model-record.ts';
import type { ModelsAttestBody } from '../../schemas/types/tx/models.attest.ts';
import type { ModelsAuthoriseBody } from '../../schemas/types/tx/models.authorise.ts';
import type { ModelsLineageBody } from '../../schemas/types/tx/models.lineage.ts';
import type { ModelsRegisterBody } from '../../schemas/types/tx/models.register.ts';
import type { ModelsRevokeBody } from '../../schemas/types/tx/models.revoke.ts';
import { modelUid, serviceUid } from '../authorisation.ts';
import { asJson, type Contract, type Question, type Refusal, recordHead, refuse, rule } from '../contract.ts';
import type { Json, StateReader } from '../types.ts';
import { ATTESTATIONS_MAX, checkLineage, filePath, kindsPassed, kindsWith, modelChange, readModel } from './state.ts';

/** A question about a model that is registered and not revoked. */
function aboutModel(
  state: StateReader,
  id: string,
  contextOf: (model: ModelRecord) => Question['context'],
): Question | Refusal {
  const model = readModel(state, id);
  return model === undefined ? refuse('MODEL_UNKNOWN') : { resource: modelUid(id), context: contextOf(model) };
}

function living(state: StateReader, id: string): ModelRecord | Refusal {
  const model = readModel(state, id);
  if (model === undefined) return refuse('MODEL_UNKNOWN');
  return model.status === 'revoked' ? refuse('MODEL_REVOKED') : model;
}

const register = rule<ModelsRegisterBody>('models.register', {
  question: ({ format, size, lineage }) => ({
    resource: serviceUid('models'),
    context: { format, size, parents: lineage.length },
  }),
  apply({ model: id, name, sha256, size, format, source, lineage }, context) {
    const { state, tx } = context;
    if (readModel(state, id) !== undefined) return refuse('MODEL_EXISTS');
    if (state.get(filePath(sha256)) !== undefined) return refuse('MODEL_FILE_TAKEN');
    const wrong = checkLineage(state, id, lineage);
    if (wrong !== undefined) return refuse(wrong);
    const parents = lineage.map(({ model, relation }) => ({ model, relation }));
    const value: ModelRecord = {
      model: id,
      name,
      sha256,
      size,
      format,
      source,
      registrant: tx.account,
      lineage: parents,
      status: 'registered',
      attestations: [],
    };
    const record = {
      ...recordHead('models.registered', context),
      by: tx.account,
      model: id,
      name,
      sha256,
      size,
      format,
      source,
      lineage: parents,
    };
    return { records: [record], changes: new Map<string, Json>([modelChange(value), [filePath(sha256), id]]) };
  },
});

const attest = rule<ModelsAttestBody>('models.attest', {
  question: ({ model, kind, verdict, supersedes }, { state, tx }) =>
    aboutModel(state, model, () => ({
      kind,
      verdict,
      supersedesOther: supersedes !== null && supersedes !== tx.account,
    })),
  apply({ model: id, kind, verdict, report, tool, supersedes }, context) {
    const { state, block, tx } = context;
    const model = living(state, id);
    if ('refused' in model) return model;
    const isOf = (each: Attestation, account: string): boolean => each.kind === kind && each.by === account;
    if (supersedes !== null && !model.attestations.some((each) => isOf(each, supersedes)))
      return refuse('ATTESTATION_UNKNOWN');
    const kept = model.attestations.filter(
      (each) => !isOf(each, tx.account) && !(supersedes !== null && isOf(each, supersedes)),
    );
    const madeWith = { name: tool.name, version: tool.version };
    const attestations = [
      ...kept,
      { kind, by: tx.account, verdict, report, tool: madeWith, height: block.height },
    ].sort(byKindAndAccount);
    if (attestations.length > ATTESTATIONS_MAX) return refuse('ATTESTATIONS_TOO_MANY');
    // A failed check of a model in use takes its authorisation away; giving it back is a decision of its own.
    const status = verdict === 'FAILED' ? 'registered' : model.status;
    const record = {
      ...recordHead('models.attested', context),
      by: tx.account,
      model: id,
      sha256: model.sha256,
      kind,
      verdict,
      report,
      tool: madeWith,
      supersedes,
      status,
    };
    return { records: [record], changes: new Map([modelChange({ ...model, attestations, status })]) };
  },
});

function byKindAndAccount(a: Attestation, b: Attestation): number {
  if (a.kind !== b.kind) return a.kind < b.kind ? -1 : 1;
  return a.by < b.by ? -1 : a.by > b.by ? 1 : 0;
}

const authorise = rule<ModelsAuthoriseBody>('models.authorise', {
  question: ({ model }, { state }) =>
    aboutModel(state, model, (found) => ({ passed: kindsPassed(found), warned: kindsWith(found, 'WARNED') })),
  apply({ model: id, sha256 }, context) {
    const { state, tx } = context;
    const model = living(state, id);
    if ('refused' in model) return model;
    if (model.sha256 !== sha256) return refuse('MODEL_FILE_DIFFERS');
    if (model.status === 'authorised') return refuse('NOTHING_TO_DO');
    if (model.attestations.some(({ verdict }) => verdict === 'FAILED')) return refuse('MODEL_CHECK_FAILED');
    if (!model.attestations.some(({ verdict }) => verdict === 'PASSED')) return refuse('MODEL_UNVERIFIED');
    if (model.lineage.some((parent) => readModel(state, parent.model)?.status === 'revoked'))
      return refuse('MODEL_PARENT_REVOKED');
    const record = {
      ...recordHead('models.authorised', context),
      by: tx.account,
      model: id,
      sha256,
      size: model.size,
      format: model.format,
      attestations: model.attestations.map(({ kind, verdict, by, report }) => ({ kind, verdict, by, report })),
    };
    return { records: [record], changes: new Map([modelChange({ ...model, status: 'authorised' })]) };
  },
});

const revoke = rule<ModelsRevokeBody>('models.revoke', {
  question: ({ model }, { state }) => aboutModel(state, model, () => ({})),
  apply({ model: id, reason }, context) {
    const { state, tx } = context;
    const model = living(state, id);
    if ('refused' in model) return model;
    const record = {
      ...recordHead('models.revoked', context),
      by: tx.account,
      model: id,
      sha256: model.sha256,
      reason,
    };
    return { records: [record], changes: new Map([modelChange({ ...model, status: 'revoked' })]) };
  },
});

const lineage = rule<ModelsLineageBody>('models.lineage', {
  question: ({ model, add }, { state }) => aboutModel(state, model, () => ({ parents: add.length })),
  apply({ model: id, add }, context) {
    const { state, tx } = context;
    const model = living(state, id);
    if ('refused' in model) return model;
    const parents = [...model.lineage, ...add.map((parent) => ({ model: parent.model, relation: parent.relation }))];
    const wrong = checkLineage(state, id, parents);
    if (wrong !== undefined) return refuse(wrong);
    const record = {
      ...recordHead('models.related', context),
      by: tx.account,
      model: id,
      sha256: model.sha256,
      lineage: parents.map(asJson),
    };
    return { records: [record], changes: new Map([modelChange({ ...model, lineage: parents })]) };
  },
});

export const models: Contract = { name: 'models', rules: [register, attest, authorise, revoke, lineage] };
