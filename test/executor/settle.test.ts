// What becomes of attempts on which nobody works: nothing is lost, nothing is said that is not so, and nothing is done again.
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import type { LedgerNode } from '../../src/executor/nodes.ts';
import { account, effect, type TestLedger } from './ledger.ts';
import { World } from './lives.ts';

/** Takes transactions and says nothing about them, until it is told to. */
function slowNode(
  ledger: TestLedger,
): LedgerNode & { readonly held: string[]; reaches: boolean; shows: (tx: string) => boolean } {
  const node = {
    ...ledger.node(),
    held: [] as string[],
    reaches: false,
    shows: (_tx: string): boolean => true,
    submit: async (text: string): Promise<void> => {
      if (node.reaches) return ledger.submit(text);
      node.held.push(text);
      throw new WeftError('TX_FATE_UNKNOWN', 'not yet');
    },
    token: async (wanted: Parameters<LedgerNode['token']>[0], _ms: number): Promise<string> => {
      if ('tx' in wanted && !node.shows(wanted.tx)) throw new WeftError('TX_UNKNOWN', 'not here');
      return ledger.token(wanted);
    },
  };
  return node;
}

t.test('a consume that is long on its way is waited for, and then its use is that of the same attempt', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant();
  const held: string[] = [];
  let reaches = false;
  const slow: LedgerNode = {
    ...ledger.node(),
    submit: async (text) => {
      if (reaches) return ledger.submit(text);
      held.push(text);
      throw new WeftError('TX_FATE_UNKNOWN', 'not yet');
    },
  };
  world.nodes = () => [slow];
  const life = await world.life();
  t.match(await life.run(intent), { code: 'TX_FATE_UNKNOWN' });
  ledger.now += 5_000;
  t.equal((await life.executor.resume()).length, 1, 'it may still come');
  ledger.submit(held[0]!);
  t.equal((await life.executor.resume()).length, 1, 'it has come, and may be acted on');
  reaches = true;
  t.match(await life.run(intent), { outcome: 'done', use: 1 });
  t.equal(ledger.outcomes(intent).length, 1);

  // One that no block has is given up when no block can take it any more; and then the grant is there for another attempt.
  const second = ledger.grant();
  reaches = false;
  t.match(await life.run(second), { code: 'TX_FATE_UNKNOWN' });
  ledger.now += 25_000;
  t.equal((await life.executor.resume()).length, 1, 'not final yet');
  ledger.now += 10_000;
  t.same(await life.executor.resume(), []);
  reaches = true;
  t.match(await life.run(second), { outcome: 'done', use: 1 });
  t.equal(world.acts.length, 2);

  // Or it is sent anew, as the same attempt: of two envelopes one counts.
  const third = ledger.grant({ maxUses: 2 });
  reaches = false;
  t.match(await life.run(third), { code: 'TX_FATE_UNKNOWN' });
  const [, , old = ''] = held;
  ledger.now += 19_000;
  ledger.submit(old);
  ledger.now += 3_500;
  reaches = true;
  t.match(await life.run(third), { outcome: 'done', use: 1 });
  t.equal(ledger.outcomes(third).length, 1, 'nothing was consumed twice');
});

t.test('an outcome that nobody takes is offered until somebody does, also by the next life', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant();
  const deaf = {
    ...ledger.node(),
    submit: async (text: string) => {
      if (text.includes('intents.report')) throw new WeftError('RPC_UNREACHABLE', 'gone');
      ledger.submit(text);
    },
  };
  world.nodes = () => [deaf];
  const life = await world.life();
  t.match(await life.run(intent), { outcome: 'done', reported: false });
  t.match(life.executor.open, [{ grant: intent, state: 'ended', outcome: 'done' }]);
  t.equal((await life.executor.resume()).length, 1);
  await life.executor.close();
  world.nodes = () => [deaf, ledger.node()];
  const next = await world.life();
  t.same(await next.executor.resume(), []);
  t.same(ledger.outcomes(intent), [['done']]);
  t.equal(world.acts.length, 1);
});

t.test('who looks after what was left leaves alone what is under way', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const life = await world.life();
  const begun = Promise.withResolvers<void>();
  const goesOn = Promise.withResolvers<void>();
  const running = life.executor.run(intent, effect, async () => {
    begun.resolve();
    await goesOn.promise;
    return { outcome: 'done' };
  });
  await begun.promise;
  t.match(await life.executor.resume(), [{ grant: intent, state: 'begun' }]);
  t.same(world.ledger.outcomes(intent), [[]], 'nobody says "unknown" of an act that goes on');
  goesOn.resolve();
  t.match(await running, { outcome: 'done', reported: true });
  t.same(world.ledger.outcomes(intent), [['done']]);
});

t.test('what was consumed and is never asked for again is reported, too', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const other = new World();
  const whole = await other.life();
  await whole.run(other.ledger.grant());
  const life = await world.life(whole.trail.indexOf('after submit intents.consume') + 1);
  await life.run(intent);
  t.equal(life.cut, 'after submit intents.consume');
  world.disk = world.disk.powerLoss();
  const next = await world.life();
  t.equal((await next.executor.resume()).length, 1, 'it may still be asked for');
  world.ledger.now += 11_000;
  t.same(await next.executor.resume(), []);
  t.same(world.ledger.outcomes(intent), [['failed']]);
});

