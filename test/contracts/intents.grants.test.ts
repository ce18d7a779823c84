// What stands against a grant, and against its use: each code alone, with everything else as it should be.
import t from 'tap';
import type { SignatureEntry, Transaction } from '../../contracts/types.ts';
import { validate } from '../../schemas/validators.ts';
import { Intents, idOf, restart } from './intents.samples.ts';

t.test('a use needs a grant in force, now', async (t) => {
  const after = (change: (network: Intents, id: string) => void): string | undefined => {
    const network = new Intents();
    const id = network.intent({ maxUses: 2 });
    change(network, id);
    return network.consume(id).refused;
  };
  t.equal(
    after(() => undefined),
    undefined,
  );
  t.equal(
    after((network, id) => network.cancel(id)),
    'GRANT_CANCELLED',
  );
  t.equal(
    after((network) => network.next(59_999)),
    undefined,
    'the last millisecond counts',
  );
  t.equal(
    after((network) => network.next(60_000)),
    'GRANT_EXPIRED',
    'though nobody has looked yet',
  );
  t.equal(
    after((network) => {
      network.next(60_000);
      network.next();
    }),
    'GRANT_EXPIRED',
  );
  const tall = (blocks: number) => (network: Intents) => {
    network.block = { ...network.block, height: network.block.height + blocks };
  };
  t.equal(after(tall(7515)), undefined);
  t.equal(after(tall(7516)), 'GRANT_EXPIRED', 'by height alone');
  t.equal(
    after((network) => network.pause(true)),
    'INTENTS_PAUSED',
  );
  t.equal(
    after((network) => network.send('admin', 'identity.suspend', { account: 'healer', reason: '' })),
    'REQUESTER_INACTIVE',
  );
  t.equal(
    after((network) => network.send('admin', 'identity.suspend', { account: 'actuator-web-1', reason: '' })),
    'ACCOUNT_INACTIVE',
  );
  const superseded = (minValid: number) => (network: Intents) => {
    const policy = network.state.get('governance/policy/current') as object;
    network.state.set('governance/policy/current', { ...policy, version: 2, minValid });
  };
  t.equal(after(superseded(1)), undefined, 'a new set may let older grants be');
  t.equal(after(superseded(2)), 'POLICY_SUPERSEDED');
});

t.test('a resource rests: after a grant for grants, after an act for acts', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { cooldown: '100s' } };
  const first = network.intent({ ttlMs: 600_000, maxUses: 3 });
  t.equal(network.propose().refused, 'TARGET_COOLDOWN');
  t.equal(network.propose({ dryRun: true }).refused, undefined, 'a dry run touches nothing');
  t.equal(
    network.propose({ effect: { host: 'web-4', service: 'nginx' }, resource: 'service/web-4/nginx' }).refused,
    undefined,
  );
  const isolate = { action: 'service.isolate', effect: { ...restart.effect, mode: 'network' } };
  t.equal(network.propose(isolate).refused, undefined, 'another action of the same resource is another matter');
  network.next(100_000);
  const second = network.intent({ ttlMs: 600_000 });
  t.equal(network.consume(first).refused, undefined);
  t.equal(network.consume(first, 2).refused, 'TARGET_COOLDOWN', 'of one grant too');
  t.equal(network.consume(second, 3).refused, 'TARGET_COOLDOWN', 'two grants made apart are not used together');
  network.next(99_999);
  t.equal(network.consume(second, 3).refused, 'TARGET_COOLDOWN');
  network.next(1);
  t.equal(network.consume(second, 3).refused, undefined);
  t.equal(network.propose().refused, 'TARGET_COOLDOWN', 'an act is rest for grants as well');
});

