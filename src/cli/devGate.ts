import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { JsonObject } from '../../contracts/types.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { Agent } from '../agent/agent.ts';
import { checkAgentConfig } from '../agent/config.ts';
import { buildTransaction, ed25519TransactionSigner, proposeIntent, sign, type WeftClient } from '../client/index.ts';
import { messageOf, WeftError } from '../codec/error.ts';
import { type Home, openKeys } from './home.ts';
import { pause } from './pause.ts';

/**
 * The gate, live, for `weft dev`: two namespaces with a bridge between them, a caller in one and a service in the other. Nothing passes,
 * a route is granted, traffic flows, the grant ends, nothing passes. The gate is not pinned, so that it is gone when this process is.
 */
export type GateShowOptions = {
  readonly home: Home;
  readonly chain: string;
  readonly client: WeftClient;
  readonly rpc: readonly string[];
  readonly note: (text: string) => void;
};

const port = 8443;
const [callerAddress, serviceAddress] = ['10.88.70.1', '10.88.70.2'];
const keeper = 'actuator-web-1';
const [shutMs, grantMs] = [8000, 12_000];
const callEveryMs = 500;

/** What each namespace runs, with nothing but Node. */
const service = `require('node:net').createServer((s)=>s.on('error',()=>0).end('weft')).listen(${port},'${serviceAddress}')`;
const caller = `const net=require('node:net');setInterval(()=>{const s=net.connect(${port},'${serviceAddress}');let done=false;
const say=(w)=>{if(!done){done=true;s.destroy();console.log(w)}};s.on('data',()=>say('flows')).on('error',()=>say('stopped'));setTimeout(()=>say('stopped'),400)},${callEveryMs})`;

export class GateShow {
  readonly #options: GateShowOptions;
  readonly #name = `weft-dev-${process.pid}`;
  readonly #bridge = `weftb${process.pid % 100_000}`;
  readonly #children: ChildProcess[] = [];
  readonly #state = mkdtempSync(join(tmpdir(), 'weft-dev-gate-'));
  #agent: Agent | undefined;
  #traffic = '';
  #grant = '';
  #until = 0;

  constructor(options: GateShowOptions) {
    this.#options = options;
  }

