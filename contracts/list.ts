import type { Contract } from './contract.ts';
import { governance } from './governance/governance.ts';
import { identity } from './identity/identity.ts';
import { models } from './models/models.ts';
import { packets } from './packets/packets.ts';
import { routing } from './routing/routing.ts';

/** All contracts of ruleset 1. */
export const contracts: readonly Contract[] = [governance, identity, packets, routing, models];
