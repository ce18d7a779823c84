import t from 'tap';
import type { NotarizeVote, Vote } from '../../consensus/types.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { txRootOf } from '../../src/ledger/body.ts';
import { encodeCertificate } from '../../src/ledger/certificate.ts';
import { blockIdOf, encodeHeader, type Header } from '../../src/ledger/header.ts';
import type { PreparedTx } from '../../src/ledger/types.ts';
import { encodeVote } from '../../src/ledger/votes.ts';
import { encodeProposal, frameKinds } from '../../src/node/wire.ts';
import { buildBlock, openInMemory } from '../ledger/fixtures.ts';
import { certificate, genesis, leader, makeVictim, pause, vote } from './victim.ts';

/** What one Byzantine validator may say, and what an honest one must not suffer from it. */

const neutral = [0, 1, 2, 3].find((index) => index !== leader(1) && index !== leader(2))!;

async function firstBlock() {
  const builder = await openInMemory(genesis);
  const block = await buildBlock(builder, [], { view: 1, time: Date.now() });
  await builder.close();
  return block;
}

function proposalOf(
  header: Header,
  view: number,
  parentView: number,
  envelopeIds: string[],
  bodies: Uint8Array[],
  signer = leader(view),
) {
  const subject = { epoch: 1, view, parentView, blockId: blockIdOf(header) };
  return encodeProposal({
    vote: vote('notarize', subject, signer) as NotarizeVote,
    header: encodeHeader(header),
    envelopeIds,
    bodies: bodies.map((envelope, position) => ({ position, envelope })),
  });
}

t.test('a body that no decoder takes is an invalid block, and the event loop goes on', async (t) => {
  const victim = await makeVictim(neutral);
  const first = await firstBlock();
  const subject = { epoch: 1, view: 1, parentView: 0, blockId: first.blockId };
  victim.frame(leader(1), frameKinds.proposal, proposalOf(first.header, 1, 0, [], []));
  await pause(50);
  const notarization = certificate('notarize', subject, victim.others);
  victim.frame(victim.others[0]!, frameKinds.certificate, encodeCertificate(notarization, 4));
  await pause(100);
  t.equal(victim.consensus.status().certifiedView, 1);
  const empty = new Uint8Array(0);
  const header = {
    ...first.header,
    view: 2,
    proposer: leader(2),
    height: 2,
    parent: first.blockId,
    time: first.header.time + 1,
    txRoot: txRootOf([sha256Hex(empty)]),
  };
  victim.frame(leader(2), frameKinds.proposal, proposalOf(header, 2, 1, [sha256Hex(empty)], [empty]));
  // Were the loop frozen, this would never return.
  await pause(200);
  t.same(victim.halted, []);
  t.equal(victim.consensus.status().view >= 2, true);
  await victim.close();
});

t.test('a small proposal cannot stand for a huge body', async (t) => {
  const victim = await makeVictim(neutral);
  const first = await firstBlock();
  const envelope = new Uint8Array(48 * 1024).fill(1);
  const id = sha256Hex(envelope);
  const tx = { envelope, envelopeId: id, txId: 'x', account: 'a', expires: Date.now() + 60_000 };
  victim.mempool.add({ tx, keys: [] } as unknown as PreparedTx, 0, false);
  const ids = new Array<string>(4096).fill(id);
  const header = { ...first.header, txRoot: txRootOf(ids) };
  t.equal(
    victim.frame(leader(1), frameKinds.proposal, proposalOf(header, 1, 0, ids, [])),
    'invalid',
    'one id many times',
  );
  const bodies = Array.from({ length: 30 }, (_, i) => new Uint8Array(40 * 1024).fill(i));
  const many = bodies.map((body) => sha256Hex(body));
  const large = { ...first.header, txRoot: txRootOf(many) };
  const verdict = victim.frame(leader(1), frameKinds.proposal, proposalOf(large, 1, 0, many, bodies.slice(0, 10)));
  t.equal(verdict, undefined, 'what is here is below the bound');
  t.equal(victim.blocks.bodyNow(blockIdOf(large)), undefined, 'and it is not put together before the rest is here');
  await victim.close();
});

t.test('only the leader of a view proposes, and not without end', async (t) => {
  const victim = await makeVictim(neutral);
  const first = await firstBlock();
  const stranger = victim.others.find((index) => index !== leader(1))!;
  const payload = proposalOf(first.header, 1, 0, [], [], stranger);
  t.equal(victim.frame(stranger, frameKinds.proposal, payload), 'invalid');
  for (let i = 0; i < 20; i += 1) {
    const header = { ...first.header, time: first.header.time + i };
    victim.frame(leader(1), frameKinds.proposal, proposalOf(header, 1, 0, [], []));
  }
  t.ok(victim.blocks.size <= 2, `${victim.blocks.size} blocks held of 20 offered`);
  await victim.close();
});

