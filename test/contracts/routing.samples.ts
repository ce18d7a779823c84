import type { RoutingRule, RoutingTable } from '../../schemas/types/routing-table.ts';
import { Network } from './network.ts';

export const rule = (
  id: string,
  source: string,
  target: string,
  outcome: 'allow' | 'deny' = 'allow',
  to?: string,
): RoutingRule => (to === undefined ? { id, source, target, outcome } : { id, source, target, outcome, to });

export const table = (rules: RoutingRule[], aliases: { name: string; to: string }[] = []): RoutingTable => ({
  format: 'weft/routing-table/v1',
  aliases,
  rules,
});

export const endpoint = { url: 'https://example.net/nld', protocol: 'nld/http' };

export function withInstances(...names: string[]): Network {
  const network = new Network();
  for (const instance of names)
    network.send(instance, 'routing.instance', { instance, state: 'up', endpoint, model: null });
  return network;
}
