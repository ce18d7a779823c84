// Random lives of intents. A small model says what must never happen, whatever is sent in whatever order.
import fc from 'fast-check';
import t from 'tap';
import type { Applied } from '../../contracts/types.ts';
import type { IntentRecord } from '../../schemas/types/intent-record.ts';
import { attempt, Intents, idOf, restart } from './intents.samples.ts';

const people = ['healer', 'warden', 'steward', 'actuator-web-1', 'actuator-web-2', 'admin'];
const annotations: readonly Record<string, string>[] = [
  {},
  { approvals: '1' },
  { approvals: '2', ttl: '20s' },
  { cooldown: '30s', max_uses: '2' },
  { max_targets: '2' },
  { dry_run: 'true' },
  { ttl: 'never' },
];

type Step =
  | {
      readonly do: 'propose';
      readonly terms: number;
      readonly ttlMs: number;
      readonly maxUses: number;
      readonly dryRun: boolean;
      readonly host: number;
    }
  | { readonly do: 'approve' | 'cancel'; readonly which: number; readonly by: number }
  | { readonly do: 'consume' | 'report'; readonly which: number; readonly by: number; readonly attempt: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'pause'; readonly paused: boolean }
  | { readonly do: 'suspend' | 'resume'; readonly who: number }
  | { readonly do: 'deny'; readonly deny: boolean }
  | { readonly do: 'supersede' };

