import t from 'tap';
import { fromHex } from '../../src/codec/hex.ts';
import { ed25519Signer, verifyFast } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign } from '../../src/log/cosignature.ts';
import { parseNote } from '../../src/log/note.ts';
import { algCosigner, algLog, createVkey } from '../../src/log/vkey.ts';
import { type Cosignature, Cosigner } from '../../src/node/cosigner.ts';

const chain = 'weft-test-0123456789ab';
const origin = `${chain}/weft`;
const signers = [1, 2, 3, 4].map((n) => ed25519Signer(new Uint8Array(32).fill(n)));
const policy = signers.map(({ publicKey }, i) => createVkey(sha256, `${chain}/v${i + 1}`, algCosigner, publicKey));
const from = 1_000_000;
const root = (n: number): string => n.toString(16).padStart(64, '0');

function setUp(own: number, cosignEveryBlocks = 10) {
  const world = {
    now: from + 8000,
    monotonic: 0,
    remembered: [] as string[],
    refuse: false,
    behind: 0,
    /** Of each validator: since when it is not heard. */
    silent: [0, 0, 0, 0],
    shown: [] as [number, number][],
    later: [] as { ms: number; run: () => void }[],
  };
  const sent: Cosignature[] = [];
  const notes: { note: string; size: number }[] = [];
  const conflicts: [Cosignature, Cosignature][] = [];
  const signer = signers[own]!;
  const logSigner = ed25519Signer(new Uint8Array(32).fill(10 + own));
  const cosigner = new Cosigner(
    {
      origin,
      logKey: createVkey(sha256, origin, algLog, logSigner.publicKey),
      signLog: (message) => logSigner.sign(message),
      own: { key: policy[own]!, sign: (message) => signer.sign(message) },
      policy,
      quorum: 3,
      cosignEveryBlocks,
      recosignMs: 2000,
    },
    {
      verify: verifyFast,
      remember: async (size, hex) => {
        if (world.refuse) return false;
        world.remembered.push(`${size} ${hex}`);
        return true;
      },
      send: (cosignature) => sent.push(cosignature),
      shown: (index, height) => world.shown.push([index, height]),
      published: () => {
        const { published: note, publishedSize: size } = cosigner;
        if (note !== undefined && note !== notes.at(-1)?.note) notes.push({ note, size });
      },
      later: (ms, run) => {
        world.later.push({ ms, run });
        return () => {
          world.later = world.later.filter((each) => each.run !== run);
        };
      },
      failed: (error) => t.fail(String(error)),
      conflict: (_key, a, b) => conflicts.push([a, b]),
      wallMs: () => world.now,
      monotonicMs: () => world.monotonic,
      behind: () => world.behind,
      silentMs: (index) => (index === own ? 0 : world.silent[index]!),
    },
  );
  return { cosigner, world, sent, notes, conflicts };
}

const block = (height: number, time: number, logSize: number, closing = false) => ({
  height,
  time: from + time,
  logSize,
  logRoot: root(logSize),
  closing,
});

t.test('which heights are cosigned follows from the chain alone', async (t) => {
  const { cosigner, sent } = setUp(0);
  cosigner.committed(block(1, 5000, 3)); // first block after the last chosen one by more than recosignMs
  cosigner.committed(block(2, 5500, 5)); // neither
  cosigner.committed(block(3, 5600, 7, true)); // closing
  cosigner.committed(block(4, 7599, 9)); // 1999 ms after the last chosen one
  cosigner.committed(block(5, 7600, 11)); // 2000 ms
  cosigner.committed(block(10, 7700, 20)); // a multiple of cosignEveryBlocks
  await cosigner.settle();
  t.same(
    sent.map(({ size }) => size),
    [3, 7, 11, 20],
  );
});

