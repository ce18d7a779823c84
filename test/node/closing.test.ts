import t from 'tap';
import { fromHex } from '../../src/codec/hex.ts';
import { ed25519Signer, verifyFast } from '../../src/crypto/ed25519.ts';
import type { ValidatorKeys } from '../../src/crypto/validatorKeys.ts';
import type { Header } from '../../src/ledger/header.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign } from '../../src/log/cosignature.ts';
import { parseNote } from '../../src/log/note.ts';
import { Closing, type ClosingModules } from '../../src/node/closing.ts';
import type { Cosignature } from '../../src/node/cosigner.ts';
import { cosignerKeyOf } from '../../src/node/queries.ts';
import { makeGenesis, seedOf } from '../ledger/fixtures.ts';

const { genesis } = makeGenesis(4);
const { chain, origin, epoch: first } = genesis;
const validators = first.validators;
const minute = 60_000;
const start = 1_000_000_000;
const root = (n: number): string => n.toString(16).padStart(64, '0');

function headerOf(epoch: number): Header {
  return { epoch, time: start + epoch * minute, logSize: 10 * epoch, logRoot: root(epoch) } as Header;
}

function keysOf(name: string): ValidatorKeys {
  const keys = (role: string) => ({ seed: seedOf(`${name}/${role}`) });
  return { log: keys('log'), cosigner: keys('cosigner') } as unknown as ValidatorKeys;
}

/** A node in epoch `epochs` + 1, all with one set of four. `own`: its place in that set. */
function setUp(epochs: number, own?: number) {
  const notes = new Map<string, Uint8Array>();
  const world = { wall: start + (epochs + 1) * minute, monotonic: 0 };
  const sent: Cosignature[] = [];
  const asked: number[] = [];
  const validator = own === undefined ? undefined : validators[own]!;
  const closing = new Closing({
    ledger: {
      genesis,
      epoch: { ...first, epoch: epochs + 1 },
      epochOf: (epoch: number) => ({ ...first, epoch }),
      closingBlock: (epoch: number) => ({ header: headerOf(epoch) }),
      note: (name: string) => notes.get(name),
      putNote: async (name: string, value: Uint8Array) => void notes.set(name, value),
      rememberCheckpoint: async () => true,
    } as unknown as ClosingModules['ledger'],
    ownIn: () => validator && { validator, keys: keysOf(validator.name) },
    verify: verifyFast,
    send: (cosignature) => sent.push(cosignature),
    askable: () => ['v1'],
    fetch: async (_peer, epoch) => void asked.push(epoch),
    conflict: () => t.fail('nobody lies'),
    failed: (error) => t.fail(String(error)),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    wallMs: () => world.wall,
    monotonicMs: () => world.monotonic,
  });
  return { closing, world, sent, asked, notes };
}

function lineOf(index: number, epoch: number): Cosignature {
  const size = 10 * epoch;
  const text = formatCheckpoint({ origin, size, root: fromHex(root(epoch), 32) });
  const signer = ed25519Signer(seedOf(`${validators[index]!.name}/cosigner`));
  const key = cosignerKeyOf(chain, validators[index]!);
  return { size, root: root(epoch), line: cosign(text, start / 1000, key, (message) => signer.sign(message)) };
}

t.test('validators of each epoch whose end is not here are wanted, and those of epochs that just ended', async (t) => {
  const { closing, world, notes } = setUp(3);
  notes.set('closing/1', new Uint8Array());
  notes.set('closing/3', new Uint8Array());
  await closing.start();
  t.same(closing.missing, [2]);
  t.same(closing.retiring(10 * minute), [3, 2, 1], 'all of them ended within ten minutes');
  t.same(closing.retiring(2.5 * minute), [3, 2], 'two since');
  world.wall += 60 * minute;
  t.same(closing.retiring(10 * minute), [2], 'for as long as it takes');
});

t.test('of many epochs the newest: their validators are let in, and their lines collected', async (t) => {
  const { closing } = setUp(100, 0);
  await closing.start();
  t.equal(closing.missing.length, 100);
  t.same(
    closing.retiring(1000 * minute),
    Array.from({ length: 16 }, (_, i) => 100 - i),
  );
  t.equal(closing.receive(lineOf(1, 100)), 'new', 'an earlier life took them up newest first');
  t.equal(closing.receive(lineOf(1, 85)), 'new');
  t.equal(closing.receive(lineOf(1, 84)), 'dropped');
});

t.test(
  'who was no validator of the epoch asks for its end at once, while those who were are still there',
  async (t) => {
    const [stranger, own] = [setUp(1), setUp(1, 0)];
    for (const { closing } of [stranger, own]) {
      await closing.start();
      closing.tick();
    }
    t.same([stranger.asked, own.asked], [[1], []]);
    own.world.monotonic += first.consensus.recosignMs;
    own.closing.tick();
    t.same(own.asked, [1]);
  },
);

t.test('the line of who catches up bears the time of the block, so that it never looks fresh', async (t) => {
  const { closing, sent, world } = setUp(1, 0);
  world.wall += 60 * minute;
  await closing.start();
  closing.tick();
  t.equal(sent.length, 1);
  for (const index of [1, 2]) closing.receive(lineOf(index, 1));
  await closing.settled();
  t.equal(parseNote(closing.note(1) ?? '').signatures.length, 1 + first.quorum);
  const { blob } = sent[0]!.line;
  t.equal(1000 * Number(new DataView(blob.buffer, blob.byteOffset, 8).getBigUint64(0)), headerOf(1).time);
});
