import t, { type Test } from 'tap';
import type { Vote } from '../../consensus/types.ts';
import type { Json } from '../../contracts/types.ts';
import { fromBase64, toBase64Url } from '../../src/codec/base64.ts';
import { encodeCbor } from '../../src/codec/cbor.ts';
import { fromHex } from '../../src/codec/hex.ts';
import { sign } from '../../src/crypto/ed25519.ts';
import type { Epoch } from '../../src/ledger/validatorSet.ts';
import { encodeVote } from '../../src/ledger/votes.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign } from '../../src/log/cosignature.ts';
import { encodeSentCosignature } from '../../src/log/sentCosignature.ts';
import { Evidence, evidenceOfOneMax, type KeptEvidence } from '../../src/node/evidence.ts';
import { encodePair, makePair } from '../../src/node/evidencePair.ts';
import { EvidenceReports } from '../../src/node/evidenceReports.ts';
import type { Outcome } from '../../src/node/ownTransactions.ts';
import { cosignerKeyOf } from '../../src/node/queries.ts';

import { makeGenesis, seedOf, signVote } from '../ledger/fixtures.ts';

const { genesis } = makeGenesis(4);
const { epoch } = genesis;
const nameOf = (signer: number): string => epoch.validators[signer]!.name;
const blockId = (n: number): string => n.toString(16).padStart(64, '0');

function notarize(signer: number, view: number, block: number, epochNumber = 1): Uint8Array {
  const subject = { epoch: epochNumber, view, parentView: view - 1, blockId: blockId(block) };
  return encodeVote(signVote(genesis, epoch, 'notarize', subject, signer) as Vote);
}

function vote(kind: 'nullify' | 'finalize', signer: number, view: number): Uint8Array {
  const round = { epoch: 1, view };
  const subject = kind === 'nullify' ? round : { ...round, parentView: view - 1, blockId: blockId(1) };
  return encodeVote(signVote(genesis, epoch, kind, subject, signer) as Vote);
}

function cosignature(signer: number, size: number, root: number, seed = `${nameOf(signer)}/cosigner`): Uint8Array {
  const key = cosignerKeyOf(genesis.chain, epoch.validators[signer]!);
  const text = formatCheckpoint({ origin: genesis.origin, size, root: fromHex(blockId(root)) });
  const line = cosign(text, 1_800_000_000, key, (message) => sign(message, seedOf(seed)));
  return encodeSentCosignature({ size, root: blockId(root), line });
}

/** `retired`: an epoch before the present one had the same validators. */
function setUp(t: Test, notes = new Map<string, Uint8Array>(), now: Epoch = epoch) {
  const found: string[] = [];
  const evidence = new Evidence({
    ledger: {
      genesis,
      epoch: now,
      epochOf: (number) => (number >= 1 && number <= now.epoch ? { ...epoch, epoch: number } : undefined),
      note: (name) => notes.get(name),
      putNote: async (name, value) => {
        notes.set(name, value);
      },
    },
    found: ({ offender, at, pair }) => found.push(`${offender} ${pair.kind} ${at}`),
    failed: (error) => t.fail(String(error)),
  });
  return { evidence, found, notes };
}

const stored = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

t.test('what is found is kept once, in either order, and over restarts', async (t) => {
  const { evidence, found, notes } = setUp(t);
  evidence.seen('votes', 1, notarize(2, 7, 1), notarize(2, 7, 2));
  evidence.seen('votes', 1, notarize(2, 7, 2), notarize(2, 7, 1));
  evidence.seen('votes', 1, notarize(2, 7, 2), notarize(2, 7, 3));
  evidence.seen('votes', 1, vote('nullify', 3, 9), vote('finalize', 3, 9));
  evidence.seen('cosignatures', 1, cosignature(1, 40, 1), cosignature(1, 40, 2));
  const words = ['v03 votes 7', 'v04 votes 9', 'v02 cosignatures 40'];
  t.same(found, words, 'one offence is one piece of evidence, whatever more was signed');
  await stored();
  const again = setUp(t, notes);
  t.same(
    again.evidence
      .all()
      .map(({ offender, at, pair }) => `${offender} ${pair.kind} ${at}`)
      .sort(),
    [...words].sort(),
  );
  again.evidence.seen('votes', 1, notarize(2, 7, 1), notarize(2, 7, 2));
  t.same(again.found, [], 'known after the restart');
});

