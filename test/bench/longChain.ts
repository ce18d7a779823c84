import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finalization } from '../../consensus/types.ts';
import type { JsonObject } from '../../contracts/types.ts';
import type { Testnet } from '../../src/cli/testnet.ts';
import {
  buildTransaction,
  ed25519TransactionSigner,
  type Signer,
  sign as signTransaction,
} from '../../src/client/transaction.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { sign } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { type ValidatorKeys, validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { isClosing } from '../../src/ledger/header.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { writeSnapshot } from '../../src/ledger/snapshotWrite.ts';
import type { ExecutedBlock } from '../../src/ledger/types.ts';
import type { Epoch } from '../../src/ledger/validatorSet.ts';
import { voteBytes } from '../../src/ledger/votes.ts';
import { formatCheckpoint, signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign, publishCheckpoint } from '../../src/log/cosignature.ts';
import { algCosigner, algLog, createVkey } from '../../src/log/vkey.ts';
import { contextAfter, sealBlock } from '../ledger/fixtures.ts';

/** A long chain made offline, with the real keys of a test network: what would take a network a day takes minutes. */
export type LongChainOptions = {
  readonly net: Testnet;
  /** Data folder to make. */
  readonly dir: string;
  readonly blocks: number;
  /** Time of genesis, milliseconds; blocks stand `spacingMs` apart from there on. */
  readonly time: number;
  readonly spacingMs: number;
  /** A block in so many holds `transactions` of them. Default 20 and 5. */
  readonly fullEvery?: number;
  readonly transactions?: number;
  /** Of so many blocks the last is finalized directly. Default 10. */
  readonly finalEvery?: number;
  /** Also writes a snapshot of the last block to this file. */
  readonly snapshot?: string;
  /** Lets go of all but so many blocks. */
  readonly keepBlocks?: number;
  readonly progress?: (height: number) => void;
};

export type LongChain = {
  readonly height: number;
  readonly epoch: number;
  readonly transactions: number;
  readonly logSize: number;
  readonly snapshotBytes: number;
};

/** Two epochs end on the way: at a third and at two thirds the council changes a parameter. */
export async function buildLongChain(options: LongChainOptions): Promise<LongChain> {
  const { net, dir, blocks, time, spacingMs, fullEvery = 20, finalEvery = 10, progress } = options;
  mkdirSync(dir, { recursive: true });
  const keys = await validatorKeysOf(net);
  const accounts = await signersOf(net, ['council', 'router-prime']);
  const ledger = await Ledger.open({ dir, genesis: new Uint8Array(readFileSync(net.genesis)) });
  const finalize = async (block: ExecutedBlock, epoch: Epoch): Promise<void> => {
    await ledger.commit(block.blockId, finalizationOf(ledger, block, epoch, keys));
  };
  const changes = [Math.floor(blocks / 3), Math.floor((2 * blocks) / 3)];
  let tip: ExecutedBlock | undefined;
  let transactions = 0;
  let proposal = '';
  for (let height = 1; height <= blocks; height += 1) {
    const before = tip ?? { ...ledger.finalized, nextEpoch: ledger.epoch };
    const epoch = before.nextEpoch;
    const at = time + height * spacingMs;
    const make = (account: string, type: string, body: JsonObject) =>
      signTransaction(buildTransaction({ chain: net.chain, account, type, body, expires: at + 50_000 }), [
        accounts.get(account) as Signer,
      ]);
    const envelopes: Uint8Array[] = [];
    const change = changes.indexOf(height + 1);
    if (change >= 0) {
      const parameters = { ...epoch.consensus, fetchMs: epoch.consensus.fetchMs + 1 };
      const body = { change: { kind: 'parameters', parameters }, notBefore: 0, expires: at + 3_600_000 };
      const signed = make('council', 'governance.propose', body as unknown as JsonObject);
      proposal = signed.id;
      envelopes.push(signed.envelope);
    } else if (changes.includes(height)) {
      envelopes.push(make('council', 'governance.approve', { proposal }).envelope);
    } else if (height % fullEvery === 0) {
      for (let i = 0; i < (options.transactions ?? 5); i += 1) {
        const ids = toBase64Url(crypto.getRandomValues(new Uint8Array(32)));
        const group = { source: 'misty.weave', target: 'oracle.weave', expires: at + 30_000, ids };
        envelopes.push(make('router-prime', 'packets.commit', { groups: [group] }).envelope);
      }
    }
    const block = await sealBlock(ledger, before.blockId, contextAfter(before, at), envelopes);
    transactions += envelopes.length;
    if (block.outcomes.some(({ refused }) => refused !== undefined && !refused.startsWith('POLICY')))
      throw new Error(`block ${height}: ${JSON.stringify(block.outcomes)}`);
    tip = block;
    if (height % finalEvery === 0 || height === blocks || isClosing(block.header)) {
      await finalize(block, epoch);
      tip = undefined;
      progress?.(height);
    }
  }
  let snapshotBytes = 0;
  if (options.snapshot !== undefined) {
    const note = checkpointOf(ledger, keys);
    ({ bytes: snapshotBytes } = await writeSnapshot(await ledger.capture(), options.snapshot, async () => note));
  }
  if (options.keepBlocks !== undefined) {
    const retention = { blocks: options.keepBlocks, entries: options.keepBlocks };
    while ((await ledger.prune(retention, blocks)) > 0);
  }
  const { header } = ledger.finalized;
  await ledger.close();
  return { height: header.height, epoch: header.epoch, transactions, logSize: header.logSize, snapshotBytes };
}

