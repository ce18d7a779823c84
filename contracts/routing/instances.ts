// Instances: accounts that receive packets, and where they are.
import type { InstanceRecord } from '../../schemas/types/instance-record.ts';
import type { RoutingInstanceBody } from '../../schemas/types/tx/routing.instance.ts';
import { instanceUid } from '../authorisation.ts';
import { asJson, recordHead, refuse, rule } from '../contract.ts';
import { readModel } from '../models/state.ts';
import { readAccount } from '../signatures.ts';
import type { Json } from '../types.ts';
import { instancePath, readInstance } from './state.ts';

export const instance = rule<RoutingInstanceBody>('routing.instance', {
  question: ({ instance: name, state: wanted, model }, { state }) =>
    readAccount(state, name) === undefined
      ? refuse('ACCOUNT_UNKNOWN')
      : { resource: instanceUid(name), context: { up: wanted === 'up', model: model ?? '' } },
  apply({ instance: name, state: wanted, endpoint, model }, context) {
    const { state, block, tx } = context;
    if (readAccount(state, name) === undefined) return refuse('ACCOUNT_UNKNOWN');
    if (wanted === 'up' ? endpoint === null : endpoint !== null || model !== null) return refuse('INSTANCE_FORM');
    if (wanted === 'down' && readInstance(state, name)?.state !== 'up') return refuse('INSTANCE_NOT_UP');
    if (model !== null) {
      if (readModel(state, model)?.status !== 'authorised') return refuse('MODEL_NOT_AUTHORISED');
    }
    const where: Json = endpoint === null ? null : { url: endpoint.url, protocol: endpoint.protocol };
    const value: InstanceRecord = { instance: name, state: wanted, endpoint, model, since: block.height };
    const record = {
      ...recordHead('routing.switched', context),
      by: tx.account,
      instance: name,
      state: wanted,
      endpoint: where,
      model,
    };
    return { records: [record], changes: new Map([[instancePath(name), asJson(value)]]) };
  },
});
