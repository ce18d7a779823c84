// Four validators as four processes, with the default policy set and one policy more, in a folder that goes away at the end.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../contracts/types.ts';
import { DevProcesses } from '../../src/cli/devProcesses.ts';
import { makeTestnet, type Testnet } from '../../src/cli/testnet.ts';
import {
  buildTransaction,
  connect,
  ed25519TransactionSigner,
  type Signer,
  sign,
  type TxFinalized,
  type WeftClient,
} from '../../src/client/index.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { readDefaultPolicySet, toPolicySet } from '../../src/policy/defaultSet.ts';
import { freeBase } from '../../test/freePorts.ts';

const validators = 4;
const readyWithinMs = 90_000;

export class StoryNetwork {
  readonly dir: string;
  readonly chain: string;
  /** Addresses of the nodes. */
  readonly rpc: readonly string[];
  /** Where people enrol and approve. */
  readonly origin: string;
  readonly client: WeftClient;
  readonly #net: Testnet;
  readonly #processes: DevProcesses;
  readonly #nodes: readonly WeftClient[];

  private constructor(net: Testnet, origin: string, processes: DevProcesses) {
    this.dir = net.home;
    this.chain = net.chain;
    this.rpc = net.validators.map(({ rpc }) => rpc);
    this.origin = origin;
    this.client = connect({ rpc: this.rpc });
    this.#net = net;
    this.#nodes = this.rpc.map((rpc) => connect({ rpc }));
    this.#processes = processes;
  }

  /** `securityKey`: restarts are approved with one; without, any key of an approver does. Resolves when all validators vote. */
  static async start(securityKey: boolean): Promise<StoryNetwork> {
    const dir = mkdtempSync(join(tmpdir(), 'weft-token-'));
    const basePort = await freeBase(validators);
    const origin = `http://localhost:${basePort + 11}`;
    const { schema, policies } = readDefaultPolicySet();
    const text = readFileSync(join(import.meta.dirname, 'restarts.cedar'), 'utf8');
    const more = toPolicySet('', securityKey ? text : text.replace('@approver_key("webauthn")\n', ''));
    const net = await makeTestnet({
      dir,
      validators,
      basePort,
      name: 'weft-demo',
      passphrase: null,
      policy: { schema, policies: [...policies, ...more.policies].sort((a, b) => (a.id < b.id ? -1 : 1)) },
    });
    const members = net.validators.map(({ name, config, dir: own }) => ({
      name,
      config,
      logFile: join(own, 'node.log'),
    }));
    const processes = new DevProcesses(members, () => undefined);
    const network = new StoryNetwork(net, origin, processes);
    processes.start();
    try {
      await network.#ready();
      return network;
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  async signer(account: string): Promise<Signer> {
    const path = this.#net.accounts.get(account);
    const secret = (await readKeyFile(path ?? '', null)).find(({ name }) => name === 'account');
    if (secret === undefined) throw new Error(`no key of ${account}`);
    return ed25519TransactionSigner(secret.secret);
  }

  /** Signs, submits, and waits until it is final, and until every node can prove it. @throws WeftError the ledger's code */
  async send(account: string, type: string, body: JsonObject): Promise<TxFinalized> {
    const signed = sign(buildTransaction({ chain: this.chain, account, type, body }), [await this.signer(account)]);
    const done = await this.client.submitAndWait(signed);
    await Promise.all(
      this.#nodes.map(async (node) => {
        await node.wait(signed.id);
        await node.fetchToken({ tx: signed.id, record: 0 });
      }),
    );
    return done;
  }

  /** A change by the council (one member here), in force when this resolves. */
  async change(change: JsonObject): Promise<void> {
    const expires = Date.now() + 600_000;
    const { id } = await this.send('council', 'governance.propose', { change, notBefore: 0, expires });
    await this.send('council', 'governance.approve', { proposal: id });
  }

  async stop(): Promise<void> {
    for (const each of [this.client, ...this.#nodes]) each.close();
    await this.#processes.stop();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  async #ready(): Promise<void> {
    for (const until = Date.now() + readyWithinMs; ; await sleep(150)) {
      const statuses = await Promise.all(this.#nodes.map((each) => each.status().catch(() => undefined)));
      if (statuses.every((each) => each?.notVoting === '' && !each.catchingUp)) return;
      if (Date.now() > until) throw new Error(`the validators do not come up; their logs were in ${this.dir}`);
    }
  }
}
