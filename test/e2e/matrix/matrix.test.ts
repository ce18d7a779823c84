// The faults that say most about the network, on real processes; all of them: `npm run test:faults`.
import t from 'tap';
import { cases } from './cases.ts';
import { runCase } from './run.ts';

for (const each of cases.filter(({ fast }) => fast)) {
  t.test(each.name, { timeout: 300_000 }, async (t) => {
    const { submitted, final, expired, pauseMs, finalAgainMs, votes, wrong } = await runCase(each);
    t.ok(
      final > 0 && votes > 0 && submitted >= final + expired,
      `${submitted} sent, ${final} final, ${expired} expired`,
    );
    t.comment(`longest pause ${pauseMs} ms, final again ${finalAgainMs} ms after the end of the fault`);
    t.same(wrong, [], 'nothing lost, all logs equal, no two votes conflict, no complaints');
  });
}