t.test('a liar without end fills neither disk nor ledger; the next epoch counts anew', async (t) => {
  const { evidence, found, notes } = setUp(t);
  for (let view = 1; view < 100; view += 1) evidence.seen('votes', 1, notarize(2, view, 1), notarize(2, view, 2));
  t.equal(found.length, evidenceOfOneMax);
  await stored();
  t.equal(notes.size, evidenceOfOneMax + 1);
  const later = setUp(t, notes, { ...epoch, epoch: 2 });
  later.evidence.seen('votes', 2, notarize(2, 1, 1, 2), notarize(2, 1, 2, 2));
  t.same(later.found, ['v03 votes 1']);
  await stored();
  const muchLater = setUp(t, notes, { ...epoch, epoch: 9 });
  t.same(muchLater.evidence.all(), []);
  t.equal(
    muchLater.evidence.receive(encodePair(makePair('votes', 1, notarize(2, 1, 1), notarize(2, 1, 2)))),
    undefined,
  );
  t.same(muchLater.evidence.all(), [], 'retired keys accuse nobody for ever');
});

t.test('what others pass on is verified before it is kept, and junk costs them', async (t) => {
  const { evidence, found } = setUp(t);
  const pass = (a: Uint8Array, b: Uint8Array, kind: 'votes' | 'cosignatures' = 'votes', number = 1): unknown =>
    evidence.receive(encodePair(makePair(kind, number, a, b)));
  const forged = notarize(2, 7, 2);
  forged[forged.length - 1]! ^= 1;
  t.equal(pass(notarize(2, 7, 1), forged), 'invalid', 'a signature that does not hold');
  t.equal(pass(notarize(2, 7, 1), notarize(3, 7, 2)), 'invalid', 'of two signers');
  t.equal(pass(notarize(2, 7, 1), notarize(2, 8, 2)), 'invalid', 'of two views');
  t.equal(pass(notarize(2, 7, 1), vote('nullify', 2, 7)), 'invalid', 'an honest one may sign both');
  t.equal(pass(notarize(2, 7, 1), vote('finalize', 2, 7)), 'invalid', 'and these');
  t.equal(pass(cosignature(1, 40, 1), cosignature(1, 41, 2), 'cosignatures'), 'invalid', 'of two sizes');
  t.equal(pass(cosignature(1, 40, 1), cosignature(1, 40, 2, 'somebody'), 'cosignatures'), 'invalid');
  t.equal(pass(notarize(2, 7, 1, 2), notarize(2, 7, 2, 2), 'votes', 2), undefined, 'an epoch that is still to come');
  t.throws(() => evidence.receive(new Uint8Array(30)), { code: /^(CBOR_|MESSAGE_)/ });
  t.throws(() => evidence.receive(encodeCbor([0, 1, notarize(2, 7, 2)])), { code: 'MESSAGE_MALFORMED' });
  t.same(found, []);
  t.equal(pass(notarize(2, 7, 1), notarize(2, 7, 2)), undefined);
  t.equal(pass(cosignature(1, 40, 1), cosignature(1, 40, 2), 'cosignatures'), undefined);
  t.equal(pass(notarize(2, 7, 1), forged), undefined, 'known already: nothing is verified');
  t.same(found, ['v03 votes 7', 'v02 cosignatures 40']);
});

const kept: KeptEvidence = {
  id: 'votes-1-7-v03',
  offender: 'v03',
  key: toBase64Url(epoch.validators[2]!.vote),
  at: 7,
  pair: makePair('votes', 1, notarize(2, 7, 1), notarize(2, 7, 2)),
};

