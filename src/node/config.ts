import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ErrorObject } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse as parseYaml } from 'yaml';
import schema from '../../schemas/config.schema.json' with { type: 'json' };
import { messageOf, WeftError } from '../codec/error.ts';
import { isRelyingParty, type RelyingParty } from '../crypto/webauthn.ts';

/**
 * Configuration of one node: a YAML or JSON file checked against `schemas/config.schema.json`, which also holds every
 * default; environment variables `WEFT_*` over it; flags over those. A wrong key is an error that names it.
 */
export type Config = {
  readonly name: string;
  readonly role: 'validator' | 'observer';
  /** Absolute path, as are `keys`, `data` and the paths in `rpc.tls` and `log.file`. */
  readonly genesis: string;
  readonly keys: string;
  /** Keys that are proposed to governance: used from the epoch on that lists them. */
  readonly nextKeys?: string;
  readonly data: string;
  /** Default: `<keys>.sign-state` (signState.ts). */
  readonly signState?: string;
  /** Free bytes on the disk of `data` below which this node stops voting and admits nothing. 0: only when a write fails. */
  readonly minFreeBytes: number;
  /** A snapshot at each multiple of so many blocks; 0: none. */
  readonly snapshotEveryBlocks: number;
  /** Blocks and log entries that are kept at least; 0: all (pruner.ts). */
  readonly keepBlocks: number;
  readonly keepLog: number;
  readonly peer: {
    /** Multiaddrs. */
    readonly listen: readonly string[];
    readonly peers: readonly { readonly name: string; readonly address: string }[];
  };
  readonly rpc: RpcConfig;
  readonly log: { readonly level: LogLevel; readonly file?: string };
  readonly mempool: {
    readonly transactionsMax: number;
    readonly bytesMax: number;
    readonly transactionsPerAccountMax: number;
  };
  /** Pacing of this node: what each means and its default, schemas/config.schema.json. */
  readonly consensus: {
    readonly blockIntervalMs: number;
    readonly targetBlockBytes: number;
    readonly buildBudgetMs: number;
    readonly finalizeGraceMs: number;
    readonly leaderSilentMs: number;
    readonly maxClockDriftMs: number;
  };
};

export type LogLevel = 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** What each number means, its default and its bounds: schemas/config.schema.json. */
export type RpcConfig = {
  readonly enabled: boolean;
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  readonly allowOrigins: readonly string[];
  readonly webauthn?: RelyingParty;
  readonly bodyBytesMax: number;
  readonly batchMax: number;
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  readonly submitsPerSecond: number;
  readonly submitsBurst: number;
  readonly trackedMax: number;
  readonly connectionsMax: number;
  readonly webSocketsMax: number;
  readonly webSocketsPerAddressMax: number;
  readonly subscriptionsMax: number;
  readonly bufferedBytesMax: number;
  readonly heartbeatMs: number;
  readonly waitMsMax: number;
  readonly pendingMax: number;
};

type Node = Record<string, unknown>;
type SchemaNode = {
  readonly type?: string;
  readonly properties?: { readonly [name: string]: SchemaNode };
};

/** Environment names under WEFT_ that belong to commands, tests and scripts and not to the configuration. */
const otherNames = /^WEFT_(PASSPHRASE|CWD|HOME|RPC|(TEST|DEV|SIM|BENCH)(_.*)?)$/;

/**
 * Reads `path`, lays `env` and `flags` over it, fills in the defaults.
 * @param flags dotted name → value, for example `{'rpc.port': 0}`; strings are read as the schema wants them
 * @throws WeftError CONFIG_UNREADABLE, CONFIG_SYNTAX, CONFIG_INVALID (names the key), CONFIG_ENV_UNKNOWN, CONFIG_FLAG_UNKNOWN
 */
export function loadConfig(
  path: string,
  env: Readonly<Record<string, string | undefined>> = {},
  flags: Readonly<Record<string, unknown>> = {},
): Config {
  const document = readDocument(path);
  const names = leafNames(schema as SchemaNode);
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('WEFT_') || value === undefined || otherNames.test(name)) continue;
    const key = [...names.keys()].find((each) => envName(each) === name);
    if (key === undefined) {
      throw new WeftError(
        'CONFIG_ENV_UNKNOWN',
        `the environment variable ${name} names no setting${suggest(name, [...names.keys()].map(envName))}; unset it or correct its name`,
        { key: name },
      );
    }
    assign(document, key, convert(value, names.get(key)));
  }
  for (const [key, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const node = names.get(key);
    if (node === undefined) {
      throw new WeftError('CONFIG_FLAG_UNKNOWN', `'${key}' is no setting${suggest(key, [...names.keys()])}`, { key });
    }
    assign(document, key, typeof value === 'string' ? convert(value, node) : value);
  }
  return checkConfig(document, path);
}

/**
 * Checks a configuration document, fills in defaults and makes paths absolute (relative to `path`'s folder).
 * @throws WeftError CONFIG_INVALID with the wrong key in its message and in `details.key`
 */
