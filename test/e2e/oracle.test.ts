// What the crash tests rely on can fail: the oracle sees what must not be, and the forgetful disk forgets.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Vote, VoteKind } from '../../consensus/types.ts';
import { nodeFiles as forgetful } from './hooks/forgetfulFiles.ts';
import { Level } from './hooks/forgetfulLevel.ts';
import { voteConflicts } from './wire.ts';

const nameOf = (_: number, signer: number): string | undefined => names[signer];
const names = ['v1', 'v2'];

function vote(kind: VoteKind, view: number, block = 'aa', signer = 0, epoch = 1): Vote {
  const subject = kind === 'nullify' ? { epoch, view } : { epoch, view, parentView: view - 1, blockId: block };
  return { kind, subject, signer, signature: new Uint8Array(64) } as Vote;
}

t.test('the oracle knows what no honest validator signs', async (t) => {
  const honest = [
    vote('notarize', 1),
    vote('finalize', 1),
    vote('notarize', 2),
    vote('nullify', 2),
    vote('notarize', 2, 'bb', 1),
    vote('nullify', 3),
    vote('notarize', 3, 'cc', 0, 2),
  ];
  t.same(voteConflicts(honest, nameOf), []);
  t.same(voteConflicts([...honest, vote('notarize', 1, 'bb')], nameOf), ['two notarize votes by v1 in epoch 1 view 1']);
  t.same(voteConflicts([vote('finalize', 4), vote('finalize', 4, 'bb')], nameOf), [
    'two finalize votes by v1 in epoch 1 view 4',
  ]);
  const both = ['nullify and finalize by v1 in epoch 1 view 2'];
  t.same(voteConflicts([...honest, vote('finalize', 2)], nameOf), both);
  t.same(voteConflicts([vote('finalize', 2), vote('nullify', 2)], nameOf), both, 'in either order');
});

t.test('the forgetful disk keeps what was synced, under names that were synced', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-forgetful-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const real = (name: string): string | undefined =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined;
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  const file = await forgetful.openAppend(join(folder, 'a.tmp'));
  await file.append(bytes('one'));
  await file.datasync();
  t.same(readdirSync(folder), [], 'content without a name is lost');
  await forgetful.rename(join(folder, 'a.tmp'), join(folder, 'a'));
  t.same(await forgetful.list(folder), ['a']);
  await forgetful.syncFolder(folder);
  t.equal(real('a'), 'one');
  await file.append(bytes(' two'));
  t.same(await forgetful.read(join(folder, 'a')), bytes('one two'), 'the process sees it');
  t.equal(real('a'), 'one', 'the disk has not got it');
  const sync = file.datasync();
  await file.append(bytes(' three'));
  await sync;
  t.equal(real('a'), 'one two', 'a sync says nothing of what was appended after its call');
  await forgetful.truncate(join(folder, 'a'), 3);
  t.equal(real('a'), 'one two');
  await file.datasync();
  t.equal(real('a'), 'one');
  await forgetful.unlink(join(folder, 'a'));
  t.equal(real('a'), 'one');
  await forgetful.syncFolder(folder);
  t.same(readdirSync(folder), []);
});

t.test('the forgetful database keeps what was synced', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-forgetful-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const key = (byte: number): Uint8Array => new Uint8Array([byte]);
  const put = (byte: number) => [{ type: 'put' as const, key: key(byte), value: key(byte) }];
  const options = { keyEncoding: 'view', valueEncoding: 'view' };
  const level = new Level(folder, options);
  await level.open();
  await level.batch(put(1), { sync: true });
  await level.batch(put(2));
  t.same(await level.get(key(1)), key(1));
  t.equal(await level.get(key(2)), undefined);
  await level.batch(put(3), { sync: true });
  t.same(await level.get(key(2)), key(2), 'a later synced batch carries it along');
  await level.batch(put(4));
  await level.close();
  const after = new Level(folder, options);
  await after.open();
  t.equal(await after.get(key(4)), undefined);
  await after.close();
});