t.test(
  'where each block may be cosigned: the first of each stretch of 40 ms, and the last before a pause',
  async (t) => {
    const { cosigner, world, sent } = setUp(0, 1);
    cosigner.committed(block(1, 6000, 3));
    cosigner.committed(block(2, 6020, 5)); // the same stretch
    t.equal(world.later.length, 1);
    cosigner.committed(block(3, 6039, 7)); // still
    t.equal(world.later.length, 1, 'the pause begins anew');
    cosigner.committed(block(4, 6040, 9)); // the next one
    t.equal(world.later.length, 0);
    cosigner.committed(block(5, 6060, 11));
    await cosigner.settle();
    t.same(sizes(), [3, 9]);
    world.later.shift()?.run();
    await cosigner.settle();
    t.same(sizes(), [3, 9, 11], 'nothing came after it');
    cosigner.committed(block(6, 6061, 11)); // nothing new in the log
    t.equal(world.later.length, 0);
    cosigner.committed(block(7, 6062, 12, true));
    await cosigner.settle();
    t.same(sizes(), [3, 9, 11, 12], 'a closing block, always');
    cosigner.committed(block(9, 6063, 14));
    await cosigner.settle();
    t.same(sizes(), [3, 9, 11, 12, 14], 'the time of the block before is not known: cosigned, rather than not');
    cosigner.committed(block(10, 6064, 15));
    await cosigner.stop();
    t.equal(world.later.length, 0, 'no timer is left');

    function sizes(): number[] {
      return sent.map(({ size }) => size);
    }
  },
);

t.test('nothing is signed that could not be remembered', async (t) => {
  const { cosigner, world, sent } = setUp(0);
  world.refuse = true;
  cosigner.committed(block(10, 5000, 3));
  await cosigner.settle();
  t.same(sent, []);
});

t.test('a quorum publishes; a liar, a stranger and the future do not count', async (t) => {
  const a = setUp(0);
  const others = [1, 2, 3].map((own) => setUp(own));
  for (const { cosigner } of [a, ...others]) cosigner.committed(block(10, 5000, 30));
  for (const { cosigner } of [a, ...others]) await cosigner.settle();
  const [b, c, d] = others.map(({ sent }) => sent[0]!);
  t.equal(a.cosigner.receive(b!), 'new');
  t.equal(a.notes.length, 0, 'two of four');
  t.equal(a.cosigner.receive({ ...c!, root: root(31) }), 'dropped', 'the root is part of what was signed');
  const future = setUp(3);
  future.world.now += 60_000;
  future.cosigner.committed(block(10, 5000, 30));
  await future.cosigner.settle();
  t.equal(a.cosigner.receive(future.sent[0]!), 'dropped');
  t.equal(a.cosigner.receive({ ...d!, line: { ...d!.line, name: `${chain}/v9` } }), 'dropped');
  t.equal(a.notes.length, 0);
  t.equal(a.cosigner.receive(c!), 'new');
  t.equal(a.notes.length, 1);
  const note = parseNote(a.notes[0]!.note);
  t.equal(note.text, `${origin}\n30\n${Buffer.from(root(30), 'hex').toString('base64')}\n`);
  t.same(
    note.signatures.map(({ name }) => name),
    [origin, `${chain}/v1`, `${chain}/v2`, `${chain}/v3`],
    'the log line first, then exactly q cosigners in policy order',
  );
});

t.test('a collected cosignature waits for the block that it is about', async (t) => {
  const a = setUp(0);
  for (const own of [1, 2]) {
    const other = setUp(own);
    other.cosigner.committed(block(10, 5000, 30));
    await other.cosigner.settle();
    a.cosigner.receive(other.sent[0]!);
  }
  t.equal(a.notes.length, 0, 'not executed here yet');
  a.cosigner.committed(block(10, 5000, 30));
  await a.cosigner.settle();
  t.equal(a.notes.length, 1);
});

