// Makes test/vectors/chain/chain.json. Frozen: see test/log/makeVectors.ts. The network is made of fixed seeds; two blocks are
// executed on it as a node would, so that every root in them is the result of all formats together.
import { writeFileSync } from 'node:fs';
import type { Certificate, Proposal, Round, VoteKind } from '../../consensus/types.ts';
import { ticketDigest } from '../../contracts/identity/tickets.ts';
import { acknowledgementBytes } from '../../contracts/packets/acknowledge.ts';
import { tableDigest } from '../../contracts/routing/table.ts';
import { buildEnvelope } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { toHex } from '../../src/codec/hex.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { keyProofMessage } from '../../src/crypto/accountKey.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { provePossession } from '../../src/crypto/validatorKeys.ts';
import { encodeCertificate } from '../../src/ledger/certificate.ts';
import { Chain } from '../../src/ledger/chain.ts';
import { type Genesis, loadGenesis } from '../../src/ledger/genesis.ts';
import type { Executed } from '../../src/ledger/overlay.ts';
import { inlineVerifier } from '../../src/ledger/prepare.ts';
import { genesisPosition } from '../../src/ledger/restart.ts';
import { leaderOrder } from '../../src/ledger/validatorSet.ts';
import { encodeVote, voteBytes } from '../../src/ledger/votes.ts';
import { POLICY_ENGINE_ID } from '../../src/policy/engineId.ts';
import { contextAfter, sealBlock } from '../ledger/fixtures.ts';
import { testParameters } from '../parameters.ts';

export const network = 'weft-dev';
const time = 1_763_712_000_000;
export const roles = ['peer', 'vote', 'log', 'cosigner'] as const;
const names = ['v1', 'v2', 'v3', 'v4'];

/** Ed25519 seed: SHA-256("weft chain vectors <what>"). */
export function seedOf(what: string): Uint8Array {
  return sha256(encodeUtf8(`weft chain vectors ${what}`));
}

export function plainKey(what: string) {
  return { alg: 'ed25519' as const, publicKey: toBase64Url(publicKeyOf(seedOf(what))) };
}

const registerPolicy = {
  schema:
    'entity Role;\nentity Account in [Role] = { suspended: Bool };\nentity Service;\naction "identity.register" appliesTo {\n  principal: [Account],\n  resource: [Service],\n  context: { account: String, roles: Set<String>, time?: Long },\n};\n',
  policies: [
    {
      id: 'identity.register',
      text: 'permit (principal in Role::"administrator", action == Action::"identity.register", resource);',
    },
  ],
};

/** `accounts`: those that validate nothing yet. */
export function genesisDocument(
  options: {
    readonly policy?: { readonly schema: string; readonly policies: readonly { id: string; text: string }[] };
    readonly accounts?: readonly string[];
  } = {},
): unknown {
  return {
    format: 'weft/genesis/v1',
    name: network,
    time,
    ruleset: 1,
    consensus: { ...testParameters },
    validators: names.map((name) => ({
      name,
      ...Object.fromEntries(roles.map((role) => [role, plainKey(`${role} ${name}`).publicKey])),
      account: name,
      url: `https://${name}.example`,
      proofs: Object.fromEntries(
        roles.map((role) => [role, toBase64Url(provePossession(network, name, role, seedOf(`${role} ${name}`)))]),
      ),
    })),
    observers: [],
    accounts: ['admin', ...names, ...(options.accounts ?? [])].map((name) => ({
      name,
      roles: name === 'admin' ? ['administrator'] : [],
      keys: [plainKey(`account ${name}`)],
    })),
    council: { threshold: 1, members: ['admin'] },
    policy: {
      engine: { ...POLICY_ENGINE_ID },
      ...(options.policy ?? registerPolicy),
    },
  };
}
/** `nonce`: the byte that it consists of. */
export function send(chain: string, account: string, type: string, nonce: number, body: JsonObject): Uint8Array {
  const seed = seedOf(`account ${account}`);
  return buildEnvelope(
    {
      chain,
      account,
      type,
      expires: time + 60_000,
      nonce: toBase64Url(new Uint8Array(8).fill(nonce)),
      body,
    },
    [{ keyid: keyId(ALG_ED25519, publicKeyOf(seed)), sign: (message) => sign(message, seed) }],
  );
}

function envelopes(chain: string): Uint8Array[] {
  const register = { account: 'misty.weave', roles: ['agent'], keys: [plainKey('account misty.weave')] };
  const ids = toBase64Url(Uint8Array.from({ length: 64 }, (_, n) => n));
  return [
    send(chain, 'admin', 'identity.register', 1, register),
    send(chain, 'v1', 'identity.register', 2, { ...register, account: 'oracle.weave' }),
    send(chain, 'admin', 'packets.commit', 3, {
      groups: [{ source: 'misty.weave', target: 'oracle.weave', expires: time + 30_123, ids }],
    }),
  ];
}