t.test('blast radius: targets of all grants of an action that are in force', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { max_targets: '260' } };
  const open = (destination: string, changed: object = {}) => {
    const effect = { host: 'gate-1', source: '10.0.0.0/8', destination, port: 443, protocol: 'tcp' };
    const resource = `route/gate-1/10.0.0.0/8/${destination}/443/tcp`;
    return network.propose({ action: 'route.open', effect, resource, ...changed });
  };
  t.equal(open('10.1.0.0/23').refused, 'BLAST_RADIUS', '512 addresses at once');
  t.equal(open('10.1.0.0/23', { dryRun: true }).refused, undefined);
  const wide = idOf(open('10.1.0.0/24').records[0]!);
  t.equal(open('10.2.0.0/29').refused, 'BLAST_RADIUS', '256 and 8');
  t.equal(open('10.2.0.0/30').refused, undefined, '256 and 4');
  t.equal(network.propose().refused, undefined, 'another action counts for itself');
  network.cancel(wide);
  t.equal(open('10.2.0.0/29').refused, undefined, 'what is cancelled unused is off');
  const used = idOf(open('10.3.0.0/25').records[0]!);
  network.consume(used);
  network.cancel(used);
  t.equal(open('10.4.0.0/25').refused, 'BLAST_RADIUS', 'what was used counts until it would have expired');
  network.next(60_000);
  network.next();
  t.equal(open('10.4.0.0/25').refused, undefined);
  t.match(network.state.get('intents/live/route.open'), 128);
});

t.test('nobody uses up what is for all: targets of one requester', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { max_targets: '3', max_targets_each: '2' } };
  const restarted = (n: number, who = 'healer') =>
    network.propose({ effect: { host: `web-${n}`, service: 'nginx' }, resource: `service/web-${n}/nginx` }, who);
  const first = idOf(restarted(1).records[0]!);
  t.equal(restarted(2).refused, undefined);
  t.equal(restarted(3).refused, 'BLAST_RADIUS_EACH');
  t.equal(restarted(3, 'sentinel').refused, undefined, 'what is left is for others');
  t.equal(restarted(4, 'sentinel').refused, 'BLAST_RADIUS', 'and for all together there is a bound still');
  network.cancel(first);
  t.equal(restarted(3).refused, undefined);
  network.next(60_000);
  network.next();
  t.strictSame(
    network.paths().filter((path) => path.startsWith('intents/live')),
    [],
  );
});

t.test('rests of one requester are bounded: the heap of what comes due is for all', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { cooldown: '720h' } };
  const restarted = (n: number, who = 'healer') =>
    network.propose({ effect: { host: `web-${n}`, service: 'nginx' }, resource: `service/web-${n}/nginx` }, who);
  const first = idOf(restarted(0).records[0]!);
  t.equal(network.state.get('intents/resting/healer'), 1);
  network.consume(first);
  t.equal(network.state.get('intents/resting/healer'), 1, 'a target rests once');
  network.state.set('intents/resting/healer', 256);
  t.equal(restarted(1).refused, 'RESTING_TOO_MANY');
  t.equal(network.propose({ dryRun: true }).refused, undefined, 'a rehearsal gives no rest');
  t.equal(restarted(1, 'sentinel').refused, undefined);
  network.terms = { annotations: {} };
  t.equal(restarted(2).refused, undefined, 'nor does what policy wants no rest of');
  network.state.set('intents/resting/healer', 1);
  for (let i = 0; i < 3; i += 1) network.next(15 * 24 * 3_600_000);
  t.strictSame(
    network.paths().filter((path) => /^intents\/(resting|target)/.test(path)),
    [],
  );
});

t.test('a grant that does not fit is refused, when proposed or when approved last', async (t) => {
  const network = new Intents();
  const reasons = Array.from({ length: 12 }, (_, i) => `${'long-policy-name-'.repeat(2)}-of-ours-${i}`).sort();
  network.terms = { annotations: {}, reasons };
  const long = 'n'.repeat(63);
  const far = { effect: { host: 'web-3', service: long }, resource: `service/web-3/${long}` };
  t.equal(network.propose(far).refused, 'GRANT_TOO_LARGE');
  network.terms = { annotations: { approvals: '1' }, reasons };
  t.equal(network.propose(far).refused, 'GRANT_TOO_LARGE', 'nobody need be asked');
  network.terms = { annotations: {}, reasons };
  const length = Array.from({ length: 63 }, (_, i) => 63 - i).find((each) => fits(network, each).refused === undefined);
  const grant = fits(network, length ?? 0);
  const bytes = JSON.stringify(grant.records[0]).length;
  t.equal(bytes, 1280, 'its name stands there once');
  network.terms = { annotations: { approvals: '1' }, reasons };
  const pending = fits(network, length ?? 0);
  t.equal(pending.records[0]!['type'], 'intents.pending');
  t.equal(
    network.approve(idOf(pending.records[0]!)).refused,
    'GRANT_TOO_LARGE',
    'the name of its approver is too much',
  );
});

