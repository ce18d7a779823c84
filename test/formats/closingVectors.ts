// Makes test/vectors/chain/closing.json. Frozen: see test/log/makeVectors.ts. A block at whose end a validator comes in: what
// stands in it, what certifies it, and the first block of the next epoch.
import { writeFileSync } from 'node:fs';
import { decodeTransaction } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { provePossession } from '../../src/crypto/validatorKeys.ts';
import { Chain } from '../../src/ledger/chain.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { inlineVerifier } from '../../src/ledger/prepare.ts';
import { genesisPosition } from '../../src/ledger/restart.ts';
import {
  blockVector,
  build,
  certificateVector,
  genesisDocument,
  network,
  plainKey,
  roles,
  seedOf,
  send,
} from './makeVectors.ts';

/** Everything is allowed, so that the policy set is short. */
const open = {
  schema: [
    'entity Role;',
    'entity Account in [Role] = { suspended: Bool };',
    'entity Service;',
    'action "governance.propose", "governance.approve" appliesTo {',
    '  principal: [Account], resource: [Service], context: { kind: String, own: Bool, time?: Long },',
    '};',
    'action "governance.ready" appliesTo {',
    '  principal: [Account], resource: [Service], context: { kind: String, time?: Long },',
    '};',
    '',
  ].join('\n'),
  policies: [{ id: 'all', text: 'permit (principal, action, resource);' }],
};

const time = 1_763_712_000_000;

export async function makeClosingVectors(document: unknown = genesisDocument({ policy: open, accounts: ['v5'] })) {
  const genesis = loadGenesis(encodeUtf8(JSON.stringify(document)));
  const tip = genesisPosition(genesis, () => false);
  const chain = new Chain({ genesis, verifier: inlineVerifier, tip });
  const entry = {
    name: 'v5',
    ...Object.fromEntries(roles.map((role) => [role, plainKey(`${role} v5`).publicKey])),
    account: 'v5',
    url: 'https://v5.example',
  };
  const change = { kind: 'validators', set: [entry], remove: ['v2'] };
  const propose = send(genesis.chain, 'admin', 'governance.propose', 1, {
    change,
    notBefore: 0,
    expires: time + 3_600_000,
  } as unknown as JsonObject);
  const proposal = decodeTransaction(propose).txId;
  const ready = ['v1', 'v4', 'v5'].map((name, i) => {
    const proof = (role: (typeof roles)[number]) =>
      toBase64Url(provePossession(network, name, role, seedOf(`${role} ${name}`)));
    const proofs = Object.fromEntries(roles.map((role) => [role, proof(role)]));
    return send(genesis.chain, name, 'governance.ready', 2 + i, { proposal, height: 0, proofs });
  });
  const approve = send(genesis.chain, 'admin', 'governance.approve', 9, { proposal });
  const closing = await build(chain, genesis.genesisHash, 1, time + 1000, [propose, ...ready, approve]);
  const first = await build(chain, closing.blockId, 1, time + 1500, []);
  // It was certified in view 1, proposed again in view 4, and finalized there.
  const finalized = { epoch: 1, view: 4, parentView: 1, blockId: closing.blockId };
  const firstFinalized = { epoch: 2, view: 1, parentView: 0, blockId: first.blockId };
  const { nextEpoch } = closing;
  const nextNames = nextEpoch.validators.map(({ name }) => name);
  return {
    about:
      'The end of an epoch: v5 takes the place of v2 (proposed, three of the next four ready, approved, all in block 1), and the first block of epoch 2. Block 1 was proposed again and finalized in view 4. Seeds as in chain.json.',
    genesis: {
      document,
      canonical: decodeUtf8(genesis.bytes),
      genesisHash: genesis.genesisHash,
      chain: genesis.chain,
      stateRoot: tip.header.stateRoot,
    },
    epochs: [genesis.epoch, nextEpoch].map(({ epoch, digest, leaderOrder, quorum, validators }) => ({
      epoch,
      validators: validators.map(({ name }) => name),
      digest,
      leaderOrder,
      quorum,
    })),
    blocks: [
      {
        ...blockVector(closing, []),
        changes: [...closing.writes.values].map(([path, value]) => ({ path, value: value && canonicalJson(value) })),
      },
      blockVector(first, []),
    ],
    certificates: [
      certificateVector(genesis, 'finalize', finalized, [0, 2, 3]),
      certificateVector(genesis, 'finalize', firstFinalized, [0, 1, 2], nextNames),
    ],
  };
}

export const closingVectorsUrl: URL = new URL('../vectors/chain/closing.json', import.meta.url);

if (process.argv[1] === import.meta.filename && process.argv.includes('--write')) {
  writeFileSync(closingVectorsUrl, `${JSON.stringify(await makeClosingVectors(), null, 1)}\n`);
}
