import { overlap, parsePrefix } from '../bpf/address.ts';
import type { RouteTable } from './routes.ts';

/**
 * A table that takes only routes whose source may be one of these (CIDR). A gate for what goes out knows no source: without this, a route
 * that lets somebody else reach a service through this host lets the processes of this host reach it, too.
 * @throws WeftError BPF_ADDRESS
 */
export function fromSources(table: RouteTable, sources: readonly string[]): RouteTable {
  const ours = sources.map(parsePrefix);
  const isOurs = ({ source }: { readonly source: string }): boolean => {
    const from = parsePrefix(source);
    return ours.some((each) => overlap(each, from));
  };
  return {
    ids: () => table.ids(),
    put: (grant) => void (isOurs(grant) ? table.put(grant) : table.remove(grant.id)),
    remove: (id) => table.remove(id),
    reconcile: (grants) => table.reconcile(grants.filter(isOurs)),
    sweep: (nowNs) => table.sweep(nowNs),
  };
}
