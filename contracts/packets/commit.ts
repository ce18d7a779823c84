// One routing decision and one record per group. What is wrong with a group is a denial in its record and not a refusal
// of the transaction: the log then says who tried to send what to whom.
import type { PacketGroup, PacketsCommitBody } from '../../schemas/types/tx/packets.commit.ts';
import { fromBase64Url } from '../../src/codec/base64.ts';
import { codeOf } from '../../src/codec/error.ts';
import { accountUid, instanceUid } from '../authorisation.ts';
import { type RuleContext, recordHead, refuse, rule } from '../contract.ts';
import { readModel } from '../models/state.ts';
import { routeOf } from '../routing/route.ts';
import { currentTable, readInstance, type TableVersion } from '../routing/state.ts';
import { readAccount } from '../signatures.ts';
import type { Json, LedgerRecord } from '../types.ts';

const PACKET_ID_BYTES = 32;
/** Ids of one transaction, all groups together. */
const PACKETS_MAX = 256;
/** A right to carry packets that never ended would outlive the decision behind it. */
const PACKET_LIFETIME_MAX_MS = 24 * 3_600_000;

type Verdict = {
  /** Why not; undefined: allowed. */
  readonly why: string | undefined;
  readonly route: Json;
};

export const commit = rule<PacketsCommitBody>('packets.commit', {
  apply({ groups }, context) {
    const counts = groups.map(({ ids }) => countIds(ids));
    if (counts.includes(undefined)) return refuse('PACKET_IDS_INVALID');
    const total = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
    if (total > PACKETS_MAX) return refuse('PACKETS_TOO_MANY');
    const table = currentTable(context.state);
    const records = groups.map((group, at) =>
      groupRecord(group, decideGroup(group, counts[at] ?? 0, table, context), context),
    );
    return { records, changes: new Map() };
  },
});

/** Number of ids, or undefined when the text is not the one base64url spelling of k × 32 bytes. */
function countIds(ids: string): number | undefined {
  try {
    const { length } = fromBase64Url(ids);
    // 32 = 2^5: whole numbers only, no division.
    return length % PACKET_ID_BYTES === 0 ? length >>> 5 : undefined;
  } catch (error) {
    if (codeOf(error) === 'BASE64_INVALID') return undefined;
    throw error;
  }
}

function decideGroup(
  group: PacketGroup,
  packets: number,
  table: TableVersion | undefined,
  context: RuleContext,
): Verdict {
  const { state, block } = context;
  const { source, target, expires } = group;
  const deny = (why: string, route: Json = null): Verdict => ({ why, route });
  if (expires <= block.time) return deny('EXPIRED');
  if (expires - block.time > PACKET_LIFETIME_MAX_MS) return deny('EXPIRES_TOO_LATE');
  const sender = readAccount(state, source);
  if (sender === undefined) return deny('SOURCE_UNKNOWN');
  if (sender.status !== 'active') return deny('SOURCE_SUSPENDED');
  if (table === undefined) return deny('NO_ROUTE');
  const { rule: ruleId, outcome, destination } = routeOf(state, table.table, source, target);
  if (ruleId === undefined) return deny('NO_ROUTE');
  const route: Json = { table: table.version, rule: ruleId, ...(destination === target ? {} : { to: destination }) };
  if (outcome === 'deny') return deny('ROUTE_DENIED', route);
  const instance = readInstance(state, destination);
  if (instance === undefined) return deny('TARGET_UNKNOWN', route);
  if (instance.state !== 'up') return deny('TARGET_DOWN', route);
  if (readAccount(state, destination)?.status !== 'active') return deny('TARGET_SUSPENDED', route);
  // A model that was revoked, or failed a check, while its instance ran gets no more packets.
  if (instance.model !== null && readModel(state, instance.model)?.status !== 'authorised') {
    return deny('TARGET_MODEL', route);
  }
  const answer = context.ask({
    resource: instanceUid(destination),
    context: { source: { __entity: accountUid(source) }, packets },
  });
  return answer.decision === 'allow' ? { why: undefined, route } : deny('POLICY_DENIED', route);
}

function groupRecord(
  { source, target, expires, ids }: PacketGroup,
  { why, route }: Verdict,
  context: RuleContext,
): LedgerRecord {
  return {
    ...recordHead('packets.committed', context),
    source,
    target,
    decision: why === undefined ? 'allow' : 'deny',
    ...(why === undefined ? {} : { why }),
    route,
    expires,
    ids,
  };
}
