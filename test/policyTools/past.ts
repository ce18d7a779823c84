// A past to look back on: an archive of any length, made in memory from one seed, with honest signatures and certificates, whose
// transactions are allowed and refused by many policies. Ten minutes of a busy network, or a year of a quiet one.

import { buildEnvelope } from '../../contracts/transaction.ts';
import type { Json, JsonObject } from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { concat, decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { type Ed25519Signer, ed25519Signer } from '../../src/crypto/ed25519.ts';
import { sha256, sha256Hex } from '../../src/crypto/hash.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { archiveBytes } from '../../src/ledger/archive.ts';
import { encodeCertificate } from '../../src/ledger/certificate.ts';
import { Chain } from '../../src/ledger/chain.ts';
import { type Genesis, loadGenesis } from '../../src/ledger/genesis.ts';
import type { Executed } from '../../src/ledger/overlay.ts';
import { genesisPosition } from '../../src/ledger/restart.ts';
import type { Run } from '../../src/ledger/types.ts';
import { statementType } from '../../src/token/grant.ts';
import { contextAfter, finalizationOf, genesisDocument, sealBlock, seedOf, trusting } from '../ledger/fixtures.ts';
import { createPrng, type Prng } from '../sim/prng.ts';

const agents = Array.from({ length: 12 }, (_, i) => `agent-${String(i + 1).padStart(2, '0')}`);
const operators = Array.from({ length: 6 }, (_, i) => `operator-${i + 1}`);
const executors = ['web-1', 'web-2', 'web-3'];
const roles: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(operators.map((name) => [name, ['operator']])),
  ...Object.fromEntries(executors.map((name) => [name, ['executor']])),
  'approver-1': ['approver'],
  'approver-2': ['approver'],
  admin: ['administrator', 'routing-admin'],
  authoriser: ['model-authoriser'],
  helper: ['administrator'],
  publisher: ['model-publisher'],
  'publisher-2': ['model-publisher', 'model-verifier'],
  'router-1': ['router'],
  'router-2': ['router'],
  sentinel: ['sentinel'],
  'verifier-1': ['model-verifier'],
  'verifier-2': ['model-verifier'],
  ...Object.fromEntries(agents.map((name) => [name, ['agent']])),
};
const everyone = Object.keys(roles);

export type PastOptions = {
  /** Blocks are added until so many transactions stand in them. */
  readonly transactions: number;
  readonly seed?: number;
  readonly perBlock?: number;
  readonly policy?: { readonly schema: string; readonly policies: readonly { id: string; text: string }[] };
  /** Sees each block: its entries, for who serves them. */
  readonly onBlock?: (block: Executed) => void;
  readonly onProgress?: (transactions: number) => void;
};

export type Past = { readonly archive: Uint8Array; readonly genesis: Genesis; readonly blocks: number };

export async function makePast(options: PastOptions): Promise<Past> {
  const { perBlock = 50 } = options;
  const genesis = loadGenesis(genesisBytes(options));
  const life = new Life(genesis.chain, createPrng(options.seed ?? 1));
  const chain = new Chain({ genesis, verifier: trusting, tip: genesisPosition(genesis, () => false) });
  const runs: Run[] = [];
  const counts: number[] = [];
  let headers: Uint8Array[] = [];
  let bodies: Uint8Array[] = [];
  let transactions = 0;
  while (transactions < options.transactions) {
    const { blockId: parent, header, nextEpoch: epoch } = chain.tip;
    // Far enough apart for grants to end on the way.
    const time = header.time + 20_000;
    const envelopes = life.block(header.height + 1, time, Math.min(perBlock, options.transactions - transactions));
    const { blockId } = await sealBlock(chain, parent, contextAfter(chain.tip, time), envelopes);
    const block = chain.executed(blockId);
    if (block === undefined) throw new Error('no block');
    chain.settle(block);
    options.onBlock?.(block);
    life.saw(block);
    headers.push(block.headerBytes);
    bodies.push(block.body);
    counts.push(envelopes.length);
    transactions += envelopes.length;
    if (headers.length === 20 || transactions >= options.transactions) {
      const certificate = encodeCertificate(finalizationOf(genesis, epoch, block), epoch.validators.length);
      runs.push({ headers, bodies, certificate });
      [headers, bodies] = [[], []];
      options.onProgress?.(transactions);
    }
  }
  const firsts = new Map<number, Run>();
  let height = 1;
  for (const run of runs) {
    firsts.set(height, run);
    height += run.headers.length;
  }
  const source = {
    genesis: genesis.bytes,
    run: (from: number) => firsts.get(from),
    transactions: (at: number) => counts[at - 1] ?? 0,
  };
  return { archive: concat(...archiveBytes(source)), genesis, blocks: counts.length };
}

