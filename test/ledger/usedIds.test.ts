import t from 'tap';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import type { KeyValue } from '../../src/ledger/keyValue.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { PreparedTx } from '../../src/ledger/types.ts';
import { UsedIds } from '../../src/ledger/usedIds.ts';
import { addBlock, genesisTime, MemoryDisk, makeGenesis, packetsTx } from './fixtures.ts';

const id = (n: number): string => sha256Hex(encodeUtf8(`tx ${n}`));
const minute = 60_000;
const from = Number.NEGATIVE_INFINITY;

t.test('"no" is exact, and "maybe" is rare, however large it grows', async (t) => {
  const used = new UsedIds(from);
  const expires = (n: number): number => 1_000_000 + (n % 7) * 20_000;
  for (let n = 0; n < 20_000; n += 2) used.add(id(n), expires(n));
  let missed = 0;
  let maybe = 0;
  for (let n = 0; n < 20_000; n += 1) {
    const answer = used.mayHold(id(n), expires(n));
    if (n % 2 === 0 && !answer) missed += 1;
    if (n % 2 === 1 && answer) maybe += 1;
  }
  t.equal(missed, 0);
  t.ok(maybe < 3, `${maybe} of 10,000`);
  t.equal(used.mayHold(id(0), expires(0) + minute), false, 'with another expiry it is another transaction');
});

t.test('ids that begin alike are told apart by 64 bits, and zeros are an id', async (t) => {
  const used = new UsedIds(from);
  const like = (tail: string): string => `${'ab'.repeat(4)}${tail.padStart(8, '0')}${'0'.repeat(48)}`;
  for (let n = 0; n < 300; n += 1) used.add(like(n.toString(16)), minute);
  for (let n = 0; n < 600; n += 1) {
    // The second word 0 is kept as 1: one more "maybe" in 2^32.
    t.equal(used.mayHold(like(n.toString(16)), minute), n < 300);
  }
  t.equal(used.mayHold('0'.repeat(64), minute), false);
  used.add('0'.repeat(64), minute);
  t.equal(used.mayHold('0'.repeat(64), minute), true);
});

t.test('what has expired makes room, and of it nothing is known any more', async (t) => {
  const used = new UsedIds(from);
  for (let n = 0; n < 10_000; n += 1) used.add(id(n), n < 5000 ? minute : 5 * minute);
  const { bytes } = used;
  used.passed(2 * minute);
  t.ok(used.bytes <= bytes / 2);
  t.equal(used.mayHold(id(1), minute), true, 'ask the store');
  t.equal(used.mayHold(id(9999), 5 * minute), true);
  t.equal(used.mayHold(id(1), 5 * minute), false);
  used.add(id(1), minute);
  t.ok(used.bytes <= bytes / 2, 'late ones are not kept');
  used.passed(10 * minute);
  t.equal(used.bytes, 0);
});

t.test('bytes are bounded: where there is no room the answer is "maybe"', async (t) => {
  const used = new UsedIds(from, 64 * 1024);
  for (let n = 0; n < 20_000; n += 1) used.add(id(n), n % 10 === 0 ? minute : 5 * minute);
  t.ok(used.bytes <= 64 * 1024);
  let missed = 0;
  for (let n = 0; n < 20_000; n += 1) if (!used.mayHold(id(n), n % 10 === 0 ? minute : 5 * minute)) missed += 1;
  t.equal(missed, 0);
  t.equal(used.mayHold(id(30_000), 5 * minute), true, 'that table is full');
  used.passed(6 * minute);
  t.equal(used.mayHold(id(30_000), 9 * minute), false, 'later ones are known again');
});

t.test('what may have been final before is not denied', async (t) => {
  const used = new UsedIds(5 * minute);
  t.equal(used.mayHold(id(1), 5 * minute), true);
  t.equal(used.mayHold(id(1), 5 * minute + 1), false);
});

/** A disk that counts how often it is asked for a transaction. */
function counting(disk: MemoryDisk): { readonly database: KeyValue; asked: number } {
  const { database } = disk;
  const counts = {
    asked: 0,
    database: {
      ...database,
      get: (key: Uint8Array) => {
        if (key[0] === 'x'.charCodeAt(0)) counts.asked += 1;
        return database.get(key);
      },
    },
  };
  return counts;
}

t.test('a new transaction asks no disk, a used one is known before and after a restart', async (t) => {
  const { genesis } = makeGenesis(4);
  const disk = new MemoryDisk();
  const open = async () => {
    const counts = counting(disk);
    const ledger = await Ledger.open({ dir: '/ledger', genesis, files: disk.files, database: counts.database });
    return { ledger, counts };
  };
  const admissible = async (ledger: Ledger, envelope: Uint8Array): Promise<string | undefined> => {
    const [prepared] = await ledger.prepare([envelope], 'admission');
    return ledger.admissible(prepared as PreparedTx, ledger.finalized.header.time + 1);
  };
  const first = await open();
  const used = packetsTx(genesis.chain, 'alice', { expires: genesisTime + 2 * minute });
  await addBlock(first.ledger, [used, packetsTx(genesis.chain, 'alice')]);
  t.equal(await admissible(first.ledger, packetsTx(genesis.chain, 'alice')), undefined);
  t.equal(first.counts.asked, 0, 'in a new chain all is known');
  t.equal(await admissible(first.ledger, used), 'TX_DUPLICATE');
  t.ok(first.counts.asked > 0);
  await t.rejects(addBlock(first.ledger, [used]), { message: 'TX_DUPLICATE' });
  await first.ledger.close();

  const second = await open();
  t.equal(await admissible(second.ledger, used), 'TX_DUPLICATE');
  const asked = second.counts.asked;
  t.equal(await admissible(second.ledger, packetsTx(genesis.chain, 'alice')), undefined);
  t.equal(second.counts.asked, asked + 1, 'what expires within the lifetime of the tip is asked of the disk');
  await addBlock(second.ledger, [], { time: genesisTime + minute });
  const late = packetsTx(genesis.chain, 'alice', { expires: genesisTime + 1000 + 5 * minute + 1 });
  t.equal(await admissible(second.ledger, late), undefined);
  t.equal(second.counts.asked, asked + 1, 'what expires later could not have stood in any block before');
  await addBlock(second.ledger, [late], { time: genesisTime + 2 * minute - 2 });
  t.equal(await admissible(second.ledger, late), 'TX_DUPLICATE');
  t.equal(await admissible(second.ledger, used), 'TX_DUPLICATE');
  await second.ledger.close();
});
