// One finalization of very many blocks: one batch on the disk, one moment for everybody who reads, and no single stretch of work.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { openLevel, type WriteOp } from '../../src/ledger/keyValue.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { inTurns, slicesOf, stepsPerTurn } from '../../src/ledger/turns.ts';
import type { ExecutedBlock } from '../../src/ledger/types.ts';
import { buildBlock, finalizationOf, genesisTime, makeGenesis, openInMemory, registerTx } from './fixtures.ts';

t.setTimeout(120_000);

const { genesis } = makeGenesis(1);
const { chain } = genesis;

/** Blocks of one registration each, on `parent`. `name`: of whom. */
async function grow(
  ledger: Ledger,
  parent: string,
  count: number,
  name: (i: number) => string,
  firstView = 1,
): Promise<ExecutedBlock[]> {
  const blocks: ExecutedBlock[] = [];
  for (let i = 0; i < count; i += 1) {
    const time = genesisTime + 10 * (firstView + i);
    const block = await buildBlock(ledger, [registerTx(chain, name(i), { expires: time + 60_000 })], {
      parent: blocks.at(-1)?.blockId ?? parent,
      time,
      view: firstView + i,
    });
    blocks.push(block);
  }
  return blocks;
}

/** Calls `each` in every turn of the event loop while `work` is under way. */
async function meanwhile<Result>(work: Promise<Result>, each: () => void): Promise<Result> {
  let on = true;
  const turn = (): void => {
    if (!on) return;
    each();
    setImmediate(turn);
  };
  setImmediate(turn);
  try {
    return await work;
  } finally {
    on = false;
  }
}

t.test('others have their turn, and see the old end of the chain until they see the new one', async (t) => {
  const ledger = await openInMemory(genesis);
  const blocks = await grow(ledger, ledger.finalized.blockId, 800, (i) => `account-${i}`);
  const last = blocks.at(-1)!;
  const seen = new Map<number, number>();
  const committed = await meanwhile(
    ledger.commit(last.blockId, finalizationOf(genesis, ledger.epoch, last)),
    () => void seen.set(ledger.finalized.header.height, (seen.get(ledger.finalized.header.height) ?? 0) + 1),
  );
  t.equal(committed.length, 800);
  t.same(
    [...seen.keys()].filter((height) => height !== 0 && height !== 800),
    [],
  );
  // Each of append, operations and settling has its turns: 3 entries a block.
  t.ok((seen.get(0) ?? 0) >= Math.floor((800 * 3) / stepsPerTurn), `${seen.get(0)} turns`);
  t.equal(ledger.finalized.blockId, last.blockId);
  t.ok(ledger.state.get('identity/account/account-799'));
  t.equal(ledger.checkStored(400), 3);
  const next = await grow(ledger, last.blockId, 1, () => 'after', 801);
  t.equal(next[0]?.header.height, 801);
  await ledger.close();
});

t.test(
  'a branch that is brought while its trunk sinks is never executed on a ground that is not its own',
  async (t) => {
    const elsewhere = await openInMemory(genesis);
    const ledger = await openInMemory(genesis);
    const trunk = await grow(ledger, ledger.finalized.blockId, 600, (i) => `account-${i}`);
    for (const block of trunk) await elsewhere.check(block.headerBytes, block.body);
    // From the beginning, from about a slice's end, and from the middle. Each has a child that registers whom the trunk registers in the
    // end: on a ground that has sunk further that is refused, and the child looks invalid.
    const branches: ExecutedBlock[] = [];
    for (const at of [0, 128, 169, 170, 171, 339, 340, 341, 450, 580]) {
      const parent = at === 0 ? genesis.genesisHash : trunk[at - 1]!.blockId;
      branches.push(
        ...(await grow(elsewhere, parent, 2, (i) => (i === 0 ? `branch-${at}` : `account-${at + 15}`), 1000 + at)),
      );
    }
    const last = trunk.at(-1)!;
    const verdicts = new Map<string, number>();
    const checks: Promise<void>[] = [];
    await meanwhile(ledger.commit(last.blockId, finalizationOf(genesis, ledger.epoch, last)), () => {
      const sinks = ledger.executed(trunk[0]!.blockId) === undefined;
      // Their children come when the trunk has begun to sink.
      for (const { headerBytes, body } of branches.filter((_, i) => sinks || i % 2 === 0)) {
        checks.push(
          ledger.check(headerBytes, body).then((checked) => {
            verdicts.set(checked.verdict, (verdicts.get(checked.verdict) ?? 0) + 1);
          }),
        );
      }
    });
    await Promise.all(checks);
    t.ok((verdicts.get('valid') ?? 0) > 0, JSON.stringify([...verdicts]));
    t.equal(verdicts.get('invalid'), undefined);
    t.equal(ledger.finalized.blockId, last.blockId);
    t.same(
      branches.filter(({ blockId }) => ledger.executed(blockId) !== undefined),
      [],
      'and none of them is left',
    );
    await Promise.all([ledger.close(), elsewhere.close()]);
  },
);

t.test('a large batch is put together in turns', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-batch-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const level = await openLevel(folder);
  const key = (i: number): Uint8Array => encodeUtf8(`k${String(i).padStart(6, '0')}`);
  const ops: WriteOp[] = Array.from({ length: 5000 }, (_, i) => ({ type: 'put', key: key(i), value: key(i) }));
  let turns = 0;
  let partly = false;
  await meanwhile(level.write([...ops, { type: 'del', key: key(0) }]), () => {
    turns += 1;
    partly ||= level.get(key(1)) !== undefined && level.get(key(4999)) === undefined;
  });
  t.ok(turns >= 5000 / stepsPerTurn - 1, `${turns} turns`);
  t.equal(partly, false, 'and there at once');
  t.equal(level.get(key(0)), undefined, 'in order');
  t.same(level.get(key(4999)), key(4999));
  await level.close();
});

t.test('turns', async (t) => {
  const worked: number[] = [];
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  await inTurns(
    [1, 2, 3],
    () => 1,
    (each) => void worked.push(each),
  );
  t.equal(turned, false, 'what fits is done without waiting');
  await inTurns(
    [4, 5],
    () => stepsPerTurn,
    (each) => void worked.push(each),
  );
  t.equal(turned, true);
  t.same(worked, [1, 2, 3, 4, 5]);
  t.same([...slicesOf([1, 2, 3], () => stepsPerTurn / 2)], [[1, 2], [3]]);
  t.same([...slicesOf([1, 2], () => 2 * stepsPerTurn)], [[1], [2]], 'one at least');
  t.same([...slicesOf([], () => 1)], []);
});
