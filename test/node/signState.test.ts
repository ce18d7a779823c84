import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Files, nodeFiles } from '../../src/ledger/files.ts';
import { folderIdentity, sameFolder } from '../../src/node/folderIdentity.ts';
import {
  decodeSignState,
  encodeSignState,
  SignState,
  signStatePath,
  signStatePaths,
} from '../../src/node/signState.ts';

const chain = 'ab'.repeat(32);
const key = new Uint8Array(32).fill(7);

function fileIn(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'weft-sign-state-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return signStatePath(join(dir, 'keys.json'));
}

t.test('what a key did is read again, for its chain and for that key alone', async (t) => {
  const path = fileIn(t);
  const first = await SignState.open(nodeFiles, path);
  t.equal(first.of(chain, key), undefined);
  await Promise.all([first.set(chain, key, 1, 'SIGNS'), first.set(chain, key, 2, 'SIGNS')]);
  const again = await SignState.open(nodeFiles, path);
  t.match(again.of(chain, key), { epoch: 2, state: 'SIGNS' });
  t.equal(again.of('cd'.repeat(32), key), undefined, 'another chain');
  t.equal(
    again.of(
      chain,
      key.map(() => 8),
    ),
    undefined,
    'another key',
  );
  await again.set(
    chain,
    key.map(() => 8),
    3,
    'SIGNS',
  );
  await again.set(chain, key, 2, 'JOURNAL_ROLLED_BACK');
  const last = await SignState.open(nodeFiles, path);
  t.match(
    [
      last.of(chain, key)?.state,
      last.of(
        chain,
        key.map(() => 8),
      )?.epoch,
    ],
    ['JOURNAL_ROLLED_BACK', 3],
  );
  t.equal(readdirSync(join(path, '..')).length, 1, 'no temporary file stays');
});

t.test('a file that nobody can read speaks against every key, and is kept when it is replaced', async (t) => {
  const path = fileIn(t);
  for (const bad of ['', '{}', '{"format":"weft/sign-state/v1","keys":[{"chain":"x"}]}', 'x'.repeat(70_000)]) {
    writeFileSync(path, bad);
    const state = await SignState.open(nodeFiles, path);
    t.equal(state.unreadable, true);
    t.match(state.of(chain, key), { epoch: 0, state: 'SIGNS' });
  }
  const state = await SignState.open(nodeFiles, path);
  await state.set(chain, key, 1, 'SIGNS');
  t.ok(existsSync(`${path}.unreadable`));
  t.match((await SignState.open(nodeFiles, path)).of(chain, key), { epoch: 1 });
});

t.test('another data folder than the one in which the key last voted', async (t) => {
  const path = fileIn(t);
  const here = await SignState.open(nodeFiles, path, '17');
  await here.set(chain, key, 1, 'SIGNS');
  t.equal(here.moved(chain, key), false, 'a key that begins is at home where it begins');
  t.equal((await SignState.open(nodeFiles, path)).moved(chain, key), false, 'unknown is no other');
  const copy = await SignState.open(nodeFiles, path, '18');
  t.equal(copy.moved(chain, key), true);
  await copy.set(chain, key, 2, 'SIGNS');
  t.equal((await SignState.open(nodeFiles, path, '18')).moved(chain, key), true, 'until it has voted there');
  await copy.settle(chain, key);
  t.equal((await SignState.open(nodeFiles, path, '18')).moved(chain, key), false);
  t.equal((await SignState.open(nodeFiles, path, '17')).moved(chain, key), true);
});

t.test('a folder is told from its copy by inode, birth and machine, as far as they are known', async (t) => {
  const path = fileIn(t);
  const folder = join(path, '..');
  writeFileSync(join(folder, 'x'), '');
  const here = await folderIdentity(folder);
  t.match(here, /^[0-9]+-[0-9]+-[0-9a-f]{16}$/);
  t.equal(await folderIdentity(folder), here, 'a start later');
  t.equal(await folderIdentity(`${path}/none`), undefined);
  const elsewhere = (await folderIdentity(folder, async () => 'another machine')) ?? '';
  t.equal(sameFolder(here ?? '', elsewhere), false, 'a disk that was copied whole');
  t.equal(sameFolder(here ?? '', (await folderIdentity(folder, async () => '')) ?? ''), true);
  for (const [a, b, same] of [
    ['2', '2-17-ab', true],
    ['2', '3-17-ab', false],
    ['2-17-ab', '2-18-ab', false],
    ['2-17-ab', '2-0-ab', true],
    ['2-17-ab', '2-17-ac', false],
    ['2-17-0', '2-17-ac', true],
  ] as const)
    t.same([sameFolder(a, b), sameFolder(b, a)], [same, same], `${a} and ${b}`);

  const before = await SignState.open(nodeFiles, path, '2');
  await before.set(chain, key, 1, 'SIGNS');
  const after = await SignState.open(nodeFiles, path, '2-17-ab');
  t.equal(after.moved(chain, key), false, 'the form of an older file');
  await after.settle(chain, key);
  t.equal((await SignState.open(nodeFiles, path, '2-18-ab')).moved(chain, key), true);
});

