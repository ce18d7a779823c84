// Intents on a node as it runs, with the policy set that networks start with: from the proposal to the outcome, and to the alert where
// there is none.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { JsonObject } from '../../contracts/types.ts';
import { consumeGrant, newAttempt, proposeIntent, reportOutcome } from '../../src/client/index.ts';
import { codeOf } from '../../src/codec/error.ts';
import type { IntentsAsked } from '../../src/node/api.ts';
import { effectDigest, readTrust, verifyToken } from '../../src/token/node.ts';
import { EpochNet } from './epochNet.ts';

t.setTimeout(120_000);

const sha256 = 'ab'.repeat(32);

async function until<T>(ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      if (codeOf(error) !== 'CHECKPOINT_NOT_YET') throw error;
    }
    await sleep(50);
  }
}

t.test('a repair, a change that people approve, and one that nobody reported', async (t) => {
  const net = await EpochNet.make(t, 1);
  await net.start('v1');
  const { api } = net.node('v1');
  const send = (account: string, { type, body }: { type: string; body: JsonObject }) => net.send(account, type, body);
  const ask = (action: string, effect: JsonObject, ttlMs = 60_000) =>
    send('healer', proposeIntent({ action, effect, ttlMs, audience: 'actuator-web-1' }));

  const repair = { host: 'web-3', service: 'thumbnailer' };
  const granted = await ask('service.restart', repair, 5_000);
  t.match(api.intent(granted), {
    intent: granted,
    status: 'granted',
    requester: 'healer',
    audience: 'actuator-web-1',
    effect: repair,
    digest: effectDigest(repair),
    decided: { version: 1, reasons: ['intents.repair-by-operator'], why: '' },
    maxUses: 1,
    uses: 0,
  });
  await send('actuator-web-1', consumeGrant(granted, newAttempt()));

  const change = { host: 'web-3', config: 'thumbnailer.conf', sha256 };
  const waiting = await ask('config.restore', change);
  t.match(api.intent(waiting), { status: 'pending', approvalsNeeded: 1, approvals: [] });
  t.throws(() => api.token({ intent: waiting }), { code: 'GRANT_ABSENT' });
  const byMachine = net.send('healer', 'intents.approve', { intent: waiting });
  await t.rejects(byMachine, /POLICY_DENIED/);
  await net.send('warden', 'intents.approve', { intent: waiting });
  t.match(api.intent(waiting), { status: 'granted', approvals: ['warden'] });
  const trust = readTrust(api.trust());
  const token = await until(() => api.token({ intent: waiting }));
  const asked = { trust, now: Date.now(), audience: 'actuator-web-1', effect: effectDigest(change) };
  t.match(verifyToken(token, asked), {
    kind: 'grant',
    grant: { intent: waiting, resource: 'config/web-3/thumbnailer.conf', approvers: ['warden'] },
  });
  const attempt = newAttempt();
  await send('actuator-web-1', consumeGrant(waiting, attempt));
  t.match(api.intent(waiting), { uses: 1, unreported: 1 });
  await send('actuator-web-1', reportOutcome(waiting, attempt, 'done', sha256));
  t.match(api.intent(waiting), { uses: 1, unreported: 0 });

  const gates = await ask('service.restart', { host: 'gate-1', service: 'weft-gate' });
  t.match(api.intent(gates), { status: 'denied', decided: { why: 'POLICY_DENIED' } });
  t.throws(() => api.intent(sha256), { code: 'INTENT_UNKNOWN' });
  const notAnIntent = await net.send('actuator-web-1', 'alerts.raise', {
    kind: 'test',
    source: 'web-3',
    window: { from: 1, to: 2 },
    count: 1,
    evidence: [],
  });
  t.throws(() => api.intent(notAnIntent), { code: 'INTENT_UNKNOWN' });
  const pages = async (asked: IntentsAsked): Promise<string[]> => {
    const { intents, next } = await api.intents(asked);
    const ids = intents.map(({ intent }) => intent);
    t.ok(ids.length <= asked.limit);
    return next === undefined ? ids : [...ids, ...(await pages({ ...asked, before: next }))];
  };
  t.strictSame(
    (await api.intents({ limit: 10 })).intents.map(({ intent }) => intent),
    [gates, waiting, granted],
    'newest decision first, each once',
  );
  t.equal((await api.intents({ limit: 1 })).intents.length, 1);
  t.strictSame(
    await pages({ limit: 1 }),
    [gates, waiting, waiting, granted],
    'page by page; what waited has two decisions',
  );

  // Who is denied often is heard of often, and hides nothing from those who approve.
  const second = await ask('config.restore', { ...change, config: 'other.conf' });
  for (let n = 0; n < 2; n += 1) await ask('service.restart', { host: `gate-${n}`, service: 'weft-gate' });
  t.notOk((await api.intents({ limit: 2 })).intents.some(({ intent }) => intent === second));
  // Nor does it hide what an executor is to do, nor does what others are to do.
  const [audience, other] = ['actuator-web-1', 'actuator-web-2'];
  const foreign = await send(
    'healer',
    proposeIntent({
      action: 'service.restart',
      effect: { host: 'web-4', service: 'cache' },
      ttlMs: 60_000,
      audience: other,
    }),
  );
  t.strictSame(await pages({ limit: 1, audience: other }), [foreign]);
  t.strictSame(await pages({ limit: 2, audience, status: 'granted' }), [waiting, granted]);
  t.strictSame(await pages({ limit: 1, audience, status: 'pending' }), [second]);
  t.strictSame(await pages({ limit: 3, audience: 'nobody' }), []);
  t.notOk((await pages({ limit: 2, audience })).includes(foreign));
  t.strictSame(
    (await api.waitingIntents(2)).map(({ intent }) => intent),
    [second],
  );
  await net.send('healer', 'intents.cancel', { intent: second });
  t.strictSame(await api.waitingIntents(2), []);

  const alerts = await until(async () => {
    const open = await api.alerts();
    return open.length > 1 ? open : undefined;
  });
  t.match(alerts, [
    { alert: granted, by: null, kind: 'intent-unreported', source: 'actuator-web-1', count: 1 },
    { alert: notAnIntent, by: 'actuator-web-1' },
  ]);
  t.match(api.intent(granted), { status: 'expired', unreported: 1 });
  await net.send('warden', 'alerts.resolve', { alert: granted });
  t.strictSame(
    (await api.alerts()).map(({ alert }) => alert),
    [notAnIntent],
  );
});