/** The validators of one network with one ledger between them, on a clock that the test moves. */
function reporters(answer: (by: string) => Outcome, alive = epoch.validators.map(({ name }) => name)) {
  const state = new Map<string, Json>();
  const sent: string[] = [];
  const recorded: string[] = [];
  let nowMs = 0;
  const reports = alive.map(
    (me) =>
      new EvidenceReports({
        state: () => state,
        kept: () => [kept],
        validators: () => epoch.validators.map(({ name }) => name),
        me,
        able: () => true,
        send: async (type, body) => {
          sent.push(me);
          const outcome = answer(me);
          if (type !== 'governance.evidence' || body['kind'] !== 'votes' || body['epoch'] !== 1)
            throw new Error('form');
          if (fromBase64(String(body['a'])).length !== kept.pair.a.length) throw new Error('base64');
          if (outcome.applied) state.set(`governance/evidence/${kept.id}`, { id: kept.id });
          return outcome;
        },
        recorded: () => recorded.push(me),
        log: { debug() {}, info() {}, warn() {}, error() {} },
        monotonicMs: () => nowMs,
      }),
  );
  const pass = async (ms: number): Promise<void> => {
    for (const until = nowMs + ms; nowMs < until; nowMs += 500) {
      for (const each of reports) each.tick();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { sent, recorded, pass, reports, state };
}

t.test('one of the validators sends it, never the accused; the others see it recorded', async (t) => {
  const { sent, recorded, pass } = reporters(() => ({ applied: true, code: '' }));
  await pass(60_000);
  t.equal(sent.length, 1);
  t.not(sent[0], 'v03');
  t.same([...recorded].sort(), ['v01', 'v02', 'v03', 'v04'], 'each learns of it once');
});

t.test('who is first is away: another one sends', async (t) => {
  const everybody = reporters(() => ({ applied: true, code: '' }));
  await everybody.pass(60_000);
  const alive = ['v01', 'v02', 'v04'].filter((name) => name !== everybody.sent[0]);
  const rest = reporters(() => ({ applied: true, code: '' }), alive);
  await rest.pass(60_000);
  t.equal(rest.sent.length, 1);
  t.ok(alive.includes(rest.sent[0]!));
});

t.test('refused or lost on the way: sent again, ever more seldom, until the ledger has it', async (t) => {
  let tries = 0;
  const { sent, pass } = reporters(() => ({ applied: ++tries === 5, code: 'TX_EXPIRED' }), ['v01']);
  await pass(20 * 60_000);
  t.equal(sent.length, 5);
  const never = reporters(() => ({ applied: false, code: 'POLICY_DENIED' }), ['v01']);
  await never.pass(24 * 3_600_000);
  t.ok(never.sent.length < 160, `${never.sent.length} in a day`);
  t.ok(never.sent.length > 20, 'it does not give up');
});

t.test('what the ledger takes no more of is not sent, nor open', async (t) => {
  for (const [path, value] of [
    ['governance/accused/1-v03', { offender: 'v03', epoch: 1, count: evidenceOfOneMax }],
    ['governance/epoch/5', { epoch: 5 }],
  ] as const) {
    const { sent, pass, reports, state } = reporters(() => ({ applied: false, code: 'EVIDENCE_ENOUGH' }));
    t.equal(reports[0]!.open().length, 1);
    state.set(path, value);
    await pass(60_000);
    t.same(sent, [], path);
    t.same(reports[0]!.open(), []);
  }
});

t.test('one pair of cosignatures has one id, in whatever epoch it is found', async (t) => {
  const { evidence, found } = setUp(t, new Map(), { ...epoch, epoch: 2 });
  for (const number of [1, 2]) evidence.seen('cosignatures', number, cosignature(1, 40, 1), cosignature(1, 40, 2));
  t.same(found, ['v02 cosignatures 40']);
});
