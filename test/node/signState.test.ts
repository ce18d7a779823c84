import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Files, nodeFiles } from '../../src/ledger/files.ts';
import {
  decodeSignState,
  encodeSignState,
  folderIdentity,
  SignState,
  signStatePath,
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
  const other = await folderIdentity(join(path, '..'));
  t.match(other, /^[0-9]+$/);
  t.equal(await folderIdentity(`${path}/none`), undefined);
});

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