function genesisBytes({ policy }: PastOptions): Uint8Array {
  const document = genesisDocument(4, { accounts: everyone, ...(policy === undefined ? {} : { policy }) });
  const accounts = (document['accounts'] as readonly JsonObject[]).map((account) => ({
    ...account,
    roles: [...(roles[String(account['name'])] ?? [])].sort(),
  }));
  return encodeUtf8(JSON.stringify({ ...document, accounts }));
}

type Act = readonly [account: string, type: string, body: unknown];

/** What accounts do, most of it allowed. */
class Life {
  readonly #chain: string;
  readonly #random: Prng;
  readonly #signers = new Map<string, { keyid: string; signer: Ed25519Signer }>();
  readonly #models: string[] = [];
  readonly #pending: { readonly intent: string; readonly audience: string }[] = [];
  readonly #granted: { readonly intent: string; readonly audience: string }[] = [];
  readonly #used: { readonly grant: string; readonly attempt: string; readonly audience: string }[] = [];
  #count = 0;
  #signed = 0;

  constructor(chain: string, random: Prng) {
    this.#chain = chain;
    this.#random = random;
  }

  block(height: number, time: number, room: number): Uint8Array[] {
    const acts = height === 1 ? this.#beginning().slice(0, room) : Array.from({ length: room }, () => this.#act(time));
    return acts.map((act) => this.#sign(act, time));
  }

  /** For acts that refer to what became of earlier ones. */
  saw({ leaves }: Executed): void {
    for (const { type, bytes } of leaves) {
      if (type !== 'intents.pending' && type !== statementType) continue;
      const record = JSON.parse(decodeUtf8(bytes)) as JsonObject;
      const { intent, audience } = (record['predicate'] ?? record) as { intent: string; audience: string };
      (type === statementType ? this.#granted : this.#pending).push({ intent, audience });
    }
  }

  #beginning(): Act[] {
    const up = agents.map((instance): Act => [instance, 'routing.instance', instanceBody(instance, 'up')]);
    const table = {
      format: 'weft/routing-table/v1',
      aliases: [],
      rules: [
        { id: 'quarantine', source: agents[0], target: agents[1], outcome: 'deny' },
        { id: 'all', source: '*', target: '*', outcome: 'allow' },
      ],
    };
    return [...up, ['admin', 'routing.publish', { replaces: 0, table }]];
  }

  #act(time: number): Act {
    const random = this.#random;
    this.#count += 1;
    const dice = random.next();
    if (dice < 0.45) return this.#packets(time);
    if (dice < 0.6) return this.#intent();
    if (dice < 0.7) return [random.pick(everyone), 'packets.mismatch', this.#mismatch()];
    if (dice < 0.88) return this.#model();
    if (dice < 0.92) {
      const instance = random.pick(agents);
      const by = random.chance(0.7) ? instance : random.pick(['admin', 'router-1']);
      return [by, 'routing.instance', instanceBody(instance, random.chance(0.75) ? 'up' : 'down')];
    }
    return this.#identity();
  }

  #packets(time: number): Act {
    const random = this.#random;
    const by = random.pick(['router-1', 'router-2', random.pick(agents), random.pick(everyone)]);
    const groups = Array.from({ length: random.between(1, 3) }, () => ({
      source: random.chance(0.5) && agents.includes(by) ? by : random.pick(agents),
      target: random.pick(agents),
      expires: time + 30_000,
      ids: this.#digest(`packet ${this.#count}`),
    }));
    return [by, 'packets.commit', { groups }];
  }

