// What is asked for, in the words of a person. The exact document stands below it on the page: words explain, they do not bind.
import type { Json } from '../src/codec/json.ts';

type Effect = { readonly [name: string]: Json };

const sentences: Readonly<Record<string, (effect: Effect) => string>> = {
  'cache.clear': (e) => `Empty the cache ${e['cache']} on ${e['host']}`,
  'config.restore': (e) => `Put the configuration ${e['config']} on ${e['host']} back to a known content`,
  'model.deploy': (e) => `Put the model ${e['model']} into service on ${e['host']}`,
  'model.retire': (e) => `Take the model ${e['model']} out of service on ${e['host']}`,
  'policy.emergency-block': (e) =>
    `Drop all packets of ${e['block']} at ${e['host']} for ${Number(e['durationMs']) / 1000} s`,
  'process.renice': (e) => `Give process ${e['pid']} on ${e['host']} the priority ${e['nice']}`,
  'route.close': (e) => `Close at ${e['host']} what an earlier grant opened`,
  'route.open': (e) =>
    `Let ${e['protocol'] === 'any' ? 'all' : e['protocol']} packets pass at ${e['host']}: from ${e['source']} to ${e['destination']}, port ${e['port']}`,
  'service.isolate': (e) => `Cut the service ${e['service']} on ${e['host']} off (${e['mode']})`,
  'service.restart': (e) => `Restart the service ${e['service']} on ${e['host']}`,
  'sysctl.set': (e) => `Set the kernel parameter ${e['key']} on ${e['host']} to ${e['value']}`,
};

export function effectWords(action: string, resource: string, effect: Effect): string {
  return sentences[action]?.(effect) ?? `${action} on ${resource}`;
}

type Change = { readonly kind: string; readonly [name: string]: Json };

/** Of a proposal to the council. */
export function changeWords(change: Change): string {
  const names = (list: Json | undefined): string =>
    ((list ?? []) as readonly (string | { readonly name: string })[])
      .map((each) => (typeof each === 'string' ? each : each.name))
      .join(', ');
  switch (change.kind) {
    case 'validators':
    case 'observers': {
      const set = names(change['set']);
      const remove = names(change['remove']);
      const parts = [set && `add or change ${set}`, remove && `remove ${remove}`].filter((part) => part !== '');
      return `Change the ${change.kind}: ${parts.join('; ')}`;
    }
    case 'parameters':
      return 'Change the consensus parameters';
    case 'ruleset':
      return `Go over to ruleset ${change['ruleset']}`;
    case 'council':
      return `Change the council: ${change['threshold']} of ${names(change['members'])}`;
    case 'policy':
      return `Change the policy set (${(change['policies'] as readonly Json[]).length} policies)`;
    case 'pause':
      return change['paused'] === true ? 'Pause all grants (kill switch)' : 'Resume grants after a pause';
    default:
      return `Change of kind ${change.kind}`;
  }
}