t.test('who has cosigned has the block: the first one with a log of that size, once it is executed here', async (t) => {
  const a = setUp(0, 1);
  const signed: Cosignature[] = [];
  for (const own of [1, 2]) {
    const other = setUp(own, 1);
    other.cosigner.committed(block(7, 6000, 30));
    await other.cosigner.settle();
    signed.push(other.sent[0]!);
  }
  a.cosigner.receive(signed[0]!);
  t.same(a.world.shown, [], 'which block it is about is not known yet');
  a.cosigner.committed(block(7, 6000, 30));
  t.same(a.world.shown, [[1, 7]]);
  a.cosigner.committed(block(8, 6100, 30)); // empty: the log has not grown
  a.cosigner.receive(signed[1]!);
  t.same(a.world.shown.at(-1), [2, 7]);
});

t.test('two roots of one size by one key are evidence, whichever comes first', async (t) => {
  for (const blockFirst of [true, false]) {
    const a = setUp(0);
    const honest = setUp(1);
    const lying = setUp(1);
    honest.cosigner.committed(block(10, 5000, 30));
    lying.cosigner.committed({ ...block(10, 5000, 30), logRoot: root(99) });
    await honest.cosigner.settle();
    await lying.cosigner.settle();
    if (blockFirst) a.cosigner.committed(block(10, 5000, 30));
    a.cosigner.receive(lying.sent[0]!);
    if (!blockFirst) a.cosigner.committed(block(10, 5000, 30));
    a.cosigner.receive(honest.sent[0]!);
    t.equal(a.conflicts.length, 1, blockFirst ? 'lie after the block' : 'lie before the block');
  }
});

const old = 3_600_000;

t.test('who catches up signs no old size with the present time, but the newest once it is there', async (t) => {
  const { cosigner, world, sent } = setUp(0);
  world.now = from + old;
  world.behind = 3;
  for (let height = 10; height <= 100; height += 10) cosigner.committed(block(height, 5000 + height, height));
  world.monotonic += 10_000;
  cosigner.tick();
  await cosigner.settle();
  t.same(sent, [], 'f liars and this one would make it look fresh');
  world.behind = 0;
  cosigner.tick();
  await cosigner.settle();
  t.same(
    sent.map(({ size }) => size),
    [100],
  );
});

t.test('a size that came late is not signed: the disk took its time, or the block is not of now', async (t) => {
  const { cosigner, world, sent } = setUp(0);
  world.behind = 1;
  cosigner.committed(block(10, 7000, 30));
  world.now = from + old;
  await cosigner.settle();
  t.same([sent.length, world.remembered.length], [0, 1]);
  cosigner.committed(block(20, old - 4001, 40));
  cosigner.committed(block(30, old - 4000, 50));
  await cosigner.settle();
  t.same(
    sent.map(({ size }) => size),
    [50],
  );
});

t.test(
  'an idle chain is cosigned again only with a quorum that is there: by lane, or by its own cosignature',
  async (t) => {
    const a = setUp(0);
    a.cosigner.committed(block(10, 7000, 30));
    await a.cosigner.settle();
    t.equal(a.sent.length, 1);
    a.world.now = from + old;
    a.world.silent = [0, 0, 4001, Number.POSITIVE_INFINITY];
    const again = async (): Promise<number> => {
      a.world.monotonic += 2000;
      a.cosigner.tick();
      await a.cosigner.settle();
      return a.sent.length;
    };
    t.equal(await again(), 1, 'two of four');
    for (const late of [4001, 4000]) {
      const other = setUp(2);
      other.world.now = from + old - late;
      other.cosigner.committed(block(10, 7000, 30));
      other.world.monotonic += 2000;
      other.cosigner.tick();
      await other.cosigner.settle();
      t.equal(a.cosigner.receive(other.sent[0]!), 'new');
      t.equal(await again(), late === 4000 ? 2 : 1, `the third signed ${late} ms ago`);
    }
    a.world.now += 60_000;
    t.equal(await again(), 2);
    a.world.silent = [0, 4000, 4000, 4001];
    t.equal(await again(), 3);
  },
);