const which = fc.nat({ max: 7 });
const by = fc.nat({ max: people.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('propose' as const),
      terms: fc.nat({ max: annotations.length - 1 }),
      ttlMs: fc.constantFrom(1000, 10_000, 60_000, 1_000_000),
      maxUses: fc.integer({ min: 1, max: 4 }),
      dryRun: fc.boolean(),
      host: fc.nat({ max: 2 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('approve' as const), which, by }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which, by }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('consume' as const, 'report' as const),
      which,
      by: fc.constantFrom(3, 3, 3, 4),
      attempt: fc.nat({ max: 5 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 999, 5000, 30_000, 900_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), paused: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('suspend' as const, 'resume' as const), who: fc.constantFrom(0, 1, 3) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deny' as const), deny: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ do: 'supersede' as const }) },
);

/** What the log says of one grant. */
type Granted = {
  readonly audience: string;
  readonly maxUses: number;
  readonly expires: { readonly height: number; readonly time: number };
  readonly version: number;
  readonly consumed: string[];
  cancelled: boolean;
};

class World {
  readonly network = new Intents();
  readonly ids: string[] = [];
  readonly granted = new Map<string, Granted>();
  readonly alerts = new Set<string>();
  paused = false;
  minValid = 1;
  readonly suspended = new Set<string>();
  granting = 0;

  play(each: Step): void {
    const { network } = this;
    const id = 'which' in each ? this.ids[each.which % Math.max(1, this.ids.length)] : undefined;
    if ('which' in each && id === undefined) return;
    switch (each.do) {
      case 'propose': {
        const { terms, ttlMs, maxUses, dryRun, host } = each;
        network.terms = { ...network.terms, annotations: annotations[terms] ?? {} };
        const effect = { host: `web-${host}`, service: 'nginx' };
        const resource = `service/web-${host}/nginx`;
        const applied = network.propose({ ...restart, effect, resource, ttlMs, maxUses, dryRun });
        if (applied.refused === undefined) this.ids.push(idOf(applied.records[0] ?? {}));
        this.look(applied);
        return;
      }
      case 'approve':
      case 'cancel': {
        const account = people[each.by] ?? '';
        const applied = each.do === 'approve' ? network.approve(id ?? '', account) : network.cancel(id ?? '', account);
        const grant = this.granted.get(id ?? '');
        if (each.do === 'cancel' && applied.refused === undefined && grant !== undefined) grant.cancelled = true;
        this.look(applied);
        return;
      }
      case 'consume': {
        const account = people[each.by] ?? '';
        this.consumed(id ?? '', account, each.attempt, network.consume(id ?? '', each.attempt, account));
        return;
      }
      case 'report':
        this.look(network.report(id ?? '', each.attempt, people[each.by] ?? ''));
        return;
      case 'wait':
        this.ended(network.next(each.ms));
        return;
      case 'pause':
        this.paused = each.paused;
        network.pause(each.paused);
        return;
      case 'suspend':
      case 'resume': {
        const account = people[each.who] ?? '';
        const applied = network.send('admin', `identity.${each.do}`, { account, reason: '' });
        if (applied.refused !== undefined) return;
        if (each.do === 'suspend') this.suspended.add(account);
        else this.suspended.delete(account);
        return;
      }
      case 'deny':
        network.terms = { ...network.terms, decision: each.deny ? 'deny' : 'allow' };
        return;
      case 'supersede': {
        const policy = network.state.get('governance/policy/current') as { version: number };
        this.minValid = policy.version + 1;
        network.state.set('governance/policy/current', {
          ...policy,
          version: this.minValid,
          minValid: this.minValid,
        } as never);
      }
    }
  }

  consumed(id: string, account: string, n: number, applied: Applied): void {
    if (applied.refused !== undefined) return;
    const grant = this.granted.get(id);
    if (grant === undefined) throw new Error('consumed what was never granted');
    const { height, time } = this.network.block;
    if (time >= grant.expires.time || height >= grant.expires.height) throw new Error('consumed after it had expired');
    if (grant.cancelled) throw new Error('consumed what was cancelled');
    if (this.paused) throw new Error('consumed while paused');
    if (this.suspended.has('healer') || this.suspended.has(account))
      throw new Error('consumed with somebody suspended');
    if (account !== grant.audience) throw new Error('consumed by somebody else');
    if (grant.version < this.minValid) throw new Error('consumed under a policy that counts no more');
    if (grant.consumed.includes(attempt(n))) throw new Error('one attempt twice');
    grant.consumed.push(attempt(n));
    if (grant.consumed.length > grant.maxUses) throw new Error('used too often');
  }

  /** Grants that a transaction made. */
  look({ records }: Applied): void {
    for (const record of records) {
      const { predicate } = record as { predicate?: Granted & { intent: string; policy: { version: number } } };
      if (predicate === undefined) continue;
      if (this.paused) throw new Error('granted while paused');
      if (this.granted.has(predicate.intent)) throw new Error('granted twice');
      const { audience, maxUses, expires, policy } = predicate;
      this.granted.set(predicate.intent, {
        audience,
        maxUses,
        expires,
        version: policy.version,
        consumed: [],
        cancelled: false,
      });
    }
  }

  ended({ records }: Applied): void {
    for (const record of records) {
      if (record['type'] !== 'alerts.raised') continue;
      const id = String(record['alert']);
      if (this.alerts.has(id)) throw new Error('the same alert twice');
      this.alerts.add(id);
      if ((this.granted.get(id)?.consumed.length ?? 0) < Number(record['count']))
        throw new Error('an alert about nothing');
    }
  }

  /** What must hold of state at any time. */
  check(): void {
    const { state } = this.network;
    const intents = [...state]
      .filter(([path]) => path.startsWith('intents/grant/'))
      .map(([, value]) => value as unknown as IntentRecord);
    for (const { intent, uses, maxUses, attempts, status } of intents) {
      if (uses > maxUses || uses !== attempts.length) throw new Error('uses do not add up');
      if (uses !== (this.granted.get(intent)?.consumed.length ?? 0)) throw new Error('state and log count differently');
      if ((status === 'pending') !== state.has(`intents/waiting/${intent}`))
        throw new Error('what waits has no effect, or the other way round');
    }
    if ((state.get('intents/kept/healer') ?? 0) !== intents.length) throw new Error('miscounted what is kept');
    const live = state.get('intents/live/service.restart') ?? 0;
    const inForce = intents.filter(
      ({ status, dryRun, uses }) => !dryRun && (status === 'granted' || (status === 'cancelled' && uses > 0)),
    );
    // What has been cancelled stays in state longer than it counts.
    if (Number(live) > inForce.length) throw new Error(`${live} targets of ${inForce.length} grants`);
    if (Number(live) < inForce.filter(({ status }) => status === 'granted').length)
      throw new Error('a target is missing');
    const due = Number(state.get('intents/due/size') ?? 0);
    const targets = [...state.keys()].filter((path) => path.startsWith('intents/target/')).length;
    const resting = sum(state, 'intents/resting/');
    if (resting !== targets) throw new Error(`${resting} targets rest for somebody, ${targets} rest`);
    const ofEach = sum(state, 'intents/live-of/');
    if (ofEach !== sum(state, 'intents/live/')) throw new Error(`${ofEach} targets of requesters`);
    if (due > 2 * intents.length + targets) throw new Error(`${due} things due for ${intents.length} intents`);
  }
}

function sum(state: ReadonlyMap<string, unknown>, prefix: string): number {
  return [...state].reduce((all, [path, value]) => (path.startsWith(prefix) ? all + Number(value) : all), 0);
}

t.test('whatever happens in whatever order', async (t) => {
  const seen = { granted: 0, consumed: 0, alerts: 0 };
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), (steps) => {
      const world = new World();
      for (const each of steps) {
        world.play(each);
        world.check();
      }
      seen.granted += world.granted.size;
      seen.consumed += [...world.granted.values()].reduce((sum, { consumed }) => sum + consumed.length, 0);
      // Time heals: whatever was begun, nothing of it stays but alerts.
      for (let i = 0; i < 8; i += 1) world.ended(world.network.next(900_000));
      seen.alerts += world.alerts.size;
      const left = world.network.paths().filter((path) => path.startsWith('intents/'));
      if (left.length > 0) throw new Error(`left: ${left.join(' ')}`);
    }),
    { numRuns: 50 },
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.granted > 20 && seen.consumed > 4 && seen.alerts > 1, 'these lives were lively');
});
