import fc from 'fast-check';
import t from 'tap';
import { encodeCbor } from '../../src/codec/cbor.ts';
import { WeftError } from '../../src/codec/error.ts';
import { decodeSentCosignature, encodeSentCosignature } from '../../src/log/sentCosignature.ts';
import { decodeBodies, decodeRunAnswer, encodeBodies, encodePruned, encodeRun } from '../../src/node/runAnswers.ts';
import { decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion } from '../../src/node/signOnceMessages.ts';
import {
  decodeBlock,
  decodeEnvelopes,
  decodeEnvelopesRequest,
  decodeHello,
  decodeNumbers,
  decodeProposal,
  decodeSubmitAnswer,
  encodeBlock,
  encodeEnvelopes,
  encodeEnvelopesRequest,
  encodeHello,
  encodeNumbers,
  encodeProposal,
  encodeSubmitAnswer,
  isFormCode,
} from '../../src/node/wire.ts';

const id = (n: number): string => n.toString(16).padStart(64, '0');
const vote = {
  kind: 'notarize' as const,
  subject: { epoch: 1, view: 7, parentView: 6, blockId: id(9) },
  signer: 2,
  signature: new Uint8Array(64).fill(3),
};

const ownVotes = { epoch: 3, asker: 2, nonce: new Uint8Array(16).fill(4), answerer: 1, votes: [vote] };

t.test('each message is read back as it was written', async (t) => {
  const hello = { chain: 'weft-dev-0123456789ab', ruleset: 1, epoch: 1, view: 9, finalizedHeight: 8, finalizedView: 8 };
  t.same(decodeHello(encodeHello(hello)), hello);
  t.same(decodeNumbers(encodeNumbers(1, 2), 2), [1, 2]);
  const proposal = {
    vote,
    header: new Uint8Array([1, 2]),
    envelopeIds: [id(1), id(2)],
    bodies: [{ position: 1, envelope: new Uint8Array([5]) }],
  };
  t.same(decodeProposal(encodeProposal(proposal)), proposal);
  const signature = new Uint8Array(64).fill(5);
  const { votes: _votes, answerer: _answerer, ...question } = ownVotes;
  t.same(decodeQuestion(encodeQuestion(question, id(8), () => signature)), { ...question, signature });
  t.same(decodeAnswer(encodeAnswer(ownVotes, id(8), () => signature)), { ...ownVotes, signature });
  const line = { name: 'chain/v1', keyId: '01020304', blob: new Uint8Array(72).fill(1) };
  t.same(decodeSentCosignature(encodeSentCosignature({ size: 5, root: id(3), line })), { size: 5, root: id(3), line });
  const envelopes = [new Uint8Array([1]), new Uint8Array([2, 3])];
  t.same(decodeEnvelopes(encodeEnvelopes(envelopes), { bytesMax: 100, countMax: 2 }), envelopes);
  t.throws(() => decodeEnvelopes(encodeEnvelopes(envelopes), { bytesMax: 100, countMax: 1 }), { code: /^CBOR/ });
  t.same(decodeEnvelopesRequest(encodeEnvelopesRequest(id(4), [0, 7])), { blockId: id(4), positions: [0, 7] });
  t.same(decodeBlock(encodeBlock(new Uint8Array([1]), new Uint8Array([2])), 100), {
    header: new Uint8Array([1]),
    body: new Uint8Array([2]),
  });
  const run = { headers: [new Uint8Array([1])], bodies: [new Uint8Array([2])], certificate: new Uint8Array([3]) };
  t.same(decodeRunAnswer(encodeRun(run)), { kind: 'run', run });
  t.same(decodeRunAnswer(encodePruned(77)), { kind: 'pruned', fromHeight: 77 });
  t.same(decodeBodies(encodeBodies(run.bodies), 9), run.bodies);
  t.throws(() => decodeBodies(encodeBodies([new Uint8Array(1), new Uint8Array(1)]), 1), { code: 'CBOR_TOO_LARGE' });
});

