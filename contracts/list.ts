import { alerts } from './alerts/alerts.ts';
import type { Contract } from './contract.ts';
import { governance } from './governance/governance.ts';
import { identity } from './identity/identity.ts';
import { intents } from './intents/intents.ts';
import { models } from './models/models.ts';
import { packets } from './packets/packets.ts';
import { routing } from './routing/routing.ts';

/** All contracts of ruleset 1, in the order of their work at the end of a block: what governance changes holds from the next block on. */
export const contracts: readonly Contract[] = [identity, packets, routing, models, intents, alerts, governance];
