import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../contracts/types.ts';
import type { NodeStatus } from '../../schemas/types/rpc.ts';
import { nodeStart } from '../../src/cli/nodeFlags.ts';
import { makeTestnet, type Testnet, type TestnetOptions, type TestnetValidator } from '../../src/cli/testnet.ts';
import {
  buildTransaction,
  connect,
  ed25519TransactionSigner,
  type SignedTransaction,
  sign,
  type WeftClient,
} from '../../src/client/index.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { freeBase } from '../freePorts.ts';
import { putBehind, putOn } from './addresses.ts';
import { Hosts } from './namespaces.ts';
import { Relays } from './relay.ts';

/** A network of real validator processes on this machine, for tests that kill, stop and starve them. */

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const hooks = join(import.meta.dirname, 'hooks', 'register.ts');

export type TestNetworkOptions = Partial<Omit<TestnetOptions, 'dir' | 'passphrase'>> & {
  /** Extra arguments to Node for each validator, or by name, for example `--import` of a module that breaks the disk. */
  readonly nodeArgs?: readonly string[] | ((name: string) => readonly string[]);
  readonly env?: Readonly<Record<string, string>> | ((name: string) => Readonly<Record<string, string>>);
  /** Write down every vote that leaves, over all lives of each validator (`wire.ts` reads it). */
  readonly record?: boolean;
  /** Files and database lose with the process what was not synced: of all, or by name. */
  readonly forgetfulDisk?: boolean | ((name: string) => boolean);
  /** Every pair of validators talks through a relay of this process (`relays`). */
  readonly relays?: boolean;
  /** Every validator is on a host of its own (`hosts`); not together with relays. */
  readonly hosts?: boolean;
};

/** For one start of one validator; they reach the wrappers of `hooks/`. */
export type StartOptions = {
  /** Further arguments of `weft start`. */
  readonly args?: readonly string[];
  /** Its clock is wrong by so many milliseconds. */
  readonly clockMs?: number;
  /** It sends no message of these kinds (`frameKinds`). */
  readonly mute?: readonly number[];
};

export class TestNetwork {
  readonly net: Testnet;
  readonly dir: string;
  /** Of the validators of genesis, then of those that joined (`add`). */
  readonly clients: WeftClient[];
  readonly #validators: TestnetValidator[];
  readonly #children = new Map<string, ChildProcess>();
  readonly #options: TestNetworkOptions;
  readonly #relays: Relays | undefined;
  readonly #hosts: Hosts | undefined;
  /** What processes cried on standard error, and how they ended without being told to. */
  readonly #outcry: string[] = [];

  private constructor(
    net: Testnet,
    dir: string,
    options: TestNetworkOptions,
    between: { relays?: Relays; hosts?: Hosts },
  ) {
    this.net = net;
    this.dir = dir;
    this.#relays = between.relays;
    this.#hosts = between.hosts;
    this.#options = options;
    this.#validators = [...net.validators];
    this.clients = net.validators.map(({ rpc }) => connect({ rpc }));
  }

  /** Makes keys and genesis in a fresh folder; starts nothing. */
  static async make(options: TestNetworkOptions = {}): Promise<TestNetwork> {
    const {
      nodeArgs: _args,
      env: _env,
      record: _record,
      forgetfulDisk: _disk,
      relays: behind,
      hosts: apart,
      ...rest
    } = options;
    const dir = mkdtempSync(join(tmpdir(), 'weft-e2e-'));
    const basePort = rest.basePort ?? (await freeBase(rest.validators ?? 4));
    const net = await makeTestnet({ name: 'weft-e2e', demoAccounts: true, ...rest, dir, basePort, passphrase: null });
    if (apart === true) {
      const hosts = Hosts.make(net.validators.map(({ name }) => name));
      return new TestNetwork(putOn(hosts, net), dir, options, { hosts });
    }
    if (behind !== true) return new TestNetwork(net, dir, options, {});
    const relays = new Relays();
    await putBehind(relays, net);
    return new TestNetwork(net, dir, options, { relays });
  }

  /** Of files that are there already; `remove` is not for them: stop the processes with `signalAll`. */
  static of(net: Testnet, dir: string): TestNetwork {
    return new TestNetwork(net, dir, {}, {});
  }

