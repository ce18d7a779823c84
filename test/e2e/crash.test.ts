// All validators die at once, at random moments, again and again: what a client was told stays true, and nobody ever signs
// two votes that conflict. WEFT_TEST_SEED=n repeats the moments; WEFT_TEST_CRASHES=n changes how many.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Load } from './load.ts';
import { TestNetwork } from './network.ts';
import { seededRandom } from './random.ts';
import { differences, wireOf } from './together.ts';

const crashes = Number(process.env['WEFT_TEST_CRASHES'] ?? 10);

for (const forgetfulDisk of [false, true]) {
  const what = forgetfulDisk ? 'power lost by all four' : 'kill -9 of all four';
  t.test(
    `${what}, ${crashes} times: nothing that was reported final is lost, nobody votes twice`,
    { timeout: 600_000 },
    async (t) => {
      const random = seededRandom();
      t.comment(`WEFT_TEST_SEED=${random.seed}`);
      const network = await TestNetwork.make({ record: true, forgetfulDisk });
      t.teardown(() => network.remove());
      /** A crash may also come before the start that follows another is over. */
      const diesEarly = async (): Promise<void> => {
        network.startAll();
        await sleep(300 + random.next() * 1700);
        await network.signalAll('SIGKILL');
      };
      await diesEarly();
      network.startAll();
      await network.ready();
      const load = new Load(network);
      t.teardown(() => load.stop());
      load.start();
      let checked = 0;
      let from = 1;
      for (let crash = 1; crash <= crashes; crash += 1) {
        await load.more(1 + Math.floor(random.next() * 20));
        await sleep(random.next() * 300);
        await network.signalAll('SIGKILL');
        if (random.next() < 0.3) await diesEarly();
        const told = load.told.slice(checked);
        network.startAll();
        await network.ready();
        const { to, words } = await differences(network, load, told, from);
        t.same(
          words,
          [],
          `crash ${crash}: ${told.length} transactions and blocks ${from} to ${to} are the same on all four`,
        );
        checked += told.length;
        from = to + 1;
      }
      await load.more(5);
      await load.stop();
      t.same((await differences(network, load, load.told, from)).words, [], `all ${load.told.length} at the end`);
      const wire = wireOf(network);
      t.ok(wire.votes > crashes, `${wire.votes} votes and ${wire.certificates} certificates were on the wire`);
      t.same(wire.conflicts, [], 'no two of them conflict');
      t.same(network.complaints(), []);
    },
  );
}
