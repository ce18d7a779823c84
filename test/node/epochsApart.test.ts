import t from 'tap';
import { encodeCertificate } from '../../src/ledger/certificate.ts';
import { encodeVote } from '../../src/ledger/votes.ts';
import { encodeQuestion } from '../../src/node/signOnceMessages.ts';
import { encodeNumbers, frameKinds } from '../../src/node/wire.ts';
import { genesis, makeVictim, names, pause, vote } from './victim.ts';

t.test("what is said in another epoch is nobody's fault, and who is behind gets to know", async (t) => {
  const victim = await makeVictim(0);
  t.teardown(() => victim.close());
  const [from = 1] = victim.others;
  const subject = { epoch: 2, view: 1, parentView: 0, blockId: 'aa'.repeat(32) };
  const asked = { epoch: 2, asker: 6, nonce: new Uint8Array(16) };
  const question = encodeQuestion(asked, genesis.genesisHash, () => new Uint8Array(64));
  const nullify = encodeVote(vote('nullify', { epoch: 2, view: 1 }, 6));
  // Of a set of seven, whose bitmaps and quorums are others.
  const five = Array.from({ length: 5 }, () => vote('finalize', subject, 1).signature);
  const certificate = encodeCertificate(
    { kind: 'finalize', subject, signers: [0, 1, 2, 3, 6], signatures: five } as never,
    7,
  );
  for (const [kind, payload] of [
    [frameKinds.nullify, nullify],
    [frameKinds.certificate, certificate],
    [frameKinds.view, encodeNumbers(2, 7)],
    [frameKinds.myVotes, question],
  ] as const) {
    t.equal(victim.frame(from, kind, payload), undefined);
    t.equal(victim.apart.pop(), `${names[from]} 2`);
  }
  t.equal(victim.consensus.verifyRelayed(frameKinds.certificate, certificate), 'unknown');
  t.equal(victim.consensus.verifyRelayed(frameKinds.nullify, nullify), 'unknown');
  t.equal(victim.consensus.verifyRelayed(frameKinds.myVotes, question), 'unknown');
  t.same(victim.apart, []);
});

t.test('an answer to W11 that was asked for in another epoch counts in none', async (t) => {
  const victim = await makeVictim(0, { answered: false });
  t.teardown(() => victim.close());
  for (const other of victim.others) {
    t.equal(victim.frame(other, frameKinds.yourVotes, victim.answer(other, [], { epoch: 2 })), undefined);
  }
  await pause(50);
  t.notOk(victim.consensus.voting);
  for (const other of victim.others) victim.frame(other, frameKinds.yourVotes, victim.answer(other));
  await pause(50);
  t.ok(victim.consensus.voting);
});