function fits(network: Intents, length: number) {
  const service = 'n'.repeat(length);
  return network.propose({ effect: { host: 'web-3', service }, resource: `service/web-3/${service}` });
}

t.test('how much of one requester, and of all, state holds', async (t) => {
  const network = new Intents();
  network.state.set('intents/kept/healer', 256);
  t.equal(network.propose().refused, 'INTENTS_TOO_MANY');
  t.equal(network.propose({}, 'sentinel').refused, undefined);
  network.state.set('intents/due/size', 32_765);
  t.equal(network.propose({}, 'sentinel').refused, 'INTENTS_FULL');
});

t.test('each approval is decided by the policy of its moment', async (t) => {
  const begin = (annotations: Record<string, string>): [Intents, string] => {
    const network = new Intents();
    network.terms = { annotations };
    return [network, network.intent({ maxUses: 9 })];
  };
  {
    const [network, id] = begin({ approvals: '2' });
    network.terms = { annotations: {}, decision: 'deny', reasons: ['frozen'] };
    const denied = network.approve(id);
    t.equal(validate('record/intents.denied', denied.records[0]), undefined);
    t.match(denied.records[0], { intent: id, why: 'POLICY_DENIED', policy: { reasons: ['frozen'] } });
    t.equal(network.read(id).status, 'denied');
    t.equal(network.state.get(`intents/waiting/${id}`), undefined);
    t.equal(network.consume(id).refused, 'GRANT_DENIED');
    t.equal(network.approve(id, 'steward').refused, 'INTENT_CLOSED');
    t.equal(network.cancel(id).refused, 'INTENT_CLOSED');
  }
  {
    const [network, id] = begin({ approvals: '1' });
    network.terms = { annotations: { approvals: '2', max_uses: '3', ttl: '1s' } };
    t.match(network.approve(id).records[0], { type: 'intents.approved', approvals: 1, approvalsNeeded: 2 });
    network.approve(id, 'steward');
    t.match(network.read(id), { status: 'granted', maxUses: 3, expires: { time: network.block.time + 1000 } });
  }
  {
    const [network, id] = begin({ approvals: '5' });
    network.terms = { annotations: {} };
    t.equal(network.approve(id).records[0]!['_type'] !== undefined, true, 'needs nobody any more');
  }
  {
    const [network, id] = begin({ approvals: '1' });
    const another = begin({ approvals: '2' });
    for (const [each, intent] of [[network, id] as const, another]) {
      each.pause(true);
      t.equal(each.approve(intent).refused, 'INTENTS_PAUSED', 'the last approval or not');
      each.pause(false);
    }
    network.next(15 * 60_000 - 1);
    t.equal(network.approve(id).refused, undefined, 'the last millisecond counts');
  }
  {
    const [network, id] = begin({ approvals: '1' });
    network.next(15 * 60_000);
    t.equal(network.approve(id).refused, 'INTENT_EXPIRED');
    t.equal(network.cancel(id).refused, 'INTENT_EXPIRED');
  }
  for (const [account, code] of [
    ['healer', 'REQUESTER_INACTIVE'],
    ['actuator-web-1', 'AUDIENCE_INACTIVE'],
  ] as const) {
    for (const approvals of ['1', '2']) {
      const [network, id] = begin({ approvals });
      network.send('admin', 'identity.suspend', { account, reason: '' });
      t.equal(network.approve(id).refused, code);
    }
  }
  {
    const [network, id] = begin({ approvals: '2' });
    network.approve(id);
    network.send('admin', 'identity.suspend', { account: 'warden', reason: '' });
    t.match(network.approve(id, 'steward').records[0], { approvals: 1 }, 'who was suspended since does not count');
    network.send('admin', 'identity.resume', { account: 'warden', reason: '' });
    network.approve(id);
    t.strictSame(network.read(id).approvals, ['steward', 'warden']);
  }
  {
    const [network, id] = begin({ approvals: '1', cooldown: '10m' });
    const other = network.intent();
    network.approve(other);
    t.equal(network.approve(id).refused, 'TARGET_COOLDOWN', 'of two that waited, one');
  }
});