t.test('what a relay verified never counts against it', async (t) => {
  const victim = await makeVictim(neutral);
  const nullify = encodeVote(vote('nullify', { epoch: 1, view: 1 }, leader(1)));
  t.same(victim.consensus.verifyRelayed(frameKinds.nullify, nullify), {
    signer: genesis.epoch.validators[leader(1)]!.name,
  });
  for (const kind of [
    50,
    frameKinds.notarize,
    frameKinds.yourVotes,
    frameKinds.finalizedHeight,
    frameKinds.cosignature,
  ]) {
    t.equal(victim.consensus.verifyRelayed(kind, nullify), 'invalid', `kind ${kind} is refused before it is forwarded`);
    t.equal(victim.frame(leader(2), kind, nullify, true), undefined, 'and blames nobody who forwarded it all the same');
  }
  const first = await firstBlock();
  const wrongRoot = proposalOf({ ...first.header, txRoot: txRootOf(['00'.repeat(32)]) }, 1, 0, [], []);
  t.equal(victim.consensus.verifyRelayed(frameKinds.proposal, wrongRoot), 'invalid');
  const good = proposalOf(first.header, 1, 0, [], []);
  t.same(victim.consensus.verifyRelayed(frameKinds.proposal, good), {
    signer: genesis.epoch.validators[leader(1)]!.name,
  });
  await victim.close();
});

t.test('W11: of a validator that has answered nothing more is verified once it is settled', async (t) => {
  const victim = await makeVictim(neutral);
  const mine = vote('nullify', { epoch: 1, view: 1 }, neutral);
  t.equal(victim.consensus.voting, true, 'the others said that they know of no vote of mine');
  const before = victim.consensus.invalidSignatures;
  const forged = { ...mine, signature: new Uint8Array(64) };
  await pause(300); // Longer than an answer of one peer is passed over for coming too soon.
  for (const other of victim.others)
    t.equal(victim.frame(other, frameKinds.yourVotes, victim.answer(other, [forged])), undefined);
  t.equal(victim.consensus.invalidSignatures, before, 'not even verified');
  t.same(victim.halted, []);
  await victim.close();
});

t.test('W11: an answer that comes after the quorum of answers still counts against us', async (t) => {
  const victim = await makeVictim(neutral, { answered: false });
  const [one, two, late] = victim.others as [number, number, number];
  for (const other of [one, two]) victim.frame(other, frameKinds.yourVotes, victim.answer(other));
  t.equal(victim.consensus.voting, true);
  const mine = vote('nullify', { epoch: 1, view: 1 }, neutral);
  const forged = { ...mine, signature: new Uint8Array(64) };
  // Nobody's fault: an honest one tells what it was sent on our lane after a quorum. What else it says counts, then and later.
  t.equal(victim.frame(late, frameKinds.yourVotes, victim.answer(late, [forged])), undefined);
  t.equal(victim.frame(late, frameKinds.yourVotes, victim.answer(late, [mine])), undefined, 'too soon after the first');
  t.same(victim.halted, []);
  await pause(300);
  victim.frame(late, frameKinds.yourVotes, victim.answer(late, [mine]));
  t.same(victim.halted, ['JOURNAL_ROLLED_BACK'], 'the journal lacks it');
  t.equal(victim.consensus.voting, false);
  await victim.close();
});

t.test('W11: a vote that we did not sign hides none that we did', async (t) => {
  const victim = await makeVictim(neutral, { answered: false });
  const forged = (view: number): Vote => ({
    ...vote('nullify', { epoch: 1, view }, neutral),
    signature: new Uint8Array(64),
  });
  const [one, two] = victim.others as [number, number];
  victim.frame(one, frameKinds.yourVotes, victim.answer(one, [forged(1), forged(2)]));
  t.equal(victim.consensus.voting, false);
  const mine = vote('nullify', { epoch: 1, view: 3 }, neutral);
  victim.frame(two, frameKinds.yourVotes, victim.answer(two, [forged(2), mine]));
  t.same(victim.halted, ['JOURNAL_ROLLED_BACK']);
  t.equal(victim.consensus.voting, false);
  await victim.close();
});

t.test('a vote after its quorum is not verified, and accuses nobody before it is', async (t) => {
  for (const forged of [false, true]) {
    const victim = await makeVictim(neutral);
    const first = await firstBlock();
    const subject = { epoch: 1, view: 1, parentView: 0, blockId: first.blockId };
    const [one, two, late] = victim.others as [number, number, number];
    victim.frame(leader(1), frameKinds.proposal, proposalOf(first.header, 1, 0, [], []));
    await pause(50);
    const notarization = certificate('notarize', subject, victim.others);
    victim.frame(one, frameKinds.certificate, encodeCertificate(notarization, 4));
    await pause(100);
    // With our own vote, and without that of the late one.
    const finalization = certificate('finalize', subject, [one, two, neutral].sort());
    const before = victim.consensus.invalidSignatures;
    const vain = { ...vote('finalize', subject, late), signature: new Uint8Array(64).fill(7) };
    t.equal(victim.frame(late, frameKinds.finalize, encodeVote(vain)), 'invalid', 'before, it is');
    t.equal(victim.consensus.invalidSignatures, before + 1);
    victim.frame(one, frameKinds.certificate, encodeCertificate(finalization, 4));
    t.equal(victim.consensus.status().finalizedView, 1);
    const other = { ...vain, subject: { ...subject, blockId: '00'.repeat(32) } };
    t.equal(victim.frame(late, frameKinds.finalize, encodeVote(other)), 'invalid', 'another subject is verified');
    const said = forged ? vain : vote('finalize', subject, late);
    t.equal(victim.frame(late, frameKinds.finalize, encodeVote(said)), undefined);
    t.equal(victim.consensus.invalidSignatures, before + 2, 'not even looked at');
    victim.frame(late, frameKinds.nullify, encodeVote(vote('nullify', { epoch: 1, view: 1 }, late)));
    await pause(20);
    t.same(victim.accused, forged ? [] : ['finalize nullify']);
    t.same(victim.halted, []);
    await victim.close();
  }
});