t.test('a position beyond the block, a nullify vote in a proposal: refused', async (t) => {
  const bad = {
    vote,
    header: new Uint8Array(),
    envelopeIds: [id(1)],
    bodies: [{ position: 1, envelope: new Uint8Array() }],
  };
  t.throws(() => decodeProposal(encodeProposal(bad)), { code: 'MESSAGE_MALFORMED' });
  const nullify = { ...vote, kind: 'nullify', subject: { epoch: 1, view: 7 } } as unknown as typeof vote;
  t.throws(() => decodeProposal(encodeProposal({ ...bad, vote: nullify, bodies: [] })), { code: 'MESSAGE_MALFORMED' });
});

t.test('a question that asks for a position twice is refused: its answer would have no bound', async (t) => {
  for (const positions of [[0, 0], [2, 1], new Array(8000).fill(3)]) {
    t.throws(() => decodeEnvelopesRequest(encodeEnvelopesRequest(id(4), positions)), { code: 'MESSAGE_MALFORMED' });
  }
});

t.test('a word on a transaction is read, or is none', async (t) => {
  const refused = { verdict: 'refused', code: 'TX_EXPIRED', reason: 'too late' } as const;
  t.same(decodeSubmitAnswer(encodeSubmitAnswer(refused)), refused);
  t.same(decodeSubmitAnswer(encodeSubmitAnswer({ verdict: 'ok', status: 'new' })), { verdict: 'ok', status: 'new' });
  const junk = [encodeNumbers(1, 2), encodeNumbers(), new Uint8Array([255]), encodeCbor('ok'), encodeCbor(null)];
  junk.push(encodeCbor(['ok']), encodeCbor(['refused', 'no code', 'x']), encodeCbor(['refused', 'TX_FORM', 7]));
  for (const bytes of junk) t.throws(() => decodeSubmitAnswer(bytes), { code: /^(MESSAGE_MALFORMED|CBOR_.*)$/ });
});

t.test('only what every node refuses at any time is blamed on who passed it on', async (t) => {
  for (const code of ['ENVELOPE_INVALID', 'JSON_NUMBER', 'TX_FORM', 'TX_CHAIN', 'MESSAGE_MALFORMED', 'CBOR_TRUNCATED'])
    t.ok(isFormCode(code), code);
  for (const code of [
    'TX_EXPIRED',
    'TX_NOT_YET_VALID',
    'KEY_INACTIVE',
    'VERIFY_QUEUE_FULL',
    'MEMPOOL_FULL',
    'INTERNAL',
  ])
    t.notOk(isFormCode(code), code);
  for (const code of ['ENVELOPE_ALG_UNSUPPORTED', 'TX_TYPE_UNKNOWN', 'SIGNATURE_INVALID', 'DISK_FAILED'])
    t.notOk(isFormCode(code), code);
});

t.test('any bytes are either read or refused with a code', async (t) => {
  const decoders: ((bytes: Uint8Array) => unknown)[] = [
    decodeHello,
    (bytes) => decodeNumbers(bytes, 2),
    decodeProposal,
    decodeQuestion,
    decodeAnswer,
    decodeSentCosignature,
    (bytes) => decodeEnvelopes(bytes, { bytesMax: 1000, countMax: 10 }),
    decodeEnvelopesRequest,
    (bytes) => decodeBlock(bytes, 1000),
    decodeRunAnswer,
    decodeSubmitAnswer,
  ];
  const valid = [
    encodeAnswer(ownVotes, id(8), () => new Uint8Array(64)),
    encodeEnvelopesRequest(id(1), [1, 2]),
    encodeNumbers(1, 2),
  ];
  const mutated = fc
    .tuple(fc.constantFrom(...valid), fc.nat(), fc.nat(255))
    .map(([bytes, at, value]) => bytes.map((byte, i) => (i === at % bytes.length ? value : byte)));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
      for (const decode of decoders) {
        try {
          decode(bytes);
        } catch (error) {
          if (!(error instanceof WeftError)) throw error;
        }
      }
    }),
    { numRuns: 3000 },
  );
  t.pass('no other error escaped');
});