t.test('critical actions: approved by people with security keys', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { approvals: '1' } };
  const before = network.intent();
  network.terms = { annotations: { approvals: '2', approver_key: 'webauthn' } };
  const id = network.intent();
  t.equal(network.approve(id).refused, 'APPROVER_KEY');
  const touched = approvedBy(network, 'warden', id, false);
  t.equal(network.execute(touched).refused, 'APPROVER_KEY', 'somebody was there, but who?');
  t.equal(network.execute(approvedBy(network, 'warden', id, true)).refused, undefined);
  t.match(network.asked.at(-2)!.context, { userVerified: true, approvals: 0 });
  t.equal(network.execute(approvedBy(network, 'steward', id, true)).refused, undefined);
  t.match(network.read(id), { status: 'granted', approverKey: 'webauthn' });
  // What was approved while any key would do does not count once it does not.
  network.terms = { annotations: { approvals: '2' } };
  network.approve(before, 'femto');
  t.strictSame(network.read(before).approvals, ['femto']);
  network.terms = { annotations: { approvals: '2', approver_key: 'webauthn' } };
  network.execute(approvedBy(network, 'warden', before, true));
  t.match(network.read(before), { status: 'pending', approvals: ['warden'] });
});

/** An approval as decoding gives it, by a security key that this puts into the account. */
function approvedBy(network: Intents, account: string, intent: string, userVerified: boolean): Transaction {
  const keyid = 'feedfeedfeedfeed';
  const path = `identity/account/${account}`;
  const key = {
    keyid,
    alg: 'webauthn-p256',
    publicKey: 'A'.repeat(44),
    rpId: 'weft.test',
    origin: 'https://weft.test',
  };
  network.state.set(path, { ...(network.state.get(path) as object), keys: [key] });
  const tx = network.transaction(account, 'intents.approve', { intent });
  const bytes = new Uint8Array(64);
  const entry: SignatureEntry = {
    keyid,
    alg: 'webauthn-p256',
    sig: bytes,
    authenticatorData: bytes,
    clientDataJSON: bytes,
    userVerified,
  };
  return { ...tx, signatures: [entry] };
}

t.test('cancel: what waits, what is granted, and nothing that is over', async (t) => {
  const network = new Intents();
  t.equal(network.cancel('cd'.repeat(32)).refused, 'INTENT_UNKNOWN');
  const id = network.intent();
  const done = network.cancel(id, 'actuator-web-1');
  t.equal(validate('record/intents.cancelled', done.records[0]), undefined);
  t.match(done.records[0], { by: 'actuator-web-1', was: 'granted', uses: 0 });
  t.match(network.asked.at(-1), { action: 'intents.cancel', context: { own: true, action: 'service.restart' } });
  t.equal(network.cancel(id).refused, 'INTENT_CLOSED');
  network.terms = { annotations: { approvals: '1' } };
  const waiting = network.intent();
  network.pause(true);
  t.match(network.cancel(waiting, 'warden').records[0], { was: 'pending' }, 'stopping works while paused');
  t.match(network.asked.at(-1), { context: { own: false } });
  t.equal(network.state.get(`intents/waiting/${waiting}`), undefined);
  t.equal(network.approve(waiting).refused, 'INTENT_CLOSED');
});