export async function validatorKeysOf(net: Testnet): Promise<Map<string, ValidatorKeys>> {
  const keys = new Map<string, ValidatorKeys>();
  for (const { name, keys: path } of net.validators) keys.set(name, validatorKeysFrom(await readKeyFile(path, null)));
  return keys;
}

/** By account, from the key files of a test network. */
export async function signersOf(net: Testnet, names: readonly string[]): Promise<Map<string, Signer>> {
  const signers = new Map<string, Signer>();
  for (const name of names) {
    const secret = (await readKeyFile(net.accounts.get(name) ?? '', null)).find((each) => each.name === 'account');
    if (secret !== undefined) signers.set(name, ed25519TransactionSigner(secret.secret));
  }
  return signers;
}

/** By the first q validators. */
export function finalizationOf(
  ledger: Ledger,
  block: ExecutedBlock,
  epoch: Epoch,
  keys: ReadonlyMap<string, ValidatorKeys>,
): Finalization {
  const { view } = block.header;
  const subject = { epoch: epoch.epoch, view, parentView: view - 1, blockId: block.blockId };
  const message = voteBytes('finalize', ledger.genesis.genesisHash, subject);
  const signers = Array.from({ length: epoch.quorum }, (_, i) => i);
  const signatures = signers.map((i) => sign(message, seedOf(keys, epoch.validators[i]?.name, 'vote')));
  return { kind: 'finalize', subject, signers, signatures };
}

/** As the first q would publish it. */
function checkpointOf(ledger: Ledger, keys: ReadonlyMap<string, ValidatorKeys>): string {
  const { genesis, finalized, epoch } = ledger;
  const { logSize } = finalized.header;
  const text = formatCheckpoint({ origin: genesis.origin, size: logSize, root: ledger.logRoot(logSize) });
  const [first] = epoch.validators;
  const policy = epoch.validators.map(({ name, cosigner }) =>
    createVkey(sha256, `${genesis.chain}/${name}`, algCosigner, cosigner),
  );
  const timeS = Math.floor(Date.now() / 1000);
  const cosignatures = policy
    .slice(0, epoch.quorum)
    .map((key, i) => cosign(text, timeS, key, (m) => sign(m, seedOf(keys, epoch.validators[i]?.name, 'cosigner'))));
  const logKey = createVkey(sha256, genesis.origin, algLog, first?.log ?? new Uint8Array(32));
  const log = signCheckpoint(text, logKey, (message) => sign(message, seedOf(keys, first?.name, 'log')));
  return publishCheckpoint({ text, log, cosignatures, policy, quorum: epoch.quorum }) ?? '';
}

function seedOf(
  keys: ReadonlyMap<string, ValidatorKeys>,
  name: string | undefined,
  role: 'vote' | 'log' | 'cosigner',
): Uint8Array {
  const found = keys.get(name ?? '');
  if (found === undefined) throw new Error(`no keys of ${name}`);
  return found[role].seed;
}

/** Where a node keeps its snapshots. */
export function snapshotPath(data: string, height: number): string {
  mkdirSync(join(data, 'snapshots'), { recursive: true });
  return join(data, 'snapshots', `${height}.snapshot`);
}
