// The action catalogue: all that can be asked for, each with the typed document of its effect (schemas/actions/). There is no
// entry for "a command": what is not listed here cannot be proposed.
import type { ActionEffects } from '../../schemas/types/effects.ts';
import type { IntentsProposeBody } from '../../schemas/types/tx/intents.propose.ts';
import type { PolicyValue } from '../../src/policy/types.ts';
import { type Refusal, refuse } from '../contract.ts';
import { readModel } from '../models/state.ts';
import type { StateReader } from '../types.ts';
import { hostBits } from './addresses.ts';

export type ActionName = keyof ActionEffects;

export type CatalogueEntry<Effect> = {
  /** First segment of its resources, and `kind` of its `Target`. */
  readonly resourceKind: string;
  /** Doing it again changes nothing more: for its grants a nonce store of the executor is enough. */
  readonly reusable: boolean;
  /** How long after a consume the act may begin. */
  readonly actWithinMs: number;
  /** Names the host always: what rests on one host rests on no other, and whoever approves reads where it will be. */
  resourceOf(effect: Effect): string;
  /** How many things it can touch, at least 1. */
  maxTargetsOf(effect: Effect): number;
  /** `context.effect` of the policy question: what the Cedar schema declares for the action. */
  contextOf(effect: Effect, state: StateReader): { readonly [name: string]: PolicyValue };
  /** Addresses that must have their one spelling. */
  networksOf(effect: Effect): readonly string[];
};

/** How long a permitted act may wait after its consume: the rest of the grant's life is no licence to sit on a use. */
const ACT_WITHIN_MS = 10_000;
/** A model file may have to be read whole before it is put into service. */
const DEPLOY_WITHIN_MS = 60_000;
/** More targets than this are all the same to policy. */
const TARGETS_MAX = 0x7fff_ffff;

const one = (): number => 1;
const none = (): readonly string[] => [];

/** Addresses of a network, at most `TARGETS_MAX`. */
function addressesIn(cidr: string): number {
  const bits = hostBits(cidr) ?? 0;
  return bits >= 31 ? TARGETS_MAX : 1 << bits;
}

type Catalogue = { readonly [Action in ActionName]: CatalogueEntry<ActionEffects[Action]> };

const catalogue: Catalogue = {
  'route.open': {
    resourceKind: 'route',
    // An opened route that was closed must not be opened again by the same grant.
    reusable: false,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, source, destination, port, protocol }) =>
      `route/${host}/${source}/${destination}/${port}/${protocol}`,
    maxTargetsOf: ({ destination }) => addressesIn(destination),
    contextOf: ({ host, source, destination, port, protocol }) => ({
      host,
      source,
      sourceHostBits: hostBits(source) ?? 0,
      destination,
      destinationHostBits: hostBits(destination) ?? 0,
      port,
      protocol,
    }),
    networksOf: ({ source, destination }) => [source, destination],
  },
  'route.close': {
    resourceKind: 'route',
    reusable: true,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, grant }) => `route/${host}/${grant}`,
    maxTargetsOf: one,
    contextOf: ({ host, grant }) => ({ host, grant }),
    networksOf: none,
  },
  'model.deploy': {
    resourceKind: 'model',
    reusable: false,
    actWithinMs: DEPLOY_WITHIN_MS,
    resourceOf: ({ host, model }) => `model/${host}/${model}`,
    maxTargetsOf: one,
    contextOf({ host, model, sha256 }, state) {
      const registered = readModel(state, model);
      const authorised = registered?.status === 'authorised' && registered.sha256 === sha256;
      return { host, model, sha256, authorised };
    },
    networksOf: none,
  },
  'model.retire': {
    resourceKind: 'model',
    reusable: true,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, model }) => `model/${host}/${model}`,
    maxTargetsOf: one,
    contextOf: ({ host, model, sha256 }) => ({ host, model, sha256 }),
    networksOf: none,
  },
  'service.restart': {
    resourceKind: 'service',
    reusable: false,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, service }) => `service/${host}/${service}`,
    maxTargetsOf: one,
    contextOf: ({ host, service }) => ({ host, service }),
    networksOf: none,
  },
  'service.isolate': {
    resourceKind: 'service',
    reusable: false,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, service }) => `service/${host}/${service}`,
    maxTargetsOf: one,
    contextOf: ({ host, service, mode }) => ({ host, service, mode }),
    networksOf: none,
  },
  'config.restore': {
    resourceKind: 'config',
    // Somebody may have changed it on purpose since.
    reusable: false,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, config }) => `config/${host}/${config}`,
    maxTargetsOf: one,
    contextOf: ({ host, config, sha256 }) => ({ host, config, sha256 }),
    networksOf: none,
  },
  'cache.clear': {
    resourceKind: 'cache',
    reusable: true,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, cache }) => `cache/${host}/${cache}`,
    maxTargetsOf: one,
    contextOf: ({ host, cache }) => ({ host, cache }),
    networksOf: none,
  },
  'sysctl.set': {
    resourceKind: 'sysctl',
    reusable: false,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, key }) => `sysctl/${host}/${key}`,
    maxTargetsOf: one,
    contextOf: ({ host, key, value }) => ({ host, key, value }),
    networksOf: none,
  },
  'process.renice': {
    resourceKind: 'process',
    reusable: false,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, pid }) => `process/${host}/${pid}`,
    maxTargetsOf: one,
    contextOf: ({ host, pid, started, nice }) => ({ host, pid, started, nice }),
    networksOf: none,
  },
  'policy.emergency-block': {
    resourceKind: 'policy',
    reusable: false,
    actWithinMs: ACT_WITHIN_MS,
    resourceOf: ({ host, policy }) => `policy/${host}/${policy}`,
    maxTargetsOf: ({ block }) => addressesIn(block),
    contextOf: ({ host, policy, block, durationMs }) => ({
      host,
      policy,
      block,
      blockHostBits: hostBits(block) ?? 0,
      durationMs,
    }),
    networksOf: ({ block }) => [block],
  },
};

/** All actions, sorted. */
export const actionNames: readonly ActionName[] = (Object.keys(catalogue) as ActionName[]).sort();

/** What the catalogue says about one effect. */
export type Resolved = {
  readonly resourceKind: string;
  readonly reusable: boolean;
  readonly actWithinMs: number;
  readonly resource: string;
  readonly host: string;
  readonly targets: number;
  readonly context: { readonly [name: string]: PolicyValue };
};

/** An action with an effect of its form: `schemas/tx/intents.propose` holds the two together. */
export type TypedEffect = Pick<IntentsProposeBody, 'action' | 'effect'>;

/** `refused`: `NETWORK_NOT_CANONICAL`. The effect has the form of its action's schema. */
export function resolve({ action, effect }: TypedEffect, state: StateReader): Resolved | Refusal {
  // The union of entries takes the intersection of effects; which of them belongs to the action, the schema has checked.
  const entry = catalogue[action] as CatalogueEntry<TypedEffect['effect']>;
  if (entry.networksOf(effect).some((network) => hostBits(network) === undefined))
    return refuse('NETWORK_NOT_CANONICAL');
  const { resourceKind, reusable, actWithinMs } = entry;
  return {
    resourceKind,
    reusable,
    actWithinMs,
    resource: entry.resourceOf(effect),
    host: effect.host,
    targets: entry.maxTargetsOf(effect),
    context: entry.contextOf(effect, state),
  };
}
