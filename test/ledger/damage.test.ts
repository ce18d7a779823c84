// A store that is not what was written: said at the start, by name, whatever it is that is gone or changed.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { WeftError } from '../../src/codec/error.ts';
import { type KeyValue, openLevel } from '../../src/ledger/keyValue.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { addBlock, MemoryDisk, makeGenesis, openInMemory, packetsTx } from './fixtures.ts';

const { genesis } = makeGenesis(4);

/** Blocks of 60 transactions: 121 log entries each, so that there are full tiles. */
async function fill(ledger: Ledger, blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i += 1) {
    const time = ledger.finalized.header.time + 1000;
    const options = { expires: time + 60_000 };
    const envelopes = Array.from({ length: 60 }, () => packetsTx(genesis.chain, 'alice', options));
    await addBlock(ledger, envelopes, { time });
  }
}

type Entry = readonly [Uint8Array, Uint8Array];

async function entriesOf(database: KeyValue): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const [key, value] of database.range(new Uint8Array(0), Uint8Array.of(255))) entries.push([key, value]);
  return entries;
}

async function refusal(open: () => Promise<Ledger>): Promise<string> {
  try {
    await (await open()).close();
    return '';
  } catch (error) {
    return (error as WeftError).code ?? String(error);
  }
}

t.test('each single entry that is gone, or has another bit, is noticed or matters to nothing', async (t) => {
  const disk = new MemoryDisk();
  const ledger = await openInMemory(genesis, disk);
  await fill(ledger, 3);
  await ledger.close();
  const entries = await entriesOf(disk.database);
  t.equal(await refusal(() => openInMemory(genesis, disk)), '', 'whole');
  // Records by type are an index for readers that can be made again; a certificate of a block inside an epoch is proof for others.
  const harmless = new Set(['y', 'c']);
  // Where runs begin beyond the last entry is read by nobody: the next commit says it anew (leafRuns.test.ts).
  const lastGroup = entries.findLast(([key]) => key[0] === 0x67)?.[0];
  const missed: string[] = [];
  let tried = 0;
  for (const [at, [key, value]] of entries.entries()) {
    const kind = String.fromCharCode(key[0] ?? 0);
    const many = kind === 'x' || kind === 's';
    if (many && at % 29 !== 0) continue;
    const name = Buffer.from(key)
      .toString('latin1')
      .replace(/[^ -~]/g, '.');
    const changed = value.slice();
    if (changed.length > 0) changed[Math.floor(changed.length / 2)]! ^= 1;
    for (const to of value.length > 0 ? [undefined, changed] : [undefined]) {
      tried += 1;
      await disk.database.write([to === undefined ? { type: 'del', key } : { type: 'put', key, value: to }]);
      const code = await refusal(() => openInMemory(genesis, disk));
      // Of a transaction's outcome only place and count are held against the log.
      const outcome = (kind === 'x' || key === lastGroup) && to !== undefined;
      if (code === '' && !harmless.has(kind) && !outcome)
        missed.push(`${to === undefined ? 'gone' : 'changed'}: ${name}`);
      if (code !== '' && !/^DATA_/.test(code)) missed.push(`${code}: ${name}`);
      await disk.database.write([{ type: 'put', key, value }]);
    }
  }
  t.comment(`${tried} times`);
  t.same(missed, []);
  t.equal(await refusal(() => openInMemory(genesis, disk)), '', 'whole again');
});

t.test('an old block is checked when it is asked for', async (t) => {
  const disk = new MemoryDisk();
  const ledger = await openInMemory(genesis, disk);
  await fill(ledger, 3);
  for (let height = 1; height <= 3; height += 1) t.equal(ledger.checkStored(height), 121);
  const [key, value] = (await entriesOf(disk.database)).find(([each]) => each[0] === 0x72 && each[8]! === 122)!;
  const changed = value.slice();
  // Behind the lengths of 32 entries the first of them begins.
  changed[1 + 2 * 32 + 20]! ^= 1;
  await disk.database.write([{ type: 'put', key, value: changed }]);
  t.equal(ledger.checkStored(1), 121);
  t.throws(() => ledger.checkStored(2), { code: 'DATA_DAMAGED', message: /log entry 122 of block 2/ });
  await ledger.close();
});