export function checkConfig(document: unknown, path: string): Config {
  const copy: unknown = structuredClone(document);
  const ajv = new Ajv2020({ strict: true, useDefaults: true, allErrors: false, allowUnionTypes: true });
  const validate = ajv.compile(schema);
  if (!validate(copy)) {
    const { key, text } = explain(validate.errors?.[0]);
    throw new WeftError('CONFIG_INVALID', `${path}: ${text}`, { key, file: path });
  }
  const config = copy as Config;
  if (config.keepBlocks > 0 && config.snapshotEveryBlocks === 0) {
    throw new WeftError(
      'CONFIG_INVALID',
      `${path}: 'keepBlocks' needs snapshots: without them nobody could catch up; set snapshotEveryBlocks above 0`,
      { key: 'keepBlocks', file: path },
    );
  }
  if (config.keepLog > 0 && config.keepBlocks === 0) {
    throw new WeftError(
      'CONFIG_INVALID',
      `${path}: 'keepLog' goes with 'keepBlocks': the log holds the bodies of the blocks that are kept`,
      { key: 'keepLog', file: path },
    );
  }
  const { webauthn } = config.rpc;
  if (webauthn !== undefined && !isRelyingParty(webauthn)) {
    throw new WeftError(
      'CONFIG_INVALID',
      `${path}: 'rpc.webauthn': the origin is https://host or https://host:port without a default port (or http://localhost:port), and its host is the rpId or below it`,
      { key: 'rpc.webauthn', file: path },
    );
  }
  const at = (name: string): string => resolve(dirname(path), name);
  const { tls } = config.rpc;
  return {
    ...config,
    genesis: at(config.genesis),
    keys: at(config.keys),
    data: at(config.data),
    ...(config.nextKeys === undefined ? {} : { nextKeys: at(config.nextKeys) }),
    ...(config.signState === undefined ? {} : { signState: at(config.signState) }),
    log: { ...config.log, ...(config.log.file === undefined ? {} : { file: at(config.log.file) }) },
    rpc: {
      ...config.rpc,
      ...(tls === undefined
        ? {}
        : {
            tls: {
              cert: at(tls.cert),
              key: at(tls.key),
              ...(tls.clientCa === undefined ? {} : { clientCa: at(tls.clientCa) }),
            },
          }),
    },
  };
}

/** The RPC settings with every default, and `overrides` over them: for programs that serve without a file. */
export function rpcConfig(overrides: Partial<RpcConfig> = {}): RpcConfig {
  return checkConfig({ name: 'n', rpc: { ...overrides } }, resolve('config.yaml')).rpc;
}

function readDocument(path: string): Node {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new WeftError('CONFIG_UNREADABLE', `cannot read the configuration ${path}: ${messageOf(error)}`, {
      file: path,
    });
  }
  let document: unknown;
  try {
    document = path.endsWith('.json') ? JSON.parse(text) : parseYaml(text, { maxAliasCount: 0 });
  } catch (error) {
    throw new WeftError(
      'CONFIG_SYNTAX',
      `${path} is not valid ${path.endsWith('.json') ? 'JSON' : 'YAML'}: ${messageOf(error)}`,
      {
        file: path,
      },
    );
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new WeftError('CONFIG_INVALID', `${path}: the configuration must be a set of 'key: value' lines`, {
      key: '',
      file: path,
    });
  }
  return document as Node;
}

/** Every setting by its dotted name; objects without fixed members (lists) count as one setting. */
function leafNames(node: SchemaNode, prefix = ''): Map<string, SchemaNode> {
  const found = new Map<string, SchemaNode>();
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (child.properties === undefined) found.set(path, child);
    else for (const [deeper, leaf] of leafNames(child, path)) found.set(deeper, leaf);
  }
  return found;
}

/** `rpc.bodyBytesMax` → `WEFT_RPC_BODY_BYTES_MAX`. */
export function envName(key: string): string {
  return `WEFT_${key
    .replaceAll('.', '_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
}

/** Text from the environment or a flag as the schema's type; what does not fit stays text, and the schema check names it. */
function convert(text: string, node: SchemaNode | undefined): unknown {
  if (node?.type === 'integer') return /^-?[0-9]{1,16}$/.test(text) ? Number(text) : text;
  if (node?.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (node?.type === 'array') {
    if (!text.trimStart().startsWith('[')) return text === '' ? [] : text.split(',').map((each) => each.trim());
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  return text;
}

function assign(document: Node, key: string, value: unknown): void {
  const parts = key.split('.');
  const last = parts.pop() ?? '';
  let at = document;
  for (const part of parts) {
    const next = at[part];
    if (typeof next === 'object' && next !== null && !Array.isArray(next)) at = next as Node;
    else {
      const made: Node = {};
      at[part] = made;
      at = made;
    }
  }
  at[last] = value;
}

function explain(error: ErrorObject | undefined): { key: string; text: string } {
  if (error === undefined) return { key: '', text: 'the configuration is not valid' };
  const at = error.instancePath.slice(1).replaceAll('/', '.');
  const under = (name: unknown): string => (at === '' ? String(name) : `${at}.${String(name)}`);
  if (error.keyword === 'additionalProperties') {
    const key = under(error.params['additionalProperty']);
    const siblings = [...leafNames(schema as SchemaNode).keys(), ...Object.keys(schema.properties)];
    return { key, text: `unknown key '${key}'${suggest(key, siblings)}` };
  }
  if (error.keyword === 'required') {
    const key = under(error.params['missingProperty']);
    return { key, text: `the key '${key}' is missing` };
  }
  const allowed = error.keyword === 'enum' ? `: ${(error.params['allowedValues'] as unknown[]).join(', ')}` : '';
  return { key: at, text: `'${at}' ${error.message ?? 'is not valid'}${allowed}` };
}

function suggest(wrong: string, right: readonly string[]): string {
  let best: string | undefined;
  let bestDistance = Math.min(4, Math.ceil(wrong.length / 3) + 1);
  for (const each of right) {
    const distance = editDistance(wrong, each);
    if (distance < bestDistance) {
      best = each;
      bestDistance = distance;
    }
  }
  return best === undefined ? '' : `; did you mean '${best}'?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