t.test('a node that says "recorded" and cannot show it closes nothing', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant({ maxUses: 2 });
  const life = await world.life();
  t.match(await life.run(intent), { reported: true });
  await life.executor.close();
  // It shows the outcome of the use before, and the refusal of something else.
  let [shown, stranger] = ['', ''];
  const liar: LedgerNode = {
    ...ledger.node(),
    submit: async (text) => (text.includes('intents.report') ? undefined : ledger.submit(text)),
    token: async (wanted) => {
      try {
        return ledger.token(wanted);
      } catch {
        return ledger.token({ tx: shown });
      }
    },
  };
  const record = ledger.tx('intents.report', account, { grant: 'ab'.repeat(32) }, ledger.now + 60_000);
  t.throws(() => ledger.submit(record.text), { code: 'GRANT_UNKNOWN' });
  stranger = record.id;
  world.nodes = () => [liar];
  const next = await world.life();
  shown = stranger;
  t.match(await next.run(intent), { outcome: 'done', reported: false }, 'a refusal of another transaction');
  shown = ledger.lastOf('intents.reported');
  t.equal((await next.executor.resume()).length, 1, 'an outcome of another attempt');
  await next.executor.close();
  world.nodes = () => [liar, ledger.node()];
  const last = await world.life();
  t.same(await last.executor.resume(), []);
  t.same(ledger.outcomes(intent), [['done'], ['done']]);
});

t.test('of two envelopes of one attempt the refusal of the second says nothing about the first', async (t) => {
  for (const finds of ['at once', 'later']) {
    const world = new World();
    const { ledger } = world;
    const intent = ledger.grant();
    const node = slowNode(ledger);
    world.nodes = () => [node];
    const life = await world.life();
    t.match(await life.run(intent), { code: 'TX_FATE_UNKNOWN' });
    const [first = ''] = node.held;
    const hidden = ledger.idOf(first);
    ledger.submit(first);
    node.shows = (tx) => tx !== hidden;
    ledger.now += 23_000;
    node.reaches = true;
    if (finds === 'at once') {
      // It is refused as a repetition, and by then the node has found the first, whose time is over.
      world.meanwhile = (point) => {
        if (point === 'after submit intents.consume') node.shows = () => true;
      };
      t.match(await life.run(intent), { code: 'CONSUMED_TOO_LATE' }, finds);
    } else {
      t.ok((await life.run(intent)) instanceof WeftError, finds);
      t.equal((await life.executor.resume()).length, 1, 'the first may be there still, wherever it is');
      node.shows = () => true;
      t.same(await life.executor.resume(), []);
    }
    t.same(world.acts, []);
    t.same(ledger.outcomes(intent), [['failed']], `${finds}: the use is gone, and nothing was done`);
  }
});

t.test('silence is no answer, however long', async (t) => {
  const world = new World();
  const intent = world.ledger.grant();
  const gone = () => Promise.reject(new WeftError('RPC_UNREACHABLE', 'gone'));
  const node = slowNode(world.ledger);
  world.nodes = () => [node];
  const life = await world.life();
  t.match(await life.run(intent), { code: 'TX_FATE_UNKNOWN' });
  await life.executor.close();
  world.nodes = () => [{ ...node, token: gone, status: gone, submit: gone }];
  const next = await world.life();
  world.ledger.now += 3_600_000;
  t.equal((await next.executor.resume()).length, 1);
  world.ledger.now += 24 * 3_600_000;
  t.same(await next.executor.resume(), [], 'after a day nobody would listen any more');
});

t.test('what may have begun is reported as soon as the ledger knows of its attempt', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intents = [ledger.grant(), ledger.grant()];
  const node = slowNode(ledger);
  world.nodes = () => [node];
  const life = await world.life();
  for (const intent of intents) t.match(await life.run(intent), { code: 'TX_FATE_UNKNOWN' });
  // Power is lost while the second attempt is written: the tail may as well have said that the first had begun.
  const file = world.disk.journal();
  file.bytes = file.bytes.slice(0, -1);
  node.reaches = true;
  const next = await world.life();
  t.match(await next.executor.resume(), [{ grant: intents[0], state: 'ended', outcome: 'unknown' }]);
  ledger.submit(node.held[0] ?? '');
  t.same(await next.executor.resume(), []);
  t.same(ledger.outcomes(intents[0] ?? ''), [['unknown']]);
  t.same(world.acts, []);
});

t.test('a run waits for whoever settles its grant', async (t) => {
  const world = new World();
  const { ledger } = world;
  const intent = ledger.grant();
  const node = slowNode(ledger);
  const asked = Promise.withResolvers<void>();
  const answers = Promise.withResolvers<void>();
  let gate = false;
  world.nodes = () => [
    {
      ...node,
      token: async (wanted, ms) => {
        if (gate && 'tx' in wanted) {
          gate = false;
          asked.resolve();
          await answers.promise;
        }
        return node.token(wanted, ms);
      },
    },
  ];
  const life = await world.life();
  t.match(await life.run(intent), { code: 'TX_FATE_UNKNOWN' });
  const [given] = life.executor.open;
  ledger.now += 35_000;
  node.reaches = true;
  gate = true;
  const settling = life.executor.resume();
  await asked.promise;
  const running = life.run(intent);
  for (let turns = 0; turns < 50; turns += 1) await Promise.resolve();
  answers.resolve();
  await settling;
  t.match(await running, { outcome: 'done', use: 1 });
  t.not(world.acts[0]?.attempt, given?.attempt, 'the attempt that was given up is not taken up again');
  t.same(life.executor.open, []);
});
