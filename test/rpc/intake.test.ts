// Messages of clients in small turns.
import t from 'tap';
import { Intake, type Talker } from '../../src/rpc/intake.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A client whose every message takes a millisecond. */
function client(name: string, said: string[], clock: { now: number }): Talker {
  return {
    take: (message) => {
      clock.now += 1;
      said.push(`${name}${message[0]}`);
    },
    pause: () => said.push(`pause ${name}`),
    resume: () => said.push(`resume ${name}`),
  };
}

t.test('what fits into a turn is worked on at once, the rest in rotation, in order', async (t) => {
  const said: string[] = [];
  const clock = { now: 0 };
  const intake = new Intake(() => clock.now);
  const [a, b] = [client('a', said, clock), client('b', said, clock)];
  for (let i = 0; i < 6; i += 1) intake.offer(a, Uint8Array.of(i));
  for (let i = 0; i < 2; i += 1) intake.offer(b, Uint8Array.of(i));
  t.same(said, ['a0', 'a1', 'pause a', 'pause b']);
  t.equal(intake.waiting, 2);
  await turn();
  t.same(said.splice(0), ['a0', 'a1', 'pause a', 'pause b', 'a2', 'b0']);
  intake.offer(b, Uint8Array.of(2));
  t.same(said, [], 'a turn whose share is used takes nothing more');
  await turn();
  t.same(said.splice(0), ['a3', 'b1']);
  await turn();
  t.same(said.splice(0), ['a4', 'b2', 'resume b'], 'and is read again when nothing of it waits');
  await turn();
  t.same(said.splice(0), ['a5', 'resume a']);
  await turn();
  await turn();
  intake.offer(a, Uint8Array.of(9));
  t.same(said, ['a9']);
});

t.test('a client that has gone is forgotten', async (t) => {
  const said: string[] = [];
  const clock = { now: 0 };
  const intake = new Intake(() => clock.now);
  const a = client('a', said, clock);
  for (let i = 0; i < 4; i += 1) intake.offer(a, Uint8Array.of(i));
  intake.drop(a);
  await turn();
  await turn();
  t.same(said, ['a0', 'a1', 'pause a']);
});
