import t from 'tap';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { ed25519Signer } from '../../src/crypto/ed25519.ts';
import { formatCheckpoint, signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign, publishCheckpoint } from '../../src/log/cosignature.ts';
import { CheckpointFollower, type FollowerModules } from '../../src/node/checkpointFollower.ts';
import { cosignerKeyOf, logKeyOf } from '../../src/node/queries.ts';
import { makeGenesis, seedOf } from '../ledger/fixtures.ts';

const { genesis } = makeGenesis(4);
const { epoch, chain, origin } = genesis;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const rootOf = (size: number): Uint8Array => new Uint8Array(32).fill(size);
const policy = epoch.validators.map((validator) => cosignerKeyOf(chain, validator));

/** `times`: seconds at which the validators cosigned; of three there is exactly one note, whoever puts it together. */
function note(publisher: number, size: number, times: readonly (number | undefined)[]): string {
  const text = formatCheckpoint({ origin, size, root: rootOf(size) });
  const validator = epoch.validators[publisher]!;
  const cosignatures = times.flatMap((timeS, i) => {
    const signer = ed25519Signer(seedOf(`${epoch.validators[i]?.name}/cosigner`));
    return timeS === undefined ? [] : [cosign(text, timeS, policy[i]!, (message) => signer.sign(message))];
  });
  const log = ed25519Signer(seedOf(`${validator.name}/log`));
  const signed = signCheckpoint(text, logKeyOf(origin, validator.log), (message) => log.sign(message));
  return publishCheckpoint({ text, log: signed, cosignatures, policy, quorum: epoch.quorum })!;
}

function setUp() {
  const world = { now: 0, wall: 1_000_000, logSize: 100, asked: [] as string[], adopted: [] as string[] };
  const published = new Map<string, string>();
  const names = epoch.validators.map(({ name }) => name);
  const modules: FollowerModules = {
    ledger: {
      epoch,
      get finalized() {
        return { header: { height: 1, logSize: world.logSize } };
      },
      logRoot: rootOf,
    } as unknown as FollowerModules['ledger'],
    askable: () => names,
    fetch: async (name) => {
      world.asked.push(name);
      const text = published.get(name);
      return text === undefined ? undefined : encodeUtf8(text);
    },
    adopted: (text) => world.adopted.push(text),
    log: silent,
    monotonicMs: () => world.now,
    wallMs: () => world.wall,
  };
  const follower = new CheckpointFollower({ chain, origin }, modules);
  const pass = async (ms: number): Promise<void> => {
    for (const until = world.now + ms; world.now < until; ) {
      world.now += 100;
      world.wall += 100;
      await follower.tick();
    }
  };
  return { follower, world, published, names, pass };
}

t.test('a checkpoint that grows or is newer is adopted, another text of the same is not', async (t) => {
  const { world, published, names, pass } = setUp();
  const first = note(0, 50, [1000, 1000, 1000, undefined]);
  published.set(names[0]!, first);
  await pass(100);
  t.same(world.adopted, [first]);
  published.set(names[0]!, note(0, 50, [1000, 1000, undefined, 1000]));
  await pass(300);
  t.equal(world.adopted.length, 1, 'other cosigners');
  published.set(names[0]!, note(0, 50, [1005, 1000, 1000, undefined]));
  await pass(300);
  t.equal(world.adopted.length, 1, 'one of four dates it ahead');
  const newer = note(0, 50, [1001, 1001, undefined, 1001]);
  published.set(names[0]!, newer);
  await pass(300);
  t.same(world.adopted.slice(1), [newer]);
  const greater = note(0, 60, [1001, 1001, 1001, undefined]);
  published.set(names[0]!, greater);
  await pass(300);
  t.same(world.adopted.slice(2), [greater]);
  for (const older of [note(0, 60, [1000, 1000, 1000, undefined]), note(0, 70, [1000, 1000, 1000, undefined])]) {
    published.set(names[0]!, older);
    await pass(300);
  }
  t.equal(world.adopted.length, 3, 'time does not go back');
});

t.test('a validator that stands still, or walks far behind, is left for another', async (t) => {
  for (const how of ['stands still, in ever new words', 'walks far behind']) {
    const { world, published, names, pass } = setUp();
    for (let step = 0; step < 30; step += 1) {
      const wallS = Math.floor(world.wall / 1000);
      const third = step % 2;
      const times = [990, 990, third === 0 ? 990 : undefined, third === 1 ? 990 : undefined];
      published.set(names[0]!, how.startsWith('stands') ? note(0, 50, times) : note(0, 50 + step, [900, 900, 900]));
      published.set(names[1]!, note(1, 100, [wallS, wallS, wallS]));
      await pass(500);
    }
    t.equal(world.adopted.at(-1), published.get(names[1]!), how);
    t.ok(world.asked.filter((name) => name === names[0]).length < 25, how);
  }
});

t.test('what was published before a restart is not replaced by something older', async (t) => {
  const { follower, world, published, names, pass } = setUp();
  const newest = note(0, 50, [1000, 1000, 1000]);
  follower.restore(newest);
  for (const name of names) published.set(name, note(1, 50, [999, 999, 999]));
  await pass(1000);
  t.same(world.adopted, []);
  follower.restore('no note');
  for (const name of names) published.set(name, note(1, 51, [1001, 1001, 1001]));
  await pass(1000);
  t.equal(world.adopted.length, 1);
});
