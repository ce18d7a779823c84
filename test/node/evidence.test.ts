import t from 'tap';
import { decodeCbor } from '../../src/codec/cbor.ts';
import { Evidence, evidenceOfOneMax } from '../../src/node/evidence.ts';

const message = (n: number): Uint8Array => new Uint8Array(40).fill(n);

function setUp(notes = new Map<string, Uint8Array>()) {
  const found: string[] = [];
  const evidence = new Evidence({
    ledger: {
      note: (name) => notes.get(name),
      putNote: async (name, value) => {
        notes.set(name, value);
      },
    },
    found: (offender, what) => found.push(`${offender} ${what}`),
    failed: (error) => t.fail(String(error)),
  });
  return { evidence, found, notes };
}

t.test('the same two messages are kept once, over restarts and in either order', async (t) => {
  const { evidence, found, notes } = setUp();
  evidence.keep('v1', 'votes of view 7', [message(1), message(2)]);
  evidence.keep('v1', 'votes of view 7', [message(2), message(1)]);
  await new Promise((resolve) => setImmediate(resolve));
  t.same(found, ['v1 votes of view 7']);
  const again = setUp(notes);
  again.evidence.keep('v1', 'votes of view 7', [message(1), message(2)]);
  t.same(again.found, []);
  again.evidence.keep('v1', 'votes of view 8', [message(1), message(3)]);
  again.evidence.keep('v2', 'votes of view 7', [message(4), message(5)]);
  await new Promise((resolve) => setImmediate(resolve));
  t.same(again.found, ['v1 votes of view 8', 'v2 votes of view 7']);
  const [hash] = decodeCbor(notes.get('evidence-of-v2')!, { bytesMax: 1000 }) as string[];
  t.same(decodeCbor(notes.get(`evidence-${hash}`)!, { bytesMax: 1000 }), [message(4), message(5)]);
});

t.test('a liar without end fills neither disk nor log', async (t) => {
  const { evidence, found, notes } = setUp();
  for (let n = 0; n < 100; n += 1) evidence.keep('v1', 'votes', [message(200), message(n)]);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(found.length, evidenceOfOneMax);
  t.equal(notes.size, evidenceOfOneMax + 1);
});