  #intent(): Act {
    const random = this.#random;
    const used = this.#used.shift();
    if (used !== undefined) {
      const { grant, attempt, audience } = used;
      return [audience, 'intents.report', { grant, attempt, outcome: 'done', result: sha256Hex(encodeUtf8(attempt)) }];
    }
    const granted = this.#granted.shift();
    if (granted !== undefined && random.chance(0.8)) {
      const { intent: grant, audience } = granted;
      const attempt = toBase64Url(sha256(encodeUtf8(grant)).subarray(0, 16));
      this.#used.push({ grant, attempt, audience });
      return [audience, 'intents.consume', { grant, attempt }];
    }
    const pending = this.#pending.shift();
    if (pending !== undefined)
      return [random.pick(['approver-1', 'approver-2', 'operator-1']), 'intents.approve', { intent: pending.intent }];
    const host = `web-${random.between(1, 40)}`;
    const [action, kind, effect] = random.pick([
      ['service.restart', 'service', { host, service: random.pick(['nginx', 'shop', 'sshd', 'billing']) }],
      ['cache.clear', 'cache', { host, cache: 'thumbnails' }],
      ['config.restore', 'config', { host, config: 'nginx.conf', sha256: sha256Hex(encodeUtf8(host)) }],
      ['sysctl.set', 'sysctl', { host, key: random.pick(['net.core.somaxconn', 'kernel.sysrq']), value: '1' }],
    ] as const);
    const [, what] = Object.values(effect);
    const body = {
      action,
      resource: `${kind}/${host}/${what}`,
      effect,
      ttlMs: random.pick([30_000, 60_000, 600_000]),
      audience: random.pick(executors),
      maxUses: 1,
      dryRun: random.chance(0.2),
    };
    return [random.pick([...operators, 'agent-01']), 'intents.propose', body];
  }

  #mismatch(): JsonObject {
    const digest = sha256Hex(encodeUtf8(`mismatch ${this.#count}`));
    return { id: digest, kind: 'DIGEST', expected: digest, observed: sha256Hex(encodeUtf8('other')), evidence: null };
  }

  #model(): Act {
    const random = this.#random;
    const known = this.#models.length > 0 && random.chance(0.8) ? random.pick(this.#models) : undefined;
    if (known === undefined) {
      const model = `model-${this.#count}`;
      this.#models.push(model);
      if (this.#models.length > 50) this.#models.shift();
      const sha = sha256Hex(encodeUtf8(model));
      const by = random.pick(['publisher', 'publisher-2', 'publisher', 'helper']);
      const body = {
        model,
        name: model,
        sha256: sha,
        size: 1000 + random.int(5) * 4_000_000_000,
        format: 'gguf',
        source: 'https://models.example.net/m',
        lineage: [],
      };
      return [by, 'models.register', body];
    }
    if (random.chance(0.6)) {
      const kind = random.pick(['static-scan', 'signature', 'licence']);
      const by = random.pick(['verifier-1', 'verifier-2', 'publisher-2', 'verifier-1']);
      const supersedes = random.chance(0.1) ? 'verifier-2' : null;
      const verdict = random.chance(0.9) ? 'PASSED' : 'WARNED';
      const report = sha256Hex(encodeUtf8(`report ${this.#count}`));
      return [
        by,
        'models.attest',
        { model: known, kind, verdict, report, tool: { name: 'scan', version: '1' }, supersedes },
      ];
    }
    const sha = sha256Hex(encodeUtf8(known));
    if (random.chance(0.9))
      return [random.pick(['authoriser', 'admin', 'publisher']), 'models.authorise', { model: known, sha256: sha }];
    return [random.pick(['publisher', 'authoriser']), 'models.revoke', { model: known, reason: 'old' }];
  }

  #identity(): Act {
    const random = this.#random;
    if (random.chance(0.3)) {
      const account = `new-${this.#count}`;
      const publicKey = toBase64Url(ed25519Signer(seedOf(account)).publicKey);
      const wanted = random.pick([[], ['agent'], ['router'], ['administrator']]);
      const by = random.pick(['admin', 'helper', 'helper', 'router-1']);
      return [by, 'identity.register', { account, roles: wanted, keys: [{ alg: 'ed25519', publicKey }] }];
    }
    const account = random.pick(['sentinel', 'router-2', ...agents.slice(6)]);
    const wanted = random.pick([['agent'], ['agent', 'sentinel'], ['agent', 'router'], ['model-authoriser']]);
    return [random.pick(['admin', 'helper', 'helper', account]), 'identity.roles', { account, roles: wanted }];
  }

  #digest(text: string): string {
    return toBase64Url(sha256(encodeUtf8(text)));
  }

  #sign([account, type, body]: Act, time: number): Uint8Array {
    this.#signed += 1;
    const nonce = new Uint8Array(8);
    new DataView(nonce.buffer).setUint32(4, this.#signed);
    let known = this.#signers.get(account);
    if (known === undefined) {
      const signer = ed25519Signer(seedOf(account));
      known = { signer, keyid: keyId(ALG_ED25519, signer.publicKey) };
      this.#signers.set(account, known);
    }
    const { keyid, signer } = known;
    const fields = {
      chain: this.#chain,
      account,
      type,
      expires: time + 60_000,
      nonce: toBase64Url(nonce),
      body: body as JsonObject,
    };
    return buildEnvelope(fields, [{ keyid, sign: (message) => signer.sign(message) }]);
  }
}

function instanceBody(instance: string, state: 'up' | 'down'): Json {
  const endpoint = state === 'up' ? { url: 'https://agents.example.net/nld', protocol: 'nld/http' } : null;
  return { instance, state, endpoint, model: null };
}
