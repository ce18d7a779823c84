// The cache of decisions never changes an answer: 100,000 drawn requests, under three sets that take turns, answered with it and
// without it. What a contract asks comes from ledger state, so what is drawn is that state: roles, suspensions, who is up.
import t from 'tap';
import { policyQuestions } from '../../contracts/policyQuestions.ts';
import type { Json, StateReader } from '../../contracts/types.ts';
import { policyDecider, policyEngineOf } from '../../src/ledger/policyEngines.ts';
import { digestPolicySet } from '../../src/policy/document.ts';
import { createPolicyEngine } from '../../src/policy/engine.ts';
import type { Decision, PolicyEngine, PolicyRequest, PolicySetDocument, PolicyValue } from '../../src/policy/types.ts';

t.setTimeout(300_000);

const requestsInAll = 100_000;

/** Small, because each request is put to Cedar at least once. */
const schema = `
entity Role;
entity Account in [Role] = { suspended: Bool };
entity Instance = { account: Account, up: Bool };
entity Service;
action "governance.approve" appliesTo { principal: [Account], resource: [Service], context: { kind: String, own: Bool, time?: Long } };
action "identity.roles" appliesTo { principal: [Account], resource: [Account], context: { granted: Set<String>, withdrawn: Set<String>, time?: Long } };
action "identity.rotate" appliesTo { principal: [Account], resource: [Account], context: { adds: Long, removes: Long, time?: Long } };
action "packets.commit" appliesTo { principal: [Account], resource: [Instance], context: { source: Account, packets: Long, time?: Long } };
`;
const common = [
  'permit (principal in Role::"council", action == Action::"governance.approve", resource) when { !context.own };',
  '@ttl("60s") permit (principal in Role::"administrator", action == Action::"identity.roles", resource) when { ["agent", ""].containsAll(context.granted) };',
  'permit (principal, action == Action::"identity.rotate", resource) when { principal == resource };',
  'permit (principal in Role::"agent", action == Action::"packets.commit", resource) when { context.source == principal };',
  'forbid (principal, action == Action::"packets.commit", resource) unless { resource.up };',
  'forbid (principal, action, resource) when { principal.suspended };',
  // Errs where it adds too much.
  'forbid (principal, action == Action::"identity.rotate", resource) when { context.adds + 9223372036854775806 < 0 };',
];
const setOf = (...more: readonly string[]): PolicySetDocument => ({
  schema,
  policies: [...common, ...more].map((text, i) => ({ id: `p${i}`, text })),
});

/** The second looks at the block's time, the third at what no other does: each answers some of the requests in its own way. */
const sets: readonly PolicySetDocument[] = [
  setOf(),
  setOf('forbid (principal, action, resource) when { context has time && context.time > 1800000000001 };'),
  setOf('@ttl("9s") permit (principal in Role::"agent", action, resource) unless { principal.suspended };'),
];
const asked = policyQuestions.filter(({ request }) => schema.includes(`"${request.action}"`));

/** Numbers that are the same in each run (mulberry32). */
function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

const roles = ['administrator', 'agent', 'council', 'router'];
/** Also such as a careless key would take for others. */
const names = ['ada', 'bob', 'a","b', 'a', 'b', 'ä', 'ada '];
const words = ['', 'agent', 'policy', 'validators'];

function drawRequest(draw: (below: number) => number): PolicyRequest {
  const { request } = asked[draw(asked.length)]!;
  const name = names[draw(names.length)]!;
  const renamed = (id: string): string => (id === 'member' ? name : id);
  const uid = ({ type, id }: { type: string; id: string }) => ({ type, id: renamed(id) });
  const value = (each: PolicyValue): PolicyValue => {
    if (typeof each === 'boolean') return draw(2) === 0;
    if (typeof each === 'number') return draw(3);
    if (typeof each === 'string') return draw(2) === 0 ? each : words[draw(words.length)]!;
    if (Array.isArray(each)) return words.filter(() => draw(6) === 0);
    if ('__entity' in each) return { __entity: uid(each['__entity'] as never) };
    return each;
  };
  const context = Object.entries(request.context).map(([key, each]) => [key, value(each)] as const);
  const given = draw(20) === 0 ? context.slice(1) : context;
  const held = roles.filter(() => draw(3) === 0);
  const entities = request.entities
    .filter(({ uid: { type } }) => type !== 'Role')
    .map(({ uid: own, attrs, parents }) => ({
      uid: uid(own),
      attrs: Object.fromEntries(Object.entries(attrs).map(([key, each]) => [key, value(each)])),
      parents: own.type === 'Account' ? held.map((id) => ({ type: 'Role', id })) : parents,
    }));
  return {
    principal: uid(request.principal),
    action: request.action,
    resource: uid(request.resource),
    context: { ...Object.fromEntries(given), time: 1_800_000_000_000 + draw(3) },
    entities: [...entities, ...held.map((id) => ({ uid: { type: 'Role', id }, attrs: {}, parents: [] }))],
  };
}

t.test(
  `cached and uncached answers to ${requestsInAll} requests do not differ, whichever set is in force`,
  async (t) => {
    const draw = draws(2026);
    const values = new Map<string, Json>();
    const uncached: PolicyEngine[] = [];
    const digests = sets.map((set) => digestPolicySet(set));
    for (const [i, set] of sets.entries()) {
      values.set(`governance/policy-set/${digests[i]}`, set as unknown as Json);
      uncached.push(createPolicyEngine(set, { cacheEntriesMax: 0 }));
    }
    const state: StateReader = { get: (path) => values.get(path) };
    const decide = policyDecider(state);
    const outcomes = new Map<string, number>();
    let inForce = 0;
    let different = 0;
    // What is asked again is what a cache is for.
    const recent: PolicyRequest[] = [];
    for (let n = 0; n < requestsInAll; n += 1) {
      if (n % 97 === 0) {
        inForce = draw(sets.length);
        values.set('governance/policy/current', {
          version: n + 1,
          digest: digests[inForce] ?? '',
          minValid: 1,
          height: n,
        });
      }
      const again = recent[draw(1024)];
      const request = again !== undefined && draw(5) > 0 ? again : drawRequest(draw);
      recent[n % 1024] = request;
      const [fast, slow] = [decide(request), uncached[inForce]!.decide(request)];
      if (text(fast) !== text(slow)) {
        different += 1;
        if (different < 5) t.fail(`${text(fast)} instead of ${text(slow)} to ${JSON.stringify(request)}`);
      }
      const outcome = `${inForce} ${slow.decision}${slow.errors ? ' errors' : ''}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    t.equal(different, 0);
    t.equal(outcomes.size, 9, `each set allowed, denied and erred: ${JSON.stringify([...outcomes])}`);
    let hits = 0;
    for (const digest of digests) {
      values.set('governance/policy/current', { version: 1, digest, minValid: 1, height: 0 });
      const { cacheHits, decisions } = (policyEngineOf(state) as ReturnType<typeof createPolicyEngine>).counts();
      t.ok(cacheHits > 1000 && decisions > 1000, `${cacheHits} from the cache, ${decisions} not`);
      hits += cacheHits;
    }
    t.comment(`${hits} of ${requestsInAll} came from the cache`);
  },
);

function text({ decision, reasons, errors, annotations }: Decision): string {
  return JSON.stringify([decision, reasons, errors, annotations]);
}
