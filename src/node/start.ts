import { readFileSync } from 'node:fs';
import pino from 'pino';
import { WeftError } from '../codec/error.ts';
import { readKeyFile } from '../crypto/keyfile.ts';
import { type ValidatorKeys, validatorKeysFrom } from '../crypto/validatorKeys.ts';
import type { NodeApi } from './api.ts';
import type { Config } from './config.ts';
import { NodeKeeper } from './keeper.ts';
import type { Log } from './log.ts';
import { LoopDelay } from './loopDelay.ts';
import { startFromSnapshot } from './snapshotStart.ts';

export type RunningNode = {
  readonly api: NodeApi;
  readonly log: Log;
  /** Stops in order, in under 2 s. Idempotent. */
  close(): Promise<void>;
};

/**
 * Starts the node that a configuration describes. `passphrase` (default: WEFT_PASSPHRASE) opens an encrypted key file.
 * @throws WeftError GENESIS_*, KEY_*, SNAPSHOT_*, KEYS_FOREIGN, NODE_UNKNOWN, LEDGER_*, NET_*
 */
export async function startNode(
  config: Config,
  options: {
    readonly passphrase?: string | null;
    readonly version?: string;
    /** Begin from a snapshot: a file, an http(s) URL, or true for one that peers offer. */
    readonly snapshot?: string | true;
    /** The data folder could not be opened anew after the disk came back: the process should end and say so. */
    readonly fatal?: (error: unknown) => void;
  } = {},
): Promise<RunningNode> {
  const log = createLog(config);
  let genesis: Uint8Array;
  try {
    genesis = readFileSync(config.genesis);
  } catch (error) {
    throw new WeftError(
      'GENESIS_UNREADABLE',
      `cannot read the genesis document ${config.genesis}: ${error instanceof Error ? error.message : String(error)}`,
      { file: config.genesis },
    );
  }
  const passphrase = options.passphrase ?? process.env['WEFT_PASSPHRASE'] ?? null;
  const keysOf = async (path: string): Promise<ValidatorKeys> => validatorKeysFrom(await readKeyFile(path, passphrase));
  const keys = await keysOf(config.keys);
  const nextKeys = config.nextKeys === undefined ? {} : { nextKeys: await keysOf(config.nextKeys) };
  const fatal =
    options.fatal ??
    ((error: unknown): void => log.error({ error: String(error) }, 'the data folder cannot be opened anew'));
  const { snapshot } = options;
  if (typeof snapshot === 'string')
    await startFromSnapshot(config.data, genesis, snapshot, log, config.keepBlocks === 0);
  const wish = snapshot === true ? { snapshotFirst: { pending: true } } : {};
  const version = options.version ?? '0.1.0';
  const loop = new LoopDelay();
  return NodeKeeper.start({ config, genesis, keys, ...nextKeys, ...wish, version, log, loop }, { fatal });
}

/** Structured lines to standard error or a file: a short message and an object. */
export function createLog(config: Config): Log {
  const target =
    config.log.file === undefined
      ? pino.destination({ dest: 2, sync: false })
      : pino.destination({ dest: config.log.file, sync: false, mkdir: true });
  return pino({ level: config.log.level, base: { node: config.name } }, target);
}
