// Real nodes under faults. `npm run sim -- --real` goes on from here; a seed that ever failed stays in the list.
import t from 'tap';
import { runReal } from './scenario.ts';

const seedsEveryRun = 15;
const seedsThatFailed: number[] = [];

t.setTimeout(600_000);

t.test('every seed keeps its promises', async (t) => {
  let blocks = 0;
  let transactions = 0;
  let restarts = 0;
  let epochs = 0;
  const seeds = [...Array.from({ length: seedsEveryRun }, (_, i) => i + 1), ...seedsThatFailed];
  for (const seed of seeds) {
    const outcome = await runReal({ seed });
    blocks += outcome.blocks;
    transactions += outcome.transactions;
    restarts += outcome.restarts;
    epochs += outcome.epochs;
    if (!outcome.ok)
      t.fail(
        `seed ${seed} (${outcome.facts}): ${outcome.error}; replay: npm run sim -- --real --seeds 1 --from ${seed} --trace`,
      );
  }
  t.ok(blocks > 5 * seeds.length, `${blocks} blocks`);
  t.ok(transactions > 10 * seeds.length, `${transactions} transactions were final for a client`);
  t.ok(epochs > 1.2 * seeds.length, `${epochs} epochs`);
  t.ok(restarts > 4 * seeds.length, `${restarts} starts of nodes`);
});

t.test('a seed decides everything', async (t) => {
  for (const seed of [2, 16]) {
    const run = async (): Promise<string[]> => {
      const lines: string[] = [];
      await runReal({ seed, onTrace: (line) => lines.push(line) });
      return lines;
    };
    const first = await run();
    t.ok(first.length > 50);
    t.same(await run(), first, `seed ${seed}`);
  }
});

t.test('what must not be is seen', async (t) => {
  const sees = async (what: RegExp, options: Omit<Parameters<typeof runReal>[0], 'seed'>): Promise<void> => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const { error } = await runReal({ seed, validators: 4, phase1Ms: 8000, phase2Ms: 15_000, ...options });
      if (what.test(error)) return;
    }
    t.fail(`no seed saw ${what}`);
  };
  // More liars than f: two chains, and nodes that find certificates against each other.
  await sees(/CERTIFICATES_CONFLICT|another blockId|FINALITY_CONFLICT/, { lies: ['twins', 'twins'] });
  // A liar that counts as honest.
  await sees(/signed nullify and finalize/, { lies: ['doubleVoter'], trusted: true });
  // Disks that call durable what is not.
  await sees(/told that block|signed two|JOURNAL_/, { lies: [], disksLie: true });
  // A journal that is not read at a restart.
  await sees(/JOURNAL_ROLLED_BACK|signed two/, { lies: [], broken: { replays: () => false } });
  // Nobody left to finalize.
  await sees(/not done/, { lies: ['silent', 'silent'] });
});
