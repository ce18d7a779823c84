import t from 'tap';
import { stepsPerTurn } from '../../src/ledger/turns.ts';
import type { CommittedBlock } from '../../src/ledger/types.ts';
import { Telling } from '../../src/node/telling.ts';

function blocks(from: number, count: number): CommittedBlock[] {
  return Array.from(
    { length: count },
    (_, i) => ({ header: { height: from + i }, records: Array.from({ length: 16 }) }) as unknown as CommittedBlock,
  );
}

t.test('a few are told at once, thousands in turns, and all in their order', async (t) => {
  const told: number[] = [];
  const telling = new Telling(({ header }) => void told.push(header.height));
  t.equal(telling.blocks(blocks(1, 3)), undefined);
  t.same(told, [1, 2, 3]);
  let turns = 0;
  let on = true;
  const turn = (): void => {
    turns += 1;
    if (on) setImmediate(turn);
  };
  setImmediate(turn);
  const long = telling.blocks(blocks(4, 1000));
  const live = telling.blocks(blocks(1004, 1));
  t.same(told, [1, 2, 3], 'what becomes final meanwhile waits');
  await live;
  on = false;
  t.same(
    told,
    Array.from({ length: 1004 }, (_, i) => i + 1),
  );
  t.ok(turns >= Math.floor((1000 * 16) / stepsPerTurn) - 1, `${turns} turns`);
  await long;
  t.equal(telling.blocks(blocks(1005, 1)), undefined, 'and then at once again');
  t.equal(told.at(-1), 1005);
});

t.test('who waits for it hears what went wrong, and others are told all the same', async (t) => {
  const told: number[] = [];
  const telling = new Telling(({ header }) => {
    if (header.height === 50) throw new Error('no');
    told.push(header.height);
  });
  const first = telling.blocks(blocks(1, 100));
  const second = telling.blocks(blocks(101, 1));
  await t.rejects(first ?? Promise.resolve(), { message: 'no' });
  await telling.over();
  t.equal(told.at(-1), 101, 'over when all are told');
  await second;
});
