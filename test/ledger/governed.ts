// A ledger whose validators change: proposals, the word of those who are ready, approvals, each as an envelope.
import type { Change } from '../../contracts/governance/state.ts';
import { decodeTransaction } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { provePossession } from '../../src/crypto/validatorKeys.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { CommittedBlock } from '../../src/ledger/types.ts';
import { addBlock, makeTx, networkName, nodeSeed } from './fixtures.ts';

const roles = ['peer', 'vote', 'log', 'cosigner'] as const;
type Entry = Extract<Change, { kind: 'validators' }>['set'][number];

export function entryOf(name: string, generation = 0): Entry {
  const key = (role: (typeof roles)[number]) => toBase64Url(publicKeyOf(nodeSeed(name, role, generation)));
  return {
    name,
    peer: key('peer'),
    vote: key('vote'),
    log: key('log'),
    cosigner: key('cosigner'),
    account: name,
    url: `http://${name}.example.net`,
  };
}

export function setChange(set: readonly Entry[], remove: readonly string[] = []): Change {
  return { kind: 'validators', set: [...set], remove: [...remove] };
}

/** Expires a minute after the ledger's newest block: ledgers of these tests live for hours of block time. */
export function governanceTx(ledger: Ledger, account: string, type: string, body: JsonObject): Uint8Array {
  const expires = ledger.finalized.header.time + 60_000;
  return makeTx(ledger.genesis.chain, account, type, body, { expires });
}

export function proposeTx(
  ledger: Ledger,
  change: Change,
  notBefore = 0,
): { readonly id: string; readonly tx: Uint8Array } {
  const expires = ledger.finalized.header.time + 3_600_000;
  const tx = governanceTx(ledger, 'admin', 'governance.propose', {
    change: change as unknown as JsonObject,
    notBefore,
    expires,
  });
  return { id: decodeTransaction(tx).txId, tx };
}

export function readyTx(ledger: Ledger, proposal: string, name: string, generation = 0): Uint8Array {
  const proof = (role: (typeof roles)[number]) =>
    toBase64Url(provePossession(networkName, name, role, nodeSeed(name, role, generation)));
  return governanceTx(ledger, name, 'governance.ready', {
    proposal,
    height: ledger.finalized.header.height,
    proofs: { peer: proof('peer'), vote: proof('vote'), log: proof('log'), cosigner: proof('cosigner') },
  });
}

export function approveTx(ledger: Ledger, proposal: string): Uint8Array {
  return governanceTx(ledger, 'admin', 'governance.approve', { proposal });
}

/**
 * Three blocks: the proposal, who is ready, the approval with which it takes effect. `ready`: names, or name and generation.
 * Answers the last one.
 */
export async function pass(
  ledger: Ledger,
  change: Change,
  ready: readonly (string | readonly [string, number])[] = [],
): Promise<CommittedBlock> {
  const { id, tx } = proposeTx(ledger, change);
  await addBlock(ledger, [tx]);
  await addBlock(
    ledger,
    ready.map((who) => (typeof who === 'string' ? readyTx(ledger, id, who) : readyTx(ledger, id, ...who))),
  );
  const closing = await addBlock(ledger, [approveTx(ledger, id)]);
  const refused = closing.transactions.find((each) => each.refused !== undefined);
  if (refused !== undefined) throw new Error(refused.refused);
  return closing;
}

/** Types of a block's records, without the transactions' own leaves. */
export function typesOf(block: CommittedBlock): string[] {
  return block.records.map(({ type }) => type).filter((type) => type !== 'tx');
}

export function recordOf(block: CommittedBlock, type: string): JsonObject {
  const found = block.records.find((record) => record.type === type);
  return JSON.parse(Buffer.from(found?.leaf ?? []).toString()) as JsonObject;
}
