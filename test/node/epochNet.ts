import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { JsonObject } from '../../contracts/types.ts';
import { type AuditReport, auditArchive } from '../../src/audit/audit.ts';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { buildTransaction, ed25519TransactionSigner, sign } from '../../src/client/index.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { codeOf } from '../../src/codec/error.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { generateValidatorKeys, type ValidatorKeys, validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { exportArchive } from '../../src/ledger/exportArchive.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { parseNote } from '../../src/log/note.ts';
import type { NodeStatus } from '../../src/node/api.ts';
import { type Config, checkConfig, loadConfig } from '../../src/node/config.ts';
import { type NodeOptions, WeftNode } from '../../src/node/node.ts';
import { freeBase } from '../freePorts.ts';

/** A network in this process whose set of validators changes: nodes by name, keys at hand, a council of one. */

type Place = { readonly config: Config; keys: ValidatorKeys; nextKeys?: ValidatorKeys };
export type Entry = JsonObject & { readonly name: string };

const parameters = {
  leaderTimeoutMs: 400,
  certificationTimeoutMs: 800,
  retryMs: 500,
  fetchMs: 300,
  skipMs: 4000,
  idleBlockMs: 1000,
  recosignMs: 300,
} as const;

export class EpochNet {
  readonly chain: string;
  readonly #genesis: Uint8Array;
  readonly #dir: string;
  readonly #places = new Map<string, Place>();
  readonly nodes = new Map<string, WeftNode>();
  readonly #signers = new Map<string, Uint8Array>();
  readonly #base: number;
  readonly #addresses: { name: string; address: string }[] = [];
  /** Lines of level error, by node. */
  readonly cries: string[] = [];
  readonly lines: string[] = [];

  private constructor(chain: string, genesis: Uint8Array, dir: string, base: number) {
    this.chain = chain;
    this.#genesis = genesis;
    this.#dir = dir;
    this.#base = base;
  }

  static async make(t: Test, validators: number, room = 8): Promise<EpochNet> {
    const dir = mkdtempSync(join(tmpdir(), 'weft-epochs-'));
    const base = await freeBase(room);
    const net = await makeTestnet({
      name: 'weft-epochs',
      demoAccounts: true,
      validators,
      dir,
      basePort: base,
      passphrase: null,
      consensus: parameters,
    });
    const made = new EpochNet(net.chain, readFileSync(net.genesis), dir, base);
    t.teardown(async () => {
      await Promise.all([...made.nodes.values()].map((node) => node.close()));
      rmSync(dir, { recursive: true, force: true });
    });
    for (const validator of net.validators) {
      const config = loadConfig(validator.config);
      const keys = validatorKeysFrom(await readKeyFile(config.keys, null));
      made.#places.set(validator.name, { config, keys });
      made.#addresses.push({ name: validator.name, address: validator.address });
      made.#signers.set(validator.name, keys.account.seed);
    }
    for (const [account, path] of net.accounts) {
      const secret = (await readKeyFile(path, null)).find(({ name }) => name === 'account');
      if (secret !== undefined) made.#signers.set(account, secret.secret);
    }
    return made;
  }

  /** Keys and a configuration for one more node, and its account on the ledger. The others do not learn its address. */
  async join(name: string): Promise<void> {
    const keys = generateValidatorKeys();
    const address = `/ip4/127.0.0.1/tcp/${this.#base + 10 * (this.#places.size + 1)}`;
    const folder = join(this.#dir, name);
    mkdirSync(folder, { recursive: true });
    const config = checkConfig(
      { name, peer: { listen: [address], peers: [...this.#addresses] }, rpc: { enabled: false }, data: 'data' },
      join(folder, 'config.yaml'),
    );
    this.#places.set(name, { config, keys });
    this.#addresses.push({ name, address });
    this.#signers.set(name, keys.account.seed);
    await this.send('operator', 'identity.register', {
      account: name,
      roles: [],
      keys: [{ alg: 'ed25519', publicKey: toBase64Url(keys.account.publicKey) }],
    });
  }

  /** New keys in `roles` for the next epoch, in a file of their own. */
  renew(name: string, ...roles: (keyof ValidatorKeys)[]): ValidatorKeys {
    const place = this.#place(name);
    const fresh = generateValidatorKeys();
    place.nextKeys = { ...place.keys, ...Object.fromEntries(roles.map((role) => [role, fresh[role]])) };
    return place.nextKeys;
  }

  entry(name: string, keys: ValidatorKeys = this.#place(name).keys): Entry {
    const text = (role: keyof ValidatorKeys): string => toBase64Url(keys[role].publicKey);
    return {
      name,
      peer: text('peer'),
      vote: text('vote'),
      log: text('log'),
      cosigner: text('cosigner'),
      account: name,
      url: `http://127.0.0.1/${name}`,
    };
  }

  async start(name: string, more: Partial<NodeOptions> = {}): Promise<WeftNode> {
    const { config, keys, nextKeys } = this.#place(name);
    const say = (level: string) => (details: object, message: string) => {
      const line = `${name} ${level} ${message} ${JSON.stringify(details)}`;
      this.lines.push(line);
      if (level === 'error') this.cries.push(line);
      if (process.env['WEFT_TEST_TALK'] !== undefined && level !== 'debug') console.error(line);
    };
    const node = await WeftNode.start({
      config,
      genesis: this.#genesis,
      keys,
      ...(nextKeys === undefined ? {} : { nextKeys }),
      version: '0',
      log: {
        debug: process.env['WEFT_TEST_TALK'] === 'debug' ? say('talk') : say('debug'),
        info: say('info'),
        warn: say('warn'),
        error: say('error'),
      },
      ...more,
    });
    this.nodes.set(name, node);
    return node;
  }

  /** What the keeper does: closed, and started again from its data folder. */
  async reopen(name: string, why: string): Promise<void> {
    this.lines.push(`${name} reopened for ${why}`);
    await this.stop(name);
    await this.start(name);
  }

  dataOf(name: string): string {
    return this.#place(name).config.data;
  }

  /** One bit in the middle of what a stopped node wrote down. */
  breakJournal(name: string): void {
    const folder = join(this.dataOf(name), 'journal');
    for (const file of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, file));
      const at = Math.floor(bytes.length / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(join(folder, file), bytes);
    }
  }

  /** `name` has the key file of `other`. */
  swapKeys(name: string, other: string): void {
    this.#place(name).keys = this.#place(other).keys;
  }

  /** What a stopped node holds; the caller closes it. */
  openLedger(name: string): Promise<Ledger> {
    return Ledger.open({ dir: this.dataOf(name), genesis: this.#genesis });
  }

  /** Exports what a stopped node holds, and replays it. */
  async audit(name: string, checkpoint: string): Promise<AuditReport> {
    const ledger = await this.openLedger(name);
    const file = join(this.#dir, 'audited.weft');
    await exportArchive(ledger, file, { checkpoint }).finally(() => ledger.close());
    return auditArchive(file);
  }

  async stop(name: string): Promise<void> {
    const node = this.nodes.get(name);
    this.nodes.delete(name);
    await node?.close();
  }

  node(name: string): WeftNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`${name} does not run`);
    return node;
  }

  status(name: string): NodeStatus {
    return this.node(name).api.status();
  }

  /** Resolves with the records once it is final; throws its refusal. */
  async send(account: string, type: string, body: JsonObject, by = [...this.nodes.keys()][0] ?? ''): Promise<string> {
    const seed = this.#signers.get(account);
    if (seed === undefined) throw new Error(`no account ${account}`);
    const tx = buildTransaction({ chain: this.chain, account, type, body, expiresInMs: 60_000 });
    const signed = await sign(tx, [ed25519TransactionSigner(seed)]);
    const { api } = this.node(by);
    const { id } = await api.submit(signed.envelope);
    const status = await api.wait(id, 30_000);
    if (status.status !== 'finalized') throw new Error(`${type} is ${status.status}`);
    if (status.refused !== undefined) throw new Error(`${type} was refused: ${status.refused}`);
    return id;
  }

  /** Proposes, waits until the next set is ready, approves; resolves once the nodes named are in the next epoch. */
  async change(change: JsonObject, nodes: readonly string[] = [...this.nodes.keys()], by?: string): Promise<number> {
    const proposal = await this.propose(change, by);
    return this.approve(proposal, nodes, by);
  }

  propose(change: JsonObject, by?: string): Promise<string> {
    return this.send('council', 'governance.propose', { change, notBefore: 0, expires: Date.now() + 600_000 }, by);
  }

  async approve(proposal: string, nodes: readonly string[], by?: string): Promise<number> {
    const from = this.status(by ?? [...this.nodes.keys()][0] ?? '').epoch;
    for (let tries = 0; ; tries += 1) {
      try {
        await this.send('council', 'governance.approve', { proposal }, by);
        break;
      } catch (error) {
        if (tries > 60 || !String(error).includes('GOVERNANCE_NOT_READY')) throw error;
        await sleep(250);
      }
    }
    await this.until(`${nodes} in epoch ${from + 1}`, () => nodes.every((name) => this.status(name).epoch > from));
    return from + 1;
  }

  async votes(...names: string[]): Promise<void> {
    await this.until(`${names} vote`, () => names.every((name) => this.status(name).notVoting === ''));
  }

  async until(what: string, holds: () => boolean, withinMs = 60_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!holds()) {
      if (Date.now() > deadline) {
        const said = [...this.nodes].map(([name, { api }]) => {
          const { epoch, view, finalized, notVoting, behind, catchingUp } = api.status();
          return `${name}: ${JSON.stringify({ epoch, view, height: finalized.height, notVoting, behind, catchingUp })}`;
        });
        throw new Error(`not reached: ${what}\n${said.join('\n')}\n${this.lines.slice(-60).join('\n')}`);
      }
      await sleep(20);
    }
  }

  #place(name: string): Place {
    const place = this.#places.get(name);
    if (place === undefined) throw new Error(`no node ${name}`);
    return place;
  }
}

/** The validators of `fourVoting`. */
export const all = ['v1', 'v2', 'v3', 'v4'];

/** All run, and vote. */
export async function fourVoting(t: Test): Promise<EpochNet> {
  const net = await EpochNet.make(t, 4);
  for (const name of all) await net.start(name);
  await net.votes(...all);
  return net;
}

const notYet = new Set(['CHECKPOINT_NOT_YET', 'GRANT_ABSENT', 'GRANT_UNKNOWN', 'TX_UNKNOWN']);

/** Asks until it is answered, as a client does: a node may hear of a block a moment later than another, and publishes what is cosigned. */
export async function published<T>(ask: () => T): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return ask();
    } catch (error) {
      if (!notYet.has(codeOf(error)) || tries > 200) throw error;
      await sleep(50);
    }
  }
}