export function blockVector(block: Executed, changed: readonly string[]) {
  const { header } = block;
  return {
    header: { ...header },
    headerBytes: toHex(block.headerBytes),
    blockId: block.blockId,
    body: toHex(block.body),
    txIds: block.transactions.map(({ tx }) => tx.txId),
    envelopeIds: block.transactions.map(({ tx }) => tx.envelopeId),
    firstIndex: block.firstIndex,
    leaves: block.leaves.map(({ bytes }) => decodeUtf8(bytes)),
    changes: changed.map((path) => ({ path, value: canonicalJson(block.layer.get(path)) })),
  };
}

function voteVector(genesis: Genesis, kind: VoteKind, subject: Proposal | Round, signer: number) {
  const message = voteBytes(kind, genesis.genesisHash, subject);
  const signature = sign(message, seedOf(`vote ${names[signer]}`));
  const vote = { kind, subject, signer, signature } as Parameters<typeof encodeVote>[0];
  return { kind, signer, message: toHex(message), signature: toHex(signature), wire: toHex(encodeVote(vote)) };
}

export function certificateVector(
  genesis: Genesis,
  kind: VoteKind,
  subject: Proposal | Round,
  signers: readonly number[],
  validators: readonly string[] = names,
) {
  const signatures = signers.map((signer) =>
    sign(voteBytes(kind, genesis.genesisHash, subject), seedOf(`vote ${validators[signer]}`)),
  );
  const certificate = { kind, subject, signers, signatures } as Certificate;
  return { kind, signers, wire: toHex(encodeCertificate(certificate, validators.length)) };
}

/** Digests and messages of contracts that appear in no header. */
function statements(chain: string) {
  const table = {
    format: 'weft/routing-table/v1' as const,
    aliases: [],
    rules: [{ id: 'r1', source: '*', target: 'role:agent', outcome: 'allow' as const }],
  };
  const acknowledgement = {
    target: 'misty.weave',
    id: '2e'.repeat(32),
    Payload_Digest: '4b'.repeat(32),
    verdict: 'VERIFIED' as const,
  };
  const key = plainKey('account misty.weave 2');
  return {
    routingTable: { table, digest: tableDigest(table) },
    acknowledgement: { ...acknowledgement, chain, message: toHex(acknowledgementBytes(chain, acknowledgement)) },
    accountKey: { chain, account: 'misty.weave', key, message: toHex(keyProofMessage(chain, 'misty.weave', key)) },
    ticket: { secret: toHex(seedOf('ticket')), digest: ticketDigest(seedOf('ticket')) },
  };
}

export async function build(
  chain: Chain,
  parent: string,
  view: number,
  at: number,
  list: readonly Uint8Array[],
): Promise<Executed> {
  const context = contextAfter(chain.position(parent) as Executed, at, view);
  const { blockId } = await sealBlock(chain, parent, context, list);
  return chain.executed(blockId) as Executed;
}

export async function makeChainVectors(document: unknown = genesisDocument()) {
  const genesis = loadGenesis(encodeUtf8(JSON.stringify(document)));
  const tip = genesisPosition(genesis, () => false);
  const chain = new Chain({ genesis, verifier: inlineVerifier, tip });
  const one = await build(chain, genesis.genesisHash, 1, time + 1000, envelopes(genesis.chain));
  const two = await build(chain, one.blockId, 3, time + 1500, []);
  const second: Proposal = { epoch: 1, view: 3, parentView: 1, blockId: two.blockId };
  return {
    about:
      'A network of four validators: its genesis, two blocks (view 2 was nullified), votes and certificates. Seeds are Ed25519 (RFC 8032): SHA-256("weft chain vectors <role> <name>"), role one of peer, vote, log, cosigner, account. Bytes and digests are lower-case hex; leaves and state values are text, hashed as UTF-8.',
    genesis: {
      document,
      canonical: decodeUtf8(genesis.bytes),
      genesisHash: genesis.genesisHash,
      chain: genesis.chain,
      leaf: decodeUtf8(genesis.leaf),
      state: [...genesis.changes].map(([path, value]) => ({ path, value: canonicalJson(value) })),
      stateRoot: tip.header.stateRoot,
      logRoot: tip.header.logRoot,
      epochDigest: genesis.epoch.digest,
      leaderOrder: [1, 2, 3].map((epoch) => leaderOrder(epoch, genesis.genesisHash, genesis.epoch.validators)),
    },
    blocks: [
      blockVector(one, [
        'identity/account/misty.weave',
        `identity/key/${keyId(ALG_ED25519, publicKeyOf(seedOf('account misty.weave')))}`,
      ]),
      blockVector(two, []),
    ],
    votes: [
      voteVector(genesis, 'notarize', second, 0),
      voteVector(genesis, 'nullify', { epoch: 1, view: 2 }, 3),
      voteVector(genesis, 'finalize', second, 2),
    ],
    certificates: [
      certificateVector(genesis, 'nullify', { epoch: 1, view: 2 }, [0, 1, 3]),
      certificateVector(genesis, 'finalize', second, [0, 2, 3]),
    ],
    statements: statements(genesis.chain),
  };
}

export const chainVectorsUrl: URL = new URL('../vectors/chain/chain.json', import.meta.url);

if (process.argv[1] === import.meta.filename && process.argv.includes('--write')) {
  writeFileSync(chainVectorsUrl, `${JSON.stringify(await makeChainVectors(), null, 1)}\n`);
}
