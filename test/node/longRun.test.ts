// Several full blocks without a finalization of their own make a run that fits no answer: it reaches a node that lags all the same.
import t from 'tap';
import { decodeCbor } from '../../src/codec/cbor.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { Answers } from '../../src/node/answers.ts';
import { decodeBodies, decodeRunAnswer } from '../../src/node/runAnswers.ts';
import { Sync } from '../../src/node/sync.ts';
import { encodeNumbers, requestKinds } from '../../src/node/wire.ts';
import { buildBlock, finalizationOf, genesisTime, makeGenesis, openInMemory, packetsTx } from '../ledger/fixtures.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const { genesis } = makeGenesis(4);

/** A ledger whose last finalization covers `blocks` blocks of `transactions` each. */
async function withLongRun(blocks: number, transactions: number): Promise<Ledger> {
  const ledger = await openInMemory(genesis);
  let parent = ledger.finalized.blockId;
  let last = await buildBlock(ledger, []);
  await ledger.commit(last.blockId, finalizationOf(genesis, ledger.epoch, last));
  parent = last.blockId;
  for (let n = 0; n < blocks; n += 1) {
    const envelopes = Array.from({ length: transactions }, () =>
      packetsTx(genesis.chain, 'alice', { ids: 256, expires: genesisTime + 120_000 }),
    );
    last = await buildBlock(ledger, envelopes, { parent });
    parent = last.blockId;
  }
  await ledger.commit(last.blockId, finalizationOf(genesis, ledger.epoch, last));
  return ledger;
}

async function catchUp(source: Ledger, stalls: boolean): Promise<{ ledger: Ledger; largest: number; asked: string[] }> {
  const ledger = await openInMemory(genesis);
  const answers = new Answers({
    ledger: source,
    blocks: { get: () => undefined, bodyNow: () => undefined },
    isValidator: () => true,
    log: silent,
  } as unknown as ConstructorParameters<typeof Answers>[0]);
  let largest = 0;
  const asked: string[] = [];
  const ask = async (peer: string, kind: number, ...numbers: number[]): Promise<Uint8Array | undefined> => {
    asked.push(`${peer} ${kind}`);
    // One peer brings what it must and then no more.
    if (stalls && peer === 'b' && kind === requestKinds.bodies) return undefined;
    const bytes = await answers.answer(peer, kind, encodeNumbers(...numbers));
    largest = Math.max(largest, bytes?.length ?? 0);
    return bytes;
  };
  const sync = new Sync({
    ledger,
    askable: () => ['b', 'c', 'd'],
    fetchRun: async (peer, from, bytesMax) => {
      const bytes = await ask(peer, requestKinds.run, from, bytesMax);
      return bytes && decodeRunAnswer(bytes);
    },
    fetchBodies: async (peer, from, count, bytesMax) => {
      const bytes = await ask(peer, requestKinds.bodies, from, count, bytesMax);
      return bytes && decodeBodies(bytes, count);
    },
    imported: () => undefined,
    blame: (peer, code) => t.fail(`${peer} ${code}`),
    halted: (code, detail) => t.fail(`${code} ${detail}`),
    snapshotNeeded: () => t.fail('no snapshot'),
    paused: () => false,
    faults: () => 1,
    others: () => 3,
    isValidator: () => true,
    log: silent,
    monotonicMs: () => 0,
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
  });
  const { height } = source.finalized.header;
  for (const peer of ['b', 'c', 'd']) sync.heard(peer, height, 1);
  for (let i = 0; i < 5000 && ledger.finalized.header.height < height; i += 1)
    await new Promise((resolve) => setImmediate(resolve));
  await sync.stop();
  return { ledger, largest, asked };
}

t.test('more than 8 MiB between two finalizations', { timeout: 60_000 }, async (t) => {
  const source = await withLongRun(11, 60);
  const bytes = Array.from({ length: 11 }, (_, i) => source.body(i + 2)?.length ?? 0).reduce((a, b) => a + b);
  t.ok(bytes > 8 * 1024 * 1024, `${bytes} bytes`);
  const { ledger, largest } = await catchUp(source, false);
  t.strictSame(ledger.finalized.header, source.finalized.header);
  t.ok(largest < 2 * 1024 * 1024, `the largest answer had ${largest} bytes`);
});

t.test('a peer that stalls after the headers: others bring the bodies', async (t) => {
  const source = await withLongRun(4, 40);
  const { ledger, asked } = await catchUp(source, true);
  t.strictSame(ledger.finalized.header, source.finalized.header);
  t.ok(asked.includes(`b ${requestKinds.bodies}`) || !asked.includes(`b ${requestKinds.run}`));
  t.ok(
    asked.some((each) => /^[cd] 38$/.test(each)),
    asked.join(),
  );
});

t.test('what was pruned is said to be', async (t) => {
  const ledger = { floor: { height: 77, logSize: 200, entry: 0, tiles: 0 }, exportRunPart: () => t.fail('not read') };
  const answers = new Answers({ ledger, log: silent } as unknown as ConstructorParameters<typeof Answers>[0]);
  const bytes = await answers.answer('p', requestKinds.run, encodeNumbers(76, 1000));
  t.strictSame(decodeCbor(bytes ?? new Uint8Array(), { bytesMax: 99 }), ['pruned', 77]);
});