  /** One line for the screen. */
  get line(): string {
    const { gates } = this.#agent?.status() ?? { gates: [] };
    const refused = gates[0]?.counters['refused'] ?? 0;
    const left = Math.max(0, Math.ceil((this.#until - Date.now()) / 1000));
    const why = this.#grant === '' ? 'no grant' : `grant ${this.#grant.slice(0, 12)}, ${left} s left`;
    return `${callerAddress} → ${serviceAddress} tcp/${port}  ${this.#traffic || 'waiting'}  (${why}; ${refused} packets refused)`;
  }

  /** Runs until `signal` aborts, and takes down what it put up. Never rejects: without rights, or off Linux, it says so. */
  async run(signal: AbortSignal): Promise<void> {
    const { note } = this.#options;
    try {
      if (process.platform !== 'linux') throw new Error(`it needs Linux, and this is ${process.platform}`);
      this.#plug();
      await this.#guard();
      note(
        `gate: ${callerAddress} → ${serviceAddress} tcp/${port} is guarded; nothing passes without a grant of the ledger`,
      );
      await this.#show(signal);
    } catch (error) {
      if (!signal.aborted) note(`gate: not shown here (${messageOf(error)})`);
    } finally {
      await this.#remove();
    }
  }

  #plug(): void {
    const [left, right] = [`${this.#name}-a`, `${this.#name}-b`];
    for (const name of [left, right]) ip('netns', 'add', name);
    ip('link', 'add', this.#bridge, 'type', 'bridge');
    for (const [space, end, address] of [
      [left, `${this.#bridge}a`, callerAddress],
      [right, `${this.#bridge}b`, serviceAddress],
    ] as const) {
      ip('link', 'add', end, 'type', 'veth', 'peer', 'name', 'weft0', 'netns', space);
      ip('link', 'set', end, 'master', this.#bridge);
      ip('link', 'set', end, 'up');
      ip('-n', space, 'addr', 'add', `${address}/24`, 'dev', 'weft0');
      ip('-n', space, 'link', 'set', 'weft0', 'up');
    }
    ip('link', 'set', this.#bridge, 'up');
    this.#in(right, service);
    const child = this.#in(left, caller);
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (word) => this.#heard(word));
  }

  #in(space: string, program: string): ChildProcess {
    const args = [`--net=/run/netns/${space}`, process.execPath, '-e', program];
    const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.on('error', (error) => this.#options.note(`gate: ${error.message}`));
    this.#children.push(child);
    return child;
  }

  #heard(word: string): void {
    if (word === this.#traffic) return;
    this.#traffic = word;
    // Before the gate is there, everything passes, and that is no news.
    if (this.#agent === undefined) return;
    this.#options.note(
      word === 'flows'
        ? `gate: traffic flows under grant ${this.#grant.slice(0, 12)}`
        : 'gate: traffic is stopped in the kernel: no grant runs',
    );
  }

  async #guard(): Promise<void> {
    const { home, rpc } = this.#options;
    const config = checkAgentConfig(
      {
        host: 'gate-1',
        ledger: { account: keeper, keys: home.accountKeys(keeper), trust: home.trust, rpc },
        gate: {
          interfaces: [`${this.#bridge}a`],
          guarded: [{ port, protocol: 'tcp' }],
          mode: 'enforce',
          failOpen: true,
        },
        probes: [],
        alerts: { drops: 0 },
      },
      join(this.#state, 'agent.json'),
    );
    const agent = await Agent.start(config, { version: packageJson.version, passphrase: null, say: () => undefined });
    this.#agent = agent;
    const missing = agent.status().unavailable[0];
    if (missing !== undefined) throw new Error(missing.why);
  }

  async #show(signal: AbortSignal): Promise<void> {
    // The validators stop at the same Ctrl-C: what is being asked of them then is not waited for.
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (!signal.aborted) {
      await pause(shutMs, signal);
      if (signal.aborted) return;
      const opening = this.#open().catch((error: unknown) => {
        if (!signal.aborted) this.#options.note(`gate: no route was granted (${messageOf(error)})`);
      });
      await Promise.race([opening, stopped]);
      await pause(Math.max(0, this.#until - Date.now()), signal);
      this.#grant = '';
    }
  }

  /** As the default policy wants it: a router asks, two people agree. */
  async #open(): Promise<void> {
    const effect = {
      host: 'gate-1',
      source: `${callerAddress}/32`,
      destination: `${serviceAddress}/32`,
      port,
      protocol: 'tcp',
    };
    const { type, body } = proposeIntent({ action: 'route.open', effect, audience: keeper, ttlMs: grantMs });
    const intent = await this.#send('router-prime', type, body);
    for (const approver of ['steward', 'warden']) await this.#send(approver, 'intents.approve', { intent });
    this.#grant = intent;
    this.#until = Date.now() + grantMs;
  }

  async #send(account: string, type: string, body: JsonObject): Promise<string> {
    const { home, chain, client } = this.#options;
    const key = (await openKeys(home.accountKeys(account))).find(({ name }) => name === 'account');
    if (key === undefined) throw new WeftError('ACCOUNT_KEY_NOT_FOUND', `no key of ${account}`);
    const signers = [ed25519TransactionSigner(key.secret)];
    const { id } = await client.submitAndWait(sign(buildTransaction({ chain, account, type, body }), signers));
    return id;
  }

  async #remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.#agent?.close().catch(() => undefined);
    for (const args of [
      ['link', 'del', `${this.#bridge}a`],
      ['link', 'del', `${this.#bridge}b`],
      ['link', 'del', this.#bridge],
      ['netns', 'del', `${this.#name}-a`],
      ['netns', 'del', `${this.#name}-b`],
    ])
      try {
        ip(...args);
      } catch {
        // It was never made.
      }
    rmSync(this.#state, { recursive: true, force: true });
  }
}

function ip(...args: string[]): void {
  try {
    execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    throw new Error(
      code === 'ENOENT'
        ? 'it needs ip (package iproute2)'
        : `ip ${args.join(' ')}: ${String(stderr ?? '').trim() || 'it needs root'}`,
    );
  }
}
