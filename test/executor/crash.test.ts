// The executor dies at every point there is: before and after every write, message, act and report. Whatever it was, the act
// runs at most once per use, never without a verified consume, and every act that was begun gets exactly one outcome.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { World } from './lives.ts';

/** What must hold of a world whose executor has come to rest. */
function check(t: Test, world: World, intent: string, where: string): void {
  const grant = world.ledger.grants.get(intent)!;
  const counted = new Set(world.acts.map(({ attempt }) => attempt));
  t.equal(counted.size, world.acts.length, `${where}: no attempt acts twice`);
  t.ok(world.acts.length <= grant.maxUses, `${where}: at most once per use`);
  for (const { attempt, at } of world.acts) {
    const consumed = grant.attempts.find((each) => each.attempt === attempt);
    t.ok(
      consumed !== undefined && at >= consumed.time && at < consumed.time + 8_000,
      `${where}: within its permission`,
    );
  }
  for (const { attempt, outcomes } of grant.attempts) {
    t.equal(outcomes.length, 1, `${where}: one outcome`);
    const act = world.acts.find((each) => each.attempt === attempt);
    // An outcome may be less than what happened, never more.
    if (act === undefined) t.match(outcomes[0], /^(failed|unknown)$/, `${where}: nothing was done, and nobody says so`);
    else if (!act.finished) t.equal(outcomes[0], 'unknown', `${where}: nobody knows how far it came`);
    else t.match(outcomes[0], /^(done|unknown)$/, where);
  }
}

/** The machine is switched on again, and somebody looks after it until nothing is open. */
async function rest(world: World, intent: string): Promise<void> {
  const life = await world.life();
  await life.work(intent);
  for (let round = 0; round < 4 && life.executor.open.length > 0; round += 1) {
    world.ledger.now += 40_000;
    await life.executor.resume();
  }
  if (life.executor.open.length > 0) throw new Error(`open for ever: ${JSON.stringify(life.executor.open)}`);
  await life.executor.close();
}

t.test('killed at every point once, with whatever the disk keeps of what was not synced', async (t) => {
  const places = new Set<string>();
  let points = 0;
  for (const keep of [0, 9, 1_000_000]) {
    for (let cutAt = 1; ; cutAt += 1) {
      const world = new World();
      const intent = world.ledger.grant();
      const life = await world.life(cutAt);
      await life.work(intent);
      if (!life.dead) {
        points = cutAt - 1;
        break;
      }
      places.add(life.cut);
      world.disk = world.disk.powerLoss(keep);
      // Some supervisors forget to settle first.
      if (cutAt % 2 === 0) await (await world.life()).run(intent);
      await rest(world, intent);
      check(t, world, intent, `cut at ${cutAt} (${life.cut}), ${keep} bytes kept`);
    }
  }
  t.ok(points > 25, `${points} points in one run`);
  for (const place of [
    'disk append',
    'disk datasync',
    'before submit intents.consume',
    'after submit intents.consume',
    'prepared',
    'consumed',
    'begun',
    'act begins',
    'act is half done',
    'acted',
    'ended',
    'before submit intents.report',
    'after submit intents.report',
    'reported',
    'closed',
  ]) {
    t.ok(places.has(place), place);
  }
});

t.test('killed again and again, late and early, with several uses', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(
        fc.record({
          cutAt: fc.integer({ min: 1, max: 45 }),
          keep: fc.constantFrom(0, 5, 90, 1_000_000),
          pauseMs: fc.constantFrom(0, 500, 4_000, 9_000, 25_000),
          resumes: fc.boolean(),
        }),
        { minLength: 1, maxLength: 5 },
      ),
      async (maxUses, cuts) => {
        const world = new World();
        const intent = world.ledger.grant({ maxUses });
        for (const { cutAt, keep, pauseMs, resumes } of cuts) {
          const life = await world.life(cutAt);
          if (!life.dead) await (resumes ? life.work(intent) : life.run(intent));
          world.disk = world.disk.powerLoss(keep);
          world.ledger.now += pauseMs;
        }
        await rest(world, intent);
        check(t, world, intent, JSON.stringify({ maxUses, cuts }));
      },
    ),
    { numRuns: 40 },
  );
});

t.test('a use that was consumed before the crash is acted on after it, within its time', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const whole = await new World().life();
  await whole.work(whole.world.ledger.grant());
  const cutAt = whole.trail.indexOf('after submit intents.consume') + 1;
  const life = await world.life(cutAt);
  await life.work(intent);
  t.equal(life.cut, 'after submit intents.consume');
  world.disk = world.disk.powerLoss();
  world.ledger.now += 3_000;
  const next = await world.life();
  t.match(await next.work(intent), { outcome: 'done', use: 1, reported: true });
  t.equal(world.acts.length, 1);
});

t.test('and after its time it is not, and that is reported', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const whole = await new World().life();
  await whole.work(whole.world.ledger.grant());
  const life = await world.life(whole.trail.indexOf('after submit intents.consume') + 1);
  await life.work(intent);
  world.disk = world.disk.powerLoss();
  world.ledger.now += 8_000;
  const next = await world.life();
  t.match(await next.run(intent), { code: 'CONSUMED_TOO_LATE' });
  t.same(world.acts, []);
  t.same(world.ledger.outcomes(intent), [['failed']]);
  t.same(next.executor.open, []);
});
