// The end of a block: what is due happens, once, in order, and no more of it than a block bears.
import fc from 'fast-check';
import t from 'tap';
import { Draft } from '../../contracts/draft.ts';
import { addDue, countDue, type Due, takeDue } from '../../contracts/intents/due.ts';
import type { Json } from '../../contracts/types.ts';
import { validate } from '../../schemas/validators.ts';
import { Intents } from './intents.samples.ts';

const quarter = 15 * 60_000;

t.test('an intent that nobody approved lapses, and is forgotten', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { approvals: '2' } };
  const id = network.intent();
  network.approve(id);
  t.strictSame(network.next(quarter).records, [], 'not before its time');
  const { records } = network.next();
  t.equal(records.length, 1);
  t.equal(validate('record/intents.lapsed', records[0]), undefined);
  t.match(records[0], { type: 'intents.lapsed', intent: id, approvals: 1, approvalsNeeded: 2 });
  t.equal(network.read(id).status, 'expired');
  t.equal(validate('intent-record', network.read(id)), undefined);
  t.equal(network.consume(id).refused, 'GRANT_EXPIRED');
  network.next(quarter);
  t.not(network.read(id), undefined);
  network.next();
  t.strictSame(network.paths(), [], 'nothing is left of it');
});

t.test('uses without an outcome are an alert when the grant ends', async (t) => {
  const network = new Intents();
  const id = network.intent({ maxUses: 3 });
  network.consume(id, 1);
  network.next(500);
  const { time: from } = network.block;
  network.consume(id, 2);
  network.consume(id, 3);
  network.report(id, 1);
  network.next(60_000);
  const { records } = network.next();
  t.equal(validate('record/alerts.raised', records[0]), undefined);
  t.match(records, [
    {
      type: 'alerts.raised',
      tx: null,
      by: null,
      alert: id,
      kind: 'intent-unreported',
      source: 'actuator-web-1',
      window: { from, to: network.read(id).expires.time },
      count: 2,
    },
  ]);
  t.equal(validate('alert-record', network.state.get(`alerts/alert/${id}`)), undefined);
  t.equal(network.report(id, 2).refused, undefined, 'late, but heard');
  network.next(quarter);
  network.next();
  t.equal(network.report(id, 3).refused, 'GRANT_UNKNOWN', 'too late');
  const kept = [`alerts/alert/${id}`, 'alerts/open/current', 'alerts/rate/actuator-web-1'];
  t.strictSame(network.paths(), kept, 'until somebody looks after it');
  network.send('warden', 'alerts.resolve', { alert: id });
  t.strictSame(network.paths(), []);
});

t.test('a grant that was cancelled after a use is still missed', async (t) => {
  const network = new Intents();
  const [used, unused] = [network.intent(), network.intent()];
  network.consume(used);
  network.cancel(used);
  network.cancel(unused);
  t.equal(network.read(used).status, 'cancelled');
  network.next(60_000);
  t.match(network.next().records, [{ type: 'alerts.raised', alert: used }]);
  t.equal(network.read(used).status, 'cancelled');
  t.equal(network.state.get('intents/live/service.restart'), undefined, 'its target is free, once');
});

t.test('a block bears so much; the rest is over all the same, and follows', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { approvals: '1' } };
  const ids = Array.from({ length: 100 }, () => network.intent());
  network.next(quarter);
  t.equal(network.next().records.length, 64);
  const late = ids.find((id) => network.read(id).status === 'pending') ?? '';
  t.equal(network.approve(late).refused, 'INTENT_EXPIRED');
  t.equal(network.next().records.length, 36);
  for (let i = 0; i < 4; i += 1) network.next(quarter);
  t.strictSame(network.paths(), []);
});

t.test('rest ends, and leaves nothing', async (t) => {
  const network = new Intents();
  network.terms = { annotations: { cooldown: '1h' } };
  const id = network.intent({ ttlMs: 7_200_000 });
  network.next(1_800_000);
  network.consume(id);
  network.next(1_800_000);
  network.next();
  t.ok(
    network.paths().some((path) => path.startsWith('intents/target/')),
    'the act was later than the grant',
  );
  for (let i = 0; i < 8; i += 1) network.next(1_800_000);
  t.strictSame(
    network.paths().filter((path) => path.startsWith('intents/')),
    [],
  );
});

t.test('the heap: whatever comes, the first goes first, and nothing is lost or left', async (t) => {
  const kinds = ['pending', 'grant', 'forget', 'target'] as const;
  const due = fc.record({
    time: fc.integer({ min: 0, max: 50 }),
    kind: fc.constantFrom(...kinds),
    id: fc.string({ minLength: 1, maxLength: 3 }),
  });
  const step = fc.oneof({ arbitrary: due, weight: 3 }, { arbitrary: fc.integer({ min: 0, max: 60 }), weight: 1 });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
      const state = new Map<string, Json>();
      const model: Due[] = [];
      const write = <Result>(work: (draft: Draft) => Result): Result => {
        const draft = new Draft({ get: (path) => state.get(path) });
        const result = work(draft);
        for (const [path, value] of draft.changes) {
          if (value === null) state.delete(path);
          else state.set(path, value);
        }
        return result;
      };
      const take = (now: number) => {
        const taken = write((draft) => takeDue(draft, now));
        const earliest = Math.min(...model.map(({ time }) => time));
        if (taken === undefined) {
          if (earliest <= now) throw new Error(`${earliest} was due at ${now}`);
          return false;
        }
        const at = model.findIndex(
          ({ time, kind, id }) => time === taken.time && kind === taken.kind && id === taken.id,
        );
        if (at < 0) throw new Error('was not there');
        if (taken.time !== earliest) throw new Error('was not the first');
        model.splice(at, 1);
        return true;
      };
      for (const each of steps) {
        if (typeof each === 'number') take(each);
        else {
          model.push(each);
          write((draft) => addDue(draft, each));
        }
        if (countDue({ get: (path) => state.get(path) }) !== model.length) throw new Error('miscounted');
      }
      while (take(60));
      if (model.length > 0 || state.size > 0) throw new Error('something is left');
    }),
    { numRuns: 60 },
  );
  const state = new Map<string, Json>();
  let most = 0;
  for (let i = 0; i < 3000; i += 1) {
    const draft = new Draft({ get: (path) => state.get(path) });
    addDue(draft, { time: 10_000 - i, kind: 'grant', id: `${i}` });
    for (const [path, value] of draft.changes) state.set(path, value as Json);
    most = Math.max(most, draft.changes.size);
  }
  t.ok(most <= 5, `an entry that goes all the way up is written in ${most} values`);
});
