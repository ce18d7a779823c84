// Leaves of a block share memory: each must be its own bytes all the same, and little must be held by few of them.
import t from 'tap';
import { treeHasher } from '../../src/ledger/body.ts';
import { LeafWriter } from '../../src/ledger/leafWriter.ts';

const utf8 = new TextEncoder();

t.test('every leaf keeps its bytes and has its hash, whatever is written behind it', async (t) => {
  const writer = new LeafWriter();
  const texts = [
    '{}',
    `{"a":"${'é'.repeat(2000)}"}`,
    `{"b":"${'x'.repeat(20_000)}"}`,
    '{"c":1}',
    `{"d":"${'y'.repeat(60_000)}"}`,
  ];
  const written = [...texts, ...texts].map((text) => [text, writer.record(text)] as const);
  const envelope = new Uint8Array(48 * 1024).fill(0x61);
  const tx = writer.tx(envelope);
  writer.record('{}');
  for (const [text, { bytes, hash }] of written) {
    t.same(Buffer.from(bytes).toString(), text);
    t.same(hash, treeHasher.leafHash(utf8.encode(text)));
  }
  t.equal(Buffer.from(tx.bytes).toString(), `{"type":"tx","envelope":${'a'.repeat(envelope.length)}}`);
  t.same(tx.hash, treeHasher.leafHash(tx.bytes));
});

t.test('a block without transactions holds little: who catches up has thousands of them in memory', async (t) => {
  const { bytes } = new LeafWriter().record(`{"type":"block","x":"${'a'.repeat(380)}"}`);
  t.ok(bytes.buffer.byteLength <= 2048, `${bytes.buffer.byteLength} bytes for ${bytes.length}`);
});
