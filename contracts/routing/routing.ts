// The routing table: versions that only grow, each put in force whole. See README.md.
import type { RoutingTable } from '../../schemas/types/routing-table.ts';
import type { RoutingPublishBody } from '../../schemas/types/tx/routing.publish.ts';
import type { RoutingRollbackBody } from '../../schemas/types/tx/routing.rollback.ts';
import { tableUid } from '../authorisation.ts';
import { asJson, type Contract, recordHead, refuse, rule } from '../contract.ts';
import type { BlockContext, Json } from '../types.ts';
import { instance } from './instances.ts';
import { CURRENT_TABLE, currentTable, type TableVersion, tablePath } from './state.ts';
import { checkTable, tableDigest } from './table.ts';

function putInForce(version: number, digest: string, table: RoutingTable, block: BlockContext): Map<string, Json> {
  const value = asJson({ version, digest, height: block.height, table: asJson(table) });
  return new Map([
    [CURRENT_TABLE, value],
    [tablePath(version), value],
  ]);
}

const publish = rule<RoutingPublishBody>('routing.publish', {
  question: ({ replaces, table }) => ({ resource: tableUid, context: { replaces, rules: table.rules.length } }),
  apply({ replaces, table }, context) {
    const { state, block, tx } = context;
    const present = currentTable(state)?.version ?? 0;
    if (replaces !== present) return refuse('TABLE_VERSION');
    const wrong = checkTable(state, table);
    if (wrong !== undefined) return refuse(wrong);
    const digest = tableDigest(table);
    const version = present + 1;
    const record = {
      ...recordHead('routing.published', context),
      by: tx.account,
      version,
      replaces,
      digest,
      rules: table.rules.length,
    };
    return { records: [record], changes: putInForce(version, digest, table, block) };
  },
});

const rollback = rule<RoutingRollbackBody>('routing.rollback', {
  question: ({ replaces, to }) => ({ resource: tableUid, context: { replaces, to } }),
  apply({ replaces, to }, context) {
    const { state, block, tx } = context;
    const present = currentTable(state);
    if (present === undefined || replaces !== present.version) return refuse('TABLE_VERSION');
    const earlier = state.get(tablePath(to)) as TableVersion | undefined;
    if (earlier === undefined || to >= present.version) return refuse('TABLE_UNKNOWN');
    // The accounts, roles and names of today decide, not those of then.
    const wrong = checkTable(state, earlier.table);
    if (wrong !== undefined) return refuse(wrong);
    const version = present.version + 1;
    const record = {
      ...recordHead('routing.restored', context),
      by: tx.account,
      version,
      replaces,
      restores: to,
      digest: earlier.digest,
    };
    return { records: [record], changes: putInForce(version, earlier.digest, earlier.table, block) };
  },
});

export const routing: Contract = { name: 'routing', rules: [instance, publish, rollback] };
