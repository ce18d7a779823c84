import { join } from 'node:path';
import { ed25519TransactionSigner } from '../client/index.ts';
import { messageOf, WeftError } from '../codec/error.ts';
import { readKeyFile } from '../crypto/keyfile.ts';
import { createExecutor, type Executor } from '../executor/index.ts';
import { nodeFiles } from '../ledger/files.ts';
import { Alerts } from './alerts.ts';
import type { Reconciled } from './bpf/grantTable.ts';
import { Complaints } from './complaints.ts';
import type { AgentConfig, LedgerConfig } from './config.ts';
import { Feed } from './feed.ts';
import { Rechecks } from './routes/rechecks.ts';
import { RouteBook } from './routes/routeBook.ts';
import { type RouteEvent, Routes, type RouteTable } from './routes/routes.ts';

export type LedgerModules = {
  /** Passphrase of the key file. */
  readonly passphrase: string | null;
  readonly say: (level: 'info' | 'warn' | 'error', message: string) => void;
  /** Of the gates of this host. */
  readonly tables: readonly RouteTable[];
  readonly bootNsAt: (unixMs: number) => bigint;
  readonly routeHappened: (event: RouteEvent) => void;
  readonly alertRaised: (alert: string, count: number) => void;
};

/** What an agent has to do with the ledger: routes on proof of grants, news that they may have changed, alerts. */
export class LedgerLink {
  readonly routes: Routes;
  readonly alerts: Alerts;
  readonly #ledger: LedgerConfig;
  readonly #executor: Executor;
  readonly #say: LedgerModules['say'];
  #rechecks: Rechecks | undefined;
  #feed: Feed | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    parts: Pick<LedgerLink, 'routes' | 'alerts'>,
    ledger: LedgerConfig,
    executor: Executor,
    say: LedgerModules['say'],
  ) {
    this.routes = parts.routes;
    this.alerts = parts.alerts;
    this.#ledger = ledger;
    this.#executor = executor;
    this.#say = say;
  }

  /** Asks nobody yet. @throws WeftError EXECUTOR_*, KEY_*, TRUST_INVALID, AGENT_STATE_DAMAGED */
  static async open(config: AgentConfig, ledger: LedgerConfig, modules: LedgerModules): Promise<LedgerLink> {
    const { host, state, alerts } = config;
    const { account, maxStalenessMs, maxClockSkewMs, leaseMs, rpc } = ledger;
    const { passphrase, say, tables, bootNsAt, routeHappened, alertRaised } = modules;
    const seed = (await readKeyFile(ledger.keys, passphrase)).find(({ name }) => name === 'account');
    if (seed === undefined) throw new WeftError('KEY_FILE_WRONG', `${ledger.keys} holds no account key`);
    const signers = [ed25519TransactionSigner(seed.secret)];
    const stateDir = join(state, 'executor');
    const book = await RouteBook.open(nodeFiles, join(state, 'routes.json'));
    const executor = await createExecutor({
      account,
      signers,
      trust: ledger.trust,
      rpc,
      stateDir,
      maxStalenessMs,
      maxClockSkewMs,
    });
    const complaints = new Complaints((message) => say('warn', message));
    const routes = new Routes(
      { host, account, leaseMs, maxClockSkewMs },
      {
        executor,
        book,
        tables,
        bootNsAt,
        wallMs: Date.now,
        happened: routeHappened,
        unproven: (error) => complaints.about(error),
      },
    );
    const raises = new Alerts({
      chain: executor.chain,
      account,
      host,
      signers,
      rpc,
      ...alerts,
      wallMs: Date.now,
      monotonicMs: () => performance.now(),
      raised: alertRaised,
      failed: (error) => say('warn', `an alert could not be raised: ${messageOf(error)}`),
    });
    return new LedgerLink({ routes, alerts: raises }, ledger, executor, say);
  }

  /** Hints of nodes that found no room. */
  get hintsDropped(): number {
    return this.#feed?.dropped ?? 0;
  }

  /** What the kernel holds from here on, of the first gate. */
  async restore(): Promise<Reconciled | undefined> {
    const [reconciled] = await this.routes.restore();
    return reconciled;
  }

  /** News of the ledger from here on, and leases renewed. Nothing here is waited for: nodes may be away for hours. */
  follow(): void {
    const { account, rpc, leaseMs } = this.#ledger;
    // A disk that is full, a table that the kernel refuses: what is leased ends by itself, and all else of this process goes on.
    const renew = (options: { readonly thorough?: boolean } = {}): void => {
      this.routes.renew(options).catch((error: unknown) => {
        this.#say('error', `routes were not renewed and close when their leases end: ${messageOf(error)}`);
      });
    };
    this.#executor.resume().catch((error: unknown) => {
      this.#say('warn', `what an earlier run left is taken care of with the next: ${messageOf(error)}`);
    });
    const rechecks = new Rechecks({ one: (grant) => this.routes.recheck(grant), all: () => renew({ thorough: true }) });
    this.#rechecks = rechecks;
    this.#feed = new Feed(rpc, account, {
      intent: (intent) => this.routes.consider(intent),
      changed: (grant) => (grant === undefined ? rechecks.all() : rechecks.one(grant)),
      lost: (node, error) => this.#say('warn', `${node} is not heard: ${error.message}`),
    });
    renew();
    this.#timer = setInterval(() => renew(), Math.max(250, Math.floor(leaseMs / 3)));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#feed?.close();
    this.#rechecks?.close();
    await this.#executor.close(2000);
    await this.alerts.close();
  }
}
