import t from 'tap';
import { ed25519Signer } from '../../src/crypto/ed25519.ts';
import { decodeAnswer, encodeQuestion, verifyAnswer } from '../../src/node/signOnceMessages.ts';
import { frameKinds } from '../../src/node/wire.ts';
import { seedOf } from '../ledger/fixtures.ts';
import { epoch, genesis, makeVictim, names, pause, vote } from './victim.ts';

const sign = (index: number) => {
  const signer = ed25519Signer(seedOf(`${names[index]}/vote`));
  return (bytes: Uint8Array) => signer.sign(bytes);
};

t.test('an answer counts through a relay, from whoever signed it, and only for this start', async (t) => {
  const victim = await makeVictim(0, { answered: false });
  t.teardown(() => victim.close());
  const [a = 1, b = 2, c = 3] = victim.others;
  const relayed = (from: number, payload: Uint8Array) => victim.frame(from, frameKinds.yourVotes, payload, true);
  // Somebody's answer from before the restart, brought again: it knows less than is true by now.
  relayed(a, victim.answer(a, [], { nonce: new Uint8Array(16).fill(7) }));
  relayed(b, victim.answer(b, [], { nonce: new Uint8Array(16).fill(7) }));
  await pause(20);
  t.notOk(victim.consensus.voting);
  // One validator cannot answer for another: neither the relay nor the receiver takes it.
  const forged = victim.answer(c);
  t.same(victim.consensus.verifyRelayed(frameKinds.yourVotes, forged), { signer: names[c] });
  t.equal(victim.frame(a, frameKinds.yourVotes, forged), 'invalid', 'on the lane of another');
  const tampered = Uint8Array.from(forged);
  tampered[tampered.length - 1] = (tampered.at(-1) ?? 0) ^ 1;
  t.equal(victim.consensus.verifyRelayed(frameKinds.yourVotes, tampered), 'invalid');
  t.equal(victim.frame(c, frameKinds.yourVotes, tampered), 'invalid', 'signed by nobody');
  relayed(a, victim.answer(a));
  await pause(20);
  t.notOk(victim.consensus.voting, 'q - 1 = 2 are needed');
  relayed(b, victim.answer(b));
  await pause(20);
  t.ok(victim.consensus.voting);
});

t.test('a vote that the journal lacks halts also when a relay brings it', async (t) => {
  const victim = await makeVictim(0, { answered: false });
  t.teardown(() => victim.close());
  const [a = 1] = victim.others;
  const mine = vote('nullify', { epoch: 1, view: 3 }, 0);
  victim.frame(a, frameKinds.yourVotes, victim.answer(a, [mine]), true);
  await pause(20);
  t.same(victim.halted, ['JOURNAL_ROLLED_BACK']);
});

t.test('who is asked answers with the nonce that it was asked with, signed', async (t) => {
  const victim = await makeVictim(0);
  t.teardown(() => victim.close());
  const [asker = 1] = victim.others;
  const nonce = new Uint8Array(16).fill(9);
  const question = encodeQuestion({ epoch: 1, asker, nonce }, genesis.genesisHash, sign(asker));
  t.same(victim.consensus.verifyRelayed(frameKinds.myVotes, question), { signer: names[asker] });
  const foreign = encodeQuestion({ epoch: 1, asker, nonce }, '00'.repeat(32), sign(asker));
  t.equal(victim.consensus.verifyRelayed(frameKinds.myVotes, foreign), 'invalid', 'of another chain');
  t.equal(victim.frame(asker, frameKinds.myVotes, question, true), undefined);
  await pause(20);
  const sent = victim.sent.find(({ kind }) => kind === frameKinds.yourVotes);
  t.equal(sent?.to, names[asker]);
  const answer = decodeAnswer(sent?.payload ?? new Uint8Array());
  t.match(answer, { epoch: 1, asker, answerer: 0, nonce });
  t.ok(verifyAnswer(answer, genesis.genesisHash, epoch.validators));
});
