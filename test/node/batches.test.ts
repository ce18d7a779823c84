import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { Batches, decodeTaken } from '../../src/node/batches.ts';
import { encodeEnvelopes, encodeNumbers, frameKinds } from '../../src/node/wire.ts';

function sut() {
  const told: { peer: string; lane: string; kind: number; bytes: number }[] = [];
  const looking: { peer: string; envelopes: readonly Uint8Array[]; end: () => void; fail: () => void }[] = [];
  const batches = new Batches({
    admission: {
      receive: (peer, envelopes) =>
        new Promise((resolve, reject) =>
          looking.push({
            peer,
            envelopes,
            end: () => resolve(undefined),
            fail: () => reject(new WeftError('VERIFY_FAILED', 'died')),
          }),
        ),
    },
    network: () => ({
      send: (peer, lane, kind, payload) => {
        told.push({ peer, lane, kind, bytes: decodeTaken(payload) });
        return true;
      },
    }),
  });
  return { told, looking, batches };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('one answer for several batches, when they have been looked at', async (t) => {
  const { told, looking, batches } = sut();
  const small = encodeEnvelopes([new Uint8Array(500).fill(1), new Uint8Array(600).fill(2)]);
  batches.receive('a', small);
  batches.receive('a', small);
  t.same(
    looking[0]?.envelopes.map((each) => [each.length, each[0]]),
    [
      [500, 1],
      [600, 2],
    ],
  );
  small.fill(0);
  t.equal(looking[0]?.envelopes[0]?.[0], 1, 'nothing of the frame is kept');
  t.same(told, []);
  for (const { end } of looking) end();
  for (let tries = 0; told.length === 0 && tries < 200; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  t.same(told, [{ peer: 'a', lane: 'bulk', kind: frameKinds.taken, bytes: 2 * small.length }]);
  batches.close();
});

t.test('a full one is told of at once, each peer for itself, and also where nothing came of it', async (t) => {
  const { told, looking, batches } = sut();
  const large = encodeEnvelopes([new Uint8Array(40_000), new Uint8Array(40_000)]);
  batches.receive('a', large);
  batches.receive('b', large);
  looking[0]?.end();
  looking[1]?.fail();
  await turn();
  t.match(told, [
    { peer: 'a', bytes: large.length },
    { peer: 'b', bytes: large.length },
  ]);
  batches.receive('a', large);
  batches.close();
  looking[2]?.end();
  await turn();
  t.equal(told.length, 2, 'nothing is sent any more');
});

t.test('what no honest node sends is refused', async (t) => {
  const { looking, batches } = sut();
  t.throws(() => batches.receive('a', new Uint8Array(256 * 1024 + 1)), { code: 'MESSAGE_MALFORMED' });
  t.throws(() => batches.receive('a', encodeNumbers(1)), { code: 'MESSAGE_MALFORMED' });
  t.throws(() => batches.receive('a', Uint8Array.of(0x81)), { code: 'CBOR_TRUNCATED' });
  t.throws(() => decodeTaken(encodeNumbers(1, 2)), { code: 'MESSAGE_MALFORMED' });
  t.equal(looking.length, 0);
});
