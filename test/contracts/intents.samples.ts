// A network with those who take part in intents, and a policy that a test can turn.
import type { Applied, Json, JsonObject } from '../../contracts/types.ts';
import { schemaDocuments } from '../../schemas/types/catalogue.ts';
import type { IntentRecord } from '../../schemas/types/intent-record.ts';
import type { IntentsProposeBody } from '../../schemas/types/tx/intents.propose.ts';
import type { Decision } from '../../src/policy/types.ts';
import { genesisDocument, Network, type openPolicy } from './network.ts';

const participants: Readonly<Record<string, readonly string[]>> = {
  'actuator-web-1': ['executor'],
  'actuator-web-2': ['executor'],
  healer: ['operator'],
  sentinel: ['sentinel'],
  steward: ['approver'],
  warden: ['approver'],
};

export const sha = 'ab'.repeat(32);
/** 16 bytes, told apart by a number. */
export const attempt = (n: number): string =>
  Buffer.from(n.toString(16).padStart(32, '0'), 'hex').toString('base64url');

export const restart: IntentsProposeBody = {
  action: 'service.restart',
  resource: 'service/web-3/nginx',
  effect: { host: 'web-3', service: 'nginx' },
  ttlMs: 60_000,
  audience: 'actuator-web-1',
  maxUses: 1,
  dryRun: false,
};

/** Permits everything; what has annotations here permits it on these terms. */
/** One of each action, as its schema has it for an example. */
export const intentSamples = Object.fromEntries(
  (schemaDocuments.get('tx/intents.propose') as { examples: IntentsProposeBody[] }).examples.map((body) => [
    body.action,
    { ...body, audience: 'misty.weave' },
  ]),
) as { readonly [Action in IntentsProposeBody['action']]: IntentsProposeBody };

export type Terms = { annotations: Record<string, string>; reasons?: readonly string[]; decision?: 'allow' | 'deny' };

export class Intents extends Network {
  /** What policy says about proposals. */
  terms: Terms = { annotations: {} };

  constructor(policy?: typeof openPolicy) {
    super(genesisDocument({ accounts: participants, ...(policy === undefined ? {} : { policy }) }) as unknown as Json);
    this.decide = ({ action }): Decision => {
      if (action.startsWith('intents.') || action.startsWith('alerts.')) return allow;
      const { annotations, reasons = ['p'], decision = 'allow' } = this.terms;
      const [first = 'p'] = reasons;
      return { decision, reasons, errors: false, annotations: { [first]: annotations } };
    };
  }

  propose(changed: object = {}, by = 'healer'): Applied {
    return this.send(by, 'intents.propose', { ...restart, ...changed });
  }

  /** Proposes what is granted or waits, and gives its id. */
  intent(changed: object = {}, by = 'healer'): string {
    const { records, refused } = this.propose(changed, by);
    if (refused !== undefined) throw new Error(refused);
    return idOf(records[0] ?? {});
  }

  approve(intent: string, by = 'warden'): Applied {
    return this.send(by, 'intents.approve', { intent });
  }

  consume(grant: string, n = 1, by = 'actuator-web-1'): Applied {
    return this.send(by, 'intents.consume', { grant, attempt: attempt(n) });
  }

  report(grant: string, n = 1, by = 'actuator-web-1'): Applied {
    return this.send(by, 'intents.report', { grant, attempt: attempt(n), outcome: 'done', result: sha });
  }

  cancel(intent: string, by = 'healer'): Applied {
    return this.send(by, 'intents.cancel', { intent });
  }

  read(intent: string): IntentRecord {
    return this.state.get(`intents/grant/${intent}`) as unknown as IntentRecord;
  }

  pause(paused: boolean): void {
    this.state.set('governance/pause/current', { paused, height: this.block.height });
  }

  /** Paths of this contract and of alerts. */
  paths(): string[] {
    return [...this.state.keys()].filter((path) => path.startsWith('intents/') || path.startsWith('alerts/'));
  }
}

const allow: Decision = { decision: 'allow', reasons: ['q'], errors: false, annotations: {} };

/** The intent that a record is about. */
export function idOf(record: JsonObject): string {
  const { intent, predicate } = record as { intent?: string; predicate?: { intent: string } };
  return intent ?? predicate?.intent ?? '';
}
