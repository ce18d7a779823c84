import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { buildTransaction, type Signer, sign, type TlsOptions } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';
import { type Files, nodeFiles } from '../ledger/files.ts';
import { attemptBytes } from '../token/consumed.ts';
import { AttemptBook } from './attemptBook.ts';
import { checksOf } from './checks.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Desk, TrustSource } from './desk.ts';
import { Executor } from './executor.ts';
import { lockFolder } from './lock.ts';
import { asHearsay, type LedgerNode, rpcNode } from './nodes.ts';
import { TrustFile } from './trustFile.ts';

export type ExecutorOptions = {
  /** The account that acts: the audience of its grants. */
  readonly account: string;
  /** Keys of that account, for consumes and reports. */
  readonly signers: readonly Signer[];
  /** Path of the trust file; walked forward, and written anew, when the validators change. */
  readonly trust: string;
  /** Addresses of nodes, best of several operators: each is asked, none is believed. */
  readonly rpc: readonly string[];
  readonly tls?: TlsOptions;
  /** A folder of its own, on a disk that keeps what was synced: what was begun is remembered here. */
  readonly stateDir: string;
  /** How old a status may be. Default 10,000; at least 3 × the network's `recosignMs`. */
  readonly maxStalenessMs?: number;
  /** How far this clock may be off; always counts against acting. Default 2,000. */
  readonly maxClockSkewMs?: number;
  /**
   * Where uses of grants for idempotent actions (`reusable`) are counted. `ledger` (default): by a consume, as all others; `local`:
   * in `stateDir`, without waiting for a block and without an outcome on the ledger.
   */
  readonly reusable?: 'ledger' | 'local';
  /** For how long one consume may be taken into a block. Default 20,000. */
  readonly sendForMs?: number;
  /** For how long after a grant's expiry its outcome is still offered. Default 24 hours. */
  readonly reportForMs?: number;
};

/** What a test puts in the place of disk, nodes and clock. */
export type ExecutorSeams = {
  readonly files: Files;
  readonly clock: Clock;
  readonly step: Desk['step'];
  readonly trust: TrustSource;
  readonly nodes: readonly LedgerNode[];
  readonly sign: Desk['sign'];
  readonly lock: (folder: string) => Promise<() => Promise<void>>;
};

/**
 * An executor on its folder. Call `resume` next: it takes care of what an earlier life left.
 * @throws WeftError EXECUTOR_OPTIONS, EXECUTOR_LOCKED, EXECUTOR_STATE_DAMAGED, TRUST_INVALID, FILE_UNREADABLE, RPC_URL_INVALID, DISK_*
 */
export async function createExecutor(options: ExecutorOptions): Promise<Executor> {
  return openExecutor(options, {});
}

/** As `createExecutor`, with seams. */
export async function openExecutor(options: ExecutorOptions, seams: Partial<ExecutorSeams>): Promise<Executor> {
  const { account, signers, stateDir, maxStalenessMs = 10_000, maxClockSkewMs = 2_000 } = options;
  const { sendForMs = 20_000, reportForMs = 24 * 60 * 60 * 1000 } = options;
  checkNumbers({ maxStalenessMs, maxClockSkewMs, sendForMs, reportForMs });
  if (!/^[a-z0-9._-]{1,63}$/.test(account)) throw wrong(`'${account.slice(0, 80)}' is no account`);
  if (options.rpc.length === 0 && seams.nodes === undefined) throw wrong('give the address of at least one node');
  if (signers.length === 0 && seams.sign === undefined) throw wrong(`give at least one key of ${account}`);
  const trust = seams.trust ?? (await TrustFile.open(options.trust));
  const { chain } = trust.current;
  const clock = seams.clock ?? systemClock;
  const nodes = (seams.nodes ?? options.rpc.map((url) => rpcNode(url, options.tls))).map(asHearsay);
  const release = await (seams.lock ?? lockFolder)(stateDir);
  try {
    const book = await AttemptBook.open(seams.files ?? nodeFiles, join(stateDir, 'attempts'), `${chain}/${account}`);
    const desk: Desk = {
      account,
      book,
      nodes,
      trust,
      clock,
      checks: checksOf({ account, maxStalenessMs, maxClockSkewMs }),
      sign:
        seams.sign ??
        ((type, body, expires) => sign(buildTransaction({ chain, account, type, body, expires }), signers)),
      maxClockSkewMs,
      sendForMs,
      reportForMs,
      step: seams.step ?? (() => undefined),
    };
    return new Executor(desk, {
      reusable: options.reusable ?? 'ledger',
      randomAttempt: () => new Uint8Array(randomBytes(attemptBytes)),
      release,
    });
  } catch (error) {
    await release();
    throw error;
  }
}

function checkNumbers(numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < 0) throw wrong(`${name} should be a whole number of milliseconds`);
  }
}

function wrong(why: string): WeftError {
  return new WeftError('EXECUTOR_OPTIONS', `the executor cannot be set up so: ${why}`);
}