t.test(
  'keys that are named otherwise now: what lies beside their other files counts, and is not written',
  async (t) => {
    const keys = fileIn(t).replace(/\.sign-state$/, '');
    const next = keys.replace(/\.json$/, '.next.json');
    t.same(signStatePaths({ keys, nextKeys: next }), {
      path: signStatePath(keys),
      others: [signStatePath(next)],
    });
    const { path, others } = signStatePaths({ keys: next });
    t.equal(path, signStatePath(next));
    t.ok(others.includes(signStatePath(keys)));
    const away = signStatePaths({ keys, signState: join(keys, '..', 'elsewhere') });
    t.ok(away.others.includes(signStatePath(keys)));

    await (await SignState.open(nodeFiles, signStatePath(keys))).set(chain, key, 3, 'SIGNS');
    const text = readFileSync(signStatePath(keys), 'utf8');
    const now = await SignState.open(nodeFiles, path, undefined, others);
    t.match(now.of(chain, key), { epoch: 3, state: 'SIGNS' });
    t.same([now.newestEpoch(chain), now.remembers(chain), now.holds(chain, key, 3)], [3, true, false]);
    await now.set(chain, key, 4, 'SIGNS');
    t.match(now.of(chain, key), { epoch: 4 });
    t.equal(now.holds(chain, key, 4), true);
    t.equal(readFileSync(signStatePath(keys), 'utf8'), text);

    // Two that disagree.
    for (const [own, other, counts] of [
      ['SIGNS 4', 'JOURNAL_LOST 3', 'JOURNAL_LOST 3'],
      ['JOURNAL_LOST 3', 'SIGNS 4', 'JOURNAL_LOST 3'],
      ['CONFIRMED 4', 'JOURNAL_LOST 4', 'CONFIRMED 4'],
      ['CONFIRMED 3', 'SIGNS 4', 'SIGNS 4'],
      ['SIGNS 4', 'CONFIRMED 5', 'SIGNS 5'],
    ] as const) {
      for (const [at, what] of [
        [path, own],
        [signStatePath(keys), other],
      ] as const) {
        const [state = '', epoch] = what.split(' ');
        await (await SignState.open(nodeFiles, at)).set(chain, key, Number(epoch), state);
      }
      const found = (await SignState.open(nodeFiles, path, undefined, others)).of(chain, key);
      t.equal(`${found?.state} ${found?.epoch}`, counts, `${own} here, ${other} there`);
    }
    writeFileSync(signStatePath(keys), 'x');
    const unsure = await SignState.open(nodeFiles, path, undefined, others);
    t.equal(unsure.unreadable, true);
    t.match(
      unsure.of(
        chain,
        key.map(() => 8),
      ),
      { state: 'SIGNS' },
    );
  },
);

t.test('a crash at each step of the write leaves the old or the new', async (t) => {
  const entry = (epoch: number) =>
    encodeSignState([{ chain, vote: Buffer.from(key).toString('base64url'), epoch, state: 'SIGNS' }]);
  for (let dies = 0; dies < 6; dies += 1) {
    const path = fileIn(t);
    writeFileSync(path, entry(1));
    let steps = 0;
    const step = async <T>(work: () => Promise<T>): Promise<T> => {
      if (steps++ === dies) throw new Error('the power is gone');
      return work();
    };
    const files: Files = {
      ...nodeFiles,
      openAppend: (at) =>
        step(async () => {
          const file = await nodeFiles.openAppend(at);
          return {
            append: (bytes) => step(() => file.append(bytes)),
            datasync: () => step(() => file.datasync()),
            close: () => file.close(),
          };
        }),
      rename: (from, to) => step(() => nodeFiles.rename(from, to)),
      syncFolder: (at) => step(() => nodeFiles.syncFolder(at)),
    };
    const state = await SignState.open(files, path);
    if (dies < 5) await t.rejects(state.set(chain, key, 2, 'SIGNS'), { code: 'SIGN_STATE_UNWRITABLE' });
    else await state.set(chain, key, 2, 'SIGNS');
    const [read] = decodeSignState(new Uint8Array(readFileSync(path))) ?? [];
    t.ok(read?.epoch === 1 || read?.epoch === 2, `step ${dies}: epoch ${read?.epoch}`);
    await (await SignState.open(nodeFiles, path)).set(chain, key, 3, 'SIGNS');
    t.match((await SignState.open(nodeFiles, path)).of(chain, key), { epoch: 3 });
  }
});

t.test('a folder that nobody may write in: refused by name', async (t) => {
  const path = fileIn(t);
  if (process.getuid?.() === 0) {
    t.comment('skipped: root may write everywhere');
    return;
  }
  chmodSync(join(path, '..'), 0o500);
  await t.rejects((await SignState.open(nodeFiles, path)).set(chain, key, 1, 'SIGNS'), {
    code: 'SIGN_STATE_UNWRITABLE',
  });
});
