import type { Finalization, Notarization, Proposal, Round, Vote, VoteKind } from '../../consensus/types.ts';
import { ed25519Signer } from '../../src/crypto/ed25519.ts';
import { leaderOf } from '../../src/ledger/validatorSet.ts';
import { decodeVote } from '../../src/ledger/votes.ts';
import type { FrameVerdict, Network } from '../../src/net/types.ts';
import { BlockPool } from '../../src/node/blocks.ts';
import { Consensus } from '../../src/node/consensus.ts';
import { Mempool } from '../../src/node/mempool.ts';
import { decodeQuestion, encodeAnswer } from '../../src/node/signOnceMessages.ts';
import { frameKinds } from '../../src/node/wire.ts';
import { makeGenesis, openInMemory, seedOf, signVote } from '../ledger/fixtures.ts';

/** One honest validator without a network, for tests in which the others say whatever they like. */

export const { genesis } = makeGenesis(4);
export const { epoch } = genesis;
export const names = epoch.validators.map(({ name }) => name);
const silent = { debug() {}, info() {}, warn() {}, error() {} };

export const leader = (view: number): number => leaderOf(epoch, view);
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function vote(kind: VoteKind, subject: Proposal | Round, signer: number): Vote {
  return signVote(genesis, epoch, kind, subject, signer) as Vote;
}

export function certificate(
  kind: VoteKind,
  subject: Proposal,
  signers: readonly number[],
): Notarization | Finalization {
  const signatures = signers.map((signer) => vote(kind, subject, signer).signature);
  return { kind, subject, signers, signatures } as Notarization;
}

/** `answered`: q − 1 others have told it that they know of no vote of its own (W11). */
export async function makeVictim(me: number, { answered = true } = {}) {
  const ledger = await openInMemory(genesis);
  const mempool = new Mempool();
  const halted: string[] = [];
  const apart: string[] = [];
  const accused: string[] = [];
  let nonce: Uint8Array = new Uint8Array(16);
  const sent: { readonly to: string; readonly kind: number; readonly payload: Uint8Array }[] = [];
  const network = {
    broadcast(_lane: string, kind: number, payload: Uint8Array) {
      if (kind === frameKinds.myVotes) nonce = decodeQuestion(payload).nonce;
    },
    send: (to: string, _lane: string, kind: number, payload: Uint8Array) => sent.push({ to, kind, payload }) > 0,
    askable: () => [],
  } as unknown as Network;
  const blocks = new BlockPool({
    pooled: (envelopeId) => mempool.get(envelopeId)?.prepared.tx.envelope,
    facts: (blockId, header, transactions) => ledger.factsOf(blockId, header, transactions),
    nameOf: (index) => names[index],
    askable: () => [],
    fetchEnvelopes: async () => undefined,
    fetchBlock: async () => undefined,
    sleep: pause,
  });
  const consensus = new Consensus(
    {
      epoch,
      genesisHash: genesis.genesisHash,
      chain: genesis.chain,
      me,
      signer: ed25519Signer(seedOf(`${names[me]}/vote`)),
      listed: { index: me, signer: ed25519Signer(seedOf(`${names[me]}/vote`)) },
      timings: {
        blockIntervalMs: 20,
        buildBudgetMs: 40,
        finalizeGraceMs: 50,
        leaderSilentMs: 2000,
        maxClockDriftMs: 500,
        targetBlockBytes: 262_144,
      },
    },
    {
      ledger,
      mempool,
      blocks,
      network: () => network,
      fetchBlock: async () => undefined,
      log: silent,
      monotonicMs: () => performance.now(),
      wallMs: () => Date.now(),
    },
    {
      committed: () => {},
      proposed: () => undefined,
      behind: () => {},
      voting: () => {},
      halted: (code) => halted.push(code),
      evidence: (a, b) => accused.push(`${decodeVote(a).kind} ${decodeVote(b).kind}`),
      otherEpoch: (peer, other) => apart.push(`${peer} ${other}`),
    },
  );
  await consensus.start();
  const others = names.map((_, index) => index).filter((index) => index !== me);
  const frame = (from: number, kind: number, payload: Uint8Array, relayed = false): FrameVerdict => {
    const name = names[from] ?? '';
    return consensus.onFrame({ peer: name, signer: name, relayed, lane: 'urgent', kind, payload });
  };
  /** What `from` answers to the question of W11, or to another one. */
  const answer = (from: number, votes: readonly Vote[] = [], other: { epoch?: number; nonce?: Uint8Array } = {}) => {
    const told = { epoch: epoch.epoch, asker: me, nonce, answerer: from, votes, ...other };
    const signer = ed25519Signer(seedOf(`${names[from]}/vote`));
    return encodeAnswer(told, genesis.genesisHash, (bytes) => signer.sign(bytes));
  };
  for (const other of answered ? others : []) frame(other, frameKinds.yourVotes, answer(other));
  const close = async (): Promise<void> => {
    await consensus.stop();
    blocks.clear();
    await ledger.close();
  };
  return { ledger, mempool, blocks, consensus, others, frame, answer, sent, halted, apart, accused, close };
}