  /** @throws when the network was made without */
  get relays(): Relays {
    if (this.#relays === undefined) throw new Error('this network was made without relays');
    return this.#relays;
  }

  /** @throws when the network was made without */
  get hosts(): Hosts {
    if (this.#hosts === undefined) throw new Error('this network was made without hosts');
    return this.#hosts;
  }

  get names(): string[] {
    return this.#validators.map(({ name }) => name);
  }

  get validators(): readonly TestnetValidator[] {
    return this.#validators;
  }

  /** One more node: its files are there (`joining.ts`). Which account speaks for it is told along. */
  add(validator: TestnetValidator, seed: Uint8Array): void {
    this.#validators.push(validator);
    this.clients.push(connect({ rpc: validator.rpc }));
    this.#signers.set(validator.name, ed25519TransactionSigner(seed));
  }

  start(name: string, { clockMs = 0, mute = [], args: more = [] }: StartOptions = {}): void {
    const validator = this.#validator(name);
    const { nodeArgs = [], env = {}, record, forgetfulDisk = false } = this.#options;
    const extra = typeof nodeArgs === 'function' ? nodeArgs(name) : nodeArgs;
    const forgets = typeof forgetfulDisk === 'function' ? forgetfulDisk(name) : forgetfulDisk;
    const wrapped = record === true || forgets || clockMs !== 0 || mute.length > 0 ? ['--import', hooks] : [];
    const args = ['--disable-warning=ExperimentalWarning', ...nodeStart().flags, ...wrapped, ...extra, main, 'start'];
    const at = this.#hosts === undefined ? [] : ['ip', 'netns', 'exec', this.#hosts.space(name)];
    const [program = '', ...words] = [...at, process.execPath, ...args, '--config', validator.config, ...more];
    const child = spawn(program, words, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...nodeStart().env,
        ...process.env,
        // The test runner's own hooks are for tests, not for what they test.
        NODE_OPTIONS: '',
        // Many starts of one program: what was compiled once is not compiled again.
        NODE_COMPILE_CACHE: join(tmpdir(), 'weft-e2e-compiled'),
        ...(typeof env === 'function' ? env(name) : env),
        WEFT_LOG_FILE: this.logOf(name),
        ...(record === true ? { WEFT_TEST_RECORD: this.wireOf(name) } : {}),
        ...(forgets ? { WEFT_TEST_DISK: 'forgetful' } : {}),
        ...(clockMs === 0 ? {} : { WEFT_TEST_CLOCK_MS: String(clockMs) }),
        ...(mute.length === 0 ? {} : { WEFT_TEST_MUTE: mute.join() }),
      },
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (/Error|at .*:\d+:\d+/.test(text)) this.#outcry.push(`${name}: ${text}`);
    });
    child.once('exit', (code) => {
      if (code !== null && code !== 0) this.#outcry.push(`${name} ended by itself with code ${code}`);
    });
    this.#children.set(name, child);
  }

  /** Starts a further process on the data of `name`, and waits until it has ended. */
  async runOnce(name: string): Promise<{ readonly code: number | null; readonly said: string }> {
    const args = ['--disable-warning=ExperimentalWarning', main, 'start', '--config', this.#validator(name).config];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, said };
  }

  startAll(): void {
    for (const name of this.names) this.start(name);
  }

  /** Sends a signal; for SIGKILL and SIGTERM resolves when the process is gone. */
  async signal(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await gone;
  }

  /** Of the running process, for `/proc`. */
  pid(name: string): number {
    const pid = this.#children.get(name)?.pid;
    if (pid === undefined) throw new Error(`${name} was not started`);
    return pid;
  }

  async signalAll(signal: NodeJS.Signals): Promise<void> {
    await Promise.all(this.names.map((name) => this.signal(name, signal)));
  }

  #validator(name: string): TestnetValidator {
    const validator = this.#validators.find((each) => each.name === name);
    if (validator === undefined) throw new Error(`no validator ${name}`);
    return validator;
  }

