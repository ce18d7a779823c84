// The vectors of transactions, records and genesis, made by one run through everything the contracts can do.
// They are frozen: `node test/contracts/makeVectors.ts --write` writes those that are missing and changes none.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ticketDigest } from '../../contracts/identity/tickets.ts';
import { acknowledgementBytes } from '../../contracts/packets/acknowledge.ts';
import type { Decide, Json } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { toHex } from '../../src/codec/hex.ts';
import { concat, decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { decodeEnvelope } from '../../src/crypto/dsse.ts';
import { sign } from '../../src/crypto/ed25519.ts';
import { sha256, sha256Hex } from '../../src/crypto/hash.ts';
import { readyBody, sampleCosignature, sampleVote, validatorsChange } from './governance.samples.ts';
import { allowAll, genesisDocument, keyOf, Network, openPolicy, plainKey, provenKey, seedOf } from './network.ts';
import { endpoint, rule, table } from './routing.samples.ts';

export const vectorFolder = join(import.meta.dirname, '..', 'vectors');

type Step = {
  readonly account: string;
  readonly type: string;
  /** Or what it is made of: the ids of the proposals so far. */
  readonly body: object | ((proposals: readonly string[]) => object);
  readonly signers?: readonly string[];
  /** Annotations of the policy that permits; null: nobody permits. */
  readonly terms?: Readonly<Record<string, string>> | null;
  /** Until the next step, milliseconds of block time; default 1,000. */
  readonly pauseMs?: number;
};

/** Leaf hash of RFC 6962: SHA-256(0x00 ‖ leaf). */
const leafHash = (leaf: string): string => sha256Hex(concat(Uint8Array.of(0), encodeUtf8(leaf)));
const idsOf = (...names: string[]): string => toBase64Url(concat(...names.map((name) => sha256(encodeUtf8(name)))));

function steps(network: Network): Step[] {
  const { chain } = network;
  const { time } = network.block;
  const file = sha256Hex(encodeUtf8('misty-7b-q4.gguf'));
  const base = sha256Hex(encodeUtf8('misty-7b.gguf'));
  const report = sha256Hex(encodeUtf8('report'));
  const packet = sha256Hex(encodeUtf8('packet 1'));
  const secret = seedOf('ticket');
  const said = {
    target: 'oracle.weave',
    id: packet,
    Payload_Digest: sha256Hex(encodeUtf8('ciphertext 1')),
    verdict: 'VERIFIED' as const,
  };
  const questions = table(
    [
      rule('quarantine', 'rogue.weave', '*', 'deny'),
      rule('questions', 'role:agent', 'oracle.weave'),
      rule('rest', '*', 'role:agent', 'allow', 'oracle'),
    ],
    [{ name: 'oracle', to: 'oracle.weave' }],
  );
  const model = { format: 'gguf', lineage: [] as object[] };
  const group = {
    source: 'misty.weave',
    target: 'oracle.weave',
    expires: time + 30_000,
    ids: idsOf('packet 1', 'packet 2'),
  };
  return [
    {
      account: 'admin',
      type: 'identity.register',
      body: { account: 'rogue.weave', roles: ['agent'], keys: [plainKey('rogue.weave')] },
    },
    {
      account: 'misty.weave',
      type: 'identity.rotate',
      body: {
        account: 'misty.weave',
        add: [
          provenKey(chain, 'misty.weave', 'misty.weave 2'),
          provenKey(chain, 'misty.weave', 'misty.weave 3', 'p256'),
        ],
        remove: [keyOf('misty.weave').keyid],
      },
      signers: ['misty.weave'],
    },
    {
      account: 'misty.weave',
      type: 'identity.revoke',
      body: { account: 'rogue.weave', keyid: keyOf('rogue.weave').keyid, reason: 'found on a forum' },
      signers: ['misty.weave 2'],
    },
    { account: 'admin', type: 'identity.roles', body: { account: 'rogue.weave', roles: ['quarantined'] } },
    { account: 'admin', type: 'identity.suspend', body: { account: 'rogue.weave', reason: 'under investigation' } },
    { account: 'admin', type: 'identity.resume', body: { account: 'rogue.weave', reason: 'cleared' } },
    {
      account: 'admin',
      type: 'identity.ticket',
      body: {
        digest: ticketDigest(secret),
        account: 'host-17',
        roles: ['agent'],
        redeemer: 'router-prime',
        expires: time + 3_600_000,
      },
    },
    {
      account: 'router-prime',
      type: 'identity.redeem',
      body: { secret: toBase64Url(secret), keys: [provenKey(chain, 'host-17', 'host-17')] },
    },
    {
      account: 'femto',
      type: 'models.register',
      body: {
        ...model,
        model: 'misty-7b',
        name: 'Misty 7B',
        sha256: base,
        size: 14_483_464_192,
        source: 'https://models.example.net/misty-7b.gguf',
      },
    },
    {
      account: 'femto',
      type: 'models.register',
      body: {
        ...model,
        model: 'misty-7b-q4',
        name: 'Misty 7B, Q4_K_M',
        sha256: file,
        size: 4_368_439_296,
        source: 'https://models.example.net/misty-7b-q4.gguf',
      },
    },
    {
      account: 'femto',
      type: 'models.lineage',
      body: { model: 'misty-7b-q4', add: [{ model: 'misty-7b', relation: 'quantised' }] },
    },
    { account: 'oracle.weave', type: 'models.authorise', body: { model: 'misty-7b-q4', sha256: file } },
    {
      account: 'scanner',
      type: 'models.attest',
      body: {
        model: 'misty-7b-q4',
        kind: 'static-scan',
        verdict: 'PASSED',
        report,
        tool: { name: 'weft-gguf-scan', version: '0.1.0' },
        supersedes: null,
      },
    },
    { account: 'oracle.weave', type: 'models.authorise', body: { model: 'misty-7b-q4', sha256: file } },
    {
      account: 'oracle.weave',
      type: 'routing.instance',
      body: { instance: 'oracle.weave', state: 'up', endpoint, model: 'misty-7b-q4' },
    },
    { account: 'admin', type: 'routing.publish', body: { replaces: 0, table: questions } },
    {
      account: 'router-prime',
      type: 'packets.commit',
      body: {
        groups: [
          group,
          { ...group, target: 'oracle', ids: idsOf('packet 3') },
          { ...group, source: 'rogue.weave', ids: idsOf('packet 4') },
        ],
      },
    },
    {
      account: 'router-prime',
      type: 'packets.acknowledge',
      body: {
        acknowledgements: [
          {
            ...said,
            keyid: keyOf('oracle.weave').keyid,
            sig: toBase64Url(sign(acknowledgementBytes(chain, said), seedOf('oracle.weave'))),
          },
        ],
      },
    },
    {
      account: 'oracle.weave',
      type: 'packets.mismatch',
      body: { id: packet, kind: 'DIGEST', expected: said.Payload_Digest, observed: report, evidence: null },
    },
    {
      account: 'admin',
      type: 'routing.publish',
      body: { replaces: 1, table: table([rule('nothing', '*', '*', 'deny')]) },
    },
    { account: 'admin', type: 'routing.rollback', body: { replaces: 2, to: 1 } },
    { account: 'oracle.weave', type: 'models.revoke', body: { model: 'misty-7b-q4', reason: 'poisoned data set' } },
    ...governanceSteps(network),
    ...policySteps(network),
  ];
}

/** A fifth validator comes in, with which an epoch ends; a proposal is withdrawn, another one expires; v3 has lied. */
function governanceSteps(network: Network): Step[] {
  const expires = network.block.time + 3_600_000;
  const observers = { kind: 'observers', set: [], remove: ['o1'] };
  return [
    {
      account: 'admin',
      type: 'governance.propose',
      body: { change: validatorsChange('v5'), notBefore: 0, expires },
    },
    ...['v1', 'v2', 'v4', 'v5'].map((name) => ({
      account: name,
      type: 'governance.ready',
      body: ([proposal = '']: readonly string[]) => readyBody(network, proposal, name),
    })),
    { account: 'admin', type: 'governance.approve', body: ([proposal]: readonly string[]) => ({ proposal }) },
    { account: 'admin', type: 'governance.propose', body: { change: observers, notBefore: 0, expires } },
    { account: 'admin', type: 'governance.withdraw', body: ([, proposal]: readonly string[]) => ({ proposal }) },
    {
      account: 'admin',
      type: 'governance.propose',
      body: () => ({ change: observers, notBefore: 0, expires: network.block.time + 500 }),
    },
    {
      account: 'v1',
      type: 'governance.evidence',
      body: {
        kind: 'votes',
        epoch: 1,
        a: sampleVote(network, 'notarize'),
        b: sampleVote(network, 'notarize', { block: 'b' }),
      },
    },
    {
      account: 'v1',
      type: 'governance.evidence',
      body: {
        kind: 'cosignatures',
        epoch: 1,
        a: sampleCosignature(network),
        b: sampleCosignature(network, { root: 'b' }),
      },
    },
  ];
}

/** A text is uploaded, a set that names it comes into force, and the kill switch is thrown. */
function policySteps(network: Network): Step[] {
  const text = '@id("all")\npermit (principal, action, resource);';
  const { schema } = openPolicy;
  const digest = (each: string): string => sha256Hex(encodeUtf8(each));
  const expires = network.block.time + 3_600_000;
  const policies = [{ id: 'all', text: digest(text) }];
  const policy = { kind: 'policy', schema: digest(schema), policies, minValid: 2 };
  const pause = { kind: 'pause', paused: true };
  const last = (proposals: readonly string[]) => ({ proposal: proposals.at(-1) });
  return [
    { account: 'admin', type: 'governance.text', body: { text } },
    { account: 'admin', type: 'governance.propose', body: { change: policy, notBefore: 0, expires } },
    { account: 'admin', type: 'governance.approve', body: last },
    { account: 'admin', type: 'governance.propose', body: { change: pause, notBefore: 0, expires } },
    { account: 'admin', type: 'governance.approve', body: last },
  ];
}

/** On a network of their own, so that time may pass. Ids are of intents. */
function intentSteps(): Step[] {
  const result = sha256Hex(encodeUtf8('restarted'));
  const restart = {
    action: 'service.restart',
    resource: 'service/web-3/nginx',
    effect: { host: 'web-3', service: 'nginx' },
    ttlMs: 60_000,
    audience: 'misty.weave',
    maxUses: 2,
    dryRun: false,
  };
  const route = {
    action: 'route.open',
    resource: 'route/gate-1/2001:db8::/64/10.0.9.17/32/443/tcp',
    effect: { host: 'gate-1', source: '2001:db8::/64', destination: '10.0.9.17/32', port: 443, protocol: 'tcp' },
    ttlMs: 600_000,
    audience: 'misty.weave',
    maxUses: 1,
    dryRun: true,
  };
  const grant = (n: number) => (ids: readonly string[]) => ids[n] ?? '';
  const one = 'AAECAwQFBgcICQoLDA0ODw';
  const two = 'Dw4NDAsKCQgHBgUEAwIBAA';
  const terms = { approvals: '2', ttl: '5m' };
  const intent = (n: number) => (ids: readonly string[]) => ({ intent: grant(n)(ids) });
  const taken = (n: number, attempt: string) => (ids: readonly string[]) => ({ grant: grant(n)(ids), attempt });
  return [
    { account: 'router-prime', type: 'intents.propose', body: restart, terms: { ttl: '30s' } },
    { account: 'misty.weave', type: 'intents.consume', body: taken(0, one) },
    {
      account: 'misty.weave',
      type: 'intents.report',
      body: (ids) => ({ ...taken(0, one)(ids), outcome: 'done', result }),
    },
    // Of the second use nobody ever hears.
    { account: 'misty.weave', type: 'intents.consume', body: taken(0, two) },
    { account: 'router-prime', type: 'intents.propose', body: route, terms },
    { account: 'admin', type: 'intents.approve', body: intent(1), terms },
    { account: 'femto', type: 'intents.approve', body: intent(1), terms },
    { account: 'router-prime', type: 'intents.cancel', body: intent(1) },
    { account: 'scanner', type: 'intents.propose', body: restart, terms: null },
    {
      account: 'scanner',
      type: 'intents.propose',
      body: restart,
      terms: { approvals: '1', approver_key: 'webauthn' },
      pauseMs: 900_000,
    },
    {
      account: 'scanner',
      type: 'alerts.raise',
      body: {
        kind: 'checks-differ',
        source: 'misty-7b-q4',
        window: { from: 1_763_712_000_000, to: 1_763_712_900_000 },
        count: 3,
        evidence: [result],
      },
    },
    { account: 'admin', type: 'alerts.resolve', body: (ids) => ({ alert: ids.at(-1) ?? '' }) },
  ];
}

/** Permits all but proposals, and these on the step's terms. */
function decideBy(terms: Step['terms']): Decide {
  return (request) => {
    if (request.action.startsWith('intents.') || terms === undefined) return allowAll(request);
    if (terms === null) return { decision: 'deny', reasons: ['no-two-at-once'], errors: false, annotations: {} };
    return { decision: 'allow', reasons: ['repairs'], errors: false, annotations: { repairs: terms } };
  };
}

/** File under test/vectors/ → document. The first accepted transaction of each type, all records by type in order. */
export function makeVectors(): Map<string, Json> {
  const document = genesisDocument({ policy: openPolicy });
  const network = new Network(document);
  const files = new Map<string, Json>();
  const genesisLeaf = JSON.stringify(network.genesisRecord);
  files.set('genesis/genesis.json', {
    about:
      'A genesis document; its RFC 8785 text; genesisHash = SHA-256("weft/genesis/v1" || text); leaf 0 and the state of block 0.',
    document: document as unknown as Json,
    canonical: canonicalJson(document),
    genesisHash: network.genesisHash,
    chain: network.chain,
    record: genesisLeaf,
    leafHash: leafHash(genesisLeaf),
    state: [...network.state]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, value]) => ({ path, value: canonicalJson(value) })),
  });
  const records = new Map<string, Json[]>();
  const keep = (transaction: string | null, record: Json & object): void => {
    const leaf = JSON.stringify(record);
    // A grant has no `type`: see docs/formats.md, Grant leaf.
    const { type = 'intents.granted' } = record as { type?: string };
    records.set(type, [...(records.get(type) ?? []), { transaction, leaf, leafHash: leafHash(leaf) }]);
  };
  const play = (network: Network, steps: readonly Step[]): void => {
    const proposals: string[] = [];
    for (const { account, type, body: given, signers, terms, pauseMs } of steps) {
      const body = typeof given === 'function' ? given(proposals) : given;
      const tx = network.transaction(account, type, body, signers === undefined ? {} : { signers });
      const applied = network.execute(tx, decideBy(terms));
      for (const record of applied.records) keep(tx.txId, record as Json & object);
      if (type.endsWith('.propose') || type === 'alerts.raise') proposals.push(tx.txId);
      const envelope = decodeUtf8(tx.envelope);
      const leaf = `{"type":"tx","envelope":${envelope}}`;
      if (applied.refused === undefined && !files.has(`tx/${type}.json`)) {
        files.set(`tx/${type}.json`, {
          about:
            'A transaction: its body, what is signed (DSSE PAE), the envelope, both digests, its leaf. Seeds are Ed25519 secrets.',
          seeds: (signers ?? [account]).map((name) => ({ keyid: keyOf(name).keyid, seed: toHex(seedOf(name)) })),
          payload: decodeUtf8(decodeEnvelope(tx.envelope).payload),
          pae: toHex(tx.signed),
          envelope,
          txId: tx.txId,
          envelopeId: tx.envelopeId,
          leafHash: leafHash(leaf),
        });
      }
      for (const record of network.next(pauseMs).records) keep(null, record as Json & object);
    }
  };
  play(network, steps(network));
  play(new Network(document), intentSteps());
  const block = network.rules.blockRecord({
    height: 812,
    epoch: 1,
    time: network.block.time,
    parent: sha256Hex(encodeUtf8('parent')),
    stateRoot: sha256Hex(encodeUtf8('state')),
    ruleset: 1,
    policy: { version: 1, digest: sha256Hex(encodeUtf8('policy')) },
    validators: sha256Hex(encodeUtf8('validators')),
  });
  const blockLeaf = JSON.stringify(block);
  records.set('block', [{ transaction: null, leaf: blockLeaf, leafHash: leafHash(blockLeaf) }]);
  for (const [type, list] of records) {
    files.set(`records/${type}.json`, {
      about: 'Leaves as they stand in the log, and their RFC 6962 leaf hashes.',
      leaves: list,
    });
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv.includes('--write')) {
  for (const [name, document] of makeVectors()) {
    const path = join(vectorFolder, name);
    if (existsSync(path)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
    process.stdout.write(`${name}\n`);
  }
}