t.test('a state path with another bit is damage, whatever stands there then', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'weft-damage-'));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const ledger = await Ledger.open({ dir: home, genesis });
  await fill(ledger, 1);
  await ledger.close();
  for (const bit of [0x80, 0x40, 0x02, 0x01]) {
    const database = await openLevel(join(home, 'store'));
    const [key, value] = (await entriesOf(database)).findLast(([name]) => name[0] === 0x73)!;
    const changed = Uint8Array.from(key);
    changed[3] = (changed[3] ?? 0) ^ bit;
    await database.write([
      { type: 'del', key },
      { type: 'put', key: changed, value },
    ]);
    await database.close();
    t.equal(await refusal(() => Ledger.open({ dir: home, genesis })), 'DATA_DAMAGED', `bit ${bit}`);
    const again = await openLevel(join(home, 'store'));
    await again.write([
      { type: 'del', key: changed },
      { type: 'put', key, value },
    ]);
    await again.close();
  }
  t.equal(await refusal(() => Ledger.open({ dir: home, genesis })), '', 'whole again');
});

t.test('files of the database that are gone, cut or changed', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-damage-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const whole = join(dir, 'whole');
  let heightOfWhole = 0;
  for (let life = 0; life < 3; life += 1) {
    // Each start makes a table of what the life before wrote.
    const ledger = await Ledger.open({ dir: whole, genesis });
    await fill(ledger, 2);
    heightOfWhole = ledger.finalized.header.height;
    await ledger.close();
  }
  const first = (store: string, pattern: RegExp) =>
    join(
      store,
      readdirSync(store)
        .filter((name) => pattern.test(name))
        .sort()[0]!,
    );
  // All of them: one alone may be what a merge has left behind.
  const tables = (store: string) =>
    readdirSync(store).flatMap((name) => (name.endsWith('.ldb') ? join(store, name) : []));
  const flip = (path: string, part: number) => {
    const bytes = readFileSync(path);
    bytes[Math.floor(bytes.length * part)]! ^= 0x10;
    writeFileSync(path, bytes);
  };
  const cut = (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2));
  const cases: [string, (store: string) => unknown, 'damaged' | 'shorter or damaged'][] = [
    ['tables are gone', (store) => tables(store).map((path) => rmSync(path)), 'damaged'],
    ['tables are cut', (store) => tables(store).map(cut), 'damaged'],
    ['the manifest is gone', (store) => rmSync(first(store, /^MANIFEST/)), 'damaged'],
    ['the manifest is changed', (store) => flip(first(store, /^MANIFEST/), 0.5), 'damaged'],
    ['CURRENT is gone', (store) => rmSync(join(store, 'CURRENT')), 'damaged'],
    ['CURRENT is nonsense', (store) => writeFileSync(join(store, 'CURRENT'), 'x'), 'damaged'],
    // LevelDB drops what it cannot read at the end of its log: an older state of the store, whole, which the journal is ahead of.
    ['the log is gone', (store) => rmSync(first(store, /\.log$/)), 'shorter or damaged'],
    ['the log is cut', (store) => cut(first(store, /\.log$/)), 'shorter or damaged'],
    ['the log is changed', (store) => flip(first(store, /\.log$/), 0.4), 'shorter or damaged'],
  ];
  for (const [what, damage, outcome] of cases) {
    const copy = join(dir, 'copy');
    rmSync(copy, { recursive: true, force: true });
    cpSync(whole, copy, { recursive: true });
    damage(join(copy, 'store'));
    try {
      const ledger = await Ledger.open({ dir: copy, genesis });
      const { height } = ledger.finalized.header;
      for (let at = 1; at <= height; at += 1) ledger.checkStored(at);
      await ledger.close();
      t.ok(outcome !== 'damaged' && height < heightOfWhole, `${what}: opened at height ${height} of ${heightOfWhole}`);
    } catch (error) {
      t.equal((error as WeftError).code, 'DATA_DAMAGED', `${what}: ${(error as Error).message.slice(0, 90)}`);
      t.match((error as Error).message, /weft recover/);
    }
  }
});