export function parametersOf(net: EpochNet, name: string): Record<string, number> {
  const { value } = net.node(name).api.state('governance/consensus/current', false);
  return (value as { parameters: Record<string, number> }).parameters;
}

/** Something to do: an account more. */
export async function work(net: EpochNet, by: string): Promise<void> {
  const publicKey = Buffer.from(publicKeyOf(new Uint8Array(randomBytes(32)))).toString('base64url');
  const account = `a-${randomBytes(6).toString('hex')}`;
  await net.send('operator', 'identity.register', { account, roles: [], keys: [{ alg: 'ed25519', publicKey }] }, by);
}

/** The same blocks, and the same closing checkpoints, everywhere. */
export async function agree(t: Test, net: EpochNet, names: readonly string[], epochs: number): Promise<void> {
  for (const name of names) {
    await net.until(`${name} has all closing checkpoints`, () =>
      Array.from({ length: epochs }, (_, i) => net.node(name).api.closing(i + 1)).every((note) => note !== undefined),
    );
  }
  const lowest = Math.min(...names.map((name) => net.status(name).finalized.height));
  const ids = names.map((name) => net.node(name).api.block(lowest)?.blockId);
  t.equal(new Set(ids).size, 1, `one chain at height ${lowest}`);
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    const texts = names.map((name) => parseNote(net.node(name).api.closing(epoch) ?? '').text);
    t.equal(new Set(texts).size, 1, `one end of epoch ${epoch}`);
  }
}