  logOf(name: string): string {
    return join(this.#validator(name).dir, 'node.log');
  }

  dataOf(name: string): string {
    return this.#validator(name).data;
  }

  wireOf(name: string): string {
    return join(this.#validator(name).dir, 'wire');
  }

  /** What no healthy node says: log lines of level `error`, and what processes cried on standard error. */
  complaints(): string[] {
    const lines = this.names.flatMap((name) =>
      existsSync(this.logOf(name)) ? readFileSync(this.logOf(name), 'utf8').split('\n') : [],
    );
    const bad = lines.filter((line) => /"level":[56]0|INTERNAL|unhandled| threw"/i.test(line));
    return [...bad, ...this.#outcry];
  }

  running(name: string): boolean {
    const child = this.#children.get(name);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Kills what is left and removes the folder (unless WEFT_TEST_KEEP is set, for a look at logs and data). */
  async remove(): Promise<void> {
    await Promise.all(
      this.names.map(async (name) => {
        await this.signal(name, 'SIGCONT');
        await this.signal(name, 'SIGKILL');
      }),
    );
    await this.#relays?.close();
    this.#hosts?.remove();
    if (process.env['WEFT_TEST_KEEP'] === undefined) rmSync(this.dir, { recursive: true, force: true });
  }

  async status(name: string): Promise<NodeStatus | undefined> {
    try {
      return await this.client(name).call('node.status', {}, 2000);
    } catch {
      return undefined;
    }
  }

  client(name: string): WeftClient {
    const client = this.clients[this.names.indexOf(name)];
    if (client === undefined) throw new Error(`no validator ${name}`);
    return client;
  }

  /** Waits until `condition` holds for the statuses of `names`; throws what they last said when it does not in time. */
  async until(
    condition: (statuses: NodeStatus[]) => boolean,
    { names = this.names, withinMs = 120_000 }: { names?: readonly string[]; withinMs?: number } = {},
  ): Promise<NodeStatus[]> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const found = await Promise.all(names.map((name) => this.status(name)));
      const statuses = found.filter((status) => status !== undefined);
      if (statuses.length === names.length && condition(statuses)) return statuses;
      if (Date.now() > deadline) {
        const said = found.map(
          (status, i) => `${names[i]}: ${status === undefined ? 'no answer' : JSON.stringify(status)}`,
        );
        throw new Error(`not reached within ${withinMs} ms\n${said.join('\n')}\n${this.logTails()}`);
      }
      await sleep(100);
    }
  }

  /** All vote and nobody is behind. */
  async ready(names: readonly string[] = this.names): Promise<NodeStatus[]> {
    return this.until((statuses) => statuses.every((status) => status.notVoting === '' && !status.catchingUp), {
      names,
    });
  }

  logTails(): string {
    return this.#validators
      .map(({ name, dir }) => {
        try {
          return `${name}: ${readFileSync(join(dir, 'node.log'), 'utf8').slice(-1500)}`;
        } catch {
          return `${name}: no log; on standard error: ${this.#outcry
            .filter((each) => each.startsWith(name))
            .join(' ')
            .slice(-1500)}`;
        }
      })
      .join('\n');
  }

  /** Signs with an account's key file. */
  async signed(account: string, type: string, body: JsonObject, expiresInMs = 60_000): Promise<SignedTransaction> {
    const signer = await this.signer(account);
    return sign(buildTransaction({ chain: this.net.chain, account, type, body, expiresInMs }), [signer]);
  }

  readonly #signers = new Map<string, ReturnType<typeof ed25519TransactionSigner>>();

  async signer(account: string): Promise<ReturnType<typeof ed25519TransactionSigner>> {
    const known = this.#signers.get(account);
    if (known !== undefined) return known;
    const path = this.net.accounts.get(account);
    if (path === undefined) throw new Error(`no account ${account}`);
    const secret = (await readKeyFile(path, null)).find(({ name }) => name === 'account');
    if (secret === undefined) throw new Error(`${path} holds no account key`);
    const signer = ed25519TransactionSigner(secret.secret);
    this.#signers.set(account, signer);
    return signer;
  }

  /** A packet commit by router-prime that is finalized whatever the routing table says (a denied group is a record too). */
  async packet(): Promise<SignedTransaction> {
    const ids = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
    const group = { source: 'misty.weave', target: 'oracle.weave', expires: Date.now() + 30_000, ids };
    return this.signed('router-prime', 'packets.commit', { groups: [group] });
  }
}