t.test('all restart at once on an idle chain: each signs again as soon as it hears the others', async (t) => {
  const nodes = [0, 1, 2, 3].map((own) => setUp(own));
  for (const { cosigner, world } of nodes) {
    world.now = from + old;
    world.silent.fill(Number.POSITIVE_INFINITY);
    cosigner.committed(block(10, 5000, 30));
    cosigner.tick();
    await cosigner.settle();
  }
  t.same(
    nodes.map(({ sent }) => sent.length),
    [0, 0, 0, 0],
  );
  for (const { cosigner, world } of nodes) {
    world.silent.fill(0);
    world.monotonic += 250;
    cosigner.tick();
    await cosigner.settle();
  }
  for (const { cosigner } of nodes) for (const { sent } of nodes) cosigner.receive(sent[0]!);
  t.same(
    nodes.map(({ notes }) => notes.at(-1)?.size),
    [30, 30, 30, 30],
  );
});

t.test('an idle chain is cosigned again, with a newer time', async (t) => {
  const { cosigner, world, sent } = setUp(0);
  cosigner.committed(block(10, 5000, 30));
  await cosigner.settle();
  world.monotonic += 1999;
  cosigner.tick();
  world.monotonic += 1;
  cosigner.tick();
  await cosigner.settle();
  t.equal(sent.length, 2);
  t.equal(sent[1]?.size, 30);
});

t.test('a cosigner that signs a future that never comes displaces nobody else', async (t) => {
  const { cosigner, sent, notes } = setUp(0);
  const signedBy = (who: number, size: number, hex: string): Cosignature => {
    const text = formatCheckpoint({ origin, size, root: fromHex(hex, 32) });
    return { size, root: hex, line: cosign(text, 1000, policy[who]!, (message) => signers[who]!.sign(message)) };
  };
  cosigner.receive(signedBy(1, 3, root(3)));
  for (let i = 0; i < 500; i++) t.equal(cosigner.receive(signedBy(3, 1_000_000 + i, root(i))), 'new');
  cosigner.committed(block(1, 5000, 3));
  await cosigner.settle();
  t.equal(sent.length, 1);
  t.equal(cosigner.receive(signedBy(2, 3, root(3))), 'new', 'the present is still listened to');
  t.equal(notes.at(-1)?.size, 3, 'and published: own, the one that came before the liar, and the one after it');
});

t.test('a thousand blocks at once are not signed one by one: the newest are, and each closing one', async (t) => {
  const { cosigner, world, sent } = setUp(0);
  world.behind = 1;
  for (let height = 10; height <= 10_000; height += 10)
    cosigner.committed(block(height, height, height, height === 5000));
  await cosigner.settle();
  const sizes = sent.map(({ size }) => size);
  t.same(sizes, [4000, 5000, 9970, 9980, 9990, 10_000]);
  t.equal(world.remembered.length, 6);
});

t.test('stopping waits for what is being signed, not for what waits', async (t) => {
  const { cosigner, sent, world } = setUp(0);
  for (let height = 10; height <= 50; height += 10) cosigner.committed(block(height, 8000, height, true));
  await cosigner.stop();
  t.same([sent.length, world.remembered.length], [0, 1]);
  world.monotonic += 10_000;
  cosigner.tick();
  cosigner.committed(block(60, 8000, 60));
  await cosigner.settle();
  t.equal(sent.length, 0);
});

t.test('a wall clock that is set back keeps nobody from signing again, one set ahead makes nobody sign', async (t) => {
  const { cosigner, world, sent } = setUp(0);
  cosigner.committed(block(10, 5000, 30));
  world.now -= 900_000;
  world.monotonic += 2000;
  cosigner.tick();
  await cosigner.settle();
  t.equal(sent.length, 2);
  world.now += 3_600_000;
  cosigner.tick();
  await cosigner.settle();
  t.equal(sent.length, 2);
});
