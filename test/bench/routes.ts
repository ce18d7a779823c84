import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';

/** What every load is made of: commits of packets between agents that may all talk with each other. */

/** Accounts of a test network. */
const agents = ['misty.weave', 'oracle.weave', 'echo.weave', 'rogue.weave'];

const packetIdBytes = 32;

/** Instances up and a table that routes between all agents: every commit is a route, a policy decision and a record. `operator` signs them. */
export function routesBetween(): readonly { readonly type: string; readonly body: JsonObject }[] {
  const endpoint = { url: 'https://agent.example.net/nld', protocol: 'nld/http' };
  const rules = [{ id: 'all', source: 'role:agent', target: 'role:agent', outcome: 'allow' }];
  const table = { format: 'weft/routing-table/v1', aliases: [], rules };
  return [
    ...agents.map((instance) => ({
      type: 'routing.instance',
      body: { instance, state: 'up', endpoint, model: null },
    })),
    { type: 'routing.publish', body: { replaces: 0, table } },
  ];
}

/** `ids` packets of an agent for the next one, in turn. */
export function packetGroup(turn: number, ids: number, expires: number): JsonObject {
  return {
    source: agents[turn % agents.length] ?? '',
    target: agents[(turn + 1) % agents.length] ?? '',
    expires,
    ids: toBase64Url(randomBytes(packetIdBytes * ids)),
  };
}
