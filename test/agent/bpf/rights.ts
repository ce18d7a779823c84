import { type Ability, detectAbilities } from '../../../src/agent/bpf/probes.ts';

const abilities = await detectAbilities();

/** Why a part cannot be tried on this machine, as tap's `skip`; false where it can. */
export function skipUnless(...names: readonly Ability['name'][]): string | false {
  const missing = abilities.filter(({ name, works }) => names.includes(name) && !works);
  return missing.length === 0 ? false : missing.map(({ name, why }) => `${name}: ${why}`).join('; ');
}
